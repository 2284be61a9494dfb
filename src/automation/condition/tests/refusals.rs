//! What is refused when a condition is saved, and with which words.

use super::{Condition, ConditionError};

/// What is written, and a part of what is said of it.
const REFUSED: &[(&str, &str)] = &[
    ("", "is empty"),
    (" \n ", "is empty"),
    (
        "event.data.a = 1",
        "line 1, column 14: = does not compare: write ==",
    ),
    ("event.data.a == 1 and true", "column 19: write && for and"),
    ("not event.data.a", "write ! for not"),
    ("event.data.a ==", "the condition ends too early"),
    ("event.data.a == 'x", "column 17: this quote is not closed"),
    (
        "event.data.a == 'ü' && foo == 1",
        "column 24: there is no `foo`",
    ),
    (
        "event.data.a == 1\n  && foo",
        "line 2, column 6: there is no `foo`",
    ),
    (
        "data.amount > 1",
        "there is no `data`: a condition knows event.id",
    ),
    ("event.payload.a == 1", "there is no `event.payload`"),
    ("event == 1", "`event` alone has no value"),
    (
        "event.data.a.matches('(a+)+')",
        "there is no function matches()",
    ),
    ("now() > event.timestamp", "there is no function now()"),
    ("event.data.a > 5u", "write 5 without the u"),
    ("event.data.a == b'x'", "write the text without the b"),
    ("{'a': 1} == event.data", "can't be written"),
    ("event.data.?a == 1", "unsupported syntax"),
    ("has(1)", "has() asks for a field"),
    ("event.data.a.exists(x)", "exists() takes a name and a test"),
    ("event.data.a.all(x.y, true)", "is a plain name"),
    (
        "event.data.a.all(x, x.all(y, y > 1))",
        "a loop within a loop",
    ),
    ("event.data.a.all(x, true) && x > 1", "there is no `x`"),
    ("contains('a', 'b')", "contains is called as x.contains(…)"),
    (
        "event.data.a.contains()",
        "contains() has 1 argument, needs 2",
    ),
    (
        "timestamp('yesterday') < event.timestamp",
        "can't be called with the string \"yesterday\"",
    ),
    (
        "event.timestamp.getHours('Mars') == 1",
        "\"Mars\" is not an IANA time zone",
    ),
    (
        "event.data.a + 1",
        "gives a number or a string, needs to give true or false",
    ),
    ("'a'", "gives a string"),
    ("event.data.a.map(x, x)", "gives a list"),
    (
        "99999999999999999999 == event.data.a",
        "invalid int literal",
    ),
];

#[test]
fn what_is_wrong_is_said_when_it_is_saved() {
    for (source, message) in REFUSED {
        match Condition::parse(source) {
            Err(error) => assert!(error.to_string().contains(message), "{source}: {error}"),
            Ok(_) => panic!("{source} was accepted"),
        }
    }
}

#[test]
fn what_is_too_much_is_refused_when_it_is_saved() {
    let long = format!("event.data.a == '{}'", "x".repeat(4096));
    assert!(matches!(
        Condition::parse(&long),
        Err(ConditionError::TooLong { .. })
    ));
    let list = format!("event.data.a in [{}1]", "1,".repeat(1000));
    assert!(matches!(
        Condition::parse(&list),
        Err(ConditionError::Unsupported { .. })
    ));
    let body = vec!["x.a == 1"; 20].join(" && ");
    let costly = format!("event.data.a.all(x, {body})");
    assert!(matches!(
        Condition::parse(&costly),
        Err(ConditionError::TooExpensive { .. })
    ));
}
