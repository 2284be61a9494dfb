//! Versions: saved with their author and their digest, told apart, met by events.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Answer, Doors, component, nobody};
use crate::support::store::on_both;

const URL: &str = "https://example.com/";

/// The path of a new automation with this condition, which no event meets.
pub(super) async fn automation(doors: &Doors, condition: &str) -> String {
    automation_to(doors, condition, URL).await
}

/// The same, to some URL.
async fn automation_to(doors: &Doors, condition: &str, url: &str) -> String {
    let new = json!({
        "name": "a", "trigger": {"events": ["deal.*"]}, "condition": condition, "note": "as ordered",
        "actions": [{"webhook": {"url": url}}],
    });
    let made = doors.post("/v1/automations", new).await.is(201);
    format!("/v1/automations/{}", made.id())
}

/// Saves a further version, published at once.
pub(super) async fn condition(doors: &Doors, path: &str, condition: &str) -> Answer {
    doors
        .patch(path, json!({"condition": condition}))
        .await
        .is(200)
}

/// What is told of each row of a list.
pub(super) fn each(listed: &Answer, field: &str) -> Vec<Value> {
    let rows = listed.body["data"].as_array().expect("a list");
    rows.iter().map(|row| row[field].clone()).collect()
}

#[tokio::test]
async fn a_version_has_its_author_its_note_and_a_digest_that_can_be_checked() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let path = automation(&doors, "event.data.amount > 1").await;
        let made = doors
            .post(
                "/v1/api-keys",
                json!({"name": "Größe", "scopes": ["author"]}),
            )
            .await;
        let change =
            json!({"condition": "event.data.amount > 2", "note": "zu viele", "draft": true});
        doors
            .call(&made.text("/key"), "PATCH", &path, Some(change))
            .await
            .is(200);
        doors
            .delete(&format!("/v1/api-keys/{}", made.id()))
            .await
            .is(204);

        let listed = doors.get(&format!("{path}/versions")).await.is(200);
        assert_eq!(each(&listed, "version"), [2, 1]);
        assert_eq!(each(&listed, "published"), [false, true]);
        assert_eq!(each(&listed, "note"), ["zu viele", "as ordered"]);
        let author = json!({"id": made.id(), "name": "Größe"});
        assert_eq!(
            listed.body["data"][0]["author"], author,
            "also when it is revoked"
        );
        assert_eq!(listed.body["data"][1]["author"]["name"], "bootstrap");

        let first = doors.get(&format!("{path}/versions?limit=1")).await.is(200);
        let cursor = first.text("/next_cursor");
        let rest = doors
            .get(&format!("{path}/versions?limit=1&cursor={cursor}"))
            .await
            .is(200);
        assert_eq!(each(&rest, "version"), [1]);
        assert_eq!(rest.body["next_cursor"], Value::Null);

        let shown = doors.get(&format!("{path}/versions/1")).await.is(200);
        assert_eq!(
            shown.body["definition"]["condition"],
            "event.data.amount > 1"
        );
        // The description says of which bytes it is: sorted, and serde_json writes no white space.
        let sorted: Value = shown.body["definition"].clone();
        let sha256 = hex::encode(Sha256::digest(sorted.to_string()));
        assert_eq!(shown.text("/digest"), format!("sha256:{sha256}"));
        assert_eq!(shown.body["digest"], listed.body["data"][1]["digest"]);
        let newest = doors.get(&path).await.is(200);
        assert_eq!(newest.body["digest"], listed.body["data"][0]["digest"]);
        for nothing in ["0", "3", "-1", "x", "99999999999999999999"] {
            doors
                .get(&format!("{path}/versions/{nothing}"))
                .await
                .is(404);
        }
    })
    .await;
}

#[tokio::test]
async fn what_changes_nothing_makes_no_version() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let plugin = doors.upload(component("redact"), "").await.is(201);
        let path = automation(&doors, "event.data.amount > 1").await;
        let chain = |plugin: &str| {
            let config = json!({"remove": ["/a"]});
            json!({"transforms": [{"plugin": plugin, "config": config}]})
        };
        let named = format!("redact@{}", plugin.text("/version"));
        let (with, again) = (chain("redact"), chain(&named));
        for (patch, version) in [
            (json!({"condition": "event.data.amount > 1"}), 1),
            (json!({"name": "b"}), 1),
            (json!({"actions": [{"webhook": {"url": URL}}]}), 1),
            (with, 2),
            (again, 2),
            (
                json!({"trigger": {"events": ["deal.*"]}, "note": "the same"}),
                2,
            ),
            (json!({"draft": true}), 2),
            (json!({"draft": false}), 2),
        ] {
            let shown = doors.patch(&path, patch.clone()).await.is(200);
            assert_eq!(shown.body["version"], version, "{patch}");
            assert_eq!(shown.body["published_version"], version, "{patch}");
        }
        let publications = doors.get(&format!("{path}/publications")).await.is(200);
        assert_eq!(each(&publications, "version"), [2, 1]);
        for (patch, place) in [
            (json!({"note": "alone"}), "/note"),
            (json!({"condition": null, "note": ""}), "/note"),
            (json!({"condition": null, "note": "n".repeat(501)}), "/note"),
        ] {
            let refused = doors.patch(&path, patch).await.is(422);
            refused.refuses("invalid_field", place);
        }
        let tests = json!({"tests": [{"name": "t"}]});
        let refused = doors.patch(&path, tests).await.is(422);
        refused.refuses("missing_field", "/tests/0/event");
    })
    .await;
}

#[tokio::test]
async fn a_diff_is_told_field_by_field() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let path = automation(&doors, "event.data.amount > 1").await;
        condition(&doors, &path, "event.data.amount > 2").await;
        let both = json!({"condition": null, "trigger": {"events": ["deal.won", "a"]}});
        doors.patch(&path, both).await.is(200);
        let diff = async |query: &str| doors.get(&format!("{path}/versions/{query}")).await;

        let found = diff("3/diff").await.is(200);
        assert_eq!(
            (&found.body["version"], &found.body["from"]),
            (&json!(3), &json!(2))
        );
        assert_eq!(
            found.body["changes"],
            json!([
                {"pointer": "/condition", "before": "event.data.amount > 2"},
                {"pointer": "/trigger/events/0", "before": "deal.*", "after": "deal.won"},
                {"pointer": "/trigger/events/1", "after": "a"},
            ])
        );
        let back = diff("1/diff?from=2").await.is(200);
        assert_eq!(
            back.body["changes"],
            json!([{
                "pointer": "/condition", "before": "event.data.amount > 2", "after": "event.data.amount > 1",
            }])
        );
        assert_eq!(diff("2/diff?from=2").await.is(200).body["changes"], json!([]));
        let first = diff("1/diff").await.is(200);
        assert_eq!(first.body["from"], Value::Null);
        assert_eq!(first.body["changes"][1]["pointer"], "/condition");
        diff("4/diff").await.is(404);
        for (from, code) in [("4", "unknown_version"), ("0", "unknown_version"), ("x", "invalid_parameter")] {
            let query = format!("3/diff?from={from}");
            diff(&query).await.is(422).refuses(code, "from");
        }
    })
    .await;
}

#[tokio::test]
async fn an_event_names_the_version_and_the_plugins_it_met_and_both_can_be_looked_up() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let plugin = doors.upload(component("redact"), "").await.is(201);
        let url = nobody().await;
        let path = automation_to(&doors, "event.data.amount > 1", &url).await;
        let step = json!([{"plugin": "redact", "config": {"remove": ["/a"]}}]);
        doors
            .patch(&path, json!({"transforms": step}))
            .await
            .is(200);
        let send = async || {
            let sent = json!({"type": "deal.won", "data": {"amount": 2, "a": 1}});
            let id = doors.post("/v1/events", sent).await.is(202).id();
            doors.pipeline.settle().await;
            doors
                .get(&format!("/v1/events/{id}/evaluations"))
                .await
                .is(200)
        };
        let said = send().await;
        assert_eq!(said.body["data"][0]["version"], 2);
        assert_eq!(
            said.body["data"][0]["steps"][1]["digest"],
            plugin.body["digest"]
        );
        let version = doors.get(&format!("{path}/versions/2")).await.is(200);
        let pinned = &version.body["definition"]["transforms"][0]["digest"];
        assert_eq!(*pinned, plugin.body["digest"]);

        doors
            .post(&format!("{path}/rollback"), json!({}))
            .await
            .is(200);
        assert_eq!(send().await.body["data"][0]["version"], 1, "the next event");
        doors
            .post(&format!("{path}/archive"), json!({}))
            .await
            .is(200);
        assert_eq!(send().await.body["data"], json!([]));
        let again = doors.get(&format!("{path}/versions/2")).await.is(200);
        for fixed in ["digest", "definition", "author", "note", "created_at"] {
            assert_eq!(again.body[fixed], version.body[fixed], "{fixed}");
        }
        assert_eq!(
            (&version.body["published"], &again.body["published"]),
            (&json!(true), &json!(false))
        );
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_s_own_subscription_has_no_versions_here() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({"url": nobody().await});
        doors.post("/v1/endpoints", new).await.is(201);
        let event = doors
            .post("/v1/events", json!({"type": "a", "data": 1}))
            .await
            .is(202)
            .id();
        doors.pipeline.settle().await;
        let said = doors.get(&format!("/v1/events/{event}/evaluations")).await;
        let path = format!("/v1/automations/{}", said.text("/data/0/automation"));
        for route in ["versions", "versions/1", "versions/1/diff", "publications"] {
            doors.get(&format!("{path}/{route}")).await.is(404);
        }
        for route in ["publish", "rollback", "archive", "unarchive"] {
            doors
                .post(&format!("{path}/{route}"), json!({}))
                .await
                .is(404);
        }
    })
    .await;
}
