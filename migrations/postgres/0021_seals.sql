-- When the word under a master key was kept: a node that began before may not know the key. Keep in step with
-- migrations/sqlite.

ALTER TABLE seals ADD COLUMN kept_at_ms BIGINT;
