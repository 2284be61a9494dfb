//! Bodies: when they are read, how much of them, and for how long.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use serde_json::json;
use throwbar::model::AccountId;

use super::{Answer, Doors, OPERATOR};
use crate::support::before_hanging;
use crate::support::store::on_both;

/// The beginning of a body whose rest never comes.
fn endless() -> Body {
    let begin = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{\"type\":"))]);
    Body::from_stream(begin.chain(stream::pending()))
}

fn request(key: &str, path: &str, kind: &str) -> Request<Body> {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", kind)
        .header("idempotency-key", "k")
        .body(endless());
    request.expect("a request")
}

/// The answer, which comes if time passes.
async fn in_time(doors: &Doors, asked: impl Future<Output = Answer>) -> Answer {
    let pass = async {
        loop {
            doors.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    before_hanging("an answer in time", async {
        tokio::select! {
            answer = asked => answer,
            () = pass => unreachable!("time never ends"),
        }
    })
    .await
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (path, kind) in [
            ("/v1/events", "application/json"),
            ("/v1/events/batch", "application/json"),
            ("/v1/endpoints", "application/json"),
            ("/v1/plugins", "application/wasm"),
        ] {
            let asked = doors.request(request(OPERATOR, path, kind));
            in_time(&doors, asked)
                .await
                .is(408)
                .refuses("body_overdue", "nowhere");
        }
    })
    .await;
}

#[tokio::test]
async fn who_may_not_is_told_before_a_body_is_read() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let reader = doors.key(&["read"]).await;
        for (key, path, status) in [
            (reader.as_str(), "/v1/endpoints", 403),
            (&reader, "/v1/events", 403),
            (&reader, "/v1/events/batch", 403),
            (&reader, "/v1/accounts", 403),
            ("tb_nobody", "/v1/endpoints", 401),
        ] {
            let asked = doors.request(request(key, path, "application/json"));
            before_hanging(path, asked).await.is(status);
        }
    })
    .await;
}

#[tokio::test]
async fn an_upload_waits_for_its_turn_before_it_is_read() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let own = doors.get("/v1/account").await.id().parse().expect("an id");
        let others = [1, 2].map(|no| AccountId::from_uuid(uuid::Uuid::from_u128(no)));
        let asked = || doors.request(request(OPERATOR, "/v1/plugins", "application/wasm"));
        let turn = async |account| doors.service.upload_turn(account).await.expect("a turn");
        let first = turn(own).await;
        in_time(&doors, asked())
            .await
            .is(429)
            .refuses("account_full", "nowhere");
        let second = turn(others[0]).await;
        drop(first);
        let third = turn(others[1]).await;
        in_time(&doors, asked())
            .await
            .is(503)
            .refuses("server_full", "nowhere");
        drop((second, third));
        let uploaded = doors.upload(super::component("redact"), "").await;
        uploaded.is(201);
    })
    .await;
}

/// The beginning of a large body whose rest never comes.
fn large(key: &str) -> Request<Body> {
    let piece = |_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1024 * 1024]));
    let pieces = stream::iter(0..8).map(piece);
    let body = Body::from_stream(pieces.chain(stream::pending()));
    let request = Request::post("/v1/events/batch")
        .header("authorization", format!("Bearer {key}"))
        .body(body);
    request.expect("a request")
}

#[tokio::test]
async fn one_account_s_slow_bodies_leave_room_for_another_s() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let other = doors.other_account("other").await;
        // Half of the room is taken by what comes, and not by what was sent with it.
        let slow = join_all((0..5).map(|_| doors.request(large(OPERATOR))));
        let event = json!({"type": "a", "data": "x"});
        let story = async {
            let refused = async {
                loop {
                    let answer = doors.post("/v1/events", event.clone()).await;
                    if answer.status != 202 {
                        return answer;
                    }
                }
            };
            let refused = before_hanging("the room to be taken", refused).await;
            refused.is(429).refuses("account_full", "nowhere");
            let served = doors.call(&other, "POST", "/v1/events", Some(event.clone()));
            served.await.is(202);
        };
        tokio::select! {
            biased;
            _ended = slow => unreachable!("they never end"),
            () = story => {}
        }
    })
    .await;
}
