//! One delivery is sent again, whatever became of it.

use serde_json::{Value, json};

use super::Answer;
use super::failing::{Failing, event};
use crate::support::answers::{Answer as Says, Gate};
use crate::support::before_hanging;
use crate::support::store::on_both;

impl Failing {
    /// The only delivery in this state.
    async fn only(&self, state: &str) -> Value {
        let rows = self.deliveries(state).await;
        assert_eq!(rows.len(), 1, "{state}: {rows:?}");
        rows[0].clone()
    }

    async fn resend(&self, row: &Value) -> Answer {
        let id = row["id"].as_str().expect("an id");
        let path = format!("/v1/deliveries/{id}/resend");
        self.doors.post(&path, json!({})).await
    }

    async fn settle(&self) {
        before_hanging("it to settle", self.doors.pipeline.settle()).await;
    }

    async fn switch(&self, to: &str) {
        let path = format!("/v1/endpoints/{}/{to}", self.endpoint);
        self.doors.post(&path, json!({})).await.is(200);
    }
}

#[tokio::test]
async fn what_was_sent_again_stays_as_it_was() {
    on_both(async |engine| {
        let failing = Failing::on(engine).await;
        failing.send(&["a"]).await;
        let failed = failing.only("failed").await;
        failing.mend();
        failing.resend(&failed).await.is(202);
        failing.settle().await;
        let delivered = failing.only("delivered").await;
        assert_eq!(delivered["resend_of"], failed["id"]);
        let again = failing.resend(&delivered).await.is(202).id();
        failing.settle().await;
        let path = format!("/v1/deliveries/{again}");
        let shown = failing.doors.get(&path).await.is(200).body;
        assert_eq!(shown["state"], "delivered");
        assert_eq!(shown["resend_of"], failed["id"], "the first of all");
        failing.only("failed").await;

        // A request is on its way, and one more will be.
        let gate = Gate::shut();
        failing.receiver.next("/", Says::status(204).behind(&gate));
        failing
            .doors
            .post("/v1/events", event("b", 1))
            .await
            .is(202);
        failing.receiver.wait_for(4).await;
        failing.resend(&failing.only("claimed").await).await.is(202);
        failing.receiver.wait_for(5).await;
        gate.open();
        failing.settle().await;
        assert_eq!(failing.deliveries("delivered").await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn a_delivery_that_waits_for_its_next_attempt_has_one_more_beside_it() {
    on_both(async |engine| {
        let failing = Failing::on(engine).await;
        let path = format!("/v1/endpoints/{}", failing.endpoint);
        let patient = json!({"retry_policy": {"delays_ms": [3_600_000]}});
        failing.doors.patch(&path, patient).await.is(200);
        failing.doors.send_all(&[event("a", 0)]).await;
        let pending = failing.only("pending").await;
        failing.mend();
        failing.resend(&pending).await.is(202);
        failing.settle().await;
        assert_eq!(failing.only("delivered").await["attempts_made"], 1);
        assert_eq!(failing.only("pending").await["id"], pending["id"]);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_sent_again_where_nothing_leaves() {
    on_both(async |engine| {
        let failing = Failing::on(engine).await;
        let doors = &failing.doors;
        failing.send(&["a"]).await;
        let failed = failing.only("failed").await;
        failing.mend();
        failing.switch("disable").await;
        doors.send_all(&[event("b", 1)]).await;
        let held = failing.only("held").await;
        let refused = failing.resend(&held).await.is(409);
        refused.refuses("endpoint_disabled", "nowhere");
        failing.switch("enable").await;
        let account = async |enabled: bool| {
            let patch = json!({ "enabled": enabled });
            doors.patch("/v1/account", patch).await.is(200);
        };
        account(false).await;
        let refused = failing.resend(&held).await.is(409);
        refused.refuses("account_disabled", "nowhere");
        account(true).await;
        failing.resend(&held).await.is(202);
        failing.settle().await;
        assert_eq!(failing.only("held").await["id"], held["id"], "it stays so");
        let asked = json!({"since": "2020-01-01T00:00:00Z", "states": ["held"]});
        let job = failing.recover(asked).await;
        assert_eq!(job.body["result"]["repeated"], 1, "and is passed over");

        let expired = "UPDATE deliveries SET failure = 'expired' WHERE state = 'failed'";
        doors.place.execute(expired).await;
        let refused = failing.resend(&failed).await.is(409);
        refused.refuses("payload_expired", "nowhere");
        let job = failing
            .recover(json!({"since": "2020-01-01T00:00:00Z"}))
            .await;
        assert_eq!(job.body["result"]["expired"], 1);
        let path = format!("/v1/endpoints/{}", failing.endpoint);
        doors.delete(&path).await.is(204);
        let refused = failing.resend(&failed).await.is(409);
        refused.refuses("endpoint_removed", "nowhere");
    })
    .await;
}
