//! Runs of a schedule that are asked for: on the ledger as what they are, once however often they are asked
//! for with one key, and beside the run before only if that may be.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::schedule::{MINUTE, every_minute, pass};
use super::{Answer, Doors, OPERATOR, nobody};
use crate::support::store::on_both;

async fn make(doors: &Doors, more: Value) -> String {
    let mut new = every_minute();
    for (field, value) in more.as_object().expect("fields") {
        new[field] = value.clone();
    }
    let id = doors.post("/v1/schedules", new).await.is(201).id();
    format!("/v1/schedules/{id}")
}

async fn run(doors: &Doors, path: &str) -> Answer {
    doors
        .call(OPERATOR, "POST", &format!("{path}/run"), None)
        .await
}

/// Cause, state and reason of each occurrence, the latest first.
async fn told(doors: &Doors, path: &str) -> Vec<String> {
    let listed = doors.get(&format!("{path}/occurrences")).await.is(200);
    let rows = listed.body["data"].as_array().expect("a list");
    let rows = rows.iter().map(|row| {
        let text = |field: &str| row[field].as_str().unwrap_or_default();
        format!("{} {} {}", text("cause"), text("state"), text("reason"))
    });
    rows.map(|row| row.trim().to_owned()).collect()
}

#[tokio::test]
async fn a_run_that_is_asked_for_is_an_event_that_says_so() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let path = make(&doors, json!({"paused": true})).await;
        let opened = run(&doors, &path).await.is(202);
        assert_eq!(opened.text("/cause"), "run_now");
        assert_eq!(opened.text("/state"), "due");
        assert_eq!(opened.text("/nominal"), "2026-09-21T16:13:20");
        pass(&doors, MINUTE).await;
        assert_eq!(
            told(&doors, &path).await,
            ["scheduled skipped paused", "run_now fired"]
        );
        let events = doors.get("/v1/events").await.is(200);
        let event = events.text("/data/0/id");
        let event = doors.get(&format!("/v1/events/{event}")).await.is(200);
        assert_eq!(event.text("/type"), "schedule.tick");
        assert_eq!(event.text("/data/cause"), "run_now");
        assert_eq!(event.text("/data/scheduled_at"), opened.text("/at"));
        assert_eq!(event.body["data"]["data"], json!({"n": 1e3}));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_run_of_an_automation_that_stands_still() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({
            "name": "a", "trigger": {"schedule": {"cron": "0 7 * * *"}},
            "actions": [{"webhook": {"url": nobody().await}}],
        });
        let made = doors.post("/v1/automations", new).await.is(201);
        let own = format!("/v1/automations/{}", made.id());
        let path = format!("/v1/schedules/{}", made.text("/schedule"));
        let refused = async |code: &str| {
            run(&doors, &path).await.is(409).refuses(code, "nowhere");
        };
        doors.patch(&own, json!({"enabled": false})).await.is(200);
        refused("disabled").await;
        doors
            .post(&format!("{own}/archive"), json!({}))
            .await
            .is(200);
        refused("archived").await;
        doors
            .post(&format!("{own}/unarchive"), json!({}))
            .await
            .is(200);
        refused("disabled").await;
        doors.patch(&own, json!({"enabled": true})).await.is(200);
        run(&doors, &path).await.is(202);
        let other = json!({"trigger": {"events": ["deal.won"]}});
        doors.patch(&own, other).await.is(200);
        refused("not_its_trigger").await;
        pass(&doors, std::time::Duration::ZERO).await;
        assert_eq!(told(&doors, &path).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn asked_for_twice_with_one_key_it_runs_once() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let path = make(&doors, json!({})).await;
        let keyed = async |key: &str| {
            let request = Request::post(format!("{path}/run"))
                .header("authorization", format!("Bearer {OPERATOR}"))
                .header("idempotency-key", key)
                .body(Body::empty());
            doors.request(request.expect("a request")).await.is(202)
        };
        let first = keyed("one").await;
        let again = keyed("one").await;
        assert_eq!(first.body, again.body);
        assert_eq!(again.headers["idempotent-replayed"], "true");
        let other = keyed("two").await;
        assert_ne!(
            first.text("/at"),
            other.text("/at"),
            "each has its own time"
        );
        pass(&doors, std::time::Duration::ZERO).await;
        assert_eq!(told(&doors, &path).await, ["run_now fired"; 2]);
        let events = doors.get("/v1/events").await.is(200);
        assert_eq!(events.body["data"].as_array().map(Vec::len), Some(2));
    })
    .await;
}

#[tokio::test]
async fn it_goes_beside_the_run_before_only_if_that_may_be() {
    on_both(async |engine| {
        for (overlap, code, expected) in [
            ("allow", None, vec!["run_now fired"; 2]),
            ("skip", Some("overlap"), vec!["run_now fired"]),
            ("queue_one", None, vec!["run_now queued", "run_now fired"]),
        ] {
            let doors = Doors::open(engine).await;
            // Nobody takes the first run's delivery: it is tried again and again.
            let endpoint = json!({"url": nobody().await, "subscribe": ["schedule.*"]});
            let endpoint = doors.post("/v1/endpoints", endpoint).await.is(201).id();
            let path = make(&doors, json!({"overlap": overlap})).await;
            run(&doors, &path).await.is(202);
            if overlap == "skip" {
                run(&doors, &path)
                    .await
                    .is(409)
                    .refuses("overlap", "nowhere");
            }
            pass(&doors, std::time::Duration::ZERO).await;
            let second = run(&doors, &path).await;
            match code {
                Some(code) => second.is(409).refuses(code, "nowhere"),
                None => drop(second.is(202)),
            }
            pass(&doors, std::time::Duration::ZERO).await;
            assert_eq!(told(&doors, &path).await, expected, "{overlap}");
            if overlap == "queue_one" {
                run(&doors, &path)
                    .await
                    .is(409)
                    .refuses("queue_full", "nowhere");
                // A run that was asked for is made though its schedule is paused, once its turn comes.
                doors.patch(&path, json!({"paused": true})).await.is(200);
                let endpoint = format!("/v1/endpoints/{endpoint}");
                doors.delete(&endpoint).await.is(204);
                pass(&doors, std::time::Duration::ZERO).await;
                assert_eq!(told(&doors, &path).await, ["run_now fired"; 2]);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_the_run_before_is_called_off_by_a_pause() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let endpoint = json!({"url": nobody().await, "subscribe": ["schedule.*"]});
        doors.post("/v1/endpoints", endpoint).await.is(201);
        let path = make(&doors, json!({"overlap": "queue_one"})).await;
        for _ in 0..2 {
            pass(&doors, MINUTE).await;
        }
        assert_eq!(
            told(&doors, &path).await,
            ["scheduled queued", "scheduled fired"]
        );
        doors.patch(&path, json!({"paused": true})).await.is(200);
        pass(&doors, std::time::Duration::ZERO).await;
        assert_eq!(
            told(&doors, &path).await,
            ["scheduled skipped paused", "scheduled fired"]
        );
    })
    .await;
}
