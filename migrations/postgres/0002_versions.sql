-- Versions say who saved them and why, and have a digest; publications say who made them, and from when to
-- when they were live; automations can be archived. Keep in step with migrations/sqlite. What was there
-- before has none of it: nobody wrote it down.

ALTER TABLE automations ADD COLUMN archived_at_ms BIGINT;

-- SHA-256 of the definition; none where that is not in its one spelling.
ALTER TABLE automation_versions ADD COLUMN digest BYTEA;
ALTER TABLE automation_versions ADD COLUMN author_key_id UUID;
ALTER TABLE automation_versions ADD COLUMN author_name TEXT;
ALTER TABLE automation_versions ADD COLUMN note TEXT;

ALTER TABLE publications ADD COLUMN from_at_ms BIGINT;
ALTER TABLE publications ADD COLUMN to_at_ms BIGINT;
ALTER TABLE publications ADD COLUMN author_key_id UUID;
ALTER TABLE publications ADD COLUMN author_name TEXT;
