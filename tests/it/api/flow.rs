//! Flow control at the doors: refused with its place when it is saved, shown when it decides, and tried without
//! a trace.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, Doors, nobody};
use crate::support::store::on_both;

async fn automation(flow: Value) -> Value {
    json!({
        "name": "flowing", "trigger": {"events": ["deal.*"]}, "flow": flow,
        "actions": [{"webhook": {"url": nobody().await}}],
    })
}

async fn send(doors: &Doors, data: Value) -> String {
    let event = json!({"type": "deal.won", "data": data});
    let sent = doors.post("/v1/events", event).await.is(202).id();
    doors.pipeline.settle().await;
    sent
}

async fn explained(doors: &Doors, automation: &str, event: &str) -> Answer {
    let path = format!("/v1/automations/{automation}/explain?event={event}");
    let told = doors.get(&path).await.is(200);
    let listed = doors
        .get(&format!("/v1/events/{event}/evaluations"))
        .await
        .is(200);
    for field in ["verdict", "summary", "steps"] {
        assert_eq!(told.body[field], listed.body["data"][0][field], "{field}");
    }
    told
}

/// It says so.
#[track_caller]
fn says(answer: &Answer, verdict: &str, part: &str) {
    assert_eq!(answer.body["verdict"], verdict, "{}", answer.body);
    let summary = answer.text("/summary");
    assert!(summary.contains(part), "{summary}");
}

async fn remembered(doors: &Doors) -> i64 {
    let rows = "SELECT (SELECT COUNT(*) FROM flow_keys) + (SELECT COUNT(*) FROM flow_waits)
       + (SELECT COUNT(*) FROM flow_entries) + (SELECT COUNT(*) FROM flow_verdicts)
       + (SELECT COUNT(*) FROM deliveries)";
    doors.place.number(rows).await
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_place() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (flow, code, at) in [
            (json!({}), "invalid_flow", "/flow"),
            (
                json!({"dedupe": {"key": "data.id", "window_ms": 1}}),
                "invalid_flow",
                "/flow/dedupe/key",
            ),
            (
                json!({"delay": {"for_ms": 0}}),
                "invalid_flow",
                "/flow/delay/for_ms",
            ),
            (
                json!({"delay": {"for_s": 1}}),
                "unknown_field",
                "/flow/delay/for_s",
            ),
            (
                json!({"delay": {"for_ms": 1}, "digest": {"period_ms": 1}}),
                "invalid_flow",
                "/flow/delay",
            ),
        ] {
            let new = automation(flow.clone()).await;
            let refused = doors.post("/v1/automations", new.clone()).await;
            assert!(
                matches!(refused.status, 400 | 422),
                "{flow}: {}",
                refused.body
            );
            refused.refuses(code, at);
            let trial = json!({"automation": new, "event": {"type": "deal.won", "data": 1}});
            let refused = doors.post("/v1/automations/test", trial).await;
            refused.refuses(code, &format!("/automation{at}"));
        }
        let wrong = json!({"dedupe": {"key": "event.data.id ==", "window_ms": 1}});
        let refused = doors.post("/v1/automations", automation(wrong).await).await;
        let detail = refused.text("/detail");
        assert!(detail.contains("line 1, column 17"), "{detail}");
    })
    .await;
}

#[tokio::test]
async fn flow_control_is_a_part_of_the_version() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let flow = json!({"delay": {"for_ms": 60_000}});
        let made = doors
            .post("/v1/automations", automation(flow.clone()).await)
            .await
            .is(201);
        let path = format!("/v1/automations/{}", made.id());
        assert_eq!(
            (&made.body["flow"], &made.body["version"]),
            (&flow, &json!(1))
        );
        let same = doors.patch(&path, json!({"flow": flow})).await.is(200);
        assert_eq!(same.body["version"], 1, "nothing has changed");
        let other = json!({"flow": {"dedupe": {"key": "event.id", "window_ms": 5}}});
        let other = doors.patch(&path, other).await.is(200);
        assert_eq!(other.body["version"], 2);
        let none = doors.patch(&path, json!({"flow": null})).await.is(200);
        assert_eq!(
            (&none.body["flow"], &none.body["version"]),
            (&Value::Null, &json!(3))
        );
        let diff = doors.get(&format!("{path}/versions/3/diff")).await.is(200);
        assert_eq!(diff.body["changes"][0]["pointer"], "/flow");
    })
    .await;
}

#[tokio::test]
async fn every_decision_is_told_with_the_values_that_decided() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let dedupe = json!({"dedupe": {"key": "event.data.id", "window_ms": 60_000}});
        let made = doors.post("/v1/automations", automation(dedupe).await).await.is(201).id();
        let first = send(&doors, json!({"id": 42})).await;
        doors.clock.advance(Duration::from_secs(3));
        let second = send(&doors, json!({"id": "42"})).await;
        says(&explained(&doors, &made, &first).await, "fired", "the first with the key \"42\" within 1 min");
        let told = explained(&doors, &made, &second).await;
        says(&told, "deduped", &format!("{first} had the key \"42\" 3 s before"));
        assert_eq!(told.body["steps"][0]["kind"], "flow");
        assert_eq!(told.body["steps"][0]["detail"]["winner"], first);
        assert_eq!(told.body["steps"][0]["outcome"], "stopped");

        let path = format!("/v1/automations/{made}");
        let flow = json!({"flow": {"delay": {"until": "event.data.at"}}, "condition": "has(event.data.at)"});
        doors.patch(&path, flow).await.is(200);
        let at = "2026-09-21T14:20:00.000Z";
        let delayed = send(&doors, json!({"at": at})).await;
        let told = explained(&doors, &made, &delayed).await;
        says(&told, "delayed", &format!("it waits until {at} (`event.data.at`)"));
        assert_eq!(told.body["steps"][0]["kind"], "condition");
        doors.clock.advance(Duration::from_mins(10));
        doors.pipeline.settle().await;
        let told = explained(&doors, &made, &delayed).await;
        says(&told, "fired", "; it went at 2026-");
        let wrong = send(&doors, json!({"at": 5})).await;
        says(&explained(&doors, &made, &wrong).await, "flow_error", "is the number 5, needs to be a time");

        let flow = json!({"flow": {"digest": {"key": "event.data.id", "period_ms": 60_000}}, "condition": null});
        doors.patch(&path, flow).await.is(200);
        let opener = send(&doors, json!({"id": 1})).await;
        let joined = send(&doors, json!({"id": 1})).await;
        let told = explained(&doors, &made, &joined).await;
        says(&told, "digested", &format!("the 2nd of the digest of the key \"1\" that {opener} has begun"));
        doors.clock.advance(Duration::from_mins(1));
        doors.pipeline.settle().await;
        says(&explained(&doors, &made, &opener).await, "fired", "it went at");
        let told = explained(&doors, &made, &joined).await;
        says(&told, "digested", &format!("it went with the digest of {opener} at 2026-"));

        let flow = json!({"flow": {"debounce": {"period_ms": 60_000}}});
        doors.patch(&path, flow).await.is(200);
        let before = send(&doors, json!(1)).await;
        let after = send(&doors, json!(2)).await;
        says(&explained(&doors, &made, &before).await, "debounced", &format!("{after} took its place at"));
        says(&explained(&doors, &made, &after).await, "debounced", "it goes at 2026-");

        let flow = json!({"flow": {"rate_limit": {"count": 1, "window_ms": 60_000, "over": "delay"}}});
        doors.patch(&path, flow).await.is(200);
        let through = send(&doors, json!(1)).await;
        let waits = send(&doors, json!(2)).await;
        says(&explained(&doors, &made, &through).await, "fired", "it is the 1st of the automation");
        says(&explained(&doors, &made, &waits).await, "rate_limited", "has had its 1 in 1 min");
    })
    .await;
}

#[tokio::test]
async fn a_trial_reads_what_is_remembered_and_remembers_nothing() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for (flow, verdict, says, wanted) in [
            (
                json!({"dedupe": {"key": "event.data.id", "window_ms": 9}}),
                "fired",
                "is the first",
                None,
            ),
            (
                json!({"delay": {"for_ms": 60_000}}),
                "delayed",
                "it waits until",
                Some("would not leave before"),
            ),
            (
                json!({"debounce": {"period_ms": 9}}),
                "debounced",
                "it goes at",
                Some("would not leave before"),
            ),
            (
                json!({"digest": {"period_ms": 9}}),
                "digested",
                "it begins a digest",
                Some("would not leave before"),
            ),
        ] {
            let trial = json!({
                "automation": automation(flow.clone()).await,
                "event": {"type": "deal.won", "data": {"id": 7}},
            });
            let tried = doors.post("/v1/automations/test", trial).await.is(200);
            assert_eq!(tried.body["verdict"], verdict, "{}", tried.body);
            assert!(tried.text("/summary").contains(says), "{}", tried.body);
            let request = &tried.body["requests"][0];
            let held = request["held"].as_str();
            assert_eq!(held.is_some(), wanted.is_some(), "{request}");
            assert!(
                held.unwrap_or_default()
                    .contains(wanted.unwrap_or_default()),
                "{request}"
            );
            let is_digest = request["body"]
                .as_str()
                .is_some_and(|body| body.starts_with("{\"digest\""));
            assert_eq!(is_digest, verdict == "digested");
        }
        assert_eq!(remembered(&doors).await, 0);

        let dedupe = json!({"dedupe": {"key": "event.data.id", "window_ms": 60_000}});
        let made = doors
            .post("/v1/automations", automation(dedupe).await)
            .await
            .is(201)
            .id();
        let first = send(&doors, json!({"id": 1})).await;
        let second = send(&doors, json!({"id": 1})).await;
        let before = remembered(&doors).await;
        for (event, verdict) in [(&first, "fired"), (&second, "deduped")] {
            let path = format!("/v1/automations/{made}/explain?event={event}&version=1");
            let now = doors.get(&path).await.is(200);
            assert_eq!(
                (&now.body["basis"], &now.body["verdict"]),
                (&json!("run_now"), &json!(verdict))
            );
        }
        assert_eq!(remembered(&doors).await, before);
    })
    .await;
}

#[tokio::test]
async fn what_flow_control_has_no_room_for_is_kept_and_run_again() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let mut new = automation(json!({"delay": {"until": "event.data.at"}})).await;
        new["alert_after"] = json!(1);
        let made = doors.post("/v1/automations", new).await.is(201).id();
        let refused = send(&doors, json!({"at": "2036-01-01T00:00:00Z"})).await;
        let told = explained(&doors, &made, &refused).await;
        says(&told, "limit_exceeded", "30 d at most");

        let letters = format!("/v1/dead-letters?automation={made}&reason=limit_exceeded");
        let listed = doors.get(&letters).await.is(200);
        assert_eq!(listed.text("/data/0/event"), refused);
        assert_eq!(listed.text("/data/0/summary"), told.text("/summary"));
        let events = async |event_type: &str| {
            let listed = doors.get(&format!("/v1/events?type={event_type}")).await;
            listed.is(200).body["data"].as_array().map_or(0, Vec::len)
        };
        assert_eq!(events("throwbar.automation.failing").await, 1);

        let all = json!({ "automation": made });
        let run = doors.post("/v1/dead-letters/rerun", all).await.is(200);
        assert_eq!(run.body["rerun"], 1, "{}", run.body);
        let rows = "SELECT COUNT(*) FROM deliveries";
        assert_eq!(doors.place.number(rows).await, 1);
        send(&doors, json!({"at": "2020-01-01T00:00:00Z"})).await;
        assert_eq!(events("throwbar.automation.recovered").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_digest_that_is_run_again_descends_from_all_of_its_events() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hostile.wasm");
        let hostile = std::fs::read(path).expect("it is committed");
        doors.upload(hostile, "?name=hostile").await.is(201);
        let making = json!({
            "name": "a", "trigger": {"events": ["deal.won"]}, "actions": [{"emit": {"type": "mid"}}],
        });
        let one = doors.post("/v1/automations", making).await.is(201).id();
        let fails = json!([{"plugin": "hostile", "config": {"do": "fail", "text": "no"}}]);
        let digest = json!({
            "name": "b", "trigger": {"events": ["begun", "mid"]}, "transforms": fails,
            "flow": {"digest": {"period_ms": 60_000, "count": 2}},
            "actions": [{"emit": {"type": "out"}}],
        });
        let other = doors.post("/v1/automations", digest).await.is(201).id();
        let begun = json!({"type": "begun", "data": {}});
        doors.post("/v1/events", begun).await.is(202);
        doors.pipeline.settle().await;
        let first = send(&doors, json!({})).await;
        let path = format!("/v1/automations/{other}");
        doors.patch(&path, json!({"transforms": []})).await.is(200);
        let which = json!({"automation": other});
        let again = doors.post("/v1/dead-letters/rerun", which).await.is(200);
        assert_eq!(again.body["rerun"], 1, "{}", again.body);
        doors.pipeline.settle().await;
        let made = doors.get("/v1/events?type=out").await.is(200);
        let made = made.text("/data/0/id");
        let made = doors.get(&format!("/v1/events/{made}")).await.is(200);
        let cause = &made.body["cause"];
        assert_eq!(cause["hops"], 2, "{cause}");
        assert_eq!(
            cause["chain"][0],
            json!({"event": first, "automation": one})
        );
    })
    .await;
}
