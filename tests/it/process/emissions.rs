//! A process that dies between the plan that makes an event and the evaluation of that event, and at the other
//! places around it: on both engines the event is there once, and is delivered once.

use serde_json::{Value, json};

use super::make_endpoint;
use crate::support::caller::{event_body, text};
use crate::support::node::Home;
use crate::support::receiver::Receiver;
use crate::support::store::Engine;

const POINTS: [&str; 4] = [
    "plan-not-committed",
    "made-not-evaluated",
    "planned-not-handed-on",
    "taken-over-not-evaluated",
];

#[tokio::test]
async fn an_event_that_was_made_survives_a_death_before_its_evaluation() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for point in POINTS {
            die_and_deliver(engine, point).await;
        }
    }
}

async fn die_and_deliver(engine: Engine, point: &str) {
    let receiver = Receiver::start().await;
    let home = Home::on(engine).await;
    let node = home.start().await;
    make_endpoint(node.caller(), &receiver.url("/"), json!(["deal.flagged"])).await;
    let automation = json!({
        "name": "a", "trigger": {"events": ["deal.*"]},
        "actions": [{"emit": {"type": "deal.flagged"}}],
    });
    let made = node.caller().post("/v1/automations", &automation).await;
    let own = text(&made.expect(201)["id"]);
    node.stop().await;

    let first = match point {
        "taken-over-not-evaluated" => "made-not-evaluated",
        point => point,
    };
    let mut node = home.start_armed(first).await;
    let body = event_body("deal.won", "{\"n\":1}", None);
    // The node may die before its answer has left.
    let _ = node.caller().try_post("/v1/events", body).await;
    node.dies().await;
    if first != point {
        home.run_until_death(point).await;
    }

    let node = home.start().await;
    let requests = receiver.wait_for(1).await;
    home.until_settled().await;
    assert_eq!(receiver.count(), 1, "{point}");
    assert_eq!(requests[0].body, "{\"n\":1}", "{point}");
    let flagged = requests[0].webhook_id();
    let shown = node.caller().get(&format!("/v1/events/{flagged}")).await;
    let cause: Value = shown.expect(200)["cause"].clone();
    assert_eq!(cause["automation"], own, "{point}");
    let said = node
        .caller()
        .get(&format!("/v1/events/{flagged}/evaluations"))
        .await
        .expect(200);
    let mut said = said["data"].as_array().expect("a list").iter();
    let refused = said.any(|it| it["verdict"] == "loop_refused");
    assert!(
        refused,
        "{point}: what led to it is known after the death, too"
    );
    node.stop().await;
    for (sql, count) in [
        ("SELECT COUNT(*) FROM events", 2),
        ("SELECT COUNT(*) FROM causes", 1),
        ("SELECT COUNT(*) FROM evaluations", 2),
        ("SELECT COUNT(*) FROM inbox", 0),
        ("SELECT COUNT(*) FROM deliveries", 1),
    ] {
        assert_eq!(home.number(sql).await, count, "{point}: {sql}");
    }
}
