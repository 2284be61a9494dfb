-- What is remembered of an endpoint that fails, and a further reason to give a delivery up. Keep in step with
-- migrations/postgres.

-- Failed attempts since the last success.
ALTER TABLE endpoints ADD COLUMN failed_attempts INTEGER NOT NULL DEFAULT 0;
-- The last warning since then, by its number; NULL: none.
ALTER TABLE endpoints ADD COLUMN warning INTEGER CHECK (warning = 1 OR warning = 2);
ALTER TABLE endpoints ADD COLUMN warned_at_ms INTEGER CHECK ((warning IS NULL) = (warned_at_ms IS NULL));
-- The last success, where the failure policy asks for it.
ALTER TABLE endpoints ADD COLUMN succeeded_at_ms INTEGER;
-- What is failing has failed once at least.
UPDATE endpoints SET failed_attempts = 1 WHERE failing_since_ms IS NOT NULL;

-- The engine can't change a check.
CREATE TABLE deliveries_anew (
    account_id      BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    event_id        BLOB    NOT NULL,
    automation_id   BLOB    NOT NULL,
    endpoint_id     BLOB    NOT NULL,
    output_no       INTEGER,
    envelope        TEXT    NOT NULL,
    webhook_id      TEXT    NOT NULL,
    resend_of       BLOB,
    state           TEXT    NOT NULL CHECK (state = 'pending' OR state = 'claimed' OR state = 'delivered' OR state = 'failed' OR state = 'held' OR state = 'cancelled'),
    due_at_ms       INTEGER CHECK ((state = 'pending') = (due_at_ms IS NOT NULL)),
    holder          BLOB    CHECK ((state = 'claimed') = (holder IS NOT NULL)),
    failure         TEXT    CHECK ((state = 'failed') = (failure IS NOT NULL) AND (failure = 'exhausted' OR failure = 'rejected' OR failure = 'gone' OR failure = 'expired')),
    attempts_made   INTEGER NOT NULL DEFAULT 0,
    created_at_ms   INTEGER NOT NULL,
    settled_at_ms   INTEGER,
    order_key       BLOB,
    order_no        INTEGER,
    rerun_id        BLOB,
    PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;
INSERT INTO deliveries_anew
SELECT account_id, id, event_id, automation_id, endpoint_id, output_no, envelope, webhook_id, resend_of, state,
       due_at_ms, holder, failure, attempts_made, created_at_ms, settled_at_ms, order_key, order_no, rerun_id
FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE deliveries_anew RENAME TO deliveries;
CREATE INDEX deliveries_due ON deliveries (account_id, endpoint_id, due_at_ms) WHERE state = 'pending';
CREATE INDEX deliveries_held ON deliveries (account_id, endpoint_id, id) WHERE state = 'held';
CREATE INDEX deliveries_claimed ON deliveries (holder) WHERE state = 'claimed';
-- Of an event: a derived id begins with the event's time, and a resent one has an index of its own.
CREATE INDEX deliveries_resent ON deliveries (account_id, event_id) WHERE resend_of IS NOT NULL;
CREATE INDEX deliveries_by_endpoint ON deliveries (account_id, endpoint_id, id);
CREATE INDEX deliveries_in_order ON deliveries (account_id, endpoint_id, order_key, order_no) WHERE order_key IS NOT NULL;
CREATE INDEX deliveries_held_in_order ON deliveries (account_id, endpoint_id, order_key) WHERE state = 'held' AND order_key IS NOT NULL;
