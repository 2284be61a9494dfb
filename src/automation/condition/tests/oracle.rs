//! The `cel` crate's interpreter as the judge of our own: whatever it answers for random
//! conditions on random payloads, we answer. Left out is what differs on purpose, as
//! `evaluation` lists it.

use std::collections::HashMap;

use cel::objects::{Key, Value as CelValue};
use proptest::prelude::*;
use serde_json::{Value as JsonValue, json};

use super::{Answer, Condition, EventView};
use crate::automation::EventType;
use crate::model::{EventId, Timestamp};

fn to_cel(json: &JsonValue) -> CelValue {
    match json {
        JsonValue::Null => CelValue::Null,
        JsonValue::Bool(value) => CelValue::Bool(*value),
        JsonValue::Number(number) => match number.as_i64() {
            Some(whole) => CelValue::Int(whole),
            None => CelValue::Float(number.as_f64().expect("a number")),
        },
        JsonValue::String(text) => CelValue::String(text.clone().into()),
        JsonValue::Array(entries) => {
            CelValue::List(entries.iter().map(to_cel).collect::<Vec<_>>().into())
        }
        JsonValue::Object(fields) => CelValue::from(
            fields
                .iter()
                .map(|(name, value)| (Key::from(name.as_str()), to_cel(value)))
                .collect::<HashMap<Key, CelValue>>(),
        ),
    }
}

/// What the crate says: `None` for an error, and for anything but true and false.
fn judged(source: &str, payload: &JsonValue) -> Option<bool> {
    let program = cel::Program::compile(source).expect("a condition that we accept is CEL");
    let mut context = cel::Context::default();
    context.add_variable_from_value("event", to_cel(&json!({ "data": payload })));
    match program.execute(&context) {
        Ok(CelValue::Bool(value)) => Some(value),
        _ => None,
    }
}

fn ours(condition: &Condition, payload: &JsonValue) -> Option<bool> {
    let event_type: EventType = "test.event".parse().expect("valid");
    let bytes = payload.to_string();
    let id = EventId::mint(Timestamp::from_ms(0));
    let view = EventView::new(id, &event_type, Timestamp::from_ms(0), bytes.as_bytes());
    let explanation = condition.explain(&view);
    assert!(!explanation.summary.is_empty(), "{condition}");
    assert_eq!(explanation.answer, condition.evaluate(&view), "{condition}");
    match explanation.answer {
        Answer::True => Some(true),
        Answer::False => Some(false),
        Answer::Error { .. } => None,
    }
}

fn any_scalar() -> impl Strategy<Value = JsonValue> {
    prop_oneof![
        Just(JsonValue::Null),
        any::<bool>().prop_map(JsonValue::from),
        (-3_i64..4).prop_map(JsonValue::from),
        prop_oneof![Just(i64::MAX), Just(i64::MIN), Just((1_i64 << 53) + 1)]
            .prop_map(JsonValue::from),
        (-6_i32..7).prop_map(|halves| JsonValue::from(f64::from(halves) / 2.0)),
        "[aü𝄞\"\\\\\n]{0,3}".prop_map(JsonValue::from),
    ]
}

fn any_value() -> impl Strategy<Value = JsonValue> {
    any_scalar().prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(JsonValue::from),
            prop::collection::hash_map("[abc]", inner, 0..4)
                .prop_map(|fields| JsonValue::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_payload() -> impl Strategy<Value = JsonValue> {
    prop::collection::hash_map("[abc]", any_value(), 0..4)
        .prop_map(|fields| JsonValue::Object(fields.into_iter().collect()))
}

fn any_operand() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "event\\.data\\.[abcd]",
        2 => "event\\.data\\.[abcd]\\.[abc]",
        1 => "size\\(event\\.data\\.[abcd]\\)",
        1 => "event\\.data\\.[abcd]\\[\"[abc]\"\\]",
        1 => "event\\.data\\.[abcd]\\[[01]\\]",
        2 => (-3_i64..4).prop_map(|number| number.to_string()),
        1 => (-6_i32..7).prop_map(|halves| format!("{:?}", f64::from(halves) / 2.0)),
        2 => prop_oneof![Just("\"a\""), Just("'ü'"), Just("\"\""), Just("'𝄞'"), Just("\"\\n\"")]
            .prop_map(str::to_owned),
        1 => prop_oneof![Just("null"), Just("true"), Just("[1, 'a', null]")].prop_map(str::to_owned),
    ]
}

fn any_question() -> impl Strategy<Value = String> {
    let comparison = (any_operand(), "(==|!=|<|<=|>|>=|in)", any_operand())
        .prop_map(|(left, operator, right)| format!("{left} {operator} {right}"));
    let method = (
        any_operand(),
        "(contains|startsWith|endsWith)",
        any_operand(),
    )
        .prop_map(|(text, method, part)| format!("({text}).{method}({part})"));
    let each = (
        "event\\.data\\.[abcd]",
        "(all|exists|exists_one)",
        prop_oneof![
            "x (==|!=|<|>=) (1|'a'|null|event\\.data\\.a)",
            "x\\.a (==|<) 1",
            "x",
        ],
    )
        .prop_map(|(list, kind, body)| format!("{list}.{kind}(x, {body})"));
    let made = ("event\\.data\\.[abc]", "(filter|map)")
        .prop_map(|(list, kind)| format!("size({list}.{kind}(x, x == 1)) > 0"));
    let leaf = prop_oneof![
        6 => comparison,
        2 => method,
        2 => each,
        1 => made,
        1 => "has\\(event\\.data\\.[abcd]\\)",
        1 => "event\\.data\\.[abcd]",
        1 => Just("true".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" && "))),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" || "))),
            inner.clone().prop_map(|part| format!("!({part})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(test, then, otherwise)| format!("({test} ? {then} : {otherwise})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn we_answer_as_the_crate_does(source in any_question(), payloads in prop::collection::vec(any_payload(), 1..6)) {
        // A few are refused when saved, such as `1.contains("a")`-like calls of literals.
        if let Ok(condition) = Condition::parse(&source) {
            for payload in &payloads {
                prop_assert_eq!(ours(&condition, payload), judged(&source, payload), "{} on {}", source, payload);
            }
        }
    }

    #[test]
    fn the_normal_form_means_the_same(source in any_question()) {
        if let Ok(condition) = Condition::parse(&source) {
            let text = condition.expression.to_string();
            let again = Condition::parse(&text).map(|again| again.expression.to_string());
            prop_assert_eq!(again, Ok(text));
        }
    }

    #[test]
    fn whole_numbers_are_exact(a in any::<i64>(), b in any::<i64>(), operator in "(\\+|-|\\*|/|%)") {
        let condition = Condition::parse(&format!("event.data.a {operator} event.data.b == event.data.c"))
            .expect("valid");
        let (wide_a, wide_b) = (i128::from(a), i128::from(b));
        let exact = match operator.as_str() {
            "+" => Some(wide_a + wide_b),
            "-" => Some(wide_a - wide_b),
            "*" => Some(wide_a * wide_b),
            "/" => wide_a.checked_div(wide_b),
            _ => wide_a.checked_rem(wide_b),
        }
        .and_then(|exact| i64::try_from(exact).ok());
        let payload = json!({ "a": a, "b": b, "c": exact });
        prop_assert_eq!(ours(&condition, &payload), exact.map(|_| true));
    }

    #[test]
    fn no_text_makes_the_check_panic(text in "[a-c .()\\[\\]!&|=<>\"'\\\\?:,0-9ü]{0,60}") {
        let _ = Condition::parse(&text);
    }
}
