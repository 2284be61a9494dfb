//! What two versions say of an event, side by side: the verdicts, where it would go, and the bodies field by
//! field. Pure. What is told of an event is bounded, with a word that says what is left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::automation::{Difference, differences};
use crate::model::{EventId, Timestamp};
use crate::pipeline::AcceptedEvent;
use crate::pipeline::evaluation::{Evaluation, Explained, Output};
use crate::pipeline::secret::Secrets;
use crate::pipeline::shown;
use crate::pipeline::snapshot::Compiled;
use crate::pipeline::verdict::Verdict;

/// The trigger does not name the event's type.
const NOT_SUBSCRIBED: &str = "not_subscribed";
/// There was no published version.
const NOT_PUBLISHED: &str = "not_published";
/// Most bodies that are told of one event.
const BODIES_TOLD_MAX: usize = 4;
/// Most changes that are told of one body.
const CHANGES_TOLD_MAX: usize = 20;
/// Longest value, and pointer, that is told whole.
const VALUE_BYTES_MAX: usize = 256;
/// Most bytes that are told of a body of which no changes can be told.
const EXCERPT_BYTES_MAX: usize = 1024;

/// What a version says of an event.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) verdict: &'static str,
    summary: String,
    /// What it has to say, as long as nobody has asked.
    untold: Option<Box<Evaluation>>,
    outputs: Vec<Output>,
    /// Where each output would go.
    to: Vec<String>,
}

impl Said {
    /// That of a version that has looked at the event.
    pub(super) fn by(mut evaluation: Evaluation, payload: &Bytes, targets: &[String]) -> Self {
        let fires = evaluation.verdict == Verdict::Fired;
        Self {
            verdict: evaluation.verdict.as_str(),
            outputs: std::mem::take(&mut evaluation.outputs).each(payload),
            to: if fires { targets.to_vec() } else { Vec::new() },
            summary: String::new(),
            untold: Some(Box::new(evaluation)),
        }
    }

    /// The same with its sentence: the version has looked at this event.
    pub(super) fn tell(mut self, version: Option<&Arc<Compiled>>, event: &AcceptedEvent) -> Self {
        if let Some(mut evaluation) = self.untold.take() {
            if let Some(condition) = version.and_then(|version| version.condition.as_ref()) {
                evaluation.tell(condition, &event.view());
            }
            self.summary = Explained::from(*evaluation).summary;
        }
        self
    }

    /// That of a version that does not look at events of this type.
    pub(super) fn nothing() -> Self {
        Self::word(NOT_SUBSCRIBED, "the trigger does not name the event's type")
    }

    /// That of no version.
    pub(super) fn unpublished() -> Self {
        Self::word(NOT_PUBLISHED, "no version was published")
    }

    fn word(verdict: &'static str, summary: &str) -> Self {
        Self {
            verdict,
            summary: summary.to_owned(),
            untold: None,
            outputs: Vec::new(),
            to: Vec::new(),
        }
    }

    /// Whether the same would follow.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let same = |(one, other): (&Output, &Output)| is_same(one, other);
        self.verdict == other.verdict
            && self.to == other.to
            && self.outputs.len() == other.outputs.len()
            && self.outputs.iter().zip(&other.outputs).all(same)
    }
}

fn is_same(one: &Output, other: &Output) -> bool {
    one.content == other.content
        && one.event_type == other.event_type
        && headers(one) == headers(other)
}

fn headers(output: &Output) -> BTreeMap<&str, &str> {
    let headers = output.headers.iter();
    headers
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// Of which event something is told.
#[derive(Debug)]
pub(super) struct Which<'a> {
    /// What nobody may see of it.
    pub(super) secrets: &'a Secrets,
    pub(super) event: EventId,
    pub(super) event_type: String,
    pub(super) occurred_at: Timestamp,
}

#[derive(Serialize)]
struct Told<'a> {
    event: EventId,
    #[serde(rename = "type")]
    event_type: &'a str,
    timestamp: Timestamp,
    published: Side<'a>,
    draft: Side<'a>,
    bodies: Vec<Body>,
    bodies_left_out: usize,
}

#[derive(Serialize)]
struct Side<'a> {
    verdict: &'static str,
    summary: &'a str,
    outputs: usize,
    to: &'a [String],
}

impl<'a> From<&'a Said> for Side<'a> {
    fn from(said: &'a Said) -> Self {
        Self {
            verdict: said.verdict,
            summary: &said.summary,
            outputs: said.outputs.len(),
            to: &said.to,
        }
    }
}

/// What differs in one output. What is left out is the same, or not there.
#[derive(Default, Serialize)]
struct Body {
    output: usize,
    changes: Vec<Change>,
    changes_left_out: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Excerpt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Excerpt>,
}

#[derive(Serialize)]
struct Change {
    pointer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Excerpt {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<String>,
}

/// What is told of an event of which the two say something different: JSON.
pub(super) fn told(
    which: &Which<'_>,
    published: &Said,
    draft: &Said,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut bodies = Vec::new();
    let mut differing = 0;
    let (before, after) = (&published.outputs, &draft.outputs);
    for output in 0..before.len().max(after.len()) {
        let sides = (before.get(output), after.get(output));
        if matches!(sides, (Some(one), Some(other)) if is_same(one, other)) {
            continue;
        }
        differing += 1;
        if bodies.len() < BODIES_TOLD_MAX {
            bodies.push(body(output, sides, which.secrets)?);
        }
    }
    serde_json::to_vec(&Told {
        event: which.event,
        event_type: &which.event_type,
        timestamp: which.occurred_at,
        published: published.into(),
        draft: draft.into(),
        bodies_left_out: differing - bodies.len(),
        bodies,
    })
}

/// What an output is under, besides its body: as JSON, so that it is compared as that is.
fn around(output: &Output) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Around<'a> {
        headers: BTreeMap<&'a str, &'a str>,
        #[serde(rename = "type")]
        event_type: Option<&'a str>,
    }
    serde_json::to_string(&Around {
        headers: headers(output),
        event_type: output.event_type.as_deref(),
    })
}

fn body(
    output: usize,
    sides: (Option<&Output>, Option<&Output>),
    secrets: &Secrets,
) -> Result<Body, serde_json::Error> {
    let mut told = Body {
        output,
        ..Body::default()
    };
    let (before, after) = match sides {
        (Some(before), Some(after)) => (before, after),
        (before, after) => {
            told.before = before.map(|output| excerpt(output, secrets));
            told.after = after.map(|output| excerpt(output, secrets));
            return Ok(told);
        }
    };
    let (around_before, around_after) = (around(before)?, around(after)?);
    let around = differences(&around_before, &around_after)?.shown;
    told.add("", around, secrets);
    let text = |output: &Output| String::from_utf8_lossy(&output.content).into_owned();
    let bodies = differences(&text(before), &text(after)).unwrap_or_default();
    if bodies.shown.is_empty() && before.content != after.content {
        // The same JSON in other bytes, or no JSON.
        told.before = Some(excerpt(before, secrets));
        told.after = Some(excerpt(after, secrets));
    }
    told.changes_left_out += bodies.left_out;
    told.add("/body", bodies.shown, secrets);
    Ok(told)
}

impl Body {
    fn add(&mut self, within: &str, found: Vec<Difference>, secrets: &Secrets) {
        for one in found {
            let is_long = one.pointer.len() > VALUE_BYTES_MAX;
            if is_long || self.changes.len() == CHANGES_TOLD_MAX {
                self.changes_left_out += 1;
                continue;
            }
            self.changes.push(Change {
                pointer: format!("{within}{}", one.pointer),
                before: one.before.map(|json| value(json, secrets)),
                after: one.after.map(|json| value(json, secrets)),
            });
        }
    }
}

/// A value whole, or the beginning of its text.
fn value(json: String, secrets: &Secrets) -> Box<RawValue> {
    let mut whole = RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned());
    secrets.hide_in_json(&mut whole);
    let json = whole.get();
    if json.len() <= VALUE_BYTES_MAX {
        return whole;
    }
    let shown = &json[..json.floor_char_boundary(VALUE_BYTES_MAX)];
    let cut = serde_json::value::to_raw_value(&format!("{shown}…"));
    cut.unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn excerpt(output: &Output, secrets: &Secrets) -> Excerpt {
    let (mut text, cut) = shown::text(&output.content, EXCERPT_BYTES_MAX);
    secrets.hide(&mut text);
    Excerpt { text, cut }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
