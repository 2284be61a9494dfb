-- How endpoints do, counted by the minute and by the hour, and when it is told that too few attempts succeed. Keep in
-- step with migrations/sqlite.

-- What each batch of attempts came to, JSON, until it is folded into the tallies: a few seconds. Rows of all accounts
-- are in one, since they are a node's own affair, like the batch itself.
CREATE TABLE tally_notes (
    id              UUID NOT NULL PRIMARY KEY,
    tallies         TEXT NOT NULL
);

CREATE TABLE tallies (
    account_id      UUID NOT NULL,
    endpoint_id     UUID NOT NULL,
    -- A minute or an hour.
    span_ms         BIGINT NOT NULL CHECK (span_ms = 60000 OR span_ms = 3600000),
    from_ms         BIGINT NOT NULL,
    attempts        BIGINT NOT NULL,
    succeeded       BIGINT NOT NULL,
    -- All that was counted, JSON.
    tally           TEXT NOT NULL,
    expires_at_ms   BIGINT NOT NULL,
    PRIMARY KEY (account_id, endpoint_id, span_ms, from_ms)
);
CREATE INDEX tallies_by_expiry ON tallies (expires_at_ms);

-- NULL: the success rate has not dropped, or is back.
ALTER TABLE endpoints ADD COLUMN rate_dropped_at_ms BIGINT;
-- What endpoints that say nothing of their own do, JSON; NULL: nothing is told.
ALTER TABLE accounts ADD COLUMN success_rate_alert TEXT;
