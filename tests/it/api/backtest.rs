//! Backtests: what a draft would say of past events, beside what the published version says; and the jobs that
//! they are.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::version::each;
use super::{Answer, Doors, OPERATOR, component, nobody};
use crate::support::before_hanging;
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

impl Doors {
    /// Sends these events, all at once, and lets everything happen that follows. Their ids.
    pub(super) async fn send_all(&self, events: &[Value]) -> Vec<Value> {
        let mut ids = Vec::new();
        for batch in events.chunks(500) {
            let sent = self.post("/v1/events/batch", json!(batch)).await.is(202);
            ids.extend(each(&sent, "id"));
        }
        before_hanging("everything to settle", self.pipeline.settle()).await;
        ids
    }

    /// The id of an automation that is made.
    pub(super) async fn made(&self, new: Value) -> String {
        self.post("/v1/automations", new).await.is(201).id()
    }

    /// Has a job done, to its end.
    pub(super) async fn done(&self, path: &str, asked: Value) -> Answer {
        let given = self.post(path, asked).await.is(202);
        before_hanging("the job's end", self.pipeline.settle()).await;
        let job = self.get(&format!("/v1/jobs/{}", given.text("/job"))).await;
        job.is(200)
    }

    /// Compares it, to the end.
    pub(super) async fn compare(&self, automation: &str, asked: Value) -> Answer {
        let path = format!("/v1/automations/{automation}/backtest");
        let job = self.done(&path, asked).await;
        assert_eq!(job.body["state"], "done", "{}", job.body);
        job
    }

    pub(super) async fn differences(&self, job: &Answer) -> Vec<Value> {
        let path = format!("/v1/jobs/{}/differences?limit=250", job.id());
        let listed = self.get(&path).await.is(200);
        listed.body["data"].as_array().expect("a list").clone()
    }
}

pub(super) fn deals(amounts: impl IntoIterator<Item = i64>) -> Vec<Value> {
    let deal = |amount| json!({"type": "deal.won", "data": {"amount": amount, "mail": "a@b"}});
    amounts.into_iter().map(deal).collect()
}

pub(super) fn asking(condition: &str, url: &str) -> Value {
    json!({
        "name": "a", "trigger": {"events": ["deal.*"]}, "condition": condition,
        "actions": [{"webhook": {"url": url}}],
    })
}

#[tokio::test]
async fn a_draft_is_compared_with_the_published_version_and_nothing_is_sent() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        let url = receiver.url("/");
        let automation = doors.made(asking("event.data.amount > 100", &url)).await;
        let mut events = deals((1..=20).map(|no| no * 10));
        events.push(json!({"type": "deal.won", "data": {"amount": "many"}}));
        events.push(json!({"type": "call.started", "data": {}}));
        let ids = doors.send_all(&events).await;
        receiver.wait_for(10).await;
        let rows = "SELECT (SELECT COUNT(*) FROM deliveries) + (SELECT COUNT(*) FROM bodies)
            + (SELECT COUNT(*) FROM evaluations) + (SELECT COUNT(*) FROM endpoints)
            + (SELECT revision FROM accounts)";
        let before = doors.place.number(rows).await;

        let draft = asking("event.data.amount > 150", &url);
        let asked = json!({"draft": draft, "events": 1000});
        let job = doors.compare(&automation, asked).await;
        assert_eq!(
            (&job.body["done"], &job.body["total"]),
            (&json!(22), &json!(22))
        );
        assert_eq!(job.body["kind"], "backtest");
        assert_eq!(job.body["author"]["name"], "bootstrap");
        let result = &job.body["result"];
        let said = |version: Value, fired: u64, filtered: u64| {
            json!({"version": version, "verdicts": {
                "fired": fired, "filtered": filtered, "condition_error": 1, "not_subscribed": 1,
            }})
        };
        assert_eq!(result["published"], said(json!(1), 10, 10));
        assert_eq!(result["draft"], said(Value::Null, 5, 15));
        let moved = json!([{"published": "fired", "draft": "filtered", "events": 5}]);
        assert_eq!(result["moves"], moved);
        assert_eq!(
            (&result["differing"], &result["listed"]),
            (&json!(5), &json!(5))
        );
        let found = doors.differences(&job).await;
        let of: Vec<_> = found.iter().map(|one| one["event"].clone()).collect();
        let expected: Vec<_> = ids[10..15].iter().rev().cloned().collect();
        assert_eq!(of, expected, "newest first");
        assert_eq!(found[0]["published"]["to"], json!([url]));
        let summary = found[0]["draft"]["summary"].as_str().expect("a sentence");
        assert!(summary.contains("150"), "{summary}");
        assert_eq!(
            found[0]["bodies"][0]["before"]["text"].as_str(),
            Some(r#"{"amount":150,"mail":"a@b"}"#)
        );

        assert_eq!(doors.place.number(rows).await, before, "nothing is made");
        assert_eq!(receiver.count(), 10, "nothing is sent");
    })
    .await;
}

#[tokio::test]
async fn what_differs_in_the_bodies_is_told_field_by_field() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.upload(component("redact"), "").await.is(201);
        let url = nobody().await;
        let mut new = asking("true", &url);
        new["transforms"] = json!([{"plugin": "redact", "config": {"mask": ["/mail"]}}]);
        let automation = doors.made(new.clone()).await;
        doors.send_all(&deals([1, 2])).await;
        // A part of a draft is laid over the newest version.
        let draft = json!({"transforms": [{"plugin": "redact", "config": {"remove": ["/mail"]}}]});
        let job = doors.compare(&automation, json!({"draft": draft})).await;
        assert_eq!(job.body["result"]["differing"], 2);
        assert_eq!(job.body["result"]["moves"], json!([]));
        let found = doors.differences(&job).await;
        let changes = &found[0]["bodies"][0]["changes"];
        assert_eq!(changes[0]["pointer"], "/body/mail");
        assert!(changes[0]["before"].is_string() && changes[0].get("after").is_none());
        assert_eq!(found[0]["bodies"].as_array().map(Vec::len), Some(1));

        // Another endpoint is a difference, too; and a whole draft has no transforms.
        let elsewhere = asking("true", &nobody().await);
        let job = doors
            .compare(&automation, json!({"draft": elsewhere}))
            .await;
        let found = doors.differences(&job).await;
        assert_ne!(found[0]["published"]["to"], found[0]["draft"]["to"]);
        assert_eq!(found[0]["bodies"][0]["changes"][0]["after"], "a@b");
    })
    .await;
}

#[tokio::test]
async fn the_last_events_and_those_of_a_time_are_chosen() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let automation = doors.made(asking("false", &nobody().await)).await;
        let early = doors.clock.now();
        doors.send_all(&deals(0..30)).await;
        doors.clock.advance(std::time::Duration::from_mins(1));
        doors.send_all(&deals(0..5)).await;
        let late = doors.clock.now();
        for (asked, done) in [
            (json!({"events": 12}), 12),
            (json!({"events": 35}), 35),
            (json!({"events": 36}), 35),
            (json!({"since": late.to_string()}), 5),
            (
                json!({"since": early.to_string(), "until": late.to_string()}),
                30,
            ),
            (json!({"until": early.to_string()}), 0),
            (json!({}), 35),
        ] {
            let job = doors.compare(&automation, asked.clone()).await;
            assert_eq!(job.body["done"], done, "{asked}");
            assert_eq!(job.body["total"], done, "{asked}");
        }
    })
    .await;
}

#[tokio::test]
async fn versions_are_compared_by_their_numbers_and_a_draft_with_nothing() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let mut draft = asking("event.data.amount > 1", &nobody().await);
        draft["draft"] = json!(true);
        let automation = doors.made(draft).await;
        doors.send_all(&deals([1, 2])).await;
        let job = doors.compare(&automation, json!({})).await;
        let result = &job.body["result"];
        assert_eq!(result["published"]["version"], Value::Null);
        assert_eq!(result["published"]["verdicts"], json!({"not_published": 2}));
        assert_eq!(result["draft"]["version"], 1);
        assert_eq!(result["differing"], 2);

        let path = format!("/v1/automations/{automation}");
        doors
            .post(&format!("{path}/publish"), json!({}))
            .await
            .is(200);
        let next = json!({"condition": "event.data.amount > 0", "draft": true});
        doors.patch(&path, next).await.is(200);
        for (draft, differing) in [(json!(1), 0), (json!(2), 1), (Value::Null, 1)] {
            let job = doors.compare(&automation, json!({"draft": draft})).await;
            assert_eq!(job.body["result"]["differing"], differing, "{draft}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_compared_is_told_with_its_place() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let automation = doors.made(asking("true", &nobody().await)).await;
        let path = format!("/v1/automations/{automation}/backtest");
        for (asked, code, place) in [
            (json!({"draft": 2}), "unknown_version", "/draft"),
            (json!({"draft": "newest"}), "invalid_field", "/draft"),
            (
                json!({"draft": {"conditon": "true"}}),
                "unknown_field",
                "/draft/conditon",
            ),
            (
                json!({"draft": {"condition": "nothing"}}),
                "invalid_condition",
                "/draft/condition",
            ),
            (
                json!({"draft": {"actions": []}}),
                "invalid_field",
                "/draft/actions",
            ),
            (json!({"event": 3}), "unknown_field", "/event"),
            (json!({"events": 0}), "invalid_field", "/events"),
            (json!({"events": 2_000_000}), "invalid_field", "/events"),
        ] {
            doors.post(&path, asked).await.is(422).refuses(code, place);
        }
        doors.has_none("/v1/jobs").await;
    })
    .await;
}

#[tokio::test]
async fn it_is_listed_called_off_and_stays_as_it_is_after_its_end() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let automation = doors.made(asking("true", &nobody().await)).await;
        doors.send_all(&deals(0..3)).await;
        // Without a pipeline nobody is at it.
        doors.pipeline.shut_down().await.expect("it stops");
        let path = format!("/v1/automations/{automation}/backtest");
        let mut given = Vec::new();
        for _ in 0..10 {
            given.push(doors.post(&path, json!({})).await.is(202).text("/job"));
        }
        let more = doors.post(&path, json!({})).await.is(409);
        more.refuses("too_many", "nowhere");
        let job = doors.get(&format!("/v1/jobs/{}", given[0])).await.is(200);
        assert_eq!(job.body["state"], "running");
        assert_eq!(job.body["total"], Value::Null);
        let cancel = format!("/v1/jobs/{}/cancel", given[0]);
        for _ in 0..2 {
            let off = doors.call(OPERATOR, "POST", &cancel, None).await.is(200);
            assert_eq!(off.body["state"], "cancelled");
            assert!(off.body["ended_at"].is_string());
        }
        let listed = doors.get("/v1/jobs?limit=4").await.is(200);
        let newest: Vec<_> = given
            .iter()
            .rev()
            .take(4)
            .cloned()
            .map(Value::from)
            .collect();
        assert_eq!(each(&listed, "id"), newest);
        let next = listed.text("/next_cursor");
        let rest = doors
            .get(&format!("/v1/jobs?limit=10&cursor={next}"))
            .await
            .is(200);
        assert_eq!(each(&rest, "id").len(), 6);
        doors.get("/v1/jobs/job_0").await.is(404);
    })
    .await;
}

#[tokio::test]
async fn the_same_call_twice_gives_one_job() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let automation = doors.made(asking("true", &nobody().await)).await;
        let ask = async || {
            let request =
                axum::http::Request::post(format!("/v1/automations/{automation}/backtest"))
                    .header("authorization", format!("Bearer {OPERATOR}"))
                    .header("content-type", "application/json")
                    .header("idempotency-key", "once")
                    .body(axum::body::Body::from("{}"));
            doors.request(request.expect("a request")).await.is(202)
        };
        let (first, again) = (ask().await, ask().await);
        assert_eq!(first.body, again.body);
        before_hanging("the job's end", doors.pipeline.settle()).await;
        let listed = doors.get("/v1/jobs").await.is(200);
        assert_eq!(each(&listed, "state"), ["done"]);
    })
    .await;
}

/// Conditions and payloads that come to every verdict.
fn anything() -> impl Strategy<Value = (Vec<Value>, String)> {
    let amount = proptest::prop_oneof![
        (-5_i64..5).prop_map(Value::from),
        proptest::strategy::Just(Value::Null),
        proptest::strategy::Just(json!("text")),
        proptest::strategy::Just(json!([1, 2])),
    ];
    let event_type = proptest::prop_oneof!["deal\\.(won|lost)", "call\\.started"];
    let event = (event_type, amount).prop_map(|(event_type, amount)| {
        json!({"type": event_type, "data": {"amount": amount, "mail": "a@b"}})
    });
    let condition = (-5_i64..5).prop_map(|than| format!("event.data.amount > {than}"));
    (proptest::collection::vec(event, 1..40), condition)
}

/// The verdicts on record of the automation for the events since then; `not_subscribed` for those that it was not
/// looked at for.
async fn verdicts_since(doors: &Doors, automation: &str, since: &str) -> BTreeMap<String, u64> {
    let listed = doors.get("/v1/events?limit=250").await.is(200);
    let events = listed.body["data"].as_array().expect("a list").iter();
    let recent = |event: &&Value| event["accepted_at"].as_str().is_some_and(|at| at >= since);
    let mut verdicts = BTreeMap::new();
    for event in events.filter(recent) {
        let path = format!(
            "/v1/events/{}/evaluations",
            event["id"].as_str().expect("an id")
        );
        let said = doors.get(&path).await.is(200);
        let mut said = said.body["data"].as_array().expect("a list").iter();
        let own = said.find(|one| one["automation"] == automation);
        let verdict = own.map_or("not_subscribed", |one| {
            one["verdict"].as_str().expect("a word")
        });
        *verdicts.entry(verdict.to_owned()).or_default() += 1;
    }
    verdicts
}

#[tokio::test]
async fn a_backtest_of_the_published_version_against_itself_differs_nowhere() {
    on_both(async |engine| {
        let mut runner = TestRunner::deterministic();
        let doors = Doors::open(engine).await;
        doors.upload(component("redact"), "").await.is(201);
        let url = nobody().await;
        for round in 0..8 {
            let made = anything().new_tree(&mut runner).expect("a value").current();
            let (events, condition) = made;
            let mut new = asking(&condition, &url);
            if round % 2 == 0 {
                new["transforms"] = json!([{"plugin": "redact", "config": {"mask": ["/mail"]}}]);
            }
            let automation = doors.made(new.clone()).await;
            doors.clock.advance(Duration::from_secs(1));
            let since = doors.clock.now().to_string();
            doors.send_all(&events).await;
            let on_record = verdicts_since(&doors, &automation, &since).await;
            for draft in [json!(1), new] {
                let asked = json!({"draft": draft, "since": since});
                let job = doors.compare(&automation, asked).await;
                let result = &job.body["result"];
                assert_eq!(result["differing"], 0, "{condition}: {result}");
                let (published, draft) = (&result["published"], &result["draft"]);
                assert_eq!(published["verdicts"], draft["verdicts"]);
                // And it is what was said of the events when they came.
                assert_eq!(published["verdicts"], json!(on_record), "{condition}");
            }
            let seen: u64 = on_record.values().sum();
            assert!(seen >= events.len() as u64, "{on_record:?}");
        }
    })
    .await;
}
