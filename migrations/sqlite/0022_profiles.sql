-- Retry policies, failure policies and profiles that accounts have of their own, by name, and the profile of endpoints
-- that name none. Keep in step with migrations/postgres.

CREATE TABLE named_rules (
    account_id      BLOB    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('retry_policy', 'failure_policy', 'profile')),
    name            TEXT    NOT NULL,
    -- JSON: the policy, or the profile's settings.
    says            TEXT    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    updated_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (account_id, kind, name)
) STRICT, WITHOUT ROWID;

ALTER TABLE accounts ADD COLUMN default_profile TEXT NOT NULL DEFAULT 'standard';

-- Files as code have them, too.
CREATE TABLE applied_of_all (
    account_id      BLOB    NOT NULL,
    section         TEXT    NOT NULL CHECK (
                              section = 'event_types' OR section = 'variables' OR section = 'retry_policies'
                              OR section = 'failure_policies' OR section = 'profiles' OR section = 'endpoints'
                              OR section = 'schedules' OR section = 'automations'),
    -- The object's id; the name of what has no id.
    object          TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    -- What it was then: JSON, with the ids of others in place of their names. Nothing secret.
    content         TEXT    NOT NULL,
    applied_at_ms   INTEGER NOT NULL,
    author_key_id   BLOB,
    author_name     TEXT,
    PRIMARY KEY (account_id, section, object)
) STRICT, WITHOUT ROWID;

INSERT INTO applied_of_all (
    account_id, section, object, name, content, applied_at_ms, author_key_id, author_name)
SELECT account_id, section, object, name, content, applied_at_ms, author_key_id, author_name FROM applied;

DROP TABLE applied;
ALTER TABLE applied_of_all RENAME TO applied;
