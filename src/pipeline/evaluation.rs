//! What became of an automation for an event, as it is kept: a verdict, and what can't be found out again.
//! What its condition was asked, and why it has answered so, is told when somebody asks: versions and events
//! don't change, and the variables that it knew are kept. Sentences are cut and details left out where they are
//! longer than an event's record may be, with a word that says so.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::snapshot::Compiled;
use super::step::{CONDITION, Step, no_room, shortened};
use super::verdict::Verdict;
use crate::automation::flow::Ask;
use crate::automation::{Condition, EventView, Variables};
use crate::model::limits::TRACE_BYTES_PER_EVENT_MAX;
use crate::model::{AutomationId, OrderKey};

/// What is said after a summary, before the reason.
const STEPS_LEFT_OUT: &str = "; its steps are left out: ";

/// A verdict, and how it came about. Kept as JSON, packed with those of the same event; an [`Explained`] is what
/// is shown of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Evaluation {
    /// Which automation.
    pub automation: AutomationId,
    /// Which version.
    pub version: i64,
    /// What became of it.
    pub verdict: Verdict,
    /// One sentence with the values that decided; `None`: its condition decided, or nothing but its trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<String>,
    /// Step by step. What its condition was asked is no step of the record, unless that can't be found out later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Whether it had more steps, for which the event's record has no room.
    #[serde(default, skip_serializing_if = "is_not")]
    steps_left_out: bool,
    /// The variables that its condition has asked for. All evaluations of an event know the same, so that each is
    /// kept once, with the first of them that asks for it.
    #[serde(default, rename = "vars", skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
    /// All of them; not part of the record.
    #[serde(skip)]
    pub(super) asked: Option<Arc<Variables>>,
    /// Whether its flow control decides: what that has said, and what came of it, is on a record of its own.
    #[serde(default, skip_serializing_if = "is_not")]
    pub is_gated: bool,
    /// What it asks of its flow control; not part of the record.
    #[serde(skip)]
    pub(super) ask: Option<Box<Ask>>,
    /// What its deliveries keep their order with; not part of the record.
    #[serde(skip)]
    pub(super) order: Option<OrderKey>,
    /// What is to be delivered; not part of the record.
    #[serde(skip)]
    pub(super) outputs: Outputs,
    /// Where in the chain of transforms it failed; not part of the record.
    #[serde(skip)]
    pub(super) broke_at: Option<BreakingPoint>,
    /// Whether the transform that failed refuses its configuration; not part of the record.
    #[serde(skip)]
    pub(super) misconfigured: bool,
    /// What stood in the place of the event's payload, if something did; not part of the record.
    #[serde(skip)]
    pub(super) carried: Option<Bytes>,
    /// What the steps have as JSON.
    #[serde(skip)]
    step_bytes: usize,
}

/// Where in a chain of transforms something failed.
#[derive(Debug, Clone)]
pub(super) struct BreakingPoint {
    /// The transform's place, from 0.
    pub(super) place: usize,
    /// What went into it, if that is not the event's payload.
    pub(super) input: Option<Bytes>,
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

impl Output {
    /// What it takes to keep it.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.headers.iter().flat_map(|(name, value)| [name, value]);
        let texts = texts.chain(&self.event_type).map(String::len);
        self.content.len() + texts.sum::<usize>()
    }
}

impl Outputs {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Payload => 1,
            Self::Transformed(outputs) => outputs.len(),
        }
    }

    /// One by one; the event's payload stands for itself.
    pub(super) fn each(self, payload: &Bytes) -> Vec<Output> {
        match self {
            Self::None => Vec::new(),
            Self::Payload => vec![Output {
                content: payload.clone(),
                event_type: None,
                headers: Vec::new(),
            }],
            Self::Transformed(outputs) => outputs,
        }
    }

    /// What it takes to keep them; the payload is kept anyway.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::None | Self::Payload => 0,
            Self::Transformed(outputs) => outputs.iter().map(Output::bytes).sum(),
        }
    }
}

impl Evaluation {
    /// That of an automation whose trigger the event has met.
    pub(super) fn begin(automation: &Compiled) -> Self {
        Self {
            automation: automation.id,
            version: automation.version,
            verdict: Verdict::Fired,
            summary: None,
            steps: Vec::new(),
            steps_left_out: false,
            variables: Variables::default(),
            asked: None,
            is_gated: false,
            ask: None,
            order: None,
            outputs: Outputs::Payload,
            broke_at: None,
            misconfigured: false,
            carried: None,
            step_bytes: 0,
        }
    }

    /// Comes to this verdict. Only one that fires has outputs.
    pub(super) fn ends(&mut self, verdict: Verdict, summary: String) {
        self.verdict = verdict;
        self.summary = Some(shortened(summary));
        if verdict != Verdict::Fired {
            self.outputs = Outputs::None;
        }
    }

    /// Its condition says no.
    pub(super) fn is_filtered(&mut self) {
        self.verdict = Verdict::Filtered;
        self.outputs = Outputs::None;
    }

    /// Why it has failed, if it has.
    pub(super) fn failure(&self) -> &str {
        self.summary.as_deref().unwrap_or_default()
    }

    /// Tells what its condition was asked, and why it has answered as it did, in a step before the others. An
    /// evaluation that broke off before that, or has told it, stays as it is.
    pub fn tell(&mut self, condition: &Result<Condition, String>, view: &EventView<'_>) {
        let is_told = self.steps.iter().any(|step| step.kind == CONDITION);
        // So it was written once, without the variables.
        let summary = self.summary.as_deref().unwrap_or_default();
        let is_whole = !summary.contains(STEPS_LEFT_OUT);
        if is_told || !is_whole || self.verdict == Verdict::EvaluationError {
            return;
        }
        let answered = match self.verdict {
            Verdict::Filtered => "false",
            Verdict::ConditionError => "error",
            _ => "true",
        };
        let step = Step::of_condition(condition, view, answered);
        self.summary.get_or_insert_with(|| step.why.clone());
        self.steps.insert(0, step);
    }

    /// Leaves what follows to the automation's flow control, which is asked for this.
    pub(super) fn asks(&mut self, ask: Ask) {
        self.is_gated = true;
        self.ask = Some(Box::new(ask));
        self.summary = Some("its flow control decides".to_owned());
        self.outputs = Outputs::None;
    }

    /// Adds a step; without its detail, once the steps have as much as those of one event may.
    pub(super) fn step(&mut self, mut step: Step) {
        step.why = shortened(step.why);
        let mut bytes = step.json_bytes();
        if self.step_bytes + bytes > TRACE_BYTES_PER_EVENT_MAX {
            step.leave_detail_out();
            bytes = step.json_bytes();
        }
        self.step_bytes += bytes;
        self.steps.push(step);
    }

    /// For an event whose record is full.
    pub(super) fn leave_details_out(&mut self) {
        self.steps.iter_mut().for_each(Step::leave_detail_out);
    }

    /// For an event whose record has no room even without details.
    pub(super) fn leave_steps_out(&mut self) {
        self.steps.clear();
        self.steps_left_out = true;
    }
}

/// What is shown of an [`Evaluation`].
#[derive(Debug, Clone)]
pub struct Explained {
    /// Which automation.
    pub automation: AutomationId,
    /// Which version.
    pub version: i64,
    /// What became of it.
    pub verdict: Verdict,
    /// One sentence with the values that decided.
    pub summary: String,
    /// Step by step.
    pub steps: Vec<Step>,
    /// Whether its flow control decides.
    pub is_gated: bool,
}

impl From<Evaluation> for Explained {
    fn from(evaluation: Evaluation) -> Self {
        let mut summary = evaluation.summary.unwrap_or_else(|| {
            let why = match evaluation.verdict {
                Verdict::Filtered => "its condition says no; why can't be told any more",
                _ => "the event's type matched",
            };
            why.to_owned()
        });
        if evaluation.steps_left_out {
            let is_told = !evaluation.steps.is_empty();
            summary.push_str(if is_told {
                "; its other steps are left out: "
            } else {
                STEPS_LEFT_OUT
            });
            summary.push_str(&no_room());
        }
        Self {
            automation: evaluation.automation,
            version: evaluation.version,
            verdict: evaluation.verdict,
            summary,
            steps: evaluation.steps,
            is_gated: evaluation.is_gated,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes it by reference"
)]
fn is_not(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automation::EventType;
    use crate::model::{EventId, Timestamp};

    const RECORD: &str = r#"{"automation":"aut_01890a5dac96774bbcceb302099a8057","version":1,"#;

    /// What is told of a record that goes on like this, about a condition on `{"a":1}`.
    fn told(record: &str, condition: &str) -> Explained {
        let record = format!("{RECORD}{record}");
        let mut evaluation: Evaluation = serde_json::from_str(&record).expect("a record");
        let condition = Condition::parse_with(condition, &evaluation.variables);
        let condition = condition.map_err(|error| error.to_string());
        let (event_type, at): (EventType, _) =
            ("a.b".parse().expect("valid"), Timestamp::from_ms(0));
        let view = EventView::new(EventId::mint(at), &event_type, at, br#"{"a":1}"#);
        evaluation.tell(&condition, &view);
        evaluation.into()
    }

    #[test]
    fn why_a_condition_has_answered_so_is_told_when_somebody_asks() {
        let no = told(
            r#""verdict":"filtered","vars":{"n":2}}"#,
            "event.data.a == vars.n",
        );
        assert_eq!(no.summary, "`event.data.a` is 1, needs to be `vars.n` (2)");
        assert_eq!((no.steps.len(), no.steps[0].outcome.as_str()), (1, "false"));
        let late = told(
            r#""verdict":"loop_refused","summary":"round"}"#,
            "event.data.a == 1",
        );
        assert_eq!(late.summary, "round");
        assert_eq!(late.steps[0].why, "`event.data.a` is 1");
        let whole = r#""verdict":"filtered","summary":"as it was","steps":[
            {"kind":"condition","what":"x","outcome":"false","why":"as it was"}]}"#;
        let before = told(whole, "event.data.a == 1");
        assert_eq!(
            (before.summary.as_str(), before.steps.len()),
            ("as it was", 1)
        );
        let broken = told(
            r#""verdict":"evaluation_error","summary":"s"}"#,
            "event.data.a == 1",
        );
        assert!(broken.steps.is_empty());
    }

    #[test]
    fn a_record_stands_whatever_a_later_server_would_say() {
        let no = r#""verdict":"filtered"}"#;
        for (record, condition, outcome, why) in [
            (no, "event.data.a == 1", "false", "today would come to true"),
            (
                no,
                "event.data.b == 1",
                "false",
                "today would come to error",
            ),
            (no, "event.data.a = 1", "false", "today can't read it"),
            (
                r#""verdict":"fired"}"#,
                "event.data.a == 2",
                "true",
                "today would come to false",
            ),
        ] {
            let told = told(record, condition);
            assert_eq!(told.steps[0].outcome, outcome, "{condition}");
            assert!(told.summary.contains(why), "{condition}: {}", told.summary);
        }
    }
}
