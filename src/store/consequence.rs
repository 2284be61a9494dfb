//! What follows from a plan beside its deliveries: the events that automations make, what they failed at, and
//! that they fail or work again. Most plans have none of it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::backend::Tx;
use super::made::{self, NewMade};
use super::operational::{self, Alert, Topic};
use super::row::record;
use super::values::{Columns, Kind, Rows, Shape, Value, args, values};
use super::{Error, NewPlan};
use crate::automation::EventType;
use crate::model::{
    AccountId, AutomationId, Cause, DeadLetterId, EventId, IncarnationId, Timestamp,
};

/// What follows from the evaluations of one event, beside deliveries.
#[derive(Debug, Clone, Default)]
pub struct Consequences {
    /// Events that automations make.
    pub emissions: Vec<NewEmission>,
    /// What automations failed at.
    pub letters: Vec<NewDeadLetter>,
    /// Automations that fail, or have failed before and work again.
    pub health: Vec<(AutomationId, Health)>,
    /// Those among the failed whose plugin refuses its configuration. Nothing is written of that: they are paused
    /// once what they failed at is durable.
    pub misconfigured: Vec<AutomationId>,
}

impl Consequences {
    /// Whether nothing follows.
    pub fn is_empty(&self) -> bool {
        self.emissions.is_empty() && self.letters.is_empty() && self.health.is_empty()
    }
}

/// An event that an automation makes.
#[derive(Debug, Clone)]
pub struct NewEmission {
    /// Derived from its origin.
    pub id: EventId,
    /// Its type.
    pub event_type: EventType,
    /// JSON text.
    pub payload: Bytes,
    /// What makes it.
    pub cause: Arc<Cause>,
}

/// What an automation failed at.
#[derive(Debug, Clone)]
pub struct NewDeadLetter {
    /// Derived from the event and the automation.
    pub id: DeadLetterId,
    /// Which automation.
    pub automation: AutomationId,
    /// Which version.
    pub version: i64,
    /// How: the verdict's word.
    pub verdict: &'static str,
    /// A sentence.
    pub summary: String,
    /// Of a transform: its place, from 0.
    pub place: Option<u16>,
    /// What went into it; `None`: the event's payload.
    pub input: Option<Bytes>,
    /// What stood in the place of the event's payload, if something did: a digest.
    pub carried: Option<Bytes>,
}

/// How an automation fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It has failed.
    Failed {
        /// After how many errors one after the other that is told.
        alert_after: u32,
    },
    /// It works, and has failed before.
    Works,
}

/// What flow control had no room for, decided with the plan: the automation failed at it.
#[derive(Debug)]
pub(super) struct RefusedAsk {
    /// Whose.
    pub(super) account: AccountId,
    /// Which event.
    pub(super) event: EventId,
    /// When.
    pub(super) at: Timestamp,
    /// How it is kept.
    pub(super) letter: NewDeadLetter,
    /// After how many errors it is told; `None`: this one is not counted.
    pub(super) alert_after: Option<u32>,
}

/// An automation that fails.
struct Failing {
    errors: i64,
    since: Timestamp,
    alerted_at: Option<Timestamp>,
}

record!(Failing {
    errors: "errors",
    since: "since_ms",
    alerted_at: "alerted_at_ms",
});

const LETTER_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("version", Kind::Int),
    ("verdict", Kind::Text),
    ("summary", Kind::Text),
    ("place", Kind::Int),
    ("input", Kind::Bytes),
    ("carried", Kind::Bytes),
    ("failures", Kind::Int),
    ("state", Kind::Text),
    ("created_at_ms", Kind::Int),
    ("failed_at_ms", Kind::Int),
];

/// Writes what follows from these plans, in the order in which they were made, and what their flow control had
/// no room for.
pub(super) async fn write(
    tx: &mut Tx,
    holder: IncarnationId,
    plans: &[Arc<NewPlan>],
    refused: &[RefusedAsk],
) -> Result<(), Error> {
    if refused.is_empty() && plans.iter().all(|plan| plan.consequences.is_empty()) {
        return Ok(());
    }
    let mut letters = Rows::new(LETTER_COLUMNS, 0);
    let mut made = Vec::new();
    let mut alerts = Vec::new();
    for plan in plans {
        made.extend(emitted(plan.account, plan.evaluated_at, &plan.consequences));
        for letter in &plan.consequences.letters {
            letters.push(letter_row(
                (plan.account, plan.event),
                letter,
                plan.evaluated_at,
            ));
        }
    }
    for one in refused {
        letters.push(letter_row((one.account, one.event), &one.letter, one.at));
    }
    let insert = Shape::Insert {
        into: "dead_letters",
        tail: "ON CONFLICT DO NOTHING",
    };
    tx.execute_rows(letters, insert).await?;
    // Rows of one automation are changed by all nodes: in one order.
    let of_plans = plans.iter().flat_map(|plan| marks(plan));
    let mut marks: Vec<_> = of_plans.chain(refused.iter().filter_map(mark)).collect();
    marks.sort_by_key(|mark| mark.which);
    for mark in marks {
        alerts.extend(fare(tx, mark).await?);
    }
    made::write(tx, holder, made).await?;
    operational::tell(tx, holder, alerts).await
}

fn letter_row(
    (account, event): (AccountId, EventId),
    letter: &NewDeadLetter,
    at: Timestamp,
) -> [Value; 14] {
    values![
        account,
        letter.id,
        event,
        letter.automation,
        letter.version,
        letter.verdict,
        letter.summary.as_str(),
        letter.place.map(i64::from),
        letter.input.clone(),
        letter.carried.clone(),
        1_i64,
        "open",
        at,
        at
    ]
}

/// The events that follow from the evaluations of one.
pub(super) fn emitted(
    account: AccountId,
    at: Timestamp,
    consequences: &Consequences,
) -> impl Iterator<Item = NewMade> {
    consequences.emissions.iter().map(move |emission| NewMade {
        account,
        id: emission.id,
        event_type: emission.event_type.clone(),
        occurred_at: at,
        payload: emission.payload.clone(),
        cause: Some(emission.cause.clone()),
    })
}

/// How an automation has fared with one event.
struct Mark<'a> {
    which: (AccountId, AutomationId),
    health: Health,
    event: EventId,
    at: Timestamp,
    /// What it failed at.
    letter: Option<&'a NewDeadLetter>,
}

fn marks(plan: &NewPlan) -> impl Iterator<Item = Mark<'_>> {
    let Consequences {
        health, letters, ..
    } = &plan.consequences;
    health.iter().map(move |(automation, health)| Mark {
        which: (plan.account, *automation),
        health: *health,
        event: plan.event,
        at: plan.evaluated_at,
        letter: letters
            .iter()
            .find(|letter| letter.automation == *automation),
    })
}

fn mark(refused: &RefusedAsk) -> Option<Mark<'_>> {
    let alert_after = refused.alert_after?;
    Some(Mark {
        which: (refused.account, refused.letter.automation),
        health: Health::Failed { alert_after },
        event: refused.event,
        at: refused.at,
        letter: Some(&refused.letter),
    })
}

/// Counts an error, or ends the count. What is to be told.
async fn fare(tx: &mut Tx, mark: Mark<'_>) -> Result<Option<Alert>, Error> {
    let ((account, automation), at) = (mark.which, mark.at);
    let found: Vec<Failing> = match mark.health {
        Health::Failed { .. } => {
            tx.fetch(
                "INSERT INTO automation_failures AS f (account_id, automation_id, errors, since_ms)
                 VALUES ($1, $2, 1, $3)
                 ON CONFLICT (account_id, automation_id) DO UPDATE SET errors = f.errors + 1
                 RETURNING errors, since_ms, alerted_at_ms",
                args![account, automation, at],
            )
            .await?
        }
        Health::Works => {
            tx.fetch(
                "DELETE FROM automation_failures WHERE account_id = $1 AND automation_id = $2
                 RETURNING errors, since_ms, alerted_at_ms",
                args![account, automation],
            )
            .await?
        }
    };
    let Some(failing) = found.first() else {
        return Ok(None);
    };
    let topic = match (mark.health, failing.alerted_at) {
        (Health::Failed { alert_after }, None) if failing.errors >= i64::from(alert_after) => {
            tx.execute(
                "UPDATE automation_failures SET alerted_at_ms = $3
                 WHERE account_id = $1 AND automation_id = $2",
                args![account, automation, at],
            )
            .await?;
            tx.alerts_of(account, automation);
            Topic::AutomationFailing
        }
        (Health::Works, Some(_)) => Topic::AutomationRecovered,
        _ => return Ok(None),
    };
    let name: Vec<(String,)> = tx
        .fetch(
            "SELECT name FROM automations WHERE account_id = $1 AND id = $2",
            args![account, automation],
        )
        .await?;
    let letter = mark.letter;
    let says = json!({
        "name": name.first().map(|row| row.0.as_str()),
        "errors": failing.errors,
        "since": failing.since,
        "event": mark.event,
        "verdict": letter.map(|letter| letter.verdict),
        "summary": letter.map(|letter| letter.summary.as_str()),
    });
    let says = without_null(says);
    Ok(Some(Alert::of_automation(topic, mark.which, at, says)))
}

fn without_null(mut says: serde_json::Value) -> serde_json::Value {
    if let Some(fields) = says.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    says
}
