-- Flow control: what is known of keys, what waits for its time, and what became of each event. Keep in step
-- with migrations/postgres. No foreign keys, and no IN in a CHECK: these are written with every event of an
-- automation that has flow control.

-- What is known of a key: who has taken it, how much of a limit is used, or which event the debounce or digest
-- that waits belongs to. A row that nothing is written in yet holds the key's lock.
CREATE TABLE flow_keys (
    account_id      BLOB    NOT NULL,
    automation_id   BLOB    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind = 'dedupe' OR kind = 'debounce' OR kind = 'digest' OR kind = 'rate_limit'),
    key             TEXT    NOT NULL,
    event_id        BLOB,
    at_ms           INTEGER,
    events          INTEGER,
    expires_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (account_id, automation_id, kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX flow_keys_by_expiry ON flow_keys (expires_at_ms);

-- An output that waits: of the automation's version that accepted its event. Claimed by the life that makes it,
-- as an event in the inbox is.
CREATE TABLE flow_waits (
    account_id      BLOB    NOT NULL,
    automation_id   BLOB    NOT NULL,
    event_id        BLOB    NOT NULL,
    version         INTEGER NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind = 'go' OR kind = 'delay' OR kind = 'debounce' OR kind = 'digest' OR kind = 'rate_limit'),
    key             TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state = 'waiting' OR state = 'claimed' OR state = 'held'),
    due_at_ms       INTEGER NOT NULL,
    holder          BLOB    CHECK ((state = 'claimed') = (holder IS NOT NULL)),
    since_ms        INTEGER NOT NULL,
    events          INTEGER NOT NULL,
    bytes           INTEGER NOT NULL,
    takeovers       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, automation_id, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX flow_waits_due ON flow_waits (account_id, due_at_ms) WHERE state = 'waiting';
CREATE INDEX flow_waits_claimed ON flow_waits (holder) WHERE state = 'claimed';
CREATE INDEX flow_waits_held ON flow_waits (due_at_ms) WHERE state = 'held';

-- The events of a digest that waits, in order.
CREATE TABLE flow_entries (
    account_id      BLOB    NOT NULL,
    automation_id   BLOB    NOT NULL,
    digest_event_id BLOB    NOT NULL,
    place           INTEGER NOT NULL,
    event_id        BLOB    NOT NULL,
    PRIMARY KEY (account_id, automation_id, digest_event_id, place)
) STRICT, WITHOUT ROWID;

-- What flow control has said of an event, and what came of it later: belongs to the event's evaluations.
CREATE TABLE flow_verdicts (
    account_id      BLOB    NOT NULL,
    event_id        BLOB    NOT NULL,
    automation_id   BLOB    NOT NULL,
    verdict         TEXT    NOT NULL,
    summary         TEXT    NOT NULL,
    steps           TEXT    NOT NULL,
    -- The event whose output it has become a part of, or that has taken its place.
    went_with       BLOB,
    note            TEXT,
    late            BLOB,
    settled_at_ms   INTEGER,
    PRIMARY KEY (account_id, event_id, automation_id)
) STRICT, WITHOUT ROWID;
