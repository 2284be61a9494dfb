//! Variables and secrets: named once, referred to from conditions, configurations and headers, and never shown
//! where they are secret.

use serde_json::{Value, json};

use super::{Answer, Doors, component, nobody};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

const TOKEN: &str = "tok_4f\"9a/of-the-crm";

async fn set(doors: &Doors, name: &str, value: Value) -> Answer {
    let new = json!({"name": name, "value": value});
    doors.post("/v1/variables", new).await.is(201)
}

async fn set_secret(doors: &Doors, name: &str, value: &str) -> Answer {
    let new = json!({"name": name, "value": value, "secret": true});
    doors.post("/v1/variables", new).await.is(201)
}

fn automation(more: &Value) -> Value {
    let mut new = json!({"name": "Large deals", "trigger": {"events": ["deal.*"]}});
    for (name, value) in more.as_object().expect("fields") {
        new[name] = value.clone();
    }
    new
}

/// Sends an event and lets everything happen; what became of the first automation that looked at it.
async fn verdict(doors: &Doors, data: Value) -> Value {
    let sent = json!({"type": "deal.won", "data": data});
    let event = doors.post("/v1/events", sent).await.is(202).id();
    doors.pipeline.settle().await;
    let said = doors
        .get(&format!("/v1/events/{event}/evaluations"))
        .await
        .is(200);
    said.body["data"][0].clone()
}

#[tokio::test]
async fn a_condition_asks_for_a_variable_as_it_stands() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        set(&doors, "least", json!(1000)).await;
        let new = automation(&json!({
            "condition": {"field": "data.amount", "operator": "greater_than", "value": {"var": "least"}},
            "actions": [{"webhook": {"url": nobody().await}}],
        }));
        let made = doors.post("/v1/automations", new.clone()).await.is(201);
        assert_eq!(made.text("/condition"), "has(event.data.amount) && event.data.amount > vars.least");
        assert_eq!(made.body["condition_form"], new["condition"]);
        let path = format!("/v1/automations/{}", made.id());

        let said = verdict(&doors, json!({"amount": 900})).await;
        assert_eq!(said["verdict"], "filtered", "{said}");
        assert_eq!(said["summary"], "`event.data.amount` is 900, needs more than `vars.least` (1000)");
        doors.patch("/v1/variables/least", json!({"value": 500})).await.is(200);
        assert_eq!(verdict(&doors, json!({"amount": 900})).await["verdict"], "fired");
        assert_eq!(doors.get(&path).await.is(200).body["version"], 1, "no new version");
        let trial = json!({"automation": new, "event": {"type": "deal.won", "data": {"amount": 501}}});
        let tried = doors.post("/v1/automations/test", trial).await.is(200);
        assert_eq!(tried.body["verdict"], "fired", "{}", tried.body);

        // What is asked for stays, and stays plain.
        let used = doors.delete("/v1/variables/least").await.is(409);
        used.refuses("variable_in_use", "nowhere");
        let detail = used.text("/detail");
        assert!(detail.contains(&format!("the condition of 'Large deals' ({})", made.id())), "{detail}");
        let secret = json!({"value": "a long secret", "secret": true});
        doors
            .patch("/v1/variables/least", secret)
            .await
            .is(409)
            .refuses("variable_in_use", "nowhere");
        doors.patch(&path, json!({"condition": "vars.least > 1"})).await.is(200);
        doors.patch(&path, json!({"condition": "event.data == 1"})).await.is(200);
        doors.delete("/v1/variables/least").await.is(204);
        doors.get("/v1/variables/least").await.is(404);

        for (condition, words) in [
            ("event.data.amount > vars.least", "no variable `least`"),
            ("event.data.amount > vars.token", "is secret"),
        ] {
            if words == "is secret" {
                set_secret(&doors, "token", TOKEN).await;
            }
            let refused = doors.patch(&path, json!({ "condition": condition })).await.is(422);
            refused.refuses("invalid_condition", "/condition");
            assert!(refused.text("/detail").contains(words), "{}", refused.body);
        }
        // The version that asked for it can't be published any more.
        let back = json!({"to": 1});
        doors
            .post(&format!("{path}/rollback"), back)
            .await
            .is(409)
            .refuses("unknown_variable", "nowhere");
    })
    .await;
}

#[tokio::test]
async fn a_secret_goes_where_it_is_needed_and_nowhere_else() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hostile.wasm");
        let hostile = std::fs::read(path).expect("a fixture");
        doors.upload(hostile, "?name=hostile").await.is(201);
        let made = set_secret(&doors, "token", "tok-of-the-crm").await;
        assert_eq!(made.body["value"], Value::Null);
        set(&doors, "team", json!("north")).await;
        let endpoint = json!({
            "url": receiver.url("/crm"), "subscribe": "none",
            "headers": {"Authorization": "Bearer {{vars.token}}", "X-Team": "{{ vars.team }}"},
        });
        let endpoint = doors.post("/v1/endpoints", endpoint).await.is(201);
        assert_eq!(
            endpoint.text("/headers/authorization"),
            "Bearer {{vars.token}}"
        );
        // It says its configuration as the reason why it drops the event.
        let drops = json!({"do": "drop", "text": "said {{vars.token}} of {{vars.team}}"});
        for transforms in [json!([]), json!([{"plugin": "hostile", "config": drops}])] {
            let new = automation(&json!({
                "transforms": transforms, "actions": [{"webhook": {"endpoint": endpoint.id()}}],
            }));
            let trial = json!({"automation": new, "event": {"type": "deal.won", "data": {"a": 1}}});
            let tried = doors.post("/v1/automations/test", trial).await.is(200);
            assert!(
                !tried.body.to_string().contains("tok-of-the-crm"),
                "{}",
                tried.body
            );
            if transforms == json!([]) {
                assert_eq!(tried.text("/requests/0/headers/authorization"), "***");
                assert_eq!(tried.text("/requests/0/headers/x-team"), "north");
            } else {
                assert_eq!(tried.body["verdict"], "plugin_dropped", "{}", tried.body);
                assert!(
                    tried.text("/summary").contains("said *** of north"),
                    "{}",
                    tried.body
                );
            }
            let made = doors.post("/v1/automations", new).await.is(201);
            assert!(
                !made.body.to_string().contains("tok-of-the-crm"),
                "{}",
                made.body
            );
        }
        let said = verdict(&doors, json!({"a": 1})).await;
        assert_eq!(said["verdict"], "fired", "{said}");
        let request = receiver.wait_for(1).await.remove(0);
        assert_eq!(
            request.header("authorization"),
            Some("Bearer tok-of-the-crm")
        );
        assert_eq!(request.header("x-team"), Some("north"));

        // A change is seen by the next request.
        let changed = doors
            .patch("/v1/variables/token", json!({"value": "another-token"}))
            .await
            .is(200);
        assert_eq!(changed.body["value"], Value::Null);
        verdict(&doors, json!({"a": 2})).await;
        let request = receiver.wait_for(2).await.remove(1);
        assert_eq!(
            request.header("authorization"),
            Some("Bearer another-token")
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_referred_to_stays_and_stays_fit_for_it() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.upload(component("redact"), "").await.is(201);
        set_secret(&doors, "token", "tok-of-the-crm").await;
        set(&doors, "team", json!("north")).await;
        let headers =
            json!({"Authorization": "Bearer {{vars.token}}", "X-Team": "{{ vars.team }}"});
        let endpoint = json!({"url": nobody().await, "headers": headers});
        doors.post("/v1/endpoints", endpoint).await.is(201);
        let config = json!({"remove": ["/{{vars.token}}"]});
        let new = automation(&json!({
            "transforms": [{"plugin": "redact", "config": config}],
            "actions": [{"webhook": {"url": nobody().await}}],
        }));
        doors.post("/v1/automations", new).await.is(201);
        let used = doors.delete("/v1/variables/token").await.is(409);
        let detail = used.text("/detail");
        assert!(
            detail.contains("configuration of a transform of 'Large deals'"),
            "{detail}"
        );
        assert!(detail.contains("a header of the endpoint"), "{detail}");
        doors
            .patch("/v1/variables/team", json!({"value": "two\nlines"}))
            .await
            .is(409)
            .refuses("variable_in_use", "nowhere");
        let rows = "SELECT COUNT(*) FROM variables WHERE value LIKE '%token%'";
        assert_eq!(doors.place.number(rows).await, 0, "sealed at rest");
    })
    .await;
}

#[tokio::test]
async fn a_configuration_is_checked_as_it_will_be() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.upload(component("redact"), "").await.is(201);
        set(&doors, "field", json!("/mail")).await;
        set(&doors, "number", json!(5)).await;
        let with = |config: Value| {
            automation(&json!({
                "transforms": [{"plugin": "redact", "config": config}],
                "actions": [{"webhook": {"url": "https://example.com/"}}],
            }))
        };
        let kept = json!({"remove": ["{{vars.field}}"]});
        let made = doors.post("/v1/automations", with(kept.clone())).await.is(201);
        assert_eq!(made.body["transforms"][0]["config"], kept, "exports carry the reference");
        for (config, code, place) in [
            (json!({"remove": ["{{vars.none}}"]}), "unknown_variable", "/transforms/0/config"),
            (json!({"remove": ["{{vars.a b}}"]}), "invalid_config", "/transforms/0/config"),
            (json!({"remove": ["{{vars.number}}"]}), "invalid_config", "/transforms/0/config/remove/0"),
        ] {
            let refused = doors.post("/v1/automations", with(config)).await.is(422);
            refused.refuses(code, place);
        }
        let trial = json!({
            "automation": with(kept), "event": {"type": "deal.won", "data": {"mail": "a@example.test", "b": 1}},
        });
        let tried = doors.post("/v1/automations/test", trial).await.is(200);
        assert_eq!(tried.text("/requests/0/body"), r#"{"b":1}"#);
    })
    .await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "two tables of cases")]
async fn what_a_variable_can_not_be_is_told_with_its_place() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let long = "x".repeat(8193);
        for (new, code, place) in [
            (json!({"name": "a b", "value": 1}), "invalid_field", "/name"),
            (json!({"name": "1a", "value": 1}), "invalid_field", "/name"),
            (json!({"name": "in", "value": 1}), "invalid_field", "/name"),
            (
                json!({"name": "x".repeat(65), "value": 1}),
                "invalid_field",
                "/name",
            ),
            (json!({"name": "d"}), "missing_field", "/value"),
            (
                json!({"name": "d", "value": null}),
                "invalid_field",
                "/value",
            ),
            (
                json!({"name": "d", "value": [1]}),
                "invalid_field",
                "/value",
            ),
            (
                json!({"name": "d", "value": long}),
                "invalid_field",
                "/value",
            ),
            (
                json!({"name": "d", "value": "a\u{0}"}),
                "invalid_field",
                "/value",
            ),
            (
                json!({"name": "d", "value": "short", "secret": true}),
                "invalid_field",
                "/value",
            ),
            (
                json!({"name": "d", "value": 12_345_678, "secret": true}),
                "invalid_field",
                "/value",
            ),
            (
                json!({"name": "d", "value": 1, "sealed": true}),
                "unknown_field",
                "/sealed",
            ),
        ] {
            let answer = doors.post("/v1/variables", new).await.is(422);
            answer.refuses(code, place);
        }
        for (headers, code, place) in [
            (
                json!({"X-A": "{{vars.none}}"}),
                "invalid_header",
                "/headers/x-a",
            ),
            (json!({"X-A": "ä\u{1}"}), "invalid_header", "/headers/x-a"),
            (json!({"Host": "a"}), "invalid_field", "/headers/Host"),
            (
                json!({"X-A": "a", "x-a": "b"}),
                "invalid_field",
                "/headers/x-a",
            ),
        ] {
            let new = json!({"url": "https://example.com/", "headers": headers});
            doors
                .post("/v1/endpoints", new)
                .await
                .is(422)
                .refuses(code, place);
        }
    })
    .await;
}

#[tokio::test]
async fn variables_are_listed_by_name_and_a_secret_does_not_become_plain_by_itself() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        set(&doors, "a", json!("x")).await;
        set(&doors, "b", json!(true)).await;
        set_secret(&doors, "c", "long enough").await;
        doors
            .post("/v1/variables", json!({"name": "a", "value": 1}))
            .await
            .is(409)
            .refuses("name_taken", "nowhere");
        // What was secret is shown to nobody by being plain again.
        doors
            .patch("/v1/variables/c", json!({"secret": false}))
            .await
            .is(422)
            .refuses("invalid_field", "/value");
        let plain = doors
            .patch("/v1/variables/c", json!({"secret": false, "value": "seen"}))
            .await
            .is(200);
        assert_eq!(plain.text("/value"), "seen");
        let sealed = doors
            .patch("/v1/variables/a", json!({"secret": true}))
            .await
            .is(422);
        sealed.refuses("invalid_field", "/value");

        let listed = doors.get("/v1/variables?limit=2").await.is(200);
        assert_eq!(
            (
                listed.text("/data/0/name"),
                &listed.body["data"][1]["value"]
            ),
            ("a".to_owned(), &json!(true))
        );
        let next = listed.text("/next_cursor");
        let listed = doors
            .get(&format!("/v1/variables?limit=2&cursor={next}"))
            .await
            .is(200);
        assert_eq!(listed.text("/data/0/name"), "c");
        assert_eq!(listed.body["next_cursor"], Value::Null);
        doors
            .patch("/v1/variables/none", json!({"value": 1}))
            .await
            .is(404);
        let missing = doors.delete("/v1/variables/none").await.is(404);
        let told = missing.text("/detail");
        assert!(told.contains("check how it is spelled"), "{told}");
    })
    .await;
}
