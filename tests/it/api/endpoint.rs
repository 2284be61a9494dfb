//! Endpoints: made, changed, switched, removed; their secrets.

use serde_json::{Value, json};

use super::{Doors, nobody};
use crate::support::store::on_both;

#[tokio::test]
async fn a_url_is_all_that_an_endpoint_needs() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let made = doors
            .post("/v1/endpoints", json!({"url": "https://example.com/hook"}))
            .await
            .is(201);
        assert!(made.text("/secret").starts_with("whsec_"));
        for (pointer, expected) in [
            ("/name", json!("example.com")),
            ("/subscribe", json!("all")),
            ("/profile", json!("standard")),
            ("/envelope", json!("raw")),
            ("/signatures", json!([{"scheme": "standard"}])),
            ("/retry_policy", json!("eight-step")),
            ("/failure_policy", json!("five-days")),
            ("/timeout_ms", json!(15000)),
            ("/state", json!("enabled")),
        ] {
            assert_eq!(made.body.pointer(pointer), Some(&expected), "{pointer}");
        }
        let shown = doors
            .get(&format!("/v1/endpoints/{}", made.id()))
            .await
            .is(200);
        assert_eq!(shown.body.get("secret"), None, "shown once");
    })
    .await;
}

#[tokio::test]
async fn what_an_endpoint_can_not_be_is_told() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let make = async |new: Value| doors.post("/v1/endpoints", new).await.is(422);
        make(json!({})).await.refuses("missing_field", "/url");
        for url in [
            "ftp://x",
            "http://10.0.0.1/",
            "http://0x0a000001/",
            "https://u:p@example.com",
        ] {
            let refused = make(json!({"url": url})).await;
            refused.refuses("invalid_field", "/url");
        }
        for (field, value, code, place) in [
            ("color", json!(1), "unknown_field", "/color"),
            ("name", json!(" "), "invalid_field", "/name"),
            (
                "subscribe",
                json!(["a", "*.b"]),
                "invalid_field",
                "/subscribe/1",
            ),
            ("subscribe", json!("some"), "invalid_field", "/subscribe"),
            (
                "retry_policy",
                json!({"delays_ms": [-1]}),
                "invalid_field",
                "/retry_policy",
            ),
            (
                "retry_policy",
                json!("often"),
                "invalid_field",
                "/retry_policy",
            ),
            (
                "failure_policy",
                json!("often"),
                "invalid_field",
                "/failure_policy",
            ),
            (
                "envelope",
                json!("cloudevents-batch"),
                "invalid_field",
                "/envelope",
            ),
            ("profile", json!("rsa"), "invalid_field", "/profile"),
            ("timeout_ms", json!(600_000), "invalid_field", "/timeout_ms"),
            (
                "signatures",
                json!([{"scheme": "dsa"}]),
                "invalid_field",
                "/signatures/0/scheme",
            ),
        ] {
            let new = json!({"url": "https://a.example", field: value});
            make(new).await.refuses(code, place);
        }
        doors.has_none("/v1/endpoints").await;
    })
    .await;
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name() {
    on_both(async |engine| {
    let doors = Doors::open(engine).await;
    let new = json!({
        "url": nobody().await, "subscribe": ["deal.*"], "retry_policy": {"delays_ms": [200, 400]},
        "profile": "account-signed",
    });
    let made = doors.post("/v1/endpoints", new).await.is(201);
    assert_eq!(made.body.get("secret"), None, "the account's key signs");
    let path = format!("/v1/endpoints/{}", made.id());
    let changed = doors
        .patch(
            &path,
            json!({"name": "new", "signatures": [{"scheme": "standard"}]}),
        )
        .await
        .is(200);
    assert_eq!(changed.body["subscribe"], json!(["deal.*"]));
    assert_eq!(
        changed.body["retry_policy"],
        json!({"delays_ms": [200, 400]})
    );
    let secrets = doors.get(&format!("{path}/secrets")).await.is(200);
    assert_eq!(
        secrets.body["data"].as_array().map(Vec::len),
        Some(1),
        "it signs with one from now on"
    );

    let send = async |name: &str| {
        let event = doors
            .post("/v1/events", json!({"type": name, "data": 1}))
            .await
            .is(202)
            .id();
        doors.pipeline.settle().await;
        let found = doors
            .get(&format!("/v1/events/{event}/deliveries"))
            .await
            .is(200);
        found.body["data"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(
        (send("deal.won").await, send("contact.created").await),
        (1, 0)
    );
    doors
        .patch(&path, json!({"subscribe": "all"}))
        .await
        .is(200);
    assert_eq!(send("contact.created").await, 1);
    doors
        .patch(&path, json!({"subscribe": "none"}))
        .await
        .is(200);
    assert_eq!(send("deal.won").await, 0);
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let again = json!({"signatures": [{"scheme": "standard", "secret": secret}]});
    doors
        .patch(&path, again)
        .await
        .is(422)
        .refuses("invalid_field", "/signatures");
    })
    .await;
}

#[tokio::test]
async fn switching_off_holds_and_removing_cancels() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let endpoint = doors
            .post("/v1/endpoints", json!({"url": nobody().await}))
            .await
            .is(201)
            .id();
        let path = format!("/v1/endpoints/{endpoint}");
        doors
            .post("/v1/events", json!({"type": "a", "data": 1}))
            .await
            .is(202);
        doors.pipeline.settle().await;
        let disabled = doors
            .post(&format!("{path}/disable"), json!({}))
            .await
            .is(200);
        assert_eq!(
            (&disabled.body["state"], &disabled.body["disabled_why"]),
            (&json!("disabled"), &json!("by_user"))
        );
        doors
            .post("/v1/events", json!({"type": "a", "data": 1}))
            .await
            .is(202);
        doors.pipeline.settle().await;
        let held = doors.get("/v1/deliveries?state=held").await.is(200);
        assert!(
            !held.body["data"].as_array().expect("rows").is_empty(),
            "{}",
            held.body
        );
        assert_eq!(
            doors
                .post(&format!("{path}/enable"), json!({}))
                .await
                .is(200)
                .body["disabled_why"],
            Value::Null
        );

        doors.delete(&path).await.is(204);
        doors.pipeline.settle().await;
        doors.get(&path).await.is(404);
        let all = doors.get("/v1/deliveries").await.is(200);
        for delivery in all.body["data"].as_array().expect("rows") {
            assert_eq!(delivery["state"], "cancelled");
        }
        let one = all.text("/data/0/id");
        let resent = doors
            .post(&format!("/v1/deliveries/{one}/resend"), json!({}))
            .await
            .is(409);
        resent.refuses("endpoint_removed", "nowhere");
    })
    .await;
}

#[tokio::test]
async fn secrets_are_rotated_with_an_overlap_and_revealed() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let made = doors
            .post("/v1/endpoints", json!({"url": "https://example.com/"}))
            .await
            .is(201);
        let path = format!("/v1/endpoints/{}/secrets", made.id());
        let first = doors.get(&path).await.is(200);
        let revealed = doors
            .post(
                &format!("{path}/{}/reveal", first.text("/data/0/id")),
                json!({}),
            )
            .await
            .is(200);
        assert_eq!(revealed.text("/secret"), made.text("/secret"));
        assert!(
            first.body["data"][0].get("secret").is_none(),
            "lists show no values"
        );

        let new = doors
            .post(&format!("{path}/rotate"), json!({"overlap_s": 60}))
            .await
            .is(201);
        assert_ne!(new.text("/secret"), made.text("/secret"));
        let both = doors.get(&path).await.is(200);
        assert!(
            both.body["data"][0]["expires_at"].is_string()
                && both.body["data"][1]["expires_at"].is_null()
        );
        doors.clock.advance(std::time::Duration::from_secs(61));
        assert_eq!(
            doors.get(&path).await.body["data"].as_array().map(Vec::len),
            Some(1)
        );
        for _ in 0..7 {
            doors
                .post(&format!("{path}/rotate"), json!({}))
                .await
                .is(201);
        }
        doors
            .post(&format!("{path}/rotate"), json!({}))
            .await
            .is(409)
            .refuses("too_many_secrets", "nowhere");
        doors
            .post(&format!("{path}/rotate"), json!({"overlap_s": 0}))
            .await
            .is(201);
        doors
            .post(&format!("{path}/rotate"), json!({"overlap_s": -1}))
            .await
            .is(422)
            .refuses("invalid_field", "/overlap_s");
    })
    .await;
}
