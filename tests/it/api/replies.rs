//! Writes that are sent twice. Who holds an idempotency key: a request that is at work, for as long as it is; nobody, soon after
//! its process died; and never two.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use throwbar::service::{Error, ReplySlot, Service, Started};
use tokio::sync::oneshot;

use super::{Answer, Doors, OPERATOR, component, nobody};
use crate::support::before_hanging;
use crate::support::store::on_both;

const UNTIL: &str = "SELECT MAX(expires_at_ms) FROM replies";
const DAY_S: u64 = 24 * 60 * 60;

async fn begin(service: &Service) -> Result<Started, Error> {
    let who = service.authenticate(Some(OPERATOR), None).await;
    let who = who.expect("the operator's key");
    service.begin_reply(&who, "k", [1; 32]).await
}

async fn first(doors: &Doors) -> ReplySlot {
    match begin(&doors.service).await {
        Ok(Started::First(slot)) => slot,
        other => panic!("it is the first one: {other:?}"),
    }
}

async fn assert_in_use(doors: &Doors) {
    let refused = begin(&doors.service).await.expect_err("somebody has it");
    assert_eq!(refused.code(), "idempotency_key_in_use");
}

async fn assert_answered(doors: &Doors, expected: &[u8]) {
    match begin(&doors.service).await {
        Ok(Started::Known { status: 201, body }) => assert_eq!(body, expected),
        other => panic!("it was answered: {other:?}"),
    }
}

#[tokio::test]
async fn a_request_whose_process_died_is_done_again_within_a_minute() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        // It is neither finished nor given back.
        first(&doors).await;
        doors.clock.advance(Duration::from_secs(59));
        assert_in_use(&doors).await;
        doors.clock.advance(Duration::from_secs(1));
        let repeat = first(&doors).await;
        let finished = doors.service.finish_reply(&repeat, 201, b"done").await;
        finished.expect("kept");
        doors.clock.advance(Duration::from_secs(DAY_S - 1));
        assert_answered(&doors, b"done").await;
        doors.clock.advance(Duration::from_secs(1));
        first(&doors).await;
    })
    .await;
}

#[tokio::test]
async fn a_request_that_came_to_a_standstill_is_told_that_its_repeat_counts() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let standing = first(&doors).await;
        doors.clock.advance(Duration::from_mins(1));
        let repeat = first(&doors).await;
        // Whatever it does now, the repeat has the key.
        let lost = doors.service.finish_reply(&standing, 201, b"first").await;
        assert_eq!(lost.expect_err("lost").code(), "idempotency_key_lost");
        let nothing = doors.service.abandon_reply(&standing).await;
        nothing.expect("it gives nothing back");
        assert_in_use(&doors).await;
        let finished = doors.service.finish_reply(&repeat, 201, b"repeat").await;
        finished.expect("kept");
        let lost = doors.service.finish_reply(&standing, 201, b"first").await;
        assert!(lost.is_err());
        assert_answered(&doors, b"repeat").await;
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_at_work_holds_its_key_however_long_it_takes() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let slot = first(&doors).await;
        let (done, work) = oneshot::channel();
        let turn_and_finish = async {
            for _ in 0..5 {
                let before = doors.place.number(UNTIL).await;
                doors.clock.advance(Duration::from_secs(50));
                let extended = async {
                    while doors.place.number(UNTIL).await == before {
                        tokio::task::yield_now().await;
                    }
                };
                before_hanging("the key to be held on", extended).await;
                assert_in_use(&doors).await;
            }
            done.send("an answer").expect("it is waited for");
        };
        let held = doors.service.hold_reply(&slot, work);
        let (answer, ()) = tokio::join!(held, turn_and_finish);
        assert_eq!(answer, Ok("an answer"));
        let finished = doors.service.finish_reply(&slot, 201, b"slow").await;
        finished.expect("kept");
        assert_answered(&doors, b"slow").await;
    })
    .await;
}

const ENDPOINTS: &str = "SELECT COUNT(*) FROM endpoints";

/// Does a write under the slot's key, up to where only its answer is missing.
async fn make_endpoint(doors: &Doors, slot: &ReplySlot) {
    let who = doors.service.authenticate(Some(OPERATOR), None).await;
    let who = who.expect("the operator's key").grant().expect("it may");
    let new = serde_json::from_value(json!({"url": "https://example.com/"})).expect("valid");
    let work = doors.service.create_endpoint(&who, new);
    let made = doors.service.hold_reply(slot, work).await;
    made.expect("it can be made");
}

#[tokio::test]
async fn without_its_answer_nothing_was_written_and_a_repeat_is_done() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let slot = first(&doors).await;
        doors.service.hold_reply(&slot, async {}).await;
        doors
            .service
            .abandon_reply(&slot)
            .await
            .expect("given back");

        // It breaks off before its answer is kept.
        let slot = first(&doors).await;
        make_endpoint(&doors, &slot).await;
        let given_back = doors.service.abandon_reply(&slot).await;
        given_back.expect("given back");
        assert_eq!(doors.place.number(ENDPOINTS).await, 0);

        // Its process dies there.
        let slot = first(&doors).await;
        make_endpoint(&doors, &slot).await;
        drop(slot);
        assert_in_use(&doors).await;
        doors.clock.advance(Duration::from_mins(1));
        assert_eq!(doors.place.number(ENDPOINTS).await, 0);

        // A repeat has its key before it comes to its end.
        let standing = first(&doors).await;
        doors.clock.advance(Duration::from_mins(1));
        let repeat = first(&doors).await;
        make_endpoint(&doors, &standing).await;
        let lost = doors.service.finish_reply(&standing, 201, b"first").await;
        assert_eq!(lost.expect_err("lost").code(), "idempotency_key_lost");
        assert_eq!(doors.place.number(ENDPOINTS).await, 0);
        make_endpoint(&doors, &repeat).await;
        let finished = doors.service.finish_reply(&repeat, 201, b"repeat").await;
        finished.expect("kept");
        assert_answered(&doors, b"repeat").await;
        assert_eq!(doors.place.number(ENDPOINTS).await, 1);
    })
    .await;
}

/// Sends a write with the idempotency key `k`.
async fn write(doors: &Doors, method: &str, path: &str, body: &Value) -> Answer {
    write_with(doors, "k", (method, path), body.to_string()).await
}

async fn write_with(
    doors: &Doors,
    key: &str,
    (method, path): (&str, &str),
    body: impl Into<Body>,
) -> Answer {
    let kind = if path == "/v1/plugins" {
        "application/wasm"
    } else {
        "application/json"
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {OPERATOR}"))
        .header("content-type", kind)
        .header("idempotency-key", key)
        .body(body.into());
    doors.request(request.expect("a request")).await
}

#[tokio::test]
async fn every_kind_of_write_is_done_once() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({"url": "https://example.com/", "name": "a"});
        let id = doors.post("/v1/endpoints", new).await.is(201).id();
        let path = format!("/v1/endpoints/{id}");
        for (method, body, status) in [
            ("PATCH", json!({"name": "b"}), 200),
            ("DELETE", json!(null), 204),
        ] {
            doors.place.execute("DELETE FROM replies").await;
            let first = write(&doors, method, &path, &body).await.is(status);
            let again = write(&doors, method, &path, &body).await.is(status);
            assert_eq!(first.headers.get("idempotent-replayed"), None);
            assert_eq!(again.headers["idempotent-replayed"], "true");
            assert_eq!(first.body, again.body);
        }
        write(&doors, "PATCH", &path, &json!({"name": "c"}))
            .await
            .is(409)
            .refuses("idempotency_key_reused", "nowhere");
    })
    .await;
}

/// Does a write twice with the same key; the answer, which is the same.
async fn twice(doors: &Doors, method: &str, path: &str, body: &Value) -> Answer {
    let key = format!("{method} {path}");
    let body = if path == "/v1/plugins" {
        component("redact")
    } else {
        body.to_string().into_bytes()
    };
    let first = write_with(doors, &key, (method, path), body.clone()).await;
    let again = write_with(doors, &key, (method, path), body).await;
    let (first, again) = (first.is(again.status), again);
    assert!(first.status < 300, "{method} {path}: {}", first.body);
    assert_eq!(again.headers["idempotent-replayed"], "true", "{path}");
    assert_eq!(first.body, again.body);
    first
}

#[tokio::test]
async fn what_follows_a_write_follows_once_it_is_kept_with_its_answer() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let url = nobody().await;
        let account = json!({"name": "b", "uid": "b"});
        twice(&doors, "POST", "/v1/accounts", &account).await;
        twice(&doors, "POST", "/v1/plugins", &json!(null)).await;
        let automation = json!({
            "name": "a", "trigger": {"events": ["a.b"]}, "transforms": [{"plugin": "redact", "config": {"remove": ["/a"]}}],
            "actions": [{"webhook": {"url": url}}],
        });
        let automation = twice(&doors, "POST", "/v1/automations", &automation).await;
        let path = format!("/v1/automations/{}", automation.id());
        let draft = json!({"condition": "true", "draft": true, "enabled": false});
        let changed = twice(&doors, "PATCH", &path, &draft).await;
        assert_eq!(
            (&changed.body["version"], &changed.body["enabled"]),
            (&json!(2), &json!(false))
        );
        let endpoint = json!({"url": url, "profile": "account-signed"});
        let endpoint = twice(&doors, "POST", "/v1/endpoints", &endpoint).await;
        let path = format!("/v1/endpoints/{}", endpoint.id());
        let signed = json!({"signatures": [{"scheme": "standard"}]});
        twice(&doors, "PATCH", &path, &signed).await;
        let rotate = format!("{path}/secrets/rotate");
        twice(&doors, "POST", &rotate, &json!({})).await;

        // A resend leaves at once, without anybody turning the clock.
        let event = json!({"type": "a.b", "data": 1});
        doors.post("/v1/events", event).await.is(202);
        doors.pipeline.settle().await;
        let delivery = doors.get("/v1/deliveries").await.text("/data/0/id");
        let resend = format!("/v1/deliveries/{delivery}/resend");
        let again = twice(&doors, "POST", &resend, &json!({})).await.id();
        doors.pipeline.settle().await;
        let again = doors.get(&format!("/v1/deliveries/{again}")).await;
        assert_eq!(again.body["attempts_made"], 1, "{}", again.body);

        // What was to be delivered to an endpoint goes with it, and a revoked key stops at once.
        twice(&doors, "DELETE", &path, &json!(null)).await;
        doors.has_none("/v1/deliveries?state=pending").await;
        let new = json!({"name": "k", "scopes": ["read"]});
        let key = twice(&doors, "POST", "/v1/api-keys", &new).await;
        let text = key.text("/key");
        doors.call(&text, "GET", "/v1/account", None).await.is(200);
        let path = format!("/v1/api-keys/{}", key.id());
        twice(&doors, "DELETE", &path, &json!(null)).await;
        doors.call(&text, "GET", "/v1/account", None).await.is(401);
    })
    .await;
}

const KEPT: &str =
    "SELECT (SELECT COUNT(*) FROM replies) * 10000 + (SELECT COUNT(*) FROM event_keys)";

#[tokio::test]
async fn what_has_expired_goes_by_itself() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let name = json!({"name": "a"});
        write(&doors, "PATCH", "/v1/account", &json!({"enabled": true}))
            .await
            .is(200);
        // More than go at once.
        for batch in ["a", "b"] {
            let events = json!(vec![json!({"type": "a.b", "data": 1}); 600]);
            let path = ("POST", "/v1/events/batch");
            let sent = write_with(&doors, batch, path, events.to_string()).await;
            sent.is(202);
        }
        doors.pipeline.settle().await;
        doors.clock.advance(Duration::from_hours(1));
        write_with(
            &doors,
            "later",
            ("POST", "/v1/event-types"),
            name.to_string(),
        )
        .await
        .is(201);
        assert_eq!(doors.place.number(KEPT).await, 21_200);
        let is = async |expected: i64| {
            let gone = async {
                while doors.place.number(KEPT).await != expected {
                    doors.clock.advance(Duration::from_millis(25));
                    tokio::task::yield_now().await;
                }
            };
            before_hanging("what has expired to go", gone).await;
        };
        let story = async {
            doors.clock.advance(Duration::from_secs(DAY_S - 3_600));
            is(10_000).await;
            doors.clock.advance(Duration::from_hours(1));
            is(0).await;
        };
        tokio::select! {
            never = doors.service.forget_expired() => match never {},
            () = story => {}
        }
    })
    .await;
}

#[tokio::test]
async fn a_batch_sent_again_repeats_nothing_and_gets_the_missing_in() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let event = |no: i64| json!({"type": "a.b", "data": no});
        let own = json!({"type": "a.b", "data": 3, "idempotency_key": "own"});
        let wrong = json!({"type": "a..b", "data": 2});
        let path = "/v1/events/batch";
        let first = json!([event(1), wrong, own]);
        let first = write(&doors, "POST", path, &first).await.is(202).body;
        assert_eq!(first["data"][1]["error"]["status"], 422);
        let again = json!([event(1), event(2), own, event(4)]);
        let again = write(&doors, "POST", path, &again).await.is(202).body;
        for place in [0, 2] {
            assert_eq!(first["data"][place], again["data"][place]);
        }
        for place in 0..4 {
            assert!(again["data"][place]["id"].is_string(), "{again}");
        }
        let other = json!([event(7)]);
        let other = write(&doors, "POST", path, &other).await.is(202).body;
        assert_eq!(other["data"][0]["error"]["code"], "event_conflict");
        let kept = doors.place.number("SELECT COUNT(*) FROM events").await;
        assert_eq!(kept, 4);
    })
    .await;
}
