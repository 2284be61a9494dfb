//! What is refused when flow control is saved, and with which words; what is beyond bounds; and the authors'
//! guide, `docs/flow.md`, kept true.

use super::*;
use crate::automation::Variables;
use crate::model::limits::DIGEST_BYTES_MAX;

#[test]
fn the_guide_leaves_nothing_out() {
    let guide = include_str!("../../../../docs/flow.md");
    let rules = ["dedupe", "debounce", "digest", "rate_limit", "delay"];
    for name in rules
        .into_iter()
        .chain(FlowVerdict::ALL.iter().map(|it| it.as_str()))
    {
        assert!(
            guide.contains(&format!("`{name}`")),
            "nothing is said of {name}"
        );
    }
    let sample = guide
        .split("```json POST /v1/automations\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let sample: serde_json::Value = serde_json::from_str(sample.expect("a sample")).expect("JSON");
    let flow: Flow = serde_json::from_value(sample["flow"].clone()).expect("flow control");
    assert!(Rules::of(&flow, &Variables::default()).is_ok());
}

#[test]
fn bounds_are_said() {
    for (full, says) in [
        (Full::Keys, "100000 keys"),
        (Full::Waits, "100000 outputs that wait"),
    ] {
        let decision = refuse(full);
        assert_eq!(decision.verdict, FlowVerdict::LimitExceeded);
        assert_eq!((decision.moves, decision.traces.len()), (Move::Stop, 1));
        assert!(decision.why.contains(says), "{}", decision.why);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let too_many = format!(
        r#"{{"digest":{{"period_ms":1,"bytes":{}}}}}"#,
        DIGEST_BYTES_MAX + 1
    );
    for (flow, pointer, says) in [
        ("{}", "", "nothing is said"),
        (
            r#"{"dedupe":{"key":"data.id","window_ms":1}}"#,
            "/dedupe/key",
            "line 1, column 1: there is no `data`",
        ),
        (
            r#"{"dedupe":{"key":"event.id","window_ms":0}}"#,
            "/dedupe/window_ms",
            "0 is not between 1 and 2592000000",
        ),
        (
            r#"{"debounce":{"period_ms":5,"longest_ms":4}}"#,
            "/debounce/longest_ms",
            "at least the period, which is 5",
        ),
        (
            r#"{"debounce":{"key":"[1]","period_ms":5}}"#,
            "/debounce/key",
            "gives a list",
        ),
        (&too_many, "/digest/bytes", "is not between 1 and 262144"),
        (
            r#"{"digest":{"period_ms":1,"count":1001}}"#,
            "/digest/count",
            "between 1 and 1000",
        ),
        (
            r#"{"rate_limit":{"count":0,"window_ms":1,"over":"drop"}}"#,
            "/rate_limit/count",
            "0 is not",
        ),
        (r#"{"delay":{}}"#, "/delay", "give for_ms or until"),
        (
            r#"{"delay":{"for_ms":1,"until":"event.timestamp"}}"#,
            "/delay",
            "give for_ms or until",
        ),
        (
            r#"{"delay":{"until":"size(event.data)"}}"#,
            "/delay/until",
            "gives a number, needs to give a time",
        ),
        (
            r#"{"delay":{"for_ms":1},"digest":{"period_ms":1}}"#,
            "/delay",
            "digest and delay don't go together",
        ),
    ] {
        let read: Flow = serde_json::from_str(flow).expect(flow);
        let error = Rules::of(&read, &Variables::default()).expect_err(flow);
        assert_eq!(error.pointer(), pointer, "{flow}");
        assert!(error.to_string().contains(says), "{flow}: {error}");
    }
    let unknown = serde_json::from_str::<Flow>(r#"{"delay":{"for_s":1}}"#);
    assert!(unknown.is_err_and(|error| error.to_string().contains("for_s")));
}
