-- The whole first schema. Keep in step with migrations/postgres: same tables, names and columns.
-- Times are milliseconds since the Unix epoch; payloads and bodies are bytes, also where they are JSON.

CREATE TABLE accounts (
    id              BLOB    NOT NULL PRIMARY KEY,
    uid             TEXT    UNIQUE,
    name            TEXT    NOT NULL,
    revision        INTEGER NOT NULL,
    enabled         INTEGER NOT NULL,
    signing_key     BLOB    NOT NULL,
    created_at_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    id              BLOB    NOT NULL PRIMARY KEY,
    account_id      BLOB,
    name            TEXT    NOT NULL,
    hash            BLOB    NOT NULL UNIQUE,
    scopes          TEXT    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    revoked_at_ms   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_by_account ON api_keys (account_id, id);

-- A word sealed under each master key that ever sealed something here: whoever opens them all has them all.
CREATE TABLE seals (
    key_id          BLOB    NOT NULL PRIMARY KEY,
    sealed          BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE incarnations (
    id              BLOB    NOT NULL PRIMARY KEY,
    lock_key        INTEGER NOT NULL UNIQUE,
    started_at_ms   INTEGER NOT NULL,
    ended_at_ms     INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX incarnations_alive ON incarnations (id) WHERE ended_at_ms IS NULL;

CREATE TABLE event_types (
    account_id      BLOB    NOT NULL,
    name            TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    group_name      TEXT,
    example         TEXT,
    created_at_ms   INTEGER NOT NULL,
    updated_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE endpoints (
    account_id          BLOB    NOT NULL,
    id                  BLOB    NOT NULL,
    name                TEXT    NOT NULL,
    url                 TEXT    NOT NULL,
    settings            TEXT    NOT NULL,
    owner_automation_id BLOB,
    state               TEXT    NOT NULL CHECK (state IN ('enabled', 'disabled')),
    disabled_why        TEXT    CHECK ((state = 'disabled') = (disabled_why IS NOT NULL)),
    failing_since_ms    INTEGER,
    created_at_ms       INTEGER NOT NULL,
    updated_at_ms       INTEGER NOT NULL,
    deleted_at_ms       INTEGER,
    PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE endpoint_secrets (
    account_id      BLOB    NOT NULL,
    endpoint_id     BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    sealed          BLOB    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    expires_at_ms   INTEGER,
    PRIMARY KEY (account_id, endpoint_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE automations (
    account_id          BLOB    NOT NULL,
    id                  BLOB    NOT NULL,
    name                TEXT    NOT NULL,
    owner_endpoint_id   BLOB,
    enabled             INTEGER NOT NULL,
    latest_version      INTEGER NOT NULL,
    published_version   INTEGER,
    created_at_ms       INTEGER NOT NULL,
    updated_at_ms       INTEGER NOT NULL,
    deleted_at_ms       INTEGER,
    PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE automation_versions (
    account_id      BLOB    NOT NULL,
    automation_id   BLOB    NOT NULL,
    version         INTEGER NOT NULL,
    definition      TEXT    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (account_id, automation_id, version)
) STRICT, WITHOUT ROWID;

-- Which version was live from which revision of the account to which.
CREATE TABLE publications (
    account_id      BLOB    NOT NULL,
    automation_id   BLOB    NOT NULL,
    from_revision   INTEGER NOT NULL,
    to_revision     INTEGER CHECK (to_revision > from_revision),
    version         INTEGER NOT NULL,
    PRIMARY KEY (account_id, automation_id, from_revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE plugins (
    account_id      BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    name            TEXT    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE plugin_versions (
    account_id      BLOB    NOT NULL,
    plugin_id       BLOB    NOT NULL,
    version         TEXT    NOT NULL,
    digest          BLOB    NOT NULL,
    description     TEXT    NOT NULL,
    wasm            BLOB    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (account_id, plugin_id, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX plugin_versions_by_digest ON plugin_versions (account_id, digest);

CREATE TABLE replies (
    account_id      BLOB    NOT NULL,
    key             TEXT    NOT NULL,
    request_hash    BLOB    NOT NULL,
    status          INTEGER,
    body            BLOB,
    expires_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (account_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX replies_by_expiry ON replies (expires_at_ms);

-- The hot tables: no foreign keys, and no IN in a CHECK: this engine makes a temporary table of it for each row.

CREATE TABLE events (
    account_id      BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    type            TEXT    NOT NULL,
    occurred_at_ms  INTEGER NOT NULL,
    client_id       TEXT,
    payload         BLOB    NOT NULL,
    PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_keys (
    account_id      BLOB    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('id', 'key')),
    key             TEXT    NOT NULL,
    event_id        BLOB    NOT NULL,
    body_hash       BLOB    NOT NULL,
    claimed_at_ms   INTEGER NOT NULL,
    expires_at_ms   INTEGER,
    PRIMARY KEY (account_id, kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_keys_by_expiry ON event_keys (expires_at_ms) WHERE expires_at_ms IS NOT NULL;

CREATE TABLE inbox (
    account_id      BLOB    NOT NULL,
    event_id        BLOB    NOT NULL,
    revision        INTEGER NOT NULL,
    holder          BLOB    NOT NULL,
    takeovers       INTEGER NOT NULL DEFAULT 0,
    set_aside       TEXT,
    PRIMARY KEY (account_id, event_id)
) STRICT, WITHOUT ROWID;
-- No index by holder: it holds what is between acceptance and plan, a few thousand rows, and a takeover reads it whole.

CREATE TABLE evaluations (
    account_id      BLOB    NOT NULL,
    event_id        BLOB    NOT NULL,
    revision        INTEGER NOT NULL,
    verdicts        BLOB    NOT NULL,
    evaluated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (account_id, event_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE bodies (
    account_id      BLOB    NOT NULL,
    event_id        BLOB    NOT NULL,
    automation_id   BLOB    NOT NULL,
    output_no       INTEGER NOT NULL,
    type            TEXT    NOT NULL,
    headers         TEXT,
    content         BLOB    NOT NULL,
    PRIMARY KEY (account_id, event_id, automation_id, output_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
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
    failure         TEXT    CHECK ((state = 'failed') = (failure IS NOT NULL) AND (failure = 'exhausted' OR failure = 'gone' OR failure = 'expired')),
    attempts_made   INTEGER NOT NULL DEFAULT 0,
    created_at_ms   INTEGER NOT NULL,
    settled_at_ms   INTEGER,
    PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (account_id, endpoint_id, due_at_ms) WHERE state = 'pending';
CREATE INDEX deliveries_held ON deliveries (account_id, endpoint_id, id) WHERE state = 'held';
CREATE INDEX deliveries_claimed ON deliveries (holder) WHERE state = 'claimed';
-- Of an event: a derived id begins with the event's time, and a resent one has an index of its own.
CREATE INDEX deliveries_resent ON deliveries (account_id, event_id) WHERE resend_of IS NOT NULL;
CREATE INDEX deliveries_by_endpoint ON deliveries (account_id, endpoint_id, id);

CREATE TABLE attempts (
    account_id      BLOB    NOT NULL,
    delivery_id     BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    no              INTEGER NOT NULL,
    status_code     INTEGER,
    error_class     TEXT    CHECK (error_class = 'dns' OR error_class = 'connect' OR error_class = 'tls' OR error_class = 'timeout'
                        OR error_class = 'too_large' OR error_class = 'egress' OR error_class = 'interrupted'),
    message         TEXT,
    response        BLOB,
    started_at_ms   INTEGER NOT NULL,
    duration_ms     INTEGER NOT NULL,
    PRIMARY KEY (account_id, delivery_id, id),
    CHECK ((status_code IS NULL) = (error_class IS NOT NULL))
) STRICT, WITHOUT ROWID;
