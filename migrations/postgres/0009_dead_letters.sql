-- What automations failed at, what made an event that nobody sent, and who was told of what fails. Keep in step
-- with migrations/sqlite.

CREATE TABLE dead_letters (
    account_id      UUID    NOT NULL,
    id              UUID    NOT NULL,
    event_id        UUID    NOT NULL,
    automation_id   UUID    NOT NULL,
    version         BIGINT  NOT NULL,
    verdict         TEXT    NOT NULL,
    summary         TEXT    NOT NULL,
    -- Of a transform: its place, from 0.
    place           BIGINT,
    -- What went into it; NULL: what the automation was given.
    input           BYTEA,
    -- What stood in the place of the payload: a digest; NULL: nothing did.
    carried         BYTEA,
    failures        BIGINT  NOT NULL,
    state           TEXT    NOT NULL CHECK (state = 'open' OR state = 'rerun'),
    rerun_version   BIGINT,
    rerun_verdict   TEXT,
    rerun_summary   TEXT,
    rerun_at_ms     BIGINT  CHECK ((state = 'rerun') = (rerun_at_ms IS NOT NULL)),
    created_at_ms   BIGINT  NOT NULL,
    failed_at_ms    BIGINT  NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX dead_letters_by_state ON dead_letters (account_id, state, id);
CREATE INDEX dead_letters_by_automation ON dead_letters (account_id, automation_id, state, id);

-- Of each event that an automation has made; an event that came in from outside has no row.
CREATE TABLE causes (
    account_id      UUID    NOT NULL,
    event_id        UUID    NOT NULL,
    -- The events and automations that led to it, JSON.
    cause           TEXT    NOT NULL,
    -- 1: the first of them is an operational event.
    operational     BIGINT  NOT NULL,
    PRIMARY KEY (account_id, event_id)
);

-- Automations that have failed and not worked since. One that works has no row.
CREATE TABLE automation_failures (
    account_id      UUID    NOT NULL,
    automation_id   UUID    NOT NULL,
    errors          BIGINT  NOT NULL,
    since_ms        BIGINT  NOT NULL,
    alerted_at_ms   BIGINT,
    PRIMARY KEY (account_id, automation_id)
);

-- When it was told that the endpoint is failing; NULL: it was not, or it was told that it has recovered.
ALTER TABLE endpoints ADD COLUMN alerted_at_ms BIGINT;
