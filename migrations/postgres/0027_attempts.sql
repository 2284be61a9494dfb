-- Attempts in full, listed by their time. Keep in step with migrations/sqlite.

-- Where it went.
ALTER TABLE attempts ADD COLUMN endpoint_id UUID;
-- What left and what came back besides, JSON; NULL: no request was made, or it is from before this was kept.
ALTER TABLE attempts ADD COLUMN trace BYTEA;
UPDATE attempts SET endpoint_id =
    (SELECT d.endpoint_id FROM deliveries d WHERE d.account_id = attempts.account_id AND d.id = attempts.delivery_id);

-- One row at its end for each attempt.
CREATE INDEX attempts_by_time ON attempts (account_id, id);
-- What has failed, of an account and at an endpoint: one that succeeds never comes in.
CREATE INDEX attempts_failed ON attempts (account_id, id) WHERE COALESCE(status_code, 0) NOT BETWEEN 200 AND 299;
CREATE INDEX attempts_failed_there ON attempts (account_id, endpoint_id, id) WHERE COALESCE(status_code, 0) NOT BETWEEN 200 AND 299;
