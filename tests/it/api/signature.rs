//! How deliveries are signed: each scheme by its own secret, which may be any text where a text signs.

use serde_json::{Value, json};
use throwbar::signing::{Check, Scheme, TOLERANCE_S_DEFAULT, verify};

use super::Doors;
use crate::support::receiver::{Receiver, Request};
use crate::support::store::on_both;

const OLD: &str = "your-secret-key";
const NEW: &str = "another secret";

async fn endpoint(doors: &Doors, receiver: &Receiver, more: Value) -> Value {
    let mut new = json!({"url": receiver.url("/hook")});
    for (name, value) in more.as_object().expect("fields") {
        new[name] = value.clone();
    }
    doors.post("/v1/endpoints", new).await.is(201).body
}

/// What comes of an event.
async fn delivered(doors: &Doors, receiver: &Receiver) -> Request {
    let sent =
        json!({"type": "contact.created", "data": {"id": 7}, "timestamp": "2026-01-15T10:30:00Z"});
    doors.post("/v1/events", sent).await.is(202);
    doors.pipeline.settle().await;
    receiver.requests().pop().expect("it was delivered")
}

/// Whether this secret has signed it.
fn is_signed(doors: &Doors, scheme: &str, secret: &str, request: &Request) -> bool {
    let report = verify(&Check {
        scheme: &Scheme::from_words(scheme, None).expect("a scheme"),
        secret,
        headers: &request.headers,
        body: &request.body,
        now: doors.clock.now(),
        tolerance_s: TOLERANCE_S_DEFAULT,
        also_try: &[],
    });
    report.is_genuine()
}

#[tokio::test]
async fn an_event_in_its_envelope_is_signed_once_there_is_a_secret() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let made = endpoint(&doors, &receiver, json!({"profile": "event-envelope"})).await;
        assert_eq!(made["secret"], Value::Null);
        assert_eq!(made["signatures"], json!([{"scheme": "event-header"}]));
        assert_eq!(
            (
                &made["envelope"],
                &made["retry_policy"],
                &made["failure_policy"]
            ),
            (&json!("event"), &json!("eight-step"), &json!("five-days"))
        );
        let bare = delivered(&doors, &receiver).await;
        assert_eq!(
            bare.body,
            r#"{"event":"contact.created","timestamp":"2026-01-15T10:30:00.000Z","data":{"id":7}}"#
        );
        assert_eq!(bare.header("x-webhook-event"), Some("contact.created"));
        let at = doors.clock.now().to_string();
        assert_eq!(
            bare.header("x-webhook-timestamp"),
            Some(at.as_str()),
            "the attempt's"
        );
        for absent in ["x-webhook-signature", "webhook-signature", "svix-id"] {
            assert_eq!(bare.header(absent), None);
        }

        let path = format!(
            "/v1/endpoints/{}/secrets",
            made["id"].as_str().expect("an id")
        );
        let rotate = format!("{path}/rotate");
        let set = doors.post(&rotate, json!({"secret": OLD})).await.is(201);
        assert_eq!(set.text("/secret"), OLD);
        let revealed = format!("{path}/{}/reveal", set.id());
        let revealed = doors.post(&revealed, json!({})).await.is(200);
        assert_eq!(revealed.text("/secret"), OLD);
        let signed = delivered(&doors, &receiver).await;
        assert!(is_signed(&doors, "event-header", OLD, &signed));
        assert!(!is_signed(&doors, "event-header", NEW, &signed));
    })
    .await;
}

#[tokio::test]
async fn while_a_secret_is_rotated_one_value_is_the_old_one_s_and_a_list_has_both() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let signatures = json!([
            {"scheme": "github", "secret": OLD}, {"scheme": "stripe"}, {"scheme": "event-header"},
        ]);
        let made = endpoint(&doors, &receiver, json!({ "signatures": signatures })).await;
        assert_eq!(made["secret"], OLD);
        let path = format!("/v1/endpoints/{}", made["id"].as_str().expect("an id"));
        let rotate = json!({"secret": NEW, "overlap_s": 3600});
        doors
            .post(&format!("{path}/secrets/rotate"), rotate)
            .await
            .is(201);
        let both = delivered(&doors, &receiver).await;
        for (scheme, old, new) in [
            ("github", true, false),
            ("event-header", true, false),
            ("stripe", true, true),
        ] {
            let by = |secret| is_signed(&doors, scheme, secret, &both);
            assert_eq!((by(OLD), by(NEW)), (old, new), "{scheme}");
        }
        doors.clock.advance(std::time::Duration::from_secs(3601));
        let after = delivered(&doors, &receiver).await;
        for scheme in ["github", "event-header", "stripe"] {
            let by = |secret| is_signed(&doors, scheme, secret, &after);
            assert_eq!((by(OLD), by(NEW)), (false, true), "{scheme}");
        }

        // A text is no key of Standard Webhooks, also not beside one.
        let more = json!({"signatures": [{"scheme": "github"}, {"scheme": "standard"}]});
        let refused = doors.patch(&path, more.clone()).await.is(422);
        refused.refuses("invalid_field", "/signatures");
        assert!(
            refused.text("/detail").contains("rotate"),
            "{}",
            refused.body
        );
        let rotate = json!({"overlap_s": 0});
        let whole = doors
            .post(&format!("{path}/secrets/rotate"), rotate)
            .await
            .is(201);
        let secret = whole.text("/secret");
        assert!(secret.starts_with("whsec_"));
        doors.patch(&path, more).await.is(200);
        let last = delivered(&doors, &receiver).await;
        for scheme in ["github", "standard"] {
            assert!(is_signed(&doors, scheme, &secret, &last), "{scheme}");
        }
        let text = json!({"secret": NEW});
        let refused = doors
            .post(&format!("{path}/secrets/rotate"), text)
            .await
            .is(422);
        refused.refuses("invalid_field", "/secret");
    })
    .await;
}

#[tokio::test]
async fn what_can_not_sign_is_refused_with_its_place() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (signatures, place) in [
            (
                json!([{"scheme": "standard", "secret": OLD}]),
                "/signatures/0/secret",
            ),
            (
                json!([{"scheme": "github", "secret": OLD}, {"scheme": "standard"}]),
                "/signatures/0/secret",
            ),
            (
                json!([{"scheme": "github", "secret": OLD}, {"scheme": "stripe", "secret": NEW}]),
                "/signatures/1/secret",
            ),
            (
                json!([{"scheme": "body-hmac", "secret": OLD}]),
                "/signatures/0/secret",
            ),
            (
                json!([{"scheme": "github", "secret": "a\u{7}"}]),
                "/signatures/0/secret",
            ),
            (
                json!([{"scheme": "stripe", "header": "X-S"}]),
                "/signatures/0/scheme",
            ),
            (
                json!([{"scheme": "rsa", "secret": OLD}]),
                "/signatures/0/secret",
            ),
            (
                json!([{"scheme": "standard-ed25519", "header": "X-S"}]),
                "/signatures/0/scheme",
            ),
            (
                json!([{"scheme": "github"}, {"scheme": "github"}]),
                "/signatures/1",
            ),
        ] {
            let new = json!({"url": "https://example.com/", "signatures": signatures});
            let refused = doors.post("/v1/endpoints", new).await.is(422);
            refused.refuses("invalid_field", place);
        }
        doors.has_none("/v1/endpoints").await;
    })
    .await;
}
