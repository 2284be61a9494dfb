//! What comes to a receiver is told as it comes, gone on with where it broke off, and answered by whoever forwards.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Doors, OPERATOR};
use crate::support::before_hanging;
use crate::support::store::on_both;

/// A stream of events.
struct Stream {
    body: Body,
    unread: String,
}

/// One event: its name, its id and its text.
#[derive(Debug)]
struct Told {
    event: String,
    id: String,
    says: Value,
}

impl Stream {
    async fn open(doors: &Doors, path: &str, last: Option<&str>) -> Self {
        let mut request = Request::get(path).header("authorization", format!("Bearer {OPERATOR}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = doors
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self {
            body: response.into_body(),
            unread: String::new(),
        };
        assert_eq!(stream.next().await.event, "begun");
        stream
    }

    async fn next(&mut self) -> Told {
        loop {
            if let Some((block, _)) = self.unread.split_once("\n\n") {
                let length = block.len() + 2;
                let field = |name: &str| {
                    let lines = block.lines();
                    let mut found = lines.filter_map(|line| line.strip_prefix(name));
                    found
                        .next()
                        .map(|it| it.trim_start().to_owned())
                        .unwrap_or_default()
                };
                let told = Told {
                    event: field("event:"),
                    id: field("id:"),
                    says: serde_json::from_str(&field("data:")).unwrap_or_default(),
                };
                self.unread.drain(..length);
                return told;
            }
            let frame = before_hanging("an event", self.body.frame()).await;
            let frame = frame.expect("it goes on").expect("a frame");
            let bytes = frame.into_data().expect("text");
            self.unread += std::str::from_utf8(&bytes).expect("text");
        }
    }
}

#[tokio::test]
async fn requests_are_told_as_they_come_and_from_where_it_broke_off() {
    on_both(async |engine| {
        let doors = Doors::at_origin(engine).await;
        let (receiver, path) = doors.receiver(json!({})).await;
        doors.knock("POST", &path, "before").await;
        let stream = format!("/v1/receivers/{receiver}/stream");
        let mut first = Stream::open(&doors, &stream, None).await;
        doors.knock("POST", &path, "a").await;
        let a = first.next().await;
        assert_eq!((&*a.event, &a.says["body"]), ("request", &json!("a")));
        assert_eq!(a.says["id"], json!(a.id));
        drop(first);
        for body in ["b", "c"] {
            doors.knock("POST", &path, body).await;
        }
        let mut again = Stream::open(&doors, &stream, Some(&a.id)).await;
        for body in ["b", "c"] {
            assert_eq!(again.next().await.says["body"], body);
        }
        doors.knock("POST", &path, "d").await;
        assert_eq!(again.next().await.says["body"], "d");
    })
    .await;
}

#[tokio::test]
async fn an_account_follows_so_many_streams_and_no_more() {
    on_both(async |engine| {
        let doors = Doors::at_origin(engine).await;
        let (receiver, _) = doors.receiver(json!({})).await;
        let stream = format!("/v1/receivers/{receiver}/stream");
        let mut open = Vec::new();
        for _ in 0..16 {
            open.push(Stream::open(&doors, &stream, None).await);
        }
        doors
            .get(&stream)
            .await
            .is(429)
            .refuses("account_full", "nowhere");
        open.pop();
        Stream::open(&doors, &stream, None).await;
    })
    .await;
}

#[tokio::test]
async fn who_forwards_answers_and_without_anybody_an_attempt_fails() {
    on_both(async |engine| {
        let doors = Doors::at_origin(engine).await;
        let (receiver, path) = doors.receiver(json!({"forward": true})).await;
        doors.sends_to(&path, &[]).await;
        let send = || doors.post("/v1/events", json!({"type": "deal.won", "data": {"n": 1}}));
        send().await.is(202);
        doors.settled().await;
        let attempt = &doors.attempts().await[0];
        assert_eq!(attempt["error_class"], "connect");
        let told = attempt["message"].as_str().expect("a sentence");
        assert!(told.contains("throwbar listen"), "{told}");
        // Who sends over the network is told so, too.
        assert_eq!(doors.knock("POST", &path, "").await.status, 503);

        let stream = format!("/v1/receivers/{receiver}/stream?forward=true");
        let mut stream = Stream::open(&doors, &stream, None).await;
        let shown = doors.get(&format!("/v1/receivers/{receiver}")).await.is(200);
        assert_eq!(shown.body["forwarded"], true);
        let answers = [
            (json!({"status": 201, "body_base64": "bWFkZQ=="}), json!(201), Value::Null),
            (
                json!({"error": {"class": "timeout", "message": "no answer in time at http://localhost:3000/"}}),
                Value::Null,
                json!("timeout"),
            ),
        ];
        for (answer, status, class) in answers {
            // Later than the one before, so that it is the first on the list.
            doors.clock.advance(Duration::from_millis(1));
            send().await.is(202);
            let request = stream.next().await;
            assert_eq!(request.says["body"], "{\"n\":1}");
            assert_eq!(request.says["signature"]["genuine"], true);
            let path = format!("/v1/receivers/{receiver}/requests/{}/answer", request.id);
            for wrong in [json!({}), json!({"status": 700}), json!({"status": 200, "body_base64": "?"})] {
                doors.post(&path, wrong).await.is(422);
            }
            doors.post(&path, answer.clone()).await.is(204);
            doors.settled().await;
            doors.post(&path, answer).await.is(409).refuses("answered", "nowhere");
            let attempt = &doors.attempts().await[0];
            assert_eq!((&attempt["status_code"], &attempt["error_class"]), (&status, &class));
        }
        let deliveries = doors.get("/v1/deliveries").await.is(200);
        assert_eq!(deliveries.body["data"][1]["state"], "delivered");
    })
    .await;
}
