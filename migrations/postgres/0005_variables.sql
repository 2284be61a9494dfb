-- Variables of accounts, plain or secret. Keep in step with migrations/sqlite.

CREATE TABLE variables (
    account_id      UUID    NOT NULL,
    name            TEXT    NOT NULL,
    -- JSON, of a plain one; a secret one is sealed.
    value           TEXT,
    sealed          BYTEA   CHECK ((sealed IS NULL) = (value IS NOT NULL)),
    created_at_ms   BIGINT  NOT NULL,
    updated_at_ms   BIGINT  NOT NULL,
    PRIMARY KEY (account_id, name)
);
