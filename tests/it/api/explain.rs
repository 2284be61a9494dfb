//! Why an automation did or did not fire: for any event, by what is on record, by what was live then, or by
//! any version now.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, Doors, nobody};
use crate::support::store::on_both;

async fn send(doors: &Doors, event_type: &str, data: Value) -> String {
    let event = json!({"type": event_type, "data": data});
    let sent = doors.post("/v1/events", event).await.is(202).id();
    doors.pipeline.settle().await;
    sent
}

/// An automation on `deal.*` with whatever `more` says.
async fn automation(doors: &Doors, more: Value) -> String {
    let mut new = json!({
        "name": "a", "trigger": {"events": ["deal.*"]},
        "actions": [{"webhook": {"url": nobody().await}}],
    });
    for (name, value) in more.as_object().expect("fields") {
        new[name] = value.clone();
    }
    let made = doors.post("/v1/automations", new).await.is(201).id();
    format!("/v1/automations/{made}")
}

async fn explained(doors: &Doors, what: &str, event: &str) -> Answer {
    let path = format!("{what}/explain?event={event}");
    doors.get(&path).await.is(200)
}

/// Its basis and verdict, and that its summary has these words.
#[track_caller]
fn says(answer: &Answer, [basis, verdict, words]: [&str; 3]) {
    let body = &answer.body;
    assert_eq!(
        (&body["basis"], &body["verdict"]),
        (&json!(basis), &json!(verdict)),
        "{body}"
    );
    assert!(answer.text("/summary").contains(words), "{body}");
}

#[tokio::test]
async fn what_is_on_record_is_told_and_the_same_version_says_the_same_now() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (condition, data) in [
            ("event.data.amount > 1000", json!({"amount": 1200})),
            ("event.data.amount > 1000", json!({"amount": 900})),
            ("event.data.amount > 1000", json!({"amount": "many"})),
            (
                "event.data.amount > 1000 && event.data.stage == \"Won\"",
                json!({"stage": "Won"}),
            ),
            ("event.type == \"deal.won\"", json!(null)),
        ] {
            let own = automation(&doors, json!({"condition": condition})).await;
            let event = send(&doors, "deal.won", data).await;
            let listed = doors.get(&format!("/v1/events/{event}/evaluations")).await;
            let listed = listed.is(200).body["data"].clone();
            let id = own.rsplit('/').next().expect("an id");
            let listed = listed.as_array().expect("a list").iter();
            let live = listed.clone().find(|row| row["automation"] == id);
            let live = live.expect("it was a candidate");
            let recorded = explained(&doors, &own, &event).await;
            let path = format!("{own}/explain?event={event}&version=1");
            let now = doors.get(&path).await.is(200);
            for (answer, basis) in [(&recorded, "recorded"), (&now, "run_now")] {
                assert_eq!(answer.body["basis"], basis);
                for field in ["automation", "version", "verdict", "summary", "steps"] {
                    assert_eq!(answer.body[field], live[field], "{condition}: {field}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn any_version_can_be_asked_and_leaves_nothing_behind() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.upload(super::component("redact"), "").await.is(201);
        let own = automation(&doors, json!({"condition": "event.data.amount > 1000"})).await;
        let event = send(&doors, "deal.won", json!({"amount": 900, "secret": 1})).await;
        let draft = json!({
            "draft": true, "condition": "event.data.amount > 500",
            "transforms": [{"plugin": "redact", "config": {"remove": ["/secret"]}}],
        });
        doors.patch(&own, draft).await.is(200);
        let other = json!({"draft": true, "trigger": {"events": ["call.*"]}});
        doors.patch(&own, other).await.is(200);
        let rows = async || {
            let counted =
                "SELECT (SELECT COUNT(*) FROM evaluations) + (SELECT COUNT(*) FROM deliveries)
               + (SELECT COUNT(*) FROM bodies) + (SELECT COUNT(*) FROM attempts)";
            doors.place.number(counted).await
        };
        let before = rows().await;

        says(
            &explained(&doors, &own, &event).await,
            ["recorded", "filtered", "900"],
        );
        let now = doors
            .get(&format!("{own}/explain?event={event}&version=2"))
            .await
            .is(200);
        says(&now, ["run_now", "fired", ""]);
        let run = &now.body["steps"][1]["detail"];
        assert_eq!(run["input"]["body"], r#"{"amount":900,"secret":1}"#);
        assert_eq!(run["outputs"][0]["body"], r#"{"amount":900}"#);
        let now = doors
            .get(&format!("{own}/explain?event={event}&version=3"))
            .await
            .is(200);
        says(&now, ["run_now", "not_subscribed", "call.*"]);
        assert_eq!(now.body["version"], 3);

        doors.pipeline.settle().await;
        assert_eq!(rows().await, before, "nothing is stored");
        says(
            &explained(&doors, &own, &event).await,
            ["recorded", "filtered", "900"],
        );
    })
    .await;
}

#[tokio::test]
async fn where_nothing_is_on_record_it_is_told_why() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let early = send(&doors, "deal.won", json!(1)).await;
        doors.clock.advance(Duration::from_secs(1));
        let live = automation(&doors, json!({})).await;
        let draft = automation(&doors, json!({"draft": true})).await;
        let off = automation(&doors, json!({"enabled": false})).await;
        let event = send(&doors, "deal.won", json!(1)).await;
        let call = send(&doors, "call.started", json!(1)).await;

        says(
            &explained(&doors, &live, &early).await,
            ["history", "made_later", "made after"],
        );
        says(
            &explained(&doors, &live, &event).await,
            ["recorded", "fired", ""],
        );
        let unmet = explained(&doors, &live, &call).await;
        says(
            &unmet,
            [
                "history",
                "not_subscribed",
                "type is call.started, and the trigger names deal.*",
            ],
        );
        assert_eq!(unmet.body["version"], 1);
        says(
            &explained(&doors, &draft, &event).await,
            ["history", "not_published", "is a draft"],
        );
        says(
            &explained(&doors, &off, &event).await,
            ["history", "disabled", "never switched on"],
        );

        doors.patch(&draft, json!({"draft": false})).await.is(200);
        says(
            &explained(&doors, &draft, &event).await,
            ["history", "not_published", "went live later"],
        );
        doors.patch(&live, json!({"enabled": false})).await.is(200);
        let missed = send(&doors, "deal.won", json!(1)).await;
        says(
            &explained(&doors, &live, &missed).await,
            ["history", "disabled", "version 1 was live"],
        );
        doors
            .patch(&live, json!({"enabled": true, "name": "b"}))
            .await
            .is(200);
        says(
            &explained(&doors, &live, &missed).await,
            ["history", "disabled", "switched off"],
        );
        says(
            &explained(&doors, &live, &event).await,
            ["recorded", "fired", ""],
        );
    })
    .await;
}

#[tokio::test]
async fn what_waits_or_was_set_aside_is_told() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let live = automation(&doors, json!({})).await;
        let event = send(&doors, "deal.won", json!(1)).await;
        let call = send(&doors, "call.started", json!(1)).await;
        // As if the events had not been evaluated yet; then, as if that could not be done.
        let waits = "INSERT INTO inbox (account_id, event_id, revision, holder)
             SELECT account_id, event_id, revision, event_id FROM evaluations;
             DELETE FROM evaluations;";
        doors.place.execute(waits).await;
        says(
            &explained(&doors, &live, &event).await,
            ["history", "not_evaluated", "waits"],
        );
        says(
            &explained(&doors, &live, &call).await,
            ["history", "not_subscribed", "deal.*"],
        );
        doors
            .place
            .execute("UPDATE inbox SET set_aside = 'it ended a node'")
            .await;
        says(
            &explained(&doors, &live, &event).await,
            ["history", "set_aside", "it ended a node"],
        );
        doors.place.execute("DELETE FROM inbox").await;
        says(
            &explained(&doors, &live, &event).await,
            ["history", "not_evaluated", "on record"],
        );
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_s_own_subscription_is_explained_by_the_endpoint() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let early = send(&doors, "deal.won", json!(1)).await;
        doors.clock.advance(Duration::from_secs(1));
        let made = async |subscribe: Value| {
            let new = json!({"url": nobody().await, "subscribe": subscribe});
            let id = doors.post("/v1/endpoints", new).await.is(201).id();
            format!("/v1/endpoints/{id}")
        };
        let deals = made(json!(["deal.*"])).await;
        let none = made(json!("none")).await;
        let event = send(&doors, "deal.won", json!(1)).await;
        let call = send(&doors, "call.started", json!(1)).await;

        let fired = explained(&doors, &deals, &event).await;
        says(&fired, ["recorded", "fired", ""]);
        assert!(fired.text("/automation").starts_with("aut_"));
        says(
            &explained(&doors, &deals, &call).await,
            ["history", "not_subscribed", "deal.*"],
        );
        says(
            &explained(&doors, &none, &event).await,
            ["history", "not_subscribed", "to nothing itself"],
        );
        let later = explained(&doors, &deals, &early).await;
        says(&later, ["history", "made_later", "made after"]);
        assert_eq!(later.body["automation"], Value::Null);

        doors
            .patch(&deals, json!({"subscribe": ["call.*"]}))
            .await
            .is(200);
        let again = explained(&doors, &deals, &event).await;
        assert_eq!(again.body, fired.body, "what it subscribed to then");
        let path = format!(
            "/v1/automations/{}/explain?event={event}",
            fired.text("/automation")
        );
        doors.get(&path).await.is(404);
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_explained_is_told_with_its_place() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let own = automation(&doors, json!({})).await;
        let event = send(&doors, "deal.won", json!(1)).await;
        for (query, status, code, place) in [
            ("", 422, "missing_parameter", "event"),
            ("?event=evt_0", 404, "not_found", "nowhere"),
            (
                "?event={event}&version=2",
                422,
                "unknown_version",
                "version",
            ),
            (
                "?event={event}&version=0",
                422,
                "unknown_version",
                "version",
            ),
            (
                "?event={event}&version=new",
                422,
                "invalid_parameter",
                "version",
            ),
            ("?event={event}&draft=1", 422, "unknown_parameter", "draft"),
        ] {
            let query = query.replace("{event}", &event);
            let answer = doors.get(&format!("{own}/explain{query}")).await;
            answer.is(status).refuses(code, place);
        }
        let removed = doors.delete(&own).await;
        removed.is(204);
        doors
            .get(&format!("{own}/explain?event={event}"))
            .await
            .is(404);
    })
    .await;
}
