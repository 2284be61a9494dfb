//! Tests that are kept with an automation: run before it is published, and passed over only by who says why.

use serde_json::{Value, json};

use super::version::each;
use super::{Doors, component, nobody};
use crate::support::store::on_both;

fn test(name: &str, amount: i64, verdict: &str) -> Value {
    let event = json!({"type": "deal.won", "data": {"amount": amount, "mail": "a@b"}});
    json!({"name": name, "event": event, "expect": {"verdict": verdict}})
}

async fn automation(condition: &str, tests: Value) -> Value {
    json!({
        "name": "a", "trigger": {"events": ["deal.*"]}, "condition": condition, "tests": tests,
        "actions": [{"webhook": {"url": nobody().await}}],
    })
}

#[tokio::test]
async fn a_version_whose_tests_fail_is_not_published() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let tests = json!([test("large", 11, "fired"), test("small", 10, "filtered")]);
        let wrong = automation("event.data.amount > 11", tests.clone()).await;
        let refused = doors.post("/v1/automations", wrong).await.is(422);
        refused.refuses("tests_failed", "nowhere");
        let failed = refused.body["tests"].as_array().expect("each that failed");
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0]["name"], "large");
        assert_eq!(failed[0]["expected"], json!({"verdict": "fired"}));
        assert_eq!(failed[0]["came"]["verdict"], "filtered");
        let told = refused.text("/detail");
        assert!(
            told.contains("1 of 2 tests failed") && told.contains("'large'"),
            "{told}"
        );
        doors.has_none("/v1/automations").await;
        doors.has_none("/v1/endpoints").await;

        let right = automation("event.data.amount > 10", tests.clone()).await;
        let made = doors.post("/v1/automations", right).await.is(201);
        assert_eq!(made.body["tests"], tests);
        let path = format!("/v1/automations/{}", made.id());
        let change = json!({"condition": "event.data.amount > 5"});
        let refused = doors.patch(&path, change.clone()).await.is(422);
        refused.refuses("tests_failed", "nowhere");
        let mut draft = change.clone();
        draft["draft"] = json!(true);
        doors.patch(&path, draft).await.is(200);
        let publish = format!("{path}/publish");
        doors
            .post(&publish, json!({}))
            .await
            .is(422)
            .refuses("tests_failed", "nowhere");
        doors.patch(&path, json!({"draft": false})).await.is(422);
        let now = doors.get(&path).await.is(200);
        assert_eq!(now.body["published_version"], 1, "what was live stays live");

        // With tests that say what it does now it may be published.
        let mended = json!({"tests": [test("small", 10, "fired")], "draft": false});
        let published = doors.patch(&path, mended).await.is(200);
        assert_eq!(published.body["published_version"], 3);
    })
    .await;
}

#[tokio::test]
async fn who_says_why_publishes_all_the_same_and_it_is_written_down() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let tests = json!([test("large", 11, "fired")]);
        let mut new = automation("event.data.amount > 11", tests).await;
        new["override"] = json!({"reason": ""});
        let refused = doors.post("/v1/automations", new.clone()).await.is(422);
        refused.refuses("invalid_field", "/override/reason");
        new["override"] = json!({"reason": "the test is wrong"});
        let made = doors.post("/v1/automations", new).await.is(201);
        let path = format!("/v1/automations/{}", made.id());
        let next = json!({"condition": "event.data.amount > 12", "draft": true});
        doors.patch(&path, next).await.is(200);
        let publish = format!("{path}/publish");
        doors.post(&publish, json!({"version": 2})).await.is(422);
        let why = json!({"override": {"reason": "es brennt"}});
        doors.post(&publish, why).await.is(200);
        // What was live before goes back at once.
        doors
            .post(&format!("{path}/rollback"), json!({}))
            .await
            .is(200);
        // So does what is switched on again: that publishes no version.
        doors.patch(&path, json!({"enabled": false})).await.is(200);
        doors.patch(&path, json!({"enabled": true})).await.is(200);
        let fine =
            json!({"condition": "event.data.amount > 10", "override": {"reason": "needless"}});
        doors.patch(&path, fine).await.is(200);

        let listed = doors.get(&format!("{path}/publications")).await.is(200);
        assert_eq!(each(&listed, "version"), [3, 1, 1, 2, 1]);
        let reasons = [
            Value::Null,
            Value::Null,
            Value::Null,
            json!("es brennt"),
            json!("the test is wrong"),
        ];
        assert_eq!(each(&listed, "override_reason"), reasons);
        assert_eq!(listed.body["data"][3]["author"]["name"], "bootstrap");
    })
    .await;
}

#[tokio::test]
async fn a_version_s_tests_are_run_when_somebody_wants_to_see_them() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.upload(component("redact"), "").await.is(201);
        let mut other = test("another type", 1, "not_subscribed");
        other["event"]["type"] = json!("call.started");
        let mut outputs = test("outputs", 11, "fired");
        outputs["expect"]["outputs"] = json!([{"amount": 11}]);
        let mut unlike = test("other outputs", 11, "fired");
        unlike["expect"]["outputs"] = json!([{"amount": 12}]);
        let tests = json!([other, outputs, unlike, test("verdict", 1, "fired")]);
        let mut new = automation("event.data.amount > 10", tests).await;
        new["transforms"] = json!([{"plugin": "redact", "config": {"remove": ["/mail"]}}]);
        new["draft"] = json!(true);
        let automation = doors.made(new).await;
        let run = format!("/v1/automations/{automation}/versions/1/tests/run");
        let ran = doors.post(&run, json!({})).await.is(200);
        assert_eq!(ran.body["passed"], false);
        assert_eq!(each(&ran, "passed"), [true, true, false, false]);
        assert_eq!(
            ran.body["data"][2]["came"]["outputs"],
            json!([{"amount": 11}])
        );
        let summary = ran.text("/data/3/came/summary");
        assert!(
            summary.contains("needs more than 10") || summary.contains("10"),
            "{summary}"
        );
        assert_eq!(doors.place.number("SELECT COUNT(*) FROM events").await, 0);
        let none = format!("/v1/automations/{automation}/versions/2/tests/run");
        doors.post(&none, json!({})).await.is(404);
    })
    .await;
}

#[tokio::test]
async fn tests_are_part_of_a_version_and_of_its_digest() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let new = automation("true", json!([])).await;
        let made = doors.post("/v1/automations", new).await.is(201);
        let path = format!("/v1/automations/{}", made.id());
        let with = json!({"tests": [test("t", 1, "fired")], "draft": true});
        let changed = doors.patch(&path, with.clone()).await.is(200);
        assert_eq!(changed.body["version"], 2);
        assert_ne!(changed.body["digest"], made.body["digest"]);
        assert_eq!(doors.patch(&path, with).await.is(200).body["version"], 2);
        let diff = doors.get(&format!("{path}/versions/2/diff")).await.is(200);
        assert_eq!(diff.body["changes"][0]["pointer"], "/tests");
        let wrong = json!({"tests": [test("t", 1, "maybe")]});
        let refused = doors.patch(&path, wrong).await.is(422);
        refused.refuses("invalid_field", "/tests/0/expect/verdict");
    })
    .await;
}
