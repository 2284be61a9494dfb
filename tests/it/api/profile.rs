//! Profiles: the ready-made ones, and those of an account's own, which endpoints follow but for what they override.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Doors, nobody};
use crate::support::answers::Answer as Says;
use crate::support::clients::{self, Library, Signed};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

/// All parts of a profile.
const PARTS: [&str; 9] = [
    "envelope",
    "signatures",
    "retry_policy",
    "failure_policy",
    "timeout_ms",
    "headers",
    "method",
    "http",
    "explicit_port",
];

fn of(found: &Value) -> Value {
    let parts = PARTS.map(|part| (part.to_owned(), found[part].clone()));
    parts.into_iter().collect::<serde_json::Map<_, _>>().into()
}

async fn read(doors: &Doors, path: &str) -> Value {
    doors.get(path).await.is(200).body
}

async fn endpoint(doors: &Doors, new: Value) -> String {
    let mut new = new;
    if new["url"].is_null() {
        new["url"] = json!(nobody().await);
    }
    let made = doors.post("/v1/endpoints", new).await.is(201).id();
    format!("/v1/endpoints/{made}")
}

#[tokio::test]
async fn the_ready_made_ones_are_as_they_are_for_everybody() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let listed = read(&doors, "/v1/profiles").await;
        let rows = listed["data"].as_array().expect("a list");
        assert_eq!(rows.len(), 4);
        for (row, (name, envelope, signature, retry, failure, timeout_ms)) in rows.iter().zip([
            ("standard", "raw", json!({"scheme": "standard"}), "eight-step", "five-days", 15_000),
            ("event-envelope", "event", json!({"scheme": "event-header"}), "eight-step", "five-days", 15_000),
            (
                "account-signed", "compact", json!({"scheme": "body-hmac", "header": "X-Signature"}), "three-step",
                "five-days", 15_000,
            ),
            (
                "rsa-signed", "raw", json!({"scheme": "rsa", "header": "X-SiqSignature"}), "three-step", "ladder",
                10_000,
            ),
        ]) {
            let parts = json!({
                "envelope": envelope, "signatures": [signature], "retry_policy": retry, "failure_policy": failure,
                "timeout_ms": timeout_ms, "headers": {}, "method": "POST", "http": "warned", "explicit_port": "allowed",
            });
            assert_eq!(row["name"], name);
            assert_eq!(of(row), parts, "{name}");
            assert_eq!((&row["ready_made"], &row["from"]), (&json!(true), &Value::Null), "{name}");
            let path = format!("/v1/profiles/{name}");
            assert_eq!(read(&doors, &path).await, *row);
            let refused = doors.patch(&path, json!({"timeout_ms": 1000})).await.is(409);
            assert_eq!(refused.body["code"], "ready_made");
            let refused = doors.delete(&path).await.is(409);
            assert_eq!(refused.body["code"], "ready_made");
            let again = doors.post("/v1/profiles", json!({"name": name})).await.is(422);
            again.refuses("invalid_field", "/name");

            let made = endpoint(&doors, json!({"profile": name})).await;
            let made = read(&doors, &made).await;
            assert_eq!((of(&made), &made["overrides"]), (parts, &json!([])), "{name}");
            assert_eq!(made["subscribe"], "all");
        }
        let bare = json!({
            "name": "a", "trigger": {"events": ["a.b"]}, "actions": [{"webhook": {"url": nobody().await}}],
        });
        doors.post("/v1/automations", bare).await.is(201);
        let newest = read(&doors, "/v1/endpoints?limit=1").await;
        assert_eq!(newest["data"][0]["profile"], "account-signed");
    })
    .await;
}

#[tokio::test]
async fn endpoints_follow_a_profile_but_for_what_they_override() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({
            "name": "partners", "from": "event-envelope", "timeout_ms": 5000, "headers": {"X-Tier": "gold"},
            "signatures": [{"scheme": "body-hmac", "header": "X-Acme-Signature"}], "method": "PUT",
        });
        let made = doors.post("/v1/profiles", new).await.is(201).body;
        assert_eq!((&made["from"], &made["envelope"]), (&json!("event-envelope"), &json!("event")));
        assert_eq!(made["overrides"], json!(["signatures", "timeout_ms", "headers", "method"]));
        assert_eq!(read(&doors, "/v1/profiles/partners").await, made);

        let follows = endpoint(&doors, json!({"profile": "partners"})).await;
        let own = json!({"profile": "partners", "timeout_ms": 5000, "headers": {"x-own": "1"}});
        let own = endpoint(&doors, own).await;
        let other = endpoint(&doors, json!({})).await;
        let before = read(&doors, &other).await;
        assert_eq!(of(&read(&doors, &follows).await), of(&made));

        let patch = json!({"timeout_ms": 7000, "envelope": "cloudevents", "headers": {"x-tier": "silver"}});
        let changed = doors.patch("/v1/profiles/partners", patch).await.is(200).body;
        let shown = read(&doors, &follows).await;
        assert_eq!((of(&shown), &shown["overrides"]), (of(&changed), &json!([])));
        let shown = read(&doors, &own).await;
        assert_eq!(shown["overrides"], json!(["timeout_ms", "headers"]));
        assert_eq!((&shown["timeout_ms"], &shown["headers"]), (&json!(5000), &json!({"x-own": "1"})));
        assert_eq!((&shown["envelope"], &shown["method"]), (&json!("cloudevents"), &json!("PUT")));
        assert_eq!(read(&doors, &other).await, before, "it follows another profile");

        // What is no more its own is the profile's again, and what is named stays as it is.
        let patched = doors.patch(&own, json!({"overrides": ["headers", "method"]})).await.is(200);
        assert_eq!(patched.body["timeout_ms"], 7000);
        assert_eq!(patched.body["overrides"], json!(["headers", "method"]));
        doors.patch("/v1/profiles/partners", json!({"overrides": []})).await.is(200);
        let shown = read(&doors, &own).await;
        let parts = ["method", "timeout_ms", "envelope"].map(|part| shown[part].clone());
        assert_eq!(parts, [json!("PUT"), json!(15_000), json!("event")]);
        // Another profile leaves it its headers.
        let switched = doors.patch(&own, json!({"profile": "standard"})).await.is(200).body;
        assert_eq!((&switched["overrides"], &switched["method"]), (&json!(["headers"]), &json!("POST")));
        let secrets = read(&doors, &format!("{own}/secrets")).await;
        assert_eq!(secrets["data"].as_array().map(Vec::len), Some(1), "it signs with one of its own now");
    })
    .await;
}

#[tokio::test]
async fn the_next_attempt_keeps_to_what_has_changed() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        receiver.always("/hook", Says::status(500));
        let nightly = json!({"name": "nightly", "policy": {"delays_ms": [60_000]}});
        doors.post("/v1/retry-policies", nightly).await.is(201);
        let new =
            json!({"name": "partners", "retry_policy": "nightly", "headers": {"x-tier": "gold"}});
        let made = doors.post("/v1/profiles", new).await.is(201);
        assert_eq!(made.body["retry_policy"], "nightly");
        let new = json!({"url": receiver.url("/hook"), "profile": "partners"});
        let follows = endpoint(&doors, new).await;
        let secret = doors
            .get(&format!("{follows}/secrets"))
            .await
            .is(200)
            .text("/data/0/id");
        let reveal = format!("{follows}/secrets/{secret}/reveal");
        let secret = doors
            .call(super::OPERATOR, "POST", &reveal, None)
            .await
            .is(200)
            .text("/secret");
        doors
            .post("/v1/events", json!({"type": "a.b", "data": {"n": 1}}))
            .await
            .is(202);
        doors.pipeline.settle().await;

        let longer = json!({"policy": {"delays_ms": [60_000, 1000], "final_statuses": [400]}});
        doors
            .patch("/v1/retry-policies/nightly", longer)
            .await
            .is(200);
        let profile =
            json!({"headers": {"x-tier": "silver"}, "signatures": [{"scheme": "github"}]});
        doors.patch("/v1/profiles/partners", profile).await.is(200);
        let shown = read(&doors, &follows).await;
        assert_eq!(shown["retry_policy"], "nightly");
        assert_eq!(
            shown["retry_schedule"],
            "at once, then after 1 min, 1 s; 400 is final"
        );
        for seconds in [60, 1] {
            doors.clock.advance(Duration::from_secs(seconds));
            doors.pipeline.settle().await;
        }
        let requests = receiver.requests();
        let tiers: Vec<_> = requests.iter().map(|it| it.header("x-tier")).collect();
        assert_eq!(tiers, [Some("gold"), Some("silver"), Some("silver")]);
        assert!(
            requests[1].header("webhook-id").is_none(),
            "it is signed otherwise"
        );
        let signed = [Signed::under("github", &secret, &requests[2])];
        assert_eq!(clients::verify(Library::Npm, &signed).await, [Ok(())]);
    })
    .await;
}

#[tokio::test]
async fn a_profile_that_is_signed_otherwise_gives_its_endpoints_what_they_sign_with() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({"name": "partners", "from": "account-signed"});
        doors.post("/v1/profiles", new).await.is(201);
        let follows = endpoint(&doors, json!({"profile": "partners"})).await;
        doors.has_none(&format!("{follows}/secrets")).await;
        let both = json!({"signatures": [{"scheme": "standard"}, {"scheme": "standard-ed25519"}]});
        // Under a key it is one piece of work, however it comes about.
        let mut answers = Vec::new();
        for _ in 0..2 {
            let request = axum::http::Request::patch("/v1/profiles/partners")
                .header("authorization", format!("Bearer {}", super::OPERATOR))
                .header("content-type", "application/json")
                .header("idempotency-key", "k")
                .body(axum::body::Body::from(both.to_string()));
            let answer = doors.request(request.expect("a request")).await.is(200);
            answers.push(answer.body);
        }
        assert_eq!(answers[0], answers[1]);
        for kept in ["secrets", "keys"] {
            let kept = read(&doors, &format!("{follows}/{kept}")).await;
            assert_eq!(kept["data"].as_array().map(Vec::len), Some(1), "{kept}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_is_refused_with_its_place() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (new, place) in [
            (json!({"name": "Partners"}), "/name"),
            (json!({"name": ""}), "/name"),
            (json!({"name": "7"}), "/name"),
            (json!({"name": "p", "from": "partners"}), "/from"),
            (
                json!({"name": "p", "retry_policy": "nightly"}),
                "/retry_policy",
            ),
            (
                json!({"name": "p", "failure_policy": "patient"}),
                "/failure_policy",
            ),
            (json!({"name": "p", "timeout_ms": 1}), "/timeout_ms"),
            (
                json!({"name": "p", "headers": {"host": "a"}}),
                "/headers/host",
            ),
            (
                json!({"name": "p", "signatures": [{"scheme": "github", "secret": "text"}]}),
                "/signatures/0/secret",
            ),
        ] {
            let shown = new.to_string();
            let refused = doors.post("/v1/profiles", new).await;
            assert_eq!(refused.status, 422, "{shown}: {}", refused.body);
            refused.refuses("invalid_field", place);
        }
        let dangling = json!({"name": "p", "headers": {"x-a": "{{vars.missing}}"}});
        doors
            .post("/v1/profiles", dangling)
            .await
            .is(422)
            .refuses("invalid_header", "/headers/x-a");
        assert_eq!(
            read(&doors, "/v1/profiles").await["data"]
                .as_array()
                .map(Vec::len),
            Some(4)
        );
        doors.get("/v1/profiles/p").await.is(404);
        let unknown = json!({"url": nobody().await, "profile": "p"});
        doors
            .post("/v1/endpoints", unknown)
            .await
            .is(422)
            .refuses("invalid_field", "/profile");
    })
    .await;
}

#[tokio::test]
async fn what_is_used_stays_and_where_an_endpoint_can_not_follow_nothing_is_changed() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors
            .post("/v1/profiles", json!({"name": "p"}))
            .await
            .is(201);
        let again = doors
            .post("/v1/profiles", json!({"name": "p"}))
            .await
            .is(409);
        assert_eq!(again.body["code"], "name_taken");
        let follows = endpoint(&doors, json!({"profile": "p", "name": "CRM"})).await;
        let before = read(&doors, &follows).await;
        // Its endpoint can't follow there.
        let refused = doors
            .patch("/v1/profiles/p", json!({"http": "refused"}))
            .await
            .is(422);
        refused.refuses("invalid_field", "/http");
        assert!(
            refused.text("/detail").contains("the endpoint 'CRM'"),
            "{}",
            refused.body
        );
        let removed = doors.delete("/v1/profiles/p").await.is(409);
        assert_eq!(removed.body["code"], "in_use");
        assert!(
            removed.text("/detail").contains("the endpoint 'CRM'"),
            "{}",
            removed.body
        );
        assert_eq!(read(&doors, &follows).await, before);
        assert_eq!(read(&doors, "/v1/profiles/p").await["http"], "warned");

        doors
            .post("/v1/variables", json!({"name": "tier", "value": "gold"}))
            .await
            .is(201);
        let tier = json!({"headers": {"x-tier": "{{vars.tier}}"}});
        doors.patch("/v1/profiles/p", tier).await.is(200);
        let used = doors.delete("/v1/variables/tier").await.is(409);
        assert!(
            used.text("/detail").contains("the profile 'p'"),
            "{}",
            used.body
        );
        doors.delete(&follows).await.is(204);
        doors.delete("/v1/profiles/p").await.is(204);
        doors.delete("/v1/profiles/p").await.is(404);
        doors.delete("/v1/variables/tier").await.is(204);
    })
    .await;
}

#[tokio::test]
async fn an_account_has_a_profile_for_endpoints_that_name_none() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        assert_eq!(
            read(&doors, "/v1/account").await["default_profile"],
            "standard"
        );
        let usual = endpoint(&doors, json!({})).await;
        let unknown = doors
            .patch("/v1/account", json!({"default_profile": "p"}))
            .await
            .is(422);
        unknown.refuses("invalid_field", "/default_profile");
        let new = json!({"name": "p", "retry_policy": "three-step", "timeout_ms": 500});
        doors.post("/v1/profiles", new).await.is(201);
        let patched = doors
            .patch("/v1/account", json!({"default_profile": "p"}))
            .await
            .is(200);
        assert_eq!(patched.body["default_profile"], "p");
        let made = endpoint(&doors, json!({"timeout_ms": 600})).await;
        let made = read(&doors, &made).await;
        assert_eq!(
            (&made["profile"], &made["retry_policy"]),
            (&json!("p"), &json!("three-step"))
        );
        assert_eq!(
            (&made["timeout_ms"], &made["overrides"]),
            (&json!(600), &json!(["timeout_ms"]))
        );
        assert_eq!(
            read(&doors, &usual).await["profile"],
            "standard",
            "it was made before"
        );
        let named = endpoint(&doors, json!({"profile": "standard"})).await;
        assert_eq!(read(&doors, &named).await["timeout_ms"], 15_000);
        let removed = doors.delete("/v1/profiles/p").await.is(409);
        assert!(
            removed.text("/detail").contains("default_profile"),
            "{}",
            removed.body
        );
        let theirs = doors.other_account("stranger").await;
        let theirs = doors
            .call(&theirs, "GET", "/v1/account", None)
            .await
            .is(200);
        assert_eq!(theirs.body["default_profile"], "standard");
    })
    .await;
}
