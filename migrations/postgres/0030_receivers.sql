-- Receivers: URLs of the server itself that keep what is sent to them. Keep in step with migrations/sqlite.

CREATE TABLE receivers (
    account_id          UUID NOT NULL,
    id                  UUID NOT NULL,
    name                TEXT NOT NULL,
    -- Of the last part of its URL: SHA-256; and that part with the secret that it verifies by, sealed.
    token_hash          BYTEA NOT NULL UNIQUE,
    sealed              BYTEA NOT NULL,
    -- JSON: what it answers.
    settings            TEXT NOT NULL,
    -- How many requests came to it, and how many since its answers were set.
    received            BIGINT NOT NULL,
    answered            BIGINT NOT NULL,
    -- Until when somebody forwards what comes to it, unless that is renewed.
    forwarded_until_ms  BIGINT,
    created_at_ms       BIGINT NOT NULL,
    updated_at_ms       BIGINT NOT NULL,
    PRIMARY KEY (account_id, id)
);

-- The last requests of each.
CREATE TABLE receiver_requests (
    account_id          UUID NOT NULL,
    receiver_id         UUID NOT NULL,
    id                  UUID NOT NULL,
    method              TEXT NOT NULL,
    path                TEXT NOT NULL,
    query               TEXT NOT NULL,
    -- JSON: an array of pairs.
    headers             TEXT NOT NULL,
    -- JSON: what it was answered; NULL: whoever forwards it has not said yet.
    answer              TEXT,
    body_bytes          BIGINT NOT NULL,
    body                BYTEA NOT NULL,
    PRIMARY KEY (account_id, receiver_id, id)
);
CREATE INDEX receiver_requests_by_age ON receiver_requests (id);
