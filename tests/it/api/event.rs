//! Events: taken once, refused with reasons, and followed to their attempts.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use throwbar::pipeline::{Limits, PermitLimits};

use super::{Answer, Doors, OPERATOR, nobody};
use crate::support::store::{ok, on_both};
use crate::support::{batch, making};

#[tokio::test]
async fn what_automations_said_comes_page_by_page() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for least in 0..5 {
            let new = json!({
                "name": format!("at least {least}"), "trigger": {"events": ["deal.*"]},
                "condition": format!("event.data.amount >= {least}"),
                "actions": [{"webhook": {"url": nobody().await}}],
            });
            doors.post("/v1/automations", new).await.is(201);
        }
        let sent = json!({"type": "deal.won", "data": {"amount": 3}});
        let event = doors.post("/v1/events", sent).await.is(202).id();
        doors.pipeline.settle().await;
        let path = format!("/v1/events/{event}/evaluations");
        let whole = doors.get(&path).await.is(200);
        assert_eq!(whole.body["next_cursor"], Value::Null);
        let whole = whole.body["data"].as_array().expect("a list").clone();
        let verdicts: Vec<_> = whole.iter().map(|one| &one["verdict"]).collect();
        assert_eq!(verdicts, ["fired", "fired", "fired", "fired", "filtered"]);

        let (mut paged, mut next) = (Vec::new(), format!("{path}?limit=2"));
        for rows in [2, 2, 1] {
            let page = doors.get(&next).await.is(200);
            let data = page.body["data"].as_array().expect("a list");
            assert_eq!(data.len(), rows);
            paged.extend(data.iter().cloned());
            next = match page.body["next_cursor"].as_str() {
                Some(cursor) => format!("{path}?limit=2&cursor={cursor}"),
                None => String::new(),
            };
        }
        assert_eq!((paged, next.as_str()), (whole, ""));
        let wrong = doors.get(&format!("{path}?limit=0")).await.is(422);
        wrong.refuses("invalid_limit", "limit");
    })
    .await;
}

#[tokio::test]
async fn where_nothing_was_said_nothing_is_read() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.pipeline.shut_down().await.expect("it stops");
        let account = doors.get("/v1/account").await.is(200).id();
        let event = making::event(account.parse().expect("an id"), "{}");
        let dead = ok(doors.place.store.begin_life(event.occurred_at)).await;
        let accepts = batch::accepts(vec![event.clone()]);
        ok(doors.place.store.write(dead.id(), &accepts)).await;
        doors.place.execute("UPDATE events SET type = '?'").await;
        let path = format!("/v1/events/{}/evaluations", event.id);
        let said = doors.get(&path).await.is(200);
        assert_eq!(
            (&said.body["data"], &said.body["state"]),
            (&json!([]), &json!("in_inbox"))
        );
    })
    .await;
}

async fn send(doors: &Doors, body: impl Into<Body>, key: Option<&str>) -> Answer {
    let mut request =
        Request::post("/v1/events").header("authorization", format!("Bearer {OPERATOR}"));
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    doors
        .request(request.body(body.into()).expect("a request"))
        .await
}

#[tokio::test]
async fn an_event_s_whole_way_can_be_seen() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let endpoint = doors
            .post("/v1/endpoints", json!({"url": nobody().await}))
            .await
            .is(201)
            .id();
        let body = r#"{"type":"deal.won","data": {"b":1, "a":"\u0000","b":1e999} ,"id":"order 7"}"#;
        let event = send(&doors, body, None).await.is(202).id();
        doors.pipeline.settle().await;

        let shown = doors.get(&format!("/v1/events/{event}")).await;
        // 1e999 is no number to this test's own reader, so it reads nothing: the door passed it on.
        assert_eq!((shown.status, shown.body), (200, Value::Null));
        let evaluations = doors
            .get(&format!("/v1/events/{event}/evaluations"))
            .await
            .is(200);
        assert_eq!(evaluations.body["state"], "planned");
        assert_eq!(evaluations.body["data"][0]["verdict"], "fired");
        assert!(evaluations.body["data"][0]["steps"].is_array());

        let deliveries = doors
            .get(&format!("/v1/events/{event}/deliveries"))
            .await
            .is(200);
        let delivery = deliveries.text("/data/0/id");
        assert_eq!(deliveries.body["data"][0]["state"], "pending");
        assert_eq!(deliveries.body["data"][0]["attempts_made"], 1);
        assert!(deliveries.body["data"][0]["next_attempt_at"].is_string());
        let attempts = doors
            .get(&format!("/v1/deliveries/{delivery}/attempts"))
            .await
            .is(200);
        assert_eq!(attempts.body["data"][0]["no"], 1);
        assert_eq!(attempts.body["data"][0]["error_class"], "connect");
        assert_eq!(attempts.body["data"][0]["status_code"], Value::Null);

        let again = doors
            .post(&format!("/v1/deliveries/{delivery}/resend"), json!({}))
            .await
            .is(202)
            .id();
        doors.pipeline.settle().await;
        let again = doors.get(&format!("/v1/deliveries/{again}")).await.is(200);
        assert_eq!(
            (&again.body["resend_of"], &again.body["attempts_made"]),
            (&json!(delivery), &json!(1))
        );
        let path = format!("/v1/deliveries?endpoint={endpoint}&state=pending&limit=1");
        let page = doors.get(&path).await.is(200);
        let next = doors
            .get(&format!("{path}&cursor={}", page.text("/next_cursor")))
            .await
            .is(200);
        let mut paged = [page.text("/data/0/id"), next.text("/data/0/id")];
        paged.sort();
        let mut expected = [delivery, again.id()];
        expected.sort();
        assert_eq!(paged, expected);
        assert_eq!(next.body["next_cursor"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn the_same_event_twice_is_one_event() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let body = |amount: i64| json!({"type": "a", "data": {"amount": amount}}).to_string();
        let first = send(&doors, body(1), Some("k")).await.is(202).id();
        assert_eq!(send(&doors, body(1), Some("k")).await.is(202).id(), first);
        let conflict = send(&doors, body(2), Some("k")).await.is(409);
        assert!(
            conflict.text("/detail").contains(&first),
            "{}",
            conflict.body
        );
        let in_body =
            json!({"type": "a", "data": {"amount": 1}, "idempotency_key": "k"}).to_string();
        assert_eq!(
            send(&doors, in_body.clone(), Some("k")).await.is(202).id(),
            first
        );
        send(&doors, in_body, Some("other"))
            .await
            .is(422)
            .refuses("invalid_field", "/idempotency_key");
        doors
            .clock
            .advance(std::time::Duration::from_secs(24 * 60 * 60 + 1));
        assert_ne!(
            send(&doors, body(2), Some("k")).await.is(202).id(),
            first,
            "keys live a day"
        );
    })
    .await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
async fn a_wrong_event_is_refused_with_its_place_and_nothing_is_kept() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let deep = format!(
            r#"{{"type":"a","data":{}{}}}"#,
            "[".repeat(65),
            "]".repeat(65)
        );
        let large = format!(r#"{{"type":"a","data":"{}"}}"#, "x".repeat(256 * 1024));
        let huge = format!(r#"{{"type":"a","data":"{}"}}"#, "x".repeat(300 * 1024));
        let cases: [(&[u8], u16, &str, &str); 15] = [
            (b"", 400, "malformed", "nowhere"),
            (b"not json", 400, "malformed", "nowhere"),
            (
                b"{\"type\":\"a\",\"data\":\"\xff\"}",
                400,
                "malformed",
                "nowhere",
            ),
            (
                b"{\"type\":\"a\",\"data\":\"\0\"}",
                400,
                "malformed",
                "nowhere",
            ),
            (
                b"{\"type\":\"a\",\"data\":1}\0",
                400,
                "malformed",
                "nowhere",
            ),
            (b"[\"a\",{},null]", 422, "invalid_field", ""),
            (b"{\"type\":\"a\"}", 422, "missing_field", "/data"),
            (
                b"{\"type\":\"a\",\"data\":1,\"dat\":1}",
                422,
                "unknown_field",
                "/dat",
            ),
            (
                b"{\"type\":\"a\",\"data\":1,\"data\":1}",
                422,
                "duplicate_field",
                "/data",
            ),
            (
                b"{\"type\":\"a b\",\"data\":1}",
                422,
                "invalid_field",
                "/type",
            ),
            (
                b"{\"type\":\"a\",\"data\":1,\"timestamp\":\"noon\"}",
                422,
                "invalid_field",
                "/timestamp",
            ),
            (
                b"{\"type\":\"a\",\"data\":1,\"id\":\"\"}",
                422,
                "invalid_field",
                "/id",
            ),
            (deep.as_bytes(), 422, "too_deep", "/data"),
            (large.as_bytes(), 413, "too_large", "nowhere"),
            (huge.as_bytes(), 413, "too_large", "nowhere"),
        ];
        for (body, status, code, place) in cases {
            let answer = send(&doors, body.to_vec(), None).await.is(status);
            answer.refuses(code, place);
        }
        doors.has_none("/v1/events").await;
    })
    .await;
}

#[tokio::test]
async fn each_event_of_a_batch_is_answered_by_itself() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let batch = json!([
            {"type": "a", "data": 1, "id": "one"},
            {"type": "a b", "data": 1},
            7,
            {"type": "a", "data": 1, "id": "one"},
            {"type": "a", "data": 2, "id": "one"},
            {"type": "b", "data": null},
        ]);
        let answer = doors.post("/v1/events/batch", batch).await.is(202);
        let answers = answer.body["data"].as_array().expect("answers");
        assert_eq!(answers.len(), 6);
        assert_eq!(answers[1]["error"]["pointer"], "/type");
        assert_eq!(answers[2]["error"]["status"], 422);
        assert_eq!(answers[3]["id"], answers[0]["id"]);
        assert_eq!(answers[4]["error"]["code"], "event_conflict");
        assert!(answers[5]["id"].is_string());
        assert_eq!(
            doors.get("/v1/events").await.body["data"]
                .as_array()
                .map(Vec::len),
            Some(2)
        );
        assert_eq!(
            doors.get("/v1/events?type=b").await.body["data"]
                .as_array()
                .map(Vec::len),
            Some(1)
        );
        doors.post("/v1/events/batch", json!({})).await.is(422);
        doors
            .post("/v1/events/batch", json!(vec![1; 1001]))
            .await
            .is(422);
    })
    .await;
}

#[tokio::test]
async fn without_a_pipeline_events_are_pushed_back_and_nothing_is_ready() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.get("/readyz").await.is(200);
        doors.service.attach(None);
        for answer in [
            send(&doors, r#"{"type":"a","data":1}"#, None).await,
            doors
                .post("/v1/events/batch", json!([{"type": "a", "data": 1}]))
                .await,
            doors.get("/readyz").await,
        ] {
            let answer = answer.is(503);
            assert_eq!(answer.headers["retry-after"], "1");
        }
        doors.get("/healthz").await.is(200);
    })
    .await;
}

#[tokio::test]
async fn an_account_that_sends_too_much_is_told_so() {
    on_both(async |engine| {
        let permits = PermitLimits {
            events_max: 2,
            ..PermitLimits::default()
        };
        let limits = Limits {
            permits,
            ..Limits::default()
        };
        let doors = Doors::open_within(engine, limits).await;
        let event = json!({"type": "a", "data": 1});
        let answer = doors
            .post("/v1/events/batch", json!([event, event]))
            .await
            .is(202);
        assert!(answer.body["data"][0]["id"].is_string(), "{}", answer.body);
        let refused = &answer.body["data"][1]["error"];
        assert_eq!(
            (&refused["status"], &refused["code"]),
            (&json!(429), &json!("account_busy"))
        );
    })
    .await;
}
