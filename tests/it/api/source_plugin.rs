//! Sources whose requests plugins make events of: what they make is taken, and what they refuse is told to the
//! source's owner, and to nobody else.

use serde_json::{Value, json};

use super::source::{Source, ledger, make, send};
use super::{Answer, Doors, component};
use crate::support::store::{Engine, on_both};

async fn doors_with_hostile(engine: Engine) -> Doors {
    let doors = Doors::open(engine).await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hostile.wasm");
    let hostile = std::fs::read(path).expect("a fixture");
    doors.upload(hostile, "?name=hostile").await.is(201);
    doors
}

fn by_hostile(config: &Value) -> Value {
    json!({"plugin": "hostile", "config": config})
}

async fn source(doors: &Doors, mapping: &Value) -> Source {
    let new = json!({"name": "shop", "verification": {"scheme": "none"}, "mapping": mapping});
    make(doors, new).await
}

/// The source's plugin is set up so from now on.
async fn set_up(doors: &Doors, source: &Source, config: &Value) {
    let own = format!("/v1/sources/{}", source.id);
    let patch = json!({"mapping": by_hostile(config)});
    doors.patch(&own, patch).await.is(200);
}

async fn refusals(doors: &Doors, source: &Source) -> Value {
    let path = format!("/v1/sources/{}/refusals", source.id);
    doors.get(&path).await.is(200).body
}

async fn event(doors: &Doors, taken: &Answer) -> Value {
    let path = format!("/v1/events/{}", taken.text("/id"));
    doors.get(&path).await.is(200).body
}

#[tokio::test]
async fn what_a_plugin_makes_of_a_request_is_the_event() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let uploaded = doors.upload(component("chat-message"), "").await.is(201);
        let named = format!("chat-message@{}", uploaded.text("/version"));
        let config = json!({
            "template": "shop.{{event.data.body.kind}}", "field": "type",
            "extra": {"id": "o-7", "timestamp": "2026-01-02T03:04:05Z", "data": {"by": "a plugin"}},
        });
        let mapping = json!({"plugin": "chat-message", "config": config});
        let source = source(&doors, &mapping).await;
        let own = format!("/v1/sources/{}", source.id);
        let kept = doors.get(&own).await.is(200).body;
        let wanted = json!({"plugin": named, "digest": uploaded.text("/digest"), "config": config});
        assert_eq!(kept["mapping"], wanted);

        let body = r#"{"kind":"order.paid"}"#;
        let taken = send(&doors, &source.path, &[], body).await.is(202);
        let shown = event(&doors, &taken).await;
        assert_eq!(shown["type"], "shop.order.paid");
        assert_eq!(shown["data"], json!({"by": "a plugin"}));
        assert_eq!(shown["client_id"], format!("{} o-7", source.id));
        assert_eq!(shown["source"], "source:shop");
        assert_eq!(shown["timestamp"], "2026-01-02T03:04:05.000Z");
        assert_eq!(
            shown["mapped_by"],
            json!({"plugin": named, "digest": uploaded.text("/digest")})
        );
        let again = send(&doors, &source.path, &[], body).await.is(202);
        assert_eq!(
            again.id(),
            taken.id(),
            "the plugin says that it is the same"
        );

        // A body that no expression could look at.
        let config = json!({
            "template": "scan.{{event.data.query.of}}", "field": "type", "extra": {"data": null},
        });
        let mapping = json!({"mapping": {"plugin": "chat-message", "config": config}});
        doors.patch(&own, mapping).await.is(200);
        let path = format!("{}?of=paper", source.path);
        let taken = send(&doors, &path, &[], "<scan/>").await.is(202);
        assert_eq!(event(&doors, &taken).await["type"], "scan.paper");

        // Without the plugin it is what it usually is.
        let usual = doors.patch(&own, json!({"mapping": null})).await.is(200);
        assert!(
            usual.body["mapping"].get("plugin").is_none(),
            "{}",
            usual.body
        );
        send(&doors, &source.path, &[], "<scan/>").await.is(422);
        let taken = send(&doors, &source.path, &[], "{}").await.is(202);
        let shown = event(&doors, &taken).await;
        assert_eq!(shown["type"], "webhook.received");
        assert!(shown.get("mapped_by").is_none(), "{shown}");
    })
    .await;
}

#[tokio::test]
async fn what_a_plugin_refuses_is_told_to_the_owner_alone() {
    on_both(async |engine| {
        let doors = doors_with_hostile(engine).await;
        let source = source(&doors, &by_hostile(&json!({"do": "emit"}))).await;
        let say = |event: Value| json!({"do": "say", "text": event.to_string()});
        let cases = [
            (
                json!({"do": "fail", "text": "no such customer"}),
                "no such customer",
            ),
            (
                json!({"do": "invalid-event", "text": "not ours"}),
                "refused the event: not ours",
            ),
            (json!({"do": "loop"}), "used all its fuel"),
            (json!({"do": "outputs", "count": 2}), "2 events"),
            (json!({"do": "say", "text": "7"}), "must be a JSON object"),
            (say(json!({"type": "a.b"})), "/data"),
            (say(json!({"data": 1})), "/type"),
            (say(json!({"type": "throwbar.a", "data": 1})), "/type"),
            (say(json!({"type": "a", "data": 1, "id": ""})), "/id"),
            (say(json!({"type": "a", "data": 1, "by": 1})), "/by"),
        ];
        let count = cases.len();
        for (config, words) in cases {
            set_up(&doors, &source, &config).await;
            let refused = send(&doors, &source.path, &[], "{}").await.is(422);
            refused.refuses("mapping_failed", "nowhere");
            let told = refused.body.to_string();
            assert!(!told.contains(words) && !told.contains("hostile"), "{told}");
            let listed = refusals(&doors, &source).await;
            assert_eq!(listed["data"][0]["code"], "mapping_failed");
            let why = listed["data"][0]["why"].as_str().unwrap_or_default();
            assert!(why.contains("hostile@") && why.contains(words), "{why}");
        }

        let dropped = json!({"do": "drop", "text": "a ping"});
        set_up(&doors, &source, &dropped).await;
        let taken = send(&doors, &source.path, &[], "{}").await.is(202);
        assert_eq!(taken.body, json!({"id": null}));
        let newest = ledger(&doors, &source).await.remove(0);
        assert_eq!(newest, ("plugin_dropped".to_owned(), 1));
        let own = doors
            .get(&format!("/v1/sources/{}", source.id))
            .await
            .is(200);
        assert_eq!(
            own.body["refused"], count,
            "what is dropped was not refused"
        );
        doors.has_none("/v1/events").await;
    })
    .await;
}

#[tokio::test]
async fn a_plugin_of_a_source_is_set_up_with_variables() {
    on_both(async |engine| {
        let doors = doors_with_hostile(engine).await;
        let variable = async |name: &str, value: &Value, secret: bool| {
            let new = json!({"name": name, "value": value, "secret": secret});
            doors.post("/v1/variables", new).await.is(201);
        };
        let says = |event_type: &str| json!({"type": event_type, "data": 1}).to_string();
        variable("token", &json!("tok-of-the-shop"), true).await;
        variable("says", &json!(says("a.b")), false).await;
        let config = json!({"do": "say", "text": "{{vars.says}}"});
        let source = source(&doors, &by_hostile(&config)).await;
        let taken = send(&doors, &source.path, &[], "{}").await.is(202);
        assert_eq!(event(&doors, &taken).await["type"], "a.b");
        let changed = json!({"value": says("c.d")});
        doors.patch("/v1/variables/says", changed).await.is(200);
        let taken = send(&doors, &source.path, &[], "{}").await.is(202);
        assert_eq!(event(&doors, &taken).await["type"], "c.d");
        let used = doors.delete("/v1/variables/says").await.is(409);
        used.refuses("variable_in_use", "nowhere");
        assert!(
            used.text("/detail").contains("source 'shop'"),
            "{}",
            used.body
        );

        for action in ["fail", "drop"] {
            let config = json!({"do": action, "text": "said {{vars.token}}"});
            set_up(&doors, &source, &config).await;
            send(&doors, &source.path, &[], "{}").await;
            let told = refusals(&doors, &source).await.to_string();
            assert!(told.contains("said ***"), "{told}");
            let path = format!("/v1/sources/{}/test", source.id);
            let tried = doors.post(&path, json!({"body": "{}"})).await.is(200);
            let told = told + &tried.body.to_string();
            assert!(!told.contains("tok-of-the-shop"), "{told}");
        }
        doors.delete("/v1/variables/says").await.is(204);
    })
    .await;
}

#[tokio::test]
async fn a_trial_shows_what_the_plugin_made() {
    on_both(async |engine| {
        let doors = doors_with_hostile(engine).await;
        let made = json!({"type": "a.b", "id": "7", "data": {"n": 1}}).to_string();
        let config = json!({"do": "say", "text": made});
        let source = source(&doors, &by_hostile(&config)).await;
        let path = format!("/v1/sources/{}/test", source.id);
        let trial = || doors.post(&path, json!({"body": "{}"}));
        let tried = trial().await.is(200).body;
        assert_eq!(tried["taken"], true, "{tried}");
        assert_eq!(tried["event"]["type"], "a.b");
        assert_eq!(tried["event"]["data"], json!({"n": 1}));
        let step = tried["steps"].as_array().and_then(|steps| steps.last());
        let step = step.expect("a step");
        assert_eq!(
            (&step["step"], &step["outcome"]),
            (&json!("plugin"), &json!("passed"))
        );
        assert_eq!(step["detail"]["outputs"][0]["body"], made);
        assert!(step["detail"]["usage"]["fuel"].as_u64() > Some(0), "{step}");

        set_up(
            &doors,
            &source,
            &json!({"do": "fail", "text": "no such customer"}),
        )
        .await;
        let tried = trial().await.is(200).body;
        assert_eq!(
            (&tried["taken"], &tried["event"]),
            (&json!(false), &Value::Null)
        );
        assert!(
            tried["summary"].to_string().contains("no such customer"),
            "{tried}"
        );
        set_up(&doors, &source, &json!({"do": "drop", "text": "a ping"})).await;
        let tried = trial().await.is(200).body;
        assert_eq!(
            (&tried["taken"], &tried["event"]),
            (&json!(true), &Value::Null)
        );
        assert!(tried["summary"].to_string().contains("a ping"), "{tried}");
        doors.has_none("/v1/events").await;
        assert!(ledger(&doors, &source).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_mapping_is_a_plugin_that_there_is_or_expressions() {
    on_both(async |engine| {
        let doors = doors_with_hostile(engine).await;
        let config = json!({"do": "emit"});
        for (mapping, code, at) in [
            (json!({"plugin": "nobodys@1.0.0"}), "unknown_plugin", "/mapping/plugin"),
            (json!({"plugin": "hostile@9"}), "invalid_field", "/mapping/plugin"),
            (json!({"plugin": "hostile"}), "invalid_config", "/mapping/config"),
            (json!({"config": config}), "invalid_field", "/mapping/config"),
            (
                json!({"plugin": "hostile", "config": config, "type": "'a'"}),
                "invalid_field",
                "/mapping/type",
            ),
            (
                json!({"plugin": "hostile", "config": config, "id": "null"}),
                "invalid_field",
                "/mapping/id",
            ),
            (
                json!({"plugin": "hostile", "config": {"do": "{{vars.none}}"}}),
                "unknown_variable",
                "/mapping/config",
            ),
            (json!({"plugin": "hostile", "on_error": "skip"}), "unknown_field", "/mapping/on_error"),
        ] {
            let new = json!({"name": "s", "verification": {"scheme": "none"}, "mapping": mapping});
            doors.post("/v1/sources", new).await.is(422).refuses(code, at);
        }
        // Another account's plugin is none of this one's.
        let other = doors.other_account("other").await;
        let new = json!({"name": "s", "verification": {"scheme": "none"}, "mapping": by_hostile(&config)});
        let refused = doors.call(&other, "POST", "/v1/sources", Some(new)).await;
        refused.is(422).refuses("unknown_plugin", "/mapping/plugin");
    })
    .await;
}
