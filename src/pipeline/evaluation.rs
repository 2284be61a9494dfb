//! What became of an automation for an event, as it is kept: a verdict, and what can't be found out again.
//! What its condition was asked, and why it has answered so, is told when somebody asks: versions and events
//! don't change, and the variables that it knew are kept. Sentences are cut and details left out where they are
//! longer than an event's record may be, with a word that says so.

use std::borrow::Cow;

use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::snapshot::Compiled;
use crate::automation::flow::{Ask, FlowVerdict, Trace};
use crate::automation::{Answer, Condition, EventView, Variables};
use crate::model::limits::{SUMMARY_BYTES_MAX, TRACE_BYTES_PER_EVENT_MAX};
use crate::model::{AutomationId, OrderKey, words};

/// What became of an automation for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// With those before it, it would make more than one event may; or the account has no room for it.
    LimitExceeded,
    /// The event descends from one that it has made.
    LoopRefused,
    /// Another event had its key.
    Deduped,
    /// It goes on unless another event of its key comes; or one has come.
    Debounced,
    /// It is one of a digest.
    Digested,
    /// Too many events of its key have come: it goes on later, or not.
    RateLimited,
    /// It goes on later.
    Delayed,
    /// What its flow control asks can't be said.
    FlowError,
    /// It waited, and its automation was removed, or switched off for too long.
    Cancelled,
    /// The evaluation itself broke off.
    EvaluationError,
}

words!(Verdict {
    Fired = "fired",
    Filtered = "filtered",
    ConditionError = "condition_error",
    PluginDropped = "plugin_dropped",
    PluginError = "plugin_error",
    LimitExceeded = "limit_exceeded",
    LoopRefused = "loop_refused",
    Deduped = "deduped",
    Debounced = "debounced",
    Digested = "digested",
    RateLimited = "rate_limited",
    Delayed = "delayed",
    FlowError = "flow_error",
    Cancelled = "cancelled",
    EvaluationError = "evaluation_error",
});

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Verdict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = Cow::<str>::deserialize(deserializer)?;
        Self::from_word(&word)
            .ok_or_else(|| D::Error::custom(format!("there is no verdict '{word}'")))
    }
}

impl Verdict {
    /// Whether the automation failed: what it failed at is kept as a dead letter, and counted.
    pub const fn is_failure(self) -> bool {
        matches!(
            self,
            Self::ConditionError
                | Self::FlowError
                | Self::PluginError
                | Self::LimitExceeded
                | Self::EvaluationError
        )
    }

    /// Those.
    pub const FAILURES: [Self; 5] = [
        Self::ConditionError,
        Self::FlowError,
        Self::PluginError,
        Self::LimitExceeded,
        Self::EvaluationError,
    ];

    /// Whether the automation did all that it has to do: if it has failed before, it works again. One whose
    /// condition says no has not shown it.
    pub(super) const fn shows_health(self) -> bool {
        matches!(self, Self::Fired | Self::PluginDropped)
    }
}

impl From<FlowVerdict> for Verdict {
    fn from(verdict: FlowVerdict) -> Self {
        match verdict {
            FlowVerdict::Fired => Self::Fired,
            FlowVerdict::Deduped => Self::Deduped,
            FlowVerdict::Debounced => Self::Debounced,
            FlowVerdict::Digested => Self::Digested,
            FlowVerdict::RateLimited => Self::RateLimited,
            FlowVerdict::Delayed => Self::Delayed,
            FlowVerdict::LimitExceeded => Self::LimitExceeded,
        }
    }
}

/// The `kind` of the step that a condition is.
const CONDITION: &str = "condition";

/// One step of an evaluation. Kept as JSON with the verdict.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// `condition`, `loop`, `flow`, `transform` or `emit`.
    pub kind: String,
    /// The condition's text, the rule of flow control, the plugin's name, or the type of the events that are made.
    pub what: String,
    /// Of a transform: SHA-256 of the component that ran, as the version pins it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What it came to.
    pub outcome: String,
    /// One sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Of a condition: its parts. Of a loop: the events and automations that led to the event. Of flow control: the
    /// values that decided. Of a transform: its use against limits and its log. Of what is made: the events' ids. Or
    /// that it was left out, and why.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub detail: serde_json::Value,
}

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
    /// Step by step, from behind its condition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// The variables that its condition has asked for. All evaluations of an event know the same, so that each is
    /// kept once, with the first of them that asks for it.
    #[serde(default, rename = "vars", skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
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
            variables: Variables::default(),
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
        if is_told || self.verdict == Verdict::EvaluationError {
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
        let summary = self.summary.get_or_insert_with(|| "it fired".to_owned());
        summary.push_str("; its steps are left out: ");
        summary.push_str(&full());
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
        let matched = || "the event's type matched".to_owned();
        Self {
            automation: evaluation.automation,
            version: evaluation.version,
            verdict: evaluation.verdict,
            summary: evaluation.summary.unwrap_or_else(matched),
            steps: evaluation.steps,
            is_gated: evaluation.is_gated,
        }
    }
}

impl Step {
    pub(super) fn of_unreadable_condition(why: String) -> Self {
        Self {
            kind: CONDITION.to_owned(),
            what: String::new(),
            digest: None,
            outcome: "error".to_owned(),
            why,
            detail: serde_json::Value::Null,
        }
    }

    /// What the condition was asked, and why it has `answered` so.
    fn of_condition(
        condition: &Result<Condition, String>,
        view: &EventView<'_>,
        answered: &str,
    ) -> Self {
        let mut step = Self::of_unreadable_condition(String::new());
        answered.clone_into(&mut step.outcome);
        let told = condition.as_ref().map(|condition| {
            condition.source().clone_into(&mut step.what);
            condition.explain(view)
        });
        match told {
            Ok(told) if word(&told.answer) == answered => {
                step.why = shortened(told.summary);
                step.detail = serde_json::to_value(&told.clauses).unwrap_or_default();
            }
            Ok(told) => {
                let now = word(&told.answer);
                step.why = format!(
                    "it came to {answered} when the event was evaluated; the server as it is today would come to {now}"
                );
            }
            Err(why) => {
                step.why = format!(
                    "it came to {answered} when the event was evaluated; the server as it is today can't read it: {why}"
                );
            }
        }
        step
    }

    /// What it has as JSON.
    pub fn json_bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(0, |json| json.len())
    }

    /// A word in the place of its detail, if it has any: there is no room for that.
    pub fn leave_detail_out(&mut self) {
        if !self.detail.is_null() {
            self.detail = serde_json::json!({ "left_out": full() });
        }
    }
}

impl From<Trace> for Step {
    fn from(trace: Trace) -> Self {
        Self {
            kind: trace.kind.to_owned(),
            what: trace.what.to_owned(),
            digest: None,
            outcome: trace.outcome.to_owned(),
            why: trace.why,
            detail: trace.detail,
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

fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::True => "true",
        Answer::False => "false",
        Answer::Error { .. } => "error",
    }
}

fn full() -> String {
    format!("the steps of one event have {TRACE_BYTES_PER_EVENT_MAX} bytes at most")
}

/// As much of a sentence as is kept. Plugins write half a megabyte, if they are let.
fn shortened(mut text: String) -> String {
    if text.len() > SUMMARY_BYTES_MAX {
        text.truncate(text.floor_char_boundary(SUMMARY_BYTES_MAX));
        text.push('…');
    }
    text
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

    #[test]
    fn a_verdict_is_kept_as_its_word() {
        for verdict in Verdict::ALL {
            let kept = serde_json::to_string(verdict).expect("JSON");
            assert_eq!(kept, format!("\"{}\"", verdict.as_str()));
            let read: Verdict = serde_json::from_str(&kept).expect("a verdict");
            assert_eq!(read, *verdict);
        }
        assert!(serde_json::from_str::<Verdict>("\"Fired\"").is_err());
    }
}
