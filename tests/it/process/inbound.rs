//! Real senders: all of GitHub's example payloads come to a source, signed by GitHub's own library.

use serde_json::{Value, json};

use super::make_endpoint;
use crate::support::caller::{Caller, Reply, text};
use crate::support::clients::{self, GithubPayload};
use crate::support::node::Home;
use crate::support::receiver::Receiver;
use crate::support::store::Engine;

const SECRET: &str = "It's a Secret to Everybody";

#[tokio::test]
async fn all_of_githubs_payloads_come_in_signed_on_sqlite() {
    come_in(Engine::Sqlite).await;
}

#[tokio::test]
async fn all_of_githubs_payloads_come_in_signed_on_postgres() {
    come_in(Engine::Postgres).await;
}

/// One of GitHub's requests.
struct Hook<'a> {
    payload: &'a GithubPayload,
    delivery: String,
    signature: String,
}

impl Hook<'_> {
    async fn send(&self, caller: &Caller, path: &str) -> Reply {
        let headers = [
            ("content-type", "application/json"),
            ("x-github-event", self.payload.name.as_str()),
            ("x-github-delivery", self.delivery.as_str()),
            ("x-hub-signature-256", self.signature.as_str()),
        ];
        let body = self.payload.payload_json_text.clone();
        caller.send_webhook(path, &headers, body).await
    }
}

async fn come_in(engine: Engine) {
    let payloads = clients::github_payloads().await;
    assert_eq!(payloads.len(), 329);
    let signatures = clients::github_signatures(SECRET, &payloads).await;
    let receiver = Receiver::start().await;
    let home = Home::on(engine).await;
    let node = home.start().await;
    let caller = node.caller();
    make_endpoint(caller, &receiver.url("/"), json!(["github.*"])).await;
    let new = json!({"name": "github", "verification": {"scheme": "github"}, "secret": SECRET});
    let source = caller.post("/v1/sources", &new).await.expect(201);
    let path = text(&source["path"]);
    let hooks: Vec<Hook<'_>> = payloads
        .iter()
        .zip(signatures)
        .zip(0..)
        .map(|((payload, signature), no)| Hook {
            payload,
            delivery: format!("delivery-{no}"),
            signature,
        })
        .collect();

    let mut events = Vec::new();
    for hook in &hooks {
        events.push(hook.send(caller, &path).await.id());
    }
    // GitHub sends again what it had no answer to: each is the event that it was.
    for (hook, event) in hooks.iter().zip(&events) {
        assert_eq!(hook.send(caller, &path).await.id(), *event);
    }
    let forged = Hook {
        signature: hooks[1].signature.clone(),
        delivery: "forged".to_owned(),
        ..hooks[0]
    };
    let refused = forged.send(caller, &path).await.expect(403);
    assert_eq!(refused["code"], "not_genuine");

    let requests = receiver.wait_for(hooks.len()).await;
    home.until_settled().await;
    assert_eq!(receiver.count(), hooks.len(), "each arrived once");
    for request in &requests {
        let place = events
            .iter()
            .position(|event| event == request.webhook_id());
        let payload = hooks[place.expect("one of them")].payload;
        assert_eq!(request.body, payload.payload_json_text, "{}", payload.name);
    }
    for (hook, event) in hooks.iter().zip(&events) {
        let event = caller.get(&format!("/v1/events/{event}")).await.expect(200);
        assert_eq!(event["type"], format!("github.{}", hook.payload.name));
        assert_eq!(event["source"], "source:github");
    }
    is_on_the_ledger(caller, &text(&source["id"])).await;
    node.stop().await;
}

async fn is_on_the_ledger(caller: &Caller, source: &str) {
    let refusals = caller.get(&format!("/v1/sources/{source}/refusals")).await;
    let refusals = refusals.expect(200);
    let [refusal] = refusals["data"].as_array().expect("a list").as_slice() else {
        panic!("there is one: {refusals}");
    };
    assert_eq!(refusal["code"], "not_genuine");
    assert_eq!(refusal["requests"], 1);
    let said = refusal["why"].as_str().expect("a sentence");
    assert!(said.contains("does not match"), "{said}");
    let shown: Value = caller
        .get(&format!("/v1/sources/{source}"))
        .await
        .expect(200);
    assert_eq!(shown["refused"], 1);
}
