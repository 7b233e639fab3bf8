-- Messages on their way out.

CREATE TABLE accounts.deliveries (
    -- Names the file that the file transport writes.
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- What happened, for whom, how they are told: never twice.
    event        uuid NOT NULL,
    recipient    uuid NOT NULL,
    channel      text NOT NULL CHECK (channel IN ('mail', 'sms')),
    kind         text NOT NULL,
    -- 'void' stands where a message would, had its address been known: it makes the work equal.
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'parked', 'void')),
    attempts     integer NOT NULL DEFAULT 0,
    -- Also the end of the claim of the worker that is trying.
    next_attempt timestamptz NOT NULL,
    -- After this the message would be of no use.
    not_after    timestamptz,
    -- Address and contents, sealed under a derived key; erased once the message has left or was given up.
    payload      bytea,
    -- Why it was parked, in our words.
    reason       text,
    created      timestamptz NOT NULL,
    finished     timestamptz,
    CONSTRAINT deliveries_once UNIQUE (event, recipient, channel)
);

CREATE INDEX deliveries_due ON accounts.deliveries (next_attempt) WHERE state = 'waiting';
CREATE INDEX deliveries_finished ON accounts.deliveries (finished) WHERE state <> 'waiting';
