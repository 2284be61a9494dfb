-- Test events and what was made of them: 1; NULL: it is no test. Keep in step with migrations/sqlite.

ALTER TABLE events ADD COLUMN test BIGINT;
ALTER TABLE deliveries ADD COLUMN test BIGINT;
