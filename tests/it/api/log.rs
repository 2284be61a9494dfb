//! What is on record, searched and taken away.

use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::attempt::with_token;
use super::{Doors, OPERATOR};
use crate::support::answers::Answer as Says;
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

impl Doors {
    /// The lines of the export at this path.
    pub(super) async fn export_log(&self, key: &str, path: &str) -> Vec<Value> {
        let request = Request::get(path)
            .header("authorization", format!("Bearer {key}"))
            .body(Body::empty())
            .expect("a request");
        let response = self.router.clone().oneshot(request).await;
        let response = response.expect("infallible");
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        let text = String::from_utf8(body.expect("a body").to_vec()).expect("text");
        assert!(text.ends_with('\n'), "{text}");
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().expect("one JSON a line")
    }
}

#[tokio::test]
async fn an_export_tells_each_row_once_whatever_comes_in() {
    on_both(async |engine| {
        let (doors, receiver) = (with_token(engine).await, Receiver::start().await);
        receiver.always("/hook", Says::status(500));
        doors.endpoint_for("a.busy", &receiver.url("/hook")).await;
        let many = |from: usize| -> Vec<Value> {
            let event =
                |no| json!({"type": "a.busy", "data": {"no": no, "who": "s3cret-of-the-team"}});
            (from..from + 70).map(event).collect()
        };
        doors.send_all(&many(0)).await;
        let request = Request::get("/v1/events/export?type=a.busy")
            .header("authorization", format!("Bearer {OPERATOR}"))
            .body(Body::empty());
        let response = doors.router.clone().oneshot(request.expect("a request"));
        let body = response.await.expect("infallible").into_body();
        // It has begun; what comes now is not in it.
        let mut body = body.into_data_stream();
        let mut text = body
            .next()
            .await
            .expect("a page")
            .expect("infallible")
            .to_vec();
        doors.send_all(&many(70)).await;
        while let Some(more) = body.next().await {
            text.extend(more.expect("infallible"));
        }
        let text = String::from_utf8(text).expect("text");
        let rows: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let numbers: Vec<_> = rows
            .iter()
            .filter_map(|row| row["data"]["no"].as_u64())
            .collect();
        assert_eq!(numbers, (0..70).rev().collect::<Vec<u64>>());
        assert_eq!(rows[0]["data"]["who"], "***");
        assert_eq!(rows[70], json!({"next_cursor": null}));

        for (what, found) in [
            ("events/export?type=a.busy", 140),
            ("deliveries/export?state=failed&type=a.busy", 140),
            ("attempts/export?status=500", 140),
            ("attempts/export?status=success", 0),
        ] {
            let lines = doors.export_log(OPERATOR, &format!("/v1/{what}")).await;
            assert_eq!(lines.len(), found + 1, "{what}");
            assert_eq!(lines[found], json!({"next_cursor": null}), "{what}");
        }
        for (path, parameter) in [
            ("events/export?limit=5", "limit"),
            ("attempts/export?state=failed", "state"),
        ] {
            let answer = doors.get(&format!("/v1/{path}")).await.is(422);
            answer.refuses("unknown_parameter", parameter);
        }
        // From where a list's page ended, an export goes on.
        let page = doors.get("/v1/attempts?limit=100").await.is(200);
        let cursor = page.text("/next_cursor");
        let path = format!("/v1/attempts/export?cursor={cursor}");
        assert_eq!(doors.export_log(OPERATOR, &path).await.len(), 41);
    })
    .await;
}

#[tokio::test]
async fn events_are_found_by_what_their_payloads_say() {
    on_both(async |engine| {
        let doors = with_token(engine).await;
        let mut events: Vec<Value> = (0..600)
            .map(|no| json!({"type": "a.many", "data": {"no": no, "text": "Nothing special"}}))
            .collect();
        for (place, name) in [
            (3, "Anna Kr\u{fc}ger"),
            (300, "anna schmidt"),
            (599, "Hannah"),
        ] {
            events[place]["data"]["contact"] = json!({"name": name, "key": "s3cret-of-the-team"});
        }
        events.push(json!({"type": "a.other", "data": {"contact": {"name": "Anna"}}}));
        doors.send_all(&events).await;
        let stranger = doors.other_account("stranger").await;
        for (search, found) in [
            ("anna", 3),
            ("ANNA", 3),
            ("ann*", 3),
            ("%22anna%20schmidt%22", 1),
            ("contact.name:anna%20no:3", 1),
            ("no:599", 1),
            ("special%20anna", 2),
            ("anna&type=a.other", 1),
            ("anna&type=a.none", 0),
            ("anna&until=2020-01-01T00:00:00Z", 0),
            ("s3cret*", 0),
        ] {
            for limit in [1, 50] {
                let path = format!("/v1/events?limit={limit}&search={search}");
                assert_eq!(doors.count(&path).await, found, "{path}");
            }
            let path = format!("/v1/events/export?search={search}");
            let lines = doors.export_log(OPERATOR, &path).await;
            assert_eq!(lines.len(), found + 1, "{path}");
        }
        let theirs = doors
            .call(&stranger, "GET", "/v1/events?search=anna", None)
            .await;
        assert_eq!(theirs.is(200).body["data"], json!([]));
    })
    .await;
}
