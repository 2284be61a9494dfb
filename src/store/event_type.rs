//! The catalogue of event types: the account's own, and the operator's for every account, which
//! are kept under the nil id. What is written of one event type is one commit with what else is
//! written in the same breath, and only if it still is what it was for whoever decided on it.

use super::automation::Shelf;
use super::row::record;
use super::values::args;
use super::version::columns;
use super::{Authorship, Error, Store, Tx};
use crate::model::limits::EVENT_TYPES_PER_ACCOUNT_MAX;
use crate::model::{AccountId, Timestamp};

/// A catalogued name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTypeEntry {
    /// Such as `deal.stage.changed`.
    pub name: String,
    /// For people.
    pub description: String,
    /// Which heading it stands under.
    pub group: Option<String>,
    /// An example payload, JSON.
    pub example: Option<String>,
    /// Further ones, a JSON array.
    pub examples: Option<String>,
    /// The number of the last version of its schema; 0: there never was one.
    pub latest_version: i64,
    /// The version in force; `None`: nothing is asked of payloads.
    pub schema_version: Option<i64>,
    /// The schema in force, JSON; always `None` in lists.
    pub schema: Option<String>,
    /// SHA-256 of its one spelling.
    pub schema_digest: Option<Vec<u8>>,
    /// When it was put away.
    pub archived_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

record!(EventTypeEntry {
    name: "name",
    description: "description",
    group: "group_name",
    example: "example",
    examples: "examples",
    latest_version: "latest_version",
    schema_version: "schema_version",
    schema: "schema",
    schema_digest: "digest",
    archived_at: "archived_at_ms",
    created_at: "created_at_ms",
    updated_at: "updated_at_ms",
});

/// What becomes of one event type.
#[derive(Debug, Clone)]
pub struct EventTypeWrite {
    /// How it is for whoever decided; `None`: there is none of this name.
    pub from: Option<EventTypeEntry>,
    /// How it will be. A schema whose version is newer than the latest one of `from` is a new version.
    pub to: EventTypeEntry,
}

const COLUMNS: &str = "t.name, t.description, t.group_name, t.example, t.examples, t.latest_version, \
     t.schema_version, t.archived_at_ms, t.created_at_ms, t.updated_at_ms, v.digest";
const JOINED: &str = "event_types t LEFT JOIN event_type_versions v
       ON v.account_id = t.account_id AND v.name = t.name AND v.version = t.schema_version";

impl Store {
    /// Writes event types, all or none of them. [`Error::is_taken`] if one is there that should not be;
    /// [`Error::Raced`] if one is not any more what it was; [`Error::TooMany`].
    pub async fn write_event_types(
        &self,
        account: AccountId,
        writes: &[EventTypeWrite],
        by: &Authorship,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let mut are_more = false;
        for write in writes {
            if let Some(from) = &write.from {
                change(&mut tx, account, from, &write.to).await?;
            } else {
                are_more = true;
                insert(&mut tx, account, &write.to).await?;
            }
            let before = write.from.as_ref().map_or(0, |from| from.latest_version);
            if write.to.latest_version > before {
                insert_version(&mut tx, account, &write.to, by).await?;
            }
        }
        if are_more {
            let counted = "FROM event_types WHERE account_id = $1";
            let most = ("event types", EVENT_TYPES_PER_ACCOUNT_MAX);
            super::account::check_count(&mut tx, account, counted, most).await?;
        }
        tx.commit().await
    }

    /// Removes an event type and all its versions from the catalogue. Whether there was one of this name.
    pub async fn delete_event_type(&self, account: AccountId, name: &str) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let changed = tx
            .execute(
                "DELETE FROM event_types WHERE account_id = $1 AND name = $2",
                args![account, name],
            )
            .await?;
        tx.execute(
            "DELETE FROM event_type_versions WHERE account_id = $1 AND name = $2",
            args![account, name],
        )
        .await?;
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// The event type of this name, with its schema.
    pub async fn event_type(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<EventTypeEntry>, Error> {
        self.fetch_optional(
            &format!(
                "SELECT {COLUMNS}, v.schema FROM {JOINED} WHERE t.account_id = $1 AND t.name = $2"
            ),
            args![account, name],
        )
        .await
    }

    /// Up to `limit` event types, archived ones, too, by name, with their schemas.
    pub async fn whole_event_types(
        &self,
        account: AccountId,
        limit: usize,
    ) -> Result<Vec<EventTypeEntry>, Error> {
        self.fetch(
            &format!(
                "SELECT {COLUMNS}, v.schema FROM {JOINED} WHERE t.account_id = $1 ORDER BY t.name LIMIT $2"
            ),
            args![account, limit],
        )
        .await
    }

    /// Up to `limit` event types after `after`, by name, without their schemas.
    pub async fn event_types(
        &self,
        account: AccountId,
        which: Shelf,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<EventTypeEntry>, Error> {
        let put_away = match which {
            Shelf::Open => "AND t.archived_at_ms IS NULL",
            Shelf::All => "",
        };
        self.fetch(
            &format!(
                "SELECT {COLUMNS}, CAST(NULL AS TEXT) AS schema FROM {JOINED}
                 WHERE t.account_id = $1 AND t.name > $2 {put_away} ORDER BY t.name LIMIT $3"
            ),
            args![account, after.unwrap_or(""), limit],
        )
        .await
    }
}

async fn insert(tx: &mut Tx, account: AccountId, new: &EventTypeEntry) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO event_types (account_id, name, description, group_name, example, examples,
           latest_version, schema_version, archived_at_ms, created_at_ms, updated_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        args![
            account,
            new.name.as_str(),
            new.description.as_str(),
            new.group.clone(),
            new.example.clone(),
            new.examples.clone(),
            new.latest_version,
            new.schema_version,
            new.archived_at,
            new.created_at,
            new.updated_at
        ],
    )
    .await
    .map(drop)
}

async fn change(
    tx: &mut Tx,
    account: AccountId,
    from: &EventTypeEntry,
    to: &EventTypeEntry,
) -> Result<(), Error> {
    let changed = tx
        .execute(
            "UPDATE event_types SET description = $3, group_name = $4, example = $5, examples = $6,
               latest_version = $7, schema_version = $8, archived_at_ms = $9, updated_at_ms = $10
             WHERE account_id = $1 AND name = $2 AND description = $11
               AND group_name IS NOT DISTINCT FROM $12 AND example IS NOT DISTINCT FROM $13
               AND examples IS NOT DISTINCT FROM $14 AND latest_version = $15
               AND schema_version IS NOT DISTINCT FROM $16 AND archived_at_ms IS NOT DISTINCT FROM $17",
            args![
                account,
                from.name.as_str(),
                to.description.as_str(),
                to.group.clone(),
                to.example.clone(),
                to.examples.clone(),
                to.latest_version,
                to.schema_version,
                to.archived_at,
                to.updated_at,
                from.description.as_str(),
                from.group.clone(),
                from.example.clone(),
                from.examples.clone(),
                from.latest_version,
                from.schema_version,
                from.archived_at
            ],
        )
        .await?;
    if changed == 0 {
        return Err(Error::Raced);
    }
    Ok(())
}

async fn insert_version(
    tx: &mut Tx,
    account: AccountId,
    to: &EventTypeEntry,
    by: &Authorship,
) -> Result<(), Error> {
    let (key, name) = columns(by.author.as_ref());
    tx.execute(
        "INSERT INTO event_type_versions (account_id, name, version, schema, digest, author_key_id,
           author_name, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        args![
            account,
            to.name.as_str(),
            to.latest_version,
            to.schema.clone(),
            to.schema_digest.clone().map(bytes::Bytes::from),
            key,
            name,
            by.at
        ],
    )
    .await
    .map(drop)
}
