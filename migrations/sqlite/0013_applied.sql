-- What was applied last from a file: how the account's objects were meant to be, so that what somebody has changed
-- since then can be told. Keep in step with migrations/postgres.

CREATE TABLE applied (
    account_id      BLOB    NOT NULL,
    section         TEXT    NOT NULL CHECK (section = 'event_types' OR section = 'variables' OR section = 'endpoints'
                              OR section = 'schedules' OR section = 'automations'),
    -- The object's id; the name of what has no id.
    object          TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    -- What it was then: JSON, with the ids of others in place of their names. Nothing secret.
    content         TEXT    NOT NULL,
    applied_at_ms   INTEGER NOT NULL,
    author_key_id   BLOB,
    author_name     TEXT,
    PRIMARY KEY (account_id, section, object)
) STRICT, WITHOUT ROWID;
