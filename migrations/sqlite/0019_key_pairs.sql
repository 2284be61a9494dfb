-- Key pairs of endpoints: the private half sealed, the public half as SubjectPublicKeyInfo. Keep in step with
-- migrations/postgres.

CREATE TABLE key_pairs (
    account_id      BLOB    NOT NULL,
    endpoint_id     BLOB    NOT NULL,
    id              BLOB    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('rsa', 'ed25519')),
    sealed          BLOB    NOT NULL,
    public          BLOB    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (account_id, endpoint_id, id)
) STRICT, WITHOUT ROWID;
