//! Versions with tests, past events and jobs, all from the command line.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::caller::{Caller, text};
use crate::support::node::{Home, KEY};
use crate::support::receiver::Receiver;
use crate::support::store::Engine;

/// What a command line comes to: its exit code, and what it told on both streams.
async fn throwbar(caller: &Caller, line: &[&str]) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_throwbar"));
    program
        .env_clear()
        .args(line)
        .args(["--url", caller.url(), "--key", KEY])
        .kill_on_drop(true);
    let output = program.output().await.expect("it ends");
    let told = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&told).into_owned(),
    )
}

/// Each line comes to this code, and tells this.
async fn all_told(caller: &Caller, lines: &[(&[&str], i32, &[&str])]) {
    for (line, code, wanted) in lines {
        let (ended, told) = throwbar(caller, line).await;
        assert_eq!(ended, Some(*code), "{line:?}: {told}");
        for wanted in *wanted {
            assert!(told.contains(wanted), "{line:?}: {wanted}: {told}");
        }
    }
}

fn deal(amount: i64) -> Value {
    json!({"type": "deal.won", "data": {"amount": amount}})
}

/// The id of an automation for deals above 1000, with a test that says so.
async fn automation(caller: &Caller, url: &str) -> String {
    let test = json!({"name": "small", "event": deal(900), "expect": {"verdict": "filtered"}});
    let new = json!({
        "name": "a", "trigger": {"events": ["deal.*"]}, "condition": "event.data.amount > 1000",
        "tests": [test], "actions": [{"webhook": {"url": url}}],
    });
    caller.post("/v1/automations", &new).await.id()
}

#[tokio::test]
async fn a_version_whose_tests_fail_is_published_by_who_says_why() {
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let caller = node.caller();
    let receiver = Receiver::start().await;
    let own = automation(caller, &receiver.url("/")).await;
    let draft = json!({"condition": "event.data.amount > 500", "draft": true});
    let path = format!("/v1/automations/{own}");
    caller.patch(&path, &draft).await.expect(200);
    let own = own.as_str();
    let small = "✗ small: it expects filtered, and fired came";
    let failed = "1 of 1 test of version 2 failed";
    let reason = ["automation", "publish", own, "--override", "agreed"];
    let lines: [(&[&str], i32, &[&str]); 4] = [
        (&["automation", "run-tests", own], 3, &[small, failed]),
        (&["automation", "run-tests", own, "1"], 0, &["✓ small"]),
        (&["automation", "publish", own], 1, &["1 of 1 test failed"]),
        (&reason, 0, &["version 2 is published"]),
    ];
    all_told(caller, &lines).await;
    node.stop().await;
}

#[tokio::test]
async fn past_events_are_run_again_and_jobs_are_looked_at() {
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let caller = node.caller();
    let receiver = Receiver::start().await;
    let own = automation(caller, &receiver.url("/")).await;
    let won = caller.post("/v1/events", &deal(1200)).await.id();
    let other = json!({"type": "call.started", "data": {}});
    let other = caller.post("/v1/events", &other).await.id();
    receiver.wait_for(1).await;
    home.until_settled().await;
    let backtest = [
        "automation",
        "backtest",
        &own,
        "--since",
        "2020-01-01T00:00:00Z",
    ];
    let backtest = [&backtest[..], &["--until", "2020-01-02T00:00:00Z"]].concat();
    let again = ["automation", "rerun", &own, "--as", "it_ran", "--event"];
    let again = |event| [&again[..], &[event]].concat();
    let (won, other) = (again(&won), again(&other));
    let unseen = "not one event was compared: none came in that time";
    let fired = "1 event run again by the version that each met: 1 fired";
    let lines: [(&[&str], i32, &[&str]); 3] = [
        (&backtest, 1, &["job_", "0 events compared", unseen]),
        (&won, 0, &["job_", fired, "1 delivery was made"]),
        (&other, 1, &["not one event was run again"]),
    ];
    all_told(caller, &lines).await;
    receiver.wait_for(2).await;
    let jobs = caller.list("/v1/jobs").await;
    let last = text(&jobs[0]["id"]);
    let passed = "1 event was passed over";
    let lines: [(&[&str], i32, &[&str]); 3] = [
        (&["job", "list"], 0, &["rerun", "backtest", "done", &own]),
        (&["job", "show", &last], 0, &[&last, passed]),
        (&["job", "cancel", &last], 0, &["was at its end already"]),
    ];
    all_told(caller, &lines).await;
    node.stop().await;
}
