-- Key pairs of endpoints: the private half sealed, the public half as SubjectPublicKeyInfo. Keep in step with
-- migrations/sqlite.

CREATE TABLE key_pairs (
    account_id      UUID    NOT NULL,
    endpoint_id     UUID    NOT NULL,
    id              UUID    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('rsa', 'ed25519')),
    sealed          BYTEA   NOT NULL,
    public          BYTEA   NOT NULL,
    created_at_ms   BIGINT  NOT NULL,
    PRIMARY KEY (account_id, endpoint_id, id)
);
