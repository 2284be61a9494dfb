//! Accepting: the event, its keys and its inbox row. Rows are sorted by key, so that nodes can't
//! deadlock.

use std::sync::Arc;

use bytes::Bytes;

use super::Error;
use super::backend::Tx;
use super::event_violation::{self, EventViolations};
use super::values::{Columns, Kind, Rows, Shape, values};
use crate::automation::EventType;
use crate::model::{AccountId, EventId, IncarnationId, Origin, Timestamp, words};

/// An event to be accepted.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Whose.
    pub account: AccountId,
    /// Minted by the caller.
    pub id: EventId,
    /// The event type's name.
    pub event_type: EventType,
    /// The event's own time.
    pub occurred_at: Timestamp,
    /// JSON text, exactly as it came.
    pub payload: Bytes,
    /// What it tells of its way in; `None`: it was sent to the API in its own form.
    pub origin: Option<Arc<Origin>>,
    /// What the client calls it; makes a repeat recognisable.
    pub keys: Vec<NewKey>,
    /// SHA-256 of what must be the same in a repeat; nobody looks at it where there are no keys.
    pub body_hash: [u8; 32],
    /// What of its payload does not fit its type's schema, if it is accepted all the same.
    pub violations: Option<Box<EventViolations>>,
}

/// A name that a client gave to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Whose word it is: what two kinds say never meets.
    pub kind: KeyOf,
    /// The client's text.
    pub key: String,
    /// When it may be used again; `None`: as long as the event.
    pub expires_at: Option<Timestamp>,
}

/// Whose word a name of an event is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyOf {
    /// The id that whoever sends to the API gives.
    #[default]
    Sender,
    /// The source and the id of a CloudEvent.
    CloudEvent,
    /// A source of the account, and what its sender calls the event.
    Source,
    /// A schedule, and the time of its occurrence.
    Schedule,
    /// An idempotency key.
    Idempotency,
}

words!(KeyOf {
    Sender = "id",
    CloudEvent = "cloudevent",
    Source = "source",
    Schedule = "schedule",
    Idempotency = "key",
});

/// What became of an event that was to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is durable, and will be evaluated as of this revision of its account.
    New {
        /// The account's revision.
        revision: i64,
    },
    /// The same event came before, under this id.
    Same {
        /// The first one.
        event: EventId,
    },
    /// Another event has the same client id or idempotency key.
    Conflict {
        /// The first one.
        event: EventId,
    },
    /// There is no such account.
    NoAccount,
}

const EVENT_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("type", Kind::Text),
    ("occurred_at_ms", Kind::Int),
    ("client_id", Kind::Text),
    ("payload", Kind::Bytes),
    ("origin", Kind::Text),
];

const INBOX_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("revision", Kind::Int),
    ("holder", Kind::Uuid),
];

pub(super) async fn write(
    tx: &mut Tx,
    holder: IncarnationId,
    events: &[Arc<NewEvent>],
) -> Result<Vec<Accepted>, Error> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let revisions = super::account::revisions(tx, events.iter().map(|event| event.account)).await?;
    let repeats =
        super::event_key::claim(tx, events, |account| revisions.contains_key(&account)).await?;
    let mut outcomes = Vec::with_capacity(events.len());
    let mut order: Vec<(usize, i64)> = Vec::with_capacity(events.len());
    for (place, event) in events.iter().enumerate() {
        outcomes.push(
            match (revisions.get(&event.account), repeats.get(&event.id)) {
                (None, _) => Accepted::NoAccount,
                (_, Some(repeat)) => *repeat,
                (Some(revision), None) => {
                    order.push((place, *revision));
                    Accepted::New {
                        revision: *revision,
                    }
                }
            },
        );
    }
    order.sort_by_key(|(place, _)| (events[*place].account, events[*place].id));
    let mut rows = Rows::new(EVENT_COLUMNS, order.len());
    let mut inbox = Rows::new(INBOX_COLUMNS, order.len());
    let mut marked: Vec<&NewEvent> = Vec::new();
    for (place, revision) in order {
        let event = &events[place];
        rows.push(values![
            event.account,
            event.id,
            event.event_type.as_str(),
            event.occurred_at,
            event
                .keys
                .iter()
                .find(|key| key.kind != KeyOf::Idempotency)
                .map(|key| key.key.as_str()),
            event.payload.clone(),
            event.origin.as_deref().map(Origin::to_text)
        ]);
        inbox.push(values![event.account, event.id, revision, holder]);
        if event.violations.is_some() {
            marked.push(event);
        }
    }
    tx.execute_rows(
        rows,
        Shape::Insert {
            into: "events",
            tail: "",
        },
    )
    .await?;
    tx.execute_rows(
        inbox,
        Shape::Insert {
            into: "inbox",
            tail: "",
        },
    )
    .await?;
    event_violation::write(tx, &marked).await?;
    Ok(outcomes)
}
