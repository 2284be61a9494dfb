//! A server with an endpoint at which everything fails, until it is mended: what there is to be recovered.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, Doors, OPERATOR};
use crate::support::answers::Answer as Says;
use crate::support::receiver::Receiver;
use crate::support::store::Engine;

/// The id of an endpoint that gets every event, and each of them once.
pub(super) async fn endpoint(doors: &Doors, key: &str, url: &str) -> String {
    let new = json!({"url": url, "retry_policy": {"delays_ms": []}});
    let made = doors.call(key, "POST", "/v1/endpoints", Some(new)).await;
    made.is(201).id()
}

pub(super) fn event(event_type: &str, no: usize) -> Value {
    json!({"type": event_type, "data": {"no": no}})
}

/// A server at whose receiver everything fails that is sent for now.
pub(super) struct Failing {
    pub(super) doors: Doors,
    pub(super) receiver: Receiver,
    pub(super) endpoint: String,
}

impl Failing {
    /// One on this engine.
    pub(super) async fn on(engine: Engine) -> Self {
        let (doors, receiver) = (Doors::open(engine).await, Receiver::start().await);
        receiver.always("/", Says::status(500));
        Self {
            endpoint: endpoint(&doors, OPERATOR, &receiver.url("/")).await,
            doors,
            receiver,
        }
    }

    /// The receiver is well again.
    pub(super) fn mend(&self) {
        self.receiver.always("/", Says::status(204));
    }

    /// Sends these, each a minute after the one before: their ids.
    pub(super) async fn send(&self, event_types: &[&str]) -> Vec<String> {
        let mut ids = Vec::new();
        for (no, event_type) in event_types.iter().enumerate() {
            let sent = self.doors.send_all(&[event(event_type, no)]).await;
            ids.push(sent[0].as_str().expect("an id").to_owned());
            self.doors.clock.advance(Duration::from_mins(1));
        }
        ids
    }

    /// Where it is asked for.
    pub(super) fn path(&self) -> String {
        format!("/v1/endpoints/{}/recover", self.endpoint)
    }

    /// Recovers it, to the end, and what came of it.
    pub(super) async fn recover(&self, asked: Value) -> Answer {
        let job = self.doors.done(&self.path(), asked).await;
        assert_eq!(job.body["state"], "done", "{}", job.body);
        assert_eq!(job.body["done"], job.body["total"], "{}", job.body);
        job
    }

    /// What goes to its endpoint, in this state.
    pub(super) async fn deliveries(&self, state: &str) -> Vec<Value> {
        let path = format!(
            "/v1/deliveries?limit=250&state={state}&endpoint={}",
            self.endpoint
        );
        let listed = self.doors.get(&path).await.is(200);
        listed.body["data"].as_array().expect("a list").clone()
    }
}
