-- What an event is called, by whose word: what the API's clients, CloudEvents, sources and schedules say never
-- meets. Keep in step with migrations/sqlite.

CREATE TABLE keys_by_kind (
    account_id      UUID    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind = 'id' OR kind = 'cloudevent' OR kind = 'source' OR kind = 'schedule' OR kind = 'key'),
    key             TEXT    NOT NULL,
    event_id        UUID    NOT NULL,
    body_hash       BYTEA   NOT NULL,
    claimed_at_ms   BIGINT  NOT NULL,
    expires_at_ms   BIGINT,
    PRIMARY KEY (account_id, kind, key)
);

INSERT INTO keys_by_kind (account_id, kind, key, event_id, body_hash, claimed_at_ms, expires_at_ms)
SELECT k.account_id,
       CASE WHEN k.kind = 'key' THEN 'key'
            WHEN e.origin LIKE '{"source":"schedule"%' THEN 'schedule'
            WHEN e.origin LIKE '{"source":"source:%' THEN 'source'
            WHEN e.origin LIKE '{"cloudevent":%' THEN 'cloudevent'
            ELSE 'id' END,
       k.key, k.event_id, k.body_hash, k.claimed_at_ms, k.expires_at_ms
FROM event_keys k LEFT JOIN events e ON e.account_id = k.account_id AND e.id = k.event_id;

DROP TABLE event_keys;
ALTER TABLE keys_by_kind RENAME TO event_keys;
CREATE INDEX event_keys_by_expiry ON event_keys (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
