//! The secrets that the senders of sources sign with, sealed.

use bytes::Bytes;

use super::row::record;
use super::values::args;
use super::{Error, Store, Tx, account};
use crate::model::{AccountId, SecretId, SourceId, Timestamp};

/// A source's secret as it is stored.
#[derive(Debug, Clone)]
pub struct SourceSecret {
    /// Its id.
    pub id: SecretId,
    /// Sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops proving anything, if it was rotated out.
    pub expires_at: Option<Timestamp>,
}

record!(SourceSecret {
    id: "id",
    sealed: "sealed",
    created_at: "created_at_ms",
    expires_at: "expires_at_ms",
});

impl Store {
    /// The source's secrets, oldest first.
    pub async fn source_secrets(
        &self,
        account: AccountId,
        source: SourceId,
    ) -> Result<Vec<SourceSecret>, Error> {
        self.fetch(
            "SELECT id, sealed, created_at_ms, expires_at_ms FROM source_secrets
             WHERE account_id = $1 AND source_id = $2 ORDER BY id",
            args![account, source],
        )
        .await
    }

    /// Adds a secret; all others stop proving anything at `others_expire_at`.
    pub async fn rotate_source_secret(
        &self,
        account: AccountId,
        source: SourceId,
        new: (SecretId, Bytes, Timestamp),
        others_expire_at: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        tx.execute(
            "DELETE FROM source_secrets WHERE account_id = $1 AND source_id = $2 AND expires_at_ms <= $3",
            args![account, source, new.2],
        )
        .await?;
        tx.execute(
            "UPDATE source_secrets SET expires_at_ms = $3
             WHERE account_id = $1 AND source_id = $2 AND (expires_at_ms IS NULL OR expires_at_ms > $3)",
            args![account, source, others_expire_at],
        )
        .await?;
        insert_secret(&mut tx, account, source, new).await?;
        tx.commit().await
    }
}

/// Adds a secret to those that prove the sender.
pub(super) async fn insert_secret(
    tx: &mut Tx,
    account: AccountId,
    source: SourceId,
    secret: (SecretId, Bytes, Timestamp),
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO source_secrets (account_id, source_id, id, sealed, created_at_ms)
         VALUES ($1, $2, $3, $4, $5)",
        args![account, source, secret.0, secret.1, secret.2],
    )
    .await
    .map(drop)
}
