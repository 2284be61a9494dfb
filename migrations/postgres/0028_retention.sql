-- How long an account keeps what it has had, and how far what lets go of it has come. Keep in step with
-- migrations/sqlite.

-- Days; NULL: as the installation keeps them.
ALTER TABLE accounts ADD COLUMN payload_days BIGINT CHECK (payload_days > 0);
ALTER TABLE accounts ADD COLUMN log_days BIGINT CHECK (log_days > 0);

-- One walk over the account's events, oldest first. Whoever takes a step of it has the row locked.
CREATE TABLE sweeps (
    account_id      UUID    NOT NULL,
    phase           TEXT    NOT NULL CHECK (phase = 'payloads' OR phase = 'log'),
    -- Up to this event the walk has come.
    reached_id      UUID    NOT NULL,
    -- When it began: it begins again from time to time, for what was still needed when it came by.
    since_ms        BIGINT  NOT NULL,
    PRIMARY KEY (account_id, phase)
);

-- Whether an event is needed by what waits of it.
CREATE INDEX flow_waits_by_event ON flow_waits (account_id, event_id);
CREATE INDEX flow_entries_by_event ON flow_entries (account_id, event_id);
