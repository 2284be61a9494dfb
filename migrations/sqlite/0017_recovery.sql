-- Recovery: a job of an endpoint's that has sent what was given up or held there.
-- Keep in step with migrations/postgres.

CREATE TABLE jobs_of_both (
    account_id      BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind = 'backtest' OR kind = 'rerun' OR kind = 'recovery'),
    automation_id   BLOB,
    endpoint_id     BLOB,
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
    PRIMARY KEY (account_id, id),
    -- It is about one of the two.
    CHECK ((kind = 'recovery') = (endpoint_id IS NOT NULL) AND (automation_id IS NULL) = (endpoint_id IS NOT NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO jobs_of_both (
    account_id, id, kind, automation_id, request, state, failure, done, total, cursor_id, spent_ms, result, holder,
    not_before_ms, lives, author_key_id, author_name, created_at_ms, updated_at_ms, ended_at_ms)
SELECT
    account_id, id, kind, automation_id, request, state, failure, done, total, cursor_id, spent_ms, result, holder,
    not_before_ms, lives, author_key_id, author_name, created_at_ms, updated_at_ms, ended_at_ms
FROM jobs;

DROP TABLE jobs;
ALTER TABLE jobs_of_both RENAME TO jobs;
CREATE INDEX jobs_open ON jobs (id) WHERE state = 'running';
-- Of an account one is under way at a time.
CREATE UNIQUE INDEX jobs_held ON jobs (account_id) WHERE holder IS NOT NULL;
CREATE INDEX jobs_put_off ON jobs (not_before_ms) WHERE not_before_ms IS NOT NULL;

-- What a recovery walks: first deliveries that were given up. One that is delivered never comes in.
CREATE INDEX deliveries_failed ON deliveries (account_id, endpoint_id, id) WHERE state = 'failed' AND resend_of IS NULL;
