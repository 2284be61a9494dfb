-- Schedules and the ledger of their occurrences. Keep in step with migrations/postgres.

CREATE TABLE schedules (
    account_id      BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    name            TEXT    NOT NULL,
    definition      TEXT    NOT NULL,
    payload         BLOB    NOT NULL,
    paused          INTEGER NOT NULL,
    -- Occurrences up to here are on the ledger.
    cursor_ms       INTEGER NOT NULL,
    -- When the next one runs; NULL: there is none.
    due_at_ms       INTEGER,
    created_at_ms   INTEGER NOT NULL,
    updated_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_due ON schedules (due_at_ms) WHERE due_at_ms IS NOT NULL;

-- One row an occurrence, whichever node writes it: at_ms is its nominal time as an instant.
CREATE TABLE occurrences (
    account_id      BLOB    NOT NULL,
    schedule_id     BLOB    NOT NULL,
    at_ms           INTEGER NOT NULL,
    nominal         TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state = 'due' OR state = 'queued' OR state = 'fired' OR state = 'skipped' OR state = 'missed'),
    reason          TEXT    CHECK ((state = 'skipped' OR state = 'missed') = (reason IS NOT NULL)),
    event_id        BLOB    CHECK ((state = 'fired') = (event_id IS NOT NULL)),
    settled_at_ms   INTEGER CHECK ((state = 'due' OR state = 'queued') = (settled_at_ms IS NULL)),
    PRIMARY KEY (account_id, schedule_id, at_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX occurrences_open ON occurrences (account_id, schedule_id, at_ms) WHERE settled_at_ms IS NULL;
