//! An orderly stop: what is under way is finished or handed back, and what comes too late is told
//! so.

use serde_json::json;

use super::load::{Load, balance};
use super::{at_work, attempts_of, make_endpoint};
use crate::support::answers::{Answer, Gate};
use crate::support::node::Home;
use crate::support::receiver::Receiver;
use crate::support::store::Engine;

#[tokio::test]
async fn what_is_under_way_is_finished() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let receiver = Receiver::start().await;
        let gate = Gate::shut();
        receiver.next("/", Answer::status(200).behind(&gate));
        let home = Home::on(engine).await;
        let node = home.start().await;
        make_endpoint(node.caller(), &receiver.url("/"), json!("all")).await;
        node.caller().send_event("deal.won", "{}").await;
        receiver.wait_for(1).await;
        // The request waits at the gate while the node is asked to stop.
        node.ask_to_stop().await;
        gate.open();
        assert!(node.ended().await.success());
        for sql in [
            "SELECT COUNT(*) FROM deliveries WHERE state <> 'delivered'",
            "SELECT COUNT(*) FROM attempts WHERE status_code IS NULL",
            "SELECT COUNT(*) FROM inbox",
        ] {
            assert_eq!(home.number(sql).await, 0, "{engine:?}: {sql}");
        }
        assert_eq!(receiver.requests().len(), 1);
    }
}

#[tokio::test]
async fn what_cannot_be_finished_is_handed_back() {
    tokio::join!(hand_back(Engine::Sqlite), hand_back(Engine::Postgres));
}

/// A receiver that keeps the node waiting for longer than it waits for its own end.
async fn hand_back(engine: Engine) {
    let receiver = Receiver::start().await;
    receiver.next("/", Answer::hang());
    let home = Home::on(engine).await;
    let node = home.start_with(&[("THROWBAR_SHUTDOWN_MS", "50")]).await;
    let endpoint = json!({"name": "slow", "url": receiver.url("/"), "timeout_ms": 30_000});
    node.caller()
        .post("/v1/endpoints", &endpoint)
        .await
        .expect(201);
    let event = node.caller().send_event("deal.won", "{}").await;
    receiver.wait_for(1).await;
    node.stop().await;

    let node = home.start().await;
    let requests = receiver.wait_for(2).await;
    home.until_settled().await;
    assert_eq!(requests[0].webhook_id(), requests[1].webhook_id());
    assert_eq!(requests[0].body, requests[1].body);
    let deliveries = attempts_of(node.caller(), &event).await;
    assert_eq!(deliveries[0].1, ["interrupted", "204"], "{engine:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_retry_that_is_not_due_is_neither_lost_nor_made_early() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let receiver = Receiver::start().await;
        receiver.next("/", Answer::status(500));
        let home = Home::on(engine).await;
        let node = home.start().await;
        let in_an_hour = json!({"delays_ms": [3_600_000]});
        let endpoint = json!({"url": receiver.url("/"), "retry_policy": in_an_hour});
        let made = node.caller().post("/v1/endpoints", &endpoint).await;
        made.expect(201);
        let event = node.caller().send_event("deal.won", "{}").await;
        home.until("SELECT COUNT(*) FROM attempts WHERE status_code = 500", 1)
            .await;
        let before = attempts_of(node.caller(), &event).await;
        assert_eq!(before[0].0["state"], "pending", "{engine:?}");
        assert!(before[0].0["next_attempt_at"].is_string(), "{before:?}");
        node.stop().await;

        let node = home.start().await;
        // What is due goes out, so the node has looked at what waits.
        let other = node.caller().send_event("deal.lost", "{}").await;
        home.until("SELECT COUNT(*) FROM attempts WHERE status_code = 204", 1)
            .await;
        assert_eq!(attempts_of(node.caller(), &event).await, before);
        assert_eq!(attempts_of(node.caller(), &other).await[0].1, ["204"]);
        assert_eq!(receiver.requests().len(), 2, "{engine:?}");
        node.stop().await;
    }
}

#[tokio::test]
async fn a_stop_under_load_interrupts_nothing_and_loses_nothing() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let home = Home::on(engine).await;
        let (mut node, receiver) = at_work(&home).await;
        let load = Load::start(vec![node.caller().clone()]);
        for round in 1..=3 {
            load.wait_for(round * 50).await;
            node.ask_to_stop().await;
            load.send_to(Vec::new());
            assert!(node.ended().await.success());
            let left = "SELECT COUNT(*) FROM deliveries WHERE state = 'claimed'";
            assert_eq!(home.number(left).await, 0, "{engine:?}");
            node = home.start().await;
            load.send_to(vec![node.caller().clone()]);
        }
        let acknowledged = load.finish().await;
        balance(&home, [node], &receiver, &acknowledged).await;
        let interrupted = "SELECT COUNT(*) FROM attempts WHERE error_class = 'interrupted'";
        assert_eq!(home.number(interrupted).await, 0, "{engine:?}");
        assert_eq!(receiver.requests().len(), acknowledged.len());
    }
}
