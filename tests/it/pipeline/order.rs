//! Deliveries in order: of a key one after the other, whatever becomes of each; others are not held up.

use std::time::Duration;

use throwbar::automation::Definition;
use throwbar::automation::flow::{Flow, Order};
use throwbar::model::{BEHIND, EndpointId};
use throwbar::retry::RetryPolicy;
use throwbar::store::{EndpointChange, EndpointState, Removal, Switch, Variable};

use crate::support::answers::{Answer, Gate};
use crate::support::app::{TestApp, explained};
use crate::support::publishing::{automation, retrying, settings, transform};
use crate::support::store::{Engine, ok, some};

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

async fn switch(app: &TestApp, endpoint: EndpointId, state: EndpointState) {
    let change = EndpointChange {
        state: Some(state),
        ..EndpointChange::default()
    };
    let now = app.clock.now();
    some(
        app.store
            .change_endpoint(app.account, endpoint, &change, now),
    )
    .await;
}

#[tokio::test]
async fn what_is_held_lets_nobody_past_and_goes_first_once_it_is_switched_on() {
    TestApp::on_both(async |app| {
        let endpoint = app.endpoint("/hook", settings()).await;
        app.publish(&ordered(&["deal.*"], endpoint)).await;
        let mut expected = Vec::new();
        for no in [0, 3] {
            if no == 0 {
                switch(app, endpoint, EndpointState::Disabled { why: "by_user" }).await;
            } else {
                some(app.store.switch_account(app.account, Switch::Off)).await;
            }
            let first = app.send_and_settle("deal.won", payload("a", no)).await;
            let second = app.send_and_settle("deal.won", payload("a", no + 1)).await;
            assert_eq!(app.delivery(first).await.state, "held");
            assert_eq!(app.delivery(second).await.due_at, Some(BEHIND));
            assert_eq!(arrived(app), expected);
            if no == 0 {
                switch(app, endpoint, EndpointState::Enabled).await;
            } else {
                some(app.store.switch_account(app.account, Switch::On)).await;
            }
            app.pipeline().look().await;
            app.send_and_settle("deal.won", payload("a", no + 2)).await;
            expected.extend((no..no + 3).map(|no| payload("a", no)));
            assert_eq!(arrived(app), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_soon_evaluated_does_not_overtake_what_takes_long() {
    TestApp::on_both(async |app| {
        let endpoint = app.endpoint("/hook", settings()).await;
        let redact = app.upload("redact", "plugins/components/redact.wasm").await;
        let slow = Definition {
            transforms: vec![transform("redact@1.0.0", redact, r#"{"remove":["/more"]}"#)],
            ..ordered(&["deal.slow"], endpoint)
        };
        app.publish(&slow).await;
        app.publish(&ordered(&["deal.fast"], endpoint)).await;
        let mut expected = Vec::new();
        for no in 0..10 {
            let (slow, fast) = (payload("a", 2 * no), payload("a", 2 * no + 1));
            let pair = vec![
                app.event("deal.slow", slow.replace('}', r#","more":1}"#)),
                app.event("deal.fast", fast.clone()),
            ];
            app.accept(pair).await;
            expected.extend([slow, fast]);
        }
        app.settle().await;
        assert_eq!(arrived(app), expected);
    })
    .await;
}

#[tokio::test]
async fn what_waits_never_goes_without_its_order() {
    TestApp::on_both(async |app| {
        let endpoint = app.endpoint("/hook", settings()).await;
        let variable = Variable {
            name: "pre".to_owned(),
            value: Some(r#""deal ""#.to_owned()),
            sealed: None,
            created_at: app.clock.now(),
            updated_at: app.clock.now(),
        };
        ok(app.store.create_variable(app.account, &variable)).await;
        let flow = r#"{"delay":{"for_ms":4000},"order":{"key":"vars.pre + event.data.deal"}}"#;
        let mut definition = automation(&["deal.*"], &[endpoint]);
        definition.flow = Some(serde_json::from_str(flow).expect("a flow"));
        let id = app.publish(&definition).await;
        let first = app.send_and_settle("deal.won", payload("a", 1)).await;
        app.advance(Duration::from_secs(4)).await;
        assert_eq!(arrived(app), [payload("a", 1)]);
        let waits = app.send_and_settle("deal.won", payload("a", 2)).await;
        definition.flow = None;
        app.publish_again(id, &definition).await;
        let used = ok(app.store.delete_variable(app.account, "pre")).await;
        assert!(matches!(used, Removal::InUse(_)), "{used:?}");

        // Whatever becomes of the variable.
        app.place.execute("DELETE FROM variables").await;
        app.advance(Duration::from_secs(4)).await;
        assert_eq!(arrived(app).len(), 1);
        for (event, verdict, part) in [(first, "fired", "it went"), (waits, "flow_error", "`pre`")]
        {
            let late = ok(app.store.flow_records(app.account, event))
                .await
                .remove(0)
                .late;
            let late = explained(&late.expect("it has ended"));
            assert_eq!(late[0].verdict.as_str(), verdict);
            assert!(late[0].summary.contains(part), "{}", late[0].summary);
            assert_eq!(late[0].steps[0].what, "order");
        }
        let used = ok(app.store.delete_variable(app.account, "pre")).await;
        assert_eq!(used, Removal::Missing);
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
