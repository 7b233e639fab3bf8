-- The public directory: accepted heroes in any order, found by discipline, rate and words, counted all the time.

-- One row. Its version goes up in every transaction that changes anything the public sees, so whoever has read it knows
-- whether a page made before still holds. The row's lock puts such transactions in the order of their numbers; it is
-- taken by the last thing they do.
CREATE TABLE heroes.edition (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version  bigint NOT NULL,
    -- The last edition in which a hero lost or changed a place that isn't for good (rate, years).
    moved    bigint NOT NULL,
    -- Places left in editions up to this one are forgotten.
    pruned   bigint NOT NULL,
    -- Accepted heroes of each discipline.
    fe       bigint NOT NULL,
    be       bigint NOT NULL,
    io       bigint NOT NULL,
    an       bigint NOT NULL,
    ux       bigint NOT NULL
    -- Room for many versions of the row in its page.
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000);

INSERT INTO heroes.edition (version, moved, pruned, fe, be, io, an, ux) VALUES (1, 0, 0, 0, 0, 0, 0, 0);
-- So that the planner knows of the one row.
ANALYZE heroes.edition;

-- Places that heroes have left, for some time: whoever goes from page to page meets each hero where it was in the
-- edition of the first page.
CREATE TABLE heroes.former_places (
    hero_id       bigint NOT NULL,
    -- The first edition without it.
    until         bigint NOT NULL,
    rate_in_cents integer NOT NULL,
    years_of_exp  integer NOT NULL,
    ended         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (hero_id, until)
);

CREATE INDEX former_places_rate ON heroes.former_places (rate_in_cents, hero_id) INCLUDE (until);
CREATE INDEX former_places_years ON heroes.former_places (years_of_exp, hero_id) INCLUDE (until);
CREATE INDEX former_places_until ON heroes.former_places (until);

-- Every order, of all and of a discipline. What else can be asked for is in the index too, so that looking for it reads
-- nothing but the index.
CREATE INDEX heroes_created ON heroes.heroes (created, id) INCLUDE (rate_in_cents)
    WHERE state = 'accepted';
CREATE INDEX heroes_rate ON heroes.heroes (rate_in_cents, id) INCLUDE (created, years_of_exp)
    WHERE state = 'accepted';
CREATE INDEX heroes_years ON heroes.heroes (years_of_exp, id) INCLUDE (rate_in_cents)
    WHERE state = 'accepted';
CREATE INDEX heroes_discipline_created ON heroes.heroes (discipline, created, id) INCLUDE (rate_in_cents)
    WHERE state = 'accepted';
CREATE INDEX heroes_discipline_rate ON heroes.heroes (discipline, rate_in_cents, id) INCLUDE (created, years_of_exp)
    WHERE state = 'accepted';
CREATE INDEX heroes_discipline_years ON heroes.heroes (discipline, years_of_exp, id) INCLUDE (rate_in_cents)
    WHERE state = 'accepted';
-- Without a list of what is still to be put in: a search must not have to read through it.
CREATE INDEX heroes_words ON heroes.heroes USING gin (words) WITH (fastupdate = off)
    WHERE state = 'accepted';

-- Whatever changes heroes, one or a million in a statement, is followed by the counts and the edition.

CREATE FUNCTION heroes.follow_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE heroes.edition e SET
        version = e.version + 1,
        fe = e.fe + n.fe, be = e.be + n.be, io = e.io + n.io, an = e.an + n.an, ux = e.ux + n.ux
    FROM (
        SELECT count(*) AS changed,
            count(*) FILTER (WHERE discipline = 'FE') AS fe, count(*) FILTER (WHERE discipline = 'BE') AS be,
            count(*) FILTER (WHERE discipline = 'IO') AS io, count(*) FILTER (WHERE discipline = 'AN') AS an,
            count(*) FILTER (WHERE discipline = 'UX') AS ux
        FROM now_there WHERE state = 'accepted'
    ) n
    WHERE n.changed > 0;
    RETURN NULL;
END $$;

CREATE FUNCTION heroes.follow_updated() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    edition bigint;
BEGIN
    UPDATE heroes.edition e SET
        version = e.version + 1,
        moved = CASE WHEN n.moved > 0 THEN e.version + 1 ELSE e.moved END,
        fe = e.fe + n.fe, be = e.be + n.be, io = e.io + n.io, an = e.an + n.an, ux = e.ux + n.ux
    FROM (
        SELECT count(*) AS changed,
            count(*) FILTER (WHERE moved) AS moved,
            count(*) FILTER (WHERE after = 'FE') - count(*) FILTER (WHERE before = 'FE') AS fe,
            count(*) FILTER (WHERE after = 'BE') - count(*) FILTER (WHERE before = 'BE') AS be,
            count(*) FILTER (WHERE after = 'IO') - count(*) FILTER (WHERE before = 'IO') AS io,
            count(*) FILTER (WHERE after = 'AN') - count(*) FILTER (WHERE before = 'AN') AS an,
            count(*) FILTER (WHERE after = 'UX') - count(*) FILTER (WHERE before = 'UX') AS ux
        FROM (
            SELECT CASE WHEN b.state = 'accepted' THEN b.discipline END AS before,
                CASE WHEN a.state = 'accepted' THEN a.discipline END AS after,
                b.state = 'accepted' AND (a.state <> 'accepted'
                    OR (a.rate_in_cents, a.years_of_exp) <> (b.rate_in_cents, b.years_of_exp)) AS moved
            FROM once_there b JOIN now_there a ON a.id = b.id
            WHERE (a.state = 'accepted' OR b.state = 'accepted') AND a IS DISTINCT FROM b
        ) c
    ) n
    WHERE n.changed > 0
    RETURNING e.version INTO edition;
    IF edition IS NOT NULL THEN
        INSERT INTO heroes.former_places (hero_id, until, rate_in_cents, years_of_exp)
        SELECT b.id, edition, b.rate_in_cents, b.years_of_exp
        FROM once_there b JOIN now_there a ON a.id = b.id
        WHERE b.state = 'accepted' AND (a.state <> 'accepted'
            OR (a.rate_in_cents, a.years_of_exp) <> (b.rate_in_cents, b.years_of_exp));
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION heroes.follow_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE heroes.edition e SET
        version = e.version + 1,
        fe = e.fe - n.fe, be = e.be - n.be, io = e.io - n.io, an = e.an - n.an, ux = e.ux - n.ux
    FROM (
        SELECT count(*) AS changed,
            count(*) FILTER (WHERE discipline = 'FE') AS fe, count(*) FILTER (WHERE discipline = 'BE') AS be,
            count(*) FILTER (WHERE discipline = 'IO') AS io, count(*) FILTER (WHERE discipline = 'AN') AS an,
            count(*) FILTER (WHERE discipline = 'UX') AS ux
        FROM once_there WHERE state = 'accepted'
    ) n
    WHERE n.changed > 0;
    RETURN NULL;
END $$;

CREATE FUNCTION heroes.follow_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE heroes.edition SET version = version + 1, fe = 0, be = 0, io = 0, an = 0, ux = 0;
    RETURN NULL;
END $$;

CREATE FUNCTION heroes.follow_users() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM once_there b JOIN now_there a ON a.id = b.id
        JOIN heroes.heroes h ON h.user_id = a.id AND h.state = 'accepted'
        WHERE a IS DISTINCT FROM b
    ) THEN
        UPDATE heroes.edition SET version = version + 1;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER follow_inserted AFTER INSERT ON heroes.heroes REFERENCING NEW TABLE AS now_there
    FOR EACH STATEMENT EXECUTE FUNCTION heroes.follow_inserted();
CREATE TRIGGER follow_updated AFTER UPDATE ON heroes.heroes REFERENCING OLD TABLE AS once_there NEW TABLE AS now_there
    FOR EACH STATEMENT EXECUTE FUNCTION heroes.follow_updated();
CREATE TRIGGER follow_deleted AFTER DELETE ON heroes.heroes REFERENCING OLD TABLE AS once_there
    FOR EACH STATEMENT EXECUTE FUNCTION heroes.follow_deleted();
CREATE TRIGGER follow_truncated AFTER TRUNCATE ON heroes.heroes
    FOR EACH STATEMENT EXECUTE FUNCTION heroes.follow_truncated();
CREATE TRIGGER follow_users AFTER UPDATE ON heroes.users REFERENCING OLD TABLE AS once_there NEW TABLE AS now_there
    FOR EACH STATEMENT EXECUTE FUNCTION heroes.follow_users();
