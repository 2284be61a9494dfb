//! What attempts say about their endpoint, and when it is disabled for it.

use futures_util::future::join_all;
use throwbar::failure::{FailurePolicy, Outcome};
use throwbar::model::{AccountId, DeliveryState, EndpointId, Timestamp};
use throwbar::store::{
    DeliveryFilter, EndpointChange, EndpointMark, EndpointState, NewRecord, Store, Tells,
};

use super::{planned, somebody, write};
use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both, some};

const HOUR_MS: i64 = 60 * 60 * 1000;
const FIVE_DAYS_MS: i64 = 5 * 24 * HOUR_MS;

/// The schema of SQLite before.
const SCHEMA: [&str; 14] = [
    include_str!("../../../migrations/sqlite/0001_house.sql"),
    include_str!("../../../migrations/sqlite/0002_versions.sql"),
    include_str!("../../../migrations/sqlite/0003_schedules.sql"),
    include_str!("../../../migrations/sqlite/0004_event_types.sql"),
    include_str!("../../../migrations/sqlite/0005_variables.sql"),
    include_str!("../../../migrations/sqlite/0006_sources.sql"),
    include_str!("../../../migrations/sqlite/0007_flow.sql"),
    include_str!("../../../migrations/sqlite/0009_dead_letters.sql"),
    include_str!("../../../migrations/sqlite/0010_schedule_runs.sql"),
    include_str!("../../../migrations/sqlite/0011_order.sql"),
    include_str!("../../../migrations/sqlite/0012_backtests.sql"),
    include_str!("../../../migrations/sqlite/0013_applied.sql"),
    include_str!("../../../migrations/sqlite/0014_turns.sql"),
    include_str!("../../../migrations/sqlite/0015_keys.sql"),
];

type To = (AccountId, EndpointId);

/// Records one attempt a mark, all in one batch; which endpoints were disabled, and why.
async fn mark(
    store: &Store,
    to: To,
    marks: &[EndpointMark],
) -> Vec<(AccountId, EndpointId, &'static str)> {
    let mut records = Vec::new();
    for mark in marks {
        records.push(NewRecord {
            account: to.0,
            delivery: planned(store, somebody(), to, None).await,
            endpoint: to.1,
            attempt: None,
            attempts_made: 0,
            next: DeliveryState::Held,
            mark: Some(*mark),
            tells: Tells::OfEndpoint,
            order: None,
        });
    }
    write(store, &batch::records(records)).await.disabled
}

/// A failure under the policy of five days, of the endpoint as it was when it had last changed.
fn failed(at: Timestamp, asked: Timestamp) -> EndpointMark {
    EndpointMark {
        outcome: Outcome::Failed,
        at,
        policy: FailurePolicy::FiveDays,
        asked,
    }
}

/// A success likewise.
fn taken(at: Timestamp, asked: Timestamp) -> EndpointMark {
    EndpointMark {
        outcome: Outcome::Taken,
        ..failed(at, asked)
    }
}

/// A 410 of the endpoint as it was when it had last changed.
fn gone(asked: Timestamp) -> EndpointMark {
    EndpointMark {
        outcome: Outcome::Gone,
        ..failed(now(), asked)
    }
}

/// When the endpoint last changed.
async fn updated_at(store: &Store, to: To) -> Timestamp {
    some(store.endpoint(to.0, to.1)).await.updated_at
}

async fn endpoint(store: &Store, to: To) -> (String, Option<String>, Option<Timestamp>) {
    let found = some(store.endpoint(to.0, to.1)).await;
    (found.state, found.disabled_why, found.failing_since)
}

async fn revision(store: &Store, account: AccountId) -> i64 {
    some(store.account(account)).await.revision
}

#[tokio::test]
async fn five_days_of_failing_disable_and_one_success_begins_anew() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let start = now();
        let asked = updated_at(store, to).await;
        let failed = |at| failed(at, asked);
        assert!(mark(store, to, &[failed(start)]).await.is_empty());
        assert!(
            mark(store, to, &[failed(start.plus_ms(FIVE_DAYS_MS - 1))])
                .await
                .is_empty()
        );
        assert_eq!(
            endpoint(store, to).await,
            ("enabled".to_owned(), None, Some(start))
        );

        let again = start.plus_ms(FIVE_DAYS_MS);
        assert!(mark(store, to, &[taken(again, asked)]).await.is_empty());
        assert_eq!(endpoint(store, to).await.2, None);
        assert!(
            mark(store, to, &[failed(again)]).await.is_empty(),
            "the first since the success"
        );
        let never = EndpointMark {
            policy: FailurePolicy::Never,
            ..failed(again.plus_ms(10 * FIVE_DAYS_MS))
        };
        assert!(
            mark(store, to, &[never]).await.is_empty(),
            "a policy without end"
        );

        let before = revision(store, own).await;
        let last = again.plus_ms(FIVE_DAYS_MS);
        assert_eq!(
            mark(store, to, &[failed(last)]).await,
            [(own, to.1, "failing")]
        );
        assert_eq!(endpoint(store, to).await.0, "disabled");
        assert_eq!(endpoint(store, to).await.1.as_deref(), Some("failing"));
        assert_eq!(revision(store, own).await, before + 1);
        assert!(
            mark(store, to, &[failed(last.plus_ms(1))]).await.is_empty(),
            "it is disabled already"
        );
        assert_eq!(revision(store, own).await, before + 1);
    })
    .await;
}

#[tokio::test]
async fn a_410_disables_at_once_and_once() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let (to, beside) = (
            (own, making::stored_endpoint(store, own).await),
            (own, making::stored_endpoint(store, own).await),
        );
        let before = revision(store, own).await;
        let asked = updated_at(store, to).await;
        let both = [gone(asked), taken(now(), asked), gone(asked)];
        assert_eq!(mark(store, to, &both).await, [(own, to.1, "gone")]);
        assert_eq!(
            endpoint(store, to).await,
            ("disabled".to_owned(), Some("gone".to_owned()), None)
        );
        assert_eq!(endpoint(store, beside).await.0, "enabled");
        assert_eq!(revision(store, own).await, before + 1);
        let again = gone(updated_at(store, to).await);
        assert!(mark(store, to, &[again]).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn attempts_of_a_batch_are_heard_in_the_order_in_which_they_ended() {
    on_both(async |engine| {
        let place = &TestStore::open(engine).await;
        let store = &place.store;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let start = now();
        let asked = updated_at(store, to).await;
        let at = |ms| start.plus_ms(ms);
        for (marks, since, failures) in [
            // The success is the last of them: nothing is left.
            (vec![taken(at(3), asked), failed(at(1), asked)], None, 0),
            // It is in the middle: what failed after it is left.
            (
                vec![
                    failed(at(9), asked),
                    taken(at(6), asked),
                    failed(at(5), asked),
                    failed(at(8), asked),
                ],
                Some(at(8)),
                2,
            ),
            // None: they are added.
            (
                vec![failed(at(10), asked), failed(at(10), asked)],
                Some(at(8)),
                4,
            ),
            // At one time: as they were recorded.
            (
                vec![taken(at(11), asked), failed(at(11), asked)],
                Some(at(11)),
                1,
            ),
        ] {
            assert!(mark(store, to, &marks).await.is_empty());
            assert_eq!(endpoint(store, to).await.2, since, "{marks:?}");
            let counted = place.number("SELECT failed_attempts FROM endpoints").await;
            assert_eq!(counted, failures, "{marks:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn failures_that_several_write_at_once_are_all_counted_and_one_of_them_disables() {
    on_both(async |engine| {
        let place = &TestStore::open(engine).await;
        let own = making::account(&place.store).await;
        let to = (own, making::stored_endpoint(&place.store, own).await);
        let asked = updated_at(&place.store, to).await;
        let policy = FailurePolicy::consecutive(41).expect("within bounds");
        let one = EndpointMark {
            policy,
            ..failed(now(), asked)
        };
        let five = [one; 5];
        let at_once = || join_all((0..8).map(|_| mark(&place.store, to, &five)));
        let disabled = at_once().await;
        assert!(disabled.concat().is_empty(), "40 are one too few");
        let counted = place.number("SELECT failed_attempts FROM endpoints").await;
        assert_eq!(counted, 40);
        let disabled = at_once().await;
        assert_eq!(disabled.concat(), [(own, to.1, "failing")]);
        let counted = place.number("SELECT failed_attempts FROM endpoints").await;
        assert_eq!(counted, 41, "what comes after the end is not heard");
    })
    .await;
}

#[tokio::test]
async fn the_last_success_is_kept_where_the_policy_asks_for_it_and_nowhere_else() {
    on_both(async |engine| {
        let place = &TestStore::open(engine).await;
        let store = &place.store;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let asked = updated_at(store, to).await;
        let start = now();
        let kept = async || {
            place
                .number("SELECT COUNT(*) FROM endpoints WHERE succeeded_at_ms IS NOT NULL")
                .await
        };
        mark(store, to, &[taken(start, asked)]).await;
        assert_eq!(kept().await, 0);
        let ladder = |one: EndpointMark| EndpointMark {
            policy: FailurePolicy::Ladder,
            ..one
        };
        mark(store, to, &[ladder(taken(start, asked))]).await;
        assert_eq!(kept().await, 1);
        // An hour after it a failure does not warn, and over an hour after it one does.
        let warnings = async || {
            place
                .number("SELECT COALESCE(MAX(warning), 0) FROM endpoints")
                .await
        };
        for (ms, warning) in [
            (1, 0),
            (HOUR_MS, 0),
            (HOUR_MS + 1, 1),
            (2 * HOUR_MS, 1),
            (2 * HOUR_MS + 1, 2),
        ] {
            let failure = ladder(failed(start.plus_ms(ms), asked));
            assert!(mark(store, to, &[failure]).await.is_empty());
            assert_eq!(warnings().await, warning, "after {ms} ms");
        }
        // Switched on again, it is as new.
        let on = EndpointChange {
            state: Some(EndpointState::Enabled),
            ..EndpointChange::default()
        };
        some(store.change_endpoint(own, to.1, &on, asked.plus_ms(1))).await;
        assert_eq!((kept().await, warnings().await), (0, 0));
        assert_eq!(endpoint(store, to).await.2, None);
        // A late success of before says nothing, either.
        mark(store, to, &[ladder(taken(start, asked))]).await;
        assert_eq!(kept().await, 0);
    })
    .await;
}

#[tokio::test]
async fn another_policy_goes_on_with_what_was_counted() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let asked = updated_at(store, to).await;
        mark(store, to, &[failed(now(), asked); 2]).await;
        let renamed = EndpointChange {
            name: Some("other".to_owned()),
            ..EndpointChange::default()
        };
        let asked = asked.plus_ms(1);
        some(store.change_endpoint(own, to.1, &renamed, asked)).await;
        let third = EndpointMark {
            policy: FailurePolicy::consecutive(3).expect("within bounds"),
            ..failed(now(), asked)
        };
        assert_eq!(mark(store, to, &[third]).await, [(own, to.1, "failing")]);
    })
    .await;
}

#[tokio::test]
async fn a_late_failure_says_nothing_of_an_endpoint_that_has_changed_since() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let asked = updated_at(store, to).await;
        let start = now();
        assert!(mark(store, to, &[failed(start, asked)]).await.is_empty());
        let moved = EndpointChange {
            url: Some("https://example.test/moved".to_owned()),
            ..EndpointChange::default()
        };
        some(store.change_endpoint(own, to.1, &moved, asked.plus_ms(1))).await;
        assert_eq!(endpoint(store, to).await.2, None, "a new URL begins anew");

        let late = start.plus_ms(FIVE_DAYS_MS);
        let stale = [failed(start, asked), failed(late, asked), gone(asked)];
        assert!(mark(store, to, &stale).await.is_empty());
        assert_eq!(
            endpoint(store, to).await,
            ("enabled".to_owned(), None, None)
        );
        let current = gone(asked.plus_ms(1));
        assert_eq!(mark(store, to, &[current]).await, [(own, to.1, "gone")]);
    })
    .await;
}

#[tokio::test]
async fn what_was_there_before_failures_were_counted_is_there_after() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("throwbar.db");
    let old = rusqlite::Connection::open(&path).expect("it opens");
    for step in SCHEMA {
        old.execute_batch(step).expect("valid SQL");
    }
    old.execute_batch(
        "PRAGMA user_version = 14;
         INSERT INTO accounts (id, name, revision, enabled, signing_key, created_at_ms)
         VALUES (x'00000000000000000000000000000001', 'a', 1, 1, x'00', 0);
         INSERT INTO endpoints (account_id, id, name, url, settings, state, failing_since_ms, created_at_ms, updated_at_ms)
         VALUES (x'00000000000000000000000000000001', x'00000000000000000000000000000002', 'e', 'https://e.example/',
           '{}', 'enabled', 77, 5, 5);
         INSERT INTO deliveries VALUES (x'00000000000000000000000000000001', x'00000000000000000000000000000003',
           x'00000000000000000000000000000004', x'00000000000000000000000000000005',
           x'00000000000000000000000000000002', 6, 'raw', 'evt', x'00000000000000000000000000000007', 'failed', NULL,
           NULL, 'gone', 8, 9, 10, x'0000000000000000000000000000000b', 11, x'0000000000000000000000000000000c');",
    )
    .expect("valid SQL");
    drop(old);
    let url = format!("sqlite:{}", path.display());
    let store = Store::open(&url).await.expect("it opens");
    let id = |no| uuid::Uuid::from_u128(no);
    let to = (AccountId::from_uuid(id(1)), EndpointId::from_uuid(id(2)));
    let filter = DeliveryFilter::default();
    let found = ok(store.deliveries(to.0, &filter, None, 9)).await.rows;
    assert_eq!(found.len(), 1);
    let one = &found[0];
    assert_eq!((one.id.uuid(), one.event.uuid()), (id(3), id(4)));
    assert_eq!(
        (one.attempts_made, one.failure.as_deref()),
        (8, Some("gone"))
    );
    assert_eq!(one.settled_at, Some(Timestamp::from_ms(10)));
    let failing_since = Timestamp::from_ms(77);
    assert_eq!(endpoint(&store, to).await.2, Some(failing_since));
}
