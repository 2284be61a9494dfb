//! What was missed at an endpoint is sent after all: only what was asked for, each once, so many a second, and
//! until it is called off.

use std::time::Duration;

use serde_json::{Value, json};

use super::OPERATOR;
use super::failing::{Failing, endpoint, event};
use super::version::each;
use crate::support::answers::{Answer as Says, Gate};
use crate::support::before_hanging;
use crate::support::receiver::Request;
use crate::support::store::on_both;

pub(super) fn all() -> Value {
    json!({"since": "2020-01-01T00:00:00Z"})
}

/// The events that these requests are about, in the order in which they came in.
pub(super) fn about(requests: &[Request]) -> Vec<&str> {
    let mut ids: Vec<&str> = requests.iter().map(Request::webhook_id).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn what_failed_is_recovered_as_it_is_asked_for() {
    on_both(async |engine| {
        for (name, wanted) in [
            ("all", vec![0, 1, 2, 3]),
            ("a window", vec![1, 2]),
            ("from an event on", vec![2, 3]),
            ("a type", vec![0, 3]),
        ] {
            let failing = Failing::on(engine).await;
            let doors = &failing.doors;
            let beside = endpoint(doors, OPERATOR, &failing.receiver.url("/")).await;
            let ids = failing
                .send(&["deal.won", "call.ended", "a", "deal.lost"])
                .await;
            failing.mend();
            let before = failing.receiver.count();
            let time = |no: usize| {
                let event: throwbar::model::EventId = ids[no].parse().expect("an id");
                event.minted_at().to_string()
            };
            let mut asked = all();
            match name {
                "a window" => asked = json!({"since": time(1), "until": time(3)}),
                "from an event on" => asked = json!({"from_event": ids[2]}),
                "a type" => asked["event_types"] = json!(["deal.*"]),
                _ => {}
            }
            let job = failing.recover(asked.clone()).await;
            assert_eq!(job.body["endpoint"], json!(failing.endpoint));
            assert_eq!(job.body["kind"], "recovery");
            assert_eq!(
                job.body["result"]["resent"],
                wanted.len(),
                "{name}: {}",
                job.body
            );
            let arrived = failing.receiver.wait_for(before + wanted.len()).await;
            let expected: Vec<&str> = wanted.iter().map(|no| ids[*no].as_str()).collect();
            assert_eq!(
                about(&arrived[before..]),
                expected,
                "{name}: as the receiver knows them"
            );
            // What was given up stays so, and is passed over from now on.
            assert_eq!(failing.deliveries("failed").await.len(), 4, "{name}");
            let made = failing.deliveries("delivered").await;
            assert!(
                made.iter()
                    .all(|row| row["cause"] == "resend" && row["resend_of"].is_string())
            );
            let again = failing.recover(asked).await;
            assert_eq!(again.body["result"]["resent"], 0, "{name}");
            assert_eq!(again.body["result"]["repeated"], wanted.len(), "{name}");
            assert_eq!(
                failing.receiver.count(),
                before + wanted.len(),
                "{name}: once"
            );
            let others = doors
                .get(&format!("/v1/deliveries?endpoint={beside}"))
                .await
                .is(200);
            assert!(
                each(&others, "state").iter().all(|state| state == "failed"),
                "{name}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn what_fails_again_can_be_recovered_again() {
    on_both(async |engine| {
        let failing = Failing::on(engine).await;
        failing.send(&["a"]).await;
        for _ in 0..2 {
            let job = failing.recover(all()).await;
            assert_eq!(job.body["result"]["resent"], 1, "{}", job.body);
            assert_eq!(job.body["total"], 1, "the first one alone is counted");
        }
        failing.mend();
        failing.recover(all()).await;
        assert_eq!(failing.deliveries("failed").await.len(), 3);
        assert_eq!(failing.deliveries("delivered").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn so_many_a_second_are_sent_until_it_is_called_off() {
    on_both(async |engine| {
        let failing = Failing::on(engine).await;
        let doors = &failing.doors;
        let sent: Vec<Value> = (0..30).map(|no| event("a", no)).collect();
        doors.send_all(&sent).await;
        failing.mend();
        let mut asked = all();
        asked["per_second"] = json!(10);
        let given = doors
            .post(&failing.path(), asked)
            .await
            .is(202)
            .text("/job");
        let path = format!("/v1/jobs/{given}");
        for burst in 1..=5 {
            failing.receiver.wait_for(30 + burst).await;
            let job = doors.get(&path).await.is(200).body;
            assert_eq!((&job["done"], &job["total"]), (&json!(burst), &json!(30)));
            if burst < 5 {
                // Nobody comes before the time.
                doors.clock.advance(Duration::from_millis(99));
                assert_eq!(failing.receiver.count(), 30 + burst);
                doors.clock.advance(Duration::from_millis(1));
            }
        }
        let off = doors
            .post(&format!("{path}/cancel"), json!({}))
            .await
            .is(200);
        assert_eq!(off.body["state"], "cancelled");
        doors.clock.advance(Duration::from_hours(1));
        before_hanging("it to settle", doors.pipeline.settle()).await;
        assert_eq!(
            doors.get(&path).await.is(200).body["done"],
            5,
            "nothing more"
        );
        assert_eq!(failing.receiver.count(), 35);

        // The next one does the rest.
        let mut asked = all();
        asked["per_second"] = json!(1_000);
        let job = failing.recover(asked).await;
        let result = &job.body["result"];
        assert_eq!(
            (&result["resent"], &result["repeated"]),
            (&json!(25), &json!(5))
        );
        failing.receiver.wait_for(60).await;
        let came = failing.receiver.counts_by_webhook_id();
        assert!(came.len() == 30 && came.values().all(|count| *count == 2));
    })
    .await;
}

#[tokio::test]
async fn one_ends_when_its_endpoint_is_switched_off_or_removed() {
    on_both(async |engine| {
        for (method, more, why) in [
            (
                "POST",
                "/disable",
                "its endpoint is switched off: switch it on, and recover what is left",
            ),
            ("DELETE", "", "its endpoint was removed"),
        ] {
            let failing = Failing::on(engine).await;
            let doors = &failing.doors;
            failing.send(&["a", "b", "c"]).await;
            failing.mend();
            let mut asked = all();
            asked["per_second"] = json!(10);
            let given = doors
                .post(&failing.path(), asked)
                .await
                .is(202)
                .text("/job");
            failing.receiver.wait_for(4).await;
            let path = format!("/v1/endpoints/{}{more}", failing.endpoint);
            let off = doors.call(OPERATOR, method, &path, None).await;
            assert!([200, 204].contains(&off.status), "{}", off.body);
            doors.clock.advance(Duration::from_millis(100));
            before_hanging("its end", doors.pipeline.settle()).await;
            let job = doors.get(&format!("/v1/jobs/{given}")).await.is(200).body;
            assert_eq!(
                (&job["state"], &job["why"]),
                (&json!("failed"), &json!(why))
            );
            assert_eq!(
                (&job["done"], &job["result"]["resent"]),
                (&json!(1), &json!(1))
            );
        }
    })
    .await;
}

#[tokio::test]
async fn one_waits_behind_what_is_due_at_its_endpoint() {
    on_both(async |engine| {
        let failing = Failing::on(engine).await;
        let doors = &failing.doors;
        doors.send_all(&vec![event("a", 0); 250]).await;
        let gate = Gate::shut();
        failing
            .receiver
            .always("/", Says::status(204).behind(&gate));
        // More than a node has in memory for an endpoint that does not answer.
        let live = vec![event("b", 1); 200];
        doors.post("/v1/events/batch", json!(live)).await.is(202);
        before_hanging("all deliveries", async {
            while doors.place.number("SELECT COUNT(*) FROM deliveries").await < 450 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let mut asked = all();
        asked["per_second"] = json!(1_000);
        let given = doors
            .post(&failing.path(), asked)
            .await
            .is(202)
            .text("/job");
        let path = format!("/v1/jobs/{given}");
        let job = before_hanging("it to wait", async {
            loop {
                let job = doors.get(&path).await.is(200).body;
                let waits = job["waits"].as_str().unwrap_or_default();
                if waits.contains(&failing.endpoint) {
                    return job;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(job["done"], 100, "a burst, and no more");
        gate.open();
        let mut done = Value::Null;
        before_hanging("its end", async {
            loop {
                let job = doors.get(&path).await.is(200).body;
                if job["state"] != "running" {
                    return;
                }
                // As much time as it waits for: requests are on their way.
                if !job["waits"].is_null() {
                    doors.clock.advance(Duration::from_secs(1));
                } else if job["done"] != done {
                    doors.clock.advance(Duration::from_millis(100));
                    done = job["done"].clone();
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        before_hanging("it to settle", doors.pipeline.settle()).await;
        assert_eq!(
            failing.deliveries("delivered").await.len(),
            250,
            "a page of them"
        );
        assert_eq!(
            failing.receiver.wait_for(700).await.len(),
            700,
            "each, and each once"
        );
    })
    .await;
}

#[tokio::test]
async fn an_account_recovers_its_own_and_is_told_what_can_not_be() {
    on_both(async |engine| {
        let failing = Failing::on(engine).await;
        let doors = &failing.doors;
        let ids = failing.send(&["a"]).await;
        let stranger = doors.other_account("stranger").await;
        let theirs = endpoint(doors, &stranger, &failing.receiver.url("/")).await;
        let sent = doors
            .call(&stranger, "POST", "/v1/events", Some(event("a", 1)))
            .await
            .is(202);
        before_hanging("it to settle", doors.pipeline.settle()).await;
        failing.mend();
        let of_theirs = format!("/v1/endpoints/{theirs}/recover");
        doors.post(&of_theirs, all()).await.is(404);
        let asked = json!({"from_event": ids[0]});
        let answer = doors.call(&stranger, "POST", &of_theirs, Some(asked)).await;
        answer.is(422).refuses("invalid_field", "/from_event");
        failing.recover(all()).await;
        let path = format!("/v1/events/{}/deliveries", sent.id());
        let listed = doors.call(&stranger, "GET", &path, None).await.is(200);
        assert_eq!(each(&listed, "state"), ["failed"], "nobody has touched it");
        for (asked, code, place) in [
            (json!({}), "missing_field", "/since"),
            (
                json!({"since": "2020-01-01T00:00:00Z", "states": ["pending"]}),
                "invalid_field",
                "/states/0",
            ),
            (
                json!({"since": "2020-01-01T00:00:00Z", "event_types": ["a b"]}),
                "invalid_field",
                "/event_types/0",
            ),
            (
                json!({"since": "2020-01-01T00:00:00Z", "as": "current"}),
                "unknown_field",
                "/as",
            ),
        ] {
            doors
                .post(&failing.path(), asked)
                .await
                .is(422)
                .refuses(code, place);
        }
        doors
            .patch("/v1/account", json!({"enabled": false}))
            .await
            .is(200);
        let refused = doors.post(&failing.path(), all()).await.is(409);
        refused.refuses("account_disabled", "nowhere");
    })
    .await;
}
