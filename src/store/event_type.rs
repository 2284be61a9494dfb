//! The catalogue of event types: the account's own, and the operator's for every account, which
//! are kept under the nil id.

use super::row::record;
use super::values::args;
use super::{Error, Store};
use crate::model::{AccountId, Timestamp};

/// A catalogued name.
#[derive(Debug, Clone)]
pub struct EventTypeEntry {
    /// Such as `deal.stage.changed`.
    pub name: String,
    /// For people.
    pub description: String,
    /// Which heading it stands under.
    pub group: Option<String>,
    /// An example payload, JSON.
    pub example: Option<String>,
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
    created_at: "created_at_ms",
    updated_at: "updated_at_ms",
});

const COLUMNS: &str = "name, description, group_name, example, created_at_ms, updated_at_ms";

impl Store {
    /// Adds an event type. [`Error::is_taken`] if there is one of this name.
    pub async fn create_event_type(
        &self,
        account: AccountId,
        new: &EventTypeEntry,
    ) -> Result<(), Error> {
        self.execute(
            "INSERT INTO event_types (account_id, name, description, group_name, example, created_at_ms, updated_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            args![
                account,
                new.name.as_str(),
                new.description.as_str(),
                new.group.clone(),
                new.example.clone(),
                new.created_at,
                new.updated_at
            ],
        )
        .await
        .map(drop)
    }

    /// Replaces what is said of an event type, made from what was read (`from`). Whether there is one of
    /// this name. [`Error::Raced`] if something else is said of it by now.
    pub async fn change_event_type(
        &self,
        account: AccountId,
        from: &EventTypeEntry,
        to: &EventTypeEntry,
    ) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let changed = tx
            .execute(
                "UPDATE event_types SET description = $3, group_name = $4, example = $5, updated_at_ms = $6
                 WHERE account_id = $1 AND name = $2 AND description = $7
                   AND group_name IS NOT DISTINCT FROM $8 AND example IS NOT DISTINCT FROM $9",
                args![
                    account,
                    from.name.as_str(),
                    to.description.as_str(),
                    to.group.clone(),
                    to.example.clone(),
                    to.updated_at,
                    from.description.as_str(),
                    from.group.clone(),
                    from.example.clone()
                ],
            )
            .await?;
        if changed == 0 {
            let known: Vec<(String,)> = tx
                .fetch(
                    "SELECT name FROM event_types WHERE account_id = $1 AND name = $2",
                    args![account, from.name.as_str()],
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

    /// Removes an event type from the catalogue. Whether there was one of this name.
    pub async fn delete_event_type(&self, account: AccountId, name: &str) -> Result<bool, Error> {
        let changed = self
            .execute(
                "DELETE FROM event_types WHERE account_id = $1 AND name = $2",
                args![account, name],
            )
            .await?;
        Ok(changed > 0)
    }

    /// The event type of this name.
    pub async fn event_type(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<EventTypeEntry>, Error> {
        self.fetch_optional(
            &format!("SELECT {COLUMNS} FROM event_types WHERE account_id = $1 AND name = $2"),
            args![account, name],
        )
        .await
    }

    /// Up to `limit` event types after `after`, by name.
    pub async fn event_types(
        &self,
        account: AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<EventTypeEntry>, Error> {
        self.fetch(
            &format!(
                "SELECT {COLUMNS} FROM event_types WHERE account_id = $1 AND name > $2 ORDER BY name LIMIT $3"
            ),
            args![account, after.unwrap_or(""), limit],
        )
        .await
    }
}
