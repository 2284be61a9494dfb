//! Endpoints that are switched off, removed, or say that they are gone: what waits for them is
//! kept back.

use std::time::Duration;

use throwbar::failure::FailurePolicy;
use throwbar::model::{EndpointId, EventId};
use throwbar::pipeline::{EndpointSettings, Limits};
use throwbar::retry::RetryPolicy;
use throwbar::store::{EndpointChange, EndpointState, Switch};

use crate::support::answers::{Answer, Gate};
use crate::support::app::TestApp;
use crate::support::publishing::{retrying, settings};
use crate::support::store::{ok, on_both, some};

/// An endpoint with one delivery that failed and waits for its retry in ten seconds.
async fn one_waiting(app: &TestApp) -> (EndpointId, EventId) {
    app.receiver.next("/hook", Answer::status(500));
    let policy = RetryPolicy::own(vec![10_000; 3], 0).expect("within bounds");
    let endpoint = app.subscriber("/hook", &["*"], retrying(policy)).await;
    let event = app.send_and_settle("a.b", "{}").await;
    assert_eq!(app.outcome(event).await.0, "pending");
    (endpoint, event)
}

async fn switch(app: &TestApp, endpoint: EndpointId, state: EndpointState) {
    let change = EndpointChange {
        state: Some(state),
        ..EndpointChange::default()
    };
    change_endpoint(app, endpoint, change).await;
}

async fn change_endpoint(app: &TestApp, endpoint: EndpointId, change: EndpointChange) {
    let changed = app
        .store
        .change_endpoint(app.account, endpoint, &change, app.clock.now())
        .await;
    changed.expect("written").expect("it is there");
}

async fn remove(app: &TestApp, endpoint: EndpointId) {
    let now = app.clock.now();
    let gone = app.store.delete_endpoint(app.account, endpoint, now);
    assert!(ok(gone).await, "it was there");
}

#[tokio::test]
async fn a_410_disables_at_once_and_what_waits_is_held() {
    TestApp::on_both(async |app| {
        let (endpoint, waiting) = one_waiting(app).await;
        app.receiver.next("/hook", Answer::status(410));
        let gone = app.send_and_settle("a.b", "{}").await;
        let delivery = app.delivery(gone).await;
        assert_eq!(
            (delivery.state.as_str(), delivery.failure.as_deref()),
            ("failed", Some("gone"))
        );
        let row = some(app.store.endpoint(app.account, endpoint)).await;
        assert_eq!(
            (row.state.as_str(), row.disabled_why.as_deref()),
            ("disabled", Some("gone"))
        );

        let later = app.send_and_settle("a.b", "{}").await;
        assert_eq!(app.outcome(later).await, ("held".to_owned(), Vec::new()));
        app.advance(Duration::from_secs(10)).await;
        assert_eq!(app.outcome(waiting).await.0, "held");
        assert_eq!(app.receiver.requests().len(), 2, "nothing more is sent");
    })
    .await;
}

#[tokio::test]
async fn what_is_due_at_a_disabled_endpoint_is_held() {
    TestApp::on_both(async |app| {
        let (endpoint, waiting) = one_waiting(app).await;
        switch(app, endpoint, EndpointState::Disabled { why: "by_user" }).await;
        let fresh = app.send_and_settle("a.b", "{}").await;
        assert_eq!(app.outcome(fresh).await, ("held".to_owned(), Vec::new()));
        assert_eq!(app.outcome(waiting).await.0, "pending", "not due yet");
        app.advance(Duration::from_secs(10)).await;
        assert_eq!(app.outcome(waiting).await.0, "held");

        switch(app, endpoint, EndpointState::Enabled).await;
        let after = app.send_and_settle("a.b", "{}").await;
        assert_eq!(app.outcome(after).await.0, "delivered");
        assert_eq!(
            app.outcome(fresh).await.0,
            "held",
            "until somebody recovers it"
        );
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_a_removed_endpoint_is_cancelled() {
    TestApp::on_both(async |app| {
        let (endpoint, waiting) = one_waiting(app).await;
        remove(app, endpoint).await;
        app.pipeline().wake(app.account, endpoint, app.clock.now());
        app.settle().await;
        assert_eq!(app.outcome(waiting).await.0, "cancelled");
        let fresh = app.send_and_settle("a.b", "{}").await;
        assert!(
            app.deliveries(fresh).await.is_empty(),
            "its subscription went with it"
        );
    })
    .await;
}

#[tokio::test]
async fn an_automation_that_names_a_removed_endpoint_cancels_for_it_alone() {
    TestApp::on_both(async |app| {
        let (gone, stays) = (
            app.endpoint("/gone", settings()).await,
            app.endpoint("/stays", settings()).await,
        );
        app.publish(&crate::support::publishing::automation(
            &["*"],
            &[gone, stays],
        ))
        .await;
        remove(app, gone).await;
        let event = app.send_and_settle("a.b", "{}").await;
        for delivery in app.deliveries(event).await {
            let wanted = if delivery.endpoint == gone {
                "cancelled"
            } else {
                "delivered"
            };
            assert_eq!(delivery.state, wanted);
        }
        assert_eq!(app.receiver.requests().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_account_that_is_switched_off_holds_everything() {
    TestApp::on_both(async |app| {
        let (_, waiting) = one_waiting(app).await;
        some(app.store.switch_account(app.account, Switch::Off)).await;
        let fresh = app.send_and_settle("a.b", "{}").await;
        assert_eq!(app.outcome(fresh).await, ("held".to_owned(), Vec::new()));
        app.advance(Duration::from_secs(10)).await;
        assert_eq!(app.outcome(waiting).await.0, "held");
        some(app.store.switch_account(app.account, Switch::On)).await;
        let after = app.send_and_settle("a.b", "{}").await;
        assert_eq!(app.outcome(after).await.0, "delivered");
    })
    .await;
}

#[tokio::test]
async fn five_days_without_one_success_disable() {
    TestApp::on_both(async |app| {
        let settings = EndpointSettings {
            failure_policy: FailurePolicy::FiveDays,
            ..settings()
        };
        let endpoint = app.subscriber("/hook", &["*"], settings).await;
        let state = async || some(app.store.endpoint(app.account, endpoint)).await.state;
        app.receiver.always("/hook", Answer::status(500));
        app.send_and_settle("a.b", "{}").await;
        app.advance(Duration::from_millis(5 * 24 * 3_600_000 - 1))
            .await;
        app.send_and_settle("a.b", "{}").await;
        assert_eq!(state().await, "enabled");
        app.advance(Duration::from_millis(1)).await;
        app.send_and_settle("a.b", "{}").await;
        assert_eq!(state().await, "disabled");
    })
    .await;
}

#[tokio::test]
async fn a_retry_goes_where_the_endpoint_is_now() {
    TestApp::on_both(async |app| {
        let (endpoint, waiting) = one_waiting(app).await;
        let change = EndpointChange {
            url: Some(app.receiver.url("/moved")),
            ..EndpointChange::default()
        };
        change_endpoint(app, endpoint, change).await;
        app.advance(Duration::from_secs(10)).await;
        assert_eq!(app.outcome(waiting).await.0, "delivered");
        let targets: Vec<_> = app
            .receiver
            .requests()
            .into_iter()
            .map(|request| request.target)
            .collect();
        assert_eq!(targets, ["/hook", "/moved"]);
    })
    .await;
}

#[tokio::test]
async fn a_late_410_of_the_old_url_leaves_the_new_one_alone() {
    TestApp::on_both(async |app| {
        let gate = Gate::shut();
        app.receiver.next("/old", Answer::status(410).behind(&gate));
        let endpoint = app.subscriber("/old", &["*"], settings()).await;
        let late = app.send("a.b", "1").await;
        app.receiver.wait_for(1).await;
        app.clock.advance(Duration::from_millis(1));
        let change = EndpointChange {
            url: Some(app.receiver.url("/new")),
            ..EndpointChange::default()
        };
        change_endpoint(app, endpoint, change).await;
        gate.open();
        app.settle().await;
        assert_eq!(app.delivery(late).await.failure.as_deref(), Some("gone"));
        let row = some(app.store.endpoint(app.account, endpoint)).await;
        assert_eq!(row.state, "enabled");
        let fresh = app.send_and_settle("a.b", "2").await;
        assert_eq!(app.outcome(fresh).await.0, "delivered");
    })
    .await;
}

#[tokio::test]
async fn a_removal_that_nobody_lived_to_finish_is_finished_at_the_next_start() {
    on_both(async |engine| {
        let mut app = TestApp::prepare(engine, Limits::default()).await;
        let endpoint = app.subscriber("/hook", &["*"], settings()).await;
        switch(&app, endpoint, EndpointState::Disabled { why: "by_user" }).await;
        app.wake().await;
        let held = app.send_and_settle("a.b", "{}").await;
        assert_eq!(app.outcome(held).await.0, "held");
        let now = app.clock.now();
        assert!(ok(app.store.delete_endpoint(app.account, endpoint, now)).await);
        app.stop().await;
        app.wake().await;
        app.settle().await;
        assert_eq!(app.outcome(held).await.0, "cancelled");
        app.finish().await;
    })
    .await;
}
