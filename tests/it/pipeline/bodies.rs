//! What arrives: once, signed, and byte for byte what was sent.

use throwbar::envelope::Envelope;
use throwbar::pipeline::{EndpointSettings, Verdict};
use throwbar::signing::Scheme;
use throwbar::store::KeyOf;

use crate::support::app::TestApp;
use crate::support::publishing::{SECRET, another_secret, automation, settings};

const ODD: &str = "{ \"a\" : 1,\"a\":2 , \"big\":123456789012345678901234567890.10e+400,\n\
    \t\"\\u0041\\u0000\\ud83e\\ude81\": \"Zoë 🪁 \\/ \u{2028}\", \"z\":[ ] ,\"e\":{} }";

#[tokio::test]
async fn an_event_reaches_its_subscriber_once_signed_and_unchanged() {
    TestApp::on_both(async |app| {
        let endpoint = app.subscriber("/hook", &["deal.*"], settings()).await;
        let event = app.send_and_settle("deal.won", ODD).await;

        let requests = app.receiver.requests();
        assert_eq!(requests.len(), 1);
        let request = &requests[0];
        assert_eq!(
            (request.method.as_str(), request.target.as_str()),
            ("POST", "/hook")
        );
        assert_eq!(request.body, ODD);
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(
            request.webhook_id(),
            event.to_string(),
            "its own subscription's id is the event's"
        );
        assert_eq!(request.header("svix-id"), Some(request.webhook_id()));
        app.assert_signed(request, &Scheme::Standard, SECRET);

        let delivery = app.delivery(event).await;
        assert_eq!(
            (delivery.endpoint, delivery.state.as_str()),
            (endpoint, "delivered")
        );
        assert_eq!(
            (delivery.attempts_made, delivery.settled_at),
            (1, Some(app.clock.now()))
        );
        assert_eq!(app.outcome(event).await.1, ["204"]);
        let verdicts = app.verdicts(event).await;
        assert_eq!(verdicts.len(), 1);
        assert_eq!(verdicts[0].verdict, Verdict::Fired);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_nobody_wants_is_kept_and_goes_nowhere() {
    TestApp::on_both(async |app| {
        app.subscriber("/hook", &["deal.won", "proposal.*"], settings())
            .await;
        let event = app.send_and_settle("deal.lost", "{}").await;
        assert!(app.deliveries(event).await.is_empty());
        assert!(app.verdicts(event).await.is_empty());
        assert!(app.receiver.requests().is_empty());
    })
    .await;
}

#[tokio::test]
async fn each_endpoint_gets_the_body_in_its_own_envelope() {
    TestApp::on_both(async |app| {
        for (path, envelope) in [
            ("/raw", Envelope::Raw),
            ("/compact", Envelope::Compact),
            ("/event", Envelope::Event),
        ] {
            app.subscriber(
                path,
                &["*"],
                EndpointSettings {
                    envelope,
                    ..settings()
                },
            )
            .await;
        }
        let at = app.clock.now();
        let event = app.send_and_settle("deal.won", ODD).await;
        let compact = "{\"a\":1,\"a\":2,\"big\":123456789012345678901234567890.10e+400,\
            \"\\u0041\\u0000\\ud83e\\ude81\":\"Zoë 🪁 \\/ \u{2028}\",\"z\":[],\"e\":{}}";
        let wrapped = format!("{{\"event\":\"deal.won\",\"timestamp\":\"{at}\",\"data\":{ODD}}}");
        for (path, body) in [("/raw", ODD), ("/compact", compact), ("/event", &wrapped)] {
            let requests = app.receiver.requests();
            let request = requests
                .iter()
                .find(|request| request.target == path)
                .expect(path);
            assert_eq!(request.body, body, "{path}");
            app.assert_signed(request, &Scheme::Standard, SECRET);
        }
        assert_eq!(app.deliveries(event).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_payload_of_256_kib_arrives_whole() {
    TestApp::on_both(async |app| {
        app.subscriber("/hook", &["*"], settings()).await;
        let payload = format!("\"{}\"", "ü".repeat(128 * 1024 - 1));
        assert_eq!(payload.len(), 256 * 1024);
        app.send_and_settle("big.one", payload.clone()).await;
        assert!(app.receiver.requests()[0].body == payload);
    })
    .await;
}

#[tokio::test]
async fn several_schemes_and_several_secrets_sign_side_by_side() {
    TestApp::on_both(async |app| {
        let body_hmac = Scheme::from_words("body-hmac", None).expect("it is built");
        let signatures = vec![Scheme::Standard, body_hmac.clone()];
        let endpoint = app
            .subscriber(
                "/hook",
                &["*"],
                EndpointSettings {
                    signatures,
                    ..settings()
                },
            )
            .await;
        let (newer, now) = (another_secret(), app.clock.now());
        let (id, sealed) = app.sealed_secret(app.account, &newer);
        let rotated = app.store.rotate_secret(
            app.account,
            endpoint,
            (id, sealed, now),
            now.plus_ms(60_000),
        );
        rotated.await.expect("written");

        app.send_and_settle("a.b", "{}").await;
        let request = &app.receiver.requests()[0];
        for secret in [SECRET, &newer] {
            app.assert_signed(request, &Scheme::Standard, secret);
        }
        app.assert_signed(request, &body_hmac, &app.account_key);

        app.advance(std::time::Duration::from_mins(1)).await;
        app.send_and_settle("a.b", "{}").await;
        let request = &app.receiver.requests()[1];
        app.assert_signed(request, &Scheme::Standard, &newer);
        let signatures = request.header("webhook-signature").expect("signed");
        assert_eq!(
            signatures.split(' ').count(),
            1,
            "the old secret's time is over: {signatures}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_two_automations_send_to_one_endpoint_is_two_deliveries() {
    TestApp::on_both(async |app| {
        let endpoint = app.subscriber("/hook", &["deal.won"], settings()).await;
        app.publish(&automation(&["deal.*"], &[endpoint])).await;
        app.publish(&automation(&["*", "deal.won"], &[endpoint]))
            .await;
        let event = app.send_and_settle("deal.won", "{}").await;
        let deliveries = app.deliveries(event).await;
        assert_eq!(
            deliveries.len(),
            3,
            "each automation once, however many of its patterns match"
        );
        let counts = app.receiver.counts_by_webhook_id();
        assert_eq!(
            counts.len(),
            3,
            "none looks like a repeat of another: {counts:?}"
        );
        assert_eq!(counts.get(&event.to_string()), Some(&1));
        assert_eq!(app.verdicts(event).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_event_is_acknowledged_and_not_delivered_again() {
    TestApp::on_both(async |app| {
        app.subscriber("/hook", &["*"], settings()).await;
        let keyed = || {
            let mut event = app.event("a.b", "{}");
            let key = throwbar::store::NewKey {
                kind: KeyOf::Sender,
                key: "once".to_owned(),
                expires_at: None,
            };
            event.keys = vec![key];
            event
        };
        let first = app.accept(vec![keyed()]).await[0].expect("accepted");
        assert!(!first.repeat);
        let again = app
            .accept(vec![keyed(), app.event("a.b", "{}"), keyed()])
            .await;
        for place in [0, 2] {
            let repeat = again[place].expect("acknowledged");
            assert_eq!((repeat.event, repeat.repeat), (first.event, true));
        }
        let mut other = keyed();
        other.body_hash = [1; 32];
        let conflict = app.accept(vec![other]).await[0].expect_err("another body");
        assert_eq!(
            conflict,
            throwbar::pipeline::AcceptError::Conflict { event: first.event }
        );
        app.settle().await;
        assert_eq!(app.receiver.requests().len(), 2);
    })
    .await;
}
