//! Retries, by the clock: each delay counted from the failure before, to the millisecond.

use std::time::Duration;

use throwbar::automation::Definition;
use throwbar::model::EventId;
use throwbar::retry::{Exponential, Factor, RetryPolicy, Rule};
use throwbar::signing::Scheme;
use throwbar::store::Delivery;

use crate::support::answers::Answer;
use crate::support::app::TestApp;
use crate::support::before_hanging;
use crate::support::making;
use crate::support::publishing::{SECRET, automation, retrying, settings, transform};
use crate::support::store::{ok, on_both};

/// An event that was attempted once and failed.
async fn failed_once(app: &TestApp, policy: RetryPolicy) -> EventId {
    app.subscriber("/hook", &["*"], retrying(policy)).await;
    app.send_and_settle("a.b", "{\"n\": 1}").await
}

/// Nothing a millisecond before, the next attempt at the time.
async fn next_after(app: &TestApp, delay: Duration) {
    let before = app.receiver.requests().len();
    app.advance(delay.saturating_sub(Duration::from_millis(1)))
        .await;
    assert_eq!(
        app.receiver.requests().len(),
        before,
        "not before {delay:?}"
    );
    app.advance(Duration::from_millis(1)).await;
    assert_eq!(app.receiver.requests().len(), before + 1, "at {delay:?}");
}

/// The event's delivery, which was given up.
async fn exhausted(app: &TestApp, event: EventId) -> Delivery {
    let delivery = app.delivery(event).await;
    assert_eq!(
        (delivery.state.as_str(), delivery.failure.as_deref()),
        ("failed", Some("exhausted"))
    );
    delivery
}

/// Every attempt carried the same id and body, and a signature of its own time.
fn assert_alike(app: &TestApp) {
    let requests = app.receiver.requests();
    for request in &requests {
        assert_eq!(request.webhook_id(), requests[0].webhook_id());
        assert_eq!(request.body, requests[0].body);
    }
    app.assert_signed(
        requests.last().expect("attempted"),
        &Scheme::Standard,
        SECRET,
    );
}

#[tokio::test]
async fn eight_steps_deliver_at_the_fourth_after_35_minutes_and_5_seconds() {
    TestApp::on_both(async |app| {
        for status in [500, 502, 404] {
            app.receiver.next("/hook", Answer::status(status));
        }
        let start = app.clock.now();
        let event = failed_once(app, RetryPolicy::EightStep).await;
        for delay in [
            Duration::from_secs(5),
            Duration::from_mins(5),
            Duration::from_mins(30),
        ] {
            assert_eq!(app.delivery(event).await.state, "pending");
            next_after(app, delay).await;
        }
        assert_eq!(app.clock.now().ms_since(start), 35 * 60_000 + 5_000);
        let words = ["500", "502", "404", "204"].map(str::to_owned).to_vec();
        assert_eq!(app.outcome(event).await, ("delivered".to_owned(), words));
        let attempts = app.attempts(app.delivery(event).await.id).await;
        assert_eq!(
            attempts
                .iter()
                .map(|attempt| attempt.no)
                .collect::<Vec<_>>(),
            [1, 2, 3, 4]
        );
        assert_alike(app);
        app.advance(Duration::from_hours(48)).await;
        assert_eq!(app.receiver.requests().len(), 4, "delivered is delivered");
    })
    .await;
}

#[tokio::test]
async fn eight_steps_end_as_exhausted_after_27_hours_and_35_minutes() {
    TestApp::on_both(async |app| {
        app.receiver.always("/hook", Answer::status(503));
        let event = failed_once(app, RetryPolicy::EightStep).await;
        for delay in RetryPolicy::EightStep.delays() {
            next_after(app, Duration::from_millis(delay as u64)).await;
        }
        let delivery = exhausted(app, event).await;
        assert_eq!(
            (delivery.attempts_made, delivery.settled_at),
            (8, Some(app.clock.now()))
        );
        assert_alike(app);
        app.advance(Duration::from_hours(100)).await;
        assert_eq!(app.receiver.requests().len(), 8);
    })
    .await;
}

#[tokio::test]
async fn three_steps_are_at_0_10_and_110_seconds() {
    TestApp::on_both(async |app| {
        app.receiver.always("/hook", Answer::status(500));
        let event = failed_once(app, RetryPolicy::ThreeStep).await;
        next_after(app, Duration::from_secs(10)).await;
        next_after(app, Duration::from_secs(100)).await;
        exhausted(app, event).await;
    })
    .await;
}

#[tokio::test]
async fn own_delays_are_lengthened_by_their_jitter_at_most() {
    TestApp::on_both(async |app| {
        app.receiver.always("/hook", Answer::status(500));
        let policy = RetryPolicy::own(vec![1_000, 0, 60_000], 50).expect("within bounds");
        let event = failed_once(app, policy).await;
        let wait_ms = async || {
            let due_at = app.delivery(event).await.due_at.expect("it waits");
            due_at.ms_since(app.clock.now())
        };
        let first = wait_ms().await;
        assert!((1_000..=1_500).contains(&first), "{first}");
        // The second delay is none at all: the third attempt follows at once.
        app.advance(Duration::from_millis(first as u64)).await;
        assert_eq!(app.receiver.requests().len(), 3);
        let third = wait_ms().await;
        assert!((60_000..=90_000).contains(&third), "{third}");
        app.advance(Duration::from_millis(third as u64)).await;
        exhausted(app, event).await;
    })
    .await;
}

#[tokio::test]
async fn retry_after_is_honoured_with_429_and_503_alone_and_only_lengthens() {
    TestApp::on_both(async |app| {
        let policy = RetryPolicy::own(vec![10_000; 5], 0).expect("within bounds");
        for (status, retry_after) in [
            (429, "60"),
            (503, "7200"),
            (500, "60"),
            (429, "1"),
            (503, "soon"),
        ] {
            app.receiver.next(
                "/hook",
                Answer::status(status).header("retry-after", retry_after),
            );
        }
        let event = failed_once(app, policy).await;
        for wait_s in [60, 7200, 10, 10, 10] {
            next_after(app, Duration::from_secs(wait_s)).await;
        }
        assert_eq!(app.delivery(event).await.state, "delivered");
    })
    .await;
}

#[tokio::test]
async fn exponential_delays_grow_up_to_their_longest() {
    TestApp::on_both(async |app| {
        app.receiver.always("/hook", Answer::status(500));
        let rule = Rule::Exponential(Exponential {
            first_ms: 1_000,
            factor: Factor::new(2.5).expect("within bounds"),
            cap_ms: 10_000,
            attempts: 6,
        });
        let policy = RetryPolicy::of(rule, 0, &[]).expect("within bounds");
        let event = failed_once(app, policy).await;
        for delay_ms in [1_000, 2_500, 6_250, 10_000, 10_000] {
            next_after(app, Duration::from_millis(delay_ms)).await;
        }
        assert_eq!(exhausted(app, event).await.attempts_made, 6);
    })
    .await;
}

#[tokio::test]
async fn after_a_final_status_no_further_attempt_is_made() {
    TestApp::on_both(async |app| {
        app.receiver.next("/hook", Answer::status(500));
        app.receiver.next("/hook", Answer::status(404));
        let policy = RetryPolicy::of(Rule::ThreeStep, 0, &[400, 404]).expect("within bounds");
        let event = failed_once(app, policy).await;
        next_after(app, Duration::from_secs(10)).await;
        let delivery = app.delivery(event).await;
        assert_eq!(
            (delivery.state.as_str(), delivery.failure.as_deref()),
            ("failed", Some("rejected"))
        );
        assert_eq!(delivery.settled_at, Some(app.clock.now()));
        app.advance(Duration::from_hours(1)).await;
        assert_eq!(app.receiver.requests().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn without_retries_one_failure_is_the_end() {
    TestApp::on_both(async |app| {
        app.receiver.always("/hook", Answer::status(500));
        app.subscriber("/hook", &["*"], settings()).await;
        let event = app.send_and_settle("a.b", "{}").await;
        exhausted(app, event).await;
    })
    .await;
}

#[tokio::test]
async fn a_resend_carries_the_same_id_and_body_whatever_became_of_the_first() {
    TestApp::on_both(async |app| {
        let endpoint = app.subscriber("/hook", &["*"], settings()).await;
        let event = app.send_and_settle("a.b", "{ \"n\": 1 }").await;
        let first = app.delivery(event).await;
        let again = making::delivery(event, endpoint, None).id;
        let now = app.clock.now();
        assert!(ok(app.store.resend(app.account, first.id, again, now)).await);
        app.pipeline().wake(app.account, endpoint, now);
        app.settle().await;
        let deliveries = app.deliveries(event).await;
        assert_eq!(deliveries.len(), 2);
        assert!(
            deliveries
                .iter()
                .all(|delivery| delivery.state == "delivered"),
            "the first one stays so"
        );
        assert_eq!(
            app.receiver.counts_by_webhook_id().get(&event.to_string()),
            Some(&2)
        );
        assert_alike(app);
    })
    .await;
}

#[tokio::test]
async fn claimed_deliveries_that_can_not_be_read_at_the_moment_wait_and_others_go_on() {
    on_both(async |engine| {
        let app = TestApp::start(engine).await;
        app.receiver.next("/made", Answer::status(500));
        let policy = RetryPolicy::own(vec![1_000], 0).expect("within bounds");
        let endpoint = app.endpoint("/made", retrying(policy)).await;
        let digest = app.upload("hostile", "tests/fixtures/hostile.wasm").await;
        let made = Definition {
            transforms: vec![transform(
                "hostile@1.0.0",
                digest,
                r#"{"do":"say","text":"1"}"#,
            )],
            ..automation(&["made.*"], &[endpoint])
        };
        app.publish(&made).await;
        app.subscriber("/plain", &["plain.*"], settings()).await;
        let event = app.send_and_settle("made.one", "{}").await;
        assert_eq!(app.delivery(event).await.state, "pending");

        app.place.execute("ALTER TABLE bodies RENAME TO away").await;
        app.clock.advance(Duration::from_secs(1));
        before_hanging("the claim", async {
            while app.delivery(event).await.state != "claimed" {
                tokio::task::yield_now().await;
            }
        })
        .await;
        app.send("plain.one", "2").await;
        app.receiver.wait_for(2).await;
        assert!(app.pipeline().is_alive());
        assert_eq!(app.delivery(event).await.state, "claimed");

        app.place.execute("ALTER TABLE away RENAME TO bodies").await;
        app.settle().await;
        let attempts = vec!["500".to_owned(), "204".to_owned()];
        assert_eq!(app.outcome(event).await, ("delivered".to_owned(), attempts));
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn claimed_deliveries_that_can_not_be_read_are_handed_back_by_a_node_that_stops() {
    on_both(async |engine| {
        let mut app = TestApp::start(engine).await;
        app.receiver.next("/made", Answer::status(500));
        let policy = RetryPolicy::own(vec![1_000], 0).expect("within bounds");
        app.subscriber("/made", &["*"], retrying(policy)).await;
        let event = app.send_and_settle("a.b", "1").await;
        app.place.execute("ALTER TABLE events RENAME TO away").await;
        app.clock.advance(Duration::from_secs(1));
        before_hanging("the claim", async {
            while app.delivery(event).await.state != "claimed" {
                tokio::task::yield_now().await;
            }
        })
        .await;
        app.stop().await;
        assert_eq!(app.delivery(event).await.state, "pending");
        app.place.execute("ALTER TABLE away RENAME TO events").await;
        app.wake().await;
        app.settle().await;
        let attempts = vec!["500".to_owned(), "204".to_owned()];
        assert_eq!(app.outcome(event).await, ("delivered".to_owned(), attempts));
        app.finish().await;
    })
    .await;
}
