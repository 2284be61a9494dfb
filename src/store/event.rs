//! Reading events and their evaluations.

use super::page::{Cursor, Page, Span};
use super::row::record;
use super::scan::{Scan, Term};
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
    /// JSON text, exactly as it came; empty, which no JSON is, once it is not kept any more.
    pub payload: Vec<u8>,
    /// An [`Origin`](crate::model::Origin) as JSON; `None`: it was sent to the API in its own form.
    pub origin: Option<String>,
    /// Set if it is a test.
    pub test: Option<i64>,
}

record!(Event {
    id: "id",
    r#type: "type",
    occurred_at: "occurred_at_ms",
    client_id: "client_id",
    payload: "payload",
    origin: "origin",
    test: "test",
});

impl Event {
    /// When it was accepted; one that an automation made: when it was made.
    pub fn accepted_at(&self) -> Timestamp {
        self.id.accepted_at(self.occurred_at)
    }

    /// Whether its payload is still kept.
    pub fn has_payload(&self) -> bool {
        !self.payload.is_empty()
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
    /// Set if it is a test.
    pub test: Option<i64>,
}

record!(EventHead {
    id: "id",
    r#type: "type",
    occurred_at: "occurred_at_ms",
    client_id: "client_id",
    test: "test",
});

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only of this type.
    pub event_type: Option<String>,
    /// Only those that were accepted then; of one that an automation made, the first of all that led to it.
    pub span: Span,
}

impl EventFilter {
    fn scan<'a>(&self, account: AccountId, after: Option<Cursor>, columns: &'a str) -> Scan<'a> {
        let (before, first) = self.span.ends(after);
        let of_type = |name: &String| Term::with("type = {}", name.as_str());
        Scan {
            columns,
            within: "FROM events WHERE account_id = $1 AND id < $2 AND id >= $3".to_owned(),
            arguments: args![account, before, first],
            keep: self.event_type.iter().map(of_type).collect(),
        }
    }
}

impl Store {
    /// The event with this id.
    pub async fn event(&self, account: AccountId, id: EventId) -> Result<Option<Event>, Error> {
        self.fetch_optional(
            "SELECT id, type, occurred_at_ms, client_id, payload, origin, test FROM events WHERE account_id = $1 AND id = $2",
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
        let scan = filter.scan(account, after, "id, type, occurred_at_ms, client_id, test");
        self.scan(scan, limit, |row: &EventHead| row.id.uuid())
            .await
    }

    /// The same with payloads.
    pub async fn whole_events(
        &self,
        account: AccountId,
        filter: &EventFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Event>, Error> {
        let scan = filter.scan(
            account,
            after,
            "id, type, occurred_at_ms, client_id, payload, origin, test",
        );
        self.scan(scan, limit, |row: &Event| row.id.uuid()).await
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
