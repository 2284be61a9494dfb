-- Jobs: work on past events that goes on beside everything else. What they make is
-- marked with them. Keep in step with migrations/postgres.

CREATE TABLE jobs (
    account_id      BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind = 'backtest' OR kind = 'rerun'),
    automation_id   BLOB    NOT NULL,
    -- What is to be done, JSON.
    request         TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state = 'running' OR state = 'done' OR state = 'cancelled' OR state = 'failed'),
    failure         TEXT    CHECK ((state = 'failed') = (failure IS NOT NULL)),
    done            INTEGER NOT NULL,
    -- NULL: they are not counted yet.
    total           INTEGER,
    -- Everything up to this event is done.
    cursor_id       BLOB,
    spent_ms        INTEGER NOT NULL,
    -- What came of it so far, JSON.
    result          TEXT    NOT NULL,
    -- Who is at it; a life that has ended is not.
    holder          BLOB    CHECK (state = 'running' OR holder IS NULL),
    -- Nobody takes it before; NULL: at once.
    not_before_ms   INTEGER CHECK (not_before_ms IS NULL OR (state = 'running' AND holder IS NULL)),
    -- Lives that began to evaluate what comes next, none of which came any further.
    lives           INTEGER NOT NULL DEFAULT 0,
    author_key_id   BLOB,
    author_name     TEXT,
    created_at_ms   INTEGER NOT NULL,
    updated_at_ms   INTEGER NOT NULL,
    ended_at_ms     INTEGER CHECK ((state = 'running') = (ended_at_ms IS NULL)),
    PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_open ON jobs (id) WHERE state = 'running';
-- Of an account one is under way at a time.
CREATE UNIQUE INDEX jobs_held ON jobs (account_id) WHERE holder IS NOT NULL;
CREATE INDEX jobs_put_off ON jobs (not_before_ms) WHERE not_before_ms IS NOT NULL;

-- Past events that two versions don't say the same of.
CREATE TABLE differences (
    account_id      BLOB    NOT NULL,
    job_id       BLOB    NOT NULL,
    event_id        BLOB    NOT NULL,
    -- JSON.
    content         BLOB    NOT NULL,
    PRIMARY KEY (account_id, job_id, event_id)
) STRICT, WITHOUT ROWID;

-- The job that made it; its outputs are among the bodies under the job's id in place of the automation's.
ALTER TABLE deliveries ADD COLUMN rerun_id BLOB;

-- Why a version went live although its tests fail.
ALTER TABLE publications ADD COLUMN override_reason TEXT;
