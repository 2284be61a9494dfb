//! What became of an automation for an event, as it is kept: a verdict, one sentence, and the steps that
//! led to it. Sentences are cut and details left out where they are longer than an event's record may be,
//! with a word that says so.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::snapshot::Compiled;
use crate::model::AutomationId;
use crate::model::limits::{SUMMARY_BYTES_MAX, TRACE_BYTES_PER_EVENT_MAX};

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
    /// With those before it, it would make more than one event may.
    LimitExceeded,
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
            Self::LimitExceeded => "limit_exceeded",
            Self::EvaluationError => "evaluation_error",
        }
    }
}

/// One step of an evaluation. Kept as JSON with the verdict.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// `condition` or `transform`.
    pub kind: String,
    /// The condition's text, or the plugin's name.
    pub what: String,
    /// Of a transform: SHA-256 of the component that ran, as the version pins it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What it came to.
    pub outcome: String,
    /// One sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Of a condition: its parts. Of a transform: its use against limits and its log. Or that it was left
    /// out, and why.
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
    /// What the steps have as JSON.
    #[serde(skip)]
    step_bytes: usize,
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
            summary: "the event's type matched".to_owned(),
            steps: Vec::new(),
            outputs: Outputs::Payload,
            step_bytes: 0,
        }
    }

    /// Comes to this verdict. Only one that fires has outputs.
    pub(super) fn ends(&mut self, verdict: Verdict, summary: String) {
        self.verdict = verdict;
        self.summary = shortened(summary);
        if verdict != Verdict::Fired {
            self.outputs = Outputs::None;
        }
    }

    /// Adds a step; without its detail, once the steps have as much as those of one event may.
    pub(super) fn step(&mut self, mut step: Step) {
        step.why = shortened(step.why);
        let mut bytes = json_bytes(&step);
        if self.step_bytes + bytes > TRACE_BYTES_PER_EVENT_MAX {
            step.leave_detail_out();
            bytes = json_bytes(&step);
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
        self.summary.push_str("; its steps are left out: ");
        self.summary.push_str(&full());
    }
}

impl Step {
    fn leave_detail_out(&mut self) {
        if !self.detail.is_null() {
            self.detail = serde_json::json!({ "left_out": full() });
        }
    }
}

fn full() -> String {
    format!("the steps of one event have {TRACE_BYTES_PER_EVENT_MAX} bytes at most")
}

fn json_bytes(step: &Step) -> usize {
    serde_json::to_vec(step).map_or(0, |json| json.len())
}

/// As much of a sentence as is kept. Plugins write half a megabyte, if they are let.
fn shortened(mut text: String) -> String {
    if text.len() > SUMMARY_BYTES_MAX {
        text.truncate(text.floor_char_boundary(SUMMARY_BYTES_MAX));
        text.push('…');
    }
    text
}
