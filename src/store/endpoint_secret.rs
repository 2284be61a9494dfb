//! The signing secrets of endpoints, sealed.

use bytes::Bytes;

use super::row::record;
use super::values::args;
use super::{Error, Store, Tx, account};
use crate::model::{AccountId, EndpointId, SecretId, Timestamp};

/// A signing secret as it is stored.
#[derive(Debug, Clone)]
pub struct EndpointSecret {
    /// Its id.
    pub id: SecretId,
    /// Whose.
    pub endpoint: EndpointId,
    /// Sealed.
    pub sealed: Vec<u8>,
    /// When it was made: the oldest that has not expired signs first.
    pub created_at: Timestamp,
    /// When it stops signing, if it was rotated out.
    pub expires_at: Option<Timestamp>,
}

record!(EndpointSecret {
    id: "id",
    endpoint: "endpoint_id",
    sealed: "sealed",
    created_at: "created_at_ms",
    expires_at: "expires_at_ms",
});

const SECRET_COLUMNS: &str = "id, endpoint_id, sealed, created_at_ms, expires_at_ms";

impl Store {
    /// The endpoint's secrets, oldest first.
    pub async fn endpoint_secrets(
        &self,
        account: AccountId,
        id: EndpointId,
    ) -> Result<Vec<EndpointSecret>, Error> {
        let sql = format!(
            "SELECT {SECRET_COLUMNS} FROM endpoint_secrets WHERE account_id = $1 AND endpoint_id = $2 ORDER BY id"
        );
        self.fetch(&sql, args![account, id]).await
    }

    /// Adds a secret; all others stop signing at `others_expire_at`. The new revision.
    pub async fn rotate_secret(
        &self,
        account: AccountId,
        endpoint: EndpointId,
        new: (SecretId, Bytes, Timestamp),
        others_expire_at: Timestamp,
    ) -> Result<i64, Error> {
        let mut tx = self.begin().await?;
        let revision = account::raise_revision(&mut tx, account).await?;
        let (id, sealed, now) = new;
        tx.execute(
            "DELETE FROM endpoint_secrets WHERE account_id = $1 AND endpoint_id = $2 AND expires_at_ms <= $3",
            args![account, endpoint, now],
        )
        .await?;
        tx.execute(
            "UPDATE endpoint_secrets SET expires_at_ms = $3
             WHERE account_id = $1 AND endpoint_id = $2 AND (expires_at_ms IS NULL OR expires_at_ms > $3)",
            args![account, endpoint, others_expire_at],
        )
        .await?;
        insert_secret(&mut tx, account, endpoint, (id, sealed, now)).await?;
        tx.commit().await?;
        Ok(revision)
    }

    /// Has secrets that were rotated out stop signing `now`. How many signed until then.
    pub async fn end_secret_overlap(
        &self,
        account: AccountId,
        endpoint: EndpointId,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        let ended = tx
            .execute(
                "UPDATE endpoint_secrets SET expires_at_ms = $3
                 WHERE account_id = $1 AND endpoint_id = $2 AND expires_at_ms > $3",
                args![account, endpoint, now],
            )
            .await?;
        if ended > 0 {
            tx.commit().await?;
        }
        Ok(ended)
    }
}

/// The secrets of all endpoints of the account, read inside the transaction.
pub(super) async fn live(tx: &mut Tx, account: AccountId) -> Result<Vec<EndpointSecret>, Error> {
    let sql =
        format!("SELECT {SECRET_COLUMNS} FROM endpoint_secrets WHERE account_id = $1 ORDER BY id");
    tx.fetch(&sql, args![account]).await
}

/// Adds a secret to those that sign.
pub(super) async fn insert_secret(
    tx: &mut Tx,
    account: AccountId,
    endpoint: EndpointId,
    secret: (SecretId, Bytes, Timestamp),
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO endpoint_secrets (account_id, endpoint_id, id, sealed, created_at_ms)
         VALUES ($1, $2, $3, $4, $5)",
        args![account, endpoint, secret.0, secret.1, secret.2],
    )
    .await
    .map(drop)
}
