//! Schedules: made, changed, paused; their occurrences become events, once, and stand on the ledger.

use std::time::Duration;

use serde_json::{Value, json};
use throwbar::model::Clock;
use throwbar::pipeline::{Limits, Pipeline};
use throwbar::schedule::Scheduler;
use throwbar::store::Store;

use super::{Doors, nobody};
use crate::support::app;
use crate::support::store::{Engine, on_both};

pub(super) const MINUTE: Duration = Duration::from_mins(1);

/// The doors' clock stands at 2026-09-21T14:13:20Z.
pub(super) fn every_minute() -> Value {
    json!({"name": "tick", "cron": "* * * * *", "timezone": "Europe/Berlin", "data": {"n": 1e3}})
}

pub(super) fn scheduler(doors: &Doors, store: &Store) -> Scheduler {
    Scheduler::new(store.clone(), Clock::Manual(doors.clock.clone()))
}

/// Lets time pass, then has what is due done.
pub(super) async fn pass(doors: &Doors, by: Duration) {
    doors.clock.advance(by);
    let round = scheduler(doors, &doors.place.store);
    round.round(&doors.pipeline).await.expect("a round");
    doors.pipeline.settle().await;
}

/// State, reason and nominal minute of each occurrence, the latest first.
pub(super) async fn ledger(doors: &Doors, path: &str) -> Vec<String> {
    let listed = doors.get(&format!("{path}/occurrences")).await.is(200);
    let rows = listed.body["data"].as_array().expect("a list");
    rows.iter()
        .map(|row| {
            let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
            assert_eq!(row["event"].is_null(), text("state") != "fired", "{row}");
            assert_eq!(row["reason"].is_null(), row["summary"].is_null(), "{row}");
            let told = format!(
                "{} {} {}",
                &text("nominal")[11..16],
                text("state"),
                text("reason")
            );
            told.trim().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn an_occurrence_becomes_one_event_with_both_times() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let made = doors.post("/v1/schedules", every_minute()).await.is(201);
        assert_eq!(made.text("/event_type"), "schedule.tick");
        assert_eq!(made.text("/words"), "every minute");
        assert_eq!(made.text("/next_at"), "2026-09-21T14:14:00.000Z");
        let path = format!("/v1/schedules/{}", made.id());

        pass(&doors, Duration::from_secs(39)).await;
        assert_eq!(ledger(&doors, &path).await, Vec::<String>::new());
        pass(&doors, Duration::from_secs(2)).await;
        pass(&doors, Duration::ZERO).await;
        assert_eq!(ledger(&doors, &path).await, ["16:14 fired"]);

        let listed = doors.get(&format!("{path}/occurrences")).await.is(200);
        let event = listed.text("/data/0/event");
        let event = doors.get(&format!("/v1/events/{event}")).await.is(200);
        assert_eq!(event.text("/type"), "schedule.tick");
        assert_eq!(event.text("/timestamp"), "2026-09-21T14:14:00.000Z");
        assert_eq!(
            event.body["data"],
            json!({
                "schedule": made.id(), "name": "tick", "cause": "scheduled", "nominal": "2026-09-21T16:14:00",
                "timezone": "Europe/Berlin", "scheduled_at": "2026-09-21T14:14:00.000Z",
                "actual_at": "2026-09-21T14:14:01.000Z", "data": {"n": 1e3},
            })
        );
        let shown = doors.get(&path).await.is(200);
        assert_eq!(shown.text("/next_at"), "2026-09-21T14:15:00.000Z");
    })
    .await;
}

#[tokio::test]
async fn a_death_between_the_ledger_and_the_event_makes_no_second_event() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.post("/v1/schedules", every_minute()).await.is(201);
        pass(&doors, MINUTE).await;
        let first = doors.get("/v1/events").await.is(200);
        // The event is there, and nobody has written so.
        doors
            .place
            .execute("UPDATE occurrences SET state = 'due', event_id = NULL, settled_at_ms = NULL")
            .await;
        pass(&doors, Duration::from_secs(5)).await;
        let second = doors.get("/v1/events").await.is(200);
        assert_eq!(first.body, second.body);
        assert_eq!(first.body["data"].as_array().map(Vec::len), Some(1));
        let path = doors.get("/v1/schedules").await.text("/data/0/id");
        let told = ledger(&doors, &format!("/v1/schedules/{path}")).await;
        assert_eq!(told, ["16:14 fired"]);
    })
    .await;
}

#[tokio::test]
async fn of_two_nodes_on_one_database_one_fires() {
    let doors = Doors::open(Engine::Postgres).await;
    let made = doors.post("/v1/schedules", every_minute()).await.is(201);
    let path = format!("/v1/schedules/{}", made.id());
    let store = Store::open(&doors.place.url()).await.expect("it opens");
    let parts = app::parts(store.clone(), &doors.clock, Limits::default());
    let other = Pipeline::start(parts).await.expect("it starts");
    let [own, theirs] = [&doors.place.store, &store].map(|store| scheduler(&doors, store));
    for _ in 0..20 {
        doors.clock.advance(MINUTE);
        let (one, two) = tokio::join!(own.round(&doors.pipeline), theirs.round(&other));
        one.and(two).expect("both rounds");
    }
    for pipeline in [&doors.pipeline, &other] {
        pipeline.settle().await;
    }
    let told = ledger(&doors, &path).await;
    assert_eq!(told.len(), 20);
    assert!(told.iter().all(|row| row.ends_with("fired")), "{told:?}");
    let events = doors.get("/v1/events?limit=250").await.is(200);
    assert_eq!(events.body["data"].as_array().map(Vec::len), Some(20));
    other.shut_down().await.expect("it stops");
}

#[tokio::test]
async fn after_a_downtime_what_was_missed_is_on_the_ledger_with_the_reason() {
    on_both(async |engine| {
        for (catch_up, expected) in [
            (
                json!({}),
                [
                    "16:16 fired",
                    "16:15 missed superseded",
                    "16:14 missed superseded",
                ],
            ),
            (
                json!({"catch_up": "none"}),
                [
                    "16:16 missed late",
                    "16:15 missed late",
                    "16:14 missed late",
                ],
            ),
            (
                json!({"catch_up": "all", "catch_up_window_s": 190}),
                ["16:16 fired", "16:15 fired", "16:14 missed outside_window"],
            ),
        ] {
            let doors = Doors::open(engine).await;
            let mut new = every_minute();
            for (field, value) in catch_up.as_object().expect("fields") {
                new[field] = value.clone();
            }
            new["end_at"] = json!("2026-09-21T14:16:30Z");
            let made = doors.post("/v1/schedules", new).await.is(201);
            // Nobody is there until long after the last of them.
            pass(&doors, Duration::from_secs(280)).await;
            let path = format!("/v1/schedules/{}", made.id());
            assert_eq!(ledger(&doors, &path).await, expected, "{catch_up}");
            let shown = doors.get(&path).await.is(200);
            assert_eq!(shown.body["next_at"], Value::Null, "it has ended");
        }
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_under_way_holds_up_or_skips_the_next() {
    on_both(async |engine| {
        for (overlap, expected) in [
            ("allow", ["16:16 fired", "16:15 fired", "16:14 fired"]),
            (
                "skip",
                [
                    "16:16 skipped overlap",
                    "16:15 skipped overlap",
                    "16:14 fired",
                ],
            ),
            (
                "queue_one",
                ["16:16 skipped queue_full", "16:15 queued", "16:14 fired"],
            ),
        ] {
            let doors = Doors::open(engine).await;
            // Nobody takes the first run's delivery: it is tried again and again.
            let endpoint = json!({"url": nobody().await, "subscribe": ["schedule.*"]});
            let endpoint = doors.post("/v1/endpoints", endpoint).await.is(201).id();
            let mut new = every_minute();
            new["overlap"] = json!(overlap);
            let made = doors.post("/v1/schedules", new).await.is(201);
            let path = format!("/v1/schedules/{}", made.id());
            for _ in 0..3 {
                pass(&doors, MINUTE).await;
            }
            assert_eq!(ledger(&doors, &path).await, expected, "{overlap}");
            // With the endpoint its deliveries are cancelled, and the run is at its end.
            doors
                .delete(&format!("/v1/endpoints/{endpoint}"))
                .await
                .is(204);
            doors.pipeline.settle().await;
            pass(&doors, Duration::from_secs(1)).await;
            let told = ledger(&doors, &path).await;
            let queued = overlap == "queue_one";
            assert_eq!(
                told[1] == "16:15 fired",
                queued || overlap == "allow",
                "{told:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_pause_is_on_the_ledger_and_a_new_timing_counts_from_now() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let made = doors.post("/v1/schedules", every_minute()).await.is(201);
        let path = format!("/v1/schedules/{}", made.id());
        doors.patch(&path, json!({"paused": true})).await.is(200);
        pass(&doors, MINUTE).await;
        doors.patch(&path, json!({"paused": false})).await.is(200);
        pass(&doors, MINUTE).await;
        let told = ledger(&doors, &path).await;
        assert_eq!(told, ["16:15 fired", "16:14 skipped paused"]);

        let changed = doors
            .patch(&path, json!({"cron": "0 17 * * *", "data": null}))
            .await
            .is(200);
        assert_eq!(changed.text("/next_at"), "2026-09-21T15:00:00.000Z");
        assert_eq!(changed.body["data"], Value::Null);
        let interval = json!({"interval": {"every_s": 46800}});
        let changed = doors.patch(&path, interval).await.is(200);
        assert_eq!(
            (changed.text("/words"), changed.text("/next_at")),
            (
                "every 13 hours".to_owned(),
                "2026-09-22T03:15:20.000Z".to_owned()
            )
        );
        assert_eq!(changed.body["cron"], Value::Null);
        doors
            .patch(&path, json!({"timezone": "Europe/Berlin"}))
            .await
            .is(422)
            .refuses("invalid_field", "/timezone");

        doors.delete(&path).await.is(204);
        doors.get(&format!("{path}/occurrences")).await.is(404);
        doors.delete(&path).await.is(404);
        pass(&doors, Duration::from_hours(48)).await;
        let events = doors.get("/v1/events").await.is(200);
        assert_eq!(events.body["data"].as_array().map(Vec::len), Some(1));
    })
    .await;
}

#[tokio::test]
async fn what_a_schedule_can_not_be_is_told_with_its_place() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.post("/v1/schedules", every_minute()).await.is(201);
        for (field, value, code, place) in [
            ("name", json!("two words"), "invalid_field", "/name"),
            ("name", json!(""), "invalid_field", "/name"),
            ("cron", json!("0 0 31 2 *"), "invalid_field", "/cron"),
            ("timezone", json!("Berlin"), "invalid_field", "/timezone"),
            ("overlap", json!("never"), "invalid_field", "/overlap"),
            ("catch_up", json!("some"), "invalid_field", "/catch_up"),
            (
                "catch_up_window_s",
                json!(-1),
                "invalid_field",
                "/catch_up_window_s",
            ),
            ("spread_s", json!(86_401), "invalid_field", "/spread_s"),
            (
                "end_at",
                json!("2020-01-01T00:00:00Z"),
                "invalid_field",
                "/end_at",
            ),
            ("every", json!(5), "unknown_field", "/every"),
        ] {
            let mut wrong = every_minute();
            wrong["name"] = json!("other");
            wrong["start_at"] = json!("2026-01-01T00:00:00Z");
            wrong[field] = value;
            let answer = doors.post("/v1/schedules", wrong).await;
            assert_eq!(answer.status, 422, "{field}: {}", answer.body);
            answer.refuses(code, place);
        }
        doors
            .post("/v1/schedules", every_minute())
            .await
            .is(409)
            .refuses("name_taken", "nowhere");
        let mut other = every_minute();
        other["name"] = json!("tock");
        let other = doors.post("/v1/schedules", other).await.is(201).id();
        doors
            .patch(&format!("/v1/schedules/{other}"), json!({"name": "tick"}))
            .await
            .is(409)
            .refuses("name_taken", "nowhere");
        let listed = doors.get("/v1/schedules?limit=1").await.is(200);
        assert_eq!(listed.text("/data/0/id"), other);
        let next = listed.text("/next_cursor");
        let listed = doors
            .get(&format!("/v1/schedules?limit=1&cursor={next}"))
            .await
            .is(200);
        assert_eq!(listed.text("/data/0/name"), "tick");
    })
    .await;
}

#[tokio::test]
async fn the_ledger_has_pages() {
    let doors = Doors::open(Engine::Sqlite).await;
    let made = doors.post("/v1/schedules", every_minute()).await.is(201);
    let path = format!("/v1/schedules/{}/occurrences", made.id());
    for _ in 0..3 {
        pass(&doors, MINUTE).await;
    }
    let first = doors.get(&format!("{path}?limit=2")).await.is(200);
    assert_eq!(first.body["data"].as_array().map(Vec::len), Some(2));
    let next = first.text("/next_cursor");
    let second = doors
        .get(&format!("{path}?limit=2&cursor={next}"))
        .await
        .is(200);
    assert_eq!(second.text("/data/0/nominal"), "2026-09-21T16:14:00");
    assert_eq!(second.body["next_cursor"], Value::Null);
    doors
        .get(&format!("{path}?cursor=bm9uZQ"))
        .await
        .is(422)
        .refuses("invalid_cursor", "cursor");
}
