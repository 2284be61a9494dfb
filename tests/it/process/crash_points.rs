//! The process dies at each named place of the pipeline in turn, and is started again: on both
//! engines, what was committed is delivered, with the same id and the same bytes, and nothing stays
//! behind in the inbox or claimed.

use super::{assert_repeats_are_identical, attempts_of, make_endpoint};
use crate::support::answers::Answer;
use crate::support::caller::event_body;
use crate::support::node::Home;
use crate::support::receiver::Receiver;
use crate::support::store::Engine;
use serde_json::json;

/// One place, and what must have come of an event in the end.
struct Case {
    point: &'static str,
    /// What the receiver answers first, before it takes everything.
    first_answer: u16,
    /// Requests that reach the receiver, over both lives.
    arrivals: usize,
    /// The attempts on record, in order.
    attempts: &'static [&'static str],
}

const CASES: [Case; 10] = [
    case("accept-not-committed", 1, &["204"]),
    case("committed-then-disconnected", 1, &["204"]),
    case("accepted-not-planned", 1, &["204"]),
    case("plan-not-committed", 1, &["204"]),
    case("planned-not-handed-on", 1, &["interrupted", "204"]),
    case("planned-not-sent", 1, &["interrupted", "204"]),
    case("sent-not-recorded", 2, &["interrupted", "204"]),
    case("record-not-committed", 2, &["interrupted", "204"]),
    case("recorded-not-freed", 1, &["204"]),
    Case {
        first_answer: 500,
        ..case("claimed-not-sent", 2, &["500", "interrupted", "204"])
    },
];

const fn case(point: &'static str, arrivals: usize, attempts: &'static [&'static str]) -> Case {
    Case {
        point,
        first_answer: 204,
        arrivals,
        attempts,
    }
}

/// Order, spacing, escapes and numbers as only bytes can keep them.
const PAYLOAD: &str = r#"{"b" : "\u0000\u00fc", "a":12345678901234567890123, "a": 1e400}"#;
const IDEMPOTENCY_KEY: &str = "the-first";

#[tokio::test]
async fn an_event_survives_a_death_at_every_point_on_sqlite() {
    for case in &CASES {
        die_and_deliver(Engine::Sqlite, case).await;
    }
}

#[tokio::test]
async fn an_event_survives_a_death_at_every_point_on_postgres() {
    for case in &CASES {
        die_and_deliver(Engine::Postgres, case).await;
    }
}

async fn die_and_deliver(engine: Engine, case: &Case) {
    let receiver = Receiver::start().await;
    receiver.next("/", Answer::status(case.first_answer));
    let home = Home::on(engine).await;
    prepare(&home, &receiver).await;

    let mut node = home.start_armed(case.point).await;
    let body = event_body("deal.won", PAYLOAD, Some(IDEMPOTENCY_KEY));
    let first = node.caller().try_post("/v1/events", body.clone()).await;
    if let Ok(first) = &first {
        first.expect(202);
    }
    node.dies().await;

    let node = home.start().await;
    // A client that got no answer asks again.
    let again = node.caller().try_post("/v1/events", body).await;
    let event = again.expect("an answer").id();
    if let Ok(first) = first {
        assert_eq!(first.id(), event, "{}: the acknowledged event", case.point);
    }
    receiver.wait_for(case.arrivals).await;
    home.until_settled().await;

    let requests = receiver.requests();
    assert_eq!(requests.len(), case.arrivals, "{}", case.point);
    for request in &requests {
        assert_eq!(request.webhook_id(), event, "{}", case.point);
        assert_eq!(request.body, PAYLOAD, "{}", case.point);
    }
    let deliveries = attempts_of(node.caller(), &event).await;
    let [(delivery, attempts)] = deliveries.as_slice() else {
        panic!("{}: one delivery: {deliveries:?}", case.point);
    };
    assert_eq!(delivery["state"], "delivered", "{}", case.point);
    assert_eq!(attempts, case.attempts, "{}", case.point);
    let counted = case
        .attempts
        .iter()
        .filter(|class| **class != "interrupted");
    assert_eq!(delivery["attempts_made"], counted.count(), "{}", case.point);
    node.stop().await;
    assert_nothing_left(&home, case.point).await;
}

/// Makes an endpoint for everything, and stops.
async fn prepare(home: &Home, receiver: &Receiver) {
    let node = home.start().await;
    make_endpoint(node.caller(), &receiver.url("/"), json!("all")).await;
    node.stop().await;
}

async fn assert_nothing_left(home: &Home, why: &str) {
    for sql in [
        "SELECT COUNT(*) FROM inbox",
        "SELECT COUNT(*) FROM deliveries WHERE state <> 'delivered'",
        "SELECT COUNT(*) FROM events WHERE NOT EXISTS (SELECT 1 FROM evaluations
           WHERE evaluations.account_id = events.account_id AND event_id = events.id)",
    ] {
        assert_eq!(home.number(sql).await, 0, "{why}: {sql}");
    }
    assert_eq!(home.number("SELECT COUNT(*) FROM events").await, 1, "{why}");
}

/// Dies once at `first`, then while another life takes over, then lives.
async fn die_twice(engine: Engine, first: &str, second: &str, attempts: &[&str]) {
    let receiver = Receiver::start().await;
    let home = Home::on(engine).await;
    prepare(&home, &receiver).await;
    let mut node = home.start_armed(first).await;
    let body = event_body("deal.won", PAYLOAD, None);
    // The node may die before its answer has left.
    let _ = node.caller().try_post("/v1/events", body).await;
    node.dies().await;
    home.run_until_death(second).await;

    let node = home.start().await;
    receiver.wait_for(1).await;
    home.until_settled().await;
    let requests = receiver.requests();
    assert_repeats_are_identical(&requests);
    assert_eq!(requests.len(), 1, "{first}, {second}");
    let deliveries = attempts_of(node.caller(), requests[0].webhook_id()).await;
    assert_eq!(deliveries[0].1, attempts, "{first}, {second}");
    node.stop().await;
    assert_nothing_left(&home, second).await;
}

#[tokio::test]
async fn the_death_of_who_takes_over_loses_nothing() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let interrupted = ["interrupted", "204"];
        die_twice(
            engine,
            "accepted-not-planned",
            "taken-over-not-evaluated",
            &["204"],
        )
        .await;
        die_twice(
            engine,
            "planned-not-sent",
            "released-not-claimed",
            &interrupted,
        )
        .await;
    }
}

#[tokio::test]
async fn the_inbox_of_a_dead_node_is_taken_over_by_another() {
    let receiver = Receiver::start().await;
    let home = Home::on(Engine::Postgres).await;
    let beside = Home::at(home.postgres_url());
    let survivor = beside.start().await;
    make_endpoint(survivor.caller(), &receiver.url("/"), json!("all")).await;
    let mut node = home.start_armed("accepted-not-planned").await;
    let body = event_body("deal.won", PAYLOAD, None);
    // The node may die before its answer has left.
    let _ = node.caller().try_post("/v1/events", body).await;
    node.dies().await;
    let requests = receiver.wait_for(1).await;
    home.until_settled().await;
    assert_eq!(requests[0].body, PAYLOAD);
    survivor.stop().await;
    assert_nothing_left(&home, "on another node").await;
}
