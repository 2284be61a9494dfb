//! Recording: the attempt, the delivery's next state, and what both mean for the endpoint.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::Error;
use super::backend::Tx;
use super::mail_matter::{self, Happened};
use super::mark::{self, Marked};
use super::operational::{self, Alert, Topic};
use super::order;
use super::row::record;
use super::tally;
use super::values::{Columns, Kind, Rows, Shape, Value, values};
use crate::automation::OPERATIONAL_PREFIX;
use crate::failure::{FailurePolicy, Outcome};
use crate::model::{
    AccountId, AttemptId, AttemptResult, AutomationId, DeliveryId, DeliveryState, EndpointId,
    EventId, Failure, IncarnationId, OrderKey, Timestamp,
};

/// One attempt and the state that follows from it.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// Whose.
    pub account: AccountId,
    /// Which delivery.
    pub delivery: DeliveryId,
    /// Where it went.
    pub endpoint: EndpointId,
    /// What happened; `None`: no request was made.
    pub attempt: Option<NewAttempt>,
    /// How many attempts are counted now.
    pub attempts_made: u16,
    /// What follows.
    pub next: DeliveryState,
    /// What it says about the endpoint; `None`: no request was made, or nobody lived to hear of it.
    pub mark: Option<EndpointMark>,
    /// What the delivery keeps its order with.
    pub order: Option<OrderKey>,
    /// What of it is told, by operational events.
    pub tells: Tells,
}

/// What of an attempt is told by operational events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tells {
    /// Nothing but that its endpoint is disabled: it carries an operational event itself, and what those come to
    /// makes no more of them.
    Nothing,
    /// What it means for the endpoint.
    OfEndpoint,
    /// Also that the delivery was given up: somebody wants to know.
    OfDelivery,
}

/// One HTTP request, and what came back.
#[derive(Debug, Clone)]
pub struct NewAttempt {
    /// Its id.
    pub id: AttemptId,
    /// Its number within the delivery, from 1.
    pub no: u16,
    /// What came back.
    pub result: AttemptResult,
    /// A sentence about a failure.
    pub message: Option<String>,
    /// The beginning of the answer's body.
    pub response: Option<Bytes>,
    /// What left and what came back besides; `None`: no request was made.
    pub trace: Option<Bytes>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: i64,
}

/// What an attempt means for its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointMark {
    /// What came of it.
    pub outcome: Outcome,
    /// When it ended.
    pub at: Timestamp,
    /// What decides about the endpoint that was asked.
    pub policy: FailurePolicy,
    /// The `updated_at` of the endpoint that was asked: changed since, it is another one.
    pub asked: Timestamp,
}

const ATTEMPT_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("delivery_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("no", Kind::Int),
    ("status_code", Kind::Int),
    ("error_class", Kind::Text),
    ("message", Kind::Text),
    ("response", Kind::Bytes),
    ("started_at_ms", Kind::Int),
    ("duration_ms", Kind::Int),
    ("endpoint_id", Kind::Uuid),
    ("trace", Kind::Bytes),
];

const STATE_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("state", Kind::Text),
    ("due_at_ms", Kind::Int),
    ("failure", Kind::Text),
    ("attempts_made", Kind::Int),
    ("settled_at_ms", Kind::Int),
];

/// The endpoints that were disabled by it, and why.
pub(super) async fn write(
    tx: &mut Tx,
    holder: IncarnationId,
    in_turn: &[Arc<NewRecord>],
) -> Result<Vec<mark::Disabled>, Error> {
    if in_turn.is_empty() {
        return Ok(Vec::new());
    }
    let mut records: Vec<&NewRecord> = in_turn.iter().map(Arc::as_ref).collect();
    records.sort_by_key(|record| (record.account, record.delivery));
    let mut attempts = Rows::new(ATTEMPT_COLUMNS, records.len());
    let mut states = Rows::new(STATE_COLUMNS, records.len());
    for record in &records {
        if let Some(attempt) = &record.attempt {
            let to = (record.account, record.endpoint);
            attempts.push(attempt_row(to, record.delivery, attempt));
        }
        let (state, due_at, failure, settled_at) = match record.next {
            DeliveryState::Pending { due_at } => ("pending", Some(due_at), None, None),
            DeliveryState::Delivered { at } => ("delivered", None, None, Some(at)),
            DeliveryState::Failed { at, why } => ("failed", None, Some(why.as_str()), Some(at)),
            DeliveryState::Cancelled => ("cancelled", None, None, None),
            DeliveryState::Held => ("held", None, None, None),
            DeliveryState::Claimed { .. } => unreachable!("an attempt never ends in a claim"),
        };
        states.push(values![
            record.account,
            record.delivery,
            state,
            due_at,
            failure,
            i64::from(record.attempts_made),
            settled_at
        ]);
    }
    insert_attempts(tx, attempts).await?;
    tx.execute_rows(
        states,
        Shape::Update {
            table: "deliveries",
            key: 2,
            set: "holder = NULL",
            only_if: "deliveries.state = 'claimed'",
        },
    )
    .await?;
    order::settle(tx, &records).await?;
    tally::note(tx, in_turn).await?;
    let Marked {
        disabled,
        mut alerts,
    } = mark::write(tx, in_turn).await?;
    alerts.extend(given_up(tx, &records).await?);
    operational::tell(tx, holder, alerts).await?;
    mail_matter::note(tx, records.iter().copied().filter_map(failure_to_mail)).await?;
    Ok(disabled)
}

/// That a delivery was given up, for a mail: also where no event is made of it. That its endpoint is gone is mailed
/// by itself.
fn failure_to_mail(record: &NewRecord) -> Option<Happened> {
    let DeliveryState::Failed { at, why } = record.next else {
        return None;
    };
    let is_mailed = record.tells != Tells::Nothing && why != Failure::Gone;
    is_mailed.then(|| Happened {
        account: record.account,
        endpoint: record.endpoint,
        topic: Topic::DeliveryFailed,
        at,
        says: json!({ "delivery": record.delivery, "why": why, "attempts_made": record.attempts_made }),
    })
}

/// A delivery that was given up, of an event that is no operational one and descends from none.
struct GivenUp {
    account: AccountId,
    id: DeliveryId,
    event: EventId,
    automation: AutomationId,
    r#type: String,
    operational: Option<i64>,
}

record!(GivenUp {
    account: "account_id",
    id: "id",
    event: "event_id",
    automation: "automation_id",
    r#type: "type",
    operational: "operational",
});

const GIVEN_UP_SQL: &str = "
    SELECT d.account_id, d.id, d.event_id, d.automation_id, e.type, c.operational
    FROM v JOIN deliveries d ON d.account_id = v.account_id AND d.id = v.id
    JOIN events e ON e.account_id = d.account_id AND e.id = d.event_id
    LEFT JOIN causes c ON c.account_id = d.account_id AND c.event_id = d.event_id";

const DELIVERY_REF_COLUMNS: Columns = &[("account_id", Kind::Uuid), ("id", Kind::Uuid)];

/// What is to be told of deliveries that were given up.
async fn given_up(tx: &mut Tx, records: &[&NewRecord]) -> Result<Vec<Alert>, Error> {
    let lost = records
        .iter()
        .filter(|record| record.tells == Tells::OfDelivery)
        .filter_map(|record| match record.next {
            DeliveryState::Failed { at, why } => Some(Lost {
                account: record.account,
                delivery: record.delivery,
                endpoint: record.endpoint,
                attempts_made: i64::from(record.attempts_made),
                at,
                why,
            }),
            _ => None,
        });
    alerts_of(tx, &lost.collect::<Vec<_>>()).await
}

/// A delivery that was given up.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) account: AccountId,
    pub(super) delivery: DeliveryId,
    pub(super) endpoint: EndpointId,
    pub(super) attempts_made: i64,
    pub(super) at: Timestamp,
    pub(super) why: Failure,
}

/// That they were given up, as it is told.
pub(super) async fn alerts_of(tx: &mut Tx, lost: &[Lost]) -> Result<Vec<Alert>, Error> {
    if lost.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = Rows::new(DELIVERY_REF_COLUMNS, lost.len());
    for one in lost {
        rows.push(values![one.account, one.delivery]);
    }
    let found: Vec<GivenUp> = tx.fetch_rows(rows, Shape::Query(GIVEN_UP_SQL)).await?;
    let found: HashMap<(AccountId, DeliveryId), GivenUp> = found
        .into_iter()
        .map(|row| ((row.account, row.id), row))
        .collect();
    let told = |one: &Lost| {
        let row = found.get(&(one.account, one.delivery))?;
        if row.r#type.starts_with(OPERATIONAL_PREFIX) || row.operational == Some(1) {
            return None;
        }
        let says = json!({
            "delivery": row.id,
            "event": row.event,
            "type": row.r#type,
            "automation": row.automation,
            "why": one.why,
            "attempts_made": one.attempts_made,
        });
        let which = (one.account, one.endpoint);
        let alert = Alert::of_endpoint(Topic::DeliveryFailed, which, one.at, says);
        // Many of them make one mail.
        Some(alert.without_mail())
    };
    Ok(lost.iter().filter_map(told).collect())
}

/// The row of one attempt at an account's endpoint, in the order of the table's columns.
pub(super) fn attempt_row(
    to: (AccountId, EndpointId),
    delivery: DeliveryId,
    attempt: &NewAttempt,
) -> [Value; 12] {
    let (status, class) = match attempt.result {
        AttemptResult::Http { status } => (Some(i64::from(status)), None),
        AttemptResult::Refused(refusal) => (None, Some(refusal.as_str())),
        AttemptResult::Interrupted => (None, Some("interrupted")),
    };
    values![
        to.0,
        delivery,
        attempt.id,
        i64::from(attempt.no),
        status,
        class,
        attempt.message.clone(),
        attempt.response.clone(),
        attempt.started_at,
        attempt.duration_ms,
        to.1,
        attempt.trace.clone()
    ]
}

/// Rows for attempts, to be filled with [`attempt_row`].
pub(super) fn attempt_rows(capacity: usize) -> Rows {
    Rows::new(ATTEMPT_COLUMNS, capacity)
}

pub(super) async fn insert_attempts(tx: &mut Tx, attempts: Rows) -> Result<(), Error> {
    tx.execute_rows(
        attempts,
        Shape::Insert {
            into: "attempts",
            tail: "",
        },
    )
    .await
}
