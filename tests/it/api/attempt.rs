//! Attempts: what left and what came back, and which of them are found by what they came to.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, Doors};
use crate::support::answers::Answer as Says;
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

const BUSY: &str = "{\"error\":\"busy\"}";

impl Doors {
    /// The id of an endpoint for events of this type, of which each delivery has one attempt.
    pub(super) async fn endpoint_for(&self, event_type: &str, url: &str) -> String {
        let new = json!({
            "url": url, "subscribe": [event_type], "retry_policy": {"delays_ms": []},
            "headers": {"Authorization": "Bearer {{vars.token}}", "X-Team": "north"},
        });
        self.post("/v1/endpoints", new).await.is(201).id()
    }

    /// How many rows the list at this path has, over all its pages.
    pub(super) async fn count(&self, path: &str) -> usize {
        let rows = self.rows(path).await;
        rows.len()
    }

    /// All rows of the list at this path, page by page.
    async fn rows(&self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut next = path.to_owned();
        loop {
            let page = self.get(&next).await.is(200);
            rows.extend(page.body["data"].as_array().expect("a list").clone());
            match page.body["next_cursor"].as_str() {
                Some(cursor) => next = format!("{path}&cursor={cursor}"),
                None => return rows,
            }
        }
    }

    async fn only_attempt(&self) -> Answer {
        let delivery = self.get("/v1/deliveries").await.is(200);
        let path = format!("/v1/deliveries/{}/attempts", delivery.text("/data/0/id"));
        self.get(&path).await.is(200)
    }
}

pub(super) async fn with_token(engine: crate::support::store::Engine) -> Doors {
    let doors = Doors::open(engine).await;
    let token = json!({"name": "token", "value": "s3cret-of-the-team", "secret": true});
    doors.post("/v1/variables", token).await.is(201);
    doors
}

#[tokio::test]
async fn an_attempt_tells_what_left_and_what_came_back() {
    on_both(async |engine| {
        let (doors, receiver) = (with_token(engine).await, Receiver::start().await);
        let says = Says::status(503).header("x-reason", "busy").body(BUSY);
        receiver.always("/hook", says.header("set-cookie", "session=1"));
        let url = receiver.url("/hook");
        let endpoint = doors.endpoint_for("deal.won", &url).await;
        let data = json!({"note": "n".repeat(5000), "who": "s3cret-of-the-team"});
        doors
            .send_all(&[json!({"type": "deal.won", "data": data})])
            .await;
        let came = receiver.wait_for(1).await.remove(0);

        let listed = doors.only_attempt().await;
        let attempt = &listed.body["data"][0];
        assert_eq!(attempt["method"], "POST");
        assert_eq!(attempt["url"], url.as_str());
        assert_eq!(attempt["endpoint"], endpoint.as_str());
        let address = url.trim_start_matches("http://").trim_end_matches("/hook");
        assert_eq!(attempt["address"], address);
        assert_eq!(attempt["status_code"], 503);
        assert_eq!(attempt["response"], BUSY);
        assert_eq!(attempt["response_headers"]["x-reason"], "busy");
        assert_eq!(attempt["response_headers"]["set-cookie"], "***");
        assert_eq!(attempt["response_headers_cut"], false);
        assert!(attempt["first_byte_ms"].as_i64() <= attempt["duration_ms"].as_i64());
        let headers = attempt["request_headers"]
            .as_object()
            .expect("as they left");
        for name in [
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
            "user-agent",
            "x-team",
        ] {
            assert_eq!(headers[name], came.header(name).expect(name), "{name}");
        }
        assert_eq!(headers["authorization"], "***");
        assert_eq!(attempt["request_body_bytes"], came.body.len());
        let body = attempt["request_body"].as_str().expect("a body");
        assert!(
            body.len() <= 4096 && body.starts_with("{\"note\":\"nnn"),
            "{body}"
        );
        assert!(
            !listed.body.to_string().contains("s3cret"),
            "{}",
            listed.body
        );

        let id = listed.text("/data/0/id");
        let one = doors.get(&format!("/v1/attempts/{id}")).await.is(200);
        assert_eq!(&one.body, attempt);

        // What was sent then can't be made again from what stands now.
        let path = format!("/v1/endpoints/{endpoint}");
        let moved = json!({"url": nobody_there(), "headers": {"X-Team": "south"}});
        doors.patch(&path, moved).await.is(200);
        let listed = doors.only_attempt().await;
        let attempt = &listed.body["data"][0];
        assert_eq!(attempt["request_headers"], Value::Null);
        assert_eq!(attempt["url"], url.as_str(), "where it went then");
        assert_eq!(attempt["request_body_bytes"], came.body.len());
    })
    .await;
}

fn nobody_there() -> &'static str {
    "http://127.0.0.1:9/hook"
}

#[tokio::test]
async fn attempts_are_found_by_what_they_came_to() {
    on_both(async |engine| {
        let (doors, receiver) = (with_token(engine).await, Receiver::start().await);
        for (path, status) in [("/well", 204), ("/busy", 503), ("/gone", 404)] {
            receiver.always(path, Says::status(status));
        }
        let well = doors.endpoint_for("a.well", &receiver.url("/well")).await;
        let busy = doors.endpoint_for("a.busy", &receiver.url("/busy")).await;
        doors.endpoint_for("a.lost", &receiver.url("/gone")).await;
        let dead = doors.endpoint_for("a.dead", nobody_there()).await;
        let began = doors.clock.now();
        for event_type in ["a.well", "a.busy", "a.lost", "a.dead", "a.well", "a.busy"] {
            let event = json!({"type": event_type, "data": {}});
            doors.send_all(&[event]).await;
            doors.clock.advance(Duration::from_mins(1));
        }
        let (late, early) = (began.plus_ms(5 * 60_000), began.plus_ms(60_000));
        for (query, found) in [
            (String::new(), 6),
            ("&status=success".to_owned(), 2),
            ("&status=failed".to_owned(), 4),
            ("&status=503".to_owned(), 2),
            ("&status=4xx".to_owned(), 1),
            ("&status=2xx".to_owned(), 2),
            ("&error_class=connect".to_owned(), 1),
            ("&error_class=tls".to_owned(), 0),
            (format!("&endpoint={well}"), 2),
            (format!("&endpoint={busy}&status=failed"), 2),
            (format!("&endpoint={busy}&status=success"), 0),
            (format!("&endpoint={dead}&status=5xx"), 0),
            (format!("&endpoint={busy}&status=failed&since={late}"), 1),
            (format!("&endpoint={busy}&status=failed&until={early}"), 0),
            (format!("&status=failed&until={late}"), 3),
            ("&type=a.busy".to_owned(), 2),
            ("&type=a.busy&status=success".to_owned(), 0),
        ] {
            for limit in [1, 50] {
                let path = format!("/v1/attempts?limit={limit}{query}");
                assert_eq!(doors.count(&path).await, found, "{path}");
            }
        }
        let rows = doors.rows("/v1/attempts?limit=4").await;
        let times: Vec<_> = rows.iter().map(|row| row["at"].as_str()).collect();
        assert!(times.is_sorted_by(|a, b| a > b), "newest first: {times:?}");
        let delivery = rows[0]["delivery"].as_str().expect("an id");
        assert_eq!(
            doors
                .count(&format!("/v1/attempts?delivery={delivery}"))
                .await,
            1
        );
        assert_eq!(rows[2]["error_class"], "connect");
        assert_eq!(rows[2]["address"], Value::Null, "nothing answered");
        assert_eq!(rows[2]["url"], nobody_there());
    })
    .await;
}

#[tokio::test]
async fn deliveries_and_events_are_found_by_what_they_are() {
    on_both(async |engine| {
        let (doors, receiver) = (with_token(engine).await, Receiver::start().await);
        receiver.always("/hook", Says::status(204));
        receiver.always("/gone", Says::status(410));
        doors.endpoint_for("a.well", &receiver.url("/hook")).await;
        doors.endpoint_for("a.gone", &receiver.url("/gone")).await;
        let began = doors.clock.now();
        for event_type in ["a.well", "a.gone", "a.well"] {
            let event = json!({"type": event_type, "data": {}});
            doors.send_all(&[event]).await;
            doors.clock.advance(Duration::from_mins(1));
        }
        let automation = doors.get("/v1/deliveries").await.text("/data/0/automation");
        let late = began.plus_ms(2 * 60_000);
        for (query, found) in [
            (String::new(), 3),
            ("&state=delivered".to_owned(), 2),
            ("&state=failed&failure=gone".to_owned(), 1),
            ("&failure=exhausted".to_owned(), 0),
            ("&type=a.gone".to_owned(), 1),
            ("&type=a.gone&state=delivered".to_owned(), 0),
            (format!("&automation={automation}"), 2),
            (format!("&since={late}"), 1),
            (format!("&until={late}"), 2),
            (format!("&until={late}&type=a.well"), 1),
        ] {
            for limit in [1, 50] {
                let path = format!("/v1/deliveries?limit={limit}{query}");
                assert_eq!(doors.count(&path).await, found, "{path}");
            }
        }
        let event = doors.get("/v1/events").await.text("/data/0/id");
        let path = format!("/v1/deliveries?event={event}&since={late}&state=delivered");
        assert_eq!(doors.count(&path).await, 1);
        for (query, found) in [
            (format!("type=a.well&since={late}"), 1),
            (format!("since={late}"), 1),
            (format!("until={late}"), 2),
        ] {
            let path = format!("/v1/events?{query}");
            // The account's own operational events are events, too.
            let rows = doors.rows(&path).await;
            let own = rows.iter().filter(|row| row["type"].as_str() < Some("b"));
            assert_eq!(own.count(), found, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_asked_for_is_refused_by_its_name() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (path, code, parameter) in [
            ("attempts?status=ok", "invalid_parameter", "status"),
            ("attempts?status=6000", "invalid_parameter", "status"),
            (
                "attempts?error_class=http",
                "invalid_parameter",
                "error_class",
            ),
            ("attempts?endpoint=dlv_1", "invalid_parameter", "endpoint"),
            ("attempts?delivery=1", "invalid_parameter", "delivery"),
            ("attempts?type=no%20type", "invalid_parameter", "type"),
            ("attempts?since=yesterday", "invalid_parameter", "since"),
            ("attempts?state=failed", "unknown_parameter", "state"),
            ("attempts?limit=251", "invalid_limit", "limit"),
            ("attempts?cursor=x", "invalid_cursor", "cursor"),
            (
                "attempts?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
                "invalid_parameter",
                "until",
            ),
            ("deliveries?failure=dead", "invalid_parameter", "failure"),
            ("deliveries?automation=x", "invalid_parameter", "automation"),
            ("deliveries?until=soon", "invalid_parameter", "until"),
            ("events?since=1", "invalid_parameter", "since"),
            ("events?search=", "invalid_parameter", "search"),
            ("events?search=%22open", "invalid_parameter", "search"),
            ("deliveries?search=a", "unknown_parameter", "search"),
        ] {
            let answer = doors.get(&format!("/v1/{path}")).await.is(422);
            answer.refuses(code, parameter);
        }
        let id = "att_0198c1f0a3b27c4d8e5f60718293a4b5";
        doors.get(&format!("/v1/attempts/{id}")).await.is(404);
    })
    .await;
}
