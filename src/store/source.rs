//! Sources: where others send webhooks to, found by the hash of a part of their URL.

use bytes::Bytes;

use super::page::{Cursor, Page, start};
use super::row::record;
use super::source_secret::insert_secret;
use super::values::args;
use super::{Error, Store, account};
use crate::model::limits::SOURCES_PER_ACCOUNT_MAX;
use crate::model::{AccountId, SecretId, SourceId, Timestamp};

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: SourceId,
    /// For people; no two of an account have the same.
    pub name: String,
    /// The last part of its URL, sealed.
    pub path_sealed: Vec<u8>,
    /// JSON.
    pub settings: String,
    /// Whether it takes what is sent to it.
    pub enabled: bool,
    /// How many requests it has refused.
    pub refused: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

record!(Source {
    account: "account_id",
    id: "id",
    name: "name",
    path_sealed: "path_sealed",
    settings: "settings",
    enabled: "enabled",
    refused: "refused",
    created_at: "created_at_ms",
    updated_at: "updated_at_ms",
});

/// A source to be made.
#[derive(Debug, Clone)]
pub struct NewSource {
    /// The source.
    pub source: Source,
    /// SHA-256 of the last part of its URL.
    pub path_hash: [u8; 32],
    /// What its sender signs with, sealed; `None`, if it does not sign.
    pub secret: Option<(SecretId, Bytes)>,
}

const COLUMNS: &str = "account_id, id, name, path_sealed, settings, enabled, refused, created_at_ms, \
     updated_at_ms";

impl Store {
    /// Makes a source. [`Error::is_taken`] if the account has one of this name.
    pub async fn create_source(&self, new: &NewSource) -> Result<(), Error> {
        let source = &new.source;
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, source.account).await?;
        tx.execute(
            &format!(
                "INSERT INTO sources ({COLUMNS}, path_hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
            ),
            args![
                source.account,
                source.id,
                source.name.as_str(),
                source.path_sealed.clone(),
                source.settings.as_str(),
                source.enabled,
                source.refused,
                source.created_at,
                source.updated_at,
                new.path_hash
            ],
        )
        .await?;
        if let Some((id, sealed)) = &new.secret {
            let secret = (*id, sealed.clone(), source.created_at);
            insert_secret(&mut tx, source.account, source.id, secret).await?;
        }
        let limit = ("sources", SOURCES_PER_ACCOUNT_MAX);
        account::check_count(
            &mut tx,
            source.account,
            "FROM sources WHERE account_id = $1",
            limit,
        )
        .await?;
        tx.commit().await
    }

    /// Replaces what can be changed of a source, made from what was read (`from`). Whether there is one with
    /// this id. [`Error::Raced`] if it stands differently by now, [`Error::is_taken`] if another has the
    /// name.
    pub async fn change_source(&self, from: &Source, to: &Source) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, from.account).await?;
        let changed = tx
            .execute(
                "UPDATE sources SET name = $3, settings = $4, enabled = $5, updated_at_ms = $6
                 WHERE account_id = $1 AND id = $2 AND name = $7 AND settings = $8 AND enabled = $9",
                args![
                    from.account,
                    from.id,
                    to.name.as_str(),
                    to.settings.as_str(),
                    to.enabled,
                    to.updated_at,
                    from.name.as_str(),
                    from.settings.as_str(),
                    from.enabled
                ],
            )
            .await?;
        if changed == 0 {
            let known: Vec<(SourceId,)> = tx
                .fetch(
                    "SELECT id FROM sources WHERE account_id = $1 AND id = $2",
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

    /// Removes a source with its secrets and its refusals. Whether there was one.
    pub async fn delete_source(&self, account: AccountId, id: SourceId) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        let changed = tx
            .execute(
                "DELETE FROM sources WHERE account_id = $1 AND id = $2",
                args![account, id],
            )
            .await?;
        if changed == 0 {
            return Ok(false);
        }
        for table in ["source_secrets", "source_refusals"] {
            tx.execute(
                &format!("DELETE FROM {table} WHERE account_id = $1 AND source_id = $2"),
                args![account, id],
            )
            .await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// The source with this id.
    pub async fn source(&self, account: AccountId, id: SourceId) -> Result<Option<Source>, Error> {
        self.fetch_optional(
            &format!("SELECT {COLUMNS} FROM sources WHERE account_id = $1 AND id = $2"),
            args![account, id],
        )
        .await
    }

    /// The source whose URL ends with what has this SHA-256, whoever's it is: who knows the URL is at its
    /// door.
    pub async fn source_at(&self, path_hash: [u8; 32]) -> Result<Option<Source>, Error> {
        self.fetch_optional(
            &format!("SELECT {COLUMNS} FROM sources WHERE path_hash = $1"),
            args![path_hash],
        )
        .await
    }

    /// A page of the account's sources, newest first.
    pub async fn sources(
        &self,
        account: AccountId,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Source>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM sources WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
        );
        let rows = self
            .fetch(&sql, args![account, start(after), limit + 1])
            .await?;
        Ok(Page::of(rows, limit, |row: &Source| row.id.uuid()))
    }
}
