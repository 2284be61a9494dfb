-- Receivers: URLs of the server itself that keep what is sent to them. Keep in step with migrations/postgres.

CREATE TABLE receivers (
    account_id          BLOB NOT NULL,
    id                  BLOB NOT NULL,
    name                TEXT NOT NULL,
    -- Of the last part of its URL: SHA-256; and that part with the secret that it verifies by, sealed.
    token_hash          BLOB NOT NULL UNIQUE,
    sealed              BLOB NOT NULL,
    -- JSON: what it answers.
    settings            TEXT NOT NULL,
    -- How many requests came to it, and how many since its answers were set.
    received            INTEGER NOT NULL,
    answered            INTEGER NOT NULL,
    -- Until when somebody forwards what comes to it, unless that is renewed.
    forwarded_until_ms  INTEGER,
    created_at_ms       INTEGER NOT NULL,
    updated_at_ms       INTEGER NOT NULL,
    PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;

-- The last requests of each.
CREATE TABLE receiver_requests (
    account_id          BLOB NOT NULL,
    receiver_id         BLOB NOT NULL,
    id                  BLOB NOT NULL,
    method              TEXT NOT NULL,
    path                TEXT NOT NULL,
    query               TEXT NOT NULL,
    -- JSON: an array of pairs.
    headers             TEXT NOT NULL,
    -- JSON: what it was answered; NULL: whoever forwards it has not said yet.
    answer              TEXT,
    body_bytes          INTEGER NOT NULL,
    body                BLOB NOT NULL,
    PRIMARY KEY (account_id, receiver_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX receiver_requests_by_age ON receiver_requests (id);
