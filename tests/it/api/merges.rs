//! Changes of one thing at the same moment: each is kept, and none undoes a part of another.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::Doors;
use crate::support::store::on_both;

/// Sends all changes at once, and shows what has become of the thing.
async fn change(doors: &Doors, path: &str, changes: &[Value]) -> Value {
    let patches = changes
        .iter()
        .map(|change| doors.patch(path, change.clone()));
    for answer in join_all(patches).await {
        answer.is(200);
    }
    doors.get(path).await.is(200).body
}

fn assert_all_kept(shown: &Value, changes: &[Value]) {
    for change in changes {
        for (field, value) in change.as_object().expect("an object") {
            assert_eq!(&shown[field], value, "{field} of {shown}");
        }
    }
}

#[tokio::test]
async fn of_an_endpoint() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({"url": "https://example.com/hook", "subscribe": "none"});
        let id = doors.post("/v1/endpoints", new).await.is(201).id();
        let path = format!("/v1/endpoints/{id}");
        for round in 1..=5 {
            let changes = [
                json!({"name": format!("in round {round}")}),
                json!({"url": format!("https://example.com/{round}")}),
                json!({"subscribe": [format!("round.{round}")]}),
                json!({"timeout_ms": 1000 + round}),
                json!({"retry_policy": {"delays_ms": [100 * round]}}),
                json!({"envelope": if round % 2 == 0 { "raw" } else { "event" }}),
            ];
            assert_all_kept(&change(&doors, &path, &changes).await, &changes);
        }
        // What it shows is what it gets.
        let subscriptions = [json!({"subscribe": "none"}), json!({"subscribe": ["a.b"]})];
        for _ in 1..=5 {
            let shown = change(&doors, &path, &subscriptions).await;
            let kept = doors.place.number(SUBSCRIPTIONS).await;
            let expected = i64::from(shown["subscribe"] != "none");
            assert_eq!(kept, expected, "{shown}");
        }
    })
    .await;
}

const SUBSCRIPTIONS: &str = "SELECT COUNT(*) FROM automations WHERE owner_endpoint_id IS NOT NULL AND deleted_at_ms IS NULL";

#[tokio::test]
async fn of_an_automation() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({
            "name": "one", "trigger": {"events": ["a.b"]}, "actions": [{"webhook": {"url": "https://example.com/1"}}],
        });
        let id = doors.post("/v1/automations", new).await.is(201).id();
        let path = format!("/v1/automations/{id}");
        for round in 1..=5 {
            let changes = [
                json!({"name": format!("in round {round}")}),
                json!({"trigger": {"events": [format!("round.{round}")]}}),
                json!({"condition": format!("event.data.amount > {round}")}),
            ];
            assert_all_kept(&change(&doors, &path, &changes).await, &changes);
        }
        let shown = doors.get(&path).await.is(200);
        assert_eq!(shown.body["version"], 11, "a new name makes no version");
    })
    .await;
}

#[tokio::test]
async fn of_an_event_type() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors
            .post("/v1/event-types", json!({"name": "deal.won"}))
            .await
            .is(201);
        for round in 1..=5 {
            let changes = [
                json!({"description": format!("in round {round}")}),
                json!({"group": format!("group {round}")}),
                json!({"example": {"round": round}}),
            ];
            let shown = change(&doors, "/v1/event-types/deal.won", &changes).await;
            assert_all_kept(&shown, &changes);
        }
    })
    .await;
}

#[tokio::test]
async fn however_many_come_at_once_each_has_its_turn() {
    const AT_ONCE: usize = 40;
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({"url": "https://example.com/hook", "subscribe": "none"});
        let endpoint = doors.post("/v1/endpoints", new).await.is(201).id();
        let new = json!({"name": "deal.won"});
        doors.post("/v1/event-types", new).await.is(201);
        for (path, field) in [
            (format!("/v1/endpoints/{endpoint}"), "name"),
            ("/v1/event-types/deal.won".to_owned(), "description"),
        ] {
            let changes: Vec<Value> = (0..AT_ONCE)
                .map(|no| json!({ field: format!("no {no}") }))
                .collect();
            let shown = change(&doors, &path, &changes).await;
            let kept = changes.iter().any(|change| change[field] == shown[field]);
            assert!(kept, "{shown}");
        }
    })
    .await;
}

#[tokio::test]
async fn of_what_is_published_of_an_automation() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({
            "name": "one", "trigger": {"events": ["a.b"]}, "actions": [{"webhook": {"url": "https://example.com/1"}}],
        });
        let id = doors.post("/v1/automations", new).await.is(201).id();
        let path = format!("/v1/automations/{id}");
        for round in 1..=5 {
            let changes = [
                json!({"name": format!("in round {round}")}),
                json!({"condition": format!("event.data.amount > {round}"), "draft": true}),
                json!({"enabled": round % 2 == 0}),
            ];
            let changing = changes.iter().map(|patch| doors.patch(&path, patch.clone()));
            let first = json!({"version": 1});
            let [publish, roll_back] = ["publish", "rollback"].map(|step| format!("{path}/{step}"));
            let (patched, published, rolled_back) = tokio::join!(
                join_all(changing),
                doors.post(&publish, first),
                doors.post(&roll_back, json!({})),
            );
            for answer in patched {
                answer.is(200);
            }
            published.is(200);
            // In the first round nothing else was live yet.
            assert!(matches!(rolled_back.status, 200 | 409), "{}", rolled_back.body);
            let shown = doors.get(&path).await.is(200).body;
            assert_eq!(shown["name"], changes[0]["name"], "{shown}");
            assert_eq!(shown["condition"], changes[1]["condition"], "{shown}");
            assert_eq!(shown["enabled"], changes[2]["enabled"], "{shown}");
            assert_eq!(shown["version"], 1 + round);
            // What it shows is what is live.
            let live = doors.get(&format!("{path}/publications?limit=1")).await.is(200);
            let latest = &live.body["data"][0];
            let is_live = latest["to_revision"].is_null();
            assert_eq!(shown["enabled"], is_live, "{latest}");
            if is_live {
                assert_eq!(shown["published_version"], latest["version"]);
            }
            doors.post(&publish, json!({})).await.is(200);
            assert_eq!(doors.place.number(OPEN).await, i64::from(is_live));
        }
        let archive = format!("{path}/archive");
        let archived = doors.post(&archive, json!({}));
        let patched = doors.patch(&path, json!({"enabled": true, "trigger": {"events": ["z"]}}));
        let (archived, patched) = tokio::join!(archived, patched);
        archived.is(200);
        assert!(matches!(patched.status, 200 | 409), "{}", patched.body);
        assert_eq!(doors.get(&path).await.body["enabled"], false);
        assert_eq!(doors.place.number(OPEN).await, 0, "nothing of it is live");
    })
    .await;
}

const OPEN: &str = "SELECT COUNT(*) FROM publications WHERE to_revision IS NULL";
