//! What an endpoint did not subscribe to when it came is delivered after all, as if it had.

use std::time::Duration;

use serde_json::{Value, json};

use super::OPERATOR;
use super::failing::{Failing, event};
use super::recovery::{about, all};
use super::version::each;
use crate::support::before_hanging;
use crate::support::store::on_both;

/// What was not subscribed to, in that time.
fn unsubscribed() -> Value {
    let mut asked = all();
    asked["states"] = json!(["unsubscribed"]);
    asked
}

/// Changes what the endpoint subscribes to.
async fn subscribe(failing: &Failing, to: Value) {
    let path = format!("/v1/endpoints/{}", failing.endpoint);
    let change = Some(json!({ "subscribe": to }));
    let changed = failing.doors.call(OPERATOR, "PATCH", &path, change).await;
    changed.is(200);
}

#[tokio::test]
async fn what_was_not_subscribed_to_is_delivered_once_as_if_it_had_been() {
    on_both(async |engine| {
        let failing = Failing::on(engine).await;
        failing.mend();
        subscribe(&failing, json!(["deal.*"])).await;
        let ids = failing
            .send(&["deal.won", "call.ended", "mail.read", "deal.lost"])
            .await;
        assert_eq!(failing.receiver.count(), 2);
        subscribe(&failing, json!(["deal.*", "call.*"])).await;
        let made = |job: &super::Answer| job.body["result"]["made"].clone();

        let job = failing.recover(unsubscribed()).await;
        assert_eq!(made(&job), 1, "{}", job.body);
        assert_eq!(job.body["total"], 4, "what it has looked at");
        let arrived = failing.receiver.wait_for(3).await;
        assert_eq!(
            about(&arrived[2..]),
            [ids[1].as_str()],
            "under the event's own id"
        );
        assert_eq!(made(&failing.recover(unsubscribed()).await), 0, "once");

        // A further subscription is another automation; what the earlier ones have made stays made.
        subscribe(&failing, json!("all")).await;
        let mut asked = unsubscribed();
        asked["event_types"] = json!(["call.*"]);
        assert_eq!(made(&failing.recover(asked).await), 0);
        assert_eq!(made(&failing.recover(unsubscribed()).await), 1);
        failing.receiver.wait_for(4).await;
        let delivered = failing.deliveries("delivered").await;
        assert!(
            delivered.len() == 4 && delivered.iter().all(|row| row["cause"] == "event"),
            "{delivered:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_was_not_there_gets_what_came_before_it() {
    on_both(async |engine| {
        let failing = Failing::on(engine).await;
        let doors = &failing.doors;
        let sent: Vec<Value> = (0..250).map(|no| event("deal.won", no)).collect();
        let ids = doors.send_all(&sent).await;
        failing.mend();
        let later = super::failing::endpoint(doors, OPERATOR, &failing.receiver.url("/")).await;
        let mut asked = unsubscribed();
        asked["states"] = json!(["failed", "held", "unsubscribed"]);
        asked["per_second"] = json!(1_000);
        let before = failing.receiver.count();
        let path = format!("/v1/endpoints/{later}/recover");
        let job = doors.post(&path, asked).await.is(202).text("/job");
        for burst in 1..=3 {
            let arrived = ids.len().min(burst * 100);
            failing.receiver.wait_for(before + arrived).await;
            doors.clock.advance(Duration::from_millis(100));
        }
        before_hanging("the job's end", doors.pipeline.settle()).await;
        let job = doors.get(&format!("/v1/jobs/{job}")).await.is(200);
        assert_eq!(job.body["result"]["made"], ids.len(), "{}", job.body);
        assert_eq!(job.body["done"], job.body["total"]);
        let arrived = failing.receiver.wait_for(before + ids.len()).await;
        let mut expected: Vec<&str> = ids.iter().filter_map(Value::as_str).collect();
        expected.sort_unstable();
        assert_eq!(about(&arrived[before..]), expected, "each once");
        // Those of the other endpoint, which failed, are nobody's business.
        let others = doors
            .get(&format!(
                "/v1/deliveries?endpoint={}&limit=250",
                failing.endpoint
            ))
            .await
            .is(200);
        assert!(each(&others, "state").iter().all(|state| state == "failed"));
    })
    .await;
}

#[tokio::test]
async fn without_a_subscription_nothing_was_missed_of_it() {
    on_both(async |engine| {
        let failing = Failing::on(engine).await;
        subscribe(&failing, json!("none")).await;
        let refused = failing.doors.post(&failing.path(), unsubscribed()).await;
        refused.is(422).refuses("invalid_field", "/states");
        // Operational events are not for who asks for everything.
        subscribe(&failing, json!("all")).await;
        let path = format!("/v1/endpoints/{}", failing.endpoint);
        let doors = &failing.doors;
        doors
            .post(&format!("{path}/disable"), json!({}))
            .await
            .is(200);
        doors
            .post(&format!("{path}/enable"), json!({}))
            .await
            .is(200);
        let job = failing.recover(unsubscribed()).await;
        assert_eq!(job.body["result"]["made"], 0, "{}", job.body);
    })
    .await;
}
