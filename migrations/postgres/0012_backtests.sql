-- Jobs: work on past events that goes on beside everything else. What they make is
-- marked with them. Keep in step with migrations/sqlite.

CREATE TABLE jobs (
    account_id      UUID    NOT NULL,
    id              UUID    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind = 'backtest' OR kind = 'rerun'),
    automation_id   UUID    NOT NULL,
    -- What is to be done, JSON.
    request         TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state = 'running' OR state = 'done' OR state = 'cancelled' OR state = 'failed'),
    failure         TEXT    CHECK ((state = 'failed') = (failure IS NOT NULL)),
    done            BIGINT  NOT NULL,
    -- NULL: they are not counted yet.
    total           BIGINT ,
    -- Everything up to this event is done.
    cursor_id       UUID,
    spent_ms        BIGINT  NOT NULL,
    -- What came of it so far, JSON.
    result          TEXT    NOT NULL,
    -- Who is at it; a life that has ended is not.
    holder          UUID    CHECK (state = 'running' OR holder IS NULL),
    -- Nobody takes it before; NULL: at once.
    not_before_ms   BIGINT  CHECK (not_before_ms IS NULL OR (state = 'running' AND holder IS NULL)),
    -- Lives that began to evaluate what comes next, none of which came any further.
    lives           BIGINT  NOT NULL DEFAULT 0,
    author_key_id   UUID,
    author_name     TEXT,
    created_at_ms   BIGINT  NOT NULL,
    updated_at_ms   BIGINT  NOT NULL,
    ended_at_ms     BIGINT  CHECK ((state = 'running') = (ended_at_ms IS NULL)),
    PRIMARY KEY (account_id, id)
);
CREATE INDEX jobs_open ON jobs (id) WHERE state = 'running';
-- Of an account one is under way at a time.
CREATE UNIQUE INDEX jobs_held ON jobs (account_id) WHERE holder IS NOT NULL;
CREATE INDEX jobs_put_off ON jobs (not_before_ms) WHERE not_before_ms IS NOT NULL;

-- Past events that two versions don't say the same of.
CREATE TABLE differences (
    account_id      UUID    NOT NULL,
    job_id       UUID    NOT NULL,
    event_id        UUID    NOT NULL,
    -- JSON.
    content         BYTEA   NOT NULL,
    PRIMARY KEY (account_id, job_id, event_id)
);

-- The job that made it; its outputs are among the bodies under the job's id in place of the automation's.
ALTER TABLE deliveries ADD COLUMN rerun_id UUID;

-- Why a version went live although its tests fail.
ALTER TABLE publications ADD COLUMN override_reason TEXT;
