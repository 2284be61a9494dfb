//! Sources: made, proved, mapped, and changed from the next request on.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use throwbar::store::Hint;

use super::{Answer, Doors};
use crate::support::store::on_both;

/// A source that was made.
pub(super) struct Source {
    pub(super) id: String,
    pub(super) path: String,
    pub(super) secret: String,
}

pub(super) async fn make(doors: &Doors, new: Value) -> Source {
    let made = doors.post("/v1/sources", new).await.is(201);
    Source {
        id: made.id(),
        path: made.text("/path"),
        secret: made.body["secret"].as_str().unwrap_or_default().to_owned(),
    }
}

/// A source of this name and scheme, with everything else as it is at first.
pub(super) async fn make_of(doors: &Doors, name: &str, scheme: &str) -> Source {
    make(
        doors,
        json!({"name": name, "verification": {"scheme": scheme}}),
    )
    .await
}

/// Sends without a key.
pub(super) async fn send(
    doors: &Doors,
    path: &str,
    headers: &[(&str, String)],
    body: impl Into<Body>,
) -> Answer {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    doors
        .request(request.body(body.into()).expect("a request"))
        .await
}

pub(super) fn digits(secret: &str, parts: &[&str]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    for part in parts {
        mac.update(part.as_bytes());
    }
    hex::encode(mac.finalize().into_bytes())
}

pub(super) fn github(secret: &str, delivery: &str, body: &str) -> Vec<(&'static str, String)> {
    vec![
        ("x-github-event", "issues".to_owned()),
        ("x-github-delivery", delivery.to_owned()),
        (
            "x-hub-signature-256",
            format!("sha256={}", digits(secret, &[body])),
        ),
    ]
}

/// Code and count of each refusal, the newest first.
pub(super) async fn ledger(doors: &Doors, source: &Source) -> Vec<(String, i64)> {
    let listed = doors
        .get(&format!("/v1/sources/{}/refusals", source.id))
        .await
        .is(200);
    let rows = listed.body["data"].as_array().expect("a list");
    rows.iter()
        .map(|row| {
            assert!(
                row["why"].as_str().is_some_and(|why| why.len() > 10),
                "{row}"
            );
            let code = row["code"].as_str().expect("a code").to_owned();
            (code, row["requests"].as_i64().expect("a count"))
        })
        .collect()
}

#[tokio::test]
async fn a_genuine_request_is_an_event_and_a_repeat_the_same_one() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({"name": "github", "verification": {"scheme": "github"}});
        let source = make(&doors, new.clone()).await;
        doors
            .post("/v1/sources", new)
            .await
            .is(409)
            .refuses("name_taken", "nowhere");

        let body = r#"{"b": 1, "a":"é"}"#;
        let headers = github(&source.secret, "d-1", body);
        let event = send(&doors, &source.path, &headers, body)
            .await
            .is(202)
            .id();
        assert_eq!(
            send(&doors, &source.path, &headers, body)
                .await
                .is(202)
                .id(),
            event
        );
        let shown = doors.get(&format!("/v1/events/{event}")).await.is(200).body;
        assert_eq!(shown["type"], "github.issues");
        assert_eq!(shown["source"], "source:github");
        assert_eq!(shown["client_id"], format!("{} d-1", source.id));
        assert_eq!(shown["data"], json!({"b": 1, "a": "é"}));
        let other = r#"{"c":1}"#;
        let headers = github(&source.secret, "d-1", other);
        send(&doors, &source.path, &headers, other).await.is(409);
        assert_eq!(
            ledger(&doors, &source).await,
            [("event_conflict".to_owned(), 1)]
        );
    })
    .await;
}

#[tokio::test]
async fn a_change_counts_from_the_next_request_on() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({"name": "s", "verification": {"scheme": "hmac", "header": "X-Sig"}, "secret": "first"});
        let source = make(&doors, new).await;
        assert_eq!(source.secret, "first");
        let own = format!("/v1/sources/{}", source.id);
        let signed = |secret: &str| vec![("x-sig", digits(secret, &["{}"]))];
        let first = send(&doors, &source.path, &signed("first"), "{}").await.is(202).id();
        assert_ne!(send(&doors, &source.path, &signed("first"), "{}").await.is(202).id(), first);

        let rotated = doors.post(&format!("{own}/secrets/rotate"), json!({"overlap_s": 60})).await.is(201);
        let second = rotated.text("/secret");
        for secret in ["first", &second] {
            send(&doors, &source.path, &signed(secret), "{}").await.is(202);
        }
        doors.clock.advance(Duration::from_mins(1));
        send(&doors, &source.path, &signed("first"), "{}").await.is(403);
        send(&doors, &source.path, &signed(&second), "{}").await.is(202);
        let listed = doors.get(&format!("{own}/secrets")).await.is(200);
        assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(1));

        doors.patch(&own, json!({"enabled": false})).await.is(200);
        let answer = send(&doors, &source.path, &signed(&second), "{}").await.is(403);
        answer.refuses("source_disabled", "nowhere");
        let mapping = json!({"type": "'door.' + query.which", "id": "null"});
        doors.patch(&own, json!({"enabled": true, "mapping": mapping})).await.is(200);
        let event = send(&doors, &format!("{}?which=left", source.path), &signed(&second), "{}").await;
        let event = doors.get(&format!("/v1/events/{}", event.is(202).id())).await.is(200);
        assert_eq!(event.text("/type"), "door.left");
        let shown = doors.patch(&own, json!({"mapping": null, "name": "t"})).await.is(200).body;
        assert_eq!(shown["mapping"]["id"], "null");
        assert_eq!(shown["name"], "t");

        doors.delete(&own).await.is(204);
        send(&doors, &source.path, &signed(&second), "{}").await.is(404);
        doors.get(&own).await.is(404);
    })
    .await;
}

#[tokio::test]
async fn what_another_node_changes_is_heard_of() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let source = make_of(&doors, "s", "none").await;
        send(&doors, &source.path, &[], "{}").await.is(202);
        let account = doors.get("/v1/account").await.is(200).id();
        let account = account.parse().expect("an id");
        let id = source.id.parse().expect("an id");
        let removed = doors.place.store.delete_source(account, id).await;
        assert!(removed.expect("the other node's"));
        doors.service.heard(Hint::Revision(account, 1)).await;
        send(&doors, &source.path, &[], "{}").await.is(404);
    })
    .await;
}

#[tokio::test]
async fn where_nothing_is_signed_the_path_is_the_secret() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let source = make_of(&doors, "s", "none").await;
        assert!(
            source.path.len() > 40 && source.secret.is_empty(),
            "{}",
            source.path
        );
        let own = format!("/v1/sources/{}", source.id);
        assert_eq!(doors.get(&own).await.is(200).body["path"], Value::Null);
        doors
            .post(&format!("{own}/secrets/rotate"), json!({}))
            .await
            .is(409);

        let form = [(
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        )];
        let event = send(&doors, &source.path, &form, "type=sms.received&text=a+b")
            .await
            .is(202)
            .id();
        let shown = doors.get(&format!("/v1/events/{event}")).await.is(200).body;
        assert_eq!(shown["type"], "sms.received");
        assert_eq!(
            shown["data"],
            json!({"type": "sms.received", "text": "a b"})
        );
        let guessed = format!("{}x", source.path);
        send(&doors, &guessed, &[], "{}").await.is(404);
        // A header that writes of the API know is the sender's own affair here.
        let key = [("idempotency-key", "k".to_owned())];
        send(&doors, &source.path, &key, "{}").await.is(202);
        let request = Request::get(&source.path).body(Body::empty());
        doors.request(request.expect("a request")).await.is(405);
    })
    .await;
}

#[tokio::test]
async fn conditions_see_by_which_source_an_event_came() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let source = make_of(&doors, "Shop", "none").await;
        let automation = json!({
            "name": "a", "trigger": {"events": ["*"]}, "condition": "event.source == 'source:Shop'",
            "actions": [{"webhook": {"url": super::nobody().await}}],
        });
        doors.post("/v1/automations", automation).await.is(201);
        let by_source = send(&doors, &source.path, &[], r#"{"type":"a.b"}"#)
            .await
            .is(202)
            .id();
        let by_key = doors
            .post("/v1/events", json!({"type": "a.b", "data": {}}))
            .await
            .is(202)
            .id();
        doors.pipeline.settle().await;
        for (event, verdict) in [(by_source, "fired"), (by_key, "filtered")] {
            let found = doors
                .get(&format!("/v1/events/{event}/evaluations"))
                .await
                .is(200);
            assert_eq!(found.text("/data/0/verdict"), verdict, "{}", found.body);
        }
    })
    .await;
}
