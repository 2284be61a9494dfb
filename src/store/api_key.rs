//! API keys, stored as hashes.

use super::row::record;
use super::values::args;
use super::{Error, Store};
use crate::model::{AccountId, ApiKeyId, Timestamp};

/// A key to the API; its text is known to its owner alone.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose; `None`: the operator's.
    pub account: Option<AccountId>,
    /// For people.
    pub name: String,
    /// Words separated by spaces.
    pub scopes: String,
    /// Whose it is: where alerts about endpoints go that it makes or changes.
    pub owner_mail: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stopped working.
    pub revoked_at: Option<Timestamp>,
}

record!(ApiKey {
    id: "id",
    account: "account_id",
    name: "name",
    scopes: "scopes",
    owner_mail: "owner_mail",
    created_at: "created_at_ms",
    revoked_at: "revoked_at_ms",
});

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Minted by the caller.
    pub id: ApiKeyId,
    /// Whose; `None`: the operator's.
    pub account: Option<AccountId>,
    /// For people.
    pub name: String,
    /// SHA-256 of its text.
    pub hash: [u8; 32],
    /// Words separated by spaces.
    pub scopes: String,
    /// Whose it is.
    pub owner_mail: Option<String>,
    /// Now.
    pub created_at: Timestamp,
}

const COLUMNS: &str = "id, account_id, name, scopes, owner_mail, created_at_ms, revoked_at_ms";

impl Store {
    /// Keeps a new key. One with the same hash stays as it is.
    pub async fn create_api_key(&self, new: &NewApiKey) -> Result<(), Error> {
        self.execute(
            "INSERT INTO api_keys (id, account_id, name, hash, scopes, owner_mail, created_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (hash) DO NOTHING",
            args![
                new.id,
                new.account,
                new.name.as_str(),
                new.hash,
                new.scopes.as_str(),
                new.owner_mail.clone(),
                new.created_at
            ],
        )
        .await
        .map(drop)
    }

    /// Keeps the bootstrap key: it works, and those that had its name before don't any more.
    pub async fn keep_bootstrap_key(&self, new: &NewApiKey) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        tx.execute(
            "UPDATE api_keys SET revoked_at_ms = $3
             WHERE account_id IS NULL AND name = $1 AND hash <> $2 AND revoked_at_ms IS NULL",
            args![new.name.as_str(), new.hash, new.created_at],
        )
        .await?;
        tx.execute(
            "INSERT INTO api_keys (id, account_id, name, hash, scopes, created_at_ms)
             VALUES ($1, NULL, $2, $3, $4, $5)
             ON CONFLICT (hash) DO UPDATE SET revoked_at_ms = NULL
             WHERE api_keys.account_id IS NULL AND api_keys.name = excluded.name",
            args![
                new.id,
                new.name.as_str(),
                new.hash,
                new.scopes.as_str(),
                new.created_at
            ],
        )
        .await?;
        tx.commit().await
    }

    /// The key with this hash, revoked or not. No account bounds it: it finds out which one is asking.
    pub async fn api_key_by_hash(&self, hash: [u8; 32]) -> Result<Option<ApiKey>, Error> {
        self.fetch_optional(
            &format!("SELECT {COLUMNS} FROM api_keys WHERE hash = $1"),
            args![hash],
        )
        .await
    }

    /// Whether any operator key that works exists. Operator keys are no account's.
    pub async fn has_operator_key(&self) -> Result<bool, Error> {
        let found: Option<(i64,)> = self
            .fetch_optional(
                "SELECT COUNT(*) FROM api_keys WHERE account_id IS NULL AND revoked_at_ms IS NULL",
                Vec::new(),
            )
            .await?;
        Ok(found.is_some_and(|row| row.0 > 0))
    }

    /// The operator keys that work, newest first.
    pub async fn operator_keys(&self) -> Result<Vec<ApiKey>, Error> {
        self.fetch(
            &format!("SELECT {COLUMNS} FROM api_keys WHERE account_id IS NULL AND revoked_at_ms IS NULL ORDER BY id DESC"),
            Vec::new(),
        )
        .await
    }

    /// Makes an operator key stop working. Whether it did until now.
    pub async fn revoke_operator_key(&self, id: ApiKeyId, now: Timestamp) -> Result<bool, Error> {
        let changed = self
            .execute(
                "UPDATE api_keys SET revoked_at_ms = $2 WHERE account_id IS NULL AND id = $1 AND revoked_at_ms IS NULL",
                args![id, now],
            )
            .await?;
        Ok(changed > 0)
    }

    /// The account's keys that work, newest first.
    pub async fn api_keys(&self, account: AccountId) -> Result<Vec<ApiKey>, Error> {
        self.fetch(
            &format!("SELECT {COLUMNS} FROM api_keys WHERE account_id = $1 AND revoked_at_ms IS NULL ORDER BY id DESC"),
            args![account],
        )
        .await
    }

    /// The account's key with this id, revoked or not.
    pub async fn api_key(&self, account: AccountId, id: ApiKeyId) -> Result<Option<ApiKey>, Error> {
        self.fetch_optional(
            &format!("SELECT {COLUMNS} FROM api_keys WHERE account_id = $1 AND id = $2"),
            args![account, id],
        )
        .await
    }

    /// Makes one of the account's keys stop working. Whether it did until now.
    pub async fn revoke_api_key(
        &self,
        account: AccountId,
        id: ApiKeyId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let changed = self
            .execute(
                "UPDATE api_keys SET revoked_at_ms = $3 WHERE account_id = $1 AND id = $2 AND revoked_at_ms IS NULL",
                args![account, id, now],
            )
            .await?;
        Ok(changed > 0)
    }
}
