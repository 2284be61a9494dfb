//! Walking through past events, oldest first and a bounded number at a time: heads without payloads, then
//! the payloads that are needed. Tests are no past events.

use super::row::record;
use super::values::{Columns, Kind, Rows, Shape, args, values};
use super::{Error, Store};
use crate::model::{AccountId, EventId, Timestamp};

/// A past event without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastEvent {
    /// Its id.
    pub id: EventId,
    /// Its event type's name.
    pub r#type: String,
    /// Its own time.
    pub occurred_at: Timestamp,
    /// What it tells of its way in, JSON; `None`: nothing.
    pub origin: Option<String>,
    /// What made it, as its cause is written; `None`: it came in from outside, or is an operational event.
    pub cause: Option<String>,
    /// How long its payload is.
    pub payload_bytes: i64,
}

record!(PastEvent {
    id: "id",
    r#type: "type",
    occurred_at: "occurred_at_ms",
    origin: "origin",
    cause: "cause",
    payload_bytes: "payload_bytes",
});

const REFERENCES: Columns = &[("account_id", Kind::Uuid), ("event_id", Kind::Uuid)];

const HEADS_SQL: &str = "
    SELECT e.id, e.type, e.occurred_at_ms, e.origin, c.cause,
      CAST(LENGTH(e.payload) AS BIGINT) AS payload_bytes
    FROM v JOIN events e ON e.account_id = v.account_id AND e.id = v.event_id
    LEFT JOIN causes c ON c.account_id = e.account_id AND c.event_id = e.id
    WHERE e.test IS NULL";

const PAYLOADS_SQL: &str = "
    SELECT e.id, e.payload FROM v JOIN events e ON e.account_id = v.account_id AND e.id = v.event_id
    WHERE LENGTH(e.payload) > 0";

const VERDICTS_SQL: &str = "
    SELECT e.event_id, e.verdicts FROM v
    JOIN evaluations e ON e.account_id = v.account_id AND e.event_id = v.event_id";

impl Store {
    /// The ids of up to `limit` events before one and not before another, newest first.
    pub async fn event_ids(
        &self,
        account: AccountId,
        (from, before): (EventId, EventId),
        limit: usize,
    ) -> Result<Vec<EventId>, Error> {
        let found: Vec<(EventId,)> = self
            .fetch(
                "SELECT id FROM events WHERE account_id = $1 AND id >= $2 AND id < $3 AND test IS NULL
                 ORDER BY id DESC LIMIT $4",
                args![account, from, before, limit],
            )
            .await?;
        Ok(found.into_iter().map(|row| row.0).collect())
    }

    /// Up to `limit` events after one and before another, oldest first.
    pub async fn past_events(
        &self,
        account: AccountId,
        (after, before): (EventId, EventId),
        limit: usize,
    ) -> Result<Vec<PastEvent>, Error> {
        self.fetch(
            "SELECT e.id, e.type, e.occurred_at_ms, e.origin, c.cause,
               CAST(LENGTH(e.payload) AS BIGINT) AS payload_bytes
             FROM events e LEFT JOIN causes c ON c.account_id = e.account_id AND c.event_id = e.id
             WHERE e.account_id = $1 AND e.id > $2 AND e.id < $3 AND e.test IS NULL ORDER BY e.id LIMIT $4",
            args![account, after, before, limit],
        )
        .await
    }

    /// Those of these events that there are, oldest first.
    pub async fn past_events_of(
        &self,
        account: AccountId,
        ids: &[EventId],
    ) -> Result<Vec<PastEvent>, Error> {
        let rows = references(account, ids);
        let found = self.backend.fetch_rows(rows, Shape::Query(HEADS_SQL));
        let mut found: Vec<PastEvent> = found.await?;
        found.sort_by_key(|event| event.id);
        Ok(found)
    }

    /// The payloads of those of these events that still have theirs, in any order.
    pub async fn payloads(
        &self,
        account: AccountId,
        ids: &[EventId],
    ) -> Result<Vec<(EventId, Vec<u8>)>, Error> {
        let rows = references(account, ids);
        self.backend
            .fetch_rows(rows, Shape::Query(PAYLOADS_SQL))
            .await
    }

    /// The packed evaluations of those of these events that have some, in any order.
    pub async fn verdicts_of(
        &self,
        account: AccountId,
        ids: &[EventId],
    ) -> Result<Vec<(EventId, Vec<u8>)>, Error> {
        let rows = references(account, ids);
        self.backend
            .fetch_rows(rows, Shape::Query(VERDICTS_SQL))
            .await
    }
}

fn references(account: AccountId, ids: &[EventId]) -> Rows {
    let mut rows = Rows::new(REFERENCES, ids.len());
    for id in ids {
        rows.push(values![account, *id]);
    }
    rows
}
