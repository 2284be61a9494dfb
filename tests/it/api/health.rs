//! How endpoints do: figures by the minute and by the hour, an overview, and alerts when too few attempts succeed.

use std::time::Duration;

use serde_json::{Value, json};

use super::failing::event;
use super::{Doors, OPERATOR, nobody};
use crate::support::answers::Answer as Says;
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

impl Doors {
    /// Counts up what was attempted.
    pub(super) async fn count_up(&self) {
        while self.service.count_up().await.expect("counted up") {}
    }

    async fn health(&self, endpoint: &str, query: &str) -> Value {
        let path = format!("/v1/endpoints/{endpoint}/health{query}");
        self.get(&path).await.is(200).body
    }

    /// So many events, each of which this endpoint's receiver answers so.
    async fn attempted(&self, receiver: &Receiver, status: u16, count: usize) {
        receiver.always("/", Says::status(status));
        let events: Vec<Value> = (0..count).map(|no| event("deal.won", no)).collect();
        self.send_all(&events).await;
        self.count_up().await;
    }

    /// What was told of success rates: each topic's last word, oldest first, and what it said.
    async fn told(&self) -> Vec<(String, Value)> {
        let listed = self.get("/v1/events?limit=250").await.is(200).body;
        let rows = listed["data"].as_array().expect("a list").iter().rev();
        let mut told = Vec::new();
        for row in rows {
            let event_type = row["type"].as_str().expect("a type");
            if let Some(word) = event_type.strip_prefix("throwbar.endpoint.success_rate_") {
                let path = format!("/v1/events/{}", row["id"].as_str().expect("an id"));
                let whole = self.get(&path).await.is(200).body;
                told.push((word.to_owned(), whole["data"].clone()));
            }
        }
        told
    }
}

async fn endpoint(doors: &Doors, url: &str, more: Value) -> String {
    let mut new = json!({"url": url, "retry_policy": {"delays_ms": []}, "failure_policy": "never"});
    let fields = new.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    doors.post("/v1/endpoints", new).await.is(201).id()
}

#[tokio::test]
async fn what_is_attempted_is_told_by_the_minute_and_by_the_hour() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let taken = endpoint(&doors, &receiver.url("/"), json!({})).await;
        let refused = endpoint(&doors, &nobody().await, json!({"subscribe": ["deal.*"]})).await;
        doors.attempted(&receiver, 204, 3).await;
        doors.clock.advance(Duration::from_mins(2));
        doors.attempted(&receiver, 500, 1).await;

        let health = doors.health(&taken, "?steps=5").await;
        let total = &health["total"];
        assert_eq!(total["attempts"], 4, "{health}");
        assert_eq!(total["success_rate"], 0.75);
        assert_eq!(total["failures"], json!({"status": 1}));
        assert!(
            total["p95_ms"].is_i64() && total["average_ms"].is_i64(),
            "{total}"
        );
        let series = health["series"].as_array().expect("a series");
        let attempts: Vec<_> = series.iter().map(|step| step["attempts"].clone()).collect();
        assert_eq!(json!(attempts), json!([0, 0, 3, 0, 1]));
        assert_eq!(series[3]["success_rate"], Value::Null);
        let last = health["last"].as_array().expect("a list");
        let codes: Vec<_> = last.iter().map(|one| one["status_code"].clone()).collect();
        assert_eq!(json!(codes), json!([500, 204, 204, 204]));
        assert_eq!(
            doors.health(&taken, "?steps=2").await["total"]["attempts"],
            1
        );

        let health = doors.health(&refused, "?step=hour&steps=24").await;
        assert_eq!(
            health["total"]["failures"],
            json!({"connect": 4}),
            "{health}"
        );
        assert_eq!(health["total"]["p50_ms"], Value::Null, "nobody answered");
        assert_eq!(health["series"].as_array().map(Vec::len), Some(24));

        // Three hours later only the hours know of it.
        doors.clock.advance(Duration::from_hours(4));
        let all = doors.health(&taken, "?steps=180").await;
        assert_eq!(all["total"]["attempts"], 0);
        let overview = doors.get("/v1/endpoints/health?limit=1").await.is(200).body;
        assert_eq!(overview["data"][0]["endpoint"], json!(refused));
        let next = overview["next_cursor"].as_str().expect("a next page");
        let next = format!("/v1/endpoints/health?limit=1&cursor={next}");
        let overview = doors.get(&next).await.is(200).body;
        let row = &overview["data"][0];
        assert_eq!(
            (&row["endpoint"], &row["day"]["attempts"]),
            (&json!(taken), &json!(4))
        );
        let hours = row["hours"].as_array().expect("hours");
        assert!((1..=2).contains(&hours.len()), "{row}");
        assert_eq!(overview["next_cursor"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_series_that_is_not_kept_is_refused() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let id = endpoint(&doors, &nobody().await, json!({})).await;
        for (query, code, place) in [
            ("?step=day", "invalid_parameter", "step"),
            ("?steps=0", "invalid_parameter", "steps"),
            ("?steps=181", "invalid_parameter", "steps"),
            ("?step=hour&steps=841", "invalid_parameter", "steps"),
            ("?since=x", "unknown_parameter", "since"),
        ] {
            let path = format!("/v1/endpoints/{id}/health{query}");
            doors.get(&path).await.is(422).refuses(code, place);
        }
        let all = doors.health(&id, "?step=hour&steps=840").await;
        assert_eq!(all["series"].as_array().map(Vec::len), Some(840));
    })
    .await;
}

#[tokio::test]
async fn a_drop_is_told_once_and_so_is_its_end() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let alert = json!({"below": 0.9, "window_s": 600, "min_attempts": 10});
        let id = endpoint(
            &doors,
            &receiver.url("/"),
            json!({"success_rate_alert": alert}),
        )
        .await;
        doors.attempted(&receiver, 204, 5).await;
        doors.attempted(&receiver, 500, 4).await;
        assert!(doors.told().await.is_empty(), "too few to say anything");
        doors.attempted(&receiver, 500, 1).await;
        doors.attempted(&receiver, 500, 3).await;
        let told = doors.told().await;
        assert_eq!(told.len(), 1, "once: {told:?}");
        let (word, says) = &told[0];
        assert_eq!(word, "dropped");
        assert_eq!(says["endpoint"], json!(id));
        assert_eq!(says["success_rate"], 0.5);
        assert_eq!(
            (&says["attempts"], &says["succeeded"]),
            (&json!(10), &json!(5))
        );
        let health = doors.health(&id, "").await;
        assert_eq!(health["success_rate_dropped_at"], says["dropped_at"]);

        // The window moves on: what failed is not in it any more. At 0.9 it is not well above 0.9 yet.
        doors.clock.advance(Duration::from_mins(15));
        doors.attempted(&receiver, 500, 1).await;
        doors.attempted(&receiver, 204, 9).await;
        assert_eq!(doors.told().await.len(), 1);
        doors.attempted(&receiver, 204, 10).await;
        let told = doors.told().await;
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[1].0, "recovered");
        assert_eq!(told[1].1["dropped_at"], says["dropped_at"]);
        let health = doors.health(&id, "").await;
        assert_eq!(health["success_rate_dropped_at"], Value::Null);
        doors.attempted(&receiver, 500, 40).await;
        assert_eq!(doors.told().await.len(), 3, "and again");
    })
    .await;
}

#[tokio::test]
async fn an_account_says_it_for_all_endpoints_that_say_nothing() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let url = receiver.url("/");
        let follows = endpoint(&doors, &url, json!({})).await;
        let silent = endpoint(&doors, &url, json!({"success_rate_alert": "off"})).await;
        let alert = json!({"below": 0.5, "min_attempts": 2});
        let whole = json!({"below": 0.5, "window_s": 3600, "min_attempts": 2});
        let account = doors
            .patch("/v1/account", json!({"success_rate_alert": alert}))
            .await
            .is(200);
        assert_eq!(account.body["success_rate_alert"], whole);
        doors.attempted(&receiver, 500, 4).await;
        let told = doors.told().await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].1["endpoint"], json!(follows));
        let shown = doors.get(&format!("/v1/endpoints/{silent}")).await.is(200);
        assert_eq!(shown.body["success_rate_alert"], "off");
        let shown = doors.get(&format!("/v1/endpoints/{follows}")).await.is(200);
        assert_eq!(shown.body["success_rate_alert"], "account");

        // Nobody asks any more: it is not remembered either.
        doors
            .patch("/v1/account", json!({"success_rate_alert": "off"}))
            .await
            .is(200);
        doors.attempted(&receiver, 500, 1).await;
        let health = doors.health(&follows, "").await;
        assert_eq!(health["success_rate_dropped_at"], Value::Null);
        assert_eq!(doors.told().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_alert_that_is_none_is_refused_with_its_place() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let wrong =
            |alert: Value| json!({"url": "http://127.0.0.1:9/", "success_rate_alert": alert});
        for alert in [
            json!("on"),
            json!({"below": 95}),
            json!({"below": 0.9, "window_s": 1}),
        ] {
            let refused = doors.post("/v1/endpoints", wrong(alert)).await.is(422);
            let place = refused.body["pointer"].as_str().unwrap_or_default();
            assert!(place.starts_with("/success_rate_alert"), "{}", refused.body);
        }
        let account = json!({"success_rate_alert": "account"});
        let refused = doors.patch("/v1/account", account).await.is(422);
        refused.refuses("invalid_field", "/success_rate_alert");
        let none = doors.call(OPERATOR, "GET", "/v1/endpoints/ep_x/health", None);
        none.await.is(404);
    })
    .await;
}
