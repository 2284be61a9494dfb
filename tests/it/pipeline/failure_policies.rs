//! When endpoints are given up, by the clock: each policy on its whole way, told by operational events.

use std::num::NonZeroU32;
use std::time::Duration;

use throwbar::failure::FailurePolicy;
use throwbar::model::EndpointId;
use throwbar::pipeline::EndpointSettings;
use throwbar::store::{EndpointChange, EndpointState};

use super::emissions::events;
use super::failures::{count, told};
use crate::support::answers::Answer;
use crate::support::app::TestApp;
use crate::support::publishing::settings;
use crate::support::store::{ok, some};

/// In milliseconds, as all waits here.
const HOUR: u64 = 3_600_000;
const WARNED: &str = "throwbar.endpoint.warned";
const DISABLED: &str = "throwbar.endpoint.disabled";

/// An endpoint under this policy that takes what it is sent.
async fn subscriber(app: &TestApp, failure_policy: FailurePolicy) -> EndpointId {
    let settings = EndpointSettings {
        failure_policy,
        ..settings()
    };
    app.subscriber("/hook", &["a.b"], settings).await
}

/// So much later one delivery is tried once, and answered so.
async fn after(app: &TestApp, wait_ms: u64, status: u16) {
    app.advance(Duration::from_millis(wait_ms)).await;
    app.receiver.always("/hook", Answer::status(status));
    app.send_and_settle("a.b", "{}").await;
}

/// The endpoint's state, and why.
async fn standing(app: &TestApp, id: EndpointId) -> (String, Option<String>) {
    let row = some(app.store.endpoint(app.account, id)).await;
    (row.state, row.disabled_why)
}

async fn is_failing(app: &TestApp, id: EndpointId) -> bool {
    standing(app, id).await == ("disabled".to_owned(), Some("failing".to_owned()))
}

/// What the warnings were, in order.
async fn warnings(app: &TestApp) -> Vec<(u64, u64)> {
    let mut warnings = Vec::new();
    for id in events(app, WARNED).await {
        let event = some(app.store.event(app.account, id)).await;
        let says: serde_json::Value = serde_json::from_slice(&event.payload).expect("JSON");
        let number = |field: &str| says[field].as_u64().expect("a number");
        warnings.push((number("warning"), number("failures")));
    }
    warnings.sort_unstable();
    warnings
}

async fn switch_on(app: &TestApp, id: EndpointId) {
    let change = EndpointChange {
        state: Some(EndpointState::Enabled),
        ..EndpointChange::default()
    };
    let now = app.clock.now();
    ok(app.store.change_endpoint(app.account, id, &change, now)).await;
}

#[tokio::test]
async fn the_ladder_warns_twice_and_disables_each_an_hour_after_the_last() {
    TestApp::on_both(async |app| {
        let own = subscriber(app, FailurePolicy::Ladder).await;
        after(app, 0, 204).await;
        after(app, 1, 500).await;
        after(app, 1, 500).await;
        // At an hour after the success nothing, over it the first warning: at the first failure there is.
        after(app, HOUR - 2, 500).await;
        assert!(warnings(app).await.is_empty());
        after(app, 1, 500).await;
        assert_eq!(warnings(app).await, [(1, 4)]);
        let says = told(app, WARNED).await;
        assert_eq!(says["endpoint"], own.to_string());
        let row = some(app.store.endpoint(app.account, own)).await;
        assert_eq!(
            says["failing_since"],
            row.failing_since.expect("it fails").to_string()
        );

        after(app, HOUR - 1, 500).await;
        assert_eq!(warnings(app).await, [(1, 4)]);
        after(app, 1, 500).await;
        assert_eq!(warnings(app).await, [(1, 4), (2, 6)]);

        after(app, HOUR - 1, 500).await;
        assert_eq!(standing(app, own).await.0, "enabled");
        after(app, 1, 500).await;
        assert!(is_failing(app, own).await);
        let says = told(app, DISABLED).await;
        assert_eq!(
            (&says["endpoint"], &says["why"]),
            (&own.to_string().into(), &"failing".into())
        );
        assert_eq!(
            warnings(app).await.len(),
            2,
            "the third is that it is disabled"
        );

        // Switched on again it is as new: the second failure warns, since there was no success.
        app.clock.advance(Duration::from_millis(1));
        switch_on(app, own).await;
        after(app, 1, 500).await;
        assert_eq!(warnings(app).await.len(), 2);
        after(app, 1, 500).await;
        assert_eq!(warnings(app).await, [(1, 2), (1, 4), (2, 6)]);
    })
    .await;
}

#[tokio::test]
async fn one_success_takes_an_endpoint_from_any_rung_to_the_ground() {
    TestApp::on_both(async |app| {
        let own = subscriber(app, FailurePolicy::Ladder).await;
        for wait in [1, 1, HOUR] {
            after(app, wait, 500).await;
        }
        assert_eq!(warnings(app).await, [(1, 2), (2, 3)]);
        after(app, HOUR - 1, 204).await;
        for wait in [1, 1, HOUR - 2] {
            after(app, wait, 500).await;
        }
        assert_eq!(standing(app, own).await.0, "enabled");
        assert_eq!(warnings(app).await.len(), 2, "an hour after the success");
        after(app, 1, 503).await;
        assert_eq!(warnings(app).await, [(1, 2), (1, 4), (2, 3)]);
        // One failure an hour after another: each rung is stood on.
        after(app, HOUR, 500).await;
        assert_eq!(standing(app, own).await.0, "enabled");
        after(app, HOUR, 500).await;
        assert!(is_failing(app, own).await);
        assert_eq!(count(app, DISABLED).await, 1);
    })
    .await;
}

#[tokio::test]
async fn so_many_failed_attempts_in_a_row_disable() {
    TestApp::on_both(async |app| {
        let three = FailurePolicy::Consecutive(NonZeroU32::new(3).expect("three"));
        let own = subscriber(app, three).await;
        for status in [500, 404, 204, 500, 302] {
            after(app, 1, status).await;
        }
        assert_eq!(standing(app, own).await.0, "enabled");
        after(app, 1, 500).await;
        assert!(is_failing(app, own).await);
        // What comes now is held, and counts as nothing.
        let held = app.send_and_settle("a.b", "{}").await;
        assert_eq!(app.outcome(held).await.0, "held");
        assert_eq!(count(app, DISABLED).await, 1);
        app.clock.advance(Duration::from_millis(1));
        switch_on(app, own).await;
        for _ in 0..2 {
            after(app, 1, 500).await;
        }
        assert_eq!(standing(app, own).await.0, "enabled", "it counts anew");
    })
    .await;
}

#[tokio::test]
async fn a_410_disables_under_every_policy() {
    let three = FailurePolicy::consecutive(3).expect("within bounds");
    for policy in [
        FailurePolicy::FiveDays,
        FailurePolicy::Ladder,
        three,
        FailurePolicy::Never,
    ] {
        TestApp::on_both(async |app| {
            let own = subscriber(app, policy).await;
            after(app, 1, 204).await;
            after(app, 1, 410).await;
            let gone = ("disabled".to_owned(), Some("gone".to_owned()));
            assert_eq!(standing(app, own).await, gone, "{policy:?}");
            assert_eq!(told(app, DISABLED).await["why"], "gone");
            assert_eq!(count(app, WARNED).await, 0);
        })
        .await;
    }
}

#[tokio::test]
async fn never_is_not_disabled_for_failing_however_long() {
    TestApp::on_both(async |app| {
        let own = subscriber(app, FailurePolicy::Never).await;
        for _ in 0..5 {
            after(app, 72 * HOUR, 500).await;
        }
        assert_eq!(standing(app, own).await.0, "enabled");
    })
    .await;
}
