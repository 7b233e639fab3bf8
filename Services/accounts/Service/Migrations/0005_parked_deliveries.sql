-- A message that was given up stays sealed in its row, so that operators may have it tried again: for as long as rows are
-- kept, or until it would be of no more use.

COMMENT ON COLUMN accounts.deliveries.payload IS
    'Address and contents, sealed under a derived key; erased once the message has left or would be of no more use.';

-- Each channel has workers of its own. deliveries_due stays for those of the previous release.
CREATE INDEX deliveries_due_by_channel ON accounts.deliveries (channel, next_attempt) WHERE state = 'waiting';
CREATE INDEX deliveries_to_erase ON accounts.deliveries (not_after) WHERE state = 'parked' AND payload IS NOT NULL;
CREATE INDEX deliveries_parked ON accounts.deliveries (id) WHERE state = 'parked';
