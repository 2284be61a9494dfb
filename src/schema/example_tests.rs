//! Examples of schemas as people write them, and of those for which there is none.

use serde_json::{Value, json};

use super::*;
use crate::schema::catalogue::CATALOGUES;

fn example(schema: &Value) -> Result<Value, NoExample> {
    let text = schema.to_string();
    let compiled = EventSchema::compile(&text).expect("a schema");
    let made = compiled.example(&text)?;
    assert!(compiled.check(made.as_bytes()).is_empty(), "{made}");
    Ok(serde_json::from_str(&made).expect("JSON"))
}

#[test]
fn values_of_every_kind_fit() {
    for (schema, expected) in [
        (json!({}), json!("example")),
        (json!({"type": "null"}), json!(null)),
        (json!({"type": ["null", "boolean"]}), json!(true)),
        (json!({"enum": ["won", "lost"]}), json!("won")),
        (json!({"const": {"a": 1}}), json!({"a": 1})),
        (json!({"type": "integer"}), json!(1)),
        (
            json!({"type": "integer", "minimum": 10, "multipleOf": 4}),
            json!(12),
        ),
        (
            json!({"type": "integer", "exclusiveMinimum": 10}),
            json!(11),
        ),
        (json!({"maximum": -5}), json!(-5)),
        (
            json!({"type": "number", "exclusiveMaximum": 0}),
            json!(-0.5),
        ),
        (json!({"type": "integer", "minimum": 1.5}), json!(2)),
        (
            json!({"type": "string", "format": "date-time"}),
            json!("2026-01-01T09:30:00Z"),
        ),
        (
            json!({"type": "string", "pattern": "^[A-Z]{3}-\\d+$"}),
            json!("AAA-1"),
        ),
        (
            json!({"type": "string", "pattern": "^(eur|usd)$"}),
            json!("eur"),
        ),
        (
            json!({"type": "string", "minLength": 9}),
            json!("example e"),
        ),
        (json!({"type": "string", "maxLength": 2}), json!("ex")),
    ] {
        assert_eq!(example(&schema), Ok(expected), "{schema}");
    }
}

#[test]
fn arrays_objects_and_what_they_are_joined_of_fit() {
    for (schema, expected) in [
        (
            json!({"items": {"type": "integer"}, "minItems": 3, "uniqueItems": true}),
            json!([1, 2, 3]),
        ),
        (
            json!({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "boolean"}]}),
            json!([1, true]),
        ),
        (
            json!({"type": "array", "maxItems": 0, "items": {}}),
            json!([]),
        ),
        (
            json!({"required": ["id", "more"], "properties": {"id": {"format": "uuid"}, "note": {"type": "string"}}}),
            json!({"id": "0198c1f0-a3b2-7c4d-8e5f-60718293a4b5", "note": "example", "more": "example"}),
        ),
        (
            json!({"$defs": {"money": {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "number"}}}},
                   "type": "object", "required": ["price"], "properties": {"price": {"$ref": "#/$defs/money"}}}),
            json!({"price": {"amount": 1}}),
        ),
        (
            json!({"allOf": [{"required": ["a"], "properties": {"a": {"type": "integer"}}},
                             {"required": ["b"], "properties": {"b": {"type": "boolean"}}}]}),
            json!({"a": 1, "b": true}),
        ),
        (
            json!({"oneOf": [{"type": "object", "required": ["card"], "properties": {"card": {"const": 1}}}, {"type": "null"}]}),
            json!({"card": 1}),
        ),
        (
            json!({"type": "object", "minProperties": 2}),
            json!({"field_1": "example", "field_2": "example"}),
        ),
    ] {
        assert_eq!(example(&schema), Ok(expected), "{schema}");
    }
}

#[test]
fn what_is_not_required_is_left_out_where_it_does_not_fit() {
    let schema = json!({
        "type": "object", "required": ["a"],
        "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "maxProperties": 1
    });
    assert_eq!(example(&schema), Ok(json!({"a": 1})));
    let endless = json!({
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
        "$ref": "#/$defs/node"
    });
    assert!(example(&endless).is_ok());
}

#[test]
fn where_nothing_can_be_made_it_is_said_why() {
    for (schema, why) in [
        (
            json!({"type": "integer", "minimum": 3, "maximum": 2}),
            "fit",
        ),
        (
            json!({"type": "object", "required": ["a"], "properties": {"a": false}}),
            "/a",
        ),
        (json!({"type": "string", "minLength": 20_000}), "characters"),
        (json!({"not": {"type": "string"}}), "fit"),
    ] {
        let error = example(&schema).expect_err("nothing fits").to_string();
        assert!(error.contains(why), "{schema}: {error}");
    }
}

#[test]
fn every_ready_made_event_type_has_an_example() {
    for catalogue in CATALOGUES {
        for entry in catalogue.entries().expect("a catalogue") {
            if let Some(schema) = &entry.schema {
                example(schema).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
            }
        }
    }
}
