-- What automations failed at, what made an event that nobody sent, and who was told of what fails. Keep in step
-- with migrations/postgres.

CREATE TABLE dead_letters (
    account_id      BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    event_id        BLOB    NOT NULL,
    automation_id   BLOB    NOT NULL,
    version         INTEGER NOT NULL,
    verdict         TEXT    NOT NULL,
    summary         TEXT    NOT NULL,
    -- Of a transform: its place, from 0.
    place           INTEGER,
    -- What went into it; NULL: what the automation was given.
    input           BLOB,
    -- What stood in the place of the payload: a digest; NULL: nothing did.
    carried         BLOB,
    failures        INTEGER NOT NULL,
    state           TEXT    NOT NULL CHECK (state = 'open' OR state = 'rerun'),
    rerun_version   INTEGER,
    rerun_verdict   TEXT,
    rerun_summary   TEXT,
    rerun_at_ms     INTEGER CHECK ((state = 'rerun') = (rerun_at_ms IS NOT NULL)),
    created_at_ms   INTEGER NOT NULL,
    failed_at_ms    INTEGER NOT NULL,
    PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letters_by_state ON dead_letters (account_id, state, id);
CREATE INDEX dead_letters_by_automation ON dead_letters (account_id, automation_id, state, id);

-- Of each event that an automation has made; an event that came in from outside has no row.
CREATE TABLE causes (
    account_id      BLOB    NOT NULL,
    event_id        BLOB    NOT NULL,
    -- The events and automations that led to it, JSON.
    cause           TEXT    NOT NULL,
    -- 1: the first of them is an operational event.
    operational     INTEGER NOT NULL,
    PRIMARY KEY (account_id, event_id)
) STRICT, WITHOUT ROWID;

-- Automations that have failed and not worked since. One that works has no row.
CREATE TABLE automation_failures (
    account_id      BLOB    NOT NULL,
    automation_id   BLOB    NOT NULL,
    errors          INTEGER NOT NULL,
    since_ms        INTEGER NOT NULL,
    alerted_at_ms   INTEGER,
    PRIMARY KEY (account_id, automation_id)
) STRICT, WITHOUT ROWID;

-- When it was told that the endpoint is failing; NULL: it was not, or it was told that it has recovered.
ALTER TABLE endpoints ADD COLUMN alerted_at_ms INTEGER;
