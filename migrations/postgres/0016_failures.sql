-- What is remembered of an endpoint that fails, and a further reason to give a delivery up. Keep in step with
-- migrations/sqlite.

-- Failed attempts since the last success.
ALTER TABLE endpoints ADD COLUMN failed_attempts BIGINT NOT NULL DEFAULT 0;
-- The last warning since then, by its number; NULL: none.
ALTER TABLE endpoints ADD COLUMN warning BIGINT CHECK (warning = 1 OR warning = 2);
ALTER TABLE endpoints ADD COLUMN warned_at_ms BIGINT CHECK ((warning IS NULL) = (warned_at_ms IS NULL));
-- The last success, where the failure policy asks for it.
ALTER TABLE endpoints ADD COLUMN succeeded_at_ms BIGINT;
-- What is failing has failed once at least.
UPDATE endpoints SET failed_attempts = 1 WHERE failing_since_ms IS NOT NULL;

-- The check has a name that the engine gave it.
DO $$
DECLARE known TEXT;
BEGIN
    SELECT conname INTO STRICT known FROM pg_constraint
    WHERE conrelid = 'deliveries'::regclass AND contype = 'c' AND pg_get_constraintdef(oid) LIKE '%exhausted%';
    EXECUTE format('ALTER TABLE deliveries DROP CONSTRAINT %I', known);
END $$;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_failure_check
    CHECK ((state = 'failed') = (failure IS NOT NULL) AND failure IN ('exhausted', 'rejected', 'gone', 'expired'));
