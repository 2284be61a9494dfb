//! Events that are made here and not sent from outside: by automations, and by the product itself. They are
//! written in the transaction of what makes them, each with its inbox row at the revision that its account has
//! then, and told to the pipeline of this process once they are durable. Made twice, they are there once.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::backend::Tx;
use super::row::record;
use super::values::{Columns, Kind, Rows, Shape, args, values};
use super::{Error, Store};
use crate::automation::EventType;
use crate::model::{AccountId, Cause, EventId, IncarnationId, Timestamp};

/// An event to be made.
#[derive(Debug, Clone)]
pub(super) struct NewMade {
    pub(super) account: AccountId,
    pub(super) id: EventId,
    pub(super) event_type: EventType,
    pub(super) occurred_at: Timestamp,
    pub(super) payload: Bytes,
    /// What made it; `None`: the product itself.
    pub(super) cause: Option<Arc<Cause>>,
}

/// An event that was made, and waits to be evaluated.
#[derive(Debug, Clone)]
pub struct MadeEvent {
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: EventId,
    /// As of which revision it is to be evaluated.
    pub revision: i64,
    /// In whose inbox it is.
    pub holder: IncarnationId,
    /// Its type.
    pub event_type: EventType,
    /// When it was made.
    pub occurred_at: Timestamp,
    /// JSON text.
    pub payload: Bytes,
    /// What made it; `None`: the product itself.
    pub cause: Option<Arc<Cause>>,
}

/// An event that an automation has made, and what led to it.
#[derive(Debug, Clone)]
pub(super) struct CauseRow {
    pub(super) cause: String,
}

record!(CauseRow { cause: "cause" });

const EVENT_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("type", Kind::Text),
    ("occurred_at_ms", Kind::Int),
    ("payload", Kind::Bytes),
];

const INBOX_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("revision", Kind::Int),
    ("holder", Kind::Uuid),
];

const CAUSE_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("cause", Kind::Text),
    ("operational", Kind::Int),
];

/// Writes events into the inbox of `holder`, those of no account and those that are there already left out. They
/// are told once the transaction is durable, in the order in which they were made: by it they are evaluated.
pub(super) async fn write(
    tx: &mut Tx,
    holder: IncarnationId,
    mut events: Vec<NewMade>,
) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let revisions = super::account::revisions(tx, events.iter().map(|event| event.account)).await?;
    events.retain(|event| revisions.contains_key(&event.account));
    // Their rows are written in one order on all nodes.
    let mut by_id: Vec<&NewMade> = events.iter().collect();
    by_id.sort_by_key(|event| (event.account, event.id));
    let mut rows = Rows::new(EVENT_COLUMNS, by_id.len());
    for event in by_id {
        rows.push(values![
            event.account,
            event.id,
            event.event_type.as_str(),
            event.occurred_at,
            event.payload.clone()
        ]);
    }
    let insert = Shape::Insert {
        into: "events",
        tail: "ON CONFLICT DO NOTHING RETURNING id",
    };
    let new: Vec<(EventId,)> = tx.fetch_rows(rows, insert).await?;
    let new: HashSet<EventId> = new.into_iter().map(|row| row.0).collect();
    events.retain(|event| new.contains(&event.id));
    let mut inbox = Rows::new(INBOX_COLUMNS, events.len());
    let mut causes = Rows::new(CAUSE_COLUMNS, 0);
    let mut made = Vec::with_capacity(events.len());
    for event in events {
        let revision = revisions[&event.account];
        inbox.push(values![event.account, event.id, revision, holder]);
        if let Some(cause) = &event.cause {
            let operational = i64::from(cause.is_operational());
            causes.push(values![
                event.account,
                event.id,
                cause.to_text(),
                operational
            ]);
        }
        made.push(MadeEvent {
            account: event.account,
            id: event.id,
            revision,
            holder,
            event_type: event.event_type,
            occurred_at: event.occurred_at,
            payload: event.payload,
            cause: event.cause,
        });
    }
    for (rows, into) in [(inbox, "inbox"), (causes, "causes")] {
        tx.execute_rows(rows, Shape::Insert { into, tail: "" })
            .await?;
    }
    tx.made(made);
    Ok(())
}

impl Store {
    /// What made an event; `None`: nothing that is on record, as of all that came in from outside.
    pub async fn cause(&self, account: AccountId, event: EventId) -> Result<Option<Cause>, Error> {
        if !event.is_derived() {
            return Ok(None);
        }
        let found: Option<CauseRow> = self
            .fetch_optional(
                "SELECT cause FROM causes WHERE account_id = $1 AND event_id = $2",
                args![account, event],
            )
            .await?;
        let read = found.map(|row| Cause::parse(&row.cause)).transpose();
        read.map_err(|error| Error::Corrupt {
            what: "an event's cause",
            why: error.to_string(),
        })
    }

    /// Has `listener` called with the events that this process has made, as soon as they are durable and before
    /// whoever asked for what made them has an answer. It replaces the one before.
    pub fn on_made(&self, listener: impl Fn(Vec<MadeEvent>) + Send + Sync + 'static) {
        self.revisions.tell_made(Box::new(listener));
    }
}
