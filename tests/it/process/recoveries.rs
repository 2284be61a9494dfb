//! Recoveries of real processes: killed in the middle and gone on with, by the next life or by another node; and
//! from the command line.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::answers::Answer;
use crate::support::before_hanging;
use crate::support::caller::{Caller, text};
use crate::support::node::{Home, KEY};
use crate::support::receiver::Receiver;
use crate::support::store::Engine;

const FAILED: usize = 100;

/// An endpoint at which everything has failed that was sent, and its receiver, which is well again.
async fn failed(home: &Home, caller: &Caller) -> (Receiver, String) {
    let receiver = Receiver::start().await;
    receiver.always("/", Answer::status(500));
    let new = json!({"url": receiver.url("/"), "retry_policy": {"delays_ms": []}});
    let endpoint = caller.post("/v1/endpoints", &new).await.id();
    let event = |no| json!({"type": "deal.won", "data": {"no": no}});
    let events: Vec<Value> = (0..FAILED).map(event).collect();
    caller
        .post("/v1/events/batch", &json!(events))
        .await
        .expect(202);
    home.until(
        "SELECT COUNT(*) FROM deliveries WHERE state = 'failed'",
        FAILED as i64,
    )
    .await;
    receiver.always("/", Answer::status(204));
    (receiver, endpoint)
}

/// The job once it is at its end.
#[cfg(feature = "crash-points")]
async fn ended(caller: &Caller) -> Value {
    before_hanging("the job's end", async {
        loop {
            let jobs = caller.list("/v1/jobs").await;
            if jobs[0]["state"] != "running" {
                return jobs[0].clone();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// It has sent each once.
#[cfg(feature = "crash-points")]
async fn assert_whole(home: &Home, receiver: &Receiver, job: &Value) {
    assert_eq!(job["state"], "done", "{job}");
    assert_eq!(
        (&job["done"], &job["total"]),
        (&json!(FAILED), &json!(FAILED))
    );
    assert_eq!(job["result"]["resent"], FAILED, "{job}");
    home.until_settled().await;
    let made = "SELECT COUNT(*) FROM deliveries WHERE resend_of IS NOT NULL";
    assert_eq!(home.number(made).await, FAILED as i64);
    let arrived = receiver.counts_by_webhook_id();
    let lost = arrived.values().filter(|count| **count < 2).count();
    assert_eq!((arrived.len(), lost), (FAILED, 0));
}

/// Asks for one whose node dies as soon as it has saved how far it has come, so many times.
#[cfg(feature = "crash-points")]
async fn dies_in_the_middle(home: &Home, times: usize) -> Receiver {
    let node = home.start().await;
    let (receiver, endpoint) = failed(home, node.caller()).await;
    node.stop().await;
    let mut node = home.start_armed("job-saved").await;
    let path = format!("/v1/endpoints/{endpoint}/recover");
    let asked = json!({"since": "2020-01-01T00:00:00Z", "per_second": 200});
    // The node may die before its answer has left.
    let _ = node.caller().try_post(&path, asked.to_string()).await;
    node.dies().await;
    for _ in 1..times {
        home.run_until_death("job-saved").await;
    }
    let done = home.number("SELECT done FROM jobs").await;
    assert_eq!(done, times as i64 * 20, "a burst for each life");
    receiver
}

#[cfg(feature = "crash-points")]
#[tokio::test]
async fn one_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let home = Home::on(engine).await;
        let receiver = dies_in_the_middle(&home, 3).await;
        let node = home.start().await;
        assert_whole(&home, &receiver, &ended(node.caller()).await).await;
        node.stop().await;
    }
}

#[cfg(feature = "crash-points")]
#[tokio::test]
async fn one_of_a_dead_node_is_gone_on_with_by_another() {
    let home = Home::on(Engine::Postgres).await;
    let beside = Home::at(home.postgres_url());
    let receiver = dies_in_the_middle(&home, 1).await;
    let survivor = beside.start().await;
    assert_whole(&home, &receiver, &ended(survivor.caller()).await).await;
    survivor.stop().await;
}

/// What the program says, and its exit code.
async fn said(caller: &Caller, words: &[&str]) -> (String, Option<i32>) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_throwbar"));
    program
        .env_clear()
        .args(words)
        .args(["--url", caller.url(), "--key", KEY])
        .kill_on_drop(true);
    let output = before_hanging("the program", program.output())
        .await
        .expect("it ends");
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        output.status.code(),
    )
}

#[tokio::test]
async fn what_was_missed_is_recovered_from_the_command_line() {
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let caller = node.caller();
    let (receiver, endpoint) = failed(&home, caller).await;
    let listed = caller.list("/v1/deliveries?state=failed").await;
    let [first, second] = [0, 1].map(|place| text(&listed[place]["id"]));
    let (told, code) = said(caller, &["delivery", "resend", &first, &second]).await;
    assert_eq!((told.lines().count(), code), (2, Some(0)), "{told}");
    receiver.wait_for(FAILED + 2).await;
    home.until_settled().await;
    let (told, code) = said(caller, &["delivery", "show", &first]).await;
    assert!(told.contains("exhausted") && told.contains("✗ 1"), "{told}");
    assert_eq!(code, Some(0));
    let words = [
        "delivery",
        "list",
        "--state",
        "failed",
        "--endpoint",
        &endpoint,
    ];
    let (told, _) = said(caller, &words).await;
    assert_eq!(told.lines().count(), FAILED, "they stay so");

    let since = "2020-01-01T00:00:00Z";
    let recover = [
        "recover",
        &endpoint,
        "--since",
        since,
        "--per-second",
        "1000",
    ];
    let (told, code) = said(caller, &recover).await;
    assert!(told.contains("98 deliveries made again"), "{told}");
    assert!(
        told.contains("2 deliveries passed over: sent again before"),
        "{told}"
    );
    assert_eq!(code, Some(0));
    receiver.wait_for(2 * FAILED).await;
    let (told, code) = said(caller, &["recover", &endpoint, "--since", since, "--json"]).await;
    let job: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(
        (&job["result"]["repeated"], code),
        (&json!(FAILED), Some(0))
    );
    let (told, _) = said(caller, &["job", "list"]).await;
    assert!(
        told.contains("recovery") && told.contains(&endpoint),
        "{told}"
    );
    let (_, code) = said(
        caller,
        &[
            "recover",
            &endpoint,
            "--from-event",
            "evt_0198c1f0a3b27c4d8e5f60718293a4b5",
        ],
    )
    .await;
    assert_eq!(code, Some(1), "there is no such event");
    node.stop().await;
}
