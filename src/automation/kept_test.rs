//! A test that is kept with an automation's version: an event, and what must come of it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{EventType, differences};
use crate::model::Timestamp;

/// A test of a version, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// By which people recognise it; each of a version's has another.
    pub name: String,
    /// What happens.
    pub event: TestEvent,
    /// What must come of it.
    pub expect: Expectation,
}

/// What happens in a test.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestEvent {
    /// The event's type.
    #[serde(rename = "type", with = "event_type")]
    pub event_type: EventType,
    /// Its payload.
    pub data: Box<RawValue>,
    /// Its own time; the time of the run, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
}

/// What must come of an event.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The verdict's word.
    pub verdict: String,
    /// The bodies, in their order, before any envelope; left out, they don't matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Vec<Box<RawValue>>>,
}

impl Expectation {
    /// Whether this is what must come.
    pub fn is_met(&self, verdict: &str, outputs: &[String]) -> bool {
        let is_all = |wanted: &Vec<Box<RawValue>>| {
            let mut pairs = wanted.iter().zip(outputs);
            wanted.len() == outputs.len() && pairs.all(|(wanted, came)| is_same(wanted.get(), came))
        };
        self.verdict == verdict && self.outputs.as_ref().is_none_or(is_all)
    }
}

/// Whether two texts are the same JSON, however it is spelled.
fn is_same(one: &str, other: &str) -> bool {
    differences(one, other).is_ok_and(|found| found.shown.is_empty())
}

mod event_type {
    //! A type as its text.

    use serde::{Deserialize, Deserializer, Serializer};

    use super::EventType;

    pub(super) fn serialize<S: Serializer>(
        event_type: &EventType,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(event_type.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<EventType, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_compared_as_json_and_in_their_order() {
        for (expected, verdict, outputs, met) in [
            (r#"{"verdict":"fired"}"#, "fired", &["1"][..], true),
            (r#"{"verdict":"fired"}"#, "filtered", &[], false),
            (
                r#"{"verdict":"fired","outputs":[{"a":1,"b":[2]}]}"#,
                "fired",
                &[r#"{ "b" : [2], "a" : 1 }"#],
                true,
            ),
            (
                r#"{"verdict":"fired","outputs":[1,2]}"#,
                "fired",
                &["2", "1"],
                false,
            ),
            (
                r#"{"verdict":"fired","outputs":[1]}"#,
                "fired",
                &["1", "2"],
                false,
            ),
            (
                r#"{"verdict":"filtered","outputs":[]}"#,
                "filtered",
                &[],
                true,
            ),
        ] {
            let expected: Expectation = serde_json::from_str(expected).expect("an expectation");
            let outputs: Vec<String> = outputs.iter().map(ToString::to_string).collect();
            assert_eq!(expected.is_met(verdict, &outputs), met, "{expected:?}");
        }
    }

    #[test]
    fn a_test_is_read_back_as_it_was_written() {
        let text = r#"{"name":"n","event":{"type":"deal.won","data":{"a":1e400}},"expect":{"verdict":"fired","outputs":[null]}}"#;
        let read: Test = serde_json::from_str(text).expect("a test");
        assert_eq!(serde_json::to_string(&read).expect("plain"), text);
        let wrong = text.replace("deal.won", "deal won");
        assert!(serde_json::from_str::<Test>(&wrong).is_err());
    }
}
