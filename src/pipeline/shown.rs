//! What went into a run of a plugin and what came out of it, as a reader of a trial sees it: texts as they
//! are, cut where they are long, with a word that says so.

use std::collections::BTreeMap;

use serde::Serialize;

use super::evaluation::Output;

use super::step::Step;
use crate::plugin::{self, Outcome};

/// Most bytes that are shown of what goes into a run, and of each of its outputs.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// A body, and what goes with it.
#[derive(Serialize)]
struct Shown {
    body: String,
    /// Left out, if the body is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<String>,
    /// Left out, if it is the event's own.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
}

impl From<&Output> for Shown {
    fn from(output: &Output) -> Self {
        let (body, cut) = text(&output.content, BODY_BYTES_MAX);
        Self {
            body,
            cut,
            event_type: output.event_type.clone(),
            headers: output.headers.iter().cloned().collect(),
        }
    }
}

impl From<&plugin::Output> for Shown {
    fn from(output: &plugin::Output) -> Self {
        let (body, cut) = text(&output.data, BODY_BYTES_MAX);
        Self {
            body,
            cut,
            event_type: output.event_type.clone(),
            headers: output.headers.iter().cloned().collect(),
        }
    }
}

/// Adds to a run's step what went in and, if it came to an outcome, what came out.
pub(super) fn add(step: &mut Step, input: &Output, outcome: Option<&Outcome>) {
    let mut more = serde_json::json!({ "input": Shown::from(input) });
    if let Some(outcome) = outcome {
        more["outputs"] = outputs(outcome);
    }
    match (&mut step.detail, more) {
        (serde_json::Value::Object(known), serde_json::Value::Object(more)) => known.extend(more),
        // A run that did not begin has no use to tell of.
        (detail, more) => *detail = more,
    }
}

/// What came out of a run: none, if it has dropped what went in.
pub(super) fn outputs(outcome: &Outcome) -> serde_json::Value {
    let outputs: Vec<Shown> = match outcome {
        Outcome::Emit(outputs) => outputs.iter().map(Shown::from).collect(),
        Outcome::Drop(_) => Vec::new(),
    };
    serde_json::json!(outputs)
}

/// As much of a body as `bytes_max` lets through, and a word if that is not all.
pub(super) fn text(body: &[u8], bytes_max: usize) -> (String, Option<String>) {
    let whole = String::from_utf8_lossy(body);
    if whole.len() <= bytes_max {
        return (whole.into_owned(), None);
    }
    let shown = whole[..whole.floor_char_boundary(bytes_max)].to_owned();
    let cut = format!(
        "these are the first {} of {} bytes",
        shown.len(),
        body.len()
    );
    (shown, Some(cut))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn bodies_are_shown_whole_or_with_a_word() {
        for (body, bytes_max, shown, cut) in [
            ("{}", 2, "{}", None),
            ("[1,2]", 3, "[1,", Some("these are the first 3 of 5 bytes")),
            ("\"ä\"", 2, "\"", Some("these are the first 1 of 4 bytes")),
        ] {
            let found = text(body.as_bytes(), bytes_max);
            assert_eq!(
                (found.0.as_str(), found.1.as_deref()),
                (shown, cut),
                "{body}"
            );
        }
    }

    #[test]
    fn a_step_tells_what_went_in_and_what_came_out() {
        let step = r#"{"kind":"transform","what":"p","outcome":"emitted","detail":{"usage":1}}"#;
        let mut step: Step = serde_json::from_str(step).expect("a step");
        let input = Output {
            content: Bytes::from_static(b"{\"n\":1e999}"),
            event_type: None,
            headers: Vec::new(),
        };
        let made = plugin::Output {
            data: Bytes::from_static(b"{}"),
            event_type: Some("a.b".to_owned()),
            headers: vec![("x-a".to_owned(), "1".to_owned())],
        };
        add(&mut step, &input, Some(&Outcome::Emit(vec![made])));
        assert_eq!(
            step.detail,
            serde_json::json!({
                "usage": 1,
                "input": {"body": "{\"n\":1e999}"},
                "outputs": [{"body": "{}", "type": "a.b", "headers": {"x-a": "1"}}],
            })
        );
        step.detail = serde_json::Value::Null;
        add(&mut step, &input, None);
        assert_eq!(
            step.detail,
            serde_json::json!({"input": {"body": "{\"n\":1e999}"}})
        );
    }
}
