-- Payment methods. Card numbers never come here: what is kept are a provider's own names for things.

ALTER TABLE accounts.users ADD COLUMN payment_customer text;

CREATE TABLE accounts.payment_methods (
    user_id  uuid PRIMARY KEY REFERENCES accounts.users ON DELETE CASCADE,
    provider text NOT NULL,
    method   text NOT NULL,
    verified timestamptz NOT NULL
);

-- What was asked of the provider and is not settled, or was. The row is there before the provider is asked, so that an
-- answer which comes later, or after a crash, finds what it belongs to.
CREATE TABLE accounts.payment_attempts (
    id       uuid PRIMARY KEY,
    user_id  uuid NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    provider text NOT NULL,
    method   text NOT NULL,
    -- The provider's name for the attempt, once it has told.
    intent   text,
    state    text NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed', 'superseded')),
    created  timestamptz NOT NULL,
    updated  timestamptz NOT NULL,
    CONSTRAINT payment_attempts_intent_unique UNIQUE (intent)
);

CREATE UNIQUE INDEX payment_attempts_one_pending ON accounts.payment_attempts (user_id) WHERE state = 'pending';

-- The provider's events that took effect; it sends them again until it hears that one did.
CREATE TABLE accounts.payment_events (
    id       text PRIMARY KEY,
    received timestamptz NOT NULL
);

CREATE INDEX payment_events_received ON accounts.payment_events (received);
