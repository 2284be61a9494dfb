//! How an account's deliveries are connected: authorities that are trusted beside the machine's, and a proxy.

use super::row::record;
use super::values::args;
use super::{Error, Store, Tx, account};
use crate::model::{AccountId, Timestamp};

/// An account's connection as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountConnectionRow {
    /// Certificates as PEM.
    pub authorities: Option<String>,
    /// A proxy as JSON, without its password.
    pub proxy: Option<String>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

record!(AccountConnectionRow {
    authorities: "authorities",
    proxy: "proxy",
    updated_at: "updated_at_ms",
});

const SQL: &str =
    "SELECT authorities, proxy, updated_at_ms FROM account_connections WHERE account_id = $1";

impl Store {
    /// How the account's deliveries are connected; `None`: as usual.
    pub async fn account_connection(
        &self,
        account: AccountId,
    ) -> Result<Option<AccountConnectionRow>, Error> {
        self.fetch_optional(SQL, args![account]).await
    }

    /// Has the account's deliveries be connected like this from now on.
    pub async fn put_account_connection(
        &self,
        account: AccountId,
        to: &AccountConnectionRow,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        tx.execute(
            "INSERT INTO account_connections (account_id, authorities, proxy, updated_at_ms)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT (account_id) DO UPDATE SET authorities = excluded.authorities,
               proxy = excluded.proxy, updated_at_ms = excluded.updated_at_ms",
            args![
                account,
                to.authorities.clone(),
                to.proxy.clone(),
                to.updated_at
            ],
        )
        .await?;
        tx.commit().await
    }
}

/// The same, read inside the transaction.
pub(super) async fn read(
    tx: &mut Tx,
    account: AccountId,
) -> Result<Option<AccountConnectionRow>, Error> {
    Ok(tx.fetch(SQL, args![account]).await?.into_iter().next())
}
