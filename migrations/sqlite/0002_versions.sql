-- Versions say who saved them and why, and have a digest; publications say who made them, and from when to
-- when they were live; automations can be archived. Keep in step with migrations/postgres. What was there
-- before has none of it: nobody wrote it down.

ALTER TABLE automations ADD COLUMN archived_at_ms INTEGER;

-- SHA-256 of the definition; none where that is not in its one spelling.
ALTER TABLE automation_versions ADD COLUMN digest BLOB;
ALTER TABLE automation_versions ADD COLUMN author_key_id BLOB;
ALTER TABLE automation_versions ADD COLUMN author_name TEXT;
ALTER TABLE automation_versions ADD COLUMN note TEXT;

ALTER TABLE publications ADD COLUMN from_at_ms INTEGER;
ALTER TABLE publications ADD COLUMN to_at_ms INTEGER;
ALTER TABLE publications ADD COLUMN author_key_id BLOB;
ALTER TABLE publications ADD COLUMN author_name TEXT;
