//! Flow control under fire: nodes are killed in the middle of a delay, a debounce and a digest, die at each
//! named place of what goes on late, and share one PostgreSQL. What waits goes once, and nothing is lost.

use std::ops::Range;

use serde_json::{Value, json};
use throwbar::model::Clock;

use super::assert_repeats_are_identical;
use crate::support::caller::{Caller, event_body, text};
use crate::support::node::Home;
use crate::support::receiver::{Receiver, Request};
use crate::support::store::Engine;

const WAITING: &str = "SELECT COUNT(*) FROM flow_waits WHERE state = 'waiting'";

/// Flow control, how many events are sent before a death and after it, and what is delivered of them.
struct Case {
    flow: fn() -> Value,
    before: usize,
    after: usize,
    /// Of how many events each body is.
    bodies: &'static [usize],
}

const CASES: [Case; 3] = [
    Case {
        flow: || json!({"delay": {"for_ms": 1000}}),
        before: 2,
        after: 0,
        bodies: &[1, 1],
    },
    Case {
        flow: || json!({"debounce": {"key": "event.data.key", "period_ms": 3000}}),
        before: 3,
        after: 0,
        bodies: &[1],
    },
    Case {
        flow: || json!({"digest": {"key": "event.data.key", "period_ms": 600_000, "count": 3}}),
        before: 2,
        after: 1,
        bodies: &[3],
    },
];

impl Case {
    fn events(&self) -> usize {
        self.before + self.after
    }
}

/// Makes an automation for everything with this flow control; its id.
async fn make(caller: &Caller, receiver: &Receiver, flow: Value) -> String {
    let endpoint = json!({
        "name": "receiver", "url": receiver.url("/"), "subscribe": "none",
        "retry_policy": {"delays_ms": vec![20; 20]},
    });
    let endpoint = caller.post("/v1/endpoints", &endpoint).await.id();
    let automation = json!({
        "name": "flowing", "trigger": {"events": ["*"]}, "flow": flow,
        "actions": [{"webhook": {"endpoint": endpoint}}],
    });
    caller.post("/v1/automations", &automation).await.id()
}

fn payload(no: usize) -> String {
    format!("{{\"key\":\"k\", \"no\":{no}}}")
}

/// Of how many events a body is: of a digest, its entries.
fn events_in(request: &Request) -> usize {
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    body["events"].as_array().map_or(1, Vec::len)
}

/// What arrived, without repeats.
fn bodies(receiver: &Receiver) -> Vec<Request> {
    let requests = receiver.requests();
    assert_repeats_are_identical(&requests);
    let mut once: Vec<Request> = Vec::new();
    for request in requests {
        if !once
            .iter()
            .any(|one| one.webhook_id() == request.webhook_id())
        {
            once.push(request);
        }
    }
    once
}

fn assert_all_came(receiver: &Receiver, case: &Case, why: &str) {
    let arrived = bodies(receiver);
    let counts: Vec<usize> = arrived.iter().map(events_in).collect();
    assert_eq!(counts, case.bodies, "{why}");
    let last = String::from_utf8_lossy(&arrived[arrived.len() - 1].body).into_owned();
    let newest = payload(case.events() - 1);
    let is_one_of = case.bodies.len() > 1 || last.contains(&newest);
    assert!(is_one_of, "{why}: the last one is in it: {last}");
}

async fn assert_nothing_waits(home: &Home) {
    for table in ["flow_waits", "flow_entries", "inbox"] {
        assert_eq!(
            home.number(&format!("SELECT COUNT(*) FROM {table}")).await,
            0,
            "{table}"
        );
    }
}

/// Sends events, each after the one before is planned; the ids.
async fn send(home: &Home, caller: &Caller, numbers: Range<usize>) -> Vec<String> {
    let mut events = Vec::new();
    for no in numbers {
        events.push(caller.send_event("deal.won", &payload(no)).await);
        home.until("SELECT COUNT(*) FROM inbox", 0).await;
    }
    events
}

async fn kill_and_restart(engine: Engine) {
    for case in &CASES {
        let (home, receiver) = (Home::on(engine).await, Receiver::start().await);
        let node = home.start().await;
        let automation = make(node.caller(), &receiver, (case.flow)()).await;
        let mut events = send(&home, node.caller(), 0..case.before).await;
        node.kill().await;
        let node = home.start().await;
        events.extend(send(&home, node.caller(), case.before..case.events()).await);
        receiver.wait_for(case.bodies.len()).await;
        home.until("SELECT COUNT(*) FROM flow_waits", 0).await;
        home.until_settled().await;
        let flow = (case.flow)().to_string();
        assert_all_came(&receiver, case, &flow);
        assert_nothing_waits(&home).await;
        let last = &events[case.events() - 1];
        let path = format!("/v1/automations/{automation}/explain?event={last}");
        let told = node.caller().get(&path).await.expect(200);
        assert!(text(&told["summary"]).contains("it went"), "{flow}: {told}");
        node.stop().await;
    }
}

#[tokio::test]
async fn what_waits_survives_a_kill_on_sqlite() {
    kill_and_restart(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_waits_survives_a_kill_on_postgres() {
    kill_and_restart(Engine::Postgres).await;
}

#[cfg(feature = "crash-points")]
async fn die_and_go_on(engine: Engine) {
    let points = [
        "late-claimed-not-planned",
        "late-not-committed",
        "late-not-handed-on",
    ];
    for (case, point) in CASES.iter().zip(points.iter().cycle().skip(1)) {
        die_at(engine, case, point).await;
    }
    for point in points {
        die_at(engine, &CASES[2], point).await;
    }
    let dedupe = Case {
        flow: || json!({"dedupe": {"key": "event.data.key", "window_ms": 60_000}}),
        before: 1,
        after: 0,
        bodies: &[1],
    };
    for point in [
        "plan-not-committed",
        "planned-not-handed-on",
        "late-not-committed",
    ] {
        die_at(engine, &dedupe, point).await;
    }
}

/// Dies at this place, as soon as it comes by it, and lives again.
#[cfg(feature = "crash-points")]
async fn die_at(engine: Engine, case: &Case, point: &str) {
    let (home, receiver) = (Home::on(engine).await, Receiver::start().await);
    let node = home.start().await;
    make(node.caller(), &receiver, (case.flow)()).await;
    node.stop().await;
    let mut node = home.start_armed(point).await;
    for no in 0..case.events() {
        let body = event_body("deal.won", &payload(no), None);
        // The node may die before its answer has left.
        let _ = node.caller().try_post("/v1/events", body).await;
    }
    node.dies().await;
    let accepted = home.number("SELECT COUNT(*) FROM events").await;
    assert_eq!(accepted, case.events() as i64, "{point}");
    let node = home.start().await;
    receiver.wait_for(case.bodies.len()).await;
    home.until("SELECT COUNT(*) FROM flow_waits", 0).await;
    home.until_settled().await;
    assert_all_came(&receiver, case, point);
    assert_nothing_waits(&home).await;
    node.stop().await;
}

#[cfg(feature = "crash-points")]
#[tokio::test]
async fn what_waits_survives_a_death_at_every_point_on_sqlite() {
    die_and_go_on(Engine::Sqlite).await;
}

#[cfg(feature = "crash-points")]
#[tokio::test]
async fn what_waits_survives_a_death_at_every_point_on_postgres() {
    die_and_go_on(Engine::Postgres).await;
}

#[tokio::test]
async fn what_waits_at_a_killed_node_goes_from_the_other() {
    for case in &CASES {
        let (home, receiver) = (Home::on(Engine::Postgres).await, Receiver::start().await);
        let beside = Home::at(home.postgres_url());
        let (node, survivor) = (home.start().await, beside.start().await);
        make(survivor.caller(), &receiver, (case.flow)()).await;
        send(&home, node.caller(), 0..case.before).await;
        node.kill().await;
        send(&home, survivor.caller(), case.before..case.events()).await;
        receiver.wait_for(case.bodies.len()).await;
        home.until("SELECT COUNT(*) FROM flow_waits", 0).await;
        home.until_settled().await;
        assert_all_came(&receiver, case, &(case.flow)().to_string());
        survivor.stop().await;
    }
}

#[tokio::test]
async fn of_two_nodes_with_one_key_one_event_wins_while_one_of_them_is_killed() {
    let (home, receiver) = (Home::on(Engine::Postgres).await, Receiver::start().await);
    let beside = Home::at(home.postgres_url());
    let (node, survivor) = (home.start().await, beside.start().await);
    let flow = json!({
        "dedupe": {"key": "event.data.key", "window_ms": 600_000},
        "rate_limit": {"count": 5, "window_ms": 600_000, "over": "drop"},
    });
    make(survivor.caller(), &receiver, flow).await;
    let sent = |caller: Caller| {
        tokio::spawn(async move {
            let mut acknowledged = 0;
            for no in 0..60 {
                // Ten keys, of which five may go.
                let body = event_body("deal.won", &format!("{{\"key\":{}}}", no % 10), None);
                let reply = caller.try_post("/v1/events", body).await;
                acknowledged += i64::from(reply.is_ok_and(|reply| reply.status == 202));
            }
            acknowledged
        })
    };
    let both = [sent(node.caller().clone()), sent(survivor.caller().clone())];
    receiver.wait_for(1).await;
    node.kill().await;
    let mut acknowledged = 0;
    for sent in both {
        acknowledged += sent.await.expect("it ends");
    }
    home.until("SELECT COUNT(*) FROM inbox", 0).await;
    home.until("SELECT COUNT(*) FROM flow_waits", 0).await;
    home.until_settled().await;
    let mut keys: Vec<_> = bodies(&receiver)
        .iter()
        .map(|request| request.body.clone())
        .collect();
    assert_eq!(keys.len(), 5, "as many as the limit lets");
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 5, "each key once");
    let decided = home.number("SELECT COUNT(*) FROM flow_verdicts").await;
    assert!(decided >= acknowledged, "{decided} of {acknowledged}");
    survivor.stop().await;
}

#[tokio::test]
async fn a_node_that_only_hears_of_it_later_makes_nothing_twice() {
    let (home, receiver) = (Home::on(Engine::Postgres).await, Receiver::start().await);
    let beside = Home::at(home.postgres_url());
    let (one, other) = (home.start().await, beside.start().await);
    let flow = json!({"digest": {"period_ms": 600_000, "count": 20}});
    make(one.caller(), &receiver, flow).await;
    for no in 0..20 {
        let caller = if no % 2 == 0 {
            one.caller()
        } else {
            other.caller()
        };
        caller.send_event("deal.won", &payload(no)).await;
    }
    receiver.wait_for(1).await;
    home.until(WAITING, 0).await;
    home.until_settled().await;
    let arrived = bodies(&receiver);
    assert_eq!(arrived.len(), 1, "one digest");
    assert_eq!(events_in(&arrived[0]), 20);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn what_waits_for_one_time_keeps_its_order_whichever_node_goes_on_with_it() {
    let (home, receiver) = (Home::on(Engine::Postgres).await, Receiver::start().await);
    let beside = Home::at(home.postgres_url());
    let (one, other) = (home.start().await, beside.start().await);
    // Long enough for both nodes to know that something waits.
    let until = Clock::System.now().plus_ms(7_000);
    let flow = json!({
        "delay": {"until": format!("timestamp('{until}')")}, "order": {"key": "event.data.key"},
    });
    make(one.caller(), &receiver, flow).await;
    let lines: Vec<Value> = (0..150)
        .map(|no| json!({"type": "deal.won", "data": {"key": "k", "no": no}}))
        .collect();
    one.caller().post("/v1/events/batch", &json!(lines)).await;
    receiver.wait_for(150).await;
    home.until_settled().await;
    let came: Vec<Value> = bodies(&receiver)
        .iter()
        .map(|request| serde_json::from_slice(&request.body).expect("JSON"))
        .collect();
    let numbers: Vec<_> = came.iter().map(|body| body["no"].as_u64()).collect();
    assert_eq!(numbers, (0..150).map(Some).collect::<Vec<_>>());
    one.stop().await;
    other.stop().await;
}
