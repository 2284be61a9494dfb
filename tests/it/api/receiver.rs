//! Receivers: what comes is kept, verified and answered as it was told; nobody else's deliveries are handed over.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::version::each;
use super::{Answer, Doors, OPERATOR};
use crate::support::before_hanging;
use crate::support::store::{Engine, on_both};

/// Where these servers say that they are.
const ORIGIN: &str = "http://throwbar.invalid";

impl Doors {
    /// One that says where it is.
    pub(super) async fn at_origin(engine: Engine) -> Self {
        let doors = Self::open(engine).await;
        doors.service.be_at(ORIGIN.parse().expect("a URL"));
        doors
    }

    pub(super) async fn settled(&self) {
        before_hanging("it to settle", self.pipeline.settle()).await;
    }

    /// A receiver, and the path of its URL.
    pub(super) async fn receiver(&self, new: Value) -> (String, String) {
        let made = self.post("/v1/receivers", new).await.is(201);
        let url = made.text("/url");
        let path = url.strip_prefix(ORIGIN).expect("it is here").to_owned();
        (made.id(), path)
    }

    /// What anybody sends to a URL, without a key.
    pub(super) async fn knock(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request
            .header("x-tone", "calm")
            .body(Body::from(body.to_owned()));
        self.request(request.expect("a request")).await
    }

    pub(super) async fn came(&self, receiver: &str) -> Answer {
        let path = format!("/v1/receivers/{receiver}/requests?limit=250");
        self.get(&path).await.is(200)
    }

    /// An endpoint that sends to this path of the server itself: its id.
    pub(super) async fn sends_to(&self, path: &str, delays_ms: &[u64]) -> String {
        let new =
            json!({"url": format!("{ORIGIN}{path}"), "retry_policy": {"delays_ms": delays_ms}});
        self.post("/v1/endpoints", new).await.is(201).id()
    }

    pub(super) async fn attempts(&self) -> Vec<Value> {
        let deliveries = self.get("/v1/deliveries").await.is(200);
        let path = format!("/v1/deliveries/{}/attempts", deliveries.text("/data/0/id"));
        let attempts = self.get(&path).await.is(200);
        attempts.body["data"].as_array().expect("a list").clone()
    }
}

#[tokio::test]
async fn a_delivery_arrives_in_the_house_and_its_signature_is_told() {
    on_both(async |engine| {
        let doors = Doors::at_origin(engine).await;
        let (receiver, path) = doors.receiver(json!({"name": "inspector"})).await;
        let endpoint = doors.sends_to(&format!("{path}/hooks?a=b"), &[]).await;
        let event = json!({"type": "deal.won", "data": {"amount": 7}});
        let event = doors.post("/v1/events", event).await.is(202).id();
        doors.settled().await;
        assert_eq!(doors.attempts().await[0]["status_code"], 200);
        let came = doors.came(&receiver).await;
        let request = &came.body["data"][0];
        for (field, expected) in [
            ("method", json!("POST")),
            ("path", json!("/hooks")),
            ("query", json!("a=b")),
            ("body", json!("{\"amount\":7}")),
            ("answer", json!({"status": 200, "delay_ms": 0})),
        ] {
            assert_eq!(request[field], expected, "{field}");
        }
        assert_eq!(request["headers"]["webhook-id"], json!(event));
        assert_eq!(request["headers"]["host"], "throwbar.invalid");
        let signature = &request["signature"];
        assert_eq!(
            (
                &signature["genuine"],
                &signature["scheme"],
                &signature["by"]
            ),
            (&json!(true), &json!("standard"), &json!(endpoint)),
            "{signature}"
        );

        // Somebody else has changed the body: it is told, and not how it would be signed.
        let mut again = Request::post(&path);
        for (name, value) in request["headers"].as_object().expect("headers") {
            again = again.header(name, value.as_str().expect("a text"));
        }
        let again = again.body(Body::from("{\"amount\":8}")).expect("a request");
        doors.request(again).await.is(200);
        let came = doors.came(&receiver).await;
        let signature = &came.body["data"][0]["signature"];
        assert_eq!(signature["genuine"], false);
        let told = signature["findings"].to_string();
        assert!(
            told.contains("does not match") || told.contains("None of"),
            "{told}"
        );
        assert!(!told.contains("it would be"), "{told}");
        let shown = doors
            .get(&format!("/v1/receivers/{receiver}"))
            .await
            .is(200);
        assert_eq!(
            (&shown.body["received"], &shown.body["name"]),
            (&json!(2), &json!("inspector"))
        );
    })
    .await;
}

#[tokio::test]
async fn answers_come_one_after_the_other_so_that_retries_can_be_tried() {
    on_both(async |engine| {
        let doors = Doors::at_origin(engine).await;
        let answers = json!([{"status": 500, "body": "no"}, {"status": 429, "headers": {"Retry-After": "7"}}, {"status": 204}]);
        let (receiver, path) = doors.receiver(json!({"answers": answers})).await;
        doors.sends_to(&path, &[1000, 1000]).await;
        doors.post("/v1/events", json!({"type": "a", "data": 1})).await.is(202);
        doors.settled().await;
        for s in [1, 7] {
            doors.clock.advance(Duration::from_secs(s));
            doors.settled().await;
        }
        let attempts = doors.attempts().await;
        let codes: Vec<_> = attempts.iter().map(|attempt| attempt["status_code"].clone()).collect();
        assert_eq!(codes, [500, 429, 204]);
        assert_eq!(attempts[0]["response"], "no");
        // Other answers begin with the first; the last one is repeated.
        let patched = json!({"answers": [{"status": 503}, {"status": 201, "headers": {"x-a": "b"}, "body": "made"}]});
        doors.patch(&format!("/v1/receivers/{receiver}"), patched).await.is(200);
        for (method, status) in [("GET", 503), ("PUT", 201), ("REPORT", 201)] {
            let answer = doors.knock(method, &format!("{path}/x%2Fy?c"), "").await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.headers["x-content-type-options"], "nosniff");
            assert!(answer.headers["content-security-policy"].to_str().is_ok_and(|it| it.contains("sandbox")));
        }
        let came = doors.came(&receiver).await;
        assert_eq!(each(&came, "method")[..3], ["REPORT", "PUT", "GET"]);
        assert_eq!((&came.body["data"][0]["path"], &came.body["data"][0]["query"]), (&json!("/x%2Fy"), &json!("c")));
        assert_eq!(came.body["data"][0]["signature"]["genuine"], false);

        // One that waits.
        let slow = json!({"answer": {"status": 202, "delay_ms": 5000}});
        doors.patch(&format!("/v1/receivers/{receiver}"), slow).await.is(200);
        let knock = doors.knock("POST", &path, "x");
        let turn = async {
            while doors.service.pipeline().is_some() {
                doors.clock.advance(Duration::from_secs(1));
                tokio::task::yield_now().await;
            }
        };
        let before = doors.clock.now();
        tokio::select! {
            answer = knock => assert_eq!(answer.status, 202),
            () = turn => {}
        }
        assert!(doors.clock.now().ms_since(before) >= 5000);
    })
    .await;
}

#[tokio::test]
async fn what_can_t_be_answered_is_refused_with_its_field() {
    on_both(async |engine| {
        let doors = Doors::at_origin(engine).await;
        for (new, place) in [
            (json!({"answer": {"status": 99}}), "/answer/status"),
            (json!({"answer": {"delay_ms": 60_001}}), "/answer/delay_ms"),
            (json!({"answers": []}), "/answers"),
            (
                json!({"answers": [{}, {"headers": {"Set-Cookie": "a=b"}}]}),
                "/answers/1/headers",
            ),
            (json!({"answer": {}, "answers": [{}]}), "/answers"),
            (json!({"name": ""}), "/name"),
            (
                json!({"verification": {"secret": ""}}),
                "/verification/secret",
            ),
            (
                json!({"verification": {"secret": "a", "scheme": "b"}}),
                "/verification/scheme",
            ),
        ] {
            let refused = doors.post("/v1/receivers", new).await.is(422);
            refused.refuses("invalid_field", place);
        }
        assert_eq!(doors.knock("POST", "/r/r_unknown", "").await.status, 404);
        let (receiver, path) = doors.receiver(json!({})).await;
        doors
            .delete(&format!("/v1/receivers/{receiver}"))
            .await
            .is(204);
        assert_eq!(doors.knock("POST", &path, "").await.status, 404);
        doors.has_none("/v1/receivers").await;
    })
    .await;
}

#[tokio::test]
async fn a_secret_of_its_own_verifies_what_others_send() {
    on_both(async |engine| {
        let doors = Doors::at_origin(engine).await;
        let given =
            json!({"verification": {"scheme": "github", "secret": "It's a Secret to Everybody"}});
        let (receiver, path) = doors.receiver(given).await;
        let digits = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let request = Request::post(&path)
            .header("x-hub-signature-256", format!("sha256={digits}"))
            .body(Body::from("Hello, World!"));
        doors.request(request.expect("a request")).await.is(200);
        let came = doors.came(&receiver).await;
        let signature = &came.body["data"][0]["signature"];
        assert_eq!(
            (&signature["genuine"], &signature["by"], &signature["seen"]),
            (&json!(true), &json!("receiver"), &json!(["github"]))
        );
        let path = format!("/v1/receivers/{receiver}");
        let shown = doors.get(&path).await.is(200);
        assert_eq!(shown.body["scheme"], "github");
        assert!(!shown.body.to_string().contains("Everybody"));
        doors
            .patch(&path, json!({"verification": null}))
            .await
            .is(200);
        let came = doors.came(&receiver).await;
        assert_eq!(came.body["data"][0]["signature"]["genuine"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn only_the_account_s_own_deliveries_are_handed_over() {
    on_both(async |engine| {
        let doors = Doors::at_origin(engine).await;
        let (receiver, path) = doors.receiver(json!({})).await;
        let stranger = doors.other_account("stranger").await;
        let new = json!({"url": format!("{ORIGIN}{path}"), "retry_policy": {"delays_ms": []}});
        doors
            .call(&stranger, "POST", "/v1/endpoints", Some(new))
            .await
            .is(201);
        let event = json!({"type": "a", "data": 1});
        doors
            .call(&stranger, "POST", "/v1/events", Some(event))
            .await
            .is(202);
        doors.settled().await;
        let failed = doors
            .call(&stranger, "GET", "/v1/deliveries?state=failed", None)
            .await
            .is(200);
        assert_eq!(
            failed.body["data"].as_array().map(Vec::len),
            Some(1),
            "it is dialled, as any URL is"
        );
        assert_eq!(
            each(&doors.came(&receiver).await, "id"),
            Vec::<Value>::new()
        );
        // Nor is any other path of the server reached so.
        doors.sends_to("/v1/account", &[]).await;
        doors
            .post("/v1/events", json!({"type": "a", "data": 1}))
            .await
            .is(202);
        doors.settled().await;
        assert_eq!(doors.attempts().await[0]["status_code"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn the_last_requests_are_kept_and_no_more_come_in_a_minute_than_may() {
    on_both(async |engine| {
        let doors = Doors::at_origin(engine).await;
        let (receiver, path) = doors.receiver(json!({})).await;
        for no in 0..600 {
            let answer = doors.knock("POST", &path, &no.to_string()).await;
            assert_eq!(answer.status, 200, "{no}");
        }
        assert_eq!(doors.knock("POST", &path, "").await.status, 429);
        let mut kept = doors.came(&receiver).await;
        let mut bodies = each(&kept, "body");
        while let Some(cursor) = kept.body["next_cursor"].as_str() {
            let path = format!("/v1/receivers/{receiver}/requests?limit=250&cursor={cursor}");
            kept = doors.get(&path).await.is(200);
            bodies.extend(each(&kept, "body"));
        }
        assert_eq!(bodies.len(), 500);
        assert_eq!((&bodies[0], &bodies[499]), (&json!("599"), &json!("100")));
        doors.clock.advance(Duration::from_mins(1));
        assert_eq!(doors.knock("POST", &path, "").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_reader_may_look_and_not_forward() {
    on_both(async |engine| {
        let doors = Doors::at_origin(engine).await;
        let (receiver, _) = doors.receiver(json!({"forward": true})).await;
        let reader = doors.key(&["read"]).await;
        let path = format!("/v1/receivers/{receiver}");
        let stream = format!("{path}/stream?forward=true");
        doors.call(&reader, "GET", &stream, None).await.is(403);
        doors
            .call(&reader, "PATCH", &path, Some(json!({})))
            .await
            .is(403);
        doors.call(OPERATOR, "GET", &path, None).await.is(200);
    })
    .await;
}
