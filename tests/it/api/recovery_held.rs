//! What was held at an endpoint goes on once somebody recovers it: as it stood, nothing beside it.

use std::time::Duration;

use serde_json::json;

use super::failing::Failing;
use super::recovery::{about, all};
use crate::support::before_hanging;
use crate::support::store::on_both;

#[tokio::test]
async fn a_repeat_that_was_held_goes_on_whenever_it_was_asked_for() {
    on_both(async |engine| {
        let failing = Failing::on(engine).await;
        failing.send(&["a"]).await;
        let until = failing.doors.clock.now().plus_ms(1000).to_string();
        failing.doors.clock.advance(Duration::from_hours(1));
        failing.recover(all()).await;
        // As it stands when its endpoint was switched off before it left.
        let held = "UPDATE deliveries SET state = 'held', failure = NULL, settled_at_ms = NULL \
                    WHERE resend_of IS NOT NULL";
        failing.doors.place.execute(held).await;
        failing.mend();
        let asked = json!({"since": "2020-01-01T00:00:00Z", "until": until});
        let job = failing.recover(asked).await;
        let result = &job.body["result"];
        assert_eq!(json!([result["released"], result["resent"]]), json!([1, 0]));
        assert_eq!(failing.deliveries("delivered").await.len(), 1);
        assert_eq!(failing.deliveries("failed").await.len(), 1);

        let all = "UPDATE deliveries SET state = 'held', settled_at_ms = NULL WHERE resend_of IS NOT NULL";
        failing.doors.place.execute(all).await;
        let asked = json!({"since": "2020-01-01T00:00:00Z", "until": until, "states": ["held"]});
        let job = failing.recover(asked).await;
        assert_eq!(job.body["result"]["released"], 1, "by its event's time");
    })
    .await;
}

#[tokio::test]
async fn what_was_held_waits_until_it_is_recovered() {
    on_both(async |engine| {
        let failing = Failing::on(engine).await;
        let doors = &failing.doors;
        failing.mend();
        let path = format!("/v1/endpoints/{}", failing.endpoint);
        doors
            .post(&format!("{path}/disable"), json!({}))
            .await
            .is(200);
        let ids = failing.send(&["a", "b", "c"]).await;
        let refused = doors.post(&failing.path(), all()).await.is(409);
        refused.refuses("endpoint_disabled", "nowhere");
        doors
            .post(&format!("{path}/enable"), json!({}))
            .await
            .is(200);
        before_hanging("it to settle", doors.pipeline.settle()).await;
        assert_eq!(
            failing.deliveries("held").await.len(),
            3,
            "nothing vanishes, and nothing leaves"
        );
        let failed = failing.recover(all()).await;
        assert_eq!(
            failed.body["total"], 0,
            "what was held is asked for by its name"
        );
        let asked = json!({"from_event": ids[1], "states": ["held", "failed"]});
        let job = failing.recover(asked).await;
        let result = &job.body["result"];
        assert_eq!(
            (&result["released"], &result["resent"]),
            (&json!(2), &json!(0))
        );
        let arrived = failing.receiver.wait_for(2).await;
        assert_eq!(about(&arrived), ids[1..]);
        assert_eq!(failing.deliveries("held").await.len(), 1);
        let first = failing
            .recover(json!({"from_event": ids[0], "states": ["held"]}))
            .await;
        assert_eq!(first.body["result"]["released"], 1);
        failing.receiver.wait_for(3).await;
        assert_eq!(
            failing.deliveries("delivered").await.len(),
            3,
            "no new ones are made"
        );
    })
    .await;
}
