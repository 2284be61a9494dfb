//! How deliveries are connected: what they prove themselves with, certificates, proxies, and receivers that want to be
//! asked before.

mod auth;
mod certificates;
mod handshake;
mod proxies;

use serde_json::{Value, json};

use super::{Doors, OPERATOR};
use crate::support::before_hanging;

const ENDPOINTS: &str = "/v1/endpoints";
const CONNECTION: &str = "/v1/account/connection";

impl Doors {
    /// Makes a secret variable.
    async fn secret_variable(&self, name: &str, value: &str) {
        let new = json!({"name": name, "value": value, "secret": true});
        self.post("/v1/variables", new).await.is(201);
    }

    /// Makes an endpoint that everything goes to and that is tried once: its path.
    async fn subscriber(&self, mut new: Value) -> String {
        new["retry_policy"] = json!({"delays_ms": []});
        let made = self.post(ENDPOINTS, new).await.is(201);
        format!("{ENDPOINTS}/{}", made.id())
    }

    /// Sends an event and waits for what becomes of it: the only attempt of its only delivery.
    async fn attempt(&self) -> Value {
        self.attempt_as(OPERATOR).await
    }

    async fn attempt_as(&self, key: &str) -> Value {
        let event = json!({"type": "deal.won", "data": {"amount": 1}});
        let event = self.call(key, "POST", "/v1/events", Some(event)).await;
        let event = event.is(202).id();
        before_hanging("it to settle", self.pipeline.settle()).await;
        let path = format!("/v1/deliveries?event={event}");
        let deliveries = self.call(key, "GET", &path, None).await.is(200);
        assert_eq!(deliveries.body["data"].as_array().map(Vec::len), Some(1));
        let path = format!("/v1/deliveries/{}/attempts", deliveries.text("/data/0/id"));
        let attempts = self.call(key, "GET", &path, None).await.is(200);
        let attempts = attempts.body["data"].as_array().cloned();
        let mut attempts = attempts.unwrap_or_default();
        assert_eq!(attempts.len(), 1, "{attempts:?}");
        attempts.remove(0)
    }

    /// Sends an event that is delivered.
    async fn delivers(&self) {
        let attempt = self.attempt().await;
        assert_eq!(attempt["error_class"], Value::Null, "{attempt}");
        assert!(
            attempt["status_code"].as_u64().is_some_and(|it| it < 300),
            "{attempt}"
        );
    }

    /// Sends an event of which the attempt fails like this.
    async fn fails(&self, class: &str, words: &str) {
        let attempt = self.attempt().await;
        assert_eq!(attempt["error_class"], class, "{attempt}");
        let message = attempt["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{message}");
    }
}
