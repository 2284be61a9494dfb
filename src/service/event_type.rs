//! The catalogue of event types. An account sees its own and the installation's; its own shadows
//! the installation's of the same name. An operator key that names no account writes the
//! installation's.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::json::nullable;
use super::page::cursor_text;
use super::principal::{MayReadCatalogue, MayWriteCatalogue, NO_ACCOUNT, Principal};
use super::{Error, Listed, Merges, PageRequest, Service, check, payload};
use crate::automation::EventType;
use crate::model::{AccountId, Timestamp};
use crate::store::EventTypeEntry;

/// An event type to be catalogued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEventType {
    /// The type's name, such as `deal.stage.changed`: names of ASCII letters, digits, `_` and `-`, joined by
    /// dots; 200 bytes at most.
    pub name: String,
    /// What it means, for people who choose among event types: 10000 bytes at most.
    #[serde(default)]
    pub description: String,
    /// The heading that it stands under: 1 to 200 bytes, on one line.
    pub group: Option<String>,
    /// An example payload: any JSON value, as large as a payload may be.
    #[schema(value_type = Option<serde_json::Value>)]
    pub example: Option<Box<RawValue>>,
}

/// What can be changed of an event type.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventTypePatch {
    /// What it means, for people who choose among event types: 10000 bytes at most.
    pub description: Option<String>,
    /// The heading that it stands under: 1 to 200 bytes, on one line; null: none.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub group: Option<Option<String>>,
    /// An example payload: any JSON value, as large as a payload may be; null: none.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub example: Option<Option<Box<RawValue>>>,
}

/// A catalogued event type.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventTypeView {
    /// The type's name, such as `deal.stage.changed`.
    pub name: String,
    /// What it means, for people who choose among event types.
    pub description: String,
    /// The heading that it stands under; null: none.
    pub group: Option<String>,
    /// An example payload; null: none.
    #[schema(value_type = Option<serde_json::Value>)]
    pub example: Option<Box<RawValue>>,
    /// Whose entry it is: `installation` (every account sees it) or `account`.
    pub owner: &'static str,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl EventTypeView {
    fn of(owner: AccountId, row: EventTypeEntry) -> Self {
        Self {
            name: row.name,
            description: row.description,
            group: row.group,
            example: row
                .example
                .and_then(|text| RawValue::from_string(text).ok()),
            owner: if owner == NO_ACCOUNT {
                "installation"
            } else {
                "account"
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl Service {
    /// Adds an event type.
    pub async fn create_event_type(
        &self,
        who: &Principal<MayWriteCatalogue>,
        new: NewEventType,
    ) -> Result<EventTypeView, Error> {
        new.name
            .parse::<EventType>()
            .map_err(|error| Error::field("/name", error))?;
        let now = self.inner.clock.now();
        let row = EventTypeEntry {
            name: new.name,
            description: new.description,
            group: new.group,
            example: new.example.map(|example| example.get().to_owned()),
            created_at: now,
            updated_at: now,
        };
        self.check_event_type(&row)?;
        match self
            .inner
            .store
            .create_event_type(who.account(), &row)
            .await
        {
            Ok(()) => Ok(EventTypeView::of(who.account(), row)),
            Err(error) if error.is_taken() => Err(Error::Conflict {
                code: "name_taken",
                why: format!(
                    "the event type '{}' is catalogued already: PATCH it",
                    row.name
                ),
            }),
            Err(error) => Err(error.into()),
        }
    }

    fn check_event_type(&self, row: &EventTypeEntry) -> Result<(), Error> {
        check::description(&row.description, "/description")?;
        if let Some(group) = &row.group {
            check::name(group, "/group")?;
        }
        if let Some(example) = &row.example {
            payload::check(example.as_bytes(), self.inner.rules.payload_bytes_max)?;
        }
        Ok(())
    }

    /// A page of the event types that the principal sees, by name.
    pub async fn event_types(
        &self,
        who: &Principal<MayReadCatalogue>,
        page: &PageRequest,
    ) -> Result<Listed<EventTypeView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let (limit, after) = (page.limit()?, page.after_name()?);
        let mut rows: Vec<(AccountId, EventTypeEntry)> = Vec::new();
        // One's own first: a stable sort and a dedup leave those where both have the name.
        let owners = if who.account() == NO_ACCOUNT {
            vec![NO_ACCOUNT]
        } else {
            vec![who.account(), NO_ACCOUNT]
        };
        for owner in owners {
            let found = self
                .inner
                .store
                .event_types(owner, after.as_deref(), limit + 1)
                .await?;
            rows.extend(found.into_iter().map(|row| (owner, row)));
        }
        rows.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        rows.dedup_by(|(_, b), (_, a)| a.name == b.name);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows
            .last()
            .filter(|_| more)
            .map(|(_, row)| cursor_text(&row.name));
        let data = rows
            .into_iter()
            .map(|(owner, row)| EventTypeView::of(owner, row))
            .collect();
        Ok(Listed { data, next_cursor })
    }

    /// The event type of this name that the principal sees.
    pub async fn event_type(
        &self,
        who: &Principal<MayReadCatalogue>,
        name: &str,
    ) -> Result<EventTypeView, Error> {
        let name: EventType = check::id(name, "event type")?;
        for owner in [who.account(), NO_ACCOUNT] {
            let found = self.inner.store.event_type(owner, name.as_str()).await?;
            if let Some(row) = found {
                return Ok(EventTypeView::of(owner, row));
            }
        }
        Err(Error::NotFound("event type"))
    }

    /// Changes one of the principal's own event types.
    pub async fn change_event_type(
        &self,
        who: &Principal<MayWriteCatalogue>,
        name: &str,
        patch: EventTypePatch,
    ) -> Result<EventTypeView, Error> {
        let name: EventType = check::id(name, "event type")?;
        let mut merges = Merges::default();
        loop {
            let done = self.merge_event_type(who.account(), &name, &patch).await;
            if !merges.go_on(&done) {
                return done;
            }
        }
    }

    /// Lays the changes over the event type as it is now, unless somebody else changes it meanwhile.
    async fn merge_event_type(
        &self,
        owner: AccountId,
        name: &EventType,
        patch: &EventTypePatch,
    ) -> Result<EventTypeView, Error> {
        let found = self.inner.store.event_type(owner, name.as_str()).await?;
        let from = found.ok_or(Error::NotFound("event type"))?;
        let mut to = from.clone();
        if let Some(description) = &patch.description {
            to.description.clone_from(description);
        }
        if let Some(group) = &patch.group {
            to.group.clone_from(group);
        }
        if let Some(example) = &patch.example {
            to.example = example.as_ref().map(|example| example.get().to_owned());
        }
        to.updated_at = self.inner.clock.now();
        self.check_event_type(&to)?;
        if self
            .inner
            .store
            .change_event_type(owner, &from, &to)
            .await?
        {
            Ok(EventTypeView::of(owner, to))
        } else {
            Err(Error::NotFound("event type"))
        }
    }

    /// Removes one of the principal's own event types from the catalogue.
    pub async fn delete_event_type(
        &self,
        who: &Principal<MayWriteCatalogue>,
        name: &str,
    ) -> Result<(), Error> {
        let name: EventType = check::id(name, "event type")?;
        let gone = self
            .inner
            .store
            .delete_event_type(who.account(), name.as_str())
            .await?;
        if gone {
            Ok(())
        } else {
            Err(Error::NotFound("event type"))
        }
    }
}
