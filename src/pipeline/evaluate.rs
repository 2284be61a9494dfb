//! The pure heart: one automation looked at for one event. It does nothing; what is done with its
//! answer is the callers' affair. A panic in it is a verdict.
//!
//! It looks as far as the next run of a plugin and lets its caller say when to go on: how long a chain of
//! them may keep others waiting is no question of what comes of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;

use super::chain::Chain;
use super::evaluation::{Evaluation, Step, Verdict};
use super::snapshot::Compiled;
use crate::automation::{Answer, Condition, EventType, EventView};
use crate::model::{EventId, Origin, Timestamp};
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
    /// What it tells of its way in; `None`: it was sent to the API in its own form.
    pub origin: Option<Arc<Origin>>,
}

/// Where events come from that were sent to the API.
pub const SOURCE: &str = "api";

impl AcceptedEvent {
    /// By which way it came in.
    pub(super) fn source(&self) -> &str {
        let told = self.origin.as_ref().and_then(|origin| origin.source());
        told.unwrap_or(SOURCE)
    }

    /// The event under the eyes of conditions.
    pub(super) fn view(&self) -> EventView<'_> {
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
    if let Some(why) = &automation.unreadable {
        let summary = format!("the automation's stored definition can't be read: {why}");
        return Reached::Verdict(no_evaluation(automation, summary));
    }
    let mut evaluation = Evaluation::begin(automation);
    if let Some(condition) = &automation.condition {
        ask(condition, view, &mut evaluation);
    }
    if evaluation.verdict == Verdict::Fired && automation.runs_plugins() {
        Reached::Midway(Chain::begin(evaluation, event))
    } else {
        Reached::Verdict(evaluation)
    }
}

fn ask(condition: &Result<Condition, String>, view: &EventView<'_>, evaluation: &mut Evaluation) {
    let mut step = Step {
        kind: "condition".to_owned(),
        what: String::new(),
        digest: None,
        outcome: "error".to_owned(),
        why: String::new(),
        detail: serde_json::Value::Null,
    };
    let verdict = match condition {
        Err(why) => {
            step.why.clone_from(why);
            Verdict::ConditionError
        }
        Ok(condition) => {
            let explanation = condition.explain(view);
            condition.source().clone_into(&mut step.what);
            step.why = explanation.summary;
            step.detail = serde_json::to_value(&explanation.clauses).unwrap_or_default();
            let (verdict, outcome) = match explanation.answer {
                Answer::True => (Verdict::Fired, "true"),
                Answer::False { .. } => (Verdict::Filtered, "false"),
                Answer::Error { .. } => (Verdict::ConditionError, "error"),
            };
            outcome.clone_into(&mut step.outcome);
            verdict
        }
    };
    evaluation.ends(verdict, step.why.clone());
    evaluation.step(step);
}
