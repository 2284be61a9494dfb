//! Events that are looked at when they come in: refused, marked or let through as their account says, one
//! by one, in batches and as lines.

use axum::body::Body;
use axum::http::Request;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use throwbar::model::AccountId;
use throwbar::store::Hint;

use super::{Answer, Doors, OPERATOR};
use crate::support::store::on_both;

/// What the events of these stories must look like.
fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["amount"],
        "properties": {"amount": {"type": "integer", "minimum": 0}, "stage": {"enum": ["Won", "Lost"]}},
    })
}

async fn with_schema(doors: &Doors, key: &str, settings: Value) {
    let new = Some(json!({"name": "deal.won", "schema": schema()}));
    doors
        .call(key, "POST", "/v1/event-types", new)
        .await
        .is(201);
    doors
        .call(key, "PATCH", "/v1/account", Some(settings))
        .await
        .is(200);
}

async fn send(doors: &Doors, key: &str, data: &Value) -> Answer {
    let event = json!({"type": "deal.won", "data": data});
    doors.call(key, "POST", "/v1/events", Some(event)).await
}

async fn lines(doors: &Doors, body: impl Into<Body>, key: Option<&str>) -> Answer {
    let mut request = Request::post("/v1/events/batch")
        .header("authorization", format!("Bearer {OPERATOR}"))
        .header("content-type", "application/x-ndjson; charset=utf-8");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    doors
        .request(request.body(body.into()).expect("a request"))
        .await
}

#[tokio::test]
async fn an_account_asks_for_nothing_until_it_says_so() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let own = doors.get("/v1/account").await.is(200);
        assert_eq!(own.body["validation"], "none");
        assert_eq!(own.body["unknown_types"], "accept");
        with_schema(&doors, OPERATOR, json!({})).await;
        let event = send(&doors, OPERATOR, &json!("no object"))
            .await
            .is(202)
            .id();
        let seen = doors.get(&format!("/v1/events/{event}")).await.is(200);
        assert!(seen.body.get("misfit").is_none(), "{}", seen.body);
        doors
            .patch("/v1/account", json!({"validation": "maybe"}))
            .await
            .is(422)
            .refuses("invalid_field", "/validation");
    })
    .await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_all_its_places() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        with_schema(&doors, OPERATOR, json!({"validation": "refuse"})).await;
        let wrong = json!({"amount": "12", "stage": "won"});
        let refused = send(&doors, OPERATOR, &wrong).await.is(422);
        refused.refuses("schema_violation", "/data/amount");
        let told = &refused.body["violations"];
        assert_eq!(
            told[0],
            json!({"pointer": "/amount", "keyword": "type", "wrong": "is a string", "expected": "integer"})
        );
        assert_eq!(told[1]["pointer"], "/stage");
        assert_eq!(told[1]["expected"], r#"one of ["Won","Lost"]"#);
        assert_eq!(told.as_array().map(Vec::len), Some(2));
        assert!(refused.text("/detail").contains("version 1 of the schema of deal.won"));
        doors.has_none("/v1/events").await;
        send(&doors, OPERATOR, &json!({"amount": 1})).await.is(202);
        // Types that nobody knows have no schema.
        doors.post("/v1/events", json!({"type": "other", "data": []})).await.is(202);
    })
    .await;
}

#[tokio::test]
async fn what_does_not_fit_is_marked_and_goes_on() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        with_schema(&doors, OPERATOR, json!({"validation": "mark"})).await;
        let event = send(&doors, OPERATOR, &json!({"amount": -1})).await.is(202).id();
        doors.pipeline.settle().await;
        let seen = doors.get(&format!("/v1/events/{event}")).await.is(200);
        assert_eq!(seen.body["state"], "planned");
        assert_eq!(
            seen.body["misfit"],
            json!({"schema_version": 1, "violations": [
                {"pointer": "/amount", "keyword": "minimum", "wrong": "is too small a number", "expected": "at least 0"},
            ]})
        );
        let fine = send(&doors, OPERATOR, &json!({"amount": 1})).await.is(202).id();
        let seen = doors.get(&format!("/v1/events/{fine}")).await.is(200);
        assert!(seen.body.get("misfit").is_none(), "{}", seen.body);
    })
    .await;
}

#[tokio::test]
async fn unknown_types_are_refused_by_a_setting_of_their_own() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        with_schema(&doors, OPERATOR, json!({"unknown_types": "refuse"})).await;
        let other = json!({"type": "deal.wom", "data": {}});
        doors
            .post("/v1/events", other.clone())
            .await
            .is(422)
            .refuses("unknown_event_type", "/type");
        send(&doors, OPERATOR, &json!("not looked at"))
            .await
            .is(202);
        doors
            .post("/v1/event-types", json!({"name": "deal.wom"}))
            .await
            .is(201);
        doors.post("/v1/events", other.clone()).await.is(202);
        doors.delete("/v1/event-types/deal.wom").await.is(204);
        doors.post("/v1/events", other.clone()).await.is(422);
        doors
            .patch("/v1/account", json!({"unknown_types": "accept"}))
            .await
            .is(200);
        doors.post("/v1/events", other).await.is(202);
    })
    .await;
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_time_whatever_is_asked_by_now() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let event = json!({"type": "deal.won", "data": {}, "idempotency_key": "k"});
        let first = doors.post("/v1/events", event.clone()).await.is(202).id();
        let settings = json!({"validation": "refuse", "unknown_types": "refuse"});
        doors.patch("/v1/account", settings).await.is(200);
        assert_eq!(
            doors.post("/v1/events", event.clone()).await.is(202).id(),
            first
        );
        with_schema(&doors, OPERATOR, json!({})).await;
        assert_eq!(doors.post("/v1/events", event).await.is(202).id(), first);
        let other = json!({"type": "deal.won", "data": {"a": 1}, "idempotency_key": "k"});
        doors.post("/v1/events", other).await.is(409);
        let fresh = json!({"type": "deal.won", "data": {}, "idempotency_key": "l"});
        doors.post("/v1/events", fresh).await.is(422);
    })
    .await;
}

#[tokio::test]
async fn lines_are_answered_one_by_one_with_their_numbers() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        with_schema(&doors, OPERATOR, json!({"validation": "refuse"})).await;
        let good = r#"{"type":"deal.won","data":{"amount":1}}"#;
        let body = [
            good,
            "{broken",
            "",
            r#"{"type":"deal.won","data":{}}"#,
            r#"{"type":"deal.won"}"#,
            "[1]",
            "  {\"type\":\"other\",\"data\":null}\r",
            "{\"type\":\"other\",\"data\":\"\u{e4}\"}",
        ]
        .join("\n");
        let answer = lines(&doors, body.clone(), Some("k")).await.is(202);
        let rows = answer.body["data"].as_array().expect("a list").clone();
        let told: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row["line"].as_u64().unwrap_or(0),
                    row["error"]["code"].as_str(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (1, None),
                (2, Some("malformed")),
                (4, Some("schema_violation")),
                (5, Some("missing_field")),
                (6, Some("invalid_field")),
                (7, None),
                (8, None),
            ]
        );
        assert_eq!(rows[2]["error"]["violations"][0]["keyword"], "required");
        // Sent again with the same key nothing is made twice, and a line that was wrong gets in.
        let mended = body.replace("{broken", good);
        let again = lines(&doors, mended, Some("k")).await.is(202);
        assert_eq!(again.body["data"][0]["id"], rows[0]["id"]);
        assert!(again.body["data"][1]["id"].is_string(), "{}", again.body);
        let all = doors.get("/v1/events").await.is(200);
        assert_eq!(all.body["data"].as_array().map(Vec::len), Some(4));

        let mut broken = good.as_bytes().to_vec();
        broken.extend_from_slice(b"\n{\"type\":\"other\",\"data\":\"\xff\"}\n");
        let answer = lines(&doors, broken, None).await.is(202);
        assert!(answer.body["data"][0]["id"].is_string());
        assert_eq!(answer.body["data"][1]["error"]["code"], "malformed");
        let empty = lines(&doors, "\n\n", None).await.is(202);
        assert_eq!(empty.body["data"], json!([]));
        lines(&doors, format!("{good}\n").repeat(1001), None)
            .await
            .is(422);
        lines(&doors, format!("{good}\n").repeat(1000), None)
            .await
            .is(202);
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_looked_at_event_by_event() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        with_schema(&doors, OPERATOR, json!({"validation": "mark"})).await;
        let event = |data: Value| json!({"type": "deal.won", "data": data});
        let batch = json!([
            event(json!({"amount": 1})),
            event(json!({})),
            event(json!({"amount": 2}))
        ]);
        let sent = doors.post("/v1/events/batch", batch).await.is(202);
        for (place, marked) in [false, true, false].into_iter().enumerate() {
            assert!(sent.body["data"][place].get("line").is_none());
            let id = sent.text(&format!("/data/{place}/id"));
            let seen = doors.get(&format!("/v1/events/{id}")).await.is(200);
            assert_eq!(seen.body.get("misfit").is_some(), marked, "{place}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_another_node_changes_is_known_here() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        with_schema(&doors, OPERATOR, json!({})).await;
        send(&doors, OPERATOR, &json!({})).await.is(202);
        let account: AccountId = doors.get("/v1/account").await.id().parse().expect("an id");
        let other = doors.place.another().await;
        let changed = other.change_intake(account, Some("refuse"), None).await;
        assert!(changed.expect("changed"));
        doors.service.heard(Hint::Catalogue(account)).await;
        send(&doors, OPERATOR, &json!({})).await.is(422);
        other
            .delete_event_type(account, "deal.won")
            .await
            .expect("removed");
        // A line that was lost may have told of it.
        doors.service.heard(Hint::Look).await;
        send(&doors, OPERATOR, &json!({})).await.is(202);
    })
    .await;
}

/// Data that may fit or not.
fn payload() -> impl Strategy<Value = Value> {
    let amount = prop_oneof![
        4 => any::<u8>().prop_map(|number| json!(number)),
        1 => any::<i8>().prop_map(|number| json!(number)),
        1 => any::<bool>().prop_map(|flag| json!(flag)),
        1 => "[a-z]{0,3}".prop_map(|text| json!(text)),
        1 => Just(json!(1.5)),
    ];
    let stage = prop_oneof![
        Just(json!("Won")),
        Just(json!("Lost")),
        Just(json!("won")),
        Just(json!(null))
    ];
    let object = (
        proptest::option::weighted(0.9, amount),
        proptest::option::of(stage),
    )
        .prop_map(|(amount, stage)| {
            let mut object = serde_json::Map::new();
            object.extend(amount.map(|amount| ("amount".to_owned(), amount)));
            object.extend(stage.map(|stage| ("stage".to_owned(), stage)));
            Value::Object(object)
        });
    prop_oneof![4 => object, 1 => Just(json!([])), 1 => Just(json!(null))]
}

#[tokio::test]
async fn what_one_account_refuses_another_marks_and_nothing_else() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let marking = doors.other_account("marking").await;
        with_schema(&doors, OPERATOR, json!({"validation": "refuse"})).await;
        with_schema(&doors, &marking, json!({"validation": "mark"})).await;
        let mut runner = TestRunner::deterministic();
        let (mut fitting, mut misfits) = (0, 0);
        for _ in 0..80 {
            let data = payload()
                .new_tree(&mut runner)
                .expect("a payload")
                .current();
            let marked = send(&doors, &marking, &data).await.is(202).id();
            let seen = doors
                .call(&marking, "GET", &format!("/v1/events/{marked}"), None)
                .await;
            let told = seen.is(200).body.pointer("/misfit/violations").cloned();
            let answer = send(&doors, OPERATOR, &data).await;
            if answer.status == 422 {
                assert_eq!(answer.body.get("violations"), told.as_ref(), "{data}");
                misfits += 1;
            } else {
                assert_eq!((answer.status, told), (202, None), "{data}");
                fitting += 1;
            }
        }
        assert!(fitting > 5 && misfits > 20, "{fitting} and {misfits}");
    })
    .await;
}
