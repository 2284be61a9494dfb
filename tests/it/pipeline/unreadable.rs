//! Stored things that can't be read: nothing is lost, nothing is guessed, and what waits for them goes on
//! by itself once somebody has mended them.

use std::sync::Arc;
use std::time::Duration;

use throwbar::envelope::Envelope;
use throwbar::model::{EndpointId, EventId};
use throwbar::pipeline::{EndpointSettings, Limits, Verdict};
use throwbar::retry::RetryPolicy;
use throwbar::signing::Scheme;
use throwbar::store::{EndpointChange, SettingsChange};
use throwbar::vault::{MasterKey, Vault};

use crate::support::answers::Answer;
use crate::support::app::TestApp;
use crate::support::publishing::{SECRET, automation, retrying, settings, transform};
use crate::support::store::{ok, on_both, some};

const A_MINUTE: Duration = Duration::from_mins(1);

/// It waits, and nothing was sent.
async fn assert_waits(app: &TestApp, event: EventId, requests: usize) {
    let delivery = app.delivery(event).await;
    assert_eq!(delivery.state, "pending");
    assert_eq!(app.receiver.requests().len(), requests);
}

async fn change_settings(app: &TestApp, endpoint: EndpointId, settings: &EndpointSettings) {
    let known = some(app.store.endpoint(app.account, endpoint)).await;
    let change = EndpointChange {
        settings: Some(SettingsChange {
            from: known.settings,
            to: serde_json::to_string(settings).expect("plain"),
            succeeded_at: None,
        }),
        ..EndpointChange::default()
    };
    let now = app.clock.now();
    let changed = app
        .store
        .change_endpoint(app.account, endpoint, &change, now);
    ok(changed).await.expect("it is there");
}

#[tokio::test]
async fn a_secret_that_can_not_be_opened_is_waited_for() {
    on_both(async |engine| {
        let mut app = TestApp::start(engine).await;
        let right = app.vault.clone();
        app.vault = Arc::new(Vault::new(MasterKey::from_random([8; 32]), Vec::new()));
        let endpoint = app.subscriber("/hook", &["*"], settings()).await;
        app.vault = right;
        let event = app.send_and_settle("a.b", "{}").await;
        assert_waits(&app, event, 0).await;
        app.advance(A_MINUTE).await;
        assert_waits(&app, event, 0).await;

        let now = app.clock.now();
        let (id, sealed) = app.sealed_secret(app.account, SECRET);
        ok(app
            .store
            .rotate_secret(app.account, endpoint, (id, sealed, now), now))
        .await;
        app.advance(A_MINUTE).await;
        let words = vec!["204".to_owned()];
        assert_eq!(app.outcome(event).await, ("delivered".to_owned(), words));
        app.assert_signed(&app.receiver.requests()[0], &Scheme::Standard, SECRET);
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn an_account_key_that_can_not_be_opened_is_waited_for_where_it_signs() {
    on_both(async |engine| {
        let mut app = TestApp::prepare(engine, Limits::default()).await;
        app.subscriber("/own-key", &["*"], settings()).await;
        let signed = EndpointSettings {
            signatures: vec![Scheme::from_words("body-hmac", None).expect("a scheme")],
            ..settings()
        };
        let endpoint = app.subscriber("/account-key", &["*"], signed).await;
        app.place
            .execute(
                "UPDATE accounts SET signing_key = (SELECT sealed FROM endpoint_secrets LIMIT 1)",
            )
            .await;
        app.wake().await;
        let event = app.send_and_settle("a.b", "{}").await;
        for delivery in app.deliveries(event).await {
            let waits = delivery.endpoint == endpoint;
            let wanted = if waits { "pending" } else { "delivered" };
            assert_eq!(delivery.state, wanted);
        }
        assert_eq!(app.receiver.requests().len(), 1);
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn settings_that_can_not_be_read_are_waited_for_and_the_body_is_as_they_said() {
    on_both(async |engine| {
        let mut app = TestApp::prepare(engine, Limits::default()).await;
        let endpoint = app.subscriber("/hook", &["*"], settings()).await;
        app.place
            .execute(r#"UPDATE endpoints SET settings = '{"envelope":"compact","of":"a newer version"}'"#)
            .await;
        app.wake().await;
        let event = app.send_and_settle("a.b", r#"{ "a" : 1 }"#).await;
        assert_waits(&app, event, 0).await;
        change_settings(&app, endpoint, &settings()).await;
        app.advance(A_MINUTE).await;
        assert_eq!(app.outcome(event).await.0, "delivered");
        assert_eq!(app.receiver.requests()[0].body, r#"{"a":1}"#);
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn an_envelope_that_can_not_be_read_is_waited_for_and_stops_no_neighbour() {
    on_both(async |engine| {
        let app = TestApp::start(engine).await;
        app.receiver.next("/hook", Answer::status(500));
        app.receiver.next("/hook", Answer::status(500));
        let policy = RetryPolicy::own(vec![1_000], 0).expect("within bounds");
        let wrapped = EndpointSettings {
            envelope: Envelope::Event,
            ..retrying(policy)
        };
        app.subscriber("/hook", &["*"], wrapped).await;
        let (odd, well) = (
            app.send_and_settle("a.odd", "{}").await,
            app.send_and_settle("a.well", "{}").await,
        );
        let envelope = async |word: &str| {
            let sql = format!(
                "UPDATE deliveries SET envelope = '{word}' WHERE event_id IN
                   (SELECT id FROM events WHERE type = 'a.odd')"
            );
            app.place.execute(&sql).await;
        };
        envelope("of-a-newer-version").await;
        app.advance(Duration::from_secs(1)).await;
        assert_eq!(app.outcome(well).await.0, "delivered");
        assert_waits(&app, odd, 3).await;
        envelope("event").await;
        app.advance(A_MINUTE).await;
        let words = ["500", "204"].map(str::to_owned).to_vec();
        assert_eq!(app.outcome(odd).await, ("delivered".to_owned(), words));
        let requests = app.receiver.requests();
        assert_eq!(requests[3].body, requests[0].body);
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn a_definition_that_can_not_be_read_is_a_verdict_about_what_it_names() {
    on_both(async |engine| {
        let app = TestApp::start(engine).await;
        let endpoint = app.endpoint("/hook", settings()).await;
        app.publish(&automation(&["deal.*"], &[endpoint])).await;
        app.place
            .execute(
                r#"UPDATE automation_versions SET definition = '{"trigger":{"events":["deal.*"]},"of":"a newer version"}'"#,
            )
            .await;
        let meant = app.send_and_settle("deal.won", "{}").await;
        let verdicts = app.verdicts(meant).await;
        assert_eq!(verdicts.len(), 1);
        assert_eq!(verdicts[0].verdict, Verdict::EvaluationError);
        assert!(
            verdicts[0].summary.contains("can't be read"),
            "{}",
            verdicts[0].summary
        );
        let other = app.send_and_settle("contact.made", "{}").await;
        assert_eq!(app.verdicts(other).await.len(), 0);
        assert_eq!(app.receiver.requests().len(), 0);
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn a_plugin_that_can_not_be_read_at_the_moment_is_no_verdict() {
    on_both(async |engine| {
        let limits = Limits {
            shutdown_ms: 300,
            ..Limits::default()
        };
        let mut app = TestApp::start_with(engine, limits).await;
        let endpoint = app.endpoint("/hook", settings()).await;
        let digest = app.upload("redact", "plugins/components/redact.wasm").await;
        let mut definition = automation(&["*"], &[endpoint]);
        let redacts = transform("redact@1.0.0", digest, r#"{"remove":["/secret"]}"#);
        definition.transforms.push(redacts);
        app.publish(&definition).await;
        app.place
            .execute("ALTER TABLE plugin_versions RENAME TO away")
            .await;
        let event = app.send("a.b", r#"{"secret":1}"#).await;
        // A verdict would be written before it has stopped.
        app.stop().await;
        let waits = ok(app.store.inbox_state(app.account, event)).await;
        assert_eq!(waits, Some(None), "in the inbox, and not set aside");
        app.wake().await;
        app.place
            .execute("ALTER TABLE away RENAME TO plugin_versions")
            .await;
        app.settle().await;
        assert_eq!(app.outcome(event).await.0, "delivered");
        assert_eq!(app.receiver.requests()[0].body, "{}");
        app.finish().await;
    })
    .await;
}
