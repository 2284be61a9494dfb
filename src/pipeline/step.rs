//! A step of an evaluation, as it is kept and shown.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

use crate::automation::flow::Trace;
use crate::automation::{Answer, Condition, EventView};
use crate::model::limits::{SUMMARY_BYTES_MAX, TRACE_BYTES_PER_EVENT_MAX};

/// The `kind` of the step that a condition is.
pub(super) const CONDITION: &str = "condition";

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
    pub(super) fn of_condition(
        condition: &Result<Condition, String>,
        view: &EventView<'_>,
        answered: &str,
    ) -> Self {
        let mut step = Self::of_unreadable_condition(String::new());
        answered.clone_into(&mut step.outcome);
        let told = condition.as_ref().map(|condition| {
            condition.source().clone_into(&mut step.what);
            // Nothing that is shared is changed inside.
            catch_unwind(AssertUnwindSafe(|| condition.explain(view)))
        });
        match told {
            Ok(Err(_panic)) => {
                tracing::error!(condition = step.what, "an explanation broke off");
                step.why = format!(
                    "it came to {answered}; telling why broke off: this is a defect of the server, which its log describes"
                );
            }
            Ok(Ok(told)) if word(&told.answer) == answered => {
                step.why = shortened(told.summary);
                step.detail = serde_json::to_value(&told.clauses).unwrap_or_default();
            }
            Ok(Ok(told)) => {
                let now = word(&told.answer);
                step.why = format!(
                    "it came to {answered} when the event was evaluated; the server as it is today would come to {now}"
                );
            }
            Err(why) if answered == "error" => step.why.clone_from(why),
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
    pub(super) fn leave_detail_out(&mut self) {
        self.replace_detail(&no_room());
    }

    /// The same, if it is the step of a condition, for a list.
    pub fn leave_parts_to_explain(&mut self) {
        if self.kind == CONDITION {
            self.replace_detail("the automation's own explanation of the event has it");
        }
    }

    fn replace_detail(&mut self, why: &str) {
        if !self.detail.is_null() {
            self.detail = serde_json::json!({ "left_out": why });
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

fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::True => "true",
        Answer::False => "false",
        Answer::Error { .. } => "error",
    }
}

/// The word for what is left out.
pub(super) fn no_room() -> String {
    format!("the steps of one event have {TRACE_BYTES_PER_EVENT_MAX} bytes at most")
}

/// As much of a sentence as is kept. Plugins write half a megabyte, if they are let.
pub(super) fn shortened(mut text: String) -> String {
    if text.len() > SUMMARY_BYTES_MAX {
        text.truncate(text.floor_char_boundary(SUMMARY_BYTES_MAX));
        text.push('…');
    }
    text
}
