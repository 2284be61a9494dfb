//! Documents of both versions, and what can't be taken of them.

use super::*;
use crate::schema::EventSchema;

fn read(document: &Value) -> Vec<Entry> {
    let read = event_types(document).expect("a document");
    read.into_iter()
        .map(|entry| entry.expect("taken"))
        .collect()
}

#[test]
fn what_a_webhook_refers_to_comes_along() {
    let document = json!({
        "openapi": "3.1.0",
        "webhooks": { "order.paid": { "post": {
            "summary": "An order was paid", "tags": ["orders", "money"],
            "requestBody": { "$ref": "#/components/requestBodies/Order" },
        } } },
        "components": {
            "requestBodies": { "Order": { "content": { "application/json; charset=utf-8": {
                "schema": { "$ref": "#/components/schemas/Order" },
                "examples": { "one": { "$ref": "#/components/examples/One" }, "two": { "value": {"id": "b"} } },
            } } } },
            "examples": { "One": { "value": { "id": "a" } } },
            "schemas": {
                "Order": { "type": "object", "required": ["id"], "properties": {
                    "id": { "type": "string" }, "parts": { "items": { "$ref": "#/components/schemas/Order" } },
                    "$ref": { "$ref": "#/components/schemas/Odd name" },
                }, "default": { "$ref": "nothing" } },
                "Odd name": { "type": "integer" },
            },
        },
    });
    let [entry] = &read(&document)[..] else {
        panic!("one webhook");
    };
    assert_eq!(entry.name, "order.paid");
    assert_eq!(entry.description.as_deref(), Some("An order was paid"));
    assert_eq!(entry.group.as_deref(), Some("orders"));
    assert_eq!(entry.examples, [json!({"id": "a"}), json!({"id": "b"})]);
    let schema = entry.schema.as_ref().expect("a schema").to_string();
    let schema = EventSchema::compile(&schema).expect("it stands alone");
    for (payload, fits) in [
        (r#"{"id":"a","parts":[{"id":"b"}]}"#, true),
        (r#"{"id":"a","parts":[{"id":1}]}"#, false),
        (r#"{"id":"a","$ref":"text"}"#, false),
    ] {
        let found = schema.check(payload.as_bytes());
        assert_eq!(found.is_empty(), fits, "{payload}: {found:?}");
    }
}

#[test]
fn an_older_document_means_the_same() {
    let schema = json!({ "type": "object", "properties": {
        "price": { "type": "number", "minimum": 0, "exclusiveMinimum": true },
        "note": { "type": "string", "nullable": true, "enum": ["a"] },
        "owner": { "allOf": [{ "$ref": "#/components/schemas/Owner" }], "nullable": true },
    } });
    let document = json!({
        "openapi": "3.0.3",
        "x-webhooks": { "a": { "post": { "requestBody": { "content": { "application/json": {
            "schema": schema, "example": { "price": 1 },
        } } } } } },
        "components": { "schemas": { "Owner": { "type": "object", "required": ["id"] } } },
    });
    let entries = read(&document);
    let schema = entries[0].schema.as_ref().expect("a schema").to_string();
    let schema = EventSchema::compile(&schema).expect("it stands alone");
    for (payload, fits) in [
        (r#"{"price":0.5,"note":null,"owner":null}"#, true),
        (r#"{"price":0}"#, false),
        (r#"{"note":"b"}"#, false),
        (r#"{"owner":{}}"#, false),
        (r#"{"owner":{"id":1}}"#, true),
    ] {
        let found = schema.check(payload.as_bytes());
        assert_eq!(found.is_empty(), fits, "{payload}: {found:?}");
    }
}

#[test]
fn what_can_t_be_taken_is_told_by_itself() {
    for (document, why) in [
        (json!({"openapi": "2.0"}), "3.0 and 3.1"),
        (json!({"openapi": "3.1.0"}), "no webhooks"),
    ] {
        let told = event_types(&document).expect_err("refused");
        assert!(told.contains(why), "{told}");
    }
    let with =
        |path: Value| json!({"openapi": "3.1.0", "webhooks": {"fine": {"post": {}}, "odd": path}});
    let body = |schema: Value| json!({"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}});
    for (path, why) in [
        (json!({}), "no operation"),
        (json!({"$ref": "#/webhooks/odd"}), "without end"),
        (
            json!({"$ref": "https://example.org/x"}),
            "outside of the document",
        ),
        (
            body(json!({"$ref": "other.json#/a"})),
            "outside of the document",
        ),
        (
            body(json!({"items": {"$ref": "#/nowhere"}})),
            "nothing at '#/nowhere'",
        ),
    ] {
        let read = event_types(&with(path)).expect("a document");
        let (fine, odd): (Vec<_>, Vec<_>) = read.into_iter().partition(Result::is_ok);
        assert_eq!((fine.len(), odd.len()), (1, 1));
        let refusal = odd.into_iter().next().expect("one").expect_err("refused");
        assert_eq!(refusal.name, "odd");
        assert!(refusal.why.contains(why), "{}", refusal.why);
    }
}
