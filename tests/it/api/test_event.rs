//! Examples are sent to an endpoint: the whole way of a delivery, to this endpoint alone, and nothing else follows.

use serde_json::{Value, json};
use throwbar::signing::{self, Check, Scheme};

use super::version::each;
use super::{Answer, Doors};
use crate::support::answers::Answer as Says;
use crate::support::before_hanging;
use crate::support::receiver::{Receiver, Request};
use crate::support::store::on_both;

async fn made(doors: &Doors, path: &str, new: Value) -> Answer {
    doors.post(path, new).await.is(201)
}

async fn settle(doors: &Doors) {
    before_hanging("it to settle", doors.pipeline.settle()).await;
}

fn is_genuine(doors: &Doors, secret: &str, request: &Request) {
    let report = signing::verify(&Check {
        scheme: &Scheme::Standard,
        secret,
        headers: &request.headers,
        body: &request.body,
        now: doors.clock.now(),
        tolerance_s: 5,
        also_try: &[],
    });
    assert!(report.is_genuine(), "{report:?}");
}

fn row<'a>(answer: &'a Answer, event_type: &str) -> &'a Value {
    let rows = answer.body["data"].as_array().expect("a list");
    let found = rows.iter().find(|row| row["type"] == event_type);
    found.unwrap_or_else(|| panic!("{event_type}: {}", answer.body))
}

/// A catalogue with every way to an example.
async fn catalogue(doors: &Doors) {
    let schema = json!({
        "type": "object", "required": ["amount"], "properties": {"amount": {"type": "integer", "minimum": 5}}
    });
    let impossible = json!({"type": "integer", "minimum": 3, "maximum": 2});
    for new in [
        json!({"name": "deal.won", "example": {"amount": 7}, "schema": schema}),
        json!({"name": "deal.lost", "examples": [{"why": "price"}]}),
        json!({"name": "deal.made", "schema": schema}),
        json!({"name": "deal.plain"}),
        json!({"name": "deal.odd", "schema": impossible}),
        json!({"name": "call.ended", "example": {}}),
    ] {
        made(doors, "/v1/event-types", new).await;
    }
}

#[tokio::test]
async fn every_subscribed_type_arrives_signed_and_marked_at_this_endpoint_alone() {
    on_both(async |engine| {
        let (doors, receiver) = (Doors::open(engine).await, Receiver::start().await);
        catalogue(&doors).await;
        let other = Receiver::start().await;
        made(&doors, "/v1/endpoints", json!({"url": other.url("/")})).await;
        let new = json!({"url": receiver.url("/"), "subscribe": ["deal.*", "mail.*"]});
        let endpoint = made(&doors, "/v1/endpoints", new).await;
        let path = format!("/v1/endpoints/{}/test", endpoint.id());
        let sent = doors.post(&path, json!({})).await.is(202);
        settle(&doors).await;
        let arrived = receiver.wait_for(5).await;
        assert_eq!(sent.body["data"].as_array().map(Vec::len), Some(5));
        for (event_type, made_from, payload) in [
            ("deal.won", "example", json!({"amount": 7})),
            ("deal.lost", "example", json!({"why": "price"})),
            ("deal.made", "schema", json!({"amount": 5})),
        ] {
            let row = row(&sent, event_type);
            assert_eq!(row["made_from"], made_from);
            let came = arrived.iter().find(|it| it.webhook_id() == row["event"]);
            let came = came.unwrap_or_else(|| panic!("{event_type} has not come"));
            assert_eq!(came.header("throwbar-test"), Some("true"));
            assert_eq!(came.body, payload.to_string());
            let secret = endpoint.text("/secret");
            is_genuine(&doors, &secret, came);
        }
        assert_eq!(row(&sent, "deal.plain")["made_from"], "nothing");
        assert_eq!(row(&sent, "mail.test")["made_from"], "nothing");
        assert_eq!(sent.body["left_out"][0]["type"], "deal.odd");
        assert_eq!(other.count(), 0);
    })
    .await;
}

#[tokio::test]
async fn they_are_events_and_deliveries_like_others_and_marked() {
    on_both(async |engine| {
        let (doors, receiver) = (Doors::open(engine).await, Receiver::start().await);
        let endpoint = made(&doors, "/v1/endpoints", json!({"url": receiver.url("/")})).await;
        let automation = json!({
            "name": "all", "trigger": {"events": ["*"]}, "actions": [{"emit": {"type": "followed"}}]
        });
        let automation = made(&doors, "/v1/automations", automation).await.id();
        let path = format!("/v1/endpoints/{}/test", endpoint.id());
        let sent = doors.post(&path, json!({})).await.is(202);
        settle(&doors).await;
        // Events and deliveries like others, and marked.
        let event = sent.text("/data/0/event");
        let shown = doors.get(&format!("/v1/events/{event}")).await.is(200);
        assert_eq!(
            (
                &shown.body["test"],
                &shown.body["source"],
                &shown.body["state"]
            ),
            (&json!(true), &json!("test"), &json!("planned"))
        );
        let listed = doors.get("/v1/events").await.is(200);
        assert_eq!(
            each(&listed, "test"),
            [json!(true)],
            "nothing was made of it"
        );
        let delivery = doors
            .get(&format!("/v1/deliveries/{}", sent.text("/data/0/delivery")))
            .await
            .is(200);
        assert_eq!(
            (
                &delivery.body["test"],
                &delivery.body["state"],
                &delivery.body["automation"]
            ),
            (&json!(true), &json!("delivered"), &Value::Null)
        );
        for noun in ["automations", "endpoints"] {
            let id = if noun == "endpoints" {
                endpoint.id()
            } else {
                automation.clone()
            };
            let path = format!("/v1/{noun}/{id}/explain?event={event}");
            assert_eq!(doors.get(&path).await.is(200).body["verdict"], "test");
        }
    })
    .await;
}

#[tokio::test]
async fn a_type_is_named_or_refused_with_the_reason() {
    on_both(async |engine| {
        let (doors, receiver) = (Doors::open(engine).await, Receiver::start().await);
        catalogue(&doors).await;
        let new = json!({"url": receiver.url("/"), "subscribe": "none"});
        let id = made(&doors, "/v1/endpoints", new).await.id();
        let path = format!("/v1/endpoints/{id}/test");
        let sent = doors
            .post(&path, json!({"type": "call.ended"}))
            .await
            .is(202);
        assert_eq!(sent.text("/data/0/type"), "call.ended");
        settle(&doors).await;
        receiver.wait_for(1).await;
        for (asked, status, code, place) in [
            (json!({}), 409, "not_subscribed", "nowhere"),
            (json!({"type": "deal.odd"}), 422, "no_example", "/type"),
            (
                json!({"type": "throwbar.endpoint.disabled"}),
                422,
                "reserved_type",
                "/type",
            ),
            (json!({"type": "a b"}), 422, "invalid_field", "/type"),
        ] {
            let refused = doors.post(&path, asked).await.is(status);
            refused.refuses(code, place);
        }
        doors
            .post(&format!("/v1/endpoints/{id}/disable"), json!({}))
            .await
            .is(200);
        let refused = doors
            .post(&path, json!({"type": "call.ended"}))
            .await
            .is(409);
        refused.refuses("endpoint_disabled", "nowhere");
        assert_eq!(receiver.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_test_is_tried_again_and_says_nothing_of_the_endpoint() {
    on_both(async |engine| {
        let (doors, receiver) = (Doors::open(engine).await, Receiver::start().await);
        receiver.always("/", Says::status(410));
        let policy = json!({"delays_ms": [1000]});
        let new = json!({"url": receiver.url("/"), "retry_policy": policy});
        let id = made(&doors, "/v1/endpoints", new).await.id();
        let path = format!("/v1/endpoints/{id}");
        let test = format!("{path}/test");
        doors.post(&test, json!({})).await.is(202);
        settle(&doors).await;
        receiver.always("/", Says::status(500));
        let sent = doors.post(&test, json!({})).await.is(202);
        settle(&doors).await;
        doors.clock.advance(std::time::Duration::from_secs(1));
        settle(&doors).await;
        let delivery = format!("/v1/deliveries/{}", sent.text("/data/0/delivery"));
        let row = doors.get(&delivery).await.is(200);
        assert_eq!(
            (&row.body["state"], &row.body["attempts_made"]),
            (&json!("failed"), &json!(2))
        );
        let attempts = doors.get(&format!("{delivery}/attempts")).await.is(200);
        assert_eq!(each(&attempts, "status_code"), [500, 500]);
        // Gone, and given up: the endpoint stands as it did.
        let shown = doors.get(&path).await.is(200);
        assert_eq!(shown.body["state"], "enabled");
        assert_eq!(shown.body["failing_since"], Value::Null);
        // A recovery has nothing to do with it, and what is sent again is a test still.
        let all = json!({"since": "2020-01-01T00:00:00Z"});
        let job = doors.done(&format!("{path}/recover"), all).await;
        assert_eq!(job.body["total"], 0, "{}", job.body);
        receiver.always("/", Says::status(204));
        let again = doors
            .post(&format!("{delivery}/resend"), json!({}))
            .await
            .is(202)
            .id();
        settle(&doors).await;
        let again = doors.get(&format!("/v1/deliveries/{again}")).await.is(200);
        assert_eq!(
            (&again.body["state"], &again.body["test"]),
            (&json!("delivered"), &json!(true))
        );
        let last = receiver.wait_for(4).await.pop().expect("the last");
        assert_eq!(last.header("throwbar-test"), Some("true"));
    })
    .await;
}

#[tokio::test]
async fn a_re_run_and_a_backtest_pass_tests_over() {
    on_both(async |engine| {
        let (doors, receiver) = (Doors::open(engine).await, Receiver::start().await);
        let new = json!({"url": receiver.url("/"), "subscribe": "none"});
        let id = made(&doors, "/v1/endpoints", new).await.id();
        let automation = json!({
            "name": "all", "trigger": {"events": ["*"]}, "actions": [{"webhook": {"endpoint": id}}]
        });
        let automation = made(&doors, "/v1/automations", automation).await.id();
        doors
            .post(&format!("/v1/endpoints/{id}/test"), json!({"type": "a"}))
            .await
            .is(202);
        doors
            .post("/v1/events", json!({"type": "a", "data": {}}))
            .await
            .is(202);
        settle(&doors).await;
        let job = doors
            .done(&format!("/v1/automations/{automation}/backtest"), json!({}))
            .await;
        assert_eq!(job.body["total"], 1, "{}", job.body);
    })
    .await;
}
