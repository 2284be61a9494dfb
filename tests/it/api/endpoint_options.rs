//! What an endpoint's settings ask of its URL, by which method its deliveries leave, and from where.

use serde_json::{Value, json};

use super::{Doors, OPERATOR};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

#[tokio::test]
async fn what_the_settings_refuse_is_not_saved() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (new, place) in [
            (json!({"url": "http://a.example/", "http": "refused"}), "/url"),
            (json!({"url": "https://a.example:443/", "explicit_port": "refused"}), "/url"),
            (json!({"url": "https://a.example:8443/", "explicit_port": "refused"}), "/url"),
            (json!({"url": "https://a.example/", "explicit_port": "no"}), "/explicit_port"),
            (json!({"url": "https://a.example/", "method": "GET"}), "/method"),
            (json!({"url": "https://a.example/", "limits": {"concurrency": 0}}), "/limits/concurrency"),
            (json!({"url": "https://a.example/", "limits": {"concurrency": -1}}), "/limits/concurrency"),
            (json!({"url": "https://a.example/", "limits": {"rate": {}}}), "/limits/rate"),
            (json!({"url": "https://a.example/", "limits": {"rate": {"per_minute": 600_001}}}), "/limits/rate/per_minute"),
            (json!({"url": "https://a.example/", "limits": {"rate": {"per_second": "2"}}}), "/limits/rate/per_second"),
            (json!({"url": "https://a.example/", "method": "put"}), "/method"),
        ] {
            let refused = doors.post("/v1/endpoints", new).await.is(422);
            refused.refuses("invalid_field", place);
        }
        doors.has_none("/v1/endpoints").await;

        let strict = json!({
            "url": "https://a.example/", "http": "refused", "explicit_port": "refused", "method": "PUT",
        });
        let made = doors.post("/v1/endpoints", strict).await.is(201);
        let path = format!("/v1/endpoints/{}", made.id());
        for (patch, place) in [
            (json!({"url": "http://a.example/"}), "/url"),
            (json!({"url": "https://a.example:443/"}), "/url"),
        ] {
            let refused = doors.patch(&path, patch).await.is(422);
            refused.refuses("invalid_field", place);
        }
        let loose = json!({"url": "http://a.example:81/", "http": "warned", "explicit_port": "warned"});
        let loose = doors.patch(&path, loose).await.is(200);
        assert_eq!(loose.body["method"], "PUT", "what is not named stays");
        let codes: Vec<_> = loose.body["warnings"]
            .as_array()
            .map(|warnings| warnings.iter().map(|it| it["code"].clone()).collect())
            .unwrap_or_default();
        assert_eq!(codes, ["http", "explicit_port"]);
        // What is there already is asked, too.
        for field in ["http", "explicit_port"] {
            let refused = doors.patch(&path, json!({field: "refused"})).await.is(422);
            refused.refuses("invalid_field", &format!("/{field}"));
        }
        doors.patch(&path, json!({"name": "n"})).await.is(200);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_is_as_lenient_as_ever_and_warned_of_http() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({"url": "http://a.example:81/"});
        let made = doors.post("/v1/endpoints", new).await.is(201);
        for (pointer, expected) in [
            ("/method", json!("POST")),
            ("/http", json!("warned")),
            ("/explicit_port", json!("allowed")),
            ("/warnings/0/code", json!("http")),
            ("/warnings/1", Value::Null),
        ] {
            let found = made.body.pointer(pointer).unwrap_or(&Value::Null);
            assert_eq!(found, &expected, "{pointer}");
        }
        let new = json!({"url": "https://a.example/"});
        let made = doors.post("/v1/endpoints", new).await.is(201);
        assert_eq!(made.body["warnings"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_trial_tells_the_method_and_a_delivery_has_it() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let new = json!({"url": receiver.url("/hook"), "method": "PUT", "subscribe": "none"});
        let endpoint = doors.post("/v1/endpoints", new).await.is(201).id();
        let automation = json!({
            "name": "a", "trigger": {"events": ["a.b"]}, "actions": [{"webhook": {"endpoint": endpoint}}],
        });
        let trial = json!({"automation": automation, "event": {"type": "a.b", "data": {}}});
        let tried = doors.post("/v1/automations/test", trial).await.is(200);
        assert_eq!(tried.body["requests"][0]["method"], "PUT", "{}", tried.body);
        doors.post("/v1/automations", automation).await.is(201);
        let sent = json!({"type": "a.b", "data": {}});
        doors.post("/v1/events", sent).await.is(202);
        doors.pipeline.settle().await;
        let methods: Vec<_> = receiver.requests().into_iter().map(|it| it.method).collect();
        assert_eq!(methods, ["PUT"]);
    })
    .await;
}

#[tokio::test]
async fn a_file_has_the_settings_and_pings_nobody() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let file = |more: &str| {
            format!("throwbar: 1\nendpoints:\n  - name: e\n    url: https://a.example:443/\n{more}")
        };
        let apply = async |more: &str| {
            let request = axum::http::Request::post("/v1/automations/apply")
                .header("authorization", format!("Bearer {OPERATOR}"))
                .header("content-type", "application/yaml")
                .body(axum::body::Body::from(file(more)));
            doors.request(request.expect("a request")).await
        };
        let refused = apply("    explicit_port: refused\n").await.is(422);
        refused.refuses("invalid_field", "/endpoints/0/url");
        let refused = apply("    validate: true\n").await.is(422);
        refused.refuses("invalid_field", "/endpoints/0/validate");
        doors.has_none("/v1/endpoints").await;
        apply("    method: PUT\n    http: refused\n").await.is(200);
        let listed = doors.get("/v1/endpoints").await.is(200);
        assert_eq!(listed.body["data"][0]["method"], "PUT");
        assert_eq!(listed.body["data"][0]["http"], "refused");
        let again = apply("    method: PUT\n    http: refused\n").await.is(200);
        assert_eq!(again.body["changes"], 0, "{}", again.body);
    })
    .await;
}

#[tokio::test]
async fn every_key_may_know_from_where_deliveries_leave() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for scope in ["send", "read", "author", "admin"] {
            let key = doors.key(&[scope]).await;
            let told = doors.call(&key, "GET", "/v1/egress", None).await.is(200);
            assert_eq!(told.body, json!({"addresses": ["203.0.113.7"]}), "{scope}");
        }
    })
    .await;
}
