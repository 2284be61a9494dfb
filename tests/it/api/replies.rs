//! Writes that are sent twice. Who holds an idempotency key: a request that is at work, for as long as it is; nobody, soon after
//! its process died; and never two.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use throwbar::service::{Error, ReplySlot, Service, Started};
use tokio::sync::oneshot;

use super::{Answer, Doors, OPERATOR};
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

#[tokio::test]
async fn what_may_have_been_done_is_not_done_again() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let slot = first(&doors).await;
        doors.service.hold_reply(&slot, async {}).await;
        doors
            .service
            .abandon_reply(&slot)
            .await
            .expect("given back");

        // It writes something, and then breaks off.
        let slot = first(&doors).await;
        let who = doors.service.authenticate(Some(OPERATOR), None).await;
        let who = who.expect("the operator's key").grant().expect("it may");
        let new = serde_json::from_value(json!({"url": "https://example.com/"})).expect("valid");
        let work = doors.service.create_endpoint(&who, new);
        let made = doors.service.hold_reply(&slot, work).await;
        assert!(made.is_ok());
        doors.service.abandon_reply(&slot).await.expect("kept");
        doors.clock.advance(Duration::from_secs(DAY_S - 1));
        let refused = begin(&doors.service).await.expect_err("unknown");
        assert_eq!(refused.code(), "outcome_unknown");
    })
    .await;
}

/// Sends a write with the idempotency key `k`.
async fn write(doors: &Doors, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {OPERATOR}"))
        .header("idempotency-key", "k")
        .body(Body::from(body.to_string()));
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
