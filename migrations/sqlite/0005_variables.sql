-- Variables of accounts, plain or secret. Keep in step with migrations/postgres.

CREATE TABLE variables (
    account_id      BLOB    NOT NULL,
    name            TEXT    NOT NULL,
    -- JSON, of a plain one; a secret one is sealed.
    value           TEXT,
    sealed          BLOB    CHECK ((sealed IS NULL) = (value IS NOT NULL)),
    created_at_ms   INTEGER NOT NULL,
    updated_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;
