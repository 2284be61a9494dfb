//! The key pairs of endpoints, their private halves sealed.

use bytes::Bytes;

use super::row::record;
use super::values::args;
use super::{Error, Store, Tx, account, endpoint};
use crate::model::limits::KEY_PAIRS_PER_KIND_MAX;
use crate::model::{AccountId, EndpointId, KeyPairId, Timestamp};

/// A key pair as it is stored.
#[derive(Debug, Clone)]
pub struct KeyPairRow {
    /// Its id.
    pub id: KeyPairId,
    /// Whose.
    pub endpoint: EndpointId,
    /// `rsa` or `ed25519`.
    pub kind: String,
    /// The private half as PKCS#8, sealed.
    pub sealed: Vec<u8>,
    /// The public half as SubjectPublicKeyInfo.
    pub public: Vec<u8>,
    /// When it was made: the oldest signs.
    pub created_at: Timestamp,
}

record!(KeyPairRow {
    id: "id",
    endpoint: "endpoint_id",
    kind: "kind",
    sealed: "sealed",
    public: "public",
    created_at: "created_at_ms",
});

/// A key pair to be kept.
#[derive(Debug, Clone)]
pub struct NewKeyPair {
    /// Minted by the caller.
    pub id: KeyPairId,
    /// `rsa` or `ed25519`.
    pub kind: &'static str,
    /// The private half as PKCS#8, sealed.
    pub sealed: Bytes,
    /// The public half as SubjectPublicKeyInfo.
    pub public: Bytes,
    /// Now.
    pub created_at: Timestamp,
}

/// What became of adding a key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPairAddition {
    /// It is there.
    Done,
    /// The endpoint has as many of its kind as it may have.
    Enough,
    /// The endpoint is not there any more.
    NoEndpoint,
}

/// What became of removing a key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPairRemoval {
    /// It is gone.
    Done,
    /// There is none with this id.
    Unknown,
    /// It is the only one of its kind, and stays.
    Only,
}

const COLUMNS: &str = "id, endpoint_id, kind, sealed, public, created_at_ms";

impl Store {
    /// The endpoint's key pairs, oldest first.
    pub async fn key_pairs(
        &self,
        account: AccountId,
        endpoint: EndpointId,
    ) -> Result<Vec<KeyPairRow>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM key_pairs WHERE account_id = $1 AND endpoint_id = $2 ORDER BY id"
        );
        self.fetch(&sql, args![account, endpoint]).await
    }

    /// The key pairs of all of the account's endpoints.
    pub async fn key_pairs_of_account(&self, account: AccountId) -> Result<Vec<KeyPairRow>, Error> {
        self.fetch(&of_account(), args![account]).await
    }

    /// Adds a key pair, unless the endpoint is gone, or has as many of its kind as it may have.
    pub async fn add_key_pair(
        &self,
        account: AccountId,
        endpoint: EndpointId,
        new: &NewKeyPair,
    ) -> Result<KeyPairAddition, Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        if endpoint::read(&mut tx, account, endpoint).await?.is_none() {
            return Ok(KeyPairAddition::NoEndpoint);
        }
        if of_kind(&mut tx, account, endpoint, new.kind).await?.len() >= KEY_PAIRS_PER_KIND_MAX {
            return Ok(KeyPairAddition::Enough);
        }
        insert_key_pair(&mut tx, account, endpoint, new).await?;
        tx.commit().await?;
        Ok(KeyPairAddition::Done)
    }

    /// Removes a key pair, unless it is the only one of its kind.
    pub async fn remove_key_pair(
        &self,
        account: AccountId,
        endpoint: EndpointId,
        id: KeyPairId,
    ) -> Result<KeyPairRemoval, Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        let kinds: Vec<(String,)> = tx
            .fetch(
                "SELECT kind FROM key_pairs WHERE account_id = $1 AND endpoint_id = $2 AND id = $3",
                args![account, endpoint, id],
            )
            .await?;
        let Some((kind,)) = kinds.first() else {
            return Ok(KeyPairRemoval::Unknown);
        };
        if of_kind(&mut tx, account, endpoint, kind).await?.len() < 2 {
            return Ok(KeyPairRemoval::Only);
        }
        tx.execute(
            "DELETE FROM key_pairs WHERE account_id = $1 AND endpoint_id = $2 AND id = $3",
            args![account, endpoint, id],
        )
        .await?;
        tx.commit().await?;
        Ok(KeyPairRemoval::Done)
    }
}

fn of_account() -> String {
    format!("SELECT {COLUMNS} FROM key_pairs WHERE account_id = $1 ORDER BY endpoint_id, id")
}

async fn of_kind(
    tx: &mut Tx,
    account: AccountId,
    endpoint: EndpointId,
    kind: &str,
) -> Result<Vec<(KeyPairId,)>, Error> {
    tx.fetch(
        "SELECT id FROM key_pairs WHERE account_id = $1 AND endpoint_id = $2 AND kind = $3",
        args![account, endpoint, kind],
    )
    .await
}

/// The key pairs of all endpoints of the account, read inside the transaction, oldest first.
pub(super) async fn live(tx: &mut Tx, account: AccountId) -> Result<Vec<KeyPairRow>, Error> {
    tx.fetch(&of_account(), args![account]).await
}

/// Adds a key pair.
pub(super) async fn insert_key_pair(
    tx: &mut Tx,
    account: AccountId,
    endpoint: EndpointId,
    new: &NewKeyPair,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO key_pairs (account_id, endpoint_id, id, kind, sealed, public, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![
            account,
            endpoint,
            new.id,
            new.kind,
            new.sealed.clone(),
            new.public.clone(),
            new.created_at
        ],
    )
    .await
    .map(drop)
}
