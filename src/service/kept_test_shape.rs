//! Tests of an automation as they are written and as they are told, and the checks of what is written.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::absence::NOT_SUBSCRIBED;
use super::check::NOTE_BYTES_MAX;
use super::{Error, check, payload};
use crate::automation::{EventType, Expectation, Test, TestEvent};
use crate::model::Timestamp;
use crate::model::limits::{PAYLOAD_BYTES_MAX, TESTS_BYTES_MAX, TESTS_MAX};
use crate::pipeline::Verdict;

/// A test that is kept with an automation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// A name by which people recognise it, which no other test of the automation has: 1 to 200 bytes.
    pub name: String,
    /// What happens.
    pub event: TestEventRequest,
    /// What must come of it.
    pub expect: ExpectationRequest,
}

/// What happens in a test.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestEventRequest {
    /// The event's type, such as `deal.stage.changed`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The payload: any JSON value, within the limits of an event's.
    #[schema(value_type = serde_json::Value)]
    pub data: Box<RawValue>,
    /// When it happened, RFC 3339; when the test runs, if left out.
    #[schema(format = DateTime)]
    pub timestamp: Option<String>,
}

/// What must come of an event.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectationRequest {
    /// A verdict's word, as docs/explain.md lists them; or `not_subscribed`: the trigger does not name the type.
    #[schema(example = "fired")]
    pub verdict: String,
    /// The bodies that the last plugin puts out, or the payload if there is none: as JSON, in their order, before
    /// any envelope. Left out: they don't matter.
    #[schema(value_type = Option<Vec<serde_json::Value>>)]
    pub outputs: Option<Vec<Box<RawValue>>>,
}

/// Why a version is published although its tests fail.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// For whoever reads what was live when: 1 to 500 bytes. Kept with whose key it was.
    pub reason: String,
}

/// What came of a version's tests.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestsView {
    /// The number of the version.
    pub version: i64,
    /// Whether all have passed; true, if there are none.
    pub passed: bool,
    /// Each test, in their order.
    pub data: Vec<TestView>,
}

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestView {
    /// Its name.
    pub name: String,
    /// Whether what came is what was expected.
    pub passed: bool,
    /// What was expected.
    #[schema(value_type = ExpectationRequest)]
    pub expected: Expectation,
    /// What came.
    pub came: CameView,
}

/// What came of a test's event.
#[derive(Debug, Serialize, ToSchema)]
pub struct CameView {
    /// The verdict.
    pub verdict: &'static str,
    /// A sentence with the values that decided.
    pub summary: String,
    /// The bodies that it put out.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub outputs: Vec<Box<RawValue>>,
}

/// Reads tests.
pub(super) fn tests(requests: Vec<TestRequest>) -> Result<Vec<Test>, Error> {
    if requests.len() > TESTS_MAX {
        let why = format!("there are {} tests: {TESTS_MAX} at most", requests.len());
        return Err(Error::field("/tests", why));
    }
    let mut names = BTreeSet::new();
    let mut tests = Vec::with_capacity(requests.len());
    for (place, request) in requests.into_iter().enumerate() {
        let at = format!("/tests/{place}");
        check::name(&request.name, &format!("{at}/name"))?;
        if !names.insert(request.name.clone()) {
            let why = "another test has this name: give each its own";
            return Err(Error::field(format!("{at}/name"), why));
        }
        tests.push(Test {
            name: request.name,
            event: event(request.event, &format!("{at}/event"))?,
            expect: expectation(request.expect, &format!("{at}/expect"))?,
        });
    }
    let bytes = serde_json::to_vec(&tests).map_or(0, |json| json.len());
    if bytes > TESTS_BYTES_MAX {
        let why = format!("all tests have {bytes} bytes: {TESTS_BYTES_MAX} at most");
        return Err(Error::field("/tests", why));
    }
    Ok(tests)
}

fn event(request: TestEventRequest, at: &str) -> Result<TestEvent, Error> {
    let event_type: EventType = request
        .event_type
        .parse()
        .map_err(|error| Error::field(format!("{at}/type"), error))?;
    payload::check(request.data.get().as_bytes(), PAYLOAD_BYTES_MAX)
        .map_err(|error| Error::field(format!("{at}/data"), error))?;
    let timestamp = request.timestamp.map(|text| text.parse::<Timestamp>());
    Ok(TestEvent {
        event_type,
        data: request.data,
        timestamp: timestamp
            .transpose()
            .map_err(|error| Error::field(format!("{at}/timestamp"), error))?,
    })
}

fn expectation(request: ExpectationRequest, at: &str) -> Result<Expectation, Error> {
    if request.verdict != NOT_SUBSCRIBED && Verdict::from_word(&request.verdict).is_none() {
        let words: Vec<_> = Verdict::ALL.iter().map(|it| it.as_str()).collect();
        let why = format!(
            "there is no such verdict: it is {} or {NOT_SUBSCRIBED}",
            words.join(", ")
        );
        return Err(Error::field(format!("{at}/verdict"), why));
    }
    Ok(Expectation {
        verdict: request.verdict,
        outputs: request.outputs,
    })
}

/// Checks why tests are passed over.
pub(super) fn check_override(overriding: Option<&Override>) -> Result<(), Error> {
    let Some(Override { reason }) = overriding else {
        return Ok(());
    };
    if reason.trim().is_empty() {
        let why = format!(
            "say why the version is published although its tests fail: 1 to {NOTE_BYTES_MAX} bytes"
        );
        return Err(Error::field("/override/reason", why));
    }
    check::kept_words(reason, "/override/reason", "the reason")
}

#[cfg(test)]
mod tests_of_shapes {
    use super::*;

    fn read(text: &str) -> Result<Vec<Test>, Error> {
        tests(super::super::json::read(text.as_bytes())?)
    }

    #[test]
    fn what_is_wrong_with_a_test_is_told_with_its_place() {
        let of = |more: &str| {
            format!(
                r#"[{{"name":"a","event":{{"type":"a","data":1}},"expect":{{"verdict":"fired"}}}}{more}]"#
            )
        };
        assert_eq!(read(&of("")).expect("fine").len(), 1);
        for (more, at) in [
            (
                r#",{"name":"a","event":{"type":"a","data":1},"expect":{"verdict":"fired"}}"#,
                "/tests/1/name",
            ),
            (
                r#",{"name":"","event":{"type":"a","data":1},"expect":{"verdict":"fired"}}"#,
                "/tests/1/name",
            ),
            (
                r#",{"name":"b","event":{"type":"a b","data":1},"expect":{"verdict":"fired"}}"#,
                "/tests/1/event/type",
            ),
            (
                r#",{"name":"b","event":{"type":"a","data":1},"expect":{"verdict":"maybe"}}"#,
                "/tests/1/expect/verdict",
            ),
            (
                r#",{"name":"b","event":{"type":"a","data":1,"timestamp":"soon"},"expect":{"verdict":"fired"}}"#,
                "/tests/1/event/timestamp",
            ),
        ] {
            let error = read(&of(more)).expect_err(more);
            let place = error.place().map(ToString::to_string);
            assert_eq!(place.as_deref(), Some(at), "{more}: {error}");
        }
        let one =
            r#"{"name":"NO","event":{"type":"a","data":1},"expect":{"verdict":"not_subscribed"}}"#;
        let many = |count: usize| {
            let each = (0..count).map(|no| one.replace("NO", &no.to_string()));
            format!("[{}]", each.collect::<Vec<_>>().join(","))
        };
        assert!(read(&many(TESTS_MAX)).is_ok() && read(&many(TESTS_MAX + 1)).is_err());
        let large = one.replace(":1}", &format!(":\"{}\"}}", "x".repeat(TESTS_BYTES_MAX)));
        let error = read(&format!("[{large}]")).expect_err("too much");
        assert_eq!(
            error.place().map(ToString::to_string).as_deref(),
            Some("/tests")
        );
    }

    #[test]
    fn what_may_be_expected_is_listed_whole() {
        let test = r#"[{"name":"b","event":{"type":"a","data":1},"expect":{"verdict":"maybe"}}]"#;
        let told = read(test).expect_err("no verdict").to_string();
        assert!(
            told.ends_with("evaluation_error or not_subscribed"),
            "{told}"
        );
        assert!(!told.contains('…'), "{told}");
    }

    #[test]
    fn a_reason_is_asked_for_as_a_reason() {
        let check = |reason: &str| {
            let reason = reason.to_owned();
            check_override(Some(&Override { reason }))
        };
        assert!(check("the test is of last year").is_ok());
        let long = "n".repeat(NOTE_BYTES_MAX + 1);
        for (reason, says) in [
            (
                " \n",
                "say why the version is published although its tests fail: 1 to 500 bytes",
            ),
            ("a\0b", "the reason has NUL"),
            (&long, "the reason has 501 bytes"),
        ] {
            let error = check(reason).expect_err(reason);
            assert_eq!(
                error.place().map(ToString::to_string).as_deref(),
                Some("/override/reason")
            );
            assert!(error.to_string().starts_with(says), "{error}");
        }
    }
}
