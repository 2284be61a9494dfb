-- Recovery: a job of an endpoint's that has sent what was given up or held there.
-- Keep in step with migrations/sqlite.

ALTER TABLE jobs DROP CONSTRAINT jobs_kind_check;
ALTER TABLE jobs ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('backtest', 'rerun', 'recovery'));
ALTER TABLE jobs ALTER COLUMN automation_id DROP NOT NULL;
ALTER TABLE jobs ADD COLUMN endpoint_id UUID;
-- It is about one of the two.
ALTER TABLE jobs ADD CONSTRAINT jobs_about CHECK (
    (kind = 'recovery') = (endpoint_id IS NOT NULL) AND (automation_id IS NULL) = (endpoint_id IS NOT NULL));

-- What a recovery walks: first deliveries that were given up. One that is delivered never comes in.
CREATE INDEX deliveries_failed ON deliveries (account_id, endpoint_id, id) WHERE state = 'failed' AND resend_of IS NULL;
