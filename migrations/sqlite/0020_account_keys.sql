-- The key that an account's signing key is rotated to, sealed, and from when on it signs. Keep in step with
-- migrations/postgres.

ALTER TABLE accounts ADD COLUMN next_signing_key BLOB;
ALTER TABLE accounts ADD COLUMN next_key_from_ms INTEGER;
