//! Key pairs of endpoints: two of a kind at most, the oldest signs, the private half is never shown.

use serde_json::{Value, json};
use throwbar::signing::{Check, KeyKind, KeyPair, Scheme, TOLERANCE_S_DEFAULT, verify};

use super::Doors;
use crate::support::receiver::{Receiver, Request};
use crate::support::store::on_both;

/// The endpoint's key pairs.
async fn pairs(doors: &Doors, path: &str) -> Vec<Value> {
    let listed = doors.get(&format!("{path}/keys")).await.is(200);
    listed.body["data"].as_array().expect("a list").clone()
}

async fn delivered(doors: &Doors, receiver: &Receiver) -> Request {
    let sent = json!({"type": "contact.created", "data": {"id": 7}});
    doors.post("/v1/events", sent).await.is(202);
    doors.pipeline.settle().await;
    receiver.requests().pop().expect("it was delivered")
}

fn is_signed(doors: &Doors, scheme: &str, public: &Value, request: &Request) -> bool {
    let report = verify(&Check {
        scheme: &Scheme::from_words(scheme, None).expect("a scheme"),
        secret: public.as_str().expect("a public key"),
        headers: &request.headers,
        body: &request.body,
        now: doors.clock.now(),
        tolerance_s: TOLERANCE_S_DEFAULT,
        also_try: &[],
    });
    report.is_genuine()
}

fn marks(pairs: &[Value]) -> Vec<bool> {
    let marked = pairs.iter().map(|pair| pair["in_use"] == true);
    marked.collect()
}

#[tokio::test]
async fn of_two_rsa_pairs_the_oldest_signs_and_the_only_one_stays() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let new = json!({"url": receiver.url("/hook"), "profile": "rsa-signed"});
        let made = doors.post("/v1/endpoints", new).await.is(201);
        let path = format!("/v1/endpoints/{}", made.id());
        assert_eq!(
            json!([
                made.body["signatures"],
                made.body["retry_policy"],
                made.body["failure_policy"],
                made.body["timeout_ms"],
                made.body["envelope"],
                made.body["secret"],
            ]),
            json!([
                [{"scheme": "rsa", "header": "X-SiqSignature"}], "three-step", "ladder",
                10_000, "raw", null,
            ])
        );
        let first = pairs(&doors, &path).await;
        assert_eq!(marks(&first), [true]);
        let only = format!("{path}/keys/{}", first[0]["id"].as_str().expect("an id"));
        let refused = doors.call(super::OPERATOR, "DELETE", &only, None).await;
        refused.is(409).refuses("only_key_pair", "nowhere");

        let second = doors
            .post(&format!("{path}/keys"), json!({"kind": "rsa"}))
            .await;
        let second = second.is(201).body;
        assert_eq!(second["in_use"], false);
        let third = doors
            .post(&format!("{path}/keys"), json!({"kind": "rsa"}))
            .await;
        third.is(409).refuses("too_many_key_pairs", "nowhere");
        let both = pairs(&doors, &path).await;
        assert_eq!(marks(&both), [true, false]);
        let request = delivered(&doors, &receiver).await;
        assert!(is_signed(&doors, "rsa", &both[0]["public_key"], &request));
        assert!(!is_signed(&doors, "rsa", &both[1]["public_key"], &request));

        doors
            .call(super::OPERATOR, "DELETE", &only, None)
            .await
            .is(204);
        assert_eq!(marks(&pairs(&doors, &path).await), [true]);
        let request = delivered(&doors, &receiver).await;
        assert!(is_signed(&doors, "rsa", &second["public_key"], &request));
        assert!(!is_signed(&doors, "rsa", &both[0]["public_key"], &request));
        doors
            .call(super::OPERATOR, "DELETE", &only, None)
            .await
            .is(404);
    })
    .await;
}

#[tokio::test]
async fn ed25519_signs_beside_a_secret_with_each_of_its_pairs() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let made = doors
            .post("/v1/endpoints", json!({"url": receiver.url("/hook")}))
            .await
            .is(201);
        let path = format!("/v1/endpoints/{}", made.id());
        assert_eq!(pairs(&doors, &path).await, [] as [Value; 0]);
        let schemes = json!([{"scheme": "standard-ed25519"}, {"scheme": "standard"}]);
        doors
            .patch(&path, json!({"signatures": schemes}))
            .await
            .is(200);
        let own = KeyPair::generate(KeyKind::Ed25519).expect("randomness");
        let seed = own.private().expect("private");
        let text = base64_of(&seed);
        let brought = json!({"kind": "ed25519", "private_key":
            format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")});
        let brought = doors.post(&format!("{path}/keys"), brought).await.is(201);
        assert!(!brought.body.to_string().contains(&text[20..40]));
        let public = own.public().expect("public").standard_text();
        assert_eq!(brought.body["standard_public_key"], json!(public));
        let both = pairs(&doors, &path).await;
        assert_eq!(marks(&both), [true, true]);
        let request = delivered(&doors, &receiver).await;
        for pair in &both {
            for form in ["public_key", "standard_public_key"] {
                assert!(is_signed(&doors, "standard-ed25519", &pair[form], &request));
            }
        }
        assert!(is_signed(
            &doors,
            "standard",
            &made.body["secret"],
            &request
        ));
    })
    .await;
}

#[tokio::test]
async fn what_receivers_verify_with_is_published_by_account_without_a_key() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let signatures = json!([{"scheme": "rsa"}, {"scheme": "standard-ed25519"}]);
        let new = json!({"url": "https://example.com/", "signatures": signatures});
        let made = doors.post("/v1/endpoints", new).await.is(201);
        let path = format!("/v1/endpoints/{}", made.id());
        let own = doors.get("/v1/account").await.is(200).id();
        let other = doors.post("/v1/accounts", json!({"name": "Other"})).await;
        let other = other.is(201).id();

        let set = doors
            .call("", "GET", &format!("/jwks/{own}.json"), None)
            .await;
        assert_eq!(set.headers["cache-control"], "public, max-age=300");
        let keys = set.is(200).body["keys"].clone();
        let kids: Vec<_> = keys
            .as_array()
            .expect("a list")
            .iter()
            .map(|key| &key["kid"])
            .collect();
        let known = pairs(&doors, &path).await;
        assert_eq!(
            kids,
            known.iter().map(|pair| &pair["id"]).collect::<Vec<_>>()
        );
        for private in ["d", "p", "q", "dp", "dq", "qi"] {
            assert!(
                keys.as_array()
                    .expect("a list")
                    .iter()
                    .all(|key| key.get(private).is_none())
            );
        }
        let none = doors
            .call("", "GET", &format!("/jwks/{other}.json"), None)
            .await;
        assert_eq!(none.is(200).body, json!({"keys": []}));
        for wrong in [
            "acc_0198c1f0a3b27c4d8e5f60718293a4b5.json",
            "default.json",
            "x",
            &own,
        ] {
            doors
                .call("", "GET", &format!("/jwks/{wrong}"), None)
                .await
                .is(404);
        }
        doors
            .call(super::OPERATOR, "DELETE", &path, None)
            .await
            .is(204);
        let gone = doors
            .call("", "GET", &format!("/jwks/{own}.json"), None)
            .await;
        assert_eq!(gone.is(200).body, json!({"keys": []}));
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_of_a_file_gets_its_pair_and_a_private_key_that_is_none_is_refused() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let file = json!({"throwbar": 1, "endpoints": [
            {"name": "Desk", "url": "https://example.com/desk", "profile": "rsa-signed"},
        ]});
        doors
            .post("/v1/automations/apply", file.clone())
            .await
            .is(200);
        let listed = doors.get("/v1/endpoints").await.is(200);
        let path = format!("/v1/endpoints/{}", listed.text("/data/0/id"));
        let made = pairs(&doors, &path).await;
        assert_eq!(marks(&made), [true]);
        let again = doors.post("/v1/automations/apply", file).await.is(200);
        assert_eq!(again.body["changes"], 0, "{}", again.body);
        assert_eq!(pairs(&doors, &path).await, made);

        for (body, place) in [
            (json!({"kind": "dsa"}), "/kind"),
            (json!({"kind": "rsa", "private_key": "x"}), "/private_key"),
            (
                json!({"kind": "ed25519", "private_key": "whsk_AAAA"}),
                "/private_key",
            ),
        ] {
            let refused = doors.post(&format!("{path}/keys"), body).await.is(422);
            refused.refuses("invalid_field", place);
            assert!(!refused.body.to_string().contains("AAAA"));
        }
        assert_eq!(pairs(&doors, &path).await, made);
    })
    .await;
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
