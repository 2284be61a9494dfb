//! Trying an automation: the same checks, the same verdict and the same request as the real thing, of which
//! nothing stays.

use serde_json::{Value, json};

use super::{Answer, Doors, component, nobody};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

/// Everything that a trial might leave behind, counted.
const ROWS: &str = "SELECT (SELECT COUNT(*) FROM events) + (SELECT COUNT(*) FROM evaluations)
    + (SELECT COUNT(*) FROM deliveries) + (SELECT COUNT(*) FROM bodies) + (SELECT COUNT(*) FROM automations)
    + (SELECT COUNT(*) FROM endpoints) + (SELECT COUNT(*) FROM endpoint_secrets)
    + (SELECT COUNT(*) FROM inbox) + (SELECT revision FROM accounts)";

async fn test(doors: &Doors, automation: &Value, event: &Value) -> Answer {
    let trial = json!({"automation": automation, "event": event});
    doors.post("/v1/automations/test", trial).await
}

fn automation(actions: &Value) -> Value {
    json!({"name": "a", "trigger": {"events": ["deal.*"]}, "actions": actions})
}

#[tokio::test]
async fn a_trial_shows_the_requests_that_would_leave() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        doors.upload(component("redact"), "").await.is(201);
        let endpoint = json!({
            "url": receiver.url("/own"), "subscribe": "none",
            "signatures": [{"scheme": "standard"}, {"scheme": "body-hmac"}],
        });
        let endpoint = doors.post("/v1/endpoints", endpoint).await.is(201).id();
        let mut new = automation(&json!([
            {"webhook": {"endpoint": endpoint}}, {"webhook": {"url": receiver.url("/bare")}},
        ]));
        new["condition"] = json!("event.data.amount > 1000");
        new["transforms"] = json!([{"plugin": "redact", "config": {"mask": ["/mail"]}}]);
        let event = json!({"type": "deal.won", "data": {"amount": 1200, "mail": "a@example.test"}});
        let before = doors.place.number(ROWS).await;

        let tried = test(&doors, &new, &event).await.is(200);
        assert_eq!(tried.body["verdict"], "fired", "{}", tried.body);
        assert_eq!(tried.body["steps"].as_array().map(Vec::len), Some(2));
        doors.pipeline.settle().await;
        assert_eq!(doors.place.number(ROWS).await, before, "nothing is stored");
        assert_eq!(receiver.count(), 0, "nothing is sent");

        doors.post("/v1/automations", new.clone()).await.is(201);
        let sent = doors.post("/v1/events", event).await.is(202).id();
        doors.pipeline.settle().await;
        let mut arrived = receiver.wait_for(2).await;
        arrived.sort_by_key(|request| request.target.clone());
        for (no, path, endpoint) in [(0, "/own", json!(endpoint)), (1, "/bare", Value::Null)] {
            let shown = &tried.body["requests"][no];
            let real = arrived.iter().find(|request| request.target == path);
            let real = real.expect("it arrived");
            assert_eq!(shown["endpoint"], endpoint);
            assert_eq!(shown["url"], receiver.url(path));
            assert_eq!(shown["body"].as_str().map(str::as_bytes), Some(&*real.body));
            assert!(
                shown.get("held").is_none() && shown.get("cut").is_none(),
                "{shown}"
            );
            let headers = shown["headers"].as_object().expect("headers");
            assert_eq!(headers.len(), if no == 0 { 8 } else { 2 }, "{headers:?}");
            for (name, value) in headers {
                let real = real
                    .header(name)
                    .unwrap_or_else(|| panic!("{name} was sent"));
                // A made-up delivery has an id of its own, which is signed.
                if !name.ends_with("-id")
                    && !name.ends_with("k-signature")
                    && name != "svix-signature"
                {
                    assert_eq!(value, real, "{name}");
                }
            }
        }

        let on_real = test(&doors, &new, &json!({"id": sent})).await.is(200);
        assert_eq!(
            on_real.body["requests"][0]["body"],
            tried.body["requests"][0]["body"]
        );
    })
    .await;
}

#[tokio::test]
async fn each_run_shows_what_went_in_and_what_came_out() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.upload(component("redact"), "").await.is(201);
        let mut new = automation(&json!([{"webhook": {"url": nobody().await}}]));
        new["transforms"] = json!([
            {"plugin": "redact", "config": {"remove": ["/a"]}},
            {"plugin": "redact", "config": {"remove": ["/b"]}},
        ]);
        let data = json!({"a": 1, "b": 2, "c": 3});
        let tried = test(&doors, &new, &json!({"type": "deal.won", "data": data}))
            .await
            .is(200);
        let seen = |step: usize| {
            let detail = &tried.body["steps"][step]["detail"];
            assert!(detail["usage"]["fuel"].as_u64() > Some(0), "{detail}");
            (
                detail["input"]["body"].clone(),
                detail["outputs"][0]["body"].clone(),
            )
        };
        let [first, second, third] = [r#"{"a":1,"b":2,"c":3}"#, r#"{"b":2,"c":3}"#, r#"{"c":3}"#];
        assert_eq!(seen(0), (json!(first), json!(second)));
        assert_eq!(seen(1), (json!(second), json!(third)));

        let long = json!({"type": "deal.won", "data": {"a": "x".repeat(100_000)}});
        let tried = test(&doors, &new, &long).await.is(200);
        let input = &tried.body["steps"][0]["detail"]["input"];
        assert_eq!(input["body"].as_str().map(str::len), Some(16 * 1024));
        assert_eq!(input["cut"], "these are the first 16384 of 100008 bytes");
        assert_eq!(tried.body["requests"][0]["body"], "{}");
    })
    .await;
}

#[tokio::test]
async fn of_many_large_bodies_a_part_is_shown() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let action = json!({"webhook": {"url": nobody().await}});
        let new = automation(&json!(vec![action; 8]));
        let large = json!({"type": "deal.won", "data": "x".repeat(200_000)});
        let tried = test(&doors, &new, &large).await.is(200);
        let requests = tried.body["requests"].as_array().expect("a list");
        let shown = requests
            .iter()
            .map(|request| request["body"].as_str().map_or(0, str::len));
        let shown: Vec<usize> = shown.collect();
        assert_eq!(
            shown,
            [200_002, 200_002, 200_002, 200_002, 200_002, 48_566, 0, 0]
        );
        for request in &requests[5..] {
            assert!(
                request["cut"]
                    .as_str()
                    .is_some_and(|cut| cut.ends_with("of 200002 bytes"))
            );
            assert!(request["headers"]["x-signature"].is_string());
        }
    })
    .await;
}

#[tokio::test]
async fn what_would_not_be_followed_says_why() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hostile.wasm");
        let hostile = std::fs::read(path).expect("a fixture");
        doors.upload(hostile, "?name=hostile").await.is(201);
        let new = automation(&json!([{"webhook": {"url": nobody().await}}]));
        let run = |config: &str| {
            let config: Value = serde_json::from_str(config).expect("JSON");
            json!({"transforms": [{"plugin": "hostile", "config": config}]})
        };
        for (more, event_type, verdict, words) in [
            (
                json!({"condition": "event.data > 3"}),
                "deal.won",
                "filtered",
                "3",
            ),
            (
                json!({"condition": "event.data.x > 3"}),
                "deal.won",
                "condition_error",
                "event.data",
            ),
            (
                json!({}),
                "call.started",
                "not_subscribed",
                "the trigger names deal.*",
            ),
            (run(r#"{"do":"loop"}"#), "deal.won", "plugin_error", "fuel"),
            (
                run(r#"{"do":"drop","text":"not for us"}"#),
                "deal.won",
                "plugin_dropped",
                "not for us",
            ),
        ] {
            let mut new = new.clone();
            for (name, value) in more.as_object().expect("fields") {
                new[name] = value.clone();
            }
            let event = json!({"type": event_type, "data": 1});
            let tried = test(&doors, &new, &event).await.is(200);
            assert_eq!(tried.body["verdict"], verdict, "{}", tried.body);
            assert!(tried.text("/summary").contains(words), "{}", tried.body);
            assert_eq!(tried.body["requests"], json!([]));
        }
    })
    .await;
}

#[tokio::test]
async fn what_would_be_held_is_shown_and_says_so() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({"url": nobody().await, "subscribe": "none"});
        let endpoint = doors.post("/v1/endpoints", new).await.is(201).id();
        let new = automation(&json!([{"webhook": {"endpoint": endpoint}}]));
        let event = json!({"type": "deal.won", "data": null});
        doors
            .post(&format!("/v1/endpoints/{endpoint}/disable"), json!({}))
            .await
            .is(200);
        let tried = test(&doors, &new, &event).await.is(200);
        assert_eq!(tried.body["requests"][0]["body"], "null");
        assert!(tried.text("/requests/0/held").contains("switched off"));
        let signature = tried.text("/requests/0/headers/webhook-signature");
        assert!(signature.starts_with("v1,"), "{signature}");
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_tried_is_told_with_its_place() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let good = automation(&json!([{"webhook": {"url": nobody().await}}]));
        let event = json!({"type": "deal.won", "data": 1});
        for (field, value, code, place) in [
            ("name", json!(""), "invalid_field", "/automation/name"),
            (
                "trigger",
                json!({}),
                "invalid_field",
                "/automation/trigger/events",
            ),
            (
                "condition",
                json!("amount >"),
                "invalid_condition",
                "/automation/condition",
            ),
            (
                "transforms",
                json!([{"plugin": "none"}]),
                "unknown_plugin",
                "/automation/transforms/0/plugin",
            ),
            ("actions", json!([]), "invalid_field", "/automation/actions"),
            (
                "actions",
                json!([{"webhook": {"url": "http://169.254.169.254/"}}]),
                "invalid_field",
                "/automation/actions/0/webhook/url",
            ),
            ("no", json!(1), "unknown_field", "/automation/no"),
        ] {
            let mut wrong = good.clone();
            wrong[field] = value;
            let answer = test(&doors, &wrong, &event).await.is(422);
            answer.refuses(code, place);
        }
        for (wrong, code, place) in [
            (json!({}), "invalid_field", "/event"),
            (json!({"type": "deal.won"}), "invalid_field", "/event"),
            (
                json!({"type": "deal.won", "data": 1, "id": "evt_0"}),
                "invalid_field",
                "/event",
            ),
            (
                json!({"type": "deal *", "data": 1}),
                "invalid_field",
                "/event/type",
            ),
            (
                json!({"type": "deal.won", "data": 1, "timestamp": "soon"}),
                "invalid_field",
                "/event/timestamp",
            ),
            (json!({"id": "evt_0"}), "invalid_field", "/event/id"),
            (
                json!({"type": "deal.won", "data": 1, "key": 1}),
                "unknown_field",
                "/event/key",
            ),
        ] {
            let answer = test(&doors, &good, &wrong).await.is(422);
            answer.refuses(code, place);
        }
    })
    .await;
}

#[tokio::test]
async fn an_account_tries_one_thing_at_a_time_and_a_stopped_node_none() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = automation(&json!([{"webhook": {"url": nobody().await}}]));
        let event = json!({"type": "deal.won", "data": 1});
        let tries = (0..4).map(|_| test(&doors, &new, &event));
        for tried in futures_util::future::join_all(tries).await {
            assert_eq!(tried.is(200).body["verdict"], "fired");
        }
        doors.pipeline.shut_down().await.expect("it stops");
        test(&doors, &new, &event)
            .await
            .is(503)
            .refuses("unavailable", "nowhere");
    })
    .await;
}

#[tokio::test]
async fn a_trial_that_takes_too_long_is_given_up() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hostile.wasm");
        let hostile = std::fs::read(path).expect("a fixture");
        doors.upload(hostile, "?name=hostile").await.is(201);
        let mut new = automation(&json!([{"webhook": {"url": nobody().await}}]));
        new["transforms"] = json!([{"plugin": "hostile", "config": {"do": "loop"}}]);
        let event = json!({"type": "deal.won", "data": 1});
        // Whoever looks at the clock while the plugin runs finds half a minute gone.
        let hurried = async {
            loop {
                doors.clock.advance(std::time::Duration::from_secs(30));
                tokio::task::yield_now().await;
            }
        };
        let overdue = tokio::select! {
            biased;
            answer = test(&doors, &new, &event) => answer.is(503),
            () = hurried => unreachable!("it goes on for ever"),
        };
        assert!(overdue.text("/detail").contains("30 s"), "{}", overdue.body);
        overdue.refuses("trial_overdue", "nowhere");
        // The account has its turn back, and time that stands still ends nothing.
        let tried = test(&doors, &new, &event).await.is(200);
        assert_eq!(tried.text("/verdict"), "plugin_error");
    })
    .await;
}
