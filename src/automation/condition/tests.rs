//! What conditions promise, told by example.

#![expect(clippy::too_many_lines, reason = "a table of cases is one story")]

mod guide;
mod oracle;
mod refusals;

use super::loops::LOOP_ENTRIES_MAX;
use super::*;
use crate::automation::EventType;
use crate::model::{EventId, Timestamp};

const PAYLOAD: &str = r#"{
    "amount": 900, "price": 9.5, "stage": "Lost", "vip": false, "none": null, "city": "Köln",
    "huge": 18446744073709551617, "big": 9223372036854775808, "code": "1500",
    "tags": ["new", "eu"], "owner": {"name": "Ada", "team": {"id": 7}},
    "items": [{"sku": "a", "qty": 2}, {"sku": "b"}], "a-b": 1,
    "due_at": "2026-05-04T10:30:00Z", "dup": 1, "dup": 2
}"#;

fn condition(source: &str) -> Condition {
    match Condition::parse(source) {
        Ok(condition) => condition,
        Err(error) => panic!("{source}: {error}"),
    }
}

fn with_view<T>(payload: &str, look: impl FnOnce(&EventView<'_>) -> T) -> T {
    let event_type: EventType = "deal.updated".parse().expect("valid");
    let at: Timestamp = "2026-05-04T10:30:00Z".parse().expect("valid");
    look(&EventView::new(EventId::mint(at), &event_type, at, payload.as_bytes()).with_source("crm"))
}

fn answer_on(payload: &str, source: &str) -> Answer {
    with_view(payload, |view| condition(source).evaluate(view))
}

fn explained(source: &str) -> Explanation {
    with_view(PAYLOAD, |view| condition(source).explain(view))
}

#[test]
fn what_is_true() {
    for source in [
        "event.type == 'deal.updated' && event.source == 'crm'",
        "event.id.startsWith('evt_')",
        "event.timestamp < timestamp('2026-05-04T10:30:01Z')",
        "event.timestamp == timestamp(event.data.due_at)",
        "event.timestamp + duration('1h30m') > timestamp('2026-05-04T11:59:59Z')",
        "event.timestamp.getHours('Europe/Berlin') == 12 && event.timestamp.getDayOfWeek() == 1",
        "event.data.amount + 1 == 901",
        "event.data.amount * 1.5 == 1350.0",
        "event.data.amount == 900.0",
        "event.data.price > 9",
        "event.data.big > 9223372036854775807",
        "event.data.huge > event.data.big",
        "event.data.none == null",
        "has(event.data.none) && !has(event.data.missing) && !has(event.data.missing.deeper)",
        "has(event.data.owner.team.id) && !has(event.data.amount.x) && !has(event.data.items[5].sku)",
        "event.data['a-b'] == 1 && has(event.data['a-b'])",
        "event.data.items[0].qty == 2",
        "event.data.dup == 2",
        "size(event.data.city) == 4 && event.data.tags.size() == 2",
        "event.data.city.endsWith('öln') && event.data.city.lowerAscii() == 'köln'",
        "'eu' in event.data.tags && 'name' in event.data.owner",
        "event.data.items.exists(x, has(x.qty) && x.qty > 1)",
        "event.data.items.exists(x, x.qty > 1)",
        "event.data.items.filter(x, x.sku != 'a').all(y, y.sku == 'b')",
        "size(event.data.items.map(x, x.sku)) == 2",
        "event.data.items.exists_one(x, x.sku == 'b')",
        "event.data.stage != 7",
        "event.data.missing == 1 || event.data.stage == 'Lost'",
        "!(event.data.missing == 1 && event.data.stage == 'Won')",
        "int(event.data.code) == 1500 && string(event.data.amount) == '900'",
        "(event.data.vip ? 1 : 2) == 2",
    ] {
        assert_eq!(answer_on(PAYLOAD, source), Answer::True, "{source}");
    }
}

#[test]
fn a_no_says_what_was_and_what_was_needed() {
    for (source, why) in [
        (
            "event.data.amount >= 1000",
            "`event.data.amount` is 900, needs at least 1000",
        ),
        (
            "1000 <= event.data.amount",
            "`event.data.amount` is 900, needs at least 1000",
        ),
        (
            "event.data.amount > 900",
            "`event.data.amount` is 900, needs more than 900",
        ),
        (
            "event.data.price < 9.5",
            "`event.data.price` is 9.5, needs less than 9.5",
        ),
        (
            "event.data.price <= 9",
            "`event.data.price` is 9.5, needs at most 9",
        ),
        (
            "event.data.stage == \"Won\"",
            "`event.data.stage` is \"Lost\", needs to be \"Won\"",
        ),
        (
            "event.data.stage != 'Lost'",
            "`event.data.stage` is \"Lost\", must not be \"Lost\"",
        ),
        (
            "!(event.data.stage == 'Lost')",
            "`event.data.stage` is \"Lost\", must not be \"Lost\"",
        ),
        (
            "event.data.amount > event.data.owner.team.id * 1000",
            "`event.data.amount` is 900, needs more than `event.data.owner.team.id * 1000` (7000)",
        ),
        (
            "event.data.stage in ['Won', 'Open']",
            "`event.data.stage` is \"Lost\", needs to be one of [\"Won\", \"Open\"]",
        ),
        (
            "'vip' in event.data.tags",
            "\"vip\" is not in `event.data.tags` (a list with 2 entries), needs to be",
        ),
        (
            "has(event.data.x.y)",
            "`event.data.x.y` is missing, needs to be there",
        ),
        (
            "!has(event.data.stage)",
            "`event.data.stage` is there, must be missing",
        ),
        (
            "event.data.city.startsWith('B')",
            "`event.data.city` is \"Köln\", needs to start with \"B\"",
        ),
        (
            "event.data.city.endsWith('B')",
            "`event.data.city` is \"Köln\", needs to end with \"B\"",
        ),
        (
            "event.data.city.contains('B')",
            "`event.data.city` is \"Köln\", needs to contain \"B\"",
        ),
        (
            "!event.data.city.contains('K')",
            "`event.data.city` is \"Köln\", contains \"K\", which must not be",
        ),
        (
            "event.data.vip",
            "`event.data.vip` is false, needs to be true",
        ),
        (
            "event.data.stage == 'Lost' && event.data.amount > 1000",
            "`event.data.amount` is 900, needs more than 1000",
        ),
        (
            "event.data.stage == 'Won' || event.data.amount > 1000",
            "neither of 2 alternatives holds: `event.data.stage` is \"Lost\", needs to be \"Won\"; \
             `event.data.amount` is 900, needs more than 1000",
        ),
        (
            "!(!(event.data.vip == true))",
            "`event.data.vip` is false, needs to be true",
        ),
        (
            "event.data.items.all(x, x.sku == 'a')",
            "`event.data.items.all(x, x.sku == \"a\")` is false, needs to be true",
        ),
    ] {
        assert_eq!(answer_on(PAYLOAD, source), Answer::False, "{source}");
        assert_eq!(explained(source).summary, why, "{source}");
    }
}

#[test]
fn an_error_is_never_a_no() {
    for (source, message) in [
        (
            "event.data.total > 1000",
            "`event.data.total` is missing: where it may be, ask has(event.data.total) first",
        ),
        ("event.data.total.net > 1", "`event.data.total` is missing"),
        (
            "event.data.none.x == 1",
            "`event.data.none` is null, so there is no `event.data.none.x`",
        ),
        (
            "event.data.code > 1000",
            "`event.data.code` is the string \"1500\", which can't be compared with the number 1000",
        ),
        (
            "event.data.none > 1",
            "`event.data.none` is null, which can't be compared with the number 1",
        ),
        (
            "event.data.stage",
            "`event.data.stage` is the string \"Lost\", needs to be true or false",
        ),
        (
            "event.data.amount && true",
            "is the number 900, needs to be true or false",
        ),
        (
            "event.data.items[2].sku == 'a'",
            "`event.data.items` is a list with 2 entries",
        ),
        ("event.data.items.all(x, x.qty > 1)", "`x.qty` is missing"),
        (
            "event.data.amount.startsWith('9')",
            "startsWith() can't be called with the number 900",
        ),
        ("event.data.amount / 0 == 1", "has no result of 64 bits"),
        ("event.data.big + 1 > 0", "has no result of 64 bits"),
        (
            "event.data.huge == 18446744073709551616.0",
            "is beyond 64 bits",
        ),
        ("1 in event.data.stage", "needs to be a list or an object"),
        ("event.data.stage.all(x, x == 'a')", "needs to be a list"),
    ] {
        match answer_on(PAYLOAD, source) {
            Answer::Error { message: said } => assert!(said.contains(message), "{source}: {said}"),
            other => panic!("{source}: {other:?}"),
        }
    }
    for payload in ["", "{", "[1,", "{\"a\":1e999}", "\u{0}"] {
        let answer = answer_on(payload, "event.data.a == 1");
        assert!(
            matches!(&answer, Answer::Error { message } if message.contains("can't be read as JSON")),
            "{payload}: {answer:?}"
        );
    }
}

#[test]
fn a_trace_has_every_clause() {
    let trace =
        explained("event.data.amount > 100 && event.data.stage == 'Won' && event.data.x == 1");
    let values: Vec<_> = trace.clauses.iter().map(|clause| clause.value).collect();
    assert_eq!(
        values,
        [ClauseValue::True, ClauseValue::False, ClauseValue::Skipped]
    );
    assert_eq!(
        trace.clauses[0].why,
        "`event.data.amount` is 900, more than 100"
    );
    assert_eq!(trace.clauses[1].text, "event.data.stage == \"Won\"");
    assert_eq!(
        trace.summary,
        "`event.data.stage` is \"Lost\", needs to be \"Won\""
    );

    let trace = explained("event.data.stage == 'Lost'");
    assert_eq!(trace.summary, "`event.data.stage` is \"Lost\"");
    assert_eq!(
        serde_json::to_value(&trace).expect("JSON"),
        serde_json::json!({
            "answer": "true", "summary": "`event.data.stage` is \"Lost\"",
            "clauses": [{
                "text": "event.data.stage == \"Lost\"", "value": "true",
                "why": "`event.data.stage` is \"Lost\"",
            }],
        })
    );

    let trace = explained("event.data.x == 1 || event.data.vip");
    assert_eq!(trace.clauses[0].value, ClauseValue::Error);
    assert_eq!(trace.clauses[1].value, ClauseValue::False);
    assert!(matches!(trace.answer, Answer::Error { .. }));
}

#[test]
fn an_explanation_ends_at_the_very_step_at_which_the_answer_does() {
    let list = vec!["1"; 1_000].join(",");
    let asking = |parts: usize| {
        let parts = vec!["2 in event.data.list"; parts].join(" || ");
        condition(&format!("event.data.pad.contains('z') || {parts}"))
    };
    let payload = |pad: usize| format!(r#"{{"list":[{list}],"pad":"{}"}}"#, "x".repeat(pad));
    let is_spent = |condition: &Condition, pad: usize| {
        let answer = with_view(&payload(pad), |view| condition.evaluate(view));
        matches!(answer, Answer::Error { .. })
    };
    let parts = (2..160).find(|parts| is_spent(&asking(*parts), 0));
    let condition = asking(parts.expect("so many take too long") - 1);
    let (mut least, mut most) = (0, 200_000);
    assert!(!is_spent(&condition, least) && is_spent(&condition, most));
    while most - least > 1 {
        let middle = usize::midpoint(least, most);
        if is_spent(&condition, middle) {
            most = middle;
        } else {
            least = middle;
        }
    }
    for pad in [least - 64, least - 32, least, most, most + 32, most + 64] {
        let (answer, told) = with_view(&payload(pad), |view| {
            (condition.evaluate(view), condition.explain(view).answer)
        });
        assert_eq!(
            answer, told,
            "{pad}, and {most} is the first that is too long"
        );
    }
}

#[test]
fn a_shown_value_is_short() {
    let payload = format!(r#"{{"text":"{}"}}"#, "ü".repeat(5000));
    let source = "event.data.text == 'a'";
    let why = with_view(&payload, |view| condition(source).explain(view).summary);
    assert!(why.chars().count() < 150 && why.contains("ü…\""), "{why}");
}

#[test]
fn a_large_event_ends_in_a_sentence_and_not_in_a_wait() {
    let ones = |count: usize| format!("{}1", "1,".repeat(count - 1));
    let long_list = format!(r#"{{"l":[{}]}}"#, ones(LOOP_ENTRIES_MAX + 1));
    let answer = answer_on(&long_list, "event.data.l.all(x, x == 1)");
    assert!(
        matches!(&answer, Answer::Error { message } if message.contains("1001 entries")),
        "{answer:?}"
    );
    let full = format!(
        r#"{{"l":[{}],"t":"{}"}}"#,
        ones(LOOP_ENTRIES_MAX),
        "ab".repeat(60_000)
    );
    for (source, said) in [
        (
            "event.data.l.all(x, event.data == event.data)",
            "more than 75000 steps",
        ),
        (
            "event.data.l.all(x, !(2 in event.data.l))",
            "more than 75000 steps",
        ),
        (
            "event.data.l.all(x, !event.data.t.contains('bb'))",
            "more than 75000 steps",
        ),
        (
            "event.data.l.exists(x, (event.data.t + 'x').size() == 0)",
            "more than 75000 steps",
        ),
        (
            "[event.data.t + 'x'].exists(x, x + x + x + x + x + x == x)",
            "more than 75000 steps",
        ),
        (
            "event.data.l.exists(x, event.data.t < event.data.l)",
            "can't be compared",
        ),
        // What is used up can't be made up for by what comes after it.
        (
            "event.data.l.all(x, event.data == event.data) || true",
            "more than 75000 steps",
        ),
    ] {
        match answer_on(&full, source) {
            Answer::Error { message } => assert!(message.contains(said), "{source}: {message}"),
            other => panic!("{source}: {other:?}"),
        }
    }
    let source = "event.data.l.all(x, x == 1) && event.data.t.contains('ba')";
    assert_eq!(answer_on(&full, source), Answer::True);
}

#[test]
fn a_payload_is_read_only_for_a_condition_that_asks_for_it() {
    with_view("not JSON at all", |view| {
        assert_eq!(
            condition("event.type == 'deal.updated'").evaluate(view),
            Answer::True
        );
        assert!(!view.was_read());
        assert!(matches!(
            condition("event.data.a == 1").evaluate(view),
            Answer::Error { .. }
        ));
        assert!(view.was_read());
    });
}

#[test]
fn conditions_and_views_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Condition>();
    crosses::<EventView<'_>>();
}
