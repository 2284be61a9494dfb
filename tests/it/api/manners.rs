//! What holds for all routes: problems for every mistake, idempotency keys, pages, descriptions.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::{Answer, Doors, OPERATOR};
use crate::support::store::on_both;

/// Makes an endpoint with a key of the API and one of idempotency.
async fn make_once(doors: &Doors, api_key: &str, key: &str, body: &str) -> Answer {
    let request = Request::post("/v1/endpoints")
        .header("authorization", format!("Bearer {api_key}"))
        .header("idempotency-key", key)
        .body(Body::from(body.to_owned()));
    doors.request(request.expect("a request")).await
}

/// A request, and how it is refused: status, code and place.
const MISTAKES: [(&str, &str, u16, &str, &str); 12] = [
    ("GET", "/", 404, "no_route", "nowhere"),
    ("GET", "/v1/nothing", 404, "no_route", "nowhere"),
    ("PUT", "/v1/endpoints", 405, "no_method", "nowhere"),
    (
        "GET",
        "/v1/endpoints/ep_nothing",
        404,
        "not_found",
        "nowhere",
    ),
    ("GET", "/v1/endpoints/%ff", 404, "not_found", "nowhere"),
    (
        "GET",
        "/v1/endpoints?limit=0",
        422,
        "invalid_limit",
        "limit",
    ),
    (
        "GET",
        "/v1/endpoints?limit=x",
        422,
        "invalid_parameter",
        "limit",
    ),
    (
        "GET",
        "/v1/endpoints?cursor=x",
        422,
        "invalid_cursor",
        "cursor",
    ),
    (
        "GET",
        "/v1/endpoints?colour=x",
        422,
        "unknown_parameter",
        "colour",
    ),
    (
        "GET",
        "/v1/account?colour=x",
        422,
        "unknown_parameter",
        "colour",
    ),
    (
        "GET",
        "/v1/deliveries?state=lost",
        422,
        "invalid_parameter",
        "state",
    ),
    (
        "GET",
        "/v1/deliveries?event=7",
        422,
        "invalid_parameter",
        "event",
    ),
];

#[tokio::test]
async fn every_mistake_is_a_problem() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (method, path, status, code, place) in MISTAKES {
            let answer = doors.call(OPERATOR, method, path, None).await.is(status);
            answer.refuses(code, place);
        }
        let form = Request::post("/v1/endpoints")
            .header("authorization", format!("Bearer {OPERATOR}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from("url=x"));
        doors.request(form.expect("a request")).await.is(415);
        for path in ["/v1/endpoints", "/v1/events"] {
            let twice = Request::post(path)
                .header("authorization", format!("Bearer {OPERATOR}"))
                .header("content-type", "application/json")
                .header("idempotency-key", "one")
                .header("idempotency-key", "two")
                .body(Body::from("{}"));
            let answer = doors.request(twice.expect("a request")).await.is(422);
            answer.refuses("invalid_header", "Idempotency-Key");
        }
        let listed = json!([{"name": "a"}]);
        let answer = doors.post("/v1/endpoints", listed).await.is(422);
        answer.refuses("invalid_field", "");
        doors
            .post("/v1/accounts", json!({"name": "a", "uid": "default"}))
            .await
            .is(409);
    })
    .await;
}

#[tokio::test]
async fn a_write_with_an_idempotency_key_is_done_once() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let body = r#"{"url":"https://example.com/"}"#;
        let other = r#"{"url":"https://example.org/"}"#;
        let make = async |key: &str, body: &str| make_once(&doors, OPERATOR, key, body).await;
        let first = make("k", body).await.is(201);
        let again = make("k", body).await.is(201);
        assert_eq!(first.body, again.body, "the secret, too");
        assert_eq!(again.headers["idempotent-replayed"], "true");
        let reused = make("k", other).await.is(409);
        reused.refuses("idempotency_key_reused", "nowhere");
        let listed = doors.get("/v1/endpoints").await;
        assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(1));

        // What was refused was not done: the key is free again.
        make("l", "{}").await.is(422);
        make("l", body).await.is(201);
        let unnamed = make("", body).await.is(422);
        unnamed.refuses("invalid_field", "Idempotency-Key");

        // Another key's answers are not given away.
        let author = doors.key(&["author"]).await;
        let theirs = make_once(&doors, &author, "k", body).await.is(201);
        assert_ne!(theirs.id(), first.id());
    })
    .await;
}

#[tokio::test]
async fn event_types_are_the_account_s_own_and_the_installation_s() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let stranger = doors.other_account("stranger").await;
        doors
            .post(
                "/v1/event-types",
                json!({"name": "deal.won", "example": {"a": 1}}),
            )
            .await
            .is(201);
        doors
            .post("/v1/event-types", json!({"name": "deal.won"}))
            .await
            .is(409);
        doors
            .post("/v1/event-types", json!({"name": "deal.*"}))
            .await
            .is(422)
            .refuses("invalid_field", "/name");
        let changed = doors
            .patch(
                "/v1/event-types/deal.won",
                json!({"group": "deals", "example": null}),
            )
            .await
            .is(200);
        assert_eq!(
            (&changed.body["group"], &changed.body["owner"]),
            (&json!("deals"), &json!("account"))
        );
        doors
            .call(&stranger, "GET", "/v1/event-types/deal.won", None)
            .await
            .is(404);
        for name in ["a", "b", "c"] {
            doors
                .post("/v1/event-types", json!({"name": name}))
                .await
                .is(201);
        }
        let page = doors.get("/v1/event-types?limit=3").await.is(200);
        let rest = doors
            .get(&format!(
                "/v1/event-types?cursor={}",
                page.text("/next_cursor")
            ))
            .await
            .is(200);
        assert_eq!(
            (&page.body["data"][2]["name"], &rest.body["data"][0]["name"]),
            (&json!("c"), &json!("deal.won"))
        );
        doors.delete("/v1/event-types/deal.won").await.is(204);
        doors.delete("/v1/event-types/deal.won").await.is(404);
    })
    .await;
}

#[tokio::test]
async fn machines_find_what_they_need() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let description = doors.get("/v1/openapi.json").await.is(200);
        assert_eq!(description.body["openapi"], "3.1.0");
        let metrics = doors.get("/metrics").await;
        assert_eq!(metrics.status, 200);
        assert!(metrics.headers.contains_key("x-request-id"));
    })
    .await;
}

#[tokio::test]
async fn an_account_switches_itself_and_reveals_its_key() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let revealed = doors
            .post("/v1/account/signing-key/reveal", json!({}))
            .await
            .is(200);
        assert!(revealed.text("/signing_key").starts_with("tbk_"));
        assert_eq!(
            doors
                .patch("/v1/account", json!({"enabled": false}))
                .await
                .is(200)
                .body["enabled"],
            false
        );
        doors
            .patch("/v1/account", json!({"name": "x"}))
            .await
            .is(422)
            .refuses("unknown_field", "/name");
        let by_uid = doors.get("/v1/accounts/default").await.is(200);
        assert_eq!(by_uid.body["enabled"], false);
    })
    .await;
}
