//! What a schema may be, what it costs at most, and what is told of data that does not fit.

use serde_json::{Value, json};

use super::*;

fn compile(schema: &Value) -> Result<EventSchema, Error> {
    EventSchema::compile(&schema.to_string())
}

#[test]
fn a_schema_stands_alone_within_its_bounds() {
    let nested = |depth: usize| (0..depth).fold(json!({}), |inner, _| json!({"not": inner}));
    let regex = |bytes: usize| json!({"pattern": "a".repeat(bytes)});
    let many = |count: usize| json!({"allOf": vec![json!({"pattern": "a"}); count]});
    for (schema, fine) in [
        (json!(true), true),
        (json!({}), true),
        (json!({"$schema": DIALECT}), true),
        (
            json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
            false,
        ),
        (
            json!({"$id": "https://example.org/a", "$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}),
            true,
        ),
        (json!({"properties": {"a": {"$id": "b"}}}), false),
        (
            json!({"properties": {"$id": {"type": "string"}, "$ref": {"type": "string"}}}),
            true,
        ),
        (
            json!({"examples": [{"$ref": "https://example.org"}], "const": {"$ref": "x"}}),
            true,
        ),
        (json!({"$ref": "https://example.org/schema.json"}), false),
        (json!({"$ref": "file:///etc/passwd"}), false),
        (json!({"items": {"$ref": "other.json#/a"}}), false),
        (json!({"$ref": "#/$defs/nothing"}), false),
        (
            json!({"$ref": "#anchor", "$defs": {"a": {"$anchor": "anchor"}}}),
            false,
        ),
        (json!({"$dynamicRef": "#a"}), false),
        (json!({"type": "strong"}), false),
        (json!({"pattern": "(?=look)ahead"}), false),
        (json!({"pattern": "(a{1000}){1000}"}), false),
        (regex(REGEX_BYTES_MAX), true),
        (regex(REGEX_BYTES_MAX + 1), false),
        (many(REGEXES_MAX), true),
        (many(REGEXES_MAX + 1), false),
        (nested(30), true),
        (nested(SCHEMA_DEPTH_MAX), false),
        (json!({"description": "x".repeat(SCHEMA_BYTES_MAX)}), false),
    ] {
        let compiled = compile(&schema).map(drop);
        assert_eq!(compiled.is_ok(), fine, "{schema:.100}: {compiled:?}");
    }
    assert!(EventSchema::compile("{").is_err());
}

#[test]
fn a_schema_can_t_be_made_to_look_for_ever() {
    let doubling = |count: usize| {
        let twice = |no: usize| json!({"allOf": [{"$ref": format!("#/$defs/{no}")}, {"$ref": format!("#/$defs/{no}")}]});
        let mut definitions: serde_json::Map<String, Value> = (0..count)
            .map(|no| (no.to_string(), twice(no + 1)))
            .collect();
        definitions.insert(count.to_string(), json!({"type": "object"}));
        json!({"$ref": "#/$defs/0", "$defs": definitions})
    };
    let alternatives =
        |count: usize| json!({"oneOf": vec![json!({"properties": {"a": {"$ref": "#"}}}); count]});
    let json_itself = json!({"anyOf": [
        {"type": ["null", "boolean", "number", "string"]},
        {"type": "array", "items": {"$ref": "#"}},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "additionalProperties": {"$ref": "#"}},
    ]});
    let tree = json!({"type": "object", "properties": {
        "left": {"$ref": "#"}, "right": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "all": {"items": {"$ref": "#"}},
    }});
    let long: Vec<Value> = (0..500)
        .map(|no| json!({"required": [no.to_string()]}))
        .collect();
    for (schema, fine) in [
        (doubling(5), true),
        (doubling(30), false),
        (alternatives(1), true),
        (alternatives(2), false),
        (json_itself, true),
        (tree, true),
        (json!({"oneOf": long}), true),
        (json!({"$ref": "#"}), false),
        (
            json!({"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"not": {"$ref": "#"}}}}),
            false,
        ),
    ] {
        let compiled = compile(&schema).map(drop);
        assert_eq!(compiled.is_ok(), fine, "{schema:.100}: {compiled:?}");
    }
}

#[test]
fn the_deepest_check_fits_the_stack_of_a_thread() {
    let ways = (0..4).fold(
        json!({"items": {"$ref": "#"}}),
        |inner, _| json!({"allOf": [inner]}),
    );
    let schema = compile(&ways).expect("within the bounds");
    let deep = "[".repeat(64) + &"]".repeat(64);
    assert!(schema.check(deep.as_bytes()).is_empty());
    let too_long = (0..20).fold(
        json!({"items": {"$ref": "#"}}),
        |inner, _| json!({"allOf": [inner]}),
    );
    assert_eq!(compile(&too_long).map(drop), Err(Error::TooCostly));
}

#[test]
fn a_check_that_would_take_too_long_is_not_made() {
    let alternatives: Vec<Value> = (0..100).map(|no| json!({"const": no})).collect();
    let schema = compile(&json!({"items": {"anyOf": alternatives}})).expect("within the bounds");
    let payload = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    assert!(schema.check(payload(1000).as_bytes()).is_empty());
    let found = schema.check(payload(100_000).as_bytes());
    assert_eq!(found.list[0].keyword, "cost");
    // Many looks, but not too many: the first misfit only, so that no long list of them is made.
    let wrong = payload(5_000).replace('1', "-1");
    let found = schema.check(wrong.as_bytes());
    assert_eq!((found.list.len(), found.more), (1, true));
    // Text is not counted as values, however many commas it has.
    let text = format!(
        "[{}]",
        format!("\"{}\",", ",".repeat(100)).repeat(300) + "1"
    );
    assert_eq!(values(text.as_bytes()), 302);
}

/// Data; where, by which keyword, and what is told.
const MISFITS: [(&str, &str, &str, &str, &str); 17] = [
    ("[]", "", "type", "is an array", "object"),
    ("{}", "", "required", "\"id\"", "\"id\""),
    (r#"{"id":null}"#, "/id", "type", "is null", "string"),
    (
        r#"{"id":1,"amount":0}"#,
        "/amount",
        "minimum",
        "too small",
        "at least 1",
    ),
    (
        r#"{"id":1,"amount":11}"#,
        "/amount",
        "maximum",
        "too large",
        "at most 10",
    ),
    (
        r#"{"id":1,"stage":"won"}"#,
        "/stage",
        "enum",
        "another value",
        "\"Won\"",
    ),
    (
        r#"{"id":1,"at":"yesterday"}"#,
        "/at",
        "format",
        "another form",
        "date-time",
    ),
    (
        r#"{"id":1,"code":"eu"}"#,
        "/code",
        "pattern",
        "another form",
        "[A-Z]{3}",
    ),
    (
        r#"{"id":1,"parts":[]}"#,
        "/parts",
        "minItems",
        "too few",
        "at least 1",
    ),
    (
        r#"{"id":1,"parts":["a",7]}"#,
        "/parts/1",
        "type",
        "a number",
        "string",
    ),
    (
        r#"{"id":1,"parts":["a","a"]}"#,
        "/parts",
        "uniqueItems",
        "twice",
        "no two",
    ),
    (
        r#"{"id":1,"who":{"a":1,"b":1}}"#,
        "/who",
        "oneOf",
        "several",
        "exactly one",
    ),
    (
        r#"{"id":1,"who":{}}"#,
        "/who",
        "oneOf",
        "none",
        "one of the 2",
    ),
    (
        r#"{"id":1,"never":0}"#,
        "/never",
        "falseSchema",
        "may not be here",
        "nothing",
    ),
    (
        r#"{"id":1,"a/b~c":2}"#,
        "/a~1b~0c",
        "const",
        "another value",
        "1",
    ),
    (
        r#"{"id":1,"more":1}"#,
        "",
        "additionalProperties",
        "more",
        "names",
    ),
    (
        r#"{"id":1,"amount":1e999}"#,
        "/amount",
        "readable",
        "out of range",
        "double",
    ),
];

#[test]
fn what_does_not_fit_is_told_with_what_was_expected() {
    let schema = json!({
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": ["string", "integer"]},
            "amount": {"type": "number", "minimum": 1, "maximum": 10},
            "stage": {"enum": ["Won", "Lost"]},
            "at": {"type": "string", "format": "date-time"},
            "code": {"pattern": "^[A-Z]{3}$", "maxLength": 3},
            "parts": {"type": "array", "minItems": 1, "items": {"type": "string"}, "uniqueItems": true},
            "who": {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            "never": false,
            "a/b~c": {"const": 1},
        },
        "additionalProperties": false,
    });
    let schema = compile(&schema).expect("a schema");
    for (payload, pointer, keyword, wrong, expected) in MISFITS {
        let found = schema.check(payload.as_bytes());
        let first = &found.list[0];
        assert_eq!(
            (first.pointer.as_str(), first.keyword.as_str()),
            (pointer, keyword),
            "{payload}"
        );
        assert!(first.wrong.contains(wrong), "{payload}: {first:?}");
        assert!(first.expected.contains(expected), "{payload}: {first:?}");
    }
    let fine = r#"{"id":"a","amount":1.5,"at":"2025-01-15T10:30:00Z","parts":["a"],"who":{"a":1}}"#;
    assert!(schema.check(fine.as_bytes()).is_empty());
}

#[test]
fn no_value_of_the_payload_is_repeated() {
    let schemas = [
        json!({"const": 1}),
        json!({"enum": ["a"]}),
        json!({"maxLength": 3}),
        json!({"pattern": "^a$"}),
        json!({"format": "email"}),
        json!({"type": "null"}),
        json!({"not": {}}),
        json!({"anyOf": [false, {"type": "null"}]}),
        json!(false),
    ];
    for schema in schemas {
        let found = compile(&schema).expect("a schema").check(br#""s3cret""#);
        let told = format!("{found:?}");
        assert!(
            !found.is_empty() && !told.contains("s3cret"),
            "{schema}: {told}"
        );
    }
}

#[test]
fn of_many_misfits_the_first_are_told() {
    let schema = compile(&json!({"items": {"type": "string"}})).expect("a schema");
    for (count, told, more) in [(1, 1, false), (20, 20, false), (21, 20, true)] {
        let payload = format!("[{}]", vec!["0"; count].join(","));
        let found = schema.check(payload.as_bytes());
        assert_eq!((found.list.len(), found.more), (told, more), "{count}");
    }
}
