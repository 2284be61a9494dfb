-- Flow control: what is known of keys, what waits for its time, and what became of each event. Keep in step
-- with migrations/sqlite. No foreign keys, and no IN in a CHECK: these are written with every event of an
-- automation that has flow control.

-- What is known of a key: who has taken it, how much of a limit is used, or which event the debounce or digest
-- that waits belongs to. A row that nothing is written in yet holds the key's lock.
CREATE TABLE flow_keys (
    account_id      UUID    NOT NULL,
    automation_id   UUID    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind = 'dedupe' OR kind = 'debounce' OR kind = 'digest' OR kind = 'rate_limit'),
    key             TEXT    NOT NULL,
    event_id        UUID,
    at_ms           BIGINT,
    events          BIGINT,
    expires_at_ms   BIGINT  NOT NULL,
    PRIMARY KEY (account_id, automation_id, kind, key)
);
CREATE INDEX flow_keys_by_expiry ON flow_keys (expires_at_ms);

-- An output that waits: of the automation's version that accepted its event. Claimed by the life that makes it,
-- as an event in the inbox is.
CREATE TABLE flow_waits (
    account_id      UUID    NOT NULL,
    automation_id   UUID    NOT NULL,
    event_id        UUID    NOT NULL,
    version         BIGINT  NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind = 'go' OR kind = 'delay' OR kind = 'debounce' OR kind = 'digest' OR kind = 'rate_limit'),
    key             TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state = 'waiting' OR state = 'claimed' OR state = 'held'),
    due_at_ms       BIGINT  NOT NULL,
    holder          UUID    CHECK ((state = 'claimed') = (holder IS NOT NULL)),
    since_ms        BIGINT  NOT NULL,
    events          BIGINT  NOT NULL,
    bytes           BIGINT  NOT NULL,
    takeovers       BIGINT  NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, automation_id, event_id)
);
CREATE INDEX flow_waits_due ON flow_waits (account_id, due_at_ms) WHERE state = 'waiting';
CREATE INDEX flow_waits_claimed ON flow_waits (holder) WHERE state = 'claimed';
CREATE INDEX flow_waits_held ON flow_waits (due_at_ms) WHERE state = 'held';

-- The events of a digest that waits, in order.
CREATE TABLE flow_entries (
    account_id      UUID    NOT NULL,
    automation_id   UUID    NOT NULL,
    digest_event_id UUID    NOT NULL,
    place           BIGINT  NOT NULL,
    event_id        UUID    NOT NULL,
    PRIMARY KEY (account_id, automation_id, digest_event_id, place)
);

-- What flow control has said of an event, and what came of it later: belongs to the event's evaluations.
CREATE TABLE flow_verdicts (
    account_id      UUID    NOT NULL,
    event_id        UUID    NOT NULL,
    automation_id   UUID    NOT NULL,
    verdict         TEXT    NOT NULL,
    summary         TEXT    NOT NULL,
    steps           TEXT    NOT NULL,
    -- The event whose output it has become a part of, or that has taken its place.
    went_with       UUID,
    note            TEXT,
    late            BYTEA,
    settled_at_ms   BIGINT,
    PRIMARY KEY (account_id, event_id, automation_id)
);
