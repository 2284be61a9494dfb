//! Reading events and their evaluations.

use super::page::{Cursor, Page, start};
use super::row::record;
use super::scan::Scan;
use super::values::args;
use super::{Error, Store};
use crate::model::{AccountId, EventId, Timestamp};

/// One immutable occurrence.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Its event type's name.
    pub r#type: String,
    /// Its own time.
    pub occurred_at: Timestamp,
    /// What the client calls it.
    pub client_id: Option<String>,
    /// JSON text, exactly as it came.
    pub payload: Vec<u8>,
    /// An [`Origin`](crate::model::Origin) as JSON; `None`: it was sent to the API in its own form.
    pub origin: Option<String>,
}

record!(Event {
    id: "id",
    r#type: "type",
    occurred_at: "occurred_at_ms",
    client_id: "client_id",
    payload: "payload",
    origin: "origin",
});

impl Event {
    /// When it was accepted; one that an automation made: when it was made.
    pub fn accepted_at(&self) -> Timestamp {
        self.id.accepted_at(self.occurred_at)
    }
}

/// An event without its payload.
#[derive(Debug, Clone)]
pub struct EventHead {
    /// Its id.
    pub id: EventId,
    /// Its event type's name.
    pub r#type: String,
    /// Its own time.
    pub occurred_at: Timestamp,
    /// What the client calls it.
    pub client_id: Option<String>,
}

record!(EventHead {
    id: "id",
    r#type: "type",
    occurred_at: "occurred_at_ms",
    client_id: "client_id",
});

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only of this type.
    pub event_type: Option<String>,
}

impl Store {
    /// The event with this id.
    pub async fn event(&self, account: AccountId, id: EventId) -> Result<Option<Event>, Error> {
        self.fetch_optional(
            "SELECT id, type, occurred_at_ms, client_id, payload, origin FROM events WHERE account_id = $1 AND id = $2",
            args![account, id],
        )
        .await
    }

    /// A page of the account's events, newest first. Of those of one type at most
    /// [`SCANNED_ROWS_MAX`](crate::model::limits::SCANNED_ROWS_MAX) are looked at, so a page may be short, or
    /// empty, and have a next one.
    pub async fn events(
        &self,
        account: AccountId,
        filter: &EventFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<EventHead>, Error> {
        let scan = Scan {
            columns: "id, type, occurred_at_ms, client_id",
            within: "FROM events WHERE account_id = $1 AND id < $2".to_owned(),
            arguments: args![account, start(after)],
            keep: filter.event_type.as_deref().map(|name| ("type", name)),
        };
        self.scan(scan, limit, |row: &EventHead| row.id.uuid())
            .await
    }

    /// The packed evaluations of an event, a JSON array, which is empty if no automation was a
    /// candidate; `None` as long as it is not planned, and for ever if it was set aside.
    pub async fn verdicts(
        &self,
        account: AccountId,
        event: EventId,
    ) -> Result<Option<Vec<u8>>, Error> {
        let found: Option<(Vec<u8>,)> = self
            .fetch_optional(
                "SELECT verdicts FROM evaluations WHERE account_id = $1 AND event_id = $2",
                args![account, event],
            )
            .await?;
        Ok(found.map(|row| row.0))
    }

    /// Why an event in the inbox was set aside; the inner `None`: it was not, and waits to be
    /// evaluated. The outer `None`: it is not in the inbox, because it was planned or is not there.
    pub async fn inbox_state(
        &self,
        account: AccountId,
        event: EventId,
    ) -> Result<Option<Option<String>>, Error> {
        let found: Option<(Option<String>,)> = self
            .fetch_optional(
                "SELECT set_aside FROM inbox WHERE account_id = $1 AND event_id = $2",
                args![account, event],
            )
            .await?;
        Ok(found.map(|row| row.0))
    }
}
