//! Schedules under processes that die: whoever is killed when, each occurrence is on the ledger once, and
//! what ran is one event.

use serde_json::{Value, json};
use throwbar::model::{Clock, Timestamp};
use tokio::process::Command;

use crate::support::caller::{Caller, text};
use crate::support::dice::Dice;
use crate::support::node::{Home, KEY, Node};
use crate::support::store::Engine;

const OPEN: &str = "SELECT COUNT(*) FROM occurrences WHERE settled_at_ms IS NULL";
const FIRED: &str = "SELECT COUNT(*) FROM occurrences WHERE state = 'fired'";
const ALL: &str = "SELECT COUNT(*) FROM occurrences";
/// Occurrences whose event there is, each event of one occurrence.
const PAIRS: &str = "SELECT COUNT(DISTINCT o.event_id) FROM occurrences o
     JOIN events e ON e.account_id = o.account_id AND e.id = o.event_id";
const EVENTS: &str = "SELECT COUNT(*) FROM events";

/// Returns once there are so many occurrences, or more.
async fn until_there_are(home: &Home, count: u64) {
    let sql = format!(
        "SELECT CAST(CASE WHEN COUNT(*) >= {count} THEN 1 ELSE 0 END AS BIGINT) FROM occurrences"
    );
    home.until(&sql, 1).await;
}

/// A home with one schedule of each second, of which `count` occurrences were due before anybody is there.
async fn late(home: &Home, catch_up: &str, count: i64) {
    let node = home.start().await;
    let end_s = Clock::System.now().as_s() - 300;
    let end_at = Timestamp::from_ms(end_s * 1000);
    let new = json!({
        "name": "tick", "cron": "* * * * * *", "seconds": true, "catch_up": catch_up,
        "end_at": end_at.to_string(),
    });
    let made = node.caller().post("/v1/schedules", &new).await;
    made.expect(201);
    node.stop().await;
    let begin_ms = (end_s - count) * 1000;
    let sql = format!(
        "UPDATE schedules SET cursor_ms = {begin_ms}, due_at_ms = {}",
        begin_ms + 1000
    );
    home.execute(&sql).await;
}

/// What must hold of so many occurrences, of which so many ran.
async fn assert_complete(home: &Home, count: i64, fired: i64) {
    assert_eq!(home.number(ALL).await, count);
    for sql in [FIRED, PAIRS, EVENTS] {
        assert_eq!(home.number(sql).await, fired, "{sql}");
    }
    let span = "SELECT (MAX(at_ms) - MIN(at_ms)) / 1000 + 1 FROM occurrences";
    assert_eq!(home.number(span).await, count, "no second is left out");
}

async fn kill_in_a_catch_up(engine: Engine) {
    let mut dice = Dice(13);
    for (catch_up, fired) in [("all", 2000), ("latest", 1), ("none", 0)] {
        let home = Home::on(engine).await;
        late(&home, catch_up, 2000).await;
        for no in 0..4 {
            let node = home.start().await;
            until_there_are(&home, no * 500 + dice.throw(400)).await;
            node.kill().await;
        }
        let node = home.start().await;
        until_there_are(&home, 2000).await;
        home.until(OPEN, 0).await;
        assert_complete(&home, 2000, fired).await;
        node.stop().await;
        assert_complete(&home, 2000, fired).await;
    }
}

#[tokio::test]
async fn kills_in_a_catch_up_lose_and_double_nothing_on_sqlite() {
    kill_in_a_catch_up(Engine::Sqlite).await;
}

#[tokio::test]
async fn kills_in_a_catch_up_lose_and_double_nothing_on_postgres() {
    kill_in_a_catch_up(Engine::Postgres).await;
}

#[cfg(feature = "crash-points")]
#[tokio::test]
async fn a_death_before_or_after_the_event_makes_one_event() {
    for engine in Engine::ALL {
        for point in ["occurrence-without-event", "occurrence-with-event"] {
            let home = Home::on(engine).await;
            late(&home, "all", 5).await;
            home.run_until_death(point).await;
            assert_eq!(home.number(OPEN).await, 5, "{point}");
            let made = home.number(EVENTS).await;
            assert_eq!(made, if point.ends_with("out-event") { 0 } else { 5 });
            let node = home.start().await;
            home.until(OPEN, 0).await;
            assert_complete(&home, 5, 5).await;
            node.stop().await;
        }
    }
}

#[tokio::test]
async fn of_two_nodes_that_are_killed_in_turn_none_misses_a_second() {
    let home = Home::on(Engine::Postgres).await;
    let beside = Home::at(home.postgres_url());
    let mut nodes: Vec<Node> = vec![home.start().await, beside.start().await];
    let new = json!({
        "name": "tick", "cron": "* * * * * *", "seconds": true, "catch_up": "all",
    });
    let made = nodes[0].caller().post("/v1/schedules", &new).await;
    let schedule = text(&made.expect(201)["id"]);
    for (round, seen) in [3, 6, 9].into_iter().enumerate() {
        until_there_are(&home, seen).await;
        nodes.remove(0).kill().await;
        let place = if round % 2 == 0 { &home } else { &beside };
        nodes.push(place.start().await);
    }
    until_there_are(&home, 12).await;
    let paused = nodes[0].caller();
    let path = format!("/v1/schedules/{schedule}");
    paused
        .patch(&path, &json!({"paused": true}))
        .await
        .expect(200);
    home.until(OPEN, 0).await;
    for node in nodes {
        node.stop().await;
    }
    let skipped = home
        .number("SELECT COUNT(*) FROM occurrences WHERE state = 'skipped'")
        .await;
    let all = home.number(ALL).await;
    assert_complete(&home, all, all - skipped).await;
    assert!(all - skipped >= 11, "{skipped} of {all} were skipped");
}

async fn throwbar(caller: &Caller, arguments: &[&str]) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_throwbar"));
    program
        .env_clear()
        .env("THROWBAR_URL", caller.url())
        .env("THROWBAR_KEY", KEY)
        .arg("schedule")
        .args(arguments)
        .kill_on_drop(true);
    let output = program.output().await.expect("it ends");
    let told = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&told).into_owned(),
    )
}

#[tokio::test]
async fn schedules_are_told_and_switched_from_the_command_line() {
    let home = Home::on(Engine::Sqlite).await;
    let node = home.start().await;
    let new = json!({"name": "nightly", "cron": "30 2 * * *", "timezone": "Europe/Berlin"});
    let made = node.caller().post("/v1/schedules", &new).await.expect(201);
    let id = text(&made["id"]);
    for (arguments, code, wanted) in [
        (
            vec!["list"],
            0,
            vec!["nightly", "at 02:30, Europe/Berlin", "it runs next at"],
        ),
        (
            vec![
                "preview",
                &id,
                "--from",
                "2026-03-28T12:00:00Z",
                "--count",
                "1",
            ],
            0,
            vec![
                "at 02:30, Europe/Berlin",
                "2026-03-29 02:30:00  2026-03-29T01:00:00.000Z",
                "! on 2026-03-29 at 02:00 the clocks go forward to 03:00: the run of 02:30 is made at 03:00",
            ],
        ),
        (
            vec!["preview", "--cron", "*/10 * * * * *"],
            0,
            vec!["every 10 seconds, UTC"],
        ),
        (
            vec!["preview", "--every", "46800"],
            0,
            vec!["every 13 hours"],
        ),
        (
            vec!["preview", "--cron", "0 0 31 2 *"],
            1,
            vec!["no occurrence within five years"],
        ),
        (vec!["run", &id], 0, vec!["✓ it runs"]),
        (vec!["pause", &id], 0, vec!["✓ nightly is paused"]),
        (vec!["list"], 0, vec!["its occurrences are skipped"]),
        (
            vec!["resume", &id],
            0,
            vec!["✓ nightly is resumed: it runs next at"],
        ),
        (
            vec!["run", "sch_0198c1f0a3b27c4d8e5f60718293a4b5"],
            1,
            vec!["no such schedule"],
        ),
    ] {
        let (found, told) = throwbar(node.caller(), &arguments).await;
        assert_eq!(found, Some(code), "{arguments:?}: {told}");
        for wanted in wanted {
            assert!(told.contains(wanted), "{arguments:?}: {wanted}: {told}");
        }
    }
    // What was asked for has run at once, without anybody's waiting for it.
    home.until(FIRED, 1).await;
    let (_, told) = throwbar(node.caller(), &["list", "--json"]).await;
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["words"], "at 02:30");
    node.stop().await;
}
