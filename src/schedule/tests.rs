//! What becomes of due occurrences, by policy.

use super::plan::{LATE_MS, advance, halt, read};
use crate::cron::{CatchUp, Definition, DstPolicy, Every, Mark, Overlap, UnderWay};
use crate::model::{AccountId, ScheduleId, Timestamp};
use crate::store::{Advance, DueSchedule, LEDGER_MS};

const MINUTE_MS: i64 = 60_000;
const MANY: usize = 500;
const IDLE: UnderWay = UnderWay { runs: 0, queued: 0 };

fn now() -> Timestamp {
    Timestamp::from_ms(1_790_000_040_000)
}

/// Every ten minutes from now on, and before.
fn every_ten_minutes() -> Definition {
    Definition {
        cron: None,
        seconds: false,
        timezone: "UTC".to_owned(),
        dst: DstPolicy::default(),
        interval: Some(Every {
            every_s: 600,
            from: Some(now().plus_ms(-1_000_000 * MINUTE_MS)),
        }),
        overlap: Overlap::Allow,
        catch_up: CatchUp::All,
        catch_up_window_s: 86_400,
        spread_s: 0,
        start_at: None,
        end_at: None,
    }
}

/// A schedule whose ledger ends so many minutes ago.
fn schedule(definition: &Definition, cursor_min: i64) -> DueSchedule {
    DueSchedule {
        account: AccountId::mint(now()),
        id: ScheduleId::mint(now()),
        definition: serde_json::to_string(definition).expect("plain"),
        paused: false,
        cursor_at: now().plus_ms(-cursor_min * MINUTE_MS),
        due_at: now(),
        runs_asked: 0,
    }
}

fn advanced(schedule: &DueSchedule, under_way: UnderWay) -> Advance {
    advance(
        schedule,
        &read(schedule).expect("readable"),
        under_way,
        (now(), MANY),
    )
}

/// Minutes ago, mark and reason of each.
fn told(advance: &Advance) -> Vec<String> {
    let occurrences = advance.occurrences.iter();
    occurrences
        .map(|one| {
            let ago_min = now().ms_since(one.at) / MINUTE_MS;
            let why = one.reason.map_or("", |reason| reason.as_str());
            format!("{ago_min} {} {why}", one.mark.as_str())
                .trim()
                .to_owned()
        })
        .collect()
}

#[test]
fn catch_up_is_by_policy() {
    let all = ["30 due", "20 due", "10 due", "0 due"];
    for (catch_up, window_s, expected) in [
        (CatchUp::All, 86_400, all),
        (
            CatchUp::All,
            1200,
            ["30 missed outside_window", "20 due", "10 due", "0 due"],
        ),
        (
            CatchUp::None,
            86_400,
            [
                "30 missed late",
                "20 missed late",
                "10 missed late",
                "0 due",
            ],
        ),
        (
            CatchUp::Latest,
            86_400,
            [
                "30 missed superseded",
                "20 missed superseded",
                "10 missed superseded",
                "0 due",
            ],
        ),
    ] {
        let definition = Definition {
            catch_up,
            catch_up_window_s: window_s,
            ..every_ten_minutes()
        };
        let next = advanced(&schedule(&definition, 40), IDLE);
        assert_eq!(told(&next), expected, "{catch_up:?} {window_s}");
        assert_eq!(next.cursor_at, now());
        assert_eq!(next.due_at, Some(now().plus_ms(10 * MINUTE_MS)));
    }
    // The latest of the late ones, and nothing of today's.
    let definition = Definition {
        catch_up: CatchUp::Latest,
        end_at: Some(now().plus_ms(-2 * LATE_MS)),
        ..every_ten_minutes()
    };
    let next = advanced(&schedule(&definition, 30), IDLE);
    assert_eq!(told(&next), ["20 missed superseded", "10 due"]);
    assert_eq!(next.due_at, None, "it has ended");
}

#[test]
fn overlap_is_by_policy() {
    let running = UnderWay { runs: 1, queued: 0 };
    let waiting = UnderWay { runs: 1, queued: 1 };
    for (overlap, under_way, expected) in [
        (Overlap::Allow, running, ["10 due", "0 due"]),
        (Overlap::Skip, IDLE, ["10 due", "0 skipped overlap"]),
        (
            Overlap::Skip,
            running,
            ["10 skipped overlap", "0 skipped overlap"],
        ),
        (Overlap::QueueOne, IDLE, ["10 due", "0 queued"]),
        (
            Overlap::QueueOne,
            running,
            ["10 queued", "0 skipped queue_full"],
        ),
        (
            Overlap::QueueOne,
            waiting,
            ["10 skipped queue_full", "0 skipped queue_full"],
        ),
    ] {
        let definition = Definition {
            overlap,
            ..every_ten_minutes()
        };
        let next = advanced(&schedule(&definition, 20), under_way);
        assert_eq!(told(&next), expected, "{overlap:?} {under_way:?}");
    }
}

#[test]
fn paused_started_and_ended_ones_do_not_run() {
    let mut paused = schedule(&every_ten_minutes(), 20);
    paused.paused = true;
    assert_eq!(
        told(&advanced(&paused, IDLE)),
        ["10 skipped paused", "0 skipped paused"]
    );
    let between = Definition {
        start_at: Some(now().plus_ms(-20 * MINUTE_MS)),
        end_at: Some(now().plus_ms(-10 * MINUTE_MS)),
        ..every_ten_minutes()
    };
    let next = advanced(&schedule(&between, 60), IDLE);
    assert_eq!(told(&next), ["20 due", "10 due"]);
    assert_eq!(next.due_at, None);
}

#[test]
fn a_slot_is_kept_and_lies_within_the_spread() {
    let definition = Definition {
        spread_s: 300,
        ..every_ten_minutes()
    };
    let schedule = schedule(&definition, 1);
    let slot_ms = definition.slot_ms(schedule.id.uuid());
    assert!((0..300_000).contains(&slot_ms));
    assert_eq!(slot_ms, definition.slot_ms(schedule.id.uuid()));
    let early = advance(
        &schedule,
        &read(&schedule).expect("readable"),
        IDLE,
        (now().plus_ms(slot_ms - 1), MANY),
    );
    assert_eq!(told(&early), Vec::<String>::new());
    assert_eq!(early.due_at, Some(now().plus_ms(slot_ms)));
    let due = advance(
        &schedule,
        &read(&schedule).expect("readable"),
        IDLE,
        (now().plus_ms(slot_ms), MANY),
    );
    assert_eq!(
        told(&due),
        ["0 due"],
        "the nominal time is without the slot"
    );
}

#[test]
fn a_long_downtime_comes_in_bounded_pieces_and_no_older_than_the_ledger() {
    let each = MANY as i64;
    let mut schedule = schedule(&every_ten_minutes(), 10 * (each + 2));
    let first = advanced(&schedule, IDLE);
    assert_eq!(first.occurrences.len(), MANY);
    assert!(first.due_at.is_some_and(|due_at| due_at <= now()));
    schedule.cursor_at = first.cursor_at;
    assert_eq!(advanced(&schedule, IDLE).occurrences.len(), 2);

    schedule.cursor_at = Timestamp::from_ms(0);
    let oldest = &advanced(&schedule, IDLE).occurrences[0];
    assert!(now().ms_since(oldest.at) <= LEDGER_MS);
    assert_eq!(oldest.mark, Mark::Missed);
}

#[test]
fn what_can_not_be_read_stands_still() {
    let mut schedule = schedule(&every_ten_minutes(), 20);
    schedule.definition = "{}".to_owned();
    assert!(read(&schedule).is_err());
    let next = halt(&schedule);
    assert_eq!((next.due_at, next.cursor_at), (None, schedule.cursor_at));
    let zoneless = Definition {
        cron: Some("0 9 * * *".to_owned()),
        interval: None,
        timezone: "Europe/Atlantis".to_owned(),
        ..every_ten_minutes()
    };
    assert!(read(&self::schedule(&zoneless, 20)).is_err());
}
