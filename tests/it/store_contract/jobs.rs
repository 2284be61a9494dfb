//! Jobs: one of an account at a time, in one node's hands, saved with what they make, and called off.

use throwbar::model::{
    AccountId, AutomationId, EventId, IncarnationId, JobId, JobSubject, Timestamp, limits,
};
use throwbar::store::{
    Author, Error, Hold, JobDifference, JobFindings, JobRow, NewJob, NewRerun, Store,
};

use super::{accept, somebody};
use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both, some};

/// A backtest that nobody has given yet.
pub(super) fn new_job() -> NewJob {
    NewJob {
        id: JobId::mint(now()),
        kind: "backtest",
        subject: JobSubject::Automation(AutomationId::mint(now())),
        request: "{\"text\":\"\\u0000\"}".to_owned(),
        result: "{}".to_owned(),
        author: Author {
            key: throwbar::model::ApiKeyId::mint(now()),
            name: "Zoë".to_owned(),
        },
        created_at: now(),
    }
}

async fn given(store: &Store, account: AccountId) -> JobId {
    let new = new_job();
    ok(store.create_job(account, &new)).await;
    new.id
}

async fn taken(store: &Store, holder: IncarnationId) -> Vec<JobId> {
    taken_at(store, holder, now()).await
}

async fn taken_at(store: &Store, holder: IncarnationId, at: Timestamp) -> Vec<JobId> {
    let taken = ok(store.take_jobs(holder, 10, at)).await;
    taken.into_iter().map(|row| row.id).collect()
}

/// The row, one event further, found to differ.
fn further(row: &JobRow) -> (JobRow, JobFindings) {
    let event = EventId::mint(now());
    let row = JobRow {
        done: row.done + 1,
        total: Some(9),
        cursor: Some(event),
        spent_ms: 7,
        lives: 3,
        result: "{\"a\":1}".to_owned(),
        ..row.clone()
    };
    let differences = vec![JobDifference {
        event,
        content: b"{}".to_vec(),
    }];
    let findings = JobFindings {
        differences,
        ..JobFindings::default()
    };
    (row, findings)
}

fn ended(row: &JobRow, state: &str) -> JobRow {
    JobRow {
        state: state.to_owned(),
        ended_at: Some(now()),
        ..row.clone()
    }
}

#[tokio::test]
async fn of_an_account_one_is_taken_at_a_time_by_whoever_comes_first() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let first = given(store, own).await;
        let second = given(store, own).await;
        let third = given(store, other).await;
        assert!(ok(store.has_jobs(now())).await);
        let life = ok(store.begin_life(now())).await;
        let mut found = taken(store, life.id()).await;
        found.sort();
        assert_eq!(found, [first, third]);
        assert!(
            taken(store, life.id()).await.is_empty(),
            "somebody alive is at them"
        );
        let row = some(store.job(own, first)).await;
        assert_eq!(row.holder, Some(life.id()));
        let done = ended(&row, "done");
        let nothing = JobFindings::default;
        assert!(ok(store.save_job(&done, life.id(), nothing(), Hold::Keep)).await);
        assert_eq!(taken(store, life.id()).await, [second]);

        // Whoever comes after a life that has ended takes what it was at.
        ok(store.end_life(life, now())).await;
        let next = ok(store.begin_life(now())).await;
        let mut found = taken(store, next.id()).await;
        found.sort();
        assert_eq!(found, [second, third]);
        ok(store.end_life(next, now())).await;
    })
    .await;
}

#[tokio::test]
async fn it_is_saved_with_what_it_finds_as_long_as_it_is_the_holder_s() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let account = making::account(store).await;
        let stranger = making::account(store).await;
        let id = given(store, account).await;
        let life = ok(store.begin_life(now())).await;
        taken(store, life.id()).await;
        let row = some(store.job(account, id)).await;
        assert_eq!((row.done, row.total, row.cursor), (0, None, None));
        assert_eq!(row.author_name.as_deref(), Some("Zoë"));
        let (row, findings) = further(&row);
        assert!(ok(store.save_job(&row, life.id(), findings.clone(), Hold::Keep)).await);
        let kept = some(store.job(account, id)).await;
        assert_eq!(
            (kept.done, kept.total, kept.cursor),
            (1, Some(9), row.cursor)
        );
        assert_eq!(
            (kept.lives, kept.spent_ms, &*kept.result),
            (3, 7, "{\"a\":1}")
        );
        // Saved twice it is there once.
        assert!(ok(store.save_job(&row, life.id(), findings, Hold::Keep)).await);
        let page = ok(store.differences(account, id, None, 10)).await;
        assert_eq!(page.rows.len(), 1);
        assert!(
            ok(store.differences(stranger, id, None, 10))
                .await
                .rows
                .is_empty()
        );

        assert!(ok(store.holds_job(account, id, life.id())).await);
        assert!(!ok(store.holds_job(account, id, somebody())).await);
        let (next, findings) = further(&row);
        let nobody = store.save_job(&next, somebody(), findings.clone(), Hold::Keep);
        assert!(matches!(nobody.await, Err(Error::Fenced)));
        assert!(!ok(store.cancel_job(stranger, id, now())).await);
        assert!(ok(store.cancel_job(account, id, now())).await);
        assert!(!ok(store.cancel_job(account, id, now())).await);
        assert!(!ok(store.save_job(&next, life.id(), findings, Hold::Keep)).await);
        assert!(!ok(store.holds_job(account, id, life.id())).await);
        let off = some(store.job(account, id)).await;
        assert_eq!((&*off.state, off.done, off.holder), ("cancelled", 1, None));
        let page = ok(store.differences(account, id, None, 10)).await;
        assert_eq!(page.rows.len(), 1, "nothing more comes of it");
        assert!(!ok(store.has_jobs(now())).await);
        ok(store.end_life(life, now())).await;
    })
    .await;
}

#[tokio::test]
async fn one_that_is_let_go_is_anybody_s() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let account = making::account(store).await;
        let id = given(store, account).await;
        let life = ok(store.begin_life(now())).await;
        taken(store, life.id()).await;
        let (row, findings) = further(&some(store.job(account, id)).await);
        assert!(ok(store.save_job(&row, life.id(), findings, Hold::LetGo)).await);
        let kept = some(store.job(account, id)).await;
        assert_eq!((&*kept.state, kept.holder, kept.done), ("running", None, 1));
        assert_eq!(taken(store, life.id()).await, [id]);
        ok(store.end_life(life, now())).await;
    })
    .await;
}

/// Puts off a job that the life is at.
async fn put_off(store: &Store, (account, id): (AccountId, JobId), until: Timestamp) {
    let row = some(store.job(account, id)).await;
    let holder = row.holder.expect("somebody is at it");
    let nothing = JobFindings::default();
    assert!(ok(store.save_job(&row, holder, nothing, Hold::PutOff(until))).await);
}

#[tokio::test]
async fn one_that_is_put_off_keeps_its_place_from_nobody() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let account = making::account(store).await;
        let (first, second) = (given(store, account).await, given(store, account).await);
        let life = ok(store.begin_life(now())).await;
        assert_eq!(taken(store, life.id()).await, [first]);
        let (begin, until) = (now(), now().plus_ms(60_000));
        put_off(store, (account, first), until).await;
        let row = some(store.job(account, first)).await;
        assert_eq!((row.holder, row.not_before), (None, Some(until)));
        assert_eq!(ok(store.first_put_off(begin)).await, Some(until));
        assert_eq!(ok(store.first_put_off(until)).await, None);
        assert!(ok(store.has_jobs(begin)).await, "the second one");
        assert_eq!(taken_at(store, life.id(), begin).await, [second]);
        assert!(!ok(store.has_jobs(begin)).await);
        assert!(
            taken_at(store, life.id(), until).await.is_empty(),
            "of an account one at a time"
        );
        put_off(store, (account, second), until).await;
        assert!(
            taken_at(store, life.id(), until.plus_ms(-1))
                .await
                .is_empty()
        );
        assert_eq!(taken_at(store, life.id(), until).await, [first]);
        let row = some(store.job(account, first)).await;
        assert_eq!((row.holder, row.not_before), (Some(life.id()), None));
        assert!(ok(store.cancel_job(account, second, now())).await);
        assert_eq!(ok(store.first_put_off(begin)).await, None);

        // Whoever has waited longest comes first, and not whoever was given first.
        let far = until.plus_ms(60_000);
        put_off(store, (account, first), far).await;
        let other = making::account(store).await;
        let third = given(store, other).await;
        let next = ok(store.take_jobs(life.id(), 1, far)).await;
        assert_eq!(next[0].id, third);
        ok(store.end_life(life, now())).await;
    })
    .await;
}

#[tokio::test]
async fn an_account_has_so_many_and_old_ones_go() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let account = making::account(store).await;
        let mut ids = Vec::new();
        for _ in 0..limits::JOBS_OPEN_MAX {
            ids.push(given(store, account).await);
        }
        let more = store.create_job(account, &new_job()).await;
        assert!(matches!(more, Err(Error::TooMany { .. })), "{more:?}");
        let life = ok(store.begin_life(now())).await;
        for round in 0..limits::JOBS_KEPT + 2 {
            for id in taken(store, life.id()).await {
                let row = some(store.job(account, id)).await;
                let (row, findings) = further(&row);
                let row = ended(&row, "done");
                assert!(ok(store.save_job(&row, life.id(), findings, Hold::Keep)).await);
            }
            if round >= limits::JOBS_OPEN_MAX {
                ids.push(given(store, account).await);
            }
        }
        assert!(ok(store.job(account, ids[0])).await.is_none());
        assert!(
            ok(store.differences(account, ids[0], None, 1))
                .await
                .rows
                .is_empty()
        );
        let page = ok(store.jobs(account, None, 100)).await;
        assert!(
            page.rows.len() <= limits::JOBS_KEPT + 1,
            "{}",
            page.rows.len()
        );
        assert!(page.rows.is_sorted_by(|one, other| one.id > other.id));
        ok(store.end_life(life, now())).await;
    })
    .await;
}

#[tokio::test]
async fn past_events_are_walked_in_their_order_and_within_their_account() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let mut ids = Vec::new();
        for no in 0..5 {
            let event = making::event(own, "x".repeat(no + 1));
            accept(store, &event).await;
            ids.push(event.id);
        }
        accept(store, &making::event(other, "1")).await;
        let (lowest, after) = (
            EventId::first_at(Timestamp::from_ms(0)),
            EventId::mint(now()),
        );
        let newest = ok(store.event_ids(own, (lowest, after), 2)).await;
        assert_eq!(newest, [ids[4], ids[3]]);
        let page = ok(store.past_events(own, (ids[0], ids[3]), 10)).await;
        let heads: Vec<_> = page
            .iter()
            .map(|event| (event.id, event.payload_bytes))
            .collect();
        assert_eq!(heads, [(ids[1], 2), (ids[2], 3)]);
        let chosen = [ids[4], ids[0], EventId::mint(now())];
        let found = ok(store.past_events_of(own, &chosen)).await;
        let found: Vec<_> = found.iter().map(|event| event.id).collect();
        assert_eq!(found, [ids[0], ids[4]]);
        let mut payloads = ok(store.payloads(own, &ids[..2])).await;
        payloads.sort();
        assert_eq!(
            payloads,
            [(ids[0], b"x".to_vec()), (ids[1], b"xx".to_vec())]
        );
        assert!(ok(store.payloads(other, &ids)).await.is_empty());
        assert!(ok(store.verdicts_of(own, &ids)).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_a_re_run_makes_is_marked_and_made_once() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let account = making::account(store).await;
        let endpoint = making::stored_endpoint(store, account).await;
        let event = making::event(account, "1");
        accept(store, &event).await;
        let id = given(store, account).await;
        let life = ok(store.begin_life(now())).await;
        taken(store, life.id()).await;
        let row = some(store.job(account, id)).await;
        let mut delivery = making::delivery(event.id, endpoint, None);
        delivery.id = delivery.id.again(id);
        let at = now();
        for _ in 0..2 {
            let findings = JobFindings {
                reruns: vec![NewRerun {
                    event: event.id,
                    evaluated_at: at,
                    bodies: Vec::new(),
                    deliveries: vec![delivery.clone()],
                }],
                ..JobFindings::default()
            };
            assert!(ok(store.save_job(&row, life.id(), findings, Hold::Keep)).await);
        }
        let made = some(store.delivery(account, delivery.id)).await;
        assert_eq!((made.rerun, &*made.state), (Some(id), "pending"));
        assert!(ok(store.has_due(account, endpoint, at)).await);
        assert!(!ok(store.has_due(account, endpoint, at.plus_ms(-1))).await);
        ok(store.end_life(life, now())).await;
    })
    .await;
}
