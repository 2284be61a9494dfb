-- Event types have JSON Schemas in immutable versions and can be archived; accounts say what becomes of events
-- that don't fit them. Keep in step with migrations/postgres.

ALTER TABLE accounts ADD COLUMN validation TEXT NOT NULL DEFAULT 'none'
    CHECK (validation = 'none' OR validation = 'refuse' OR validation = 'mark');
ALTER TABLE accounts ADD COLUMN unknown_types TEXT NOT NULL DEFAULT 'accept'
    CHECK (unknown_types = 'accept' OR unknown_types = 'refuse');

-- A JSON array of payloads; NULL: none.
ALTER TABLE event_types ADD COLUMN examples TEXT;
-- The number of the last version that was made, and of the one in force; NULL: nothing is asked of payloads.
ALTER TABLE event_types ADD COLUMN latest_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event_types ADD COLUMN schema_version INTEGER;
ALTER TABLE event_types ADD COLUMN archived_at_ms INTEGER;

-- The digest is of the schema's one spelling: what differs in layout only has the same.
CREATE TABLE event_type_versions (
    account_id      BLOB    NOT NULL,
    name            TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    schema          TEXT    NOT NULL,
    digest          BLOB    NOT NULL,
    author_key_id   BLOB,
    author_name     TEXT,
    created_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (account_id, name, version)
) STRICT, WITHOUT ROWID;

-- Only of events that were accepted though they don't fit: what is wrong with them, a JSON array.
CREATE TABLE event_violations (
    account_id      BLOB    NOT NULL,
    event_id        BLOB    NOT NULL,
    schema_version  INTEGER NOT NULL,
    violations      TEXT    NOT NULL,
    PRIMARY KEY (account_id, event_id)
) STRICT, WITHOUT ROWID;
