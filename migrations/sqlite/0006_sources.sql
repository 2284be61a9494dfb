-- Sources that others send webhooks to, what of them was refused, and what an event tells of its way in.
-- Keep in step with migrations/postgres.

-- JSON; NULL: the event was sent to the API in its own form.
ALTER TABLE events ADD COLUMN origin TEXT;

CREATE TABLE sources (
    account_id      BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    name            TEXT    NOT NULL,
    -- Of the last part of its URL: SHA-256, and that part itself, sealed.
    path_hash       BLOB    NOT NULL UNIQUE,
    path_sealed     BLOB    NOT NULL,
    settings        TEXT    NOT NULL,
    enabled         INTEGER NOT NULL,
    -- How many requests were refused so far.
    refused         INTEGER NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    updated_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE source_secrets (
    account_id      BLOB    NOT NULL,
    source_id       BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    sealed          BLOB    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    expires_at_ms   INTEGER,
    PRIMARY KEY (account_id, source_id, id)
) STRICT, WITHOUT ROWID;

-- The last refusals of each source. Like ones within a moment are one row.
CREATE TABLE source_refusals (
    account_id      BLOB    NOT NULL,
    source_id       BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    code            TEXT    NOT NULL,
    why             TEXT    NOT NULL,
    excerpt         TEXT    NOT NULL,
    requests        INTEGER NOT NULL,
    PRIMARY KEY (account_id, source_id, id)
) STRICT, WITHOUT ROWID;
