-- The whole first schema. Keep in step with migrations/sqlite: same tables, names and columns.
-- Times are milliseconds since the Unix epoch; payloads and bodies are bytes, never JSONB.

CREATE TABLE accounts (
    id              UUID    NOT NULL PRIMARY KEY,
    uid             TEXT    UNIQUE,
    name            TEXT    NOT NULL,
    revision        BIGINT  NOT NULL,
    enabled         BOOLEAN NOT NULL,
    signing_key     BYTEA   NOT NULL,
    created_at_ms   BIGINT  NOT NULL
);

CREATE TABLE api_keys (
    id              UUID    NOT NULL PRIMARY KEY,
    account_id      UUID,
    name            TEXT    NOT NULL,
    hash            BYTEA   NOT NULL UNIQUE,
    scopes          TEXT    NOT NULL,
    created_at_ms   BIGINT  NOT NULL,
    revoked_at_ms   BIGINT
);
CREATE INDEX api_keys_by_account ON api_keys (account_id, id);

-- A word sealed under each master key that ever sealed something here: whoever opens them all has them all.
CREATE TABLE seals (
    key_id          BYTEA   NOT NULL PRIMARY KEY,
    sealed          BYTEA   NOT NULL
);

CREATE TABLE incarnations (
    id              UUID    NOT NULL PRIMARY KEY,
    lock_key        BIGINT  NOT NULL UNIQUE,
    started_at_ms   BIGINT  NOT NULL,
    ended_at_ms     BIGINT
);
CREATE INDEX incarnations_alive ON incarnations (id) WHERE ended_at_ms IS NULL;

CREATE TABLE event_types (
    account_id      UUID    NOT NULL,
    name            TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    group_name      TEXT,
    example         TEXT,
    created_at_ms   BIGINT  NOT NULL,
    updated_at_ms   BIGINT  NOT NULL,
    PRIMARY KEY (account_id, name)
);

CREATE TABLE endpoints (
    account_id          UUID    NOT NULL,
    id                  UUID    NOT NULL,
    name                TEXT    NOT NULL,
    url                 TEXT    NOT NULL,
    settings            TEXT    NOT NULL,
    owner_automation_id UUID,
    state               TEXT    NOT NULL CHECK (state IN ('enabled', 'disabled')),
    disabled_why        TEXT    CHECK ((state = 'disabled') = (disabled_why IS NOT NULL)),
    failing_since_ms    BIGINT,
    created_at_ms       BIGINT  NOT NULL,
    updated_at_ms       BIGINT  NOT NULL,
    deleted_at_ms       BIGINT,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE endpoint_secrets (
    account_id      UUID    NOT NULL,
    endpoint_id     UUID    NOT NULL,
    id              UUID    NOT NULL,
    sealed          BYTEA   NOT NULL,
    created_at_ms   BIGINT  NOT NULL,
    expires_at_ms   BIGINT,
    PRIMARY KEY (account_id, endpoint_id, id)
);

CREATE TABLE automations (
    account_id          UUID    NOT NULL,
    id                  UUID    NOT NULL,
    name                TEXT    NOT NULL,
    owner_endpoint_id   UUID,
    enabled             BOOLEAN NOT NULL,
    latest_version      BIGINT  NOT NULL,
    published_version   BIGINT,
    created_at_ms       BIGINT  NOT NULL,
    updated_at_ms       BIGINT  NOT NULL,
    deleted_at_ms       BIGINT,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE automation_versions (
    account_id      UUID    NOT NULL,
    automation_id   UUID    NOT NULL,
    version         BIGINT  NOT NULL,
    definition      TEXT    NOT NULL,
    created_at_ms   BIGINT  NOT NULL,
    PRIMARY KEY (account_id, automation_id, version)
);

-- Which version was live from which revision of the account to which.
CREATE TABLE publications (
    account_id      UUID    NOT NULL,
    automation_id   UUID    NOT NULL,
    from_revision   BIGINT  NOT NULL,
    to_revision     BIGINT  CHECK (to_revision > from_revision),
    version         BIGINT  NOT NULL,
    PRIMARY KEY (account_id, automation_id, from_revision)
);

CREATE TABLE plugins (
    account_id      UUID    NOT NULL,
    id              UUID    NOT NULL,
    name            TEXT    NOT NULL,
    created_at_ms   BIGINT  NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, name)
);

CREATE TABLE plugin_versions (
    account_id      UUID    NOT NULL,
    plugin_id       UUID    NOT NULL,
    version         TEXT    NOT NULL,
    digest          BYTEA   NOT NULL,
    description     TEXT    NOT NULL,
    wasm            BYTEA   NOT NULL,
    created_at_ms   BIGINT  NOT NULL,
    PRIMARY KEY (account_id, plugin_id, version)
);
CREATE INDEX plugin_versions_by_digest ON plugin_versions (account_id, digest);

CREATE TABLE replies (
    account_id      UUID    NOT NULL,
    key             TEXT    NOT NULL,
    request_hash    BYTEA   NOT NULL,
    status          BIGINT,
    body            BYTEA,
    expires_at_ms   BIGINT  NOT NULL,
    PRIMARY KEY (account_id, key)
);
CREATE INDEX replies_by_expiry ON replies (expires_at_ms);

-- The hot tables: no foreign keys.

CREATE TABLE events (
    account_id      UUID    NOT NULL,
    id              UUID    NOT NULL,
    type            TEXT    NOT NULL,
    occurred_at_ms  BIGINT  NOT NULL,
    client_id       TEXT,
    payload         BYTEA   NOT NULL,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE event_keys (
    account_id      UUID    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('id', 'key')),
    key             TEXT    NOT NULL,
    event_id        UUID    NOT NULL,
    body_hash       BYTEA   NOT NULL,
    claimed_at_ms   BIGINT  NOT NULL,
    expires_at_ms   BIGINT,
    PRIMARY KEY (account_id, kind, key)
);
CREATE INDEX event_keys_by_expiry ON event_keys (expires_at_ms) WHERE expires_at_ms IS NOT NULL;

CREATE TABLE inbox (
    account_id      UUID    NOT NULL,
    event_id        UUID    NOT NULL,
    revision        BIGINT  NOT NULL,
    holder          UUID    NOT NULL,
    takeovers       BIGINT  NOT NULL DEFAULT 0,
    set_aside       TEXT,
    PRIMARY KEY (account_id, event_id)
);
-- No index by holder: it holds what is between acceptance and plan, a few thousand rows, and a takeover reads it whole.

CREATE TABLE evaluations (
    account_id      UUID    NOT NULL,
    event_id        UUID    NOT NULL,
    revision        BIGINT  NOT NULL,
    verdicts        BYTEA   NOT NULL,
    evaluated_at_ms BIGINT  NOT NULL,
    PRIMARY KEY (account_id, event_id)
);

CREATE TABLE bodies (
    account_id      UUID    NOT NULL,
    event_id        UUID    NOT NULL,
    automation_id   UUID    NOT NULL,
    output_no       BIGINT  NOT NULL,
    type            TEXT    NOT NULL,
    headers         TEXT,
    content         BYTEA   NOT NULL,
    PRIMARY KEY (account_id, event_id, automation_id, output_no)
);

CREATE TABLE deliveries (
    account_id      UUID    NOT NULL,
    id              UUID    NOT NULL,
    event_id        UUID    NOT NULL,
    automation_id   UUID    NOT NULL,
    endpoint_id     UUID    NOT NULL,
    output_no       BIGINT,
    envelope        TEXT    NOT NULL,
    webhook_id      TEXT    NOT NULL,
    resend_of       UUID,
    state           TEXT    NOT NULL CHECK (state IN ('pending', 'claimed', 'delivered', 'failed', 'held', 'cancelled')),
    due_at_ms       BIGINT  CHECK ((state = 'pending') = (due_at_ms IS NOT NULL)),
    holder          UUID    CHECK ((state = 'claimed') = (holder IS NOT NULL)),
    failure         TEXT    CHECK ((state = 'failed') = (failure IS NOT NULL) AND failure IN ('exhausted', 'gone', 'expired')),
    attempts_made   BIGINT  NOT NULL DEFAULT 0,
    created_at_ms   BIGINT  NOT NULL,
    settled_at_ms   BIGINT,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX deliveries_due ON deliveries (account_id, endpoint_id, due_at_ms) WHERE state = 'pending';
CREATE INDEX deliveries_held ON deliveries (account_id, endpoint_id, id) WHERE state = 'held';
CREATE INDEX deliveries_claimed ON deliveries (holder) WHERE state = 'claimed';
-- Of an event: a derived id begins with the event's time, and a resent one has an index of its own.
CREATE INDEX deliveries_resent ON deliveries (account_id, event_id) WHERE resend_of IS NOT NULL;
CREATE INDEX deliveries_by_endpoint ON deliveries (account_id, endpoint_id, id);

CREATE TABLE attempts (
    account_id      UUID    NOT NULL,
    delivery_id     UUID    NOT NULL,
    id              UUID    NOT NULL,
    no              BIGINT  NOT NULL,
    status_code     BIGINT,
    error_class     TEXT    CHECK (error_class IN ('dns', 'connect', 'tls', 'timeout', 'too_large', 'egress', 'interrupted')),
    message         TEXT,
    response        BYTEA,
    started_at_ms   BIGINT  NOT NULL,
    duration_ms     BIGINT  NOT NULL,
    PRIMARY KEY (account_id, delivery_id, id),
    CHECK ((status_code IS NULL) = (error_class IS NOT NULL))
);
