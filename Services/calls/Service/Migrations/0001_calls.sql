-- Call requests, their negotiation and what it led to. Times come from the service's clock, never from a default, so that
-- tests can set it.

-- The public block of users, as accounts tells it. A copy never replaces a newer one.
CREATE TABLE calls.users (
    id            uuid PRIMARY KEY,
    first_name    text NOT NULL,
    last_name     text NOT NULL,
    profile_image text,
    timezone      text NOT NULL,
    created       timestamptz NOT NULL,
    version       bigint NOT NULL
);

-- What is needed of a hero, as heroes tells it.
CREATE TABLE calls.heroes (
    id            bigint PRIMARY KEY,
    user_id       uuid NOT NULL,
    accepted      boolean NOT NULL,
    rate_in_cents bigint NOT NULL,
    version       bigint NOT NULL
);

CREATE TABLE calls.requests (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id          uuid NOT NULL,
    hero_id          bigint NOT NULL,
    -- Who owns the hero: with user_id the two parties.
    hero_user_id     uuid NOT NULL,
    message          text NOT NULL,
    estimated_length int NOT NULL,
    -- Of the hero at the time of asking.
    rate_in_cents    bigint NOT NULL,
    status           text NOT NULL DEFAULT 'o',
    reason           text NOT NULL DEFAULT '',
    agreed_time      timestamptz,
    -- When the event of the reminder was written.
    reminded         timestamptz,
    created          timestamptz NOT NULL,
    updated          timestamptz NOT NULL,
    CONSTRAINT requests_length CHECK (estimated_length BETWEEN 15 AND 120 AND estimated_length % 15 = 0),
    CONSTRAINT requests_status CHECK (status IN ('o', 'a', 'd')),
    CONSTRAINT requests_reason CHECK ((reason <> '') = (status = 'd')),
    CONSTRAINT requests_agreed CHECK (agreed_time IS NULL OR status = 'a'),
    CONSTRAINT requests_not_oneself CHECK (user_id <> hero_user_id)
);

-- A pair has one open request.
CREATE UNIQUE INDEX requests_one_open ON calls.requests (user_id, hero_id) WHERE status = 'o';
-- A person's list, newest first, and its count, without a look at the table.
CREATE INDEX requests_of_user ON calls.requests (user_id, id) INCLUDE (status);
CREATE INDEX requests_of_hero ON calls.requests (hero_user_id, id) INCLUDE (status);
-- The same for the calls that are still to come.
CREATE INDEX requests_agreed_of_user ON calls.requests (user_id, agreed_time) INCLUDE (id, status)
    WHERE agreed_time IS NOT NULL;
CREATE INDEX requests_agreed_of_hero ON calls.requests (hero_user_id, agreed_time) INCLUDE (id, status)
    WHERE agreed_time IS NOT NULL;
-- What the next reminder is.
CREATE INDEX requests_to_remind ON calls.requests (agreed_time) WHERE agreed_time IS NOT NULL AND reminded IS NULL;

CREATE TABLE calls.suggestions (
    request_id bigint NOT NULL REFERENCES calls.requests ON DELETE CASCADE,
    -- Counted from 1 in each request.
    number     int NOT NULL,
    user_id    uuid NOT NULL,
    time_one   timestamptz NOT NULL,
    time_two   timestamptz NOT NULL,
    time_three timestamptz NOT NULL,
    created    timestamptz NOT NULL,
    PRIMARY KEY (request_id, number)
);

-- Every instant that was suggested on a request: none comes twice.
CREATE TABLE calls.suggested_times (
    request_id bigint NOT NULL REFERENCES calls.requests ON DELETE CASCADE,
    time       timestamptz NOT NULL,
    CONSTRAINT suggested_times_once PRIMARY KEY (request_id, time)
);

-- Everybody who takes part in an agreed call. The number stands for the id in a booking's span, and the row is locked by
-- whoever books the person's time.
CREATE TABLE calls.people (
    id     uuid PRIMARY KEY,
    number int GENERATED ALWAYS AS IDENTITY CONSTRAINT people_number UNIQUE
);

-- A person's time as a stretch of one line, on which each person has 2^32 minutes of their own (1970 to the year 10136).
-- An exclusion constraint over (person, tstzrange) would need the extension btree_gist, which a role with rights on its
-- own schema alone can't create; ranges of whole numbers need none.
CREATE FUNCTION calls.span(person int, during tstzrange) RETURNS int8range
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN int8range(
    (person::bigint << 32) + floor(extract(epoch FROM lower(during) - timestamptz '1970-01-01 00:00+00') / 60)::bigint,
    (person::bigint << 32) + ceil(extract(epoch FROM upper(during) - timestamptz '1970-01-01 00:00+00') / 60)::bigint);

-- An agreed call, once for each of its two people, whichever side they are on: nobody is in two calls at a time.
CREATE TABLE calls.bookings (
    request_id bigint NOT NULL REFERENCES calls.requests ON DELETE CASCADE,
    person     int NOT NULL REFERENCES calls.people (number),
    during     tstzrange NOT NULL,
    PRIMARY KEY (request_id, person),
    CONSTRAINT bookings_never_overlap EXCLUDE USING gist (calls.span(person, during) WITH &&)
);
