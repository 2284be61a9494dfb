//! Real input: all of GitHub's example payloads, through a plugin and without one, to receivers
//! that verify with the libraries of others.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::make_endpoint;
use crate::support::caller::{Caller, text};
use crate::support::clients::{self, GithubPayload, Library, Signed};
use crate::support::node::Home;
use crate::support::receiver::{Receiver, Request};
use crate::support::store::Engine;

const REDACT: &[u8] = include_bytes!("../../../plugins/components/redact.wasm");
const MASK: &str = "hidden@example.com";
const PLAIN: &str = "/plain";
const REDACTED: &str = "/redacted";

#[tokio::test]
async fn all_of_githubs_payloads_arrive_signed_and_as_they_should_on_sqlite() {
    deliver_all(Engine::Sqlite).await;
}

#[tokio::test]
async fn all_of_githubs_payloads_arrive_signed_and_as_they_should_on_postgres() {
    deliver_all(Engine::Postgres).await;
}

async fn deliver_all(engine: Engine) {
    let payloads = clients::github_payloads().await;
    assert_eq!(payloads.len(), 329);
    let receiver = Receiver::start().await;
    let home = Home::on(engine).await;
    let node = home.start().await;
    let caller = node.caller();
    let plain = make_endpoint(caller, &receiver.url(PLAIN), json!(["github.*"])).await;
    let redacted = make_endpoint(caller, &receiver.url(REDACTED), json!("none")).await;
    make_automation(caller, &redacted.id).await;

    let mut sent: HashMap<String, &GithubPayload> = HashMap::new();
    for payload in &payloads {
        let event = caller
            .send_event(&event_type(payload), &payload.payload_json_text)
            .await;
        sent.insert(event, payload);
    }
    let requests = receiver.wait_for(2 * payloads.len()).await;
    home.until_settled().await;
    assert_eq!(receiver.count(), 2 * payloads.len(), "each arrived once");

    let (plain_ones, redacted_ones): (Vec<_>, Vec<_>) =
        requests.iter().partition(|request| request.target == PLAIN);
    assert_eq!(plain_ones.len(), payloads.len());
    for request in &plain_ones {
        let payload = sent[request.webhook_id()];
        assert_eq!(request.body, payload.payload_json_text, "{}", payload.name);
    }
    let events = events_by_webhook_id(caller, &redacted.id).await;
    for request in &redacted_ones {
        let payload = sent[&events[request.webhook_id()]];
        let got: Value = serde_json::from_slice(&request.body).expect("JSON");
        assert_eq!(
            got,
            without_people(&payload.payload_json_text),
            "{}",
            payload.name
        );
    }
    assert_all_fired(caller, sent.keys()).await;
    assert_verified(&plain_ones, &plain.secret).await;
    assert_verified(&redacted_ones, &redacted.secret).await;
    node.stop().await;
}

async fn make_automation(caller: &Caller, endpoint: &str) {
    let plugin = caller.upload("redact", REDACT).await.expect(201);
    assert_eq!(plugin["name"], "redact");
    let automation = json!({
        "name": "without people",
        "trigger": {"events": ["github.*"]},
        "transforms": [{
            "plugin": format!("redact@{}", text(&plugin["version"])),
            "config": {"remove": ["/sender/login"], "mask": ["/**/email"], "mask_with": MASK},
        }],
        "actions": [{"webhook": {"endpoint": endpoint}}],
        "enabled": true,
    });
    caller
        .post("/v1/automations", &automation)
        .await
        .expect(201);
}

/// `github.issues.opened`, of letters that an event type may have.
fn event_type(payload: &GithubPayload) -> String {
    let segments = [Some(&payload.name), payload.action.as_ref()];
    let mut event_type = "github".to_owned();
    for segment in segments.into_iter().flatten() {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
        event_type.push('.');
        event_type.extend(
            segment
                .chars()
                .map(|letter| if fits(letter) { letter } else { '_' }),
        );
    }
    event_type
}

async fn events_by_webhook_id(caller: &Caller, endpoint: &str) -> HashMap<String, String> {
    let deliveries = caller
        .list(&format!("/v1/deliveries?endpoint={endpoint}"))
        .await;
    deliveries
        .iter()
        .map(|delivery| (text(&delivery["webhook_id"]), text(&delivery["event"])))
        .collect()
}

/// What the automation's configuration asks for, done another way.
fn without_people(json_text: &str) -> Value {
    let mut payload: Value = serde_json::from_str(json_text).expect("JSON");
    if let Some(sender) = payload.get_mut("sender").and_then(Value::as_object_mut) {
        sender.remove("login");
    }
    mask(&mut payload);
    payload
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name == "email" {
                    *member = json!(MASK);
                } else {
                    mask(member);
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(mask),
        _ => {}
    }
}

async fn assert_all_fired(caller: &Caller, events: impl Iterator<Item = &String>) {
    for event in events {
        let evaluations = caller.get(&format!("/v1/events/{event}/evaluations")).await;
        let evaluations = evaluations.expect(200);
        let evaluations = evaluations["data"].as_array().expect("a list");
        assert_eq!(
            evaluations.len(),
            2,
            "the endpoint's own and the automation's"
        );
        for evaluation in evaluations {
            assert_eq!(evaluation["verdict"], "fired", "{evaluation}");
        }
    }
}

async fn assert_verified(requests: &[&Request], secret: &str) {
    let signed: Vec<Signed> = requests
        .iter()
        .map(|request| Signed::new(secret, request))
        .collect();
    for library in [Library::Npm, Library::PyPi] {
        let verdicts = clients::verify(library, &signed).await;
        assert_eq!(verdicts.len(), requests.len());
        for (verdict, request) in verdicts.iter().zip(requests) {
            assert_eq!(*verdict, Ok(()), "{library:?}: {}", request.webhook_id());
        }
    }
}
