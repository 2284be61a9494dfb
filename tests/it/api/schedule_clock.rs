//! Schedules and time that does not flow evenly: clocks that change, clocks that jump, long downtimes, and more
//! that is due than there is room for. Each occurrence is on the ledger once, and nobody waits for another.

use std::time::Duration;

use serde_json::{Value, json};
use throwbar::model::{Clock, ManualClock};
use throwbar::pipeline::{Limits, PermitLimits};
use throwbar::schedule::Scheduler;

use super::schedule::{MINUTE, every_minute, ledger, pass};
use super::{Doors, OPERATOR};
use crate::support::store::on_both;

const HOUR: Duration = Duration::from_hours(1);

async fn make(doors: &Doors, new: Value) -> String {
    let made = doors.post("/v1/schedules", new).await.is(201);
    format!("/v1/schedules/{}", made.id())
}

/// Nominal and UTC time of each event, the earliest first.
async fn events(doors: &Doors) -> Vec<String> {
    let listed = doors.get("/v1/events?limit=250").await.is(200);
    let mut found = Vec::new();
    for row in listed.body["data"].as_array().expect("a list") {
        let path = format!("/v1/events/{}", row["id"].as_str().expect("an id"));
        let event = doors.get(&path).await.is(200);
        let (nominal, at) = (event.text("/data/nominal"), event.text("/timestamp"));
        found.push(format!("{} {}", &nominal[5..16], &at[5..16]));
    }
    found.reverse();
    found
}

/// The doors' clock stands at 2026-09-21T14:13:20Z; in Berlin the clocks go back on 25 October, and forward on
/// 28 March.
#[tokio::test]
async fn where_the_clocks_change_it_runs_as_its_policy_says() {
    on_both(async |engine| {
        for (dst, from_h, expected) in [
            (
                json!({}),
                33 * 24,
                &["10-25T02:30 10-25T00:30", "10-26T02:30 10-26T01:30"][..],
            ),
            (
                json!({"fold": "both"}),
                33 * 24,
                &[
                    "10-25T02:30 10-25T00:30",
                    "10-25T02:30 10-25T01:30",
                    "10-26T02:30 10-26T01:30",
                ],
            ),
            (
                json!({}),
                187 * 24,
                &["03-28T02:30 03-28T01:00", "03-29T02:30 03-29T00:30"],
            ),
            (
                json!({"gap": "skip"}),
                187 * 24,
                &["03-29T02:30 03-29T00:30"],
            ),
        ] {
            let doors = Doors::open(engine).await;
            doors.clock.advance(from_h * HOUR);
            let new = json!({
                "name": "night", "cron": "30 2 * * *", "timezone": "Europe/Berlin", "dst": dst,
                "catch_up": "all",
            });
            make(&doors, new).await;
            for _ in 0..40 {
                pass(&doors, HOUR).await;
            }
            assert_eq!(events(&doors).await, expected, "{dst} {from_h}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_jumps_makes_nothing_twice() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let path = make(&doors, every_minute()).await;
        let before = doors.clock.now();
        pass(&doors, MINUTE).await;
        // Set back by a minute and a half, a node finds what is on the ledger.
        let hand = ManualClock::new(before.plus_ms(-30_000));
        let behind = Scheduler::new(doors.place.store.clone(), Clock::Manual(hand.clone()));
        for _ in 0..4 {
            let next = behind.round(&doors.pipeline).await.expect("a round");
            assert_eq!(
                next.map(|next| next.to_string()).as_deref(),
                Some("2026-09-21T14:15:00.000Z")
            );
            hand.advance(Duration::from_secs(20));
        }
        assert_eq!(ledger(&doors, &path).await, ["16:14 fired"]);
        // Set ahead by an hour, it is an hour of downtime.
        pass(&doors, HOUR).await;
        let told = ledger(&doors, &path).await;
        assert_eq!(told.len(), 50, "a page of them");
        assert_eq!(told[..2], ["17:14 fired", "17:13 missed superseded"]);
        assert_eq!(events(&doors).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn what_a_change_takes_away_is_on_the_ledger_too() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let mut spread = every_minute();
        spread["name"] = json!("spread");
        spread["spread_s"] = json!(86_400);
        let (plain, spread) = (
            make(&doors, every_minute()).await,
            make(&doors, spread).await,
        );
        let paused = make(
            &doors,
            json!({"name": "p", "cron": "* * * * *", "paused": true}),
        )
        .await;
        // Two of its times pass, and before anybody has looked it runs by something else.
        doors.clock.advance(2 * MINUTE);
        for path in [&plain, &spread] {
            doors
                .patch(path, json!({"cron": "0 9 * * *"}))
                .await
                .is(200);
        }
        doors.patch(&paused, json!({"paused": false})).await.is(200);
        pass(&doors, Duration::ZERO).await;
        for path in [&plain, &spread] {
            let told = ledger(&doors, path).await;
            assert_eq!(told, ["16:15 skipped changed", "16:14 skipped changed"]);
        }
        let told = ledger(&doors, &paused).await;
        assert_eq!(told, ["14:15 skipped paused", "14:14 skipped paused"]);
        doors.has_none("/v1/events").await;
    })
    .await;
}

/// A schedule of each second whose last times were long ago.
fn late(name: &str, count: i64) -> Value {
    json!({
        "name": name, "cron": "* * * * * *", "seconds": true, "catch_up": "all",
        "end_at": format!("2026-09-21T14:{:02}:{:02}Z", 13 + (20 + count) / 60, (20 + count) % 60),
    })
}

#[tokio::test]
async fn a_flood_of_one_account_s_is_not_what_another_waits_for() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        for name in ["a", "b"] {
            make(&doors, late(name, 700)).await;
        }
        let stranger = doors.other_account("stranger").await;
        let other = json!({"name": "o", "interval": {"every_s": 1500}});
        doors
            .call(&stranger, "POST", "/v1/schedules", Some(other))
            .await
            .is(201);
        // All of the flood is more overdue than theirs.
        pass(&doors, 30 * MINUTE).await;
        let theirs = "SELECT COUNT(*) FROM events o JOIN events e ON e.id < o.id
             WHERE o.type = 'schedule.o' AND e.type <> 'schedule.o'";
        let before = doors.place.number(theirs).await;
        assert!((1..=500).contains(&before), "{before} came before it");
        let fired = "SELECT COUNT(*) FROM occurrences WHERE state = 'fired'";
        assert_eq!(doors.place.number(fired).await, 1401);
        let distinct = "SELECT COUNT(DISTINCT event_id) FROM occurrences";
        assert_eq!(doors.place.number(distinct).await, 1401);
        assert_eq!(
            doors.place.number("SELECT COUNT(*) FROM events").await,
            1401
        );
    })
    .await;
}

#[tokio::test]
async fn what_there_is_no_room_for_waits_and_comes_once() {
    on_both(async |engine| {
        let permits = PermitLimits {
            events_max: 20,
            ..PermitLimits::default()
        };
        let limits = Limits {
            permits,
            ..Limits::default()
        };
        let doors = Doors::open_within(engine, limits).await;
        let path = make(&doors, late("a", 300)).await;
        doors.clock.advance(30 * MINUTE);
        let scheduler = super::schedule::scheduler(&doors, &doors.place.store);
        let open = "SELECT COUNT(*) FROM occurrences WHERE settled_at_ms IS NULL";
        let mut rounds = 0;
        loop {
            scheduler.round(&doors.pipeline).await.expect("a round");
            doors.pipeline.settle().await;
            rounds += 1;
            if doors.place.number(open).await == 0 {
                break;
            }
            assert!(rounds < 1000, "it does not come to an end");
        }
        let fired = "SELECT COUNT(*) FROM occurrences WHERE state = 'fired'";
        assert_eq!(doors.place.number(fired).await, 300);
        assert_eq!(doors.place.number("SELECT COUNT(*) FROM events").await, 300);
        let shown = doors.get(&path).await.is(200);
        assert_eq!(shown.body["next_at"], Value::Null, "it has ended");
    })
    .await;
}

#[tokio::test]
async fn with_the_account_switched_off_they_go_on_and_deliveries_are_held() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let endpoint = json!({"url": super::nobody().await, "subscribe": ["schedule.*"]});
        doors.post("/v1/endpoints", endpoint).await.is(201);
        let mut new = every_minute();
        new["overlap"] = json!("skip");
        let path = make(&doors, new).await;
        doors
            .call(
                OPERATOR,
                "PATCH",
                "/v1/account",
                Some(json!({"enabled": false})),
            )
            .await
            .is(200);
        for _ in 0..2 {
            pass(&doors, MINUTE).await;
        }
        // What is held is not under way.
        assert_eq!(ledger(&doors, &path).await, ["16:15 fired", "16:14 fired"]);
        let held = "SELECT COUNT(*) FROM deliveries WHERE state = 'held'";
        assert_eq!(doors.place.number(held).await, 2);
    })
    .await;
}
