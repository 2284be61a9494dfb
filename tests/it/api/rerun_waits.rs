//! Re-runs that wait for their endpoints: they keep no place from others, say what they wait for, and end with their
//! automation.

use serde_json::{Value, json};

use super::version::each;
use super::{Doors, OPERATOR};
use crate::support::answers::{Answer, Gate};
use crate::support::before_hanging;
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

/// More than a node has in memory for an endpoint that does not answer.
const SENT: usize = 200;
/// More than a re-run makes at a time.
const RUN_AGAIN: usize = 50;

/// A re-run whose endpoint does not answer, and has a backlog.
struct Blocked {
    key: String,
    automation: String,
    job: String,
    endpoint: String,
}

impl Blocked {
    async fn give(doors: &Doors, key: &str, url: &str) -> Self {
        let post = async |path: &str, body: Value| doors.call(key, "POST", path, Some(body)).await;
        let new = json!({"url": url, "subscribe": "none"});
        let endpoint = post("/v1/endpoints", new).await.is(201).id();
        let new = json!({
            "name": "a", "trigger": {"events": ["deal.*"]},
            "actions": [{"webhook": {"endpoint": endpoint}}],
        });
        let automation = post("/v1/automations", new).await.is(201).id();
        let made = "SELECT COUNT(*) FROM deliveries";
        let before = doors.place.number(made).await;
        let deals = vec![json!({"type": "deal.won", "data": {}}); SENT];
        let sent = post("/v1/events/batch", json!(deals)).await.is(202);
        before_hanging("all deliveries", async {
            while doors.place.number(made).await < before + SENT as i64 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let asked = json!({"events": each(&sent, "id")[..RUN_AGAIN], "as": "it_ran"});
        let path = format!("/v1/automations/{automation}/rerun");
        Self {
            key: key.to_owned(),
            job: post(&path, asked).await.is(202).text("/job"),
            automation,
            endpoint,
        }
    }

    async fn look(&self, doors: &Doors) -> Value {
        let path = format!("/v1/jobs/{}", self.job);
        doors.call(&self.key, "GET", &path, None).await.is(200).body
    }

    /// The job, once it is put off.
    async fn put_off(&self, doors: &Doors) -> Value {
        before_hanging("it to wait", async {
            loop {
                let job = self.look(doors).await;
                let waits = job["waits"].as_str().unwrap_or_default();
                if waits.contains(&self.endpoint) {
                    return job;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    /// The job at its end. Whenever it waits, time passes.
    async fn ended(&self, doors: &Doors) -> Value {
        before_hanging("the re-run's end", async {
            loop {
                let job = self.look(doors).await;
                if job["state"] != "running" {
                    return job;
                }
                if !job["waits"].is_null() {
                    doors.clock.advance(std::time::Duration::from_secs(1));
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

#[tokio::test]
async fn one_that_waits_keeps_its_place_from_nobody() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let (receiver, gate) = (Receiver::start().await, Gate::shut());
        receiver.always("/", Answer::status(204).behind(&gate));
        let other = doors.other_account("other").await;
        let mut blocked = Vec::new();
        for key in [OPERATOR, &other] {
            blocked.push(Blocked::give(&doors, key, &receiver.url("/")).await);
        }

        // As many as a node is at, at a time; and a third account's.
        let third = doors.other_account("third").await;
        let post = async |path: &str, body| doors.call(&third, "POST", path, Some(body)).await;
        let new = json!({
            "name": "a", "trigger": {"events": ["deal.*"]}, "condition": "false",
            "actions": [{"webhook": {"url": receiver.url("/")}}],
        });
        let automation = post("/v1/automations", new).await.is(201).id();
        let deal = json!({"type": "deal.won", "data": {}});
        post("/v1/events", deal).await.is(202);
        let path = format!("/v1/automations/{automation}/backtest");
        let job = post(&path, json!({})).await.is(202).text("/job");
        before_hanging("the third account's job", async {
            loop {
                let path = format!("/v1/jobs/{job}");
                let job = doors.call(&third, "GET", &path, None).await.is(200).body;
                if job["state"] == "done" {
                    assert_eq!((&job["done"], &job["waits"]), (&json!(1), &Value::Null));
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;

        for one in &blocked {
            let job = one.put_off(&doors).await;
            assert_eq!(job["state"], "running");
            let done = job["done"].as_u64().expect("a number");
            assert!(done < RUN_AGAIN as u64, "a little at a time: {done}");
        }
        gate.open();
        for one in &blocked {
            let job = one.ended(&doors).await;
            assert_eq!(
                (&job["state"], &job["waits"]),
                (&json!("done"), &Value::Null)
            );
            assert_eq!(job["result"]["deliveries"], RUN_AGAIN, "{job}");
        }
        before_hanging("everything to settle", doors.pipeline.settle()).await;
        let arrived = receiver.counts_by_webhook_id();
        assert_eq!(arrived.len(), 2 * (SENT + RUN_AGAIN), "each, and each once");
        let marked = "SELECT COUNT(*) FROM deliveries WHERE rerun_id IS NOT NULL";
        assert_eq!(doors.place.number(marked).await, 2 * RUN_AGAIN as i64);
    })
    .await;
}

#[tokio::test]
async fn one_that_is_called_off_while_it_waits_is_over() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let (receiver, gate) = (Receiver::start().await, Gate::shut());
        receiver.always("/", Answer::status(204).behind(&gate));
        let blocked = Blocked::give(&doors, OPERATOR, &receiver.url("/")).await;
        let made = blocked.put_off(&doors).await["done"].clone();
        let path = format!("/v1/jobs/{}/cancel", blocked.job);
        let off = doors.call(OPERATOR, "POST", &path, None).await.is(200).body;
        assert_eq!(
            (&off["state"], &off["waits"]),
            (&json!("cancelled"), &Value::Null)
        );
        gate.open();
        doors.clock.advance(std::time::Duration::from_hours(1));
        before_hanging("everything to settle", doors.pipeline.settle()).await;
        assert_eq!(blocked.look(&doors).await["done"], made, "nothing more");
    })
    .await;
}

#[tokio::test]
async fn one_ends_with_its_automation() {
    on_both(async |engine| {
        for (method, path, why) in [
            ("DELETE", "", "its automation was removed"),
            ("POST", "/archive", "its automation was archived"),
        ] {
            let doors = Doors::open(engine).await;
            let (receiver, gate) = (Receiver::start().await, Gate::shut());
            receiver.always("/", Answer::status(204).behind(&gate));
            let blocked = Blocked::give(&doors, OPERATOR, &receiver.url("/")).await;
            let marked = "SELECT COUNT(*) FROM deliveries WHERE rerun_id IS NOT NULL";
            before_hanging("the first that it makes", async {
                while doors.place.number(marked).await == 0 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            let made = doors.place.number(marked).await;
            let path = format!("/v1/automations/{}{path}", blocked.automation);
            let off = doors.call(OPERATOR, method, &path, None).await;
            assert!([200, 204].contains(&off.status), "{}", off.body);
            gate.open();
            let job = blocked.ended(&doors).await;
            assert_eq!(
                (&job["state"], &job["why"]),
                (&json!("failed"), &json!(why))
            );
            assert_eq!(doors.place.number(marked).await, made, "nothing more");
        }
    })
    .await;
}
