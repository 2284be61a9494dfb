//! An automation whose trigger is a schedule: it owns one, which lives as the automation does, and whose events
//! nobody else meets.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::schedule::{MINUTE, ledger, pass};
use super::{Answer, Doors, OPERATOR, nobody};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

fn every_minute(url: &str) -> Value {
    json!({
        "name": "tick",
        "trigger": {"schedule": {"cron": "* * * * *", "timezone": "Europe/Berlin", "data": {"n": 1}}},
        "actions": [{"webhook": {"url": url}}],
    })
}

/// An automation that runs every minute, and where it and its schedule are.
struct Ticking {
    id: String,
    automation: String,
    schedule: String,
}

impl Ticking {
    async fn made(doors: &Doors) -> Self {
        let new = every_minute(&nobody().await);
        let made = doors.post("/v1/automations", new).await.is(201);
        Self {
            id: made.id(),
            automation: format!("/v1/automations/{}", made.id()),
            schedule: format!("/v1/schedules/{}", made.text("/schedule")),
        }
    }

    /// Its schedule as it is now.
    async fn shown(&self, doors: &Doors) -> Answer {
        doors.get(&self.schedule).await.is(200)
    }

    /// Has a step done with the automation, such as `publish`.
    async fn step(&self, doors: &Doors, step: &str) {
        let path = format!("{}/{step}", self.automation);
        doors.post(&path, json!({})).await.is(200);
    }

    async fn change(&self, doors: &Doors, patch: Value) -> Answer {
        doors.patch(&self.automation, patch).await.is(200)
    }
}

/// Verdicts of an event, by automation.
async fn verdicts(doors: &Doors, event: &str) -> Vec<(String, String)> {
    let path = format!("/v1/events/{event}/evaluations");
    let listed = doors.get(&path).await.is(200);
    let rows = listed.body["data"].as_array().expect("a list").clone();
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    rows.iter()
        .map(|row| (text(row, "automation"), text(row, "verdict")))
        .collect()
}

#[tokio::test]
async fn its_events_are_for_it_alone() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        // Who wants everything wants nothing of other automations' clockwork.
        let all = json!({"url": nobody().await, "subscribe": "all"});
        let all = doors.post("/v1/endpoints", all).await.is(201).id();
        let mut new = every_minute(&receiver.url("/tick"));
        new["condition"] = json!("event.source == \"schedule\"");
        let made = doors.post("/v1/automations", new).await.is(201);
        let schedule = made.text("/schedule");
        assert_eq!(schedule.replace("sch_", "aut_"), made.id());
        let own_type = format!("schedule.{}", made.id());
        assert_eq!(made.body["trigger"]["events"], json!([own_type]));
        assert_eq!(made.body["trigger"]["schedule"]["cron"], "* * * * *");

        pass(&doors, MINUTE).await;
        let events = doors.get("/v1/events").await.is(200);
        assert_eq!(events.text("/data/0/type"), own_type);
        let event = events.text("/data/0/id");
        let expected = [(made.id(), "fired".to_owned())];
        assert_eq!(verdicts(&doors, &event).await, expected);
        let arrived = receiver.wait_for(1).await;
        let body: Value = serde_json::from_slice(&arrived[0].body).expect("JSON");
        assert_eq!(body["data"], json!({"n": 1}));
        assert_eq!(body["nominal"], "2026-09-21T16:14:00");

        for (what, words) in [
            (format!("endpoints/{all}"), "only that one meets it"),
            (format!("automations/{}", made.id()), ""),
        ] {
            let path = format!("/v1/{what}/explain?event={event}");
            let told = doors.get(&path).await.is(200).text("/summary");
            assert!(told.contains(words), "{told}");
        }
        let sent = json!({"type": "deal.won", "data": 1});
        let sent = doors.post("/v1/events", sent).await.is(202).id();
        doors.pipeline.settle().await;
        let path = format!("/v1/automations/{}/explain?event={sent}", made.id());
        let told = doors.get(&path).await.is(200);
        assert_eq!(told.text("/verdict"), "not_subscribed");
        assert!(
            told.text("/summary")
                .ends_with("a schedule of the automation's own")
        );
    })
    .await;
}

#[tokio::test]
async fn it_lives_as_its_automation_does() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let ticking = Ticking::made(&doors).await;
        let first = ticking.shown(&doors).await;
        assert_eq!(first.text("/automation"), ticking.id);
        assert_eq!(
            first.text("/event_type"),
            format!("schedule.{}", ticking.id)
        );
        pass(&doors, MINUTE).await;

        // A draft changes nothing; published, it counts from then on.
        let hourly = json!({"trigger": {"schedule": {"cron": "0 * * * *"}}, "draft": true});
        ticking.change(&doors, hourly).await;
        assert_eq!(ticking.shown(&doors).await.text("/words"), "every minute");
        ticking.step(&doors, "publish").await;
        assert_eq!(
            ticking.shown(&doors).await.text("/next_at"),
            "2026-09-21T15:00:00.000Z"
        );
        ticking.step(&doors, "rollback").await;
        assert_eq!(ticking.shown(&doors).await.text("/words"), "every minute");

        // Switched off, its occurrences are skipped.
        ticking.change(&doors, json!({"enabled": false})).await;
        assert_eq!(ticking.shown(&doors).await.body["paused"], true);
        pass(&doors, MINUTE).await;
        ticking.change(&doors, json!({"enabled": true})).await;
        pass(&doors, MINUTE).await;
        let told = ledger(&doors, &ticking.schedule).await;
        assert_eq!(told, ["16:16 fired", "16:15 skipped paused", "16:14 fired"]);
    })
    .await;
}

#[tokio::test]
async fn it_stands_still_where_no_such_version_is_live_and_goes_with_its_automation() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let ticking = Ticking::made(&doors).await;
        pass(&doors, 3 * MINUTE).await;
        // Its ledger stays meanwhile.
        let events = json!({"trigger": {"events": ["deal.*"]}});
        let changed = ticking.change(&doors, events).await;
        assert_eq!(changed.body["schedule"], Value::Null);
        assert_eq!(ticking.shown(&doors).await.body["next_at"], Value::Null);
        pass(&doors, 2 * MINUTE).await;
        ticking.step(&doors, "rollback").await;
        assert_eq!(
            ticking.shown(&doors).await.text("/next_at"),
            "2026-09-21T14:19:00.000Z"
        );
        ticking.step(&doors, "archive").await;
        assert_eq!(ticking.shown(&doors).await.body["next_at"], Value::Null);
        ticking.step(&doors, "unarchive").await;
        assert_eq!(ticking.shown(&doors).await.body["paused"], true);
        ticking.change(&doors, json!({"enabled": true})).await;
        pass(&doors, MINUTE).await;
        assert_eq!(
            ledger(&doors, &ticking.schedule).await[..2],
            ["16:19 fired", "16:16 fired"]
        );

        doors.delete(&ticking.automation).await.is(204);
        doors.get(&ticking.schedule).await.is(404);
        pass(&doors, Duration::from_hours(2)).await;
        // What was told of the endpoint, which nobody answers for, is none of its own.
        let events = doors.get("/v1/events").await.is(200);
        let types = events.body["data"].as_array().expect("a page").iter();
        let own = types.filter(|event| {
            let event_type = event["type"].as_str().unwrap_or_default();
            event_type.starts_with("schedule.")
        });
        assert_eq!(own.count(), 2);
    })
    .await;
}

#[tokio::test]
async fn it_is_changed_with_its_automation_and_run_by_itself() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let ticking = Ticking::made(&doors).await;
        let schedule = &ticking.schedule;
        let refused = doors.patch(schedule, json!({"paused": true})).await.is(409);
        assert!(refused.text("/detail").contains(&ticking.id));
        refused.refuses("owned", "nowhere");
        doors
            .delete(schedule)
            .await
            .is(409)
            .refuses("owned", "nowhere");
        doors
            .post(&format!("{schedule}/run"), json!({}))
            .await
            .is(202);
        pass(&doors, Duration::ZERO).await;
        let events = doors.get("/v1/events").await.is(200);
        assert_eq!(events.body["data"].as_array().map(Vec::len), Some(1));

        // What says the same makes no version, though an interval's start is left out.
        let interval = json!({"trigger": {"schedule": {"interval": {"every_s": 60}}}});
        let changed = ticking.change(&doors, interval.clone()).await;
        assert_eq!(changed.body["version"], 2);
        doors.clock.advance(Duration::from_secs(5));
        let changed = ticking.change(&doors, interval).await;
        assert_eq!(changed.body["version"], 2);
        // What is shown may be sent again.
        let again = json!({"trigger": {"schedule": changed.body["trigger"]["schedule"]}});
        let changed = ticking.change(&doors, again).await;
        assert_eq!(changed.body["version"], 2);
    })
    .await;
}

#[tokio::test]
async fn a_trigger_that_can_not_be_is_told_with_its_place() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let url = nobody().await;
        for (trigger, code, place) in [
            (json!([["a.b"]]), "invalid_field", "/trigger"),
            (
                json!({"schedule": {}}),
                "invalid_field",
                "/trigger/schedule",
            ),
            (
                json!({"schedule": {"cron": "* * * *"}}),
                "invalid_field",
                "/trigger/schedule/cron",
            ),
            (
                json!({"schedule": {"cron": "* * * * *", "timezone": "Berlin"}}),
                "invalid_field",
                "/trigger/schedule/timezone",
            ),
            (
                json!({"schedule": {"cron": "* * * * *", "spread_s": -1}}),
                "invalid_field",
                "/trigger/schedule/spread_s",
            ),
            (
                json!({"schedule": {"interval": {"every_s": 60}, "timezone": "Asia/Tokyo"}}),
                "invalid_field",
                "/trigger/schedule/timezone",
            ),
            (
                json!({"schedule": {"cron": "* * * * *", "name": "x"}}),
                "unknown_field",
                "/trigger/schedule/name",
            ),
            (
                json!({"schedule": {"cron": "* * * * *"}, "events": ["a"]}),
                "invalid_field",
                "/trigger",
            ),
        ] {
            let mut new = every_minute(&url);
            new["trigger"] = trigger;
            let answer = doors.post("/v1/automations", new).await;
            answer.is(422).refuses(code, place);
        }
        for (name, says) in [
            ("aut_1", "names that begin with aut_"),
            ("a b", "'a b' has the character ' '"),
            ("", "the name is empty"),
        ] {
            let named = json!({"name": name, "cron": "* * * * *"});
            let answer = doors.post("/v1/schedules", named).await.is(422);
            answer.refuses("invalid_field", "/name");
            let told = answer.text("/detail");
            assert!(told.starts_with(says), "{told}");
        }
        doors.has_none("/v1/schedules").await;
    })
    .await;
}

#[tokio::test]
async fn it_can_be_tried_on_what_a_schedule_makes() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let mut new = every_minute(&nobody().await);
        new["condition"] = json!("event.data.cause == \"run_now\"");
        for (event_type, cause, verdict) in [
            ("schedule.tick", "run_now", "fired"),
            ("schedule.tick", "scheduled", "filtered"),
            ("deal.won", "run_now", "not_subscribed"),
        ] {
            let event = json!({"type": event_type, "data": {"cause": cause}});
            let trial = json!({"automation": new, "event": event});
            let tried = doors.post("/v1/automations/test", trial).await.is(200);
            assert_eq!(tried.text("/verdict"), verdict, "{}", tried.body);
        }
        doors.has_none("/v1/schedules").await;
    })
    .await;
}

#[tokio::test]
async fn nobody_but_the_schedule_makes_its_events() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let url = nobody().await;
        let made = doors.post("/v1/automations", every_minute(&url)).await;
        let own_type = format!("schedule.{}", made.is(201).id());
        let event = json!({"type": own_type, "data": {}});
        let sent = doors.post("/v1/events", event.clone()).await.is(422);
        sent.refuses("reserved_type", "/type");
        let batch = doors.post("/v1/events/batch", json!([event])).await.is(202);
        assert_eq!(batch.body["data"][0]["error"]["code"], "reserved_type");

        let attributes = json!({"specversion": "1.0", "id": "1", "source": "a", "type": own_type});
        for (path, kind, body) in [
            (
                "/v1/events/batch",
                "application/x-ndjson",
                event.to_string(),
            ),
            (
                "/v1/events",
                "application/cloudevents+json",
                attributes.to_string(),
            ),
            (
                "/v1/events",
                "application/cloudevents-batch+json",
                json!([attributes]).to_string(),
            ),
        ] {
            let request = Request::post(path)
                .header("authorization", format!("Bearer {OPERATOR}"))
                .header("content-type", kind)
                .body(Body::from(body));
            let answer = doors.request(request.expect("a request")).await;
            let told = answer.body.to_string();
            assert!(told.contains("reserved_type"), "{kind}: {told}");
        }

        let new = json!({"name": "s", "verification": {"scheme": "none"}});
        let source = super::source::make(&doors, new).await;
        let body = json!({"type": own_type}).to_string();
        let sent = super::source::send(&doors, &source.path, &[], body).await;
        sent.is(422).refuses("reserved_type", "/type");
        let emits = json!({
            "name": "a", "trigger": {"events": ["a"]}, "actions": [{"emit": {"type": own_type}}],
        });
        let refused = doors.post("/v1/automations", emits).await.is(422);
        refused.refuses("reserved_type", "/actions/0/emit/type");
        doors.has_none("/v1/events").await;
    })
    .await;
}
