//! The pure heart: one automation looked at for one event. It does nothing; what is done with its
//! answer is the callers' affair. A panic in it is a verdict.
//!
//! It looks as far as the next run of a plugin and lets its caller say when to go on: how long a chain of
//! them may keep others waiting is no question of what comes of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;

use super::chain::Chain;
use super::evaluation::Evaluation;
use super::snapshot::Compiled;
use super::step::Step;
use super::verdict::Verdict;
use crate::automation::flow::{self, Rules, entry_bytes};
use crate::automation::{Answer, Condition, EventType, EventView, Formula, OPERATIONAL_PREFIX};
use crate::model::{Cause, EventId, Link, OrderKey, Origin, Precedence, Timestamp};
use crate::plugin::Engine;

/// An event as evaluation sees it.
#[derive(Debug, Clone)]
pub struct AcceptedEvent {
    /// Its id.
    pub id: EventId,
    /// Its type.
    pub event_type: EventType,
    /// Its own time.
    pub occurred_at: Timestamp,
    /// JSON text, exactly as it came.
    pub payload: Bytes,
    /// What made it; `None`: it came in from outside, or is an operational event. Of a digest what led to all of its
    /// events.
    pub cause: Option<Arc<Cause>>,
    /// What it tells of its way in; `None`: it was sent to the API in its own form.
    pub origin: Option<Arc<Origin>>,
}

/// Where events come from of whose way in nothing is told.
pub fn own_source(event_type: &str, cause: Option<&Cause>) -> &'static str {
    if cause.is_some_and(Cause::is_own) {
        "automation"
    } else if event_type.starts_with(OPERATIONAL_PREFIX) {
        "throwbar"
    } else {
        "api"
    }
}

impl AcceptedEvent {
    /// When it was accepted, or made.
    pub(super) fn accepted_at(&self) -> Timestamp {
        self.id.accepted_at(self.occurred_at)
    }

    /// Where it stands among those of its account.
    pub(super) fn precedence(&self) -> Precedence {
        Precedence::of(self.id, self.occurred_at, self.cause.as_deref())
    }

    /// Whether it is an operational event, or descends from one.
    pub(super) fn is_operational(&self) -> bool {
        let of_one = |cause: &Arc<Cause>| cause.is_operational();
        self.event_type.is_operational() || self.cause.as_ref().is_some_and(of_one)
    }

    /// By which way it came in.
    pub(super) fn source(&self) -> &str {
        let told = self.origin.as_ref().and_then(|origin| origin.source());
        told.unwrap_or_else(|| own_source(self.event_type.as_str(), self.cause.as_deref()))
    }

    /// The event under the eyes of conditions.
    pub fn view(&self) -> EventView<'_> {
        let view = EventView::new(self.id, &self.event_type, self.occurred_at, &self.payload)
            .with_source(self.source());
        match self.origin.as_ref().and_then(|origin| origin.cloudevent()) {
            Some(attributes) => view.with_cloudevent(attributes),
            None => view,
        }
    }
}

/// How far the look at one automation has come.
pub(super) enum Reached {
    /// To its end.
    Verdict(Evaluation),
    /// Before the next run of its chain.
    Midway(Chain),
    /// Not even there, this time: the server failed, not the automation. It goes on from here.
    NotNow {
        /// As far as it had come.
        from: Chain,
        /// What failed.
        why: String,
    },
}

/// Looks at one automation for one event: from the beginning up to its chain, or on by one run of that.
pub(super) fn evaluate(
    automation: &Compiled,
    event: &AcceptedEvent,
    view: &EventView<'_>,
    engine: &Engine,
    from: Option<Chain>,
) -> Reached {
    // Nothing that is shared is changed inside, so nothing can be left half-done by a panic.
    let look = AssertUnwindSafe(|| match from {
        None => begin(automation, event, view),
        Some(chain) => chain.go_on(automation, event, engine),
    });
    catch_unwind(look).unwrap_or_else(|_| {
        tracing::error!(automation.id = %automation.id, event.id = %event.id, "an evaluation broke off");
        let summary = "the evaluation broke off: this is a defect of the server, which its log describes";
        Reached::Verdict(no_evaluation(automation, summary.to_owned()))
    })
}

/// The evaluation of an automation that can't be evaluated, ever.
fn no_evaluation(automation: &Compiled, summary: String) -> Evaluation {
    let mut evaluation = Evaluation::begin(automation);
    evaluation.ends(Verdict::EvaluationError, summary);
    evaluation
}

fn begin(automation: &Compiled, event: &AcceptedEvent, view: &EventView<'_>) -> Reached {
    let mut evaluation = before_flow(automation, event, view);
    match &automation.flow {
        Some(rules) if evaluation.verdict == Verdict::Fired => {
            ask_flow(rules, (event, view), &mut evaluation);
            Reached::Verdict(evaluation)
        }
        _ => go_on(automation, (event, view), evaluation),
    }
}

/// Looks at one automation for one event as if it had no flow control: up to its chain.
pub(super) fn evaluate_ungated(
    automation: &Compiled,
    event: &AcceptedEvent,
    view: &EventView<'_>,
) -> Reached {
    let evaluation = before_flow(automation, event, view);
    go_on(automation, (event, view), evaluation)
}

/// What its condition says, and whether it would go round in a circle.
fn before_flow(automation: &Compiled, event: &AcceptedEvent, view: &EventView<'_>) -> Evaluation {
    if let Some(why) = &automation.unreadable {
        let summary = format!("the automation's stored definition can't be read: {why}");
        return no_evaluation(automation, summary);
    }
    let mut evaluation = Evaluation::begin(automation);
    if let Some(condition) = &automation.condition {
        ask(condition, view, &mut evaluation);
    }
    if evaluation.verdict == Verdict::Fired
        && let Some(cause) = &event.cause
        && let Some(round) = cause.since(automation.id)
    {
        refuse_loop(&round, event.id, &mut evaluation);
    }
    evaluation
}

/// Looks on where flow control has let an event go on, be it at once or later: from the transforms.
pub(super) fn evaluate_late(automation: &Compiled, event: &AcceptedEvent) -> Reached {
    if let Some(why) = &automation.unreadable {
        let summary = format!("the automation's stored definition can't be read: {why}");
        return Reached::Verdict(no_evaluation(automation, summary));
    }
    let evaluation = Evaluation::begin(automation);
    go_on(automation, (event, &event.view()), evaluation)
}

fn go_on(
    automation: &Compiled,
    (event, view): (&AcceptedEvent, &EventView<'_>),
    mut evaluation: Evaluation,
) -> Reached {
    if evaluation.verdict == Verdict::Fired
        && let Some(order) = &automation.order
    {
        keep_order(order, view, &mut evaluation);
    }
    if evaluation.verdict == Verdict::Fired && automation.runs_plugins() {
        Reached::Midway(Chain::begin(evaluation, event))
    } else {
        Reached::Verdict(evaluation)
    }
}

/// The automation would go on with what descends from its own output. Its condition was asked before: what it
/// does not want anyhow is no loop.
fn refuse_loop(round: &[Link], event: EventId, evaluation: &mut Evaluation) {
    let automation = evaluation.automation;
    let way: Vec<String> = round
        .iter()
        .map(|link| format!("{} → {} → ", link.event, link.automation))
        .collect();
    let way = way.concat();
    let why = format!(
        "it is not followed: the event descends from what this automation has made: {way}{event} → {automation}"
    );
    evaluation.ends(Verdict::LoopRefused, why.clone());
    evaluation.step(Step {
        kind: "loop".to_owned(),
        what: String::new(),
        digest: None,
        outcome: "refused".to_owned(),
        why,
        detail: serde_json::to_value(round).unwrap_or_default(),
    });
}

/// Finds what the event's deliveries keep their order with.
fn keep_order(
    order: &Result<Box<Formula>, String>,
    view: &EventView<'_>,
    evaluation: &mut Evaluation,
) {
    let order = order.as_ref().map_err(Clone::clone);
    let (outcome, why, detail) = match order.and_then(|order| order.key(view)) {
        Ok(key) => {
            evaluation.order = Some(OrderKey::of(&key));
            let why = format!("its deliveries go behind those of {}", flow::of_key(&key));
            ("passed", why, serde_json::json!({ "key": key }))
        }
        Err(why) => {
            evaluation.ends(Verdict::FlowError, why.clone());
            ("error", why, serde_json::Value::Null)
        }
    };
    evaluation.step(Step {
        kind: "flow".to_owned(),
        what: "order".to_owned(),
        digest: None,
        outcome: outcome.to_owned(),
        why,
        detail,
    });
}

fn ask_flow(
    rules: &Result<Box<Rules>, String>,
    (event, view): (&AcceptedEvent, &EventView<'_>),
    evaluation: &mut Evaluation,
) {
    let bytes = entry_bytes(&event.event_type, event.payload.len());
    let asked = rules.as_ref().map_err(Clone::clone);
    match asked.and_then(|rules| rules.ask(view, event.accepted_at(), bytes)) {
        Ok(ask) => evaluation.asks(ask),
        Err(why) => {
            evaluation.ends(Verdict::FlowError, why.clone());
            evaluation.step(Step {
                kind: "flow".to_owned(),
                what: String::new(),
                digest: None,
                outcome: "error".to_owned(),
                why,
                detail: serde_json::Value::Null,
            });
        }
    }
}

/// Only the answer: the way to it is told when somebody asks (see [`Evaluation::tell`]).
fn ask(condition: &Result<Condition, String>, view: &EventView<'_>, evaluation: &mut Evaluation) {
    match condition {
        Err(why) => {
            evaluation.ends(Verdict::ConditionError, why.clone());
            evaluation.step(Step::of_unreadable_condition(why.clone()));
        }
        Ok(condition) => {
            evaluation.asked = Some(condition.variables().clone());
            match condition.evaluate(view) {
                Answer::True => {}
                Answer::False => evaluation.is_filtered(),
                Answer::Error { message } => evaluation.ends(Verdict::ConditionError, message),
            }
        }
    }
}
