//! What attempts mean for their endpoints. The failure policy decides, attempt by attempt, over what is remembered
//! of the endpoint: here, where its row is locked and the order of attempts is known, whichever nodes made them.
//! Those of one batch are in the order in which they ended. Of an endpoint that has changed since it was asked
//! (another URL, switched on again) an attempt says nothing.
//!
//! An endpoint that takes what it is sent, and of which nothing is remembered, costs a look at its row and no
//! write; but where the policy asks for the last success, that is written once a batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::Error;
use super::account::raise_revision;
use super::backend::Tx;
use super::operational::{Alert, Topic};
use super::record::{EndpointMark, NewRecord, Tells};
use super::row::record;
use super::values::{Columns, Kind, Rows, Shape, Value, args, values};
use crate::failure::{
    Consequence, FailurePolicy, Heard, Outcome, State, Streak, Warning, Why, first_reminder,
};
use crate::model::{AccountId, EndpointId, Timestamp};

/// An endpoint that was disabled, and why.
pub(super) type Disabled = (AccountId, EndpointId, &'static str);

/// Whose endpoint.
type Which = (AccountId, EndpointId);

const MARKED_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("changes", Kind::Int),
];

/// Those of which something is remembered, or is to be. In one order on all nodes.
const KNOWN_SQL: &str = "
    SELECT e.account_id, e.id, e.name, e.updated_at_ms, e.failing_since_ms, e.failed_attempts, e.warning,
      e.warned_at_ms, e.alerted_at_ms, e.succeeded_at_ms
    FROM v JOIN endpoints e ON e.account_id = v.account_id AND e.id = v.id
    WHERE e.state = 'enabled' AND e.deleted_at_ms IS NULL
      AND (v.changes = 1 OR e.failing_since_ms IS NOT NULL OR e.alerted_at_ms IS NOT NULL)
    ORDER BY e.account_id, e.id";

const CHANGED_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("state", Kind::Text),
    ("disabled_why", Kind::Text),
    ("updated_at_ms", Kind::Int),
    ("failing_since_ms", Kind::Int),
    ("failed_attempts", Kind::Int),
    ("warning", Kind::Int),
    ("warned_at_ms", Kind::Int),
    ("alerted_at_ms", Kind::Int),
    ("succeeded_at_ms", Kind::Int),
    ("disabled_at_ms", Kind::Int),
    ("remind_at_ms", Kind::Int),
];

/// What has become of endpoints.
#[derive(Default)]
pub(super) struct Marked {
    /// Those that were disabled.
    pub(super) disabled: Vec<Disabled>,
    /// What is to be told.
    pub(super) alerts: Vec<Alert>,
}

/// An endpoint, and what is remembered of it.
struct Known {
    account: AccountId,
    id: EndpointId,
    name: String,
    updated_at: Timestamp,
    failing_since: Option<Timestamp>,
    failed_attempts: i64,
    warning: Option<i64>,
    warned_at: Option<Timestamp>,
    alerted_at: Option<Timestamp>,
    succeeded_at: Option<Timestamp>,
}

record!(Known {
    account: "account_id",
    id: "id",
    name: "name",
    updated_at: "updated_at_ms",
    failing_since: "failing_since_ms",
    failed_attempts: "failed_attempts",
    warning: "warning",
    warned_at: "warned_at_ms",
    alerted_at: "alerted_at_ms",
    succeeded_at: "succeeded_at_ms",
});

/// One mark, and whether it may be told what it means.
struct Heeded {
    mark: EndpointMark,
    told: bool,
}

/// What the marks of one endpoint come to.
struct Fate {
    state: State,
    disabled: Option<(Why, Timestamp)>,
}

/// Writes what the records, in the order in which they were made, mean for their endpoints.
pub(super) async fn write(tx: &mut Tx, records: &[Arc<NewRecord>]) -> Result<Marked, Error> {
    let mut marks: BTreeMap<Which, Vec<Heeded>> = BTreeMap::new();
    for record in records {
        if let Some(mark) = record.mark {
            let told = record.tells != Tells::Nothing;
            let of_endpoint = marks.entry((record.account, record.endpoint)).or_default();
            of_endpoint.push(Heeded { mark, told });
        }
    }
    let mut rows = Rows::new(MARKED_COLUMNS, marks.len());
    for ((account, endpoint), heeded) in &mut marks {
        heeded.sort_by_key(|one| one.mark.at);
        let changes =
            |one: &Heeded| one.mark.outcome != Outcome::Taken || one.mark.policy.asks_for_success();
        let changes = heeded.iter().any(changes);
        rows.push(values![*account, *endpoint, i64::from(changes)]);
    }
    let locked = Shape::Lock {
        query: KNOWN_SQL,
        of: "e",
    };
    // As good as always nothing comes back.
    let found: Vec<Known> = tx.fetch_rows(rows, locked).await?;
    let mut marked = Marked::default();
    let mut changed = Rows::new(CHANGED_COLUMNS, 0);
    for known in found {
        let heeded = marks.remove(&(known.account, known.id)).unwrap_or_default();
        let fate = fate(&known, &heeded, &mut marked.alerts);
        if fate.state != known.state() || fate.disabled.is_some() {
            changed.push(row(&known, &fate));
        }
        if let Some((why, _)) = fate.disabled {
            marked
                .disabled
                .push((known.account, known.id, why.as_str()));
        }
    }
    let update = Shape::Update {
        table: "endpoints",
        key: 2,
        set: "",
        only_if: "",
    };
    tx.execute_rows(changed, update).await?;
    for (account, ..) in &marked.disabled {
        raise_revision(tx, *account).await?;
    }
    Ok(marked)
}

/// Heeds one mark after the other, until one disables.
fn fate(known: &Known, heeded: &[Heeded], alerts: &mut Vec<Alert>) -> Fate {
    let mut state = known.state();
    for Heeded { mark, told } in heeded {
        if mark.asked != known.updated_at {
            continue;
        }
        let heard = Heard {
            outcome: mark.outcome,
            at: mark.at,
            told: *told,
        };
        let warned = state.streak.is_some_and(|streak| streak.warned.is_some());
        let (next, follows) = mark.policy.step(state, heard);
        state = next;
        for consequence in follows {
            let alert = alert(known, &state, (consequence, mark.at));
            // On the ladder it is the warnings that are mailed, and that what they warned of is over.
            let is_unmailed = mark.policy == FailurePolicy::Ladder
                && match consequence {
                    Consequence::Failing => true,
                    Consequence::Recovered => !warned,
                    Consequence::Warned(_) | Consequence::Disabled(_) => false,
                };
            alerts.push(if is_unmailed {
                alert.without_mail()
            } else {
                alert
            });
            if let Consequence::Disabled(why) = consequence {
                let disabled = Some((why, mark.at));
                return Fate { state, disabled };
            }
        }
    }
    Fate {
        state,
        disabled: None,
    }
}

fn alert(known: &Known, state: &State, (consequence, at): (Consequence, Timestamp)) -> Alert {
    let since = state.streak.map(|streak| streak.since);
    let name = known.name.as_str();
    let (topic, says) = match consequence {
        Consequence::Recovered => (Topic::EndpointRecovered, json!({ "name": name })),
        Consequence::Failing => {
            let says = json!({ "name": name, "failing_since": since });
            (Topic::EndpointFailing, says)
        }
        Consequence::Warned(warning) => {
            let failures = state.streak.map(|streak| streak.failures);
            let says = json!({
                "name": name, "warning": warning.no(), "failures": failures, "failing_since": since,
            });
            (Topic::EndpointWarned, says)
        }
        Consequence::Disabled(why) => {
            let says = json!({ "name": name, "why": why.as_str(), "failing_since": since });
            (Topic::EndpointDisabled, says)
        }
    };
    Alert::of_endpoint(topic, (known.account, known.id), at, says)
}

fn row(known: &Known, fate: &Fate) -> [Value; 13] {
    let (state, why, updated_at) = match fate.disabled {
        Some((why, at)) => ("disabled", Some(why.as_str()), at),
        None => ("enabled", None, known.updated_at),
    };
    let disabled_at = fate.disabled.map(|(_, at)| at);
    let streak = fate.state.streak;
    let warned = streak.and_then(|streak| streak.warned);
    values![
        known.account,
        known.id,
        state,
        why,
        updated_at,
        streak.map(|streak| streak.since),
        streak.map_or(0, |streak| i64::from(streak.failures)),
        warned.map(|(warning, _)| warning.no()),
        warned.map(|(_, at)| at),
        fate.state.alerted_at,
        fate.state.succeeded_at,
        disabled_at,
        disabled_at.map(first_reminder)
    ]
}

/// What came of attempts until now says nothing any more.
pub(super) async fn forget(
    tx: &mut Tx,
    account: AccountId,
    endpoint: EndpointId,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE endpoints SET failing_since_ms = NULL, failed_attempts = 0, warning = NULL,
           warned_at_ms = NULL, alerted_at_ms = NULL, succeeded_at_ms = NULL
         WHERE account_id = $1 AND id = $2",
        args![account, endpoint],
    )
    .await
    .map(drop)
}

impl Known {
    fn state(&self) -> State {
        let warned = self.warning.and_then(Warning::of_no).zip(self.warned_at);
        State {
            succeeded_at: self.succeeded_at,
            streak: self.failing_since.map(|since| Streak {
                since,
                failures: u32::try_from(self.failed_attempts).unwrap_or(u32::MAX),
                warned,
            }),
            alerted_at: self.alerted_at,
        }
    }
}
