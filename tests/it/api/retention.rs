//! For how long things are kept, from outside: payloads go first, then everything, and what is sent again or tried
//! meanwhile is told so.

use std::time::Duration;

use serde_json::{Value, json};

use super::failing::Failing;
use super::{Doors, OPERATOR};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

const DAY: Duration = Duration::from_hours(24);
/// Everything that is on record of events.
const OF_EVENTS: [&str; 10] = [
    "events",
    "evaluations",
    "bodies",
    "deliveries",
    "attempts",
    "event_keys",
    "dead_letters",
    "causes",
    "flow_verdicts",
    "inbox",
];

impl Doors {
    /// Lets go of all that is old by now.
    pub(super) async fn sweep(&self) {
        while self.service.sweep().await.expect("swept").more {}
        self.pipeline.settle().await;
    }

    async fn days_pass(&self, days: u32) {
        self.clock.advance(DAY * days);
        self.pipeline.settle().await;
        self.sweep().await;
    }

    async fn row_counts(&self) -> Vec<(&'static str, i64)> {
        let mut rows = Vec::new();
        for table in OF_EVENTS {
            let sql = format!("SELECT COUNT(*) FROM {table}");
            rows.push((table, self.place.number(&sql).await));
        }
        rows
    }
}

/// An automation that fires with an output of its own, and one that fails.
async fn automations(doors: &Doors, receiver: &Receiver) {
    doors.upload(super::component("redact"), "").await.is(201);
    for automation in [
        json!({
            "name": "a", "trigger": {"events": ["deal.won"]},
            "transforms": [{"plugin": "redact", "config": {"mask": ["/email"]}}],
            "actions": [{"webhook": {"url": receiver.url("/hook")}}, {"emit": {"type": "made"}}],
        }),
        json!({
            "name": "b", "trigger": {"events": ["deal.won"]}, "condition": "event.data.missing > 1",
            "actions": [{"emit": {"type": "made"}}],
        }),
    ] {
        doors.post("/v1/automations", automation).await.is(201);
    }
}

fn deal() -> Value {
    json!({"type": "deal.won", "id": "deal-1", "data": {"email": "alice@example.com", "amount": 1}})
}

#[tokio::test]
async fn payloads_go_first_and_then_everything() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        automations(&doors, &receiver).await;
        let event = doors.post("/v1/events", deal()).await.is(202).id();
        doors.pipeline.settle().await;
        let full = doors.row_counts().await;
        assert!(full.iter().filter(|row| row.1 > 0).count() >= 8, "{full:?}");

        doors.days_pass(29).await;
        assert_eq!(doors.row_counts().await, full, "nothing goes too early");
        doors.days_pass(2).await;
        let shown = doors.get(&format!("/v1/events/{event}")).await.is(200);
        assert_eq!(shown.body["state"], "payload_expired");
        assert_eq!(shown.body["data"], Value::Null);
        for (table, rows) in doors.row_counts().await {
            let gone = ["bodies", "dead_letters"].contains(&table);
            let before = full.iter().find(|row| row.0 == table).expect("counted").1;
            assert_eq!(rows, if gone { 0 } else { before }, "{table}");
        }
        let list = format!("/v1/events/{event}/deliveries");
        let listed = doors.get(&list).await.is(200);
        assert_eq!(listed.body["data"][0]["state"], "delivered");
        let resend = format!("/v1/deliveries/{}/resend", listed.text("/data/0/id"));
        let evaluations = format!("/v1/events/{event}/evaluations");
        let evaluations = doors.get(&evaluations).await.is(200);
        assert_eq!(
            evaluations.body["data"].as_array().map(Vec::len),
            Some(2)
        );
        let trial = json!({
            "automation": {
                "name": "c", "trigger": {"events": ["deal.won"]}, "actions": [{"emit": {"type": "x"}}],
            },
            "event": {"id": event},
        });
        for (path, body) in [(resend.as_str(), json!({})), ("/v1/automations/test", trial)] {
            let refused = doors.post(path, body).await.is(409);
            assert_eq!(refused.body["code"], "payload_expired", "{path}");
        }

        let new = doors.post("/v1/events", json!({"type": "other", "data": 1})).await;
        let new = new.is(202).id();
        doors.pipeline.settle().await;
        doors.days_pass(60).await;
        doors.get(&format!("/v1/events/{event}")).await.is(404);
        let left = doors.get("/v1/events").await.is(200);
        assert_eq!(left.body["data"].as_array().map(Vec::len), Some(1), "{}", left.body);
        assert_eq!(left.text("/data/0/id"), new);
        doors.days_pass(90).await;
        for (table, rows) in doors.row_counts().await {
            assert_eq!(rows, 0, "{table}");
        }
        doors.post("/v1/events", deal()).await.is(202);
        doors.pipeline.settle().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_held_for_too_long_is_given_up_and_told() {
    on_both(async |engine| {
        let failing = Failing::on(engine).await;
        let doors = &failing.doors;
        let listens = json!({
            "name": "told", "trigger": {"events": ["throwbar.delivery.failed"]},
            "actions": [{"webhook": {"url": failing.receiver.url("/told")}}],
        });
        doors.post("/v1/automations", listens).await.is(201);
        let off = format!("/v1/endpoints/{}/disable", failing.endpoint);
        doors.post(&off, json!({})).await.is(200);
        failing.send(&["deal.won"]).await;
        doors.days_pass(31).await;
        let given_up = doors.get("/v1/deliveries?state=failed").await.is(200);
        assert_eq!(
            given_up.body["data"][0]["failure"], "expired",
            "{}",
            given_up.body
        );
        doors.has_none("/v1/deliveries?state=held").await;
        let told = doors.get("/v1/events?type=throwbar.delivery.failed").await;
        let told = format!("/v1/events/{}", told.is(200).text("/data/0/id"));
        let told = doors.get(&told).await.is(200);
        assert_eq!(told.body["data"]["why"], "expired");
        assert_eq!(
            told.body["data"]["delivery"],
            given_up.body["data"][0]["id"]
        );
    })
    .await;
}

#[tokio::test]
async fn each_account_keeps_things_for_its_own_time() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let other = doors.other_account("other").await;
        let usual = doors.get("/v1/account").await.is(200);
        assert_eq!(
            usual.body["retention"],
            json!({"payload_days": 30, "log_days": 90})
        );
        let short = json!({"retention": {"payload_days": 2, "log_days": 3}});
        let changed = doors.patch("/v1/account", short.clone()).await.is(200);
        assert_eq!(changed.body["retention"], short["retention"]);
        for key in [OPERATOR, &other] {
            let event = json!({"type": "a.b", "data": 1});
            doors
                .call(key, "POST", "/v1/events", Some(event))
                .await
                .is(202);
        }
        doors.pipeline.settle().await;
        doors.days_pass(4).await;
        doors.has_none("/v1/events").await;
        let theirs = doors.call(&other, "GET", "/v1/events", None).await.is(200);
        assert_eq!(theirs.body["data"].as_array().map(Vec::len), Some(1));

        for (retention, place) in [
            (json!({"payload_days": 4}), "/retention/payload_days"),
            (json!({"payload_days": 0}), "/retention/payload_days"),
            (json!({"log_days": 1}), "/retention/log_days"),
            (json!({"log_days": 3_651}), "/retention/log_days"),
        ] {
            let wrong = json!({"retention": retention});
            let refused = doors.patch("/v1/account", wrong).await.is(422);
            refused.refuses("invalid_field", place);
        }
        let kept = doors.get("/v1/account").await.is(200);
        assert_eq!(kept.body["retention"], short["retention"]);
    })
    .await;
}

#[tokio::test]
async fn what_waits_in_flow_control_keeps_its_payload() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let automation = json!({
            "name": "later", "trigger": {"events": ["deal.won"]}, "flow": {"delay": {"for_ms": 432_000_000}},
            "actions": [{"webhook": {"url": receiver.url("/hook")}}],
        });
        doors.post("/v1/automations", automation).await.is(201);
        let short = json!({"retention": {"payload_days": 2, "log_days": 3}});
        doors.patch("/v1/account", short).await.is(200);
        let event = doors.post("/v1/events", deal()).await.is(202).id();
        doors.pipeline.settle().await;
        doors.days_pass(4).await;
        let shown = doors.get(&format!("/v1/events/{event}")).await.is(200);
        assert_eq!(shown.body["data"]["amount"], 1);
        doors.clock.advance(DAY);
        doors.pipeline.settle().await;
        let sent = receiver.requests();
        assert_eq!(sent.len(), 1, "it went out whole");
        doors.days_pass(1).await;
        doors.get(&format!("/v1/events/{event}")).await.is(404);
    })
    .await;
}
