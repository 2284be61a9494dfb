-- Retry policies, failure policies and profiles that accounts have of their own, by name, and the profile of endpoints
-- that name none. Keep in step with migrations/sqlite.

CREATE TABLE named_rules (
    account_id      UUID    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('retry_policy', 'failure_policy', 'profile')),
    name            TEXT    NOT NULL,
    -- JSON: the policy, or the profile's settings.
    says            TEXT    NOT NULL,
    created_at_ms   BIGINT  NOT NULL,
    updated_at_ms   BIGINT  NOT NULL,
    PRIMARY KEY (account_id, kind, name)
);

ALTER TABLE accounts ADD COLUMN default_profile TEXT NOT NULL DEFAULT 'standard';

-- Files as code have them, too.
ALTER TABLE applied DROP CONSTRAINT applied_section_check;
ALTER TABLE applied ADD CONSTRAINT applied_section_check CHECK (
    section = 'event_types' OR section = 'variables' OR section = 'retry_policies' OR section = 'failure_policies'
    OR section = 'profiles' OR section = 'endpoints' OR section = 'schedules' OR section = 'automations');
