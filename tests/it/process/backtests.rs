//! Jobs of real processes: killed in the middle and gone on with, by the next life or by another node; and from
//! the command line.

use serde_json::{Value, json};
use tokio::process::Command;

#[cfg(feature = "crash-points")]
use super::make_endpoint;
use crate::support::before_hanging;
use crate::support::caller::{Caller, text};
use crate::support::node::{Home, KEY};
use crate::support::receiver::Receiver;
use crate::support::store::Engine;

const EVENTS: usize = 2_000;

/// The id of an automation for deals above an amount.
async fn automation(caller: &Caller, url: &str) -> String {
    let new = json!({
        "name": "a", "trigger": {"events": ["deal.*"]}, "condition": "event.data.amount > 1000",
        "actions": [{"webhook": {"url": url}}],
    });
    caller.post("/v1/automations", &new).await.id()
}

/// Sends deals with the amounts from 0.
async fn send(caller: &Caller, count: usize) {
    let deal = |amount| json!({"type": "deal.won", "data": {"amount": amount}});
    let events: Vec<Value> = (0..count).map(deal).collect();
    for batch in events.chunks(1000) {
        caller
            .post("/v1/events/batch", &json!(batch))
            .await
            .expect(202);
    }
}

/// The job once it is at its end.
async fn ended(caller: &Caller, id: &str) -> Value {
    let path = format!("/v1/jobs/{id}");
    before_hanging("the job's end", async {
        loop {
            let job = caller.get(&path).await.expect(200);
            if job["state"] != "running" {
                return job;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

fn assert_whole(job: &Value) {
    assert_eq!(job["state"], "done", "{job}");
    assert_eq!(
        (&job["done"], &job["total"]),
        (&json!(EVENTS), &json!(EVENTS))
    );
    let result = &job["result"];
    assert_eq!(
        result["published"]["verdicts"],
        json!({"fired": 999, "filtered": 1001})
    );
    assert_eq!(
        result["draft"]["verdicts"],
        json!({"fired": 499, "filtered": 1501})
    );
    assert_eq!(
        (&result["differing"], &result["listed"]),
        (&json!(500), &json!(500))
    );
}

async fn ask(caller: &Caller, automation: &str) -> Result<String, reqwest::Error> {
    let path = format!("/v1/automations/{automation}/backtest");
    let asked = json!({"draft": {"condition": "event.data.amount > 1500"}, "events": EVENTS});
    let given = caller.try_post(&path, asked.to_string()).await?;
    Ok(text(&given.expect(202)["job"]))
}

#[cfg(feature = "crash-points")]
async fn die_in_the_middle(engine: Engine) {
    let receiver = Receiver::start().await;
    let home = Home::on(engine).await;
    let node = home.start().await;
    let automation = automation(node.caller(), &receiver.url("/")).await;
    send(node.caller(), EVENTS).await;
    home.until_settled().await;
    node.stop().await;

    // It dies as soon as it has saved how far it has come.
    let mut node = home.start_armed("job-saved").await;
    let asked = ask(node.caller(), &automation).await;
    node.dies().await;
    let saved = "SELECT done FROM jobs";
    let done = home.number(saved).await;
    assert!(done > 0 && done < EVENTS as i64, "{done} were done");

    let node = home.start().await;
    let listed = node.caller().list("/v1/jobs").await;
    let id = text(&listed[0]["id"]);
    if let Ok(asked) = asked {
        assert_eq!(asked, id);
    }
    assert_whole(&ended(node.caller(), &id).await);
    let found = node
        .caller()
        .list(&format!("/v1/jobs/{id}/differences"))
        .await;
    assert_eq!(found.len(), 500, "each once");
    node.stop().await;
}

#[cfg(feature = "crash-points")]
#[tokio::test]
async fn a_backtest_survives_the_death_of_its_node_on_sqlite() {
    die_in_the_middle(Engine::Sqlite).await;
}

#[cfg(feature = "crash-points")]
#[tokio::test]
async fn a_backtest_survives_the_death_of_its_node_on_postgres() {
    die_in_the_middle(Engine::Postgres).await;
}

#[cfg(feature = "crash-points")]
#[tokio::test]
async fn a_backtest_of_a_dead_node_is_gone_on_with_by_another() {
    let receiver = Receiver::start().await;
    let home = Home::on(Engine::Postgres).await;
    let beside = Home::at(home.postgres_url());
    let first = home.start().await;
    let automation = automation(first.caller(), &receiver.url("/")).await;
    send(first.caller(), EVENTS).await;
    home.until_settled().await;
    first.stop().await;
    let mut node = home.start_armed("job-saved").await;
    // The node may die before its answer has left.
    let _ = ask(node.caller(), &automation).await;
    node.dies().await;
    let survivor = beside.start().await;
    let listed = survivor.caller().list("/v1/jobs").await;
    assert_whole(&ended(survivor.caller(), &text(&listed[0]["id"])).await);
    survivor.stop().await;
}

/// A backtest that is asked for, and of which its node dies at this place, so many times.
#[cfg(feature = "crash-points")]
async fn dies_again_and_again(home: &Home, point: &str, times: usize) {
    let receiver = Receiver::start().await;
    let node = home.start().await;
    let automation = automation(node.caller(), &receiver.url("/")).await;
    send(node.caller(), EVENTS).await;
    home.until_settled().await;
    node.stop().await;
    let mut node = home.start_armed(point).await;
    // The node may die before its answer has left.
    let _ = ask(node.caller(), &automation).await;
    node.dies().await;
    for _ in 1..times {
        home.run_until_death(point).await;
    }
}

#[cfg(feature = "crash-points")]
#[tokio::test]
async fn lives_that_end_before_they_evaluate_say_nothing_of_a_job() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let home = Home::on(engine).await;
        dies_again_and_again(&home, "job-not-begun", 5).await;
        let node = home.start().await;
        let listed = node.caller().list("/v1/jobs").await;
        assert_whole(&ended(node.caller(), &text(&listed[0]["id"])).await);
        node.stop().await;
    }
}

#[cfg(feature = "crash-points")]
#[tokio::test]
async fn a_life_that_ends_as_soon_as_it_has_come_further_goes_further() {
    let home = Home::on(Engine::Sqlite).await;
    dies_again_and_again(&home, "job-saved", 8).await;
    let done = home.number("SELECT done FROM jobs").await;
    let node = home.start().await;
    let listed = node.caller().list("/v1/jobs").await;
    assert_whole(&ended(node.caller(), &text(&listed[0]["id"])).await);
    assert!(done < EVENTS as i64, "{done} were done");
    node.stop().await;
}

#[cfg(feature = "crash-points")]
#[tokio::test]
async fn a_job_that_ends_its_nodes_is_given_up() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let home = Home::on(engine).await;
        dies_again_and_again(&home, "job-begun", 4).await;
        let node = home.start().await;
        let listed = node.caller().list("/v1/jobs").await;
        let job = ended(node.caller(), &text(&listed[0]["id"])).await;
        assert_eq!(job["state"], "failed", "{job}");
        assert_eq!(job["why"], "it ended its node 3 times at the same event");
        node.stop().await;
    }
}

#[cfg(feature = "crash-points")]
#[tokio::test]
async fn a_re_run_that_is_killed_doubles_nothing() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let receiver = Receiver::start().await;
        let home = Home::on(engine).await;
        let node = home.start().await;
        let endpoint = make_endpoint(node.caller(), &receiver.url("/"), json!("none")).await;
        let new = json!({
            "name": "a", "trigger": {"events": ["deal.*"]},
            "actions": [{"webhook": {"endpoint": endpoint.id}}],
        });
        let automation = node.caller().post("/v1/automations", &new).await.id();
        send(node.caller(), 100).await;
        receiver.wait_for(100).await;
        home.until_settled().await;
        node.stop().await;
        let mut node = home.start_armed("job-saved").await;
        let path = format!("/v1/automations/{automation}/rerun");
        let asked = json!({"since": "2020-01-01T00:00:00Z", "as": "it_ran"});
        // The node may die before its answer has left.
        let _ = node.caller().try_post(&path, asked.to_string()).await;
        node.dies().await;
        let node = home.start().await;
        let listed = node.caller().list("/v1/jobs").await;
        let job = ended(node.caller(), &text(&listed[0]["id"])).await;
        assert_eq!(job["result"]["deliveries"], 100, "{job}");
        home.until_settled().await;
        let arrived = receiver.counts_by_webhook_id();
        assert!(arrived.len() == 200 && arrived.values().all(|count| *count == 1));
        node.stop().await;
    }
}

#[tokio::test]
async fn a_backtest_is_told_on_the_command_line() {
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let receiver = Receiver::start().await;
    let automation = automation(node.caller(), &receiver.url("/")).await;
    send(node.caller(), 1600).await;
    home.until_settled().await;
    let folder = tempfile::tempdir().expect("a folder");
    let draft = json!({"condition": "event.data.amount > 1500"});
    std::fs::write(folder.path().join("draft.json"), draft.to_string()).expect("written");
    for (more, code, wanted) in [
        (
            &["--file", "draft.json", "--events", "2000"][..],
            3,
            vec!["1,600 events", "500", "fired → filtered", "evt_"],
        ),
        (
            &["--draft", "1", "--events", "10"],
            0,
            vec!["10 events", "nothing differs"],
        ),
        (&["--draft", "7"], 1, vec![]),
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_throwbar"));
        program
            .env_clear()
            .current_dir(folder.path())
            .args([
                "automation",
                "backtest",
                &automation,
                "--url",
                node.caller().url(),
                "--key",
                KEY,
            ])
            .args(more)
            .kill_on_drop(true);
        let output = program.output().await.expect("it ends");
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{told}{output:?}");
        for wanted in wanted {
            assert!(told.contains(wanted), "{wanted}: {told}");
        }
    }
    node.stop().await;
}
