//! An endpoint's limits: never more than it states, at once and in a time, of all nodes together; and what is over them
//! waits without a place.

use std::time::Duration;

use throwbar::model::EndpointId;
use throwbar::pipeline::{EndpointSettings, Limits, Pipeline};
use throwbar::store::{Delivery, DeliveryFilter};
use throwbar::throttle::{EndpointLimits, Rate};

use crate::support::answers::{Answer, Gate};
use crate::support::app::{TestApp, parts};
use crate::support::before_hanging;
use crate::support::publishing::{retrying, settings};
use crate::support::store::{Engine, ok};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

fn limited(concurrency: Option<u32>, per_second: Option<u32>) -> EndpointSettings {
    let rate = per_second.map(|count| Rate {
        per_second: Some(count),
        per_minute: None,
    });
    EndpointSettings {
        limits: EndpointLimits { concurrency, rate },
        ..settings()
    }
}

/// Events of this type, offered all at once.
async fn burst(app: &TestApp, event_type: &str, count: usize) {
    let events = (0..count).map(|no| app.event(event_type, no.to_string()));
    assert!(app.accept(events.collect()).await.iter().all(Result::is_ok));
}

async fn pending(app: &TestApp, endpoint: EndpointId) -> Vec<Delivery> {
    let filter = DeliveryFilter {
        endpoint: Some(endpoint),
        state: Some("pending".to_owned()),
        ..DeliveryFilter::default()
    };
    ok(app.store.deliveries(app.account, &filter, None, 1_000))
        .await
        .rows
}

#[tokio::test]
async fn what_is_over_the_rate_waits_in_the_store_until_there_is_room() {
    TestApp::on_both(async |app| {
        // What an endpoint from before a node's life may have had lately, nobody knows.
        app.advance(MILLISECOND).await;
        let hook = app
            .subscriber("/hook", &["*"], limited(None, Some(3)))
            .await;
        burst(app, "a.b", 8).await;
        app.settle().await;
        assert_eq!(app.receiver.count(), 3);
        let waits = pending(app, hook).await;
        let then = app.clock.now().plus_ms(1_000);
        assert!(waits.iter().all(|delivery| delivery.due_at == Some(then)));
        assert_eq!(waits.len(), 5);
        app.advance(Duration::from_millis(999)).await;
        assert_eq!(app.receiver.count(), 3);
        for count in [6, 8, 8] {
            app.advance(if count == 6 { MILLISECOND } else { SECOND })
                .await;
            assert_eq!(app.receiver.count(), count);
        }
        // Nothing waits any more, and nothing was sent for a second: one comes and goes at once.
        app.send_and_settle("a.b", "9").await;
        assert_eq!(app.receiver.count(), 9);
        assert!(
            app.receiver
                .counts_by_webhook_id()
                .values()
                .all(|count| *count == 1)
        );
    })
    .await;
}

#[tokio::test]
async fn retries_count_like_first_attempts() {
    TestApp::on_both(async |app| {
        app.advance(MILLISECOND).await;
        let policy = throwbar::retry::RetryPolicy::own(vec![1_000], 0).expect("within bounds");
        let settings = EndpointSettings {
            limits: limited(None, Some(2)).limits,
            ..retrying(policy)
        };
        app.subscriber("/hook", &["*"], settings).await;
        for _ in 0..2 {
            app.receiver.next("/hook", Answer::status(500));
        }
        burst(app, "a.b", 2).await;
        app.settle().await;
        assert_eq!(app.receiver.count(), 2);
        // Both are due again with a fresh one beside them.
        app.clock.advance(SECOND);
        burst(app, "a.b", 1).await;
        app.settle().await;
        assert_eq!(app.receiver.count(), 4);
        app.advance(SECOND).await;
        assert_eq!(app.receiver.count(), 5);
    })
    .await;
}

#[tokio::test]
async fn no_more_requests_are_open_at_once_than_the_endpoint_states() {
    TestApp::on_both(async |app| {
        app.advance(MILLISECOND).await;
        let gate = Gate::shut();
        app.receiver
            .always("/few", Answer::status(204).behind(&gate));
        app.subscriber("/few", &["*"], limited(Some(2), None)).await;
        app.subscriber("/all", &["*"], settings()).await;
        burst(app, "a.b", 30).await;
        app.receiver.wait_for(32).await;
        // Whatever else was to be sent has come by then.
        burst(app, "a.b", 1).await;
        app.receiver.wait_for(33).await;
        let requests = app.receiver.requests();
        let few = requests.iter().filter(|one| one.target == "/few").count();
        assert_eq!(few, 2, "though thirty wait");
        gate.open();
        app.settle().await;
        assert_eq!(app.receiver.count(), 62);
    })
    .await;
}

#[tokio::test]
async fn a_node_that_starts_again_waits_for_what_it_may_have_sent_before() {
    crate::support::store::on_both(async |engine| {
        let mut app = TestApp::start(engine).await;
        app.advance(MILLISECOND).await;
        app.subscriber("/hook", &["*"], limited(None, Some(3)))
            .await;
        burst(&app, "a.b", 3).await;
        app.settle().await;
        assert_eq!(app.receiver.count(), 3);
        app.clock.advance(MILLISECOND);
        app.stop().await;
        app.wake().await;
        burst(&app, "a.b", 3).await;
        app.advance(Duration::from_millis(999)).await;
        assert_eq!(app.receiver.count(), 3, "the window is not over");
        // Where other nodes may be, it also waits until they know of it.
        app.advance(6 * SECOND + MILLISECOND).await;
        assert_eq!(app.receiver.count(), 6);
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn a_rate_holds_for_all_nodes_together() {
    const EVENTS: usize = 30;
    let app = TestApp::start(Engine::Postgres).await;
    let other = Pipeline::start(parts(
        app.place.another().await,
        &app.clock,
        Limits::default(),
    ));
    let other = before_hanging("the start", other).await.expect("it starts");
    before_hanging("both to know each other", async {
        while app.pipeline().nodes() + other.nodes() < 4 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    app.subscriber("/hook", &["*"], limited(None, Some(4)))
        .await;
    app.advance(10 * SECOND).await;
    for pipeline in [app.pipeline(), &other] {
        let events = (0..EVENTS / 2).map(|no| app.event("a.b", no.to_string()));
        let answers = before_hanging("the acknowledgements", pipeline.accept(events.collect()));
        assert!(answers.await.iter().all(Result::is_ok));
    }
    let (mut count, mut steps) = (0, 0);
    while count < EVENTS {
        app.settle().await;
        before_hanging("the other to settle", other.settle()).await;
        let now = app.receiver.count();
        assert!(now - count <= 4, "{now} after {count}");
        (count, steps) = (now, steps + 1);
        app.clock.advance(SECOND);
    }
    assert!(steps >= EVENTS / 4, "{steps}");
    before_hanging("the shutdown", other.shut_down())
        .await
        .expect("it stops");
    app.finish().await;
}
