//! A form and its CEL are two spellings of one thing, whatever the form and whatever the event. The judge of
//! what a form means is a small interpreter of its JSON, which knows nothing of CEL.

mod cases;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Form;
use crate::automation::EventType;
use crate::automation::condition::{Answer, Condition, EventView};
use crate::model::{EventId, Timestamp};

const TYPE: &str = "test.event";

/// What a condition says of a payload; `None`: an error.
fn answer(condition: &Condition, payload: &Value) -> Option<bool> {
    let event_type: EventType = TYPE.parse().expect("valid");
    let bytes = payload.to_string();
    let at = Timestamp::from_ms(0);
    let view = EventView::new(EventId::mint(at), &event_type, at, bytes.as_bytes());
    match condition.evaluate(&view) {
        Answer::True => Some(true),
        Answer::False => Some(false),
        Answer::Error { .. } => None,
    }
}

/// What the JSON of a form means.
fn judged(form: &Value, payload: &Value) -> Option<bool> {
    let members = |name: &str| {
        let list = form.get(name)?.as_array()?;
        Some(
            list.iter()
                .map(|member| judged(member, payload))
                .collect::<Vec<_>>(),
        )
    };
    if let Some(members) = members("all") {
        let undecided = members.contains(&None);
        return if members.contains(&Some(false)) {
            Some(false)
        } else {
            (!undecided).then_some(true)
        };
    }
    if let Some(members) = members("any") {
        let undecided = members.contains(&None);
        return if members.contains(&Some(true)) {
            Some(true)
        } else {
            (!undecided).then_some(false)
        };
    }
    match form.get("not") {
        Some(inner) => judged(inner, payload).map(|value| !value),
        None => judged_leaf(form, payload),
    }
}

fn judged_leaf(leaf: &Value, payload: &Value) -> Option<bool> {
    let field = leaf["field"].as_str().expect("a field");
    let operator = leaf["operator"].as_str().expect("an operator");
    let found = look_up(payload, field);
    match operator {
        "exists" => return Some(found.is_some()),
        "not_exists" => return Some(found.is_none()),
        "changed_to" => {
            let of_field = || field.replacen("data.", "data.previous.", 1);
            let previous = leaf["previous"]
                .as_str()
                .map_or_else(of_field, str::to_owned);
            let (Some(now), Some(before)) = (found, look_up(payload, &previous)) else {
                return Some(false);
            };
            return Some(same(&now, &leaf["value"]) && !same(&now, &before));
        }
        _ => {}
    }
    let by_default = if operator.starts_with("not_") {
        "yes"
    } else {
        "no"
    };
    let Some(found) = found else {
        return match leaf["missing"].as_str().unwrap_or(by_default) {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        };
    };
    asked(operator, &found, &leaf["value"])
}

fn asked(operator: &str, found: &Value, value: &Value) -> Option<bool> {
    let number = || Some((found.as_f64()?, value.as_f64()?));
    let text = || Some((found.as_str()?, value.as_str()?));
    let time = || {
        let found = match found {
            Value::String(text) => text.parse().ok()?,
            other => jiff::Timestamp::from_second(other.as_i64()?).ok()?,
        };
        Some((found, value.as_str()?.parse::<jiff::Timestamp>().ok()?))
    };
    let one_of = || {
        value
            .as_array()
            .expect("a list")
            .iter()
            .any(|one| same(found, one))
    };
    match operator {
        "equals" => Some(same(found, value)),
        "not_equals" => Some(!same(found, value)),
        "greater_than" => number().map(|(found, value)| found > value),
        "greater_or_equal" => number().map(|(found, value)| found >= value),
        "less_than" => number().map(|(found, value)| found < value),
        "less_or_equal" => number().map(|(found, value)| found <= value),
        "before" => time().map(|(found, value)| found < value),
        "after" => time().map(|(found, value)| found > value),
        "contains" => text().map(|(found, value)| found.contains(value)),
        "starts_with" => text().map(|(found, value)| found.starts_with(value)),
        "ends_with" => text().map(|(found, value)| found.ends_with(value)),
        "in" => Some(one_of()),
        "not_in" => Some(!one_of()),
        "includes" => match (found, value) {
            (Value::Array(entries), _) => Some(entries.iter().any(|entry| same(entry, value))),
            (Value::Object(fields), Value::String(name)) => Some(fields.contains_key(name)),
            (Value::Object(_), Value::Bool(_) | Value::Number(_)) => Some(false),
            _ => None,
        },
        other => panic!("{other}"),
    }
}

fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(name, left)| right.get(name).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

/// The fields that forms ask about here, and where they are.
fn look_up(payload: &Value, field: &str) -> Option<Value> {
    let pointer = match field {
        "type" => return Some(TYPE.into()),
        "source" => return None,
        "data" => String::new(),
        r#"data["x.y"]"# => "/x.y".to_owned(),
        "data.a[0]" => "/a/0".to_owned(),
        other => other.strip_prefix("data").expect("data").replace('.', "/"),
    };
    let found = payload.pointer(&pointer)?;
    // A pointer's "0" would do for a name, too.
    let is_listed = !field.ends_with("[0]") || payload["a"].is_array();
    is_listed.then(|| found.clone())
}

fn any_number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-2_i64..3).prop_map(Value::from),
        (-3_i32..4).prop_map(|halves| Value::from(f64::from(halves) / 2.0)),
    ]
}

fn any_text() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[abü\"\\\\]{0,2}".prop_map(Value::from),
        Just(json!("a")),
        Just(json!(TYPE)),
        Just(json!("2026-05-04T10:30:00Z")),
        Just(json!("2026-05-04T13:30:00+02:00")),
    ]
}

fn any_scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any_number(),
        any_text(),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    any_scalar().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            fields(inner),
        ]
    })
}

fn fields(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("a"),
        Just("b"),
        Just("in"),
        Just("previous"),
        Just("x.y")
    ];
    let member = (name.prop_map(str::to_owned), value);
    prop::collection::vec(member, 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn any_field() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("data.a"), 3 => Just("data.b"), 2 => Just("data.a.b"), 1 => Just("data.in"),
        1 => Just("data.previous.a"), 1 => Just(r#"data["x.y"]"#), 1 => Just("data.a[0]"),
        1 => Just("type"), 1 => Just("source"), 1 => Just("data"),
    ]
    .prop_map(str::to_owned)
}

fn any_leaf() -> impl Strategy<Value = Value> {
    let time = prop_oneof![Just("2026-05-04T10:30:00Z"), Just("1970-01-01T00:00:01Z")];
    let asked = prop_oneof![
        ("(equals|not_equals|includes)", any_scalar()),
        (
            "(greater_than|greater_or_equal|less_than|less_or_equal)",
            any_number()
        ),
        ("(contains|starts_with|ends_with)", any_text()),
        ("(before|after)", time.prop_map(Value::from)),
        (
            "(in|not_in)",
            prop::collection::vec(any_scalar(), 1..4).prop_map(Value::from)
        ),
    ];
    let missing = prop_oneof![
        Just(None),
        Just(Some("no")),
        Just(Some("yes")),
        Just(Some("error"))
    ];
    let compared = (any_field(), asked, missing).prop_map(|(field, (operator, value), missing)| {
        let mut leaf = json!({"field": field, "operator": operator, "value": value});
        if let Some(missing) = missing {
            leaf["missing"] = json!(missing);
        }
        leaf
    });
    let existing = (any_field(), "(exists|not_exists)")
        .prop_map(|(field, operator)| json!({"field": field, "operator": operator}));
    let previous = prop_oneof![
        Just(None),
        Just(Some("data.b")),
        Just(Some("data.previous.a"))
    ];
    let changed = (any_scalar(), previous).prop_map(|(value, previous)| {
        let mut leaf = json!({"field": "data.a", "operator": "changed_to", "value": value});
        if let Some(previous) = previous {
            leaf["previous"] = json!(previous);
        }
        leaf
    });
    prop_oneof![6 => compared, 2 => existing, 1 => changed]
}

fn any_form() -> impl Strategy<Value = Value> {
    any_leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| json!({ "all": parts })),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| json!({ "any": parts })),
            inner.prop_map(|part| json!({ "not": part })),
        ]
    })
}

/// CEL out of the parts that forms are made of, in orders and with guards that no form would give it.
fn any_cel() -> impl Strategy<Value = String> {
    let path = "event\\.data\\.(a|b|previous\\.a)";
    let literal = "(1|-1\\.5|'a'|null|true)";
    let leaf = prop_oneof![
        (path, "(==|!=|<|<=|>|>=)", literal)
            .prop_map(|(path, operator, value)| format!("{path} {operator} {value}")),
        (literal, "(==|!=|<|<=|>|>=)", path)
            .prop_map(|(value, operator, path)| format!("{value} {operator} {path}")),
        (path, "(==|!=)", path)
            .prop_map(|(one, operator, other)| format!("{one} {operator} {other}")),
        path.prop_map(|path| format!("has({path})")),
        path.prop_map(|path| format!("!has({path})")),
        (path, "(contains|startsWith|endsWith)")
            .prop_map(|(path, method)| format!("{path}.{method}('a')")),
        path.prop_map(|path| format!("{path} in [1, 'a', null]")),
        path.prop_map(|path| format!("'a' in {path}")),
        path.prop_map(|path| format!("timestamp({path}) < timestamp('2026-05-04T10:30:00Z')")),
    ];
    leaf.prop_recursive(3, 14, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..5)
                .prop_map(|parts| format!("({})", parts.join(" && "))),
            prop::collection::vec(inner.clone(), 2..5)
                .prop_map(|parts| format!("({})", parts.join(" || "))),
            inner.prop_map(|part| format!("!({part})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_form_comes_back_from_cel_as_it_went_there(written in any_form()) {
        let form: Form = serde_json::from_value(written).expect("a form");
        let cel = form.cel();
        let condition = Condition::parse(&cel).expect(&cel);
        let again = serde_json::to_value(&form).expect("plain");
        let again: Form = serde_json::from_value(again).expect("a form");
        prop_assert_eq!(&again, &form);
        prop_assert_eq!(Form::of(&condition), Some(form), "{}", cel);
    }

    #[test]
    fn a_form_means_what_it_says(
        written in any_form(),
        payloads in prop::collection::vec(prop_oneof![4 => fields(any_value()), 1 => any_value()], 1..8),
    ) {
        let form: Form = serde_json::from_value(written.clone()).expect("a form");
        let condition = Condition::parse(&form.cel()).expect("its CEL");
        for payload in &payloads {
            prop_assert_eq!(
                answer(&condition, payload), judged(&written, payload),
                "{} as {} on {}", written, condition, payload
            );
        }
    }

    #[test]
    fn cel_that_is_shown_as_a_form_means_the_same(
        source in any_cel(),
        payloads in prop::collection::vec(fields(any_value()), 1..8),
    ) {
        let condition = Condition::parse(&source).expect(&source);
        if let Some(form) = Form::of(&condition) {
            let again = Condition::parse(&form.cel()).expect("its CEL");
            for payload in &payloads {
                prop_assert_eq!(
                    answer(&condition, payload), answer(&again, payload),
                    "{} as {} on {}", source, again, payload
                );
            }
        }
    }
}
