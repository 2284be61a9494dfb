//! Conditions in both spellings: said as either, shown as both, and compared with the schemas of event types.

use serde_json::{Value, json};

use super::{Doors, nobody};
use crate::support::store::{Engine, on_both};

fn large_deals() -> Value {
    json!({"all": [
        {"field": "data.stage", "operator": "equals", "value": "Won"},
        {"field": "data.amount", "operator": "greater_than", "value": 1000},
    ]})
}

const LARGE_DEALS: &str = "has(event.data.stage) && event.data.stage == \"Won\" && has(event.data.amount) \
     && event.data.amount > 1000";

async fn automation(condition: Value) -> Value {
    let url = nobody().await;
    json!({
        "name": "a", "trigger": {"events": ["deal.updated"]}, "condition": condition,
        "actions": [{"webhook": {"url": url}}],
    })
}

/// Gives the event type `deal.updated` a schema.
async fn with_schema(doors: &Doors) {
    let schema = json!({"type": "object", "properties": {
        "stage": {"enum": ["Open", "Won", "Lost"]}, "amount": {"type": "number"},
    }});
    doors
        .post(
            "/v1/event-types",
            json!({"name": "deal.updated", "schema": schema}),
        )
        .await
        .is(201);
}

#[tokio::test]
async fn a_form_is_kept_as_cel_and_comes_back_as_a_form() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = automation(large_deals()).await;
        let made = doors.post("/v1/automations", new).await.is(201);
        assert_eq!(made.body["condition"], LARGE_DEALS);
        assert_eq!(made.body["condition_form"], large_deals());
        assert_eq!(made.body["warnings"], json!([]));
        let path = format!("/v1/automations/{}", made.id());

        for (data, verdict, words) in [
            (json!({"stage": "Won", "amount": 1200}), "fired", "1200"),
            (
                json!({"stage": "Won"}),
                "filtered",
                "`event.data.amount` is missing",
            ),
            (
                json!({"stage": "Lost", "amount": 1}),
                "filtered",
                "needs to be \"Won\"",
            ),
            (
                json!({"stage": "Won", "amount": "much"}),
                "condition_error",
                "can't be compared",
            ),
        ] {
            let sent = json!({"type": "deal.updated", "data": data});
            let event = doors.post("/v1/events", sent).await.is(202).id();
            doors.pipeline.settle().await;
            let said = doors
                .get(&format!("/v1/events/{event}/evaluations"))
                .await
                .is(200);
            assert_eq!(said.body["data"][0]["verdict"], verdict, "{}", said.body);
            assert!(
                said.text("/data/0/summary").contains(words),
                "{}",
                said.body
            );
        }

        // The same, said the other way, is no new version.
        let same = doors
            .patch(&path, json!({"condition": LARGE_DEALS}))
            .await
            .is(200);
        assert_eq!(same.body["version"], 1);
        let bare = json!({"condition": "event.data.amount > 1000"});
        let bare = doors.patch(&path, bare).await.is(200);
        assert_eq!(bare.body["condition"], "event.data.amount > 1000");
        assert_eq!(bare.body["condition_form"]["missing"], "error");
        let beyond = json!({"condition": "size(event.data.tags) > 1"});
        let beyond = doors.patch(&path, beyond).await.is(200);
        assert_eq!(beyond.body["condition_form"], Value::Null);
        let none = doors.patch(&path, json!({"condition": null})).await.is(200);
        assert_eq!(
            (&none.body["condition"], &none.body["condition_form"]),
            (&Value::Null, &Value::Null)
        );
        let listed = doors.get("/v1/automations").await.is(200);
        assert!(
            listed.body["data"][0].get("condition_form").is_none(),
            "{}",
            listed.body
        );
        let shown = doors.get(&path).await.is(200);
        assert!(shown.body.get("warnings").is_none(), "{}", shown.body);
    })
    .await;
}

#[tokio::test]
async fn what_no_event_of_the_type_has_is_told_or_refused() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        with_schema(&doors).await;
        let mut new = automation(json!("event.data.amout > 1")).await;
        new["strict"] = json!(true);
        let refused = doors.post("/v1/automations", new.clone()).await.is(422);
        refused.refuses("condition_warning", "/condition");
        let detail = refused.text("/detail");
        assert!(detail.starts_with("line 1, column 12: `event.data.amout` isn't in the schema of deal.updated; did you mean `amount`?"), "{detail}");
        doors.has_none("/v1/automations").await;

        new["strict"] = json!(false);
        let made = doors.post("/v1/automations", new).await.is(201);
        assert_eq!(
            made.body["warnings"],
            json!([{
                "severity": "warning", "code": "unknown_field", "suggestion": "amount",
                "message": "`event.data.amout` isn't in the schema of deal.updated; did you mean `amount`?",
                "position": {"line": 1, "column": 12, "length": 5}, "pointer": "",
            }])
        );
        let path = format!("/v1/automations/{}", made.id());
        let wrong = json!({"field": "data.stage", "operator": "equals", "value": "Wom"});
        let told = doors.patch(&path, json!({"condition": {"not": wrong}})).await.is(200);
        assert_eq!(told.text("/warnings/0/code"), "unknown_value");
        assert_eq!(told.text("/warnings/0/pointer"), "/not");
        doors
            .patch(&path, json!({"strict": true, "name": "b"}))
            .await
            .is(422)
            .refuses("condition_warning", "/condition");
        // Of a type without a schema nothing is known.
        let other = doors.patch(&path, json!({"trigger": {"events": ["deal.*", "call.started"]}}));
        assert_eq!(other.await.is(200).body["warnings"], json!([]));
        let broad = doors.patch(&path, json!({"trigger": {"events": ["deal.*"]}})).await.is(200);
        assert_eq!(broad.text("/warnings/0/code"), "unknown_value");
        doors.post("/v1/event-types", json!({"name": "deal.lost"})).await.is(201);
        let broad = doors.patch(&path, json!({"trigger": {"events": ["deal.*"]}, "strict": true}));
        assert_eq!(broad.await.is(200).body["warnings"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn both_spellings_are_shown_with_what_is_wrong() {
    let doors = Doors::open(Engine::Sqlite).await;
    let convert = async |condition: Value| {
        let asked = json!({ "condition": condition });
        doors
            .post("/v1/conditions/convert", asked)
            .await
            .is(200)
            .body
    };
    let shown = convert(large_deals()).await;
    assert_eq!(
        shown,
        json!({"valid": true, "condition": LARGE_DEALS, "condition_form": large_deals(), "problems": []})
    );
    assert_eq!(convert(json!(LARGE_DEALS)).await, shown);
    let beyond = convert(json!("event.data.a + 1 == 2")).await;
    assert_eq!(
        (&beyond["valid"], &beyond["condition_form"]),
        (&json!(true), &Value::Null)
    );
    let wrong = convert(json!("event.data.a == 1 && amount > 2")).await;
    assert_eq!(wrong["valid"], false);
    assert_eq!(
        wrong["problems"][0]["position"],
        json!({"line": 1, "column": 22, "length": 6})
    );
    let long: Vec<_> = (0..300)
        .map(|no| json!({"field": format!("data.f{no}"), "operator": "exists"}))
        .collect();
    let long = convert(json!({ "all": long })).await;
    assert_eq!(
        (&long["valid"], &long["problems"][0]["position"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(
        long["condition_form"]["all"].as_array().map(Vec::len),
        Some(300)
    );
}

#[tokio::test]
async fn a_condition_is_checked_against_the_types_that_are_named() {
    let doors = Doors::open(Engine::Sqlite).await;
    with_schema(&doors).await;
    let asked = json!({"condition": "event.data.amount > '5'", "events": ["deal.updated"]});
    let told = doors.post("/v1/conditions/check", asked).await.is(200);
    assert_eq!(
        (&told.body["valid"], told.text("/problems/0/suggestion")),
        (&json!(true), "5".to_owned())
    );
    for (asked, code, place) in [
        (json!({}), "missing_field", "/condition"),
        (json!({"condition": 5}), "invalid_field", "/condition"),
        (
            json!({"condition": {"all": []}}),
            "invalid_field",
            "/condition",
        ),
        (
            json!({"condition": {"all": [{"field": "data.a", "operator": "is"}]}}),
            "invalid_field",
            "/condition/all/0/operator",
        ),
        (
            json!({"condition": {"not": {"value": "1", "operator": "less_than", "field": "data.a"}}}),
            "invalid_field",
            "/condition/not/value",
        ),
        (
            json!({"condition": {"field": "amount", "operator": "exists"}}),
            "invalid_field",
            "/condition/field",
        ),
        (
            json!({"condition": {"field": "data.a", "operator": "exists", "missing": "no"}}),
            "invalid_field",
            "/condition/missing",
        ),
        (
            json!({"condition": {"field": "data.a", "operator": "exists", "of": 1}}),
            "unknown_field",
            "/condition/of",
        ),
        (
            json!({"condition": "true", "events": ["a b"]}),
            "invalid_field",
            "/events/0",
        ),
    ] {
        let answer = doors.post("/v1/conditions/check", asked).await.is(422);
        answer.refuses(code, place);
    }
}
