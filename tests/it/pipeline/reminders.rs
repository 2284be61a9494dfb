//! Reminders of endpoints that stay disabled, by the clock; and what becomes of mails where there is no mail server.

use std::time::Duration;

use serde_json::Value;
use throwbar::alert::Alerts;
use throwbar::failure::FailurePolicy;
use throwbar::model::Clock;
use throwbar::pipeline::{Limits, Pipeline};
use throwbar::store::{EndpointChange, EndpointState, Store};

use super::emissions::events;
use super::failures::count;
use super::mails::{DEV, HOUR, after, alerts, alerts_over, fate, mails, round, subscriber};
use crate::support::app::{TestApp, parts};
use crate::support::mailbox::Mailbox;
use crate::support::store::{Engine, ok, some};

const DAY: u64 = 24 * HOUR;
const STILL: &str = "throwbar.endpoint.still_disabled";

#[tokio::test]
async fn that_an_endpoint_is_still_switched_off_is_told_three_times() {
    TestApp::on_both(async |app| {
        let mut mailbox = Mailbox::open().await;
        let alerts = alerts(app, &mailbox);
        subscriber(app, FailurePolicy::Never, &[DEV]).await;
        after(app, 0, 410).await;
        round(&alerts).await;
        mailbox.next().await;
        for (wait, days) in [
            (DAY - 1, None),
            (1, Some("after 1 day")),
            (2 * DAY - 1, None),
            (1, Some("after 3 days")),
            (4 * DAY, Some("after 7 days")),
            (90 * DAY, None),
        ] {
            app.advance(Duration::from_millis(wait)).await;
            round(&alerts).await;
            round(&alerts).await;
            if let Some(days) = days {
                let mail = mailbox.next().await;
                let about = mail.header("subject");
                assert!(about.ends_with(days), "{about}");
            }
        }
        assert_eq!(count(app, STILL).await, 3);
        // All of it is long ago, and forgotten.
        assert!(mails(app).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_switches_an_endpoint_by_hand_ends_its_reminders_and_is_not_told_of_it() {
    TestApp::on_both(async |app| {
        let mut mailbox = Mailbox::open().await;
        let alerts = alerts(app, &mailbox);
        let own = subscriber(app, FailurePolicy::Never, &[DEV]).await;
        after(app, 0, 410).await;
        round(&alerts).await;
        assert!(mailbox.next().await.header("subject").ends_with("410 Gone"));
        // After a long stand-still only the newest reminder.
        app.advance(Duration::from_millis(5 * DAY)).await;
        round(&alerts).await;
        assert!(
            mailbox
                .next()
                .await
                .header("subject")
                .ends_with("after 3 days")
        );
        for state in [
            EndpointState::Enabled,
            EndpointState::Disabled { why: "by_user" },
        ] {
            app.clock.advance(Duration::from_millis(1));
            let change = EndpointChange {
                state: Some(state),
                ..EndpointChange::default()
            };
            ok(app
                .store
                .change_endpoint(app.account, own, &change, app.clock.now()))
            .await;
            app.advance(Duration::from_millis(9 * DAY)).await;
            round(&alerts).await;
        }
        assert_eq!(count(app, STILL).await, 1);
        assert_eq!(mails(app).await.len(), 2);
        let reminder = events(app, STILL).await.remove(0);
        let event = some(app.store.event(app.account, reminder)).await;
        let says: Value = serde_json::from_slice(&event.payload).expect("JSON");
        assert_eq!((&says["why"], &says["day"]), (&"gone".into(), &3.into()));
    })
    .await;
}

#[tokio::test]
async fn without_a_mail_server_nothing_waits_and_reminders_are_told_all_the_same() {
    TestApp::on_both(async |app| {
        let quiet = Alerts::new(app.store.clone(), Clock::Manual(app.clock.clone()), None);
        subscriber(app, FailurePolicy::Never, &[DEV]).await;
        after(app, 0, 410).await;
        app.advance(Duration::from_millis(DAY)).await;
        round(&quiet).await;
        assert!(mails(app).await.is_empty());
        assert_eq!(count(app, STILL).await, 1);
        // One that was made before the mail server was taken out waits for three days.
        let mailbox = Mailbox::open().await;
        drop(alerts(app, &mailbox));
        app.advance(Duration::from_millis(2 * DAY)).await;
        round(&quiet).await;
        assert_eq!(fate(app, DEV).await.0, "collecting");
        app.advance(Duration::from_millis(3 * DAY + 1)).await;
        round(&quiet).await;
        let (state, tries, answer) = fate(app, DEV).await;
        assert_eq!((state.as_str(), tries), ("given_up", 0));
        assert!(answer.contains("smtp_url is not set"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn of_two_nodes_one_tells_each_reminder_and_sends_each_mail() {
    const ENDPOINTS: usize = 20;
    let app = TestApp::start(Engine::Postgres).await;
    let mut mailbox = Mailbox::open().await;
    let store = Store::open(&app.place.url()).await.expect("it opens");
    let other = parts(store.clone(), &app.clock, Limits::default());
    let pipeline = Pipeline::start(other).await.expect("it starts");
    let nodes = [
        alerts(&app, &mailbox),
        alerts_over(store.clone(), &app, &mailbox),
    ];
    for _ in 0..ENDPOINTS {
        subscriber(&app, FailurePolicy::Never, &[DEV]).await;
    }
    after(&app, 0, 410).await;
    for wait in [0, DAY] {
        app.advance(Duration::from_millis(wait)).await;
        tokio::join!(round(&nodes[0]), round(&nodes[1]));
        // What one has told in its round the other one may have been too early to send.
        round(&nodes[1]).await;
        for _ in 0..ENDPOINTS {
            mailbox.next().await;
        }
    }
    assert_eq!(count(&app, STILL).await, ENDPOINTS);
    let sent = mails(&app).await;
    assert_eq!(sent.len(), 2 * ENDPOINTS);
    for mail in sent {
        assert_eq!((mail.state.as_str(), mail.tries), ("sent", 1), "{mail:?}");
    }
    pipeline.settle().await;
    pipeline.shut_down().await.expect("it stops");
    app.finish().await;
}
