//! Schedules and their ledger: one row an occurrence whoever writes it, moved on by one node only, and never
//! more of it in hand than was asked for.

use throwbar::cron::{Cause, Definition, DstPolicy, Every, Mark, Overlap, Reason, UnderWay};
use throwbar::model::{AccountId, EventId, ScheduleId, Timestamp};
use throwbar::store::{
    Advance, Asked, DueSchedule, Error, LEDGER_MS, NewOccurrence, OccurrenceKey, Schedule, Store,
};

use crate::support::making;
use crate::support::store::{Engine, TestStore, ok, on_both, some};

/// A whole second.
const START: Timestamp = Timestamp::from_ms(1_790_000_000_000);
const SECOND_MS: i64 = 1000;

fn definition() -> String {
    let definition = Definition {
        cron: None,
        seconds: false,
        timezone: "UTC".to_owned(),
        dst: DstPolicy::default(),
        interval: Some(Every {
            every_s: 10,
            from: Some(START),
        }),
        overlap: Overlap::default(),
        catch_up: throwbar::cron::CatchUp::default(),
        catch_up_window_s: 0,
        spread_s: 0,
        start_at: None,
        end_at: None,
    };
    serde_json::to_string(&definition).expect("plain")
}

/// Every ten seconds from the start on, the first time due.
fn schedule(account: AccountId, name: &str) -> Schedule {
    Schedule {
        account,
        id: ScheduleId::mint(START),
        owner: None,
        name: name.to_owned(),
        definition: definition(),
        payload: b"null".to_vec(),
        paused: false,
        cursor_at: START,
        due_at: Some(START.plus_ms(10 * SECOND_MS)),
        created_at: START,
        updated_at: START,
    }
}

async fn stored(store: &Store) -> Schedule {
    let new = schedule(making::account(store).await, "tick");
    ok(store.create_schedule(&new)).await;
    new
}

fn occurrence(at: Timestamp, mark: Mark) -> NewOccurrence {
    NewOccurrence {
        at,
        nominal: at.to_string(),
        cause: Cause::Scheduled,
        mark,
        reason: (mark == Mark::Skipped).then_some(Reason::Overlap),
    }
}

fn later(s: i64) -> Timestamp {
    START.plus_ms(s * SECOND_MS)
}

/// On by one occurrence with this mark, as due after it as before.
fn step(from: &DueSchedule, mark: Mark) -> Advance {
    let at = from.cursor_at.plus_ms(10 * SECOND_MS);
    Advance {
        occurrences: vec![occurrence(at, mark)],
        cursor_at: at,
        due_at: Some(at.plus_ms(10 * SECOND_MS)),
    }
}

async fn due(store: &Store, now: Timestamp) -> Vec<DueSchedule> {
    ok(store.due_schedules(now, None, 100)).await
}

/// State and reason of each occurrence, the latest first.
async fn ledger(store: &Store, of: &Schedule) -> Vec<String> {
    let rows = ok(store.occurrences(of.account, of.id, None, 100)).await;
    let rows = rows.into_iter();
    rows.map(|row| format!("{} {}", row.state, row.reason.unwrap_or_default()))
        .map(|told| told.trim().to_owned())
        .collect()
}

fn key(of: &Schedule, at: Timestamp) -> OccurrenceKey {
    OccurrenceKey {
        account: of.account,
        schedule: of.id,
        at,
    }
}

#[tokio::test]
async fn one_of_two_nodes_moves_it_on() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = stored(store).await;
        assert_eq!(due(store, later(9)).await, []);
        let [read] = &due(store, later(10)).await[..] else {
            panic!("one is due");
        };
        let advance = step(read, Mark::Due);
        assert!(ok(store.advance_schedule(read, &advance, later(10))).await);
        assert!(!ok(store.advance_schedule(read, &advance, later(10))).await);
        assert_eq!(ledger(store, &own).await, ["due"]);
        assert_eq!(ok(store.next_due()).await, Some(later(20)));

        // Whatever a user has done meanwhile, or a run that was asked for, is seen before it goes on.
        let [read] = &due(store, later(20)).await[..] else {
            panic!("one is due");
        };
        let known = some(store.schedule(own.account, own.id)).await;
        let run = (String::new(), Overlap::Allow);
        ok(store.run_schedule(&known, run, 100, later(20))).await;
        let advance = step(read, Mark::Due);
        assert!(!ok(store.advance_schedule(read, &advance, later(20))).await);
        let paused = Schedule {
            paused: true,
            ..known.clone()
        };
        assert!(ok(store.change_schedule(&known, &paused)).await);
        let raced = store.change_schedule(&known, &paused).await;
        assert!(matches!(raced, Err(Error::Raced)), "{raced:?}");
        let [read] = &due(store, later(20)).await[..] else {
            panic!("one is due");
        };
        assert!(read.paused);
        let advance = step(read, Mark::Skipped);
        assert!(ok(store.advance_schedule(read, &advance, later(20))).await);
        assert_eq!(ledger(store, &own).await, ["due", "skipped overlap", "due"]);
    })
    .await;
}

#[tokio::test]
async fn what_is_due_is_read_from_behind_the_last_one_on() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let account = making::account(store).await;
        for (name, due_s) in [("a", 30), ("b", 10), ("c", 30), ("d", 20), ("e", 31)] {
            let new = Schedule {
                due_at: Some(later(due_s)),
                ..schedule(account, name)
            };
            ok(store.create_schedule(&new)).await;
        }
        let never = Schedule {
            due_at: None,
            ..schedule(account, "never")
        };
        ok(store.create_schedule(&never)).await;
        let mut after = None;
        let mut found = Vec::new();
        loop {
            let page = ok(store.due_schedules(later(30), after.as_ref(), 1)).await;
            let Some(one) = page.into_iter().next() else {
                break;
            };
            found.push(one.due_at.ms_since(START) / SECOND_MS);
            after = Some(one);
        }
        assert_eq!(found, [10, 20, 30, 30]);
        let taken = store.create_schedule(&schedule(account, "a")).await;
        assert!(taken.expect_err("the name").is_taken());
    })
    .await;
}

#[tokio::test]
async fn open_ones_are_settled_once_and_the_ledger_goes_by_time() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = stored(store).await;
        let read = &due(store, later(10)).await[0];
        let advance = Advance {
            occurrences: vec![
                occurrence(later(10), Mark::Due),
                occurrence(later(20), Mark::Due),
                occurrence(later(30), Mark::Queued),
                occurrence(later(40), Mark::Skipped),
            ],
            cursor_at: later(40),
            due_at: None,
        };
        ok(store.advance_schedule(read, &advance, later(40))).await;
        assert_eq!(ok(store.unfired(own.account, 100)).await, 2);
        assert_eq!(
            ok(store.unfired(own.account, 1)).await,
            1,
            "as far as asked"
        );
        let under_way = UnderWay { runs: 2, queued: 1 };
        let found = ok(store.schedule_under_way(own.account, own.id)).await;
        assert_eq!(found, under_way);
        let open = ok(store.open_occurrences(None, 2)).await;
        assert_eq!(open.len(), 2);
        let rest = ok(store.open_occurrences(Some(key(&own, open[1].at)), 100)).await;
        assert_eq!((rest.len(), rest[0].state.as_str()), (1, "queued"));

        let event = EventId::mint(START);
        let fired = [(key(&own, later(10)), event), (key(&own, later(30)), event)];
        ok(store.fire_occurrences(&fired, later(41))).await;
        ok(store.fire_occurrences(&[], later(41))).await;
        let missed = (Mark::Missed, Reason::Refused);
        for at in [later(10), later(20)] {
            ok(store.drop_occurrence(key(&own, at), missed, later(42))).await;
        }
        // Nor does who comes late write anything any more.
        let late = [(key(&own, later(20)), event), (key(&own, later(40)), event)];
        ok(store.fire_occurrences(&late, later(43))).await;
        assert_eq!(
            ledger(store, &own).await,
            ["skipped overlap", "fired", "missed refused", "fired"]
        );

        let gone = later(20).plus_ms(LEDGER_MS);
        assert_eq!(ok(store.forget_occurrences(gone, 1)).await, 1);
        assert_eq!(ok(store.forget_occurrences(gone, 100)).await, 1);
        assert_eq!(ok(store.forget_occurrences(gone, 100)).await, 0);
        assert_eq!(ledger(store, &own).await, ["skipped overlap", "fired"]);
    })
    .await;
}

#[tokio::test]
async fn runs_that_are_asked_for_have_times_of_their_own() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = stored(store).await;
        let asked = async |overlap: Overlap, unfired_max: usize| {
            let run = ("now".to_owned(), overlap);
            ok(store.run_schedule(&own, run, unfired_max, later(10))).await
        };
        let mut times = Vec::new();
        for _ in 0..3 {
            match asked(Overlap::Allow, 100).await {
                Asked::Opened(opened) => times.push(opened.at.ms_since(later(10))),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(times, [1, 2, 3], "never at a whole second");
        assert_eq!(
            asked(Overlap::Skip, 100).await,
            Asked::Refused(Reason::Overlap)
        );
        let queued = asked(Overlap::QueueOne, 100).await;
        assert!(matches!(queued, Asked::Opened(it) if it.mark == Mark::Queued));
        assert_eq!(
            asked(Overlap::QueueOne, 100).await,
            Asked::Refused(Reason::QueueFull)
        );
        assert_eq!(asked(Overlap::Allow, 3).await, Asked::Full);
        // The schedule's own occurrence at that second has its place.
        let read = &due(store, later(10)).await[0];
        let advance = step(read, Mark::Due);
        assert!(ok(store.advance_schedule(read, &advance, later(10))).await);
        assert_eq!(ledger(store, &own).await.len(), 5);

        assert!(ok(store.delete_schedule(own.account, own.id)).await);
        assert!(!ok(store.delete_schedule(own.account, own.id)).await);
        assert_eq!(ok(store.open_occurrences(None, 100)).await.len(), 0);
        let run = (String::new(), Overlap::Allow);
        let gone = store.run_schedule(&own, run, 100, later(11)).await;
        assert!(matches!(gone, Err(Error::Raced)), "{gone:?}");
    })
    .await;
}

#[tokio::test]
async fn the_look_for_what_is_due_seeks_in_its_index() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let account = making::account(&place.store).await;
        for no in 0..300 {
            let new = Schedule {
                due_at: (no % 2 == 0).then(|| later(no)),
                ..schedule(account, &format!("s{no}"))
            };
            ok(place.store.create_schedule(&new)).await;
        }
        place.execute("ANALYZE").await;
        let plan = ok(place.store.explain_due_schedules()).await;
        let seek = match engine {
            Engine::Sqlite => {
                "INDEX schedules_due ((due_at_ms,account_id,id)>(?,?,?) AND due_at_ms<?)"
            }
            Engine::Postgres => "Index Scan using schedules_due",
        };
        assert!(plan.contains(seek), "{plan}");
        assert!(
            !plan.contains("Sort") && !plan.contains("TEMP B-TREE"),
            "{plan}"
        );
    })
    .await;
}
