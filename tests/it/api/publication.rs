//! What is published of an automation: one step each, nothing rewritten; and automations that are put away.

use serde_json::{Value, json};

use super::version::{automation, condition, each};
use super::{Answer, Doors, OPERATOR};
use crate::support::store::on_both;

/// Publishes or rolls back: the version, the one that it replaces, and whether they differ.
fn told(answer: &Answer) -> (i64, Option<i64>, bool) {
    let number = |field: &str| answer.body[field].as_i64();
    let changed = answer.body["changed"].as_bool().expect("told");
    let version = number("version").expect("told");
    let shown = &answer.body["automation"]["published_version"];
    assert_eq!(shown, version, "{}", answer.body);
    (version, number("replaced"), changed)
}

#[tokio::test]
async fn publishing_and_rolling_back_are_one_step_each_and_rewrite_nothing() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let path = automation(&doors, "event.data.amount > 1").await;
        let draft = json!({"condition": "event.data.amount > 2", "draft": true});
        doors.patch(&path, draft).await.is(200);
        let again = json!({"condition": "event.data.amount > 1", "draft": true});
        doors.patch(&path, again).await.is(200);
        let post =
            async |step: &str, body: Value| doors.post(&format!("{path}/{step}"), body).await;

        let none = post("rollback", json!({})).await.is(409);
        none.refuses("nothing_before", "nowhere");
        let newest = doors
            .call(OPERATOR, "POST", &format!("{path}/publish"), None)
            .await
            .is(200);
        assert_eq!(told(&newest), (3, Some(1), false), "it says the same");
        assert!(newest.text("/summary").contains("says the same"));
        let same = post("publish", json!({"version": 3})).await.is(200);
        assert_eq!(told(&same), (3, Some(3), false));
        assert_eq!(same.body["revision"], Value::Null);
        let second = post("publish", json!({"version": 2})).await.is(200);
        assert_eq!(told(&second), (2, Some(3), true));
        let raised = newest.body["revision"].as_i64().expect("raised") + 1;
        assert_eq!(second.body["revision"], raised);

        for (to, expected) in [(None, 3), (None, 2), (Some(1), 1), (None, 2)] {
            let body = to.map_or(json!({}), |to| json!({"to": to}));
            let back = post("rollback", body).await.is(200);
            assert_eq!(told(&back).0, expected);
        }
        let listed = doors.get(&format!("{path}/publications")).await.is(200);
        assert_eq!(each(&listed, "version"), [2, 1, 2, 3, 2, 3, 1]);
        let revisions = each(&listed, "to_revision");
        let from = each(&listed, "from_revision");
        assert_eq!(revisions[0], Value::Null);
        assert_eq!(revisions[1..], from[..6], "one ends where the next begins");
        assert_eq!(listed.body["data"][0]["author"]["name"], "bootstrap");
        assert_eq!(listed.text("/data/1/to"), listed.text("/data/0/from"));
        assert_eq!(
            each(&doors.get(&format!("{path}/versions")).await, "version"),
            [3, 2, 1]
        );
    })
    .await;
}

#[tokio::test]
async fn what_can_t_be_published_is_named() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let path = automation(&doors, "event.data.amount > 1").await;
        let post =
            async |step: &str, body: Value| doors.post(&format!("{path}/{step}"), body).await;
        for (step, body, code, place) in [
            (
                "publish",
                json!({"version": 4}),
                "unknown_version",
                "/version",
            ),
            (
                "publish",
                json!({"version": 0}),
                "unknown_version",
                "/version",
            ),
            ("publish", json!({"to": 1}), "unknown_field", "/to"),
            ("rollback", json!({"to": 4}), "unknown_version", "/to"),
            (
                "rollback",
                json!({"version": 1}),
                "unknown_field",
                "/version",
            ),
        ] {
            post(step, body).await.is(422).refuses(code, place);
        }
        let next = json!({"condition": "event.data.amount > 4", "draft": true});
        doors.patch(&path, next).await.is(200);
        let never = post("rollback", json!({"to": 2})).await.is(422);
        never.refuses("invalid_field", "/to");
    })
    .await;
}

#[tokio::test]
async fn an_archived_automation_is_left_out_and_left_alone() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let path = automation(&doors, "event.data.amount > 1").await;
        condition(&doors, &path, "event.data.amount > 2").await;
        for _ in 0..2 {
            let put_away = doors
                .post(&format!("{path}/archive"), json!({}))
                .await
                .is(200);
            assert!(put_away.body["archived_at"].is_string());
            assert_eq!(put_away.body["enabled"], false);
        }
        doors.has_none("/v1/automations").await;
        doors.has_none("/v1/automations?archived=false").await;
        let all = doors.get("/v1/automations?archived=true").await.is(200);
        assert_eq!(each(&all, "version"), [2]);
        for (method, step, body) in [
            ("PATCH", "", json!({"enabled": true})),
            ("PATCH", "", json!({"name": "b"})),
            ("POST", "/publish", json!({"version": 1})),
            ("POST", "/rollback", json!({})),
        ] {
            let path = format!("{path}{step}");
            let refused = doors
                .call(OPERATOR, method, &path, Some(body))
                .await
                .is(409);
            refused.refuses("archived", "nowhere");
        }
        for _ in 0..2 {
            let back = doors
                .post(&format!("{path}/unarchive"), json!({}))
                .await
                .is(200);
            assert_eq!(back.body["archived_at"], Value::Null);
            assert_eq!(back.body["enabled"], false, "until somebody switches it on");
        }
        let off = doors
            .post(&format!("{path}/rollback"), json!({}))
            .await
            .is(200);
        assert_eq!(told(&off), (1, Some(2), true));
        assert!(off.text("/summary").contains("switched off"));
        let on = doors.patch(&path, json!({"enabled": true})).await.is(200);
        assert_eq!(on.body["published_version"], 1);
        doors
            .post(&format!("{path}/archive"), json!({}))
            .await
            .is(200);
        doors.delete(&path).await.is(204);
        doors.get(&format!("{path}/versions")).await.is(404);
    })
    .await;
}

#[tokio::test]
async fn a_version_whose_endpoint_was_removed_is_published_and_says_so() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let path = automation(&doors, "event.data.amount > 1").await;
        let new = json!({"url": "https://example.com/other", "subscribe": "none"});
        let endpoint = doors.post("/v1/endpoints", new).await.is(201).id();
        let to = json!({"actions": [{"webhook": {"endpoint": endpoint}}]});
        doors.patch(&path, to).await.is(200);
        let back = doors
            .post(&format!("{path}/rollback"), json!({}))
            .await
            .is(200);
        assert_eq!(back.body["removed_endpoints"], json!([]));
        doors
            .delete(&format!("/v1/endpoints/{endpoint}"))
            .await
            .is(204);
        let again = doors
            .post(&format!("{path}/publish"), json!({}))
            .await
            .is(200);
        assert_eq!(again.body["removed_endpoints"], json!([endpoint]));
    })
    .await;
}
