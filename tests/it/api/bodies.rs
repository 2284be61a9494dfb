//! Bodies: when they are read, how much of them, and for how long.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use futures_util::StreamExt as _;
use futures_util::stream;

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
        let first = doors.service.upload_turn().await.expect("a turn");
        let second = doors.service.upload_turn().await.expect("a turn");
        let asked = doors.request(request(OPERATOR, "/v1/plugins", "application/wasm"));
        in_time(&doors, asked)
            .await
            .is(503)
            .refuses("server_full", "nowhere");
        drop((first, second));
        let uploaded = doors.upload(super::component("redact"), "").await;
        uploaded.is(201);
    })
    .await;
}
