//! The pure heart: one automation looked at for one event. It does nothing; what is done with its
//! answer is the callers' affair. A panic in it is a verdict.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::snapshot::Compiled;
use crate::automation::{self, Condition, EventType, EventView};
use crate::model::{AutomationId, EventId, Timestamp, limits};
use crate::plugin::{Context, Engine, Event, Outcome, Request, RunError};

/// What became of an automation for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its actions follow.
    Fired,
    /// Its condition says no.
    Filtered,
    /// Its condition can't be said.
    ConditionError,
    /// A plugin dropped every output.
    PluginDropped,
    /// A plugin failed, or went beyond a limit.
    PluginError,
    /// The evaluation itself broke off.
    EvaluationError,
}

impl Verdict {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Filtered => "filtered",
            Self::ConditionError => "condition_error",
            Self::PluginDropped => "plugin_dropped",
            Self::PluginError => "plugin_error",
            Self::EvaluationError => "evaluation_error",
        }
    }
}

/// One step of an evaluation, for the trace. Kept as JSON with the verdict.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// `condition` or `transform`.
    pub kind: String,
    /// The condition's text, or the plugin's name.
    pub what: String,
    /// What it came to.
    pub outcome: String,
    /// One sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Of a condition: its parts. Of a transform: its use against limits and its log.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub detail: serde_json::Value,
}

/// A verdict, and how it came about. Kept as JSON, packed with those of the same event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Evaluation {
    /// Which automation.
    pub automation: AutomationId,
    /// Which version.
    pub version: i64,
    /// What became of it.
    pub verdict: Verdict,
    /// One sentence with the values that decided.
    pub summary: String,
    /// Step by step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// What is to be delivered; not part of the record.
    #[serde(skip)]
    pub(super) outputs: Outputs,
}

/// What an evaluation put out.
#[derive(Debug, Clone, Default)]
pub(super) enum Outputs {
    /// Nothing.
    #[default]
    None,
    /// The event's payload as it came.
    Payload,
    /// What the transforms made of it.
    Transformed(Vec<Output>),
}

/// One output of a chain of transforms.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Output {
    pub(super) content: Bytes,
    pub(super) event_type: Option<String>,
    pub(super) headers: Vec<(String, String)>,
}

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
}

/// Where events come from that were sent to the API.
const SOURCE: &str = "api";

impl AcceptedEvent {
    /// The event under the eyes of conditions.
    pub(super) fn view(&self) -> EventView<'_> {
        EventView::new(self.id, &self.event_type, self.occurred_at, &self.payload)
            .with_source(SOURCE)
    }
}

/// Why an evaluation has no answer this time: the server failed, not the automation.
#[derive(Debug, thiserror::Error)]
#[error("the automation {automation} can't be evaluated at the moment: {why}")]
pub(super) struct NotNow {
    automation: AutomationId,
    why: String,
}

/// Looks at one automation for one event.
pub(super) fn evaluate(
    automation: &Compiled,
    event: &AcceptedEvent,
    view: &EventView<'_>,
    engine: &Engine,
) -> Result<Evaluation, NotNow> {
    // Nothing that is shared is changed inside, so nothing can be left half-done by a panic.
    let run = AssertUnwindSafe(|| look(automation, event, view, engine));
    catch_unwind(run).unwrap_or_else(|_| {
        tracing::error!(automation.id = %automation.id, event.id = %event.id, "an evaluation broke off");
        let summary = "the evaluation broke off: this is a defect of the server, which its log describes";
        Ok(no_evaluation(automation, summary.to_owned()))
    })
}

/// The evaluation of an automation that can't be evaluated, ever.
fn no_evaluation(automation: &Compiled, summary: String) -> Evaluation {
    Evaluation {
        automation: automation.id,
        version: automation.version,
        verdict: Verdict::EvaluationError,
        summary,
        steps: Vec::new(),
        outputs: Outputs::None,
    }
}

fn look(
    automation: &Compiled,
    event: &AcceptedEvent,
    view: &EventView<'_>,
    engine: &Engine,
) -> Result<Evaluation, NotNow> {
    if let Some(why) = &automation.unreadable {
        let summary = format!("the automation's stored definition can't be read: {why}");
        return Ok(no_evaluation(automation, summary));
    }
    let mut evaluation = Evaluation {
        automation: automation.id,
        version: automation.version,
        verdict: Verdict::Fired,
        summary: "the event's type matched".to_owned(),
        steps: Vec::new(),
        outputs: Outputs::Payload,
    };
    if let Some(condition) = &automation.condition {
        ask(condition, view, &mut evaluation);
    }
    if evaluation.verdict == Verdict::Fired && !automation.transforms.is_empty() {
        transform(automation, event, engine, &mut evaluation)?;
    }
    if evaluation.verdict != Verdict::Fired {
        evaluation.outputs = Outputs::None;
    }
    Ok(evaluation)
}

fn ask(condition: &Result<Condition, String>, view: &EventView<'_>, evaluation: &mut Evaluation) {
    let (outcome, what, why, detail) = match condition {
        Err(why) => ("error", "", why.clone(), serde_json::Value::Null),
        Ok(condition) => {
            let explanation = condition.explain(view);
            let outcome = match explanation.answer {
                automation::Answer::True => "true",
                automation::Answer::False { .. } => "false",
                automation::Answer::Error { .. } => "error",
            };
            let detail = serde_json::to_value(&explanation.clauses).unwrap_or_default();
            (outcome, condition.source(), explanation.summary, detail)
        }
    };
    evaluation.verdict = match outcome {
        "true" => Verdict::Fired,
        "false" => Verdict::Filtered,
        _ => Verdict::ConditionError,
    };
    evaluation.summary.clone_from(&why);
    evaluation.steps.push(Step {
        kind: "condition".to_owned(),
        what: what.to_owned(),
        outcome: outcome.to_owned(),
        why,
        detail,
    });
}

fn transform(
    automation: &Compiled,
    event: &AcceptedEvent,
    engine: &Engine,
    evaluation: &mut Evaluation,
) -> Result<(), NotNow> {
    let first = Output {
        content: event.payload.clone(),
        event_type: None,
        headers: Vec::new(),
    };
    let mut outputs = vec![first.clone()];
    for (place, step) in automation.transforms.iter().enumerate() {
        let mut next = Vec::with_capacity(outputs.len());
        let mut dropped = String::new();
        for input in &outputs {
            let (result, trace) = run_step((automation, place), event, input, engine);
            evaluation.steps.push(trace);
            match result {
                Ok(Outcome::Emit(made)) => {
                    next.extend(made.into_iter().map(|output| carry(input, output)));
                }
                Ok(Outcome::Drop(reason)) => dropped = reason,
                Err(Failed::Here(why)) => {
                    evaluation.verdict = Verdict::PluginError;
                    evaluation.summary = format!("{}: {why}", step.plugin);
                    return Ok(());
                }
                Err(Failed::Now(why)) => {
                    let automation = automation.id;
                    return Err(NotNow { automation, why });
                }
            }
        }
        if next.is_empty() {
            evaluation.verdict = Verdict::PluginDropped;
            evaluation.summary = format!("{} dropped it: {dropped}", step.plugin);
            return Ok(());
        }
        if next.len() > limits::OUTPUTS_MAX {
            evaluation.verdict = Verdict::PluginError;
            evaluation.summary = format!(
                "{}: the chain has {} outputs, more than {}",
                step.plugin,
                next.len(),
                limits::OUTPUTS_MAX
            );
            return Ok(());
        }
        outputs = next;
    }
    // Unchanged, the payload is referred to and not kept twice.
    evaluation.outputs = if outputs == [first] {
        Outputs::Payload
    } else {
        Outputs::Transformed(outputs)
    };
    Ok(())
}

/// Why a run has no outcome.
enum Failed {
    /// With this plugin and this event it never will.
    Here(String),
    /// The server could not run it this time.
    Now(String),
}

/// What a later transform does not say stays as an earlier one said it.
fn carry(input: &Output, output: crate::plugin::Output) -> Output {
    let mut headers = input.headers.clone();
    headers.retain(|(name, _)| {
        !output
            .headers
            .iter()
            .any(|(newer, _)| newer.eq_ignore_ascii_case(name))
    });
    headers.extend(output.headers);
    Output {
        content: output.data,
        event_type: output.event_type.or_else(|| input.event_type.clone()),
        headers,
    }
}

/// One run of the transform at `place`, and its trace.
fn run_step(
    (automation, place): (&Compiled, usize),
    event: &AcceptedEvent,
    input: &Output,
    engine: &Engine,
) -> (Result<Outcome, Failed>, Step) {
    let step = &automation.transforms[place];
    let mut trace = Step {
        kind: "transform".to_owned(),
        what: step.plugin.clone(),
        outcome: "error".to_owned(),
        why: String::new(),
        detail: serde_json::Value::Null,
    };
    let text = std::str::from_utf8(&input.content).map_err(|error| error.to_string());
    let ready = step.component.as_ref().map_err(Clone::clone);
    let (component, data) = match ready.and_then(|component| Ok((component, text?))) {
        Ok(ready) => ready,
        Err(why) => {
            trace.why.clone_from(&why);
            return (Err(Failed::Here(why)), trace);
        }
    };
    let own_type = event.event_type.as_str();
    let run = engine.run(
        component,
        &Request {
            event: &Event {
                id: &event.id.to_string(),
                event_type: input.event_type.as_deref().unwrap_or(own_type),
                timestamp: &event.occurred_at.to_string(),
                source: SOURCE,
                data,
            },
            context: &Context {
                automation: &automation.id.to_string(),
                automation_version: u32::try_from(automation.version).unwrap_or(u32::MAX),
                step: place as u32,
                config: &step.config,
            },
        },
    );
    let (outcome, why) = match &run.result {
        Ok(Outcome::Emit(outputs)) => ("emitted", format!("{} output(s)", outputs.len())),
        Ok(Outcome::Drop(reason)) => ("dropped", reason.clone()),
        Err(error) => (error.word(), error.to_string()),
    };
    outcome.clone_into(&mut trace.outcome);
    trace.why = why;
    trace.detail = serde_json::json!({ "usage": run.usage, "log": run.log });
    let result = run.result.map_err(|error| match error {
        RunError::Host(why) => Failed::Now(why),
        error => Failed::Here(error.to_string()),
    });
    (result, trace)
}
