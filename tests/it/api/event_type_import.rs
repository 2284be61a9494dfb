//! Event types by the document: lists, OpenAPI, and the ready-made catalogues.

use serde_json::{Value, json};

use super::event_type::operator;
use super::{Answer, Doors, OPERATOR};
use crate::support::store::on_both;

async fn import(doors: &Doors, query: &str, document: Value) -> Vec<(String, String, Value)> {
    let path = format!("/v1/event-types/import{query}");
    told(&doors.post(&path, document).await.is(200))
}

/// Name, outcome and version of each event type of a report.
fn told(report: &Answer) -> Vec<(String, String, Value)> {
    let rows = report.body["data"].as_array().expect("a list");
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    rows.iter()
        .map(|row| {
            let version = row["schema_version"].clone();
            (text(row, "name"), text(row, "outcome"), version)
        })
        .collect()
}

fn row(name: &str, outcome: &str, version: impl Into<Value>) -> (String, String, Value) {
    (name.to_owned(), outcome.to_owned(), version.into())
}

#[tokio::test]
async fn a_list_is_imported_type_by_type() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let list = |extra: Value| {
            json!([
                {"name": "a", "group": "g", "schema": {"type": "object"}, "examples": [{"n": 1}, {"n": 2}]},
                extra,
                {"name": "odd name"},
                {"name": "c", "schema": {"type": "thing"}},
                {"name": "d", "schema": {"type": "object"}, "examples": [{}, 7]},
                {"name": "a"},
            ])
        };
        let expected = |first: &str, second: &str| {
            vec![
                row("a", first, 1),
                row("b", second, Value::Null),
                row("odd name", "refused", Value::Null),
                row("c", "refused", Value::Null),
                row("d", "refused", Value::Null),
                row("a", "refused", Value::Null),
            ]
        };
        let plain = list(json!({"name": "b", "description": "B."}));
        let dry = import(&doors, "?dry_run=true", plain.clone()).await;
        assert_eq!(dry, expected("created", "created"));
        doors.has_none("/v1/event-types").await;
        let done = import(&doors, "", plain.clone()).await;
        assert_eq!(done, expected("created", "created"));
        let again = import(&doors, "", json!({"event_types": plain})).await;
        assert_eq!(again, expected("unchanged", "unchanged"));
        let changed = import(&doors, "", list(json!({"name": "b", "group": "G"}))).await;
        assert_eq!(changed, expected("unchanged", "changed"));
        let seen = doors.get("/v1/event-types/b").await.is(200);
        assert_eq!(
            (&seen.body["description"], &seen.body["group"]),
            (&json!("B."), &json!("G")),
            "what is left out stays"
        );
        let new = import(&doors, "", json!([{"name": "a", "schema": {"minProperties": 1}}])).await;
        assert_eq!(new, [row("a", "new_version", 2)]);
        let seen = doors.get("/v1/event-types/a").await.is(200);
        assert_eq!(
            (&seen.body["example"], &seen.body["examples"]),
            (&json!({"n": 1}), &json!([{"n": 2}]))
        );
        for (document, code) in [(json!({}), "invalid_document"), (json!(1), "invalid_document")] {
            doors
                .post("/v1/event-types/import", document)
                .await
                .is(422)
                .refuses(code, "");
        }
        let many: Vec<Value> = (0..1001).map(|no| json!({"name": format!("t.{no}")})).collect();
        doors.post("/v1/event-types/import", json!(many)).await.is(422);
    })
    .await;
}

#[tokio::test]
async fn webhooks_of_openapi_become_event_types() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let body = |schema: Value| json!({"content": {"application/json": {"schema": schema, "example": {"id": "o_1"}}}});
        let document = |id: Value| {
            json!({
                "openapi": "3.1.0", "info": {"title": "Shop", "version": "1"},
                "webhooks": {
                    "order.paid": {"post": {"summary": "Paid", "tags": ["orders"], "requestBody": body(json!({"$ref": "#/components/schemas/Order"}))}},
                    "order.lost": {"post": {"requestBody": body(json!({"$ref": "https://example.org/x"}))}},
                },
                "components": {"schemas": {
                    "Order": {"type": "object", "required": ["id"], "properties": {"id": {"$ref": "#/components/schemas/Id"}}},
                    "Id": id,
                }},
            })
        };
        let text = document(json!({"type": "string"}));
        let sorted = async |document: Value| {
            let mut told = import(&doors, "", document).await;
            told.sort_by(|(a, ..), (b, ..)| a.cmp(b));
            told
        };
        let lost = row("order.lost", "refused", Value::Null);
        assert_eq!(sorted(text.clone()).await, [lost.clone(), row("order.paid", "created", 1)]);
        assert_eq!(sorted(text).await, [lost.clone(), row("order.paid", "unchanged", 1)]);
        let long = document(json!({"type": "string", "minLength": 2}));
        assert_eq!(sorted(long).await, [lost, row("order.paid", "new_version", 2)]);
        let seen = doors.get("/v1/event-types/order.paid").await.is(200);
        assert_eq!(seen.body["schema"]["$defs"]["Id"]["minLength"], 2);
        assert_eq!(
            (&seen.body["description"], &seen.body["group"], &seen.body["example"]),
            (&json!("Paid"), &json!("orders"), &json!({"id": "o_1"}))
        );
        doors.patch("/v1/account", json!({"validation": "refuse"})).await.is(200);
        let refused = json!({"type": "order.paid", "data": {"id": "x"}});
        let refused = doors.post("/v1/events", refused).await.is(422);
        assert_eq!(refused.body["violations"][0]["pointer"], "/id");
    })
    .await;
}

#[tokio::test]
async fn of_two_catalogues_the_first_schema_is_kept() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let listed = doors.get("/v1/event-types/catalogues").await.is(200);
        let rows = listed.body["data"].as_array().expect("a list");
        let names: Vec<_> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
        assert_eq!(names, ["crm", "dialer", "proposals"]);
        let crm = doors.get("/v1/event-types/catalogues/crm").await.is(200);
        assert_eq!(crm.body["event_types"].as_array().map(Vec::len), Some(17));

        let install = async |key: &str, name: &str| {
            let path = format!("/v1/event-types/catalogues/{name}/install");
            doors.call(key, "POST", &path, None).await.is(200)
        };
        let first = told(&install(OPERATOR, "crm").await);
        assert!(
            first
                .iter()
                .all(|(_, outcome, version)| outcome == "created" && *version == 1)
        );
        let kept = doors.get("/v1/event-types/contact.created").await.is(200);
        let second = install(OPERATOR, "dialer").await;
        let outcomes = |report: &Answer| -> Vec<String> {
            let kept = told(report)
                .into_iter()
                .filter(|(_, outcome, _)| outcome == "kept");
            kept.map(|(name, ..)| name).collect()
        };
        assert_eq!(outcomes(&second), ["contact.created", "contact.updated"]);
        let why = second.body["data"][3]["why"].as_str().expect("a sentence");
        assert!(
            why.contains("the account has an event type of this name already"),
            "{why}"
        );
        assert_eq!(told(&second).len(), 12);
        let still = doors.get("/v1/event-types/contact.created").await.is(200);
        assert_eq!(still.body, kept.body);

        // What the installation has, an account has: nothing of it is made twice.
        let nobody_s = operator(&doors).await;
        install(&nobody_s, "proposals").await;
        let own = install(OPERATOR, "proposals").await;
        assert_eq!(outcomes(&own).len(), 5);
        let stranger = doors.other_account("stranger").await;
        let seen = doors
            .call(&stranger, "GET", "/v1/event-types", None)
            .await
            .is(200);
        assert_eq!(seen.body["data"].as_array().map(Vec::len), Some(5));
        let path = "/v1/event-types/catalogues/nothing/install";
        let missing = doors.post(path, json!({})).await.is(404);
        let told = missing.text("/detail");
        assert!(told.ends_with("there are crm, dialer, proposals"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn every_example_of_a_catalogue_is_taken_by_an_account_that_refuses_what_does_not_fit() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let settings = json!({"validation": "refuse", "unknown_types": "refuse"});
        doors.patch("/v1/account", settings).await.is(200);
        for name in ["proposals", "crm"] {
            let path = format!("/v1/event-types/catalogues/{name}");
            doors
                .post(&format!("{path}/install"), json!({}))
                .await
                .is(200);
            let whole = doors.get(&path).await.is(200);
            let mut batch = Vec::new();
            for entry in whole.body["event_types"].as_array().expect("a list") {
                for example in entry["examples"].as_array().expect("a list") {
                    batch.push(json!({"type": entry["name"], "data": example}));
                }
            }
            let count = batch.len();
            let sent = doors.post("/v1/events/batch", json!(batch)).await.is(202);
            let taken = sent.body["data"].as_array().expect("a list").iter();
            let taken = taken.filter(|answer| answer["id"].is_string()).count();
            assert_eq!(taken, count, "{}", sent.body);
        }
    })
    .await;
}
