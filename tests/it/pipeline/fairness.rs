//! Whatever some endpoints do, dead, slow or flooded, others get theirs: told by who is served while nothing of the
//! dead ones ever comes back.

use throwbar::model::{AccountId, EndpointId};
use throwbar::store::{DeliveryFilter, NewEvent};

use crate::support::answers::{Answer, Gate};
use crate::support::app::TestApp;
use crate::support::publishing::{retrying, settings};
use crate::support::store::ok;

const DEAD: usize = 10;
const BURST: usize = 60;

fn arrived(app: &TestApp, path: &str) -> usize {
    let requests = app.receiver.requests();
    requests.iter().filter(|one| one.target == path).count()
}

/// Returns when so many have come to this path.
async fn until_arrived(app: &TestApp, path: &str, count: usize) {
    let mut seen = app.receiver.count();
    while arrived(app, path) < count {
        seen = app.receiver.wait_for(seen + 1).await.len();
    }
}

fn of(app: &TestApp, account: AccountId, event_type: &str) -> NewEvent {
    NewEvent {
        account,
        ..app.event(event_type, "{}")
    }
}

#[tokio::test]
async fn a_burst_to_many_dead_endpoints_keeps_nobody_waiting() {
    TestApp::on_both(async |app| {
        let (gate, slow) = (Gate::shut(), Gate::shut());
        for no in 0..DEAD {
            let path = format!("/dead/{no}");
            app.receiver
                .always(&path, Answer::status(204).behind(&gate));
            app.subscriber(&path, &["loud"], settings()).await;
        }
        app.receiver
            .always("/slow", Answer::status(204).behind(&slow));
        app.subscriber("/slow", &["loud", "calm"], settings()).await;
        app.subscriber("/well", &["calm"], settings()).await;
        let mut calm = Vec::new();
        for no in 0..3 {
            let (account, _) = app.new_account().await;
            app.subscriber_of(account, &format!("/calm/{no}"), &["*"], settings())
                .await;
            calm.push(account);
        }
        let flood = (0..BURST).map(|_| app.event("loud", "{}")).collect();
        assert!(app.accept(flood).await.iter().all(Result::is_ok));
        // All that are dead hold what they may hold.
        for no in 0..DEAD {
            until_arrived(app, &format!("/dead/{no}"), 1).await;
        }
        // One of each account, the loud one among them, and again behind those.
        for round in 1..=5 {
            let mut events: Vec<_> = calm.iter().map(|id| of(app, *id, "calm")).collect();
            events.push(app.event("calm", "{}"));
            assert!(app.accept(events).await.iter().all(Result::is_ok));
            until_arrived(app, "/well", round).await;
            for no in 0..calm.len() {
                until_arrived(app, &format!("/calm/{no}"), round).await;
            }
        }
        slow.open();
        until_arrived(app, "/slow", BURST + 5).await;
        assert!(
            arrived(app, "/dead/0") < BURST,
            "and those are dead all the while"
        );
        gate.open();
        app.settle().await;
        let all = DEAD * BURST + BURST + 5 + 4 * 5;
        assert_eq!(app.receiver.count(), all, "each has come, once");
    })
    .await;
}

async fn deliveries(app: &TestApp, endpoint: EndpointId, state: &str) -> usize {
    let filter = DeliveryFilter {
        endpoint: Some(endpoint),
        state: Some(state.to_owned()),
        ..DeliveryFilter::default()
    };
    let page = ok(app.store.deliveries(app.account, &filter, None, 1_000)).await;
    page.rows.len()
}

#[tokio::test]
async fn an_endpoint_that_goes_on_failing_gets_one_request_at_a_time_until_it_answers() {
    TestApp::on_both(async |app| {
        app.receiver.always("/hook", Answer::status(500));
        let hook = app.subscriber("/hook", &["*"], settings()).await;
        app.subscriber("/well", &["b.*"], settings()).await;
        for no in 0..5 {
            app.send_and_settle("a.b", no.to_string()).await;
        }
        assert_eq!(arrived(app, "/hook"), 5);
        let gate = Gate::shut();
        app.receiver
            .always("/hook", Answer::status(204).behind(&gate));
        let events = (0..20).map(|no| app.event("b.c", no.to_string())).collect();
        assert!(app.accept(events).await.iter().all(Result::is_ok));
        until_arrived(app, "/well", 20).await;
        until_arrived(app, "/hook", 6).await;
        assert_eq!(arrived(app, "/hook"), 6, "a probe");
        assert_eq!(
            deliveries(app, hook, "failed").await,
            5,
            "no attempt is used up"
        );
        gate.open();
        app.settle().await;
        assert_eq!(deliveries(app, hook, "delivered").await, 20);
    })
    .await;
}

#[tokio::test]
async fn a_retry_that_is_due_goes_at_its_time_though_the_circuit_is_open() {
    TestApp::on_both(async |app| {
        let delays = vec![1_000; 8];
        let policy = throwbar::retry::RetryPolicy::own(delays, 0).expect("within bounds");
        app.receiver.always("/hook", Answer::status(503));
        app.subscriber("/hook", &["*"], retrying(policy)).await;
        app.send_and_settle("a.b", "{}").await;
        for no in 1..=9 {
            assert_eq!(arrived(app, "/hook"), no, "each second one");
            app.advance(std::time::Duration::from_secs(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_storm_of_retries_leaves_room_for_first_attempts_and_they_for_retries() {
    const STORM: usize = 200;
    TestApp::on_both(async |app| {
        let policy = throwbar::retry::RetryPolicy::own(vec![1_000], 0).expect("within bounds");
        app.receiver.always("/hook", Answer::status(503));
        app.subscriber("/hook", &["*"], retrying(policy)).await;
        app.subscriber("/well", &["b.*"], settings()).await;
        let events = (0..STORM)
            .map(|no| app.event("a.b", no.to_string()))
            .collect();
        assert!(app.accept(events).await.iter().all(Result::is_ok));
        app.settle().await;
        assert_eq!(app.receiver.count(), STORM);
        // A probe hangs, and behind it all are due again before something fresh comes.
        let gate = Gate::shut();
        app.receiver
            .always("/hook", Answer::status(503).behind(&gate));
        app.send("a.b", "\"probe\"").await;
        app.receiver.wait_for(STORM + 1).await;
        app.clock.advance(std::time::Duration::from_millis(1_001));
        let fresh = (0..10).map(|_| app.event("b.c", "\"fresh\"")).collect();
        assert!(app.accept(fresh).await.iter().all(Result::is_ok));
        until_arrived(app, "/well", 10).await;
        gate.open();
        app.settle().await;
        let mut requests = app.receiver.requests();
        requests.retain(|one| one.target == "/hook");
        let is_fresh = |no: &usize| requests[*no].body.as_ref() == b"\"fresh\"";
        let places: Vec<usize> = (0..requests.len()).filter(is_fresh).collect();
        assert_eq!((places.len(), requests.len()), (10, 2 * STORM + 11));
        let last = places[9];
        assert!(last < STORM + 100, "not behind all retries: {places:?}");
        assert!(last > STORM + 20, "nor before all of them: {places:?}");
    })
    .await;
}
