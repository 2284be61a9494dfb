//! Versions with tests, past events and jobs, all from the command line.

use serde_json::json;
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

#[tokio::test]
async fn what_can_be_done_with_versions_and_past_events_can_be_done_on_the_command_line() {
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let caller = node.caller();
    let receiver = Receiver::start().await;
    let deal = |amount: i64| json!({"type": "deal.won", "data": {"amount": amount}});
    let test = json!({"name": "small", "event": deal(900), "expect": {"verdict": "filtered"}});
    let new = json!({
        "name": "a", "trigger": {"events": ["deal.*"]}, "condition": "event.data.amount > 1000",
        "tests": [test], "actions": [{"webhook": {"url": receiver.url("/")}}],
    });
    let own = caller.post("/v1/automations", &new).await.id();
    let draft = json!({"condition": "event.data.amount > 500", "draft": true});
    let path = format!("/v1/automations/{own}");
    caller.patch(&path, &draft).await.expect(200);
    let own = own.as_str();
    all_told(
        caller,
        &[
            (
                &["automation", "run-tests", own],
                3,
                &[
                    "✗ small: it expects filtered, and fired came",
                    "1 of 1 test of version 2 failed",
                ],
            ),
            (&["automation", "run-tests", own, "1"], 0, &["✓ small"]),
            (
                &["automation", "publish", own],
                1,
                &["1 of 1 test failed", "override"],
            ),
            (
                &["automation", "publish", own, "--override", "agreed"],
                0,
                &["version 2 is published"],
            ),
            (
                &[
                    "automation",
                    "backtest",
                    own,
                    "--since",
                    "2020-01-01T00:00:00Z",
                    "--until",
                    "2020-01-02T00:00:00Z",
                ],
                1,
                &[
                    "job_",
                    "0 events compared",
                    "not one event was compared: none came in that time",
                ],
            ),
        ],
    )
    .await;

    let won = caller.post("/v1/events", &deal(1200)).await.id();
    let other = json!({"type": "call.started", "data": {}});
    let other = caller.post("/v1/events", &other).await.id();
    receiver.wait_for(1).await;
    home.until_settled().await;
    let again = ["automation", "rerun", own, "--as", "it_ran", "--event"];
    let again = |event| [&again[..], &[event]].concat();
    all_told(
        caller,
        &[
            (
                &again(&won),
                0,
                &[
                    "job_",
                    "1 event run again by the version that each met: 1 fired",
                    "1 delivery was made",
                ],
            ),
            (
                &again(&other),
                1,
                &["1 event was passed over", "not one event was run again"],
            ),
        ],
    )
    .await;
    receiver.wait_for(2).await;
    let jobs = caller.list("/v1/jobs").await;
    let last = text(&jobs[0]["id"]);
    all_told(
        caller,
        &[
            (&["job", "list"], 0, &["rerun", "backtest", "done", own]),
            (
                &["job", "show", &last],
                0,
                &[&last, "1 event was passed over"],
            ),
            (
                &["job", "cancel", &last],
                0,
                &["was at its end already: it is done"],
            ),
        ],
    )
    .await;
    node.stop().await;
}
