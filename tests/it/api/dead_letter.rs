//! "Fix the plugin, run these 37 again": what automations failed at, through the doors; and the events that they
//! make.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Answer, Doors, nobody};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

const LETTERS: usize = 37;

fn hostile() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hostile.wasm");
    std::fs::read(path).expect("it is committed")
}

fn runs(config: &Value) -> Value {
    json!([{"plugin": "hostile", "config": config}])
}

async fn send(doors: &Doors, event_type: &str, data: Value) -> String {
    let event = json!({"type": event_type, "data": data});
    let sent = doors.post("/v1/events", event).await.is(202).id();
    doors.pipeline.settle().await;
    sent
}

/// An automation on `deal.*` that fails, to `url`.
async fn broken(doors: &Doors, url: &str) -> String {
    doors.upload(hostile(), "?name=hostile").await.is(201);
    let endpoint = json!({"url": url, "subscribe": "none"});
    let endpoint = doors.post("/v1/endpoints", endpoint).await.is(201).id();
    let new = json!({
        "name": "a", "trigger": {"events": ["deal.*"]},
        "transforms": runs(&json!({"do": "fail", "text": "no such field"})),
        "actions": [{"webhook": {"endpoint": endpoint}}, {"emit": {"type": "mended"}}],
    });
    doors.post("/v1/automations", new).await.is(201).id()
}

async fn mend(doors: &Doors, automation: &str, transforms: Value) {
    let path = format!("/v1/automations/{automation}");
    doors
        .patch(&path, json!({"transforms": transforms}))
        .await
        .is(200);
}

async fn rerun(doors: &Doors, which: Value) -> Answer {
    let answer = doors.post("/v1/dead-letters/rerun", which).await.is(200);
    doors.pipeline.settle().await;
    answer
}

fn counts(answer: &Answer) -> [u64; 4] {
    ["rerun", "failed", "not_run", "left"].map(|it| answer.body[it].as_u64().expect("a count"))
}

#[tokio::test]
async fn thirty_seven_letters_a_mended_plugin_and_each_is_delivered_once() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let own = broken(&doors, &receiver.url("/hook")).await;
        let mut events = BTreeSet::new();
        for no in 0..LETTERS {
            events.insert(send(&doors, "deal.won", json!({ "no": no })).await);
        }
        let listed = doors
            .get(&format!(
                "/v1/dead-letters?automation={own}&reason=plugin_error&limit=100"
            ))
            .await
            .is(200);
        let letters = listed.body["data"].as_array().expect("a list").clone();
        assert_eq!(letters.len(), LETTERS);
        assert_eq!(receiver.count(), 0);

        // Nothing is mended: all of them fail again, and stay.
        let all = json!({ "automation": own });
        assert_eq!(counts(&rerun(&doors, all.clone()).await), [0, 37, 0, 0]);
        let path = format!(
            "/v1/dead-letters/{}",
            letters[0]["id"].as_str().expect("an id")
        );
        let one = doors.get(&path).await.is(200);
        assert_eq!(
            (&one.body["failures"], &one.body["state"]),
            (&json!(2), &json!("open"))
        );
        assert_eq!(one.body["input_of"], "automation");

        mend(&doors, &own, json!([])).await;
        let first = rerun(&doors, all.clone()).await;
        assert_eq!(counts(&first), [37, 0, 0, 0], "{}", first.body);
        // Asked again, by the automation or by their ids, nothing is doubled.
        assert_eq!(counts(&rerun(&doors, all).await), [0, 0, 0, 0]);
        let ids: Vec<&Value> = letters.iter().map(|letter| &letter["id"]).collect();
        let again = rerun(&doors, json!({ "ids": ids })).await;
        assert_eq!(counts(&again), [0, 0, 37, 0]);
        assert_eq!(again.body["data"][0]["result"], "already_rerun");

        let requests = receiver.wait_for(LETTERS).await;
        assert_eq!(receiver.counts_by_webhook_id().len(), LETTERS);
        let bodies: BTreeSet<_> = requests
            .iter()
            .map(|request| request.body.clone())
            .collect();
        assert_eq!(bodies.len(), LETTERS);
        let made = doors.get("/v1/events?type=mended&limit=100").await.is(200);
        assert_eq!(made.body["data"].as_array().map(Vec::len), Some(LETTERS));
        doors.has_none("/v1/dead-letters").await;
        let one = doors.get(&path).await.is(200);
        assert_eq!(
            (&one.body["state"], &one.body["rerun"]["verdict"]),
            (&json!("rerun"), &json!("fired"))
        );
        let event = one.text("/event");
        assert!(events.contains(&event));
        let explained = doors
            .get(&format!("/v1/automations/{own}/explain?event={event}"))
            .await
            .is(200);
        assert_eq!(explained.body["verdict"], "plugin_error", "what was, was");
        assert_eq!(explained.body["dead_letter"]["state"], "rerun");
    })
    .await;
}

#[tokio::test]
async fn a_call_with_a_key_is_done_once_and_tells_the_same() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let own = broken(&doors, &receiver.url("/hook")).await;
        send(&doors, "deal.won", json!({})).await;
        mend(&doors, &own, json!([])).await;
        let mut told = Vec::new();
        for _ in 0..2 {
            let request = axum::http::Request::post("/v1/dead-letters/rerun")
                .header("authorization", format!("Bearer {}", super::OPERATOR))
                .header("content-type", "application/json")
                .header("idempotency-key", "mended")
                .body(json!({ "automation": own }).to_string().into());
            let answer = doors.request(request.expect("a request")).await.is(200);
            doors.pipeline.settle().await;
            assert_eq!(counts(&answer), [1, 0, 0, 0]);
            told.push(answer.body);
        }
        assert_eq!(told[0], told[1]);
        assert_eq!(receiver.count(), 1);
        let made = doors.get("/v1/events?type=mended").await.is(200);
        assert_eq!(made.body["data"].as_array().map(Vec::len), Some(1));
    })
    .await;
}

#[tokio::test]
async fn letters_that_can_not_be_run_say_why_and_can_be_discarded() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let own = broken(&doors, &nobody().await).await;
        let odd = json!({"a": [1, 2.50]});
        let event = send(&doors, "deal.won", odd.clone()).await;
        let listed = doors.get("/v1/dead-letters").await.is(200);
        let letter = listed.text("/data/0/id");
        let path = format!("/v1/dead-letters/{letter}");
        let whole = doors.get(&path).await.is(200);
        assert_eq!((&whole.body["input"], whole.text("/event")), (&odd, event));
        assert_eq!(whole.body["transform"], 0);

        let automation = format!("/v1/automations/{own}");
        doors
            .patch(&automation, json!({"enabled": false}))
            .await
            .is(200);
        let off = rerun(&doors, json!({"ids": [letter]})).await;
        assert_eq!(counts(&off), [0, 0, 1, 0]);
        assert!(
            off.text("/data/0/summary").contains("switched off"),
            "{}",
            off.body
        );
        doors
            .patch(
                &automation,
                json!({"enabled": true, "trigger": {"events": ["a"]}}),
            )
            .await
            .is(200);
        let unmet = rerun(&doors, json!({"ids": [letter]})).await;
        assert!(
            unmet.text("/data/0/summary").contains("deal.won"),
            "{}",
            unmet.body
        );
        doors.get(&path).await.is(200);
        doors.delete(&path).await.is(204);
        doors.delete(&path).await.is(404);
        let gone = rerun(&doors, json!({"ids": [letter]})).await;
        assert_eq!(gone.body["data"][0]["result"], "not_run");

        for (body, place) in [
            (json!({}), ""),
            (json!({"ids": []}), "/ids"),
            (json!({"ids": ["x"]}), "/ids/0"),
            (
                json!({"ids": [letter], "since": "2026-01-01T00:00:00Z"}),
                "",
            ),
            (json!({"automation": own, "since": "soon"}), "/since"),
        ] {
            let answer = doors.post("/v1/dead-letters/rerun", body).await.is(422);
            answer.refuses("invalid_field", place);
        }
        doors
            .get("/v1/dead-letters?reason=fired")
            .await
            .is(422)
            .refuses("invalid_parameter", "reason");
    })
    .await;
}

#[tokio::test]
async fn a_digest_that_failed_is_kept_and_run_again_whole() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let own = broken(&doors, &receiver.url("/hook")).await;
        let digest = json!({"flow": {"digest": {"period_ms": 60_000, "count": 2}}});
        let path = format!("/v1/automations/{own}");
        doors.patch(&path, digest).await.is(200);
        let first = send(&doors, "deal.won", json!({"no": 1})).await;
        doors.has_none("/v1/dead-letters").await;
        send(&doors, "deal.won", json!({"no": 2})).await;
        let listed = doors.get("/v1/dead-letters").await.is(200);
        assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(1));
        assert_eq!(listed.text("/data/0/event"), first);
        let letter = listed.text("/data/0/id");
        let whole = doors
            .get(&format!("/v1/dead-letters/{letter}"))
            .await
            .is(200);
        let input = whole.body["input"].to_string();
        assert!(
            input.contains("\"no\":1") && input.contains("\"no\":2"),
            "{input}"
        );
        mend(&doors, &own, json!([])).await;
        let again = rerun(&doors, json!({"ids": [letter]})).await;
        assert_eq!(counts(&again), [1, 0, 0, 0], "{}", again.body);
        let sent = receiver.wait_for(1).await;
        let sent: Value = serde_json::from_slice(&sent[0].body).expect("JSON");
        assert_eq!(sent, whole.body["input"]);
    })
    .await;
}

#[tokio::test]
async fn what_an_automation_makes_is_tried_made_and_explained() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = json!({
            "name": "a", "trigger": {"events": ["deal.*"]}, "condition": "event.data.n > 1",
            "actions": [{"emit": {"type": "deal.flagged"}}], "alert_after": 9,
        });
        let trial = json!({"automation": new, "event": {"type": "deal.won", "data": {"n": 2}}});
        let tried = doors.post("/v1/automations/test", trial).await.is(200);
        assert_eq!(
            tried.body["events"],
            json!([{"type": "deal.flagged", "data": {"n": 2}}])
        );
        assert_eq!(tried.body["requests"], json!([]));
        doors.has_none("/v1/events").await;

        let made = doors.post("/v1/automations", new).await.is(201);
        assert_eq!(made.body["alert_after"], 9);
        assert_eq!(
            made.body["actions"],
            json!([{"emit": {"type": "deal.flagged"}}])
        );
        let own = made.id();
        let event = send(&doors, "deal.won", json!({"n": 2})).await;
        let listed = doors.get("/v1/events?type=deal.flagged").await.is(200);
        let flagged = listed.text("/data/0/id");
        let shown = doors.get(&format!("/v1/events/{flagged}")).await.is(200);
        assert_eq!(shown.body["data"], json!({"n": 2}));
        let cause = &shown.body["cause"];
        assert_eq!(
            (&cause["event"], &cause["automation"], &cause["hops"]),
            (&json!(event), &json!(own), &json!(1))
        );
        let first = doors.get(&format!("/v1/events/{event}")).await.is(200);
        assert!(first.body.get("cause").is_none());
        for (version, basis) in [("", "recorded"), ("&version=1", "run_now")] {
            let path = format!("/v1/automations/{own}/explain?event={flagged}{version}");
            let explained = doors.get(&path).await.is(200);
            assert_eq!(explained.body["basis"], basis);
            assert_eq!(
                explained.body["verdict"], "loop_refused",
                "{}",
                explained.body
            );
            assert_eq!(explained.body["cause"]["chain"][0]["event"], event);
        }
        let known = json!({"automation": {
            "name": "b", "trigger": {"events": ["deal.flagged"]},
            "actions": [{"emit": {"type": "deal.more"}}],
        }, "event": {"id": flagged}});
        let tried = doors.post("/v1/automations/test", known).await.is(200);
        assert_eq!(tried.body["verdict"], "fired");
    })
    .await;
}

#[tokio::test]
async fn operational_types_are_the_server_s_own() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let event = json!({"type": "throwbar.endpoint.disabled", "data": {}});
        doors
            .post("/v1/events", event.clone())
            .await
            .is(422)
            .refuses("reserved_type", "/type");
        let batch = doors.post("/v1/events/batch", json!([event])).await.is(202);
        assert_eq!(batch.body["data"][0]["error"]["code"], "reserved_type");
        let emits = json!({
            "name": "a", "trigger": {"events": ["throwbar.*"]},
            "actions": [{"emit": {"type": "throwbar.mine"}}],
        });
        doors
            .post("/v1/automations", emits)
            .await
            .is(422)
            .refuses("reserved_type", "/actions/0/emit/type");
    })
    .await;
}

#[tokio::test]
async fn switching_an_endpoint_is_told_once_also_with_a_key() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let ops = json!({"url": receiver.url("/ops"), "subscribe": ["throwbar.*"]});
        doors.post("/v1/endpoints", ops).await.is(201);
        let new = json!({"name": "the one", "url": nobody().await});
        let own = doors.post("/v1/endpoints", new).await.is(201).id();
        for switch in ["disable", "disable", "enable", "enable"] {
            doors
                .post(&format!("/v1/endpoints/{own}/{switch}"), json!({}))
                .await
                .is(200);
            doors.pipeline.settle().await;
        }
        let request = axum::http::Request::post(format!("/v1/endpoints/{own}/disable"))
            .header("authorization", format!("Bearer {}", super::OPERATOR))
            .header("idempotency-key", "off")
            .body(axum::body::Body::empty());
        doors.request(request.expect("a request")).await.is(200);
        doors.pipeline.settle().await;
        let told: Vec<(String, Value)> = receiver
            .wait_for(3)
            .await
            .into_iter()
            .map(|request| {
                let id = request.webhook_id().to_owned();
                (id, serde_json::from_slice(&request.body).expect("JSON"))
            })
            .collect();
        let mut types = Vec::new();
        for (id, says) in &told {
            assert_eq!(
                (&says["endpoint"], &says["name"]),
                (&json!(own), &json!("the one"))
            );
            let event = doors.get(&format!("/v1/events/{id}")).await.is(200);
            types.push(event.text("/type"));
        }
        types.sort_unstable();
        let (off, on) = ("throwbar.endpoint.disabled", "throwbar.endpoint.enabled");
        assert_eq!(types, [off, off, on]);
        assert_eq!(told[0].1["why"], "by_user");
    })
    .await;
}
