//! U+0000 in texts: PostgreSQL can't keep it, so no door lets it in, on either engine. What is carried as
//! JSON keeps its escapes.

use serde_json::json;

use super::{Doors, component};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

/// JSON with U+0000 in a text that would be kept, and the text's place.
const TEXTS_WITH_NUL: [(&str, &str, &str); 12] = [
    (
        "/v1/endpoints",
        r#"{"url":"https://a.example","name":"a\u0000"}"#,
        "/name",
    ),
    (
        "/v1/endpoints",
        r#"{"url":"https://a.example/\u0000"}"#,
        "/url",
    ),
    (
        "/v1/endpoints",
        r#"{"url":"https://a.example","signatures":[{"scheme":"body-hmac","header":"X-\u0000"}]}"#,
        "/signatures/0/header",
    ),
    (
        "/v1/automations",
        r#"{"name":"\u0000","trigger":{"events":["a"]},"actions":[]}"#,
        "/name",
    ),
    (
        "/v1/automations",
        r#"{"name":"a","trigger":{"events":["a"]},"condition":"event.data == '\u0000'","actions":[]}"#,
        "/condition",
    ),
    (
        "/v1/automations",
        r#"{"name":"a","trigger":{"events":["a"]},"transforms":[{"plugin":"\u0000"}],"actions":[]}"#,
        "/transforms/0/plugin",
    ),
    (
        "/v1/event-types",
        r#"{"name":"a","description":"\u0000"}"#,
        "/description",
    ),
    (
        "/v1/event-types",
        r#"{"name":"a","group":"\u0000"}"#,
        "/group",
    ),
    ("/v1/accounts", r#"{"name":"a","uid":"\u0000"}"#, "/uid"),
    (
        "/v1/api-keys",
        r#"{"name":"\u0000","scopes":["read"]}"#,
        "/name",
    ),
    (
        "/v1/events",
        r#"{"type":"a","data":1,"id":"\u0000"}"#,
        "/id",
    ),
    (
        "/v1/events",
        r#"{"type":"a","data":1,"idempotency_key":"\u0000"}"#,
        "/idempotency_key",
    ),
];

#[tokio::test]
async fn a_text_that_can_t_be_kept_is_refused_on_both_engines_alike() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (path, body, place) in TEXTS_WITH_NUL {
            let body = serde_json::from_str(body).expect("JSON");
            let answer = doors.post(path, body).await.is(422);
            answer.refuses("invalid_field", place);
        }
        for (path, status) in [
            ("/v1/event-types/a%00", 404),
            ("/v1/accounts/a%00", 404),
            ("/v1/endpoints/a%00", 404),
            ("/v1/events?type=a%00", 422),
            ("/v1/deliveries?state=a%00", 422),
            // `a`, then U+0000.
            ("/v1/event-types?cursor=YQA", 422),
        ] {
            doors.get(path).await.is(status);
        }
        doors
            .upload(component("redact"), "?name=a%00")
            .await
            .is(422);
    })
    .await;
}

#[tokio::test]
async fn json_that_is_only_carried_keeps_its_escapes() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        doors.upload(component("redact"), "").await.is(201);
        let example = json!({"a\0": ["\0"]});
        let new = json!({"name": "deal.won", "example": example});
        doors.post("/v1/event-types", new).await.is(201);
        let shown = doors.get("/v1/event-types/deal.won").await.is(200);
        assert_eq!(shown.body["example"], example);

        let new = json!({
            "name": "a", "trigger": {"events": ["deal.won"]},
            "transforms": [{"plugin": "redact", "config": {"remove": ["/a\0"]}}],
            "actions": [{"webhook": {"url": receiver.url("/")}}],
        });
        doors.post("/v1/automations", new).await.is(201);
        let sent = json!({"type": "deal.won", "data": {"a\0": 1, "b\0": "\0"}});
        doors.post("/v1/events", sent).await.is(202);
        doors.pipeline.settle().await;
        assert_eq!(receiver.requests()[0].body, r#"{"b\u0000":"\u0000"}"#);
    })
    .await;
}
