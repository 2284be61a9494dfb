//! Forms and their CEL side by side, and what is refused, in tables.

#![expect(clippy::too_many_lines, reason = "a table of cases is one story")]

use serde_json::{Value, json};

use super::Form;
use crate::automation::EventType;
use crate::automation::condition::{Answer, Condition, EventView, Variables};
use crate::model::{EventId, Timestamp};

const TYPE: &str = "test.event";

#[test]
fn the_two_spellings_side_by_side() {
    let leaf = |operator: &str, value: Value| json!({"field": "data.a", "operator": operator, "value": value});
    for (form, cel) in [
        (
            leaf("equals", json!("x")),
            r#"has(event.data.a) && event.data.a == "x""#,
        ),
        (
            leaf("not_equals", json!(null)),
            "!has(event.data.a) || event.data.a != null",
        ),
        (
            leaf("greater_than", json!(1000)),
            "has(event.data.a) && event.data.a > 1000",
        ),
        (
            leaf("less_or_equal", json!(-1.5)),
            "has(event.data.a) && event.data.a <= -1.5",
        ),
        (
            leaf("starts_with", json!("x")),
            r#"has(event.data.a) && event.data.a.startsWith("x")"#,
        ),
        (
            leaf("includes", json!("vip")),
            r#"has(event.data.a) && "vip" in event.data.a"#,
        ),
        (
            leaf("in", json!([1, "x"])),
            r#"has(event.data.a) && event.data.a in [1, "x"]"#,
        ),
        (
            leaf("not_in", json!([1])),
            "!has(event.data.a) || !(event.data.a in [1])",
        ),
        (
            leaf("after", json!("2026-05-04T10:30:00Z")),
            r#"has(event.data.a) && timestamp(event.data.a) > timestamp("2026-05-04T10:30:00Z")"#,
        ),
        (
            leaf("changed_to", json!("Won")),
            "has(event.data.a) && has(event.data.previous.a) && event.data.a == \"Won\" \
             && event.data.a != event.data.previous.a",
        ),
        (
            json!({"field": "data.a", "operator": "equals", "value": 1, "missing": "error"}),
            "event.data.a == 1",
        ),
        (
            json!({"field": "data.a", "operator": "greater_than", "value": {"var": "least"}}),
            "has(event.data.a) && event.data.a > vars.least",
        ),
        (
            json!({"field": "timestamp", "operator": "before", "value": "2026-01-01T00:00:00Z"}),
            r#"event.timestamp < timestamp("2026-01-01T00:00:00Z")"#,
        ),
        (
            json!({"all": [
                {"field": "type", "operator": "in", "value": ["a", "b"]},
                {"any": [
                    {"field": "data.a", "operator": "exists"},
                    {"not": {"field": "data.b", "operator": "equals", "value": true}},
                ]},
            ]}),
            r#"event.type in ["a", "b"] && (has(event.data.a) || !(has(event.data.b) && event.data.b == true))"#,
        ),
    ] {
        let read: Form = serde_json::from_value(form.clone()).expect("a form");
        assert_eq!(read.cel(), cel);
        assert_eq!(serde_json::to_value(&read).expect("plain"), form, "{cel}");
        let condition = Condition::parse_with(cel, &Variables::unasked()).expect(cel);
        assert_eq!(Form::of(&condition), Some(read), "{cel}");
    }
}

#[test]
fn what_means_the_same_is_one_form() {
    let there = json!({"field": "data.a", "operator": "exists"});
    let bare = json!({"field": "data.a", "operator": "equals", "value": 1, "missing": "error"});
    let guarded = json!({"field": "data.a", "operator": "equals", "value": 1});
    let other = json!({"field": "data.b", "operator": "exists"});
    for (written, normal) in [
        (json!({"all": [there, bare]}), guarded.clone()),
        (
            json!({"all": [{"all": [other, there]}, bare]}),
            json!({"all": [other, guarded]}),
        ),
        (json!({"any": [{"any": [{"all": [other]}]}]}), other.clone()),
        (json!({"not": {"not": guarded}}), guarded.clone()),
        (
            json!({"not": there}),
            json!({"field": "data.a", "operator": "not_exists"}),
        ),
        (
            json!({"field": "event.type", "operator": "equals", "value": "x", "missing": "error"}),
            json!({"field": "type", "operator": "equals", "value": "x"}),
        ),
        (
            json!({"field": "data.a", "operator": "changed_to", "value": 1, "previous": "data.previous.a"}),
            json!({"field": "data.a", "operator": "changed_to", "value": 1}),
        ),
        (
            json!({"field": "timestamp", "operator": "after", "value": "2026-05-04T12:30:00+02:00"}),
            json!({"field": "timestamp", "operator": "after", "value": "2026-05-04T10:30:00Z"}),
        ),
    ] {
        let form: Form = serde_json::from_value(written).expect("a form");
        assert_eq!(serde_json::to_value(&form).expect("plain"), normal);
    }
}

#[test]
fn what_no_form_says_is_none() {
    for cel in [
        "event.data.vip",
        "true",
        "event.data.a == event.data.b",
        "event.data.a + 1 == 2",
        "size(event.data.a) == 1",
        "event.data.a.exists(x, x == 1)",
        "event.data.a > 'x'",
        "event.data.a == [1]",
        "event.data.a in []",
        "event.timestamp == timestamp('2026-01-01T00:00:00Z')",
        "event.timestamp.getHours() > 8",
        "event.data.a[-1] == 1",
        "has(event.data.a) && event.data.a == 1 && event.data.vip",
    ] {
        let condition = Condition::parse(cel).expect(cel);
        assert_eq!(Form::of(&condition), None, "{cel}");
    }
}

#[test]
fn what_is_no_form_says_what_to_do() {
    for (written, words) in [
        (json!({}), "give one of these"),
        (json!([]), "an object"),
        (json!("event.data.a"), "an object"),
        (json!({"all": [], "any": []}), "give one of these"),
        (json!({"all": []}), "1 to 1000 members"),
        (
            json!({"not": {"all": [{"field": "a", "operator": "exists"}]}}),
            "'a' is not a field",
        ),
        (json!({"operator": "equals", "value": 1}), "add field"),
        (json!({"field": "data.a", "value": 1}), "add operator"),
        (
            json!({"field": "data.a", "operator": "is", "value": 1}),
            "there is no operator 'is'",
        ),
        (
            json!({"field": "data.a", "operator": "equals"}),
            "equals takes a text",
        ),
        (
            json!({"field": "data.a", "operator": "equals", "value": [1]}),
            "equals takes a text",
        ),
        (
            json!({"field": "data.a", "operator": "equals", "value": u64::MAX}),
            "of 64 bits",
        ),
        (
            json!({"field": "data.a", "operator": "in", "value": 1}),
            "in takes a list",
        ),
        (
            json!({"field": "data.a", "operator": "in", "value": []}),
            "in takes a list",
        ),
        (
            json!({"field": "data.a", "operator": "exists", "value": 1}),
            "exists takes no value",
        ),
        (
            json!({"field": "data.a", "operator": "contains", "value": 1}),
            "includes",
        ),
        (
            json!({"field": "data.a", "operator": "greater_than", "value": "1"}),
            "a number",
        ),
        (
            json!({"field": "data.a", "operator": "before", "value": "soon"}),
            "RFC 3339",
        ),
        (
            json!({"field": "timestamp", "operator": "equals", "value": "x"}),
            "before or after",
        ),
        (
            json!({"field": "type", "operator": "changed_to", "value": "x"}),
            "below data",
        ),
        (
            json!({"field": "data.a", "operator": "exists", "missing": "no"}),
            "exists has no missing",
        ),
        (
            json!({"field": "data.a", "operator": "equals", "value": 1, "previous": "data.b"}),
            "no previous",
        ),
        (
            json!({"field": "data.a", "operator": "equals", "value": 1, "missing": "maybe"}),
            "no, yes or error",
        ),
        (
            json!({"field": "data.a", "operator": "equals", "value": 1, "val": 2}),
            "unknown field `val`",
        ),
        (
            json!({"field": "data.a", "operator": "equals", "value": {"var": "a b"}}),
            "equals takes",
        ),
    ] {
        let error = serde_json::from_value::<Form>(written.clone()).expect_err("refused");
        assert!(error.to_string().contains(words), "{written}: {error}");
    }
}

#[test]
fn a_missing_field_is_told_as_what_decided() {
    let form = json!({"field": "data.amount", "operator": "greater_than", "value": 1000});
    let form: Form = serde_json::from_value(form).expect("a form");
    let condition = Condition::parse(&form.cel()).expect("its CEL");
    let event_type: EventType = TYPE.parse().expect("valid");
    let at = Timestamp::from_ms(0);
    for (payload, why) in [
        ("{}", "`event.data.amount` is missing, needs to be there"),
        (
            r#"{"amount":900}"#,
            "`event.data.amount` is 900, needs more than 1000",
        ),
    ] {
        let view = EventView::new(EventId::mint(at), &event_type, at, payload.as_bytes());
        let explained = condition.explain(&view);
        assert_eq!(explained.summary, why);
        assert_eq!(explained.answer, Answer::False);
    }
}
