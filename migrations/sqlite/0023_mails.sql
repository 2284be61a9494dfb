-- Mails: to whom alerts go, the outbox, and reminders of endpoints that stay disabled. Keep in step with
-- migrations/postgres.

-- Whom the account's alerts go to; NULL: to nobody.
ALTER TABLE accounts ADD COLUMN owner_mail TEXT;
-- Whose key it is.
ALTER TABLE api_keys ADD COLUMN owner_mail TEXT;
-- The key that made the endpoint, or changed it last; NULL: not known.
ALTER TABLE endpoints ADD COLUMN edited_by BLOB;
-- When the product disabled it; NULL: it is enabled, or somebody disabled it by hand.
ALTER TABLE endpoints ADD COLUMN disabled_at_ms INTEGER;
-- When it is told next that it is still disabled; NULL: not any more.
ALTER TABLE endpoints ADD COLUMN remind_at_ms INTEGER;
-- Whoever is disabled by now was last changed by that.
UPDATE endpoints SET disabled_at_ms = updated_at_ms, remind_at_ms = updated_at_ms + 86400000
WHERE state = 'disabled' AND disabled_why <> 'by_user' AND deleted_at_ms IS NULL;
CREATE INDEX endpoints_to_remind ON endpoints (remind_at_ms) WHERE remind_at_ms IS NOT NULL;

-- One row a mail: about one matter, to one address. It collects what happens until it is sent for the first time.
CREATE TABLE mails (
    account_id      BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    endpoint_id     BLOB    NOT NULL,
    topic           TEXT    NOT NULL,
    address         TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state = 'collecting' OR state = 'sending' OR state = 'waiting' OR state = 'sent' OR state = 'bounced' OR state = 'given_up'),
    -- How often it has happened, what the last time says in JSON, and when the first and the last time were.
    occurrences     INTEGER  NOT NULL,
    says            TEXT    NOT NULL,
    first_at_ms     INTEGER  NOT NULL,
    last_at_ms      INTEGER  NOT NULL,
    due_at_ms       INTEGER  CHECK ((state = 'collecting' OR state = 'waiting') = (due_at_ms IS NOT NULL)),
    holder          BLOB    CHECK ((state = 'sending') = (holder IS NOT NULL)),
    tries           INTEGER  NOT NULL DEFAULT 0,
    -- What the mail server said last.
    answer          TEXT,
    settled_at_ms   INTEGER  CHECK ((state = 'sent' OR state = 'bounced' OR state = 'given_up') = (settled_at_ms IS NOT NULL)),
    PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX mails_collecting ON mails (account_id, endpoint_id, topic, address) WHERE state = 'collecting';
CREATE INDEX mails_of_matter ON mails (account_id, endpoint_id, topic, id);
CREATE INDEX mails_due ON mails (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX mails_sending ON mails (holder) WHERE state = 'sending';
CREATE INDEX mails_open ON mails (account_id) WHERE settled_at_ms IS NULL;
CREATE INDEX mails_settled ON mails (settled_at_ms) WHERE settled_at_ms IS NOT NULL;
