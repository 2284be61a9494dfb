//! Re-runs: what follows from past events once more, marked, with ids of its own, and once.

use serde_json::{Value, json};

use super::version::each;
use super::{Doors, component, nobody};
use crate::support::before_hanging;
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

/// An automation that goes to a new endpoint at this URL.
async fn asking(doors: &Doors, condition: &str, url: &str) -> Value {
    let new = json!({"url": url, "subscribe": "none"});
    let endpoint = doors.post("/v1/endpoints", new).await.is(201).id();
    json!({
        "name": "a", "trigger": {"events": ["deal.*"]}, "condition": condition,
        "actions": [{"webhook": {"endpoint": endpoint}}],
    })
}

fn deal(amount: i64) -> Value {
    json!({"type": "deal.won", "data": {"amount": amount, "mail": "a@b"}})
}

#[tokio::test]
async fn events_are_run_again_as_they_ran_or_with_the_current_version() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.upload(component("redact"), "").await.is(201);
        let receiver = Receiver::start().await;
        let mut new = asking(&doors, "event.data.amount > 1", &receiver.url("/")).await;
        new["transforms"] = json!([{"plugin": "redact", "config": {"remove": ["/mail"]}}]);
        let automation = doors.made(new).await;
        let path = format!("/v1/automations/{automation}");
        let other = json!({"type": "call.started", "data": {}});
        let ids = doors.send_all(&[deal(1), deal(2), other]).await;
        receiver.wait_for(1).await;
        let next = json!({"condition": "true", "transforms": []});
        doors.patch(&path, next).await.is(200);

        let rerun = format!("{path}/rerun");
        let job = doors
            .done(&rerun, json!({"events": ids, "as": "it_ran"}))
            .await;
        assert_eq!(job.body["state"], "done", "{}", job.body);
        assert_eq!(
            (&job.body["done"], &job.body["total"]),
            (&json!(3), &json!(3))
        );
        let result = &job.body["result"];
        assert_eq!(result["verdicts"], json!({"fired": 1, "filtered": 1}));
        assert_eq!(
            (&result["deliveries"], &result["not_run"]),
            (&json!(1), &json!(1))
        );
        let arrived = receiver.wait_for(2).await;
        assert_eq!(arrived[0].body, arrived[1].body, "as it ran");
        assert_ne!(arrived[0].body, r#"{"amount":2,"mail":"a@b"}"#);

        let event = ids[1].as_str().expect("an id");
        let listed = doors
            .get(&format!("/v1/deliveries?event={event}"))
            .await
            .is(200);
        let mut causes = each(&listed, "cause");
        causes.sort_by_key(ToString::to_string);
        assert_eq!(causes, ["event", "rerun"]);
        let rows = listed.body["data"].as_array().expect("a list");
        let again = rows
            .iter()
            .find(|row| row["cause"] == "rerun")
            .expect("it is marked");
        assert_eq!(again["rerun"], job.body["id"]);
        assert_eq!(again["webhook_id"], again["id"], "it is no repeat");

        let job = doors
            .done(&rerun, json!({"events": ids, "as": "current"}))
            .await;
        let result = &job.body["result"];
        assert_eq!(result["version"], 2);
        assert_eq!(result["verdicts"], json!({"fired": 2}));
        let mut arrived: Vec<_> = receiver.wait_for(4).await.drain(2..).collect();
        arrived.sort_by_key(|request| request.body.clone());
        assert_eq!(arrived[0].body, r#"{"amount":1,"mail":"a@b"}"#);
        assert_eq!(arrived[1].body, r#"{"amount":2,"mail":"a@b"}"#);
        let ids = receiver.counts_by_webhook_id();
        assert!(ids.len() == 4 && ids.values().all(|count| *count == 1));
    })
    .await;
}

#[tokio::test]
async fn a_resent_delivery_of_a_re_run_has_the_re_run_s_body() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.upload(component("redact"), "").await.is(201);
        let receiver = Receiver::start().await;
        let mut new = asking(&doors, "true", &receiver.url("/")).await;
        new["transforms"] = json!([{"plugin": "redact", "config": {"remove": ["/mail"]}}]);
        let automation = doors.made(new).await;
        let path = format!("/v1/automations/{automation}");
        let ids = doors.send_all(&[deal(7)]).await;
        receiver.wait_for(1).await;
        let next = json!({"transforms": [{"plugin": "redact", "config": {"remove": ["/amount"]}}]});
        doors.patch(&path, next).await.is(200);
        let asked = json!({"events": ids, "as": "current"});
        doors.done(&format!("{path}/rerun"), asked).await;
        receiver.wait_for(2).await;
        let event = ids[0].as_str().expect("an id");
        let listed = doors
            .get(&format!("/v1/deliveries?event={event}"))
            .await
            .is(200);
        let rows = listed.body["data"].as_array().expect("a list");
        let again = rows
            .iter()
            .find(|row| row["cause"] == "rerun")
            .expect("it is marked");
        let delivery = again["id"].as_str().expect("an id");
        let sending_again = format!("/v1/deliveries/{delivery}/resend");
        let resent = doors.post(&sending_again, json!({})).await.is(202).id();
        before_hanging("the resend", doors.pipeline.settle()).await;
        let arrived = receiver.wait_for(3).await;
        assert_eq!(arrived[0].body, r#"{"amount":7}"#);
        assert_eq!(arrived[1].body, r#"{"mail":"a@b"}"#);
        assert_eq!(arrived[2].body, arrived[1].body);
        assert_eq!(arrived[2].webhook_id(), arrived[1].webhook_id());
        let shown = doors.get(&format!("/v1/deliveries/{resent}")).await.is(200);
        assert_eq!(shown.body["cause"], "resend");
        assert_eq!(shown.body["rerun"], again["rerun"]);
    })
    .await;
}

#[tokio::test]
async fn all_events_of_a_time_are_run_again_each_once() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let automation = doors
            .made(asking(&doors, "true", &receiver.url("/")).await)
            .await;
        let since = doors.clock.now().to_string();
        let events: Vec<Value> = (0..100).map(deal).collect();
        doors.send_all(&events).await;
        let path = format!("/v1/automations/{automation}/rerun");
        let asked = json!({"since": since, "as": "it_ran"});
        let job = doors.done(&path, asked).await;
        assert_eq!(job.body["result"]["deliveries"], 100);
        receiver.wait_for(200).await;
        let ids = receiver.counts_by_webhook_id();
        assert!(ids.len() == 200 && ids.values().all(|count| *count == 1));
        let marked =
            "SELECT COUNT(*) FROM deliveries WHERE rerun_id IS NOT NULL AND state = 'delivered'";
        assert_eq!(doors.place.number(marked).await, 100);
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_run_again_is_told() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let automation = doors
            .made(asking(&doors, "true", "https://example.com/").await)
            .await;
        let path = format!("/v1/automations/{automation}");
        let event = throwbar::model::EventId::mint(doors.clock.now()).to_string();
        for (asked, code, place) in [
            (json!({"as": "current"}), "missing_field", "/events"),
            (json!({"events": [event]}), "missing_field", "/as"),
            (
                json!({"events": [event], "as": "it_was"}),
                "invalid_field",
                "/as",
            ),
            (
                json!({"events": [], "as": "it_ran"}),
                "invalid_field",
                "/events",
            ),
            (
                json!({"events": ["evt_x"], "as": "it_ran"}),
                "invalid_field",
                "/events/0",
            ),
            (
                json!({"until": "2026-01-01T00:00:00Z", "as": "it_ran"}),
                "missing_field",
                "/events",
            ),
        ] {
            let answer = doors.post(&format!("{path}/rerun"), asked).await;
            answer.is(422).refuses(code, place);
        }
        let asked = json!({"events": [event], "as": "it_ran"});
        let job = doors.done(&format!("{path}/rerun"), asked).await;
        assert_eq!(job.body["result"]["missing"], 1, "{}", job.body);
        doors.patch(&path, json!({"enabled": false})).await.is(200);
        let current = json!({"events": [event], "as": "current"});
        let off = doors.post(&format!("{path}/rerun"), current.clone()).await;
        off.is(409).refuses("not_live", "nowhere");
        doors
            .post(&format!("{path}/archive"), json!({}))
            .await
            .is(200);
        let away = doors.post(&format!("{path}/rerun"), current).await;
        away.is(409).refuses("archived", "nowhere");
    })
    .await;
}

#[tokio::test]
async fn what_holds_only_as_events_come_in_is_not_run_again() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let url = nobody().await;
        for change in [
            json!({"flow": {"delay": {"for_ms": 60_000}}}),
            json!({"flow": {"order": {"key": "event.data.mail"}}}),
            json!({"actions": [{"emit": {"type": "made"}}]}),
        ] {
            let automation = doors.made(asking(&doors, "true", &url).await).await;
            let path = format!("/v1/automations/{automation}");
            doors.patch(&path, change.clone()).await.is(200);
            let ids = doors.send_all(&[deal(1)]).await;
            let rows = "SELECT (SELECT COUNT(*) FROM deliveries) + (SELECT COUNT(*) FROM events)";
            let before = doors.place.number(rows).await;
            let current = json!({"events": ids, "as": "current"});
            let refused = doors.post(&format!("{path}/rerun"), current).await;
            refused.is(409).refuses("not_repeatable", "nowhere");
            let as_it_ran = json!({"events": ids, "as": "it_ran"});
            let job = doors.done(&format!("{path}/rerun"), as_it_ran).await;
            let result = &job.body["result"];
            assert_eq!(result["not_run"], 1, "{change}: {result}");
            assert_eq!(result["problems"][0]["event"], ids[0], "{result}");
            assert_eq!(result["problems"][0]["verdict"], "not_run", "{result}");
            assert_eq!(doors.place.number(rows).await, before, "nothing is made");
            doors.patch(&path, json!({"enabled": false})).await.is(200);
        }
    })
    .await;
}
