-- Sources that others send webhooks to, what of them was refused, and what an event tells of its way in.
-- Keep in step with migrations/sqlite.

-- JSON; NULL: the event was sent to the API in its own form.
ALTER TABLE events ADD COLUMN origin TEXT;

CREATE TABLE sources (
    account_id      UUID    NOT NULL,
    id              UUID    NOT NULL,
    name            TEXT    NOT NULL,
    -- Of the last part of its URL: SHA-256, and that part itself, sealed.
    path_hash       BYTEA   NOT NULL UNIQUE,
    path_sealed     BYTEA   NOT NULL,
    settings        TEXT    NOT NULL,
    enabled         BOOLEAN NOT NULL,
    -- How many requests were refused so far.
    refused         BIGINT  NOT NULL,
    created_at_ms   BIGINT  NOT NULL,
    updated_at_ms   BIGINT  NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, name)
);

CREATE TABLE source_secrets (
    account_id      UUID    NOT NULL,
    source_id       UUID    NOT NULL,
    id              UUID    NOT NULL,
    sealed          BYTEA   NOT NULL,
    created_at_ms   BIGINT  NOT NULL,
    expires_at_ms   BIGINT,
    PRIMARY KEY (account_id, source_id, id)
);

-- The last refusals of each source. Like ones within a moment are one row.
CREATE TABLE source_refusals (
    account_id      UUID    NOT NULL,
    source_id       UUID    NOT NULL,
    id              UUID    NOT NULL,
    code            TEXT    NOT NULL,
    why             TEXT    NOT NULL,
    excerpt         TEXT    NOT NULL,
    requests        BIGINT  NOT NULL,
    PRIMARY KEY (account_id, source_id, id)
);
