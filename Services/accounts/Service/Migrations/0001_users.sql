-- Users, their tokens and codes. Times come from the service's clock, never from a default, so that tests can set it.

CREATE TABLE accounts.users (
    id                  uuid PRIMARY KEY,
    first_name          text NOT NULL,
    last_name           text NOT NULL,
    -- In lower case already. Reserved from registration on, verified or not.
    email               text NOT NULL,
    email_verified      boolean NOT NULL DEFAULT false,
    email_notifications boolean NOT NULL DEFAULT false,
    -- Only ever a verified number.
    phone               text,
    phone_verified      boolean NOT NULL DEFAULT false,
    payment_verified    boolean NOT NULL DEFAULT false,
    profile_image       text,
    is_active           boolean NOT NULL DEFAULT false,
    timezone            text NOT NULL,
    is_staff            boolean NOT NULL DEFAULT false,
    password_hash       text NOT NULL,
    -- Goes up in the transaction of every change of what a token's copy says of its user.
    token_version       bigint NOT NULL DEFAULT 1,
    -- Goes up with every change of the public block, so that whoever keeps a copy never replaces a newer one.
    version             bigint NOT NULL DEFAULT 1,
    created             timestamptz NOT NULL,
    updated             timestamptz NOT NULL,
    CONSTRAINT users_email_unique UNIQUE (email),
    CONSTRAINT users_email_lower_case CHECK (email = lower(email)),
    CONSTRAINT users_phone_verified CHECK (phone_verified = (phone IS NOT NULL))
);

CREATE INDEX users_staff ON accounts.users (email) WHERE is_staff;

CREATE TABLE accounts.auth_tokens (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- HMAC-SHA-256 of the token; the token itself is nowhere.
    hash    bytea NOT NULL,
    user_id uuid NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    created timestamptz NOT NULL,
    expires timestamptz NOT NULL,
    CONSTRAINT auth_tokens_hash_unique UNIQUE (hash)
);

CREATE INDEX auth_tokens_of_user ON accounts.auth_tokens (user_id, id);
CREATE INDEX auth_tokens_expiry ON accounts.auth_tokens (expires);

-- Tokens whose copy in Redis may not be what auth_tokens says. A row is written in the transaction that made it so and
-- goes once Redis has confirmed the present truth.
CREATE TABLE accounts.token_sync (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash    bytea NOT NULL,
    -- When the copy would end by itself.
    expires timestamptz NOT NULL
);

CREATE TABLE accounts.codes (
    user_id     uuid NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    purpose     text NOT NULL CHECK (purpose IN ('email', 'phone', 'password')),
    -- HMAC-SHA-256 under a derived key.
    hash        bytea NOT NULL,
    -- The same of its first characters, for a password's code only: who tries one isn't known, so a wrong try counts
    -- against those that begin alike.
    selector    bytea,
    -- The address or number that the code verifies.
    destination text NOT NULL,
    tries       integer NOT NULL DEFAULT 0,
    created     timestamptz NOT NULL,
    expires     timestamptz NOT NULL,
    used        timestamptz,
    -- One for each purpose: a new code takes the place of the last.
    CONSTRAINT codes_one_of_purpose PRIMARY KEY (user_id, purpose)
);

CREATE UNIQUE INDEX codes_password_hash_unique ON accounts.codes (hash) WHERE purpose = 'password';
CREATE INDEX codes_password_selector ON accounts.codes (selector) WHERE purpose = 'password';

-- When an address or number was last sent something because somebody asked for it with a change of profile.
CREATE TABLE accounts.resends (
    -- HMAC-SHA-256 of channel and destination: these may be strangers'.
    destination bytea PRIMARY KEY,
    sent        timestamptz NOT NULL
);

CREATE INDEX resends_sent ON accounts.resends (sent);
