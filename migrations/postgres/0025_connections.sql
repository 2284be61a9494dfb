-- How an account's deliveries are connected, and two more reasons for an attempt to have no answer. Keep in step with
-- migrations/sqlite.

CREATE TABLE account_connections (
    account_id      UUID    NOT NULL PRIMARY KEY,
    authorities     TEXT,
    proxy           TEXT,
    updated_at_ms   BIGINT  NOT NULL
);

ALTER TABLE attempts DROP CONSTRAINT attempts_error_class_check;
ALTER TABLE attempts ADD CONSTRAINT attempts_error_class_check
    CHECK (error_class IN ('dns', 'connect', 'tls', 'timeout', 'too_large', 'egress', 'proxy', 'authorization', 'interrupted'))
    -- What was allowed still is: there is nothing to look through.
    NOT VALID;
