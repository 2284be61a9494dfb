-- Test events and what was made of them: 1; NULL: it is no test. Keep in step with migrations/postgres.

ALTER TABLE events ADD COLUMN test INTEGER;
ALTER TABLE deliveries ADD COLUMN test INTEGER;
