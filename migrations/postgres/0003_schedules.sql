-- Schedules and the ledger of their occurrences. Keep in step with migrations/sqlite.

CREATE TABLE schedules (
    account_id      UUID    NOT NULL,
    id              UUID    NOT NULL,
    name            TEXT    NOT NULL,
    definition      TEXT    NOT NULL,
    payload         BYTEA   NOT NULL,
    paused          BOOLEAN NOT NULL,
    -- Occurrences up to here are on the ledger.
    cursor_ms       BIGINT  NOT NULL,
    -- When the next one runs; NULL: there is none.
    due_at_ms       BIGINT,
    created_at_ms   BIGINT  NOT NULL,
    updated_at_ms   BIGINT  NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, name)
);
CREATE INDEX schedules_due ON schedules (due_at_ms) WHERE due_at_ms IS NOT NULL;

-- One row an occurrence, whichever node writes it: at_ms is its nominal time as an instant.
CREATE TABLE occurrences (
    account_id      UUID    NOT NULL,
    schedule_id     UUID    NOT NULL,
    at_ms           BIGINT  NOT NULL,
    nominal         TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state = 'due' OR state = 'queued' OR state = 'fired' OR state = 'skipped' OR state = 'missed'),
    reason          TEXT    CHECK ((state = 'skipped' OR state = 'missed') = (reason IS NOT NULL)),
    event_id        UUID    CHECK ((state = 'fired') = (event_id IS NOT NULL)),
    settled_at_ms   BIGINT CHECK ((state = 'due' OR state = 'queued') = (settled_at_ms IS NULL)),
    PRIMARY KEY (account_id, schedule_id, at_ms)
);
CREATE INDEX occurrences_open ON occurrences (account_id, schedule_id, at_ms) WHERE settled_at_ms IS NULL;
