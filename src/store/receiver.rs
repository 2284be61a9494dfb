//! Receivers: URLs of the server itself, found by the hash of a part of them.

use super::page::{Cursor, Page, start};
use super::row::record;
use super::values::args;
use super::{Error, Store, account};
use crate::model::limits::RECEIVERS_PER_ACCOUNT_MAX;
use crate::model::{AccountId, ReceiverId, Timestamp};

/// A receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: ReceiverId,
    /// For people.
    pub name: String,
    /// The last part of its URL, and the secret that it verifies by; sealed.
    pub sealed: Vec<u8>,
    /// JSON.
    pub settings: String,
    /// How many requests came to it.
    pub received: i64,
    /// Until when somebody forwards what comes to it, unless that is renewed.
    pub forwarded_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

record!(Receiver {
    account: "account_id",
    id: "id",
    name: "name",
    sealed: "sealed",
    settings: "settings",
    received: "received",
    forwarded_until: "forwarded_until_ms",
    created_at: "created_at_ms",
    updated_at: "updated_at_ms",
});

const COLUMNS: &str = "account_id, id, name, sealed, settings, received, forwarded_until_ms, created_at_ms, \
     updated_at_ms";

impl Store {
    /// Makes a receiver, which is found by `token_hash`.
    pub async fn create_receiver(&self, new: &Receiver, token_hash: [u8; 32]) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        // So that nobody makes another one meanwhile.
        account::raise_revision(&mut tx, new.account).await?;
        tx.execute(
            &format!(
                "INSERT INTO receivers ({COLUMNS}, token_hash, answered)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0)"
            ),
            args![
                new.account,
                new.id,
                new.name.as_str(),
                new.sealed.clone(),
                new.settings.as_str(),
                new.received,
                new.forwarded_until,
                new.created_at,
                new.updated_at,
                token_hash
            ],
        )
        .await?;
        let limit = ("receivers", RECEIVERS_PER_ACCOUNT_MAX);
        let counted = "FROM receivers WHERE account_id = $1";
        account::check_count(&mut tx, new.account, counted, limit).await?;
        tx.commit().await
    }

    /// Replaces what can be changed of a receiver, made from what was read (`from`), and has its answers begin anew if
    /// its settings are others. Whether there is one with this id. [`Error::Raced`] if it stands differently by now.
    pub async fn change_receiver(&self, from: &Receiver, to: &Receiver) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let changed = tx
            .execute(
                "UPDATE receivers SET name = $3, settings = $4, sealed = $5, updated_at_ms = $6,
                   answered = CASE WHEN settings = $4 THEN answered ELSE 0 END
                 WHERE account_id = $1 AND id = $2 AND name = $7 AND settings = $8 AND sealed = $9",
                args![
                    from.account,
                    from.id,
                    to.name.as_str(),
                    to.settings.as_str(),
                    to.sealed.clone(),
                    to.updated_at,
                    from.name.as_str(),
                    from.settings.as_str(),
                    from.sealed.clone()
                ],
            )
            .await?;
        if changed == 0 {
            let known: Vec<(ReceiverId,)> = tx
                .fetch(
                    "SELECT id FROM receivers WHERE account_id = $1 AND id = $2",
                    args![from.account, from.id],
                )
                .await?;
            return if known.is_empty() {
                Ok(false)
            } else {
                Err(Error::Raced)
            };
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Removes a receiver with what came to it. Whether there was one.
    pub async fn delete_receiver(&self, account: AccountId, id: ReceiverId) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let changed = tx
            .execute(
                "DELETE FROM receivers WHERE account_id = $1 AND id = $2",
                args![account, id],
            )
            .await?;
        tx.execute(
            "DELETE FROM receiver_requests WHERE account_id = $1 AND receiver_id = $2",
            args![account, id],
        )
        .await?;
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// Says until when somebody forwards what comes to a receiver; `None`: nobody does any more.
    pub async fn forward_receiver(
        &self,
        account: AccountId,
        id: ReceiverId,
        until: Option<Timestamp>,
    ) -> Result<(), Error> {
        self.execute(
            "UPDATE receivers SET forwarded_until_ms = $3 WHERE account_id = $1 AND id = $2",
            args![account, id, until],
        )
        .await
        .map(drop)
    }

    /// The receiver with this id.
    pub async fn receiver(
        &self,
        account: AccountId,
        id: ReceiverId,
    ) -> Result<Option<Receiver>, Error> {
        self.fetch_optional(
            &format!("SELECT {COLUMNS} FROM receivers WHERE account_id = $1 AND id = $2"),
            args![account, id],
        )
        .await
    }

    /// The receiver whose URL has a part with this SHA-256, whoever's it is: who knows the URL may send to it.
    pub async fn receiver_at(&self, token_hash: [u8; 32]) -> Result<Option<Receiver>, Error> {
        self.fetch_optional(
            &format!("SELECT {COLUMNS} FROM receivers WHERE token_hash = $1"),
            args![token_hash],
        )
        .await
    }

    /// A page of the account's receivers, newest first.
    pub async fn receivers(
        &self,
        account: AccountId,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Receiver>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM receivers WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
        );
        let rows = self
            .fetch(&sql, args![account, start(after), limit + 1])
            .await?;
        Ok(Page::of(rows, limit, |row: &Receiver| row.id.uuid()))
    }
}
