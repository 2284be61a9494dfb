//! Backtests of automations with flow control, of whose state at the time nothing is known any more.

use serde_json::json;

use super::backtest::{asking, deals};
use super::{Doors, nobody};
use crate::support::store::on_both;

#[tokio::test]
async fn what_flow_control_decides_is_taken_to_go_on() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let mut new = asking("true", &nobody().await);
        new["flow"] = json!({"digest": {"key": "event.data.mail", "period_ms": 60_000}});
        let automation = doors.made(new).await;
        doors.send_all(&deals([1, 2])).await;
        // The same but for how long it collects: what follows of one event is the same.
        let longer = json!({"flow": {"digest": {"key": "event.data.mail", "period_ms": 90_000}}});
        for (draft, differing, verdicts) in [
            (longer, 0, json!({"fired": 2})),
            (
                json!({"condition": "event.data.amount > 1"}),
                1,
                json!({"fired": 1, "filtered": 1}),
            ),
            (json!({"flow": null}), 2, json!({"fired": 2})),
            (
                json!({"flow": {"dedupe": {"key": "event.data.none", "window_ms": 5_000}}}),
                2,
                json!({"flow_error": 2}),
            ),
        ] {
            let job = doors.compare(&automation, json!({"draft": draft})).await;
            let result = &job.body["result"];
            assert_eq!(
                result["published"]["verdicts"],
                json!({"fired": 2}),
                "{draft}"
            );
            assert_eq!(result["draft"]["verdicts"], verdicts, "{draft}");
            assert_eq!(result["differing"], differing, "{draft}");
        }
        let waits = "SELECT COUNT(*) FROM flow_waits";
        assert_eq!(
            doors.place.number(waits).await,
            1,
            "nothing is remembered of it"
        );
    })
    .await;
}
