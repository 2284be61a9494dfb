//! Deliveries in order: of a key one after the other, whatever becomes of each; others are not held up.

use std::time::Duration;

use throwbar::automation::Definition;
use throwbar::automation::flow::{Flow, Order};
use throwbar::model::{BEHIND, EndpointId};
use throwbar::retry::RetryPolicy;
use throwbar::store::{EndpointChange, EndpointState};

use crate::support::answers::{Answer, Gate};
use crate::support::app::TestApp;
use crate::support::publishing::{automation, retrying, settings, transform};
use crate::support::store::Engine;

/// An automation whose deliveries keep their order by the deal.
fn ordered(events: &[&str], endpoint: EndpointId) -> Definition {
    Definition {
        flow: Some(Flow {
            order: Some(Order {
                key: "event.data.deal".to_owned(),
            }),
            ..Flow::default()
        }),
        ..automation(events, &[endpoint])
    }
}

fn payload(deal: &str, no: u32) -> String {
    format!(r#"{{"deal":"{deal}","no":{no}}}"#)
}

/// What has arrived, in order.
fn arrived(app: &TestApp) -> Vec<String> {
    let requests = app.receiver.requests();
    let bodies = requests.iter().map(|request| request.body.to_vec());
    bodies
        .map(|body| String::from_utf8(body).expect("text"))
        .collect()
}

#[tokio::test]
async fn the_next_goes_when_the_one_before_is_delivered_or_has_failed_for_good() {
    TestApp::on_both(async |app| {
        let policy = RetryPolicy::own(vec![1_000], 0).expect("within bounds");
        let endpoint = app.endpoint("/hook", retrying(policy)).await;
        app.publish(&ordered(&["deal.*"], endpoint)).await;
        app.receiver.next("/hook", Answer::status(500));
        let first = app.send_and_settle("deal.won", payload("a", 1)).await;
        let second = app.send_and_settle("deal.won", payload("a", 2)).await;
        let third = app.send_and_settle("deal.lost", payload("a", 3)).await;
        assert_eq!(arrived(app), [payload("a", 1)], "others wait for its retry");
        assert_eq!(app.delivery(second).await.due_at, Some(BEHIND));
        app.send_and_settle("deal.won", payload("b", 1)).await;
        assert_eq!(arrived(app).last(), Some(&payload("b", 1)), "another key");

        for status in [500, 500, 500] {
            app.receiver.next("/hook", Answer::status(status));
        }
        app.advance(Duration::from_secs(1)).await;
        assert_eq!(app.delivery(first).await.state, "failed");
        assert_eq!(arrived(app)[2..], [payload("a", 1), payload("a", 2)]);
        app.advance(Duration::from_secs(1)).await;
        assert_eq!(app.delivery(second).await.state, "failed");
        assert_eq!(arrived(app)[4..], [payload("a", 2), payload("a", 3)]);
        assert_eq!(app.delivery(third).await.state, "delivered");
    })
    .await;
}

#[tokio::test]
async fn many_of_a_key_arrive_one_by_one_in_their_order() {
    TestApp::on_both(async |app| {
        let endpoint = app.endpoint("/hook", settings()).await;
        app.publish(&ordered(&["deal.*"], endpoint)).await;
        let gate = Gate::shut();
        app.receiver
            .next("/hook", Answer::status(204).behind(&gate));
        for no in 0..20 {
            app.send("deal.won", payload("a", no)).await;
        }
        app.receiver.wait_for(1).await;
        assert_eq!(arrived(app), [payload("a", 0)], "one is open");
        gate.open();
        app.settle().await;
        let expected: Vec<String> = (0..20).map(|no| payload("a", no)).collect();
        assert_eq!(arrived(app), expected);
    })
    .await;
}

#[tokio::test]
async fn what_is_held_lets_nobody_past() {
    TestApp::on_both(async |app| {
        let endpoint = app.endpoint("/hook", settings()).await;
        app.publish(&ordered(&["deal.*"], endpoint)).await;
        let switch = async |state: EndpointState| {
            let change = EndpointChange {
                state: Some(state),
                ..EndpointChange::default()
            };
            let now = app.clock.now();
            let changed = app
                .store
                .change_endpoint(app.account, endpoint, &change, now);
            assert!(changed.await.expect("it is written").is_some());
        };
        switch(EndpointState::Disabled { why: "by_user" }).await;
        let first = app.send_and_settle("deal.won", payload("a", 1)).await;
        assert_eq!(app.delivery(first).await.state, "held");
        switch(EndpointState::Enabled).await;
        let second = app.send_and_settle("deal.won", payload("a", 2)).await;
        app.send_and_settle("deal.won", payload("b", 1)).await;
        assert_eq!(arrived(app), [payload("b", 1)]);
        assert_eq!(app.delivery(second).await.due_at, Some(BEHIND));
    })
    .await;
}

#[tokio::test]
async fn outputs_of_a_chain_keep_their_order_and_a_missing_key_is_an_error() {
    TestApp::on_both(async |app| {
        let endpoint = app.endpoint("/hook", settings()).await;
        let redact = app.upload("redact", "plugins/components/redact.wasm").await;
        let definition = Definition {
            transforms: vec![transform("redact@1.0.0", redact, r#"{"remove":["/no"]}"#)],
            ..ordered(&["deal.*"], endpoint)
        };
        app.publish(&definition).await;
        app.send_and_settle("deal.won", payload("a", 1)).await;
        assert_eq!(arrived(app), [r#"{"deal":"a"}"#]);
        let event = app.send_and_settle("deal.won", "{}").await;
        let verdict = app.verdicts(event).await.remove(0);
        assert_eq!(verdict.verdict.as_str(), "flow_error");
        assert!(
            verdict.summary.contains("event.data.deal"),
            "{}",
            verdict.summary
        );
        assert_eq!(verdict.steps[0].what, "order");
    })
    .await;
}

#[tokio::test]
async fn an_order_outlives_the_node() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut app = TestApp::start(engine).await;
        let policy = RetryPolicy::own(vec![1_000], 0).expect("within bounds");
        let endpoint = app.endpoint("/hook", retrying(policy)).await;
        app.publish(&ordered(&["deal.*"], endpoint)).await;
        app.receiver.next("/hook", Answer::status(500));
        app.send_and_settle("deal.won", payload("a", 1)).await;
        app.send_and_settle("deal.won", payload("a", 2)).await;
        app.stop().await;
        app.wake().await;
        app.settle().await;
        assert_eq!(arrived(&app).len(), 1, "nobody is past the one that waits");
        app.advance(Duration::from_secs(1)).await;
        assert_eq!(arrived(&app)[1..], [payload("a", 1), payload("a", 2)]);
        app.finish().await;
    }
}
