//! Retry policies and failure policies of an account's own: made, named, changed for everything that names them.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Doors, nobody};
use crate::support::store::on_both;

async fn read(doors: &Doors, path: &str) -> Value {
    doors.get(path).await.is(200).body
}

async fn endpoint(doors: &Doors, field: &str, policy: &str) -> String {
    let new = json!({"url": nobody().await, "name": "CRM", field: policy});
    let made = doors.post("/v1/endpoints", new).await.is(201);
    assert_eq!(made.body[field], policy);
    format!("/v1/endpoints/{}", made.id())
}

#[tokio::test]
async fn a_policy_is_made_named_changed_and_removed() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (list, field, first, second, words) in [
            (
                "/v1/retry-policies",
                "retry_policy",
                json!({"delays_ms": [200], "jitter_pct": 10}),
                json!({"exponential": {"first_ms": 1000, "factor": 2, "cap_ms": 2000, "attempts": 4}}),
                "at once, then after 1 s, 2 s, 2 s",
            ),
            (
                "/v1/failure-policies",
                "failure_policy",
                json!({"consecutive": 20}),
                json!("ladder"),
                "of failed attempts since the last success",
            ),
        ] {
            let ready_made = read(&doors, list).await["data"].as_array().map_or(0, Vec::len);
            let new = json!({"name": "own-1", "policy": first});
            let made = doors.post(list, new.clone()).await.is(201).body;
            assert_eq!((&made["policy"], &made["ready_made"]), (&first, &json!(false)), "{list}");
            let path = format!("{list}/own-1");
            assert_eq!(read(&doors, &path).await, made);
            let again = doors.post(list, new).await.is(409);
            assert_eq!(again.body["code"], "name_taken");

            let named = endpoint(&doors, field, "own-1").await;
            let changed = doors.patch(&path, json!({"policy": second})).await.is(200).body;
            assert_eq!(changed["policy"], second);
            assert!(changed["words"].as_str().is_some_and(|it| it.starts_with(words)), "{changed}");
            let shown = read(&doors, &named).await;
            assert_eq!((&shown[field], &shown["overrides"]), (&json!("own-1"), &json!([field])));
            if field == "retry_policy" {
                assert_eq!(shown["retry_schedule"], words);
                let preview = json!({"policy": "own-1"});
                let preview = doors.post("/v1/retry-policies/preview", preview).await.is(200);
                assert_eq!(preview.body["words"], words);
            }
            let listed = read(&doors, list).await;
            let listed = listed["data"].as_array().expect("a list");
            assert_eq!((listed.len(), &listed[ready_made]), (ready_made + 1, &changed));

            let removed = doors.delete(&path).await.is(409);
            assert_eq!(removed.body["code"], "in_use");
            assert!(removed.text("/detail").contains("the endpoint 'CRM'"), "{}", removed.body);
            let profile = json!({"name": "p", field: "own-1"});
            doors.post("/v1/profiles", profile).await.is(201);
            doors.delete(&named).await.is(204);
            let removed = doors.delete(&path).await.is(409);
            assert!(removed.text("/detail").contains("the profile 'p'"), "{}", removed.body);
            doors.delete("/v1/profiles/p").await.is(204);
            doors.delete(&path).await.is(204);
            doors.get(&path).await.is(404);
            doors.patch(&path, json!({"policy": second})).await.is(404);
        }
    })
    .await;
}

#[tokio::test]
async fn ready_made_ones_stay_as_they_are_and_names_are_checked() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (list, names, policy) in [
            (
                "/v1/retry-policies",
                &["eight-step", "three-step"][..],
                json!({"delays_ms": [1]}),
            ),
            (
                "/v1/failure-policies",
                &["five-days", "ladder", "never", "consecutive"][..],
                json!({"consecutive": 3}),
            ),
        ] {
            for name in names {
                let path = format!("{list}/{name}");
                assert_eq!(read(&doors, &path).await["ready_made"], true);
                let refused = doors.patch(&path, json!({"policy": policy})).await.is(409);
                assert_eq!(refused.body["code"], "ready_made");
                assert_eq!(doors.delete(&path).await.is(409).body["code"], "ready_made");
                let taken = doors
                    .post(list, json!({"name": name, "policy": policy}))
                    .await
                    .is(422);
                taken.refuses("invalid_field", "/name");
            }
            for name in ["", "Own", "7", "a b", "ü", &"a".repeat(65)] {
                let wrong = doors
                    .post(list, json!({"name": name, "policy": policy}))
                    .await
                    .is(422);
                wrong.refuses("invalid_field", "/name");
            }
            let wrong = doors
                .post(list, json!({"name": "own", "policy": "own"}))
                .await
                .is(422);
            wrong.refuses("invalid_field", "/policy");
            let missing = doors.post(list, json!({"name": "own"})).await.is(422);
            missing.refuses("missing_field", "/policy");
        }
        let kept = json!({"name": "preview", "policy": {"delays_ms": [1]}});
        doors
            .post("/v1/retry-policies", kept)
            .await
            .is(422)
            .refuses("invalid_field", "/name");
    })
    .await;
}

#[tokio::test]
async fn what_is_made_while_a_policy_changes_follows_it_all_the_same() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({"name": "busy", "policy": {"delays_ms": [1]}});
        doors.post("/v1/retry-policies", new).await.is(201);
        let (doors, url) = (&doors, &nobody().await);
        let made = (0..12).map(|_| async move {
            let new = json!({"url": url, "retry_policy": "busy"});
            doors.post("/v1/endpoints", new).await.is(201);
        });
        let changed = (2..8).map(|ms| async move {
            let patch = json!({"policy": {"delays_ms": [ms]}});
            doors.patch("/v1/retry-policies/busy", patch).await.is(200);
        });
        tokio::join!(join_all(made), join_all(changed));
        let words = doors
            .get("/v1/retry-policies/busy")
            .await
            .is(200)
            .text("/words");
        let listed = read(doors, "/v1/endpoints").await;
        let listed = listed["data"].as_array().expect("a list");
        assert_eq!(listed.len(), 12);
        for row in listed {
            assert_eq!(row["retry_schedule"], words, "{row}");
        }
    })
    .await;
}
