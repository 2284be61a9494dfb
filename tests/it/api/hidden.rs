//! Secrets that an author's own plugin, or a receiver, has put where somebody can look: they are there, and nobody
//! is shown them.

use serde_json::{Value, json};

use super::{Answer, Doors};
use crate::support::answers;
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

const SHORT: &str = "tok-of-the-crm";
/// It begins with the other one.
const LONG: &str = "tok-of-the-crm-TAIL-99";

async fn open(engine: crate::support::store::Engine) -> Doors {
    let doors = Doors::open(engine).await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hostile.wasm");
    let hostile = std::fs::read(path).expect("a fixture");
    doors.upload(hostile, "?name=hostile").await.is(201);
    for (name, value) in [("short", SHORT), ("long", LONG), ("number", "8812345678")] {
        let new = json!({"name": name, "value": value, "secret": true});
        doors.post("/v1/variables", new).await.is(201);
    }
    doors
}

fn runs(configs: &[Value]) -> Value {
    let runs = configs
        .iter()
        .map(|config| json!({"plugin": "hostile", "config": config}));
    runs.collect()
}

fn says(text: &str) -> Value {
    json!({"do": "say", "text": text})
}

#[track_caller]
fn shows_none(answer: Answer) -> Answer {
    let text = answer.body.to_string();
    for secret in [SHORT, "TAIL-99", "8812345678"] {
        assert!(!text.contains(secret), "{text}");
    }
    answer
}

async fn send(doors: &Doors, data: Value) -> String {
    let event = json!({"type": "deal.won", "data": data});
    let sent = doors.post("/v1/events", event).await.is(202).id();
    doors.pipeline.settle().await;
    sent
}

#[tokio::test]
async fn a_dry_run_shows_none() {
    on_both(async |engine| {
        let doors = open(engine).await;
        let url = super::nobody().await;
        let header = json!({"do": "header", "name": "x-made-by", "text": "by {{vars.long}}"});
        // Written by the plugin in another way than by this server.
        let odd = r#"{"said":"{{vars.long}}","n":{{vars.number}},"odd":"tok-of\u002dthe-crm"}"#;
        for (config, request) in [
            (header, "/requests/0/headers/x-made-by"),
            (says(odd), "/requests/0/body"),
        ] {
            let automation = json!({
                "name": "a", "trigger": {"events": ["deal.*"]}, "transforms": runs(&[config]),
                "actions": [{"webhook": {"url": url}}, {"emit": {"type": "made"}}],
            });
            let trial = json!({"automation": automation, "event": {"type": "deal.won", "data": 1}});
            let tried = doors.post("/v1/automations/test", trial).await.is(200);
            let tried = shows_none(tried);
            assert_eq!(tried.body["verdict"], "fired", "{}", tried.body);
            assert!(tried.text(request).contains("***"), "{}", tried.body);
            if request.ends_with("body") {
                let made = json!({"said": "***", "n": "***", "odd": "***"});
                assert_eq!(tried.body["events"][0]["data"], made);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_made_has_them_and_shows_none() {
    on_both(async |engine| {
        let doors = open(engine).await;
        let receiver = Receiver::start().await;
        let first = json!({
            "name": "a", "trigger": {"events": ["deal.*"]},
            "transforms": runs(&[says(r#"{"said":"{{vars.long}}, {{vars.short}}"}"#)]),
            "actions": [{"webhook": {"url": receiver.url("/hook")}}, {"emit": {"type": "made"}}],
        });
        doors.post("/v1/automations", first).await.is(201);
        // It has nothing to do with secrets, and tells what it compares.
        let second = json!({
            "name": "b", "trigger": {"events": ["made"]}, "condition": "event.data.said == 'x'",
            "actions": [{"webhook": {"url": receiver.url("/never")}}],
        });
        let second = doors.post("/v1/automations", second).await.is(201).id();
        send(&doors, json!({})).await;
        let sent = receiver.wait_for(1).await.remove(0);
        let whole = format!(r#"{{"said":"{LONG}, {SHORT}"}}"#);
        assert_eq!(sent.body, whole, "what is sent is what was made");

        let listed = doors.get("/v1/events?type=made").await.is(200);
        let made = listed.text("/data/0/id");
        let event = doors.get(&format!("/v1/events/{made}")).await.is(200);
        assert_eq!(shows_none(event).body["data"], json!({"said": "***, ***"}));
        for path in [
            format!("/v1/events/{made}/evaluations"),
            format!("/v1/automations/{second}/explain?event={made}"),
            format!("/v1/automations/{second}/explain?event={made}&version=1"),
        ] {
            let told = shows_none(doors.get(&path).await.is(200));
            assert!(told.body.to_string().contains("***"), "{}", told.body);
        }
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_keeps_its_input_and_shows_none() {
    on_both(async |engine| {
        let doors = open(engine).await;
        let receiver = Receiver::start().await;
        let said = says(r#"{"n":{{vars.number}},"said":"{{vars.long}}"}"#);
        let new = json!({
            "name": "a", "trigger": {"events": ["deal.*"]},
            "transforms": runs(&[said.clone(), json!({"do": "fail", "text": "no"})]),
            "actions": [{"webhook": {"url": receiver.url("/hook")}}],
        });
        let made = doors.post("/v1/automations", new).await.is(201).id();
        send(&doors, json!({})).await;
        let listed = doors.get("/v1/dead-letters").await.is(200);
        let letter = format!("/v1/dead-letters/{}", shows_none(listed).text("/data/0/id"));
        let shown = shows_none(doors.get(&letter).await.is(200));
        assert_eq!(shown.text("/input_of"), "transform");
        assert_eq!(shown.body["input"], json!({"n": "***", "said": "***"}));
        // What is kept is what it was.
        let mended = json!({"transforms": runs(&[said])});
        doors
            .patch(&format!("/v1/automations/{made}"), mended)
            .await
            .is(200);
        let again = doors
            .post("/v1/dead-letters/rerun", json!({"automation": made}))
            .await
            .is(200);
        assert_eq!(shows_none(again).body["rerun"], 1);
        doors.pipeline.settle().await;
        let sent = receiver.wait_for(1).await.remove(0);
        assert_eq!(sent.body, format!(r#"{{"n":8812345678,"said":"{LONG}"}}"#));
    })
    .await;
}

#[tokio::test]
async fn what_a_receiver_echoes_is_not_shown() {
    on_both(async |engine| {
        let doors = open(engine).await;
        let receiver = Receiver::start().await;
        // It is cut within the second one.
        let begins = format!("Bearer {LONG}, ");
        let filling = "x".repeat(4096 - begins.len() - 10);
        let echo = format!("{begins}{filling}{LONG}");
        receiver.always("/hook", answers::Answer::status(200).body(echo));
        let endpoint = json!({
            "url": receiver.url("/hook"), "headers": {"Authorization": "Bearer {{vars.long}}"},
        });
        doors.post("/v1/endpoints", endpoint).await.is(201);
        let event = send(&doors, json!({})).await;
        receiver.wait_for(1).await;
        let listed = doors
            .get(&format!("/v1/events/{event}/deliveries"))
            .await
            .is(200);
        let attempts = format!("/v1/deliveries/{}/attempts", listed.text("/data/0/id"));
        let attempts = shows_none(doors.get(&attempts).await.is(200));
        let response = attempts.text("/data/0/response");
        assert!(response.starts_with("Bearer ***, xx"), "{response}");
        assert!(response.ends_with("xx***"), "{response}");
    })
    .await;
}
