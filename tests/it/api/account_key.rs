//! The signing key of an account: rotated with an overlap, in which the one header holds the old key's signature.

use serde_json::{Value, json};
use throwbar::signing::{Check, Scheme, TOLERANCE_S_DEFAULT, verify};

use super::Doors;
use crate::support::receiver::{Receiver, Request};
use crate::support::store::on_both;

const PATH: &str = "/v1/account/signing-key";

async fn delivered(doors: &Doors, receiver: &Receiver) -> Request {
    let sent = json!({"type": "contact.created", "data": {"id": 7}});
    doors.post("/v1/events", sent).await.is(202);
    doors.pipeline.settle().await;
    receiver.requests().pop().expect("it was delivered")
}

fn is_signed(doors: &Doors, scheme: &str, secret: &Value, request: &Request) -> bool {
    let report = verify(&Check {
        scheme: &Scheme::from_words(scheme, None).expect("a scheme"),
        secret: secret.as_str().expect("a key"),
        headers: &request.headers,
        body: &request.body,
        now: doors.clock.now(),
        tolerance_s: TOLERANCE_S_DEFAULT,
        also_try: &[],
    });
    report.is_genuine()
}

#[tokio::test]
async fn the_old_key_signs_until_the_overlap_ends_or_is_ended() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let new = json!({"url": receiver.url("/"), "signatures": [{"scheme": "body-hmac"}]});
        doors.post("/v1/endpoints", new).await.is(201);
        let first = doors
            .post(&format!("{PATH}/reveal"), json!({}))
            .await
            .is(200)
            .body;
        assert_eq!(
            (&first["next_signing_key"], &first["next_from"]),
            (&Value::Null, &Value::Null)
        );

        // A day, and then the new one.
        let rotated = doors
            .post(&format!("{PATH}/rotate"), json!({}))
            .await
            .is(201)
            .body;
        assert_eq!(rotated["signing_key"], first["signing_key"]);
        let (old, second) = (&rotated["signing_key"], &rotated["next_signing_key"]);
        let request = delivered(&doors, &receiver).await;
        assert!(is_signed(&doors, "body-hmac", old, &request));
        let again = doors.post(&format!("{PATH}/rotate"), json!({})).await;
        again.is(409).refuses("rotation_under_way", "nowhere");
        doors.clock.advance(std::time::Duration::from_hours(24));
        let request = delivered(&doors, &receiver).await;
        assert!(is_signed(&doors, "body-hmac", second, &request));
        let shown = doors
            .post(&format!("{PATH}/reveal"), json!({}))
            .await
            .is(200)
            .body;
        assert_eq!(
            shown,
            json!({"signing_key": second, "next_signing_key": null, "next_from": null})
        );

        // Ended before its time; with a key that was brought along.
        let brought = json!({"overlap_s": 3600, "signing_key": "tbk_8f2c0d5e7a914b36"});
        let rotated = doors
            .post(&format!("{PATH}/rotate"), brought)
            .await
            .is(201)
            .body;
        assert_eq!(&rotated["signing_key"], second);
        let request = delivered(&doors, &receiver).await;
        assert!(is_signed(&doors, "body-hmac", second, &request));
        let ended = doors
            .post(&format!("{PATH}/end-overlap"), json!({}))
            .await
            .is(200)
            .body;
        assert_eq!(ended["signing_key"], "tbk_8f2c0d5e7a914b36");
        let request = delivered(&doors, &receiver).await;
        assert!(is_signed(
            &doors,
            "body-hmac",
            &ended["signing_key"],
            &request
        ));
        let without = doors
            .post(&format!("{PATH}/end-overlap"), json!({}))
            .await
            .is(200)
            .body;
        assert_eq!(without, ended);
    })
    .await;
}

#[tokio::test]
async fn the_overlap_of_an_endpoint_s_secrets_is_ended_too() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let signatures = json!([{"scheme": "github"}, {"scheme": "standard"}]);
        let new = json!({"url": receiver.url("/"), "signatures": signatures});
        let made = doors.post("/v1/endpoints", new).await.is(201);
        let path = format!("/v1/endpoints/{}/secrets", made.id());
        let rotated = doors
            .post(&format!("{path}/rotate"), json!({}))
            .await
            .is(201)
            .body;
        let request = delivered(&doors, &receiver).await;
        assert!(is_signed(&doors, "github", &made.body["secret"], &request));
        assert!(is_signed(&doors, "standard", &rotated["secret"], &request));

        let left = doors
            .post(&format!("{path}/end-overlap"), json!({}))
            .await
            .is(200);
        assert_eq!(left.body["data"].as_array().map(Vec::len), Some(1));
        assert_eq!(
            left.text("/data/0/id"),
            rotated["id"].as_str().expect("an id")
        );
        let request = delivered(&doors, &receiver).await;
        for scheme in ["github", "standard"] {
            assert!(is_signed(&doors, scheme, &rotated["secret"], &request));
            assert!(!is_signed(&doors, scheme, &made.body["secret"], &request));
        }
    })
    .await;
}

#[tokio::test]
async fn what_can_be_no_rotation_is_refused_with_its_place() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (body, place) in [
            (json!({"overlap_s": -1}), "/overlap_s"),
            (json!({"signing_key": "tbk_x"}), "/signing_key"),
        ] {
            let refused = doors.post(&format!("{PATH}/rotate"), body).await.is(422);
            refused.refuses("invalid_field", place);
        }
    })
    .await;
}
