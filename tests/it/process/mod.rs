//! Stories of real processes of the real program: killed, cut off, starved, asked to stop, and fed
//! with what the world has.

mod backtests;
mod bad_documents;
mod bad_input;
mod code;
#[cfg(feature = "crash-points")]
mod crash_points;
mod disasters;
#[cfg(feature = "crash-points")]
mod emissions;
mod event_types;
mod flow;
mod github;
mod house;
mod inbound;
mod kills;
mod listen;
mod load;
mod mails;
mod master_keys;
mod recoveries;
mod rest;
mod retention;
mod schedules;
mod shutdown;
mod signatures;
mod trials;
mod two_nodes;
mod versions;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::caller::{Caller, text};
use crate::support::node::{Home, Node};
use crate::support::receiver::{Receiver, Request};

/// An endpoint that was made, and what verifies its deliveries.
struct Endpoint {
    id: String,
    secret: String,
}

/// A node with an endpoint for everything, and its receiver.
async fn at_work(home: &Home) -> (Node, Receiver) {
    let receiver = Receiver::start().await;
    let node = home.start().await;
    make_endpoint(node.caller(), &receiver.url("/"), json!("all")).await;
    (node, receiver)
}

/// Makes an endpoint that tries again soon and often.
async fn make_endpoint(caller: &Caller, url: &str, subscribe: Value) -> Endpoint {
    let wanted = json!({
        "name": "receiver",
        "url": url,
        "subscribe": subscribe,
        "retry_policy": {"delays_ms": vec![20; 20]},
    });
    let made = caller.post("/v1/endpoints", &wanted).await.expect(201);
    Endpoint {
        id: text(&made["id"]),
        secret: text(&made["secret"]),
    }
}

/// The bodies that came with each `webhook-id`, in the order they came.
fn bodies_by_id(requests: &[Request]) -> BTreeMap<String, Vec<Bytes>> {
    let mut bodies: BTreeMap<String, Vec<Bytes>> = BTreeMap::new();
    for request in requests {
        let id = request.webhook_id().to_owned();
        bodies.entry(id).or_default().push(request.body.clone());
    }
    bodies
}

/// Every repeat has the body of the first.
fn assert_repeats_are_identical(requests: &[Request]) {
    for (id, bodies) in bodies_by_id(requests) {
        for body in &bodies {
            assert_eq!(*body, bodies[0], "{id}");
        }
    }
}

/// The deliveries of an event, and for each the classes of its attempts: a status code, or the word
/// for why there was none.
async fn attempts_of(caller: &Caller, event: &str) -> Vec<(Value, Vec<String>)> {
    let mut found = Vec::new();
    for delivery in caller.list(&format!("/v1/deliveries?event={event}")).await {
        let id = text(&delivery["id"]);
        let attempts = caller.get(&format!("/v1/deliveries/{id}/attempts")).await;
        let attempts = attempts.expect(200);
        let mut attempts = attempts["data"].as_array().expect("a list").clone();
        // Whoever takes over says so before it tries again.
        attempts.sort_by_key(|attempt| {
            let is_request = attempt["error_class"] != "interrupted";
            (attempt["at"].to_string(), is_request)
        });
        let classes = attempts
            .iter()
            .map(|attempt| match attempt["status_code"].as_u64() {
                Some(status) => status.to_string(),
                None => text(&attempt["error_class"]),
            });
        found.push((delivery, classes.collect()));
    }
    found
}
