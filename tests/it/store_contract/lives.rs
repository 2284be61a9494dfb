//! Whose life the writes belong to: one process on a SQLite file, and in PostgreSQL nothing more
//! from a node that was declared dead.

use sqlx::{Connection, Executor, PgConnection, Row};
use throwbar::model::{AccountId, IncarnationId};
use throwbar::store::{Batch, EndpointChange, Error, Life, Publication, Store};

use super::somebody;
use crate::support::making::{self, now};
use crate::support::store::{Engine, TestStore, on_both};

/// Declares dead who is dead, until `dead` is: a server needs a moment to notice a closed line.
pub(super) async fn until_ended(store: &Store, life: &mut Life, dead: IncarnationId) {
    while !store.find_ended(life, now()).await.expect("it answers").contains(&dead) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_life_begins_is_checked_and_ends() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let mut first = store.begin_life(now()).await.expect("it begins");
        store.check_life(&mut first).await.expect("it lives");
        store.ping().await.expect("it answers");
        assert!(store.find_ended(&mut first, now()).await.expect("it answers").is_empty());
        let id = first.id();
        assert!(!store.forget_life(id).await.expect("it answers"), "it lives");
        store.end_life(first, now()).await.expect("it ends");

        let mut second = store.begin_life(now()).await.expect("it begins again");
        assert_ne!(second.id(), id);
        assert_eq!(store.find_ended(&mut second, now()).await.expect("it answers"), [id]);
        assert!(store.forget_life(id).await.expect("nothing is left of it"));
        assert!(store.find_ended(&mut second, now()).await.expect("it answers").is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_life_that_left_something_is_remembered() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let life = store.begin_life(now()).await.expect("it begins");
        let (id, event) = (life.id(), making::event(own, "1"));
        let accepts = Batch { accepts: vec![event.clone()], ..Batch::default() };
        store.write(id, &accepts).await.expect("written");
        super::planned(store, id, to, None).await;
        store.end_life(life, now()).await.expect("it ends");

        let life = store.begin_life(now()).await.expect("it begins");
        assert!(!store.forget_life(id).await.expect("it answers"), "an event waits");
        let taken = store.take_over_inbox(id, life.id(), 10).await.expect("taken");
        assert_eq!(taken.len(), 1);
        assert!(!store.forget_life(id).await.expect("it answers"), "a delivery is claimed");
        assert_eq!(store.release_claims(id, now(), 10).await.expect("released"), [to]);
        assert!(store.forget_life(id).await.expect("it answers"));
    })
    .await;
}

#[tokio::test]
async fn a_second_process_on_the_same_file_is_refused_while_the_first_one_lives() {
    let place = TestStore::open(Engine::Sqlite).await;
    let life = place.store.begin_life(now()).await.expect("it begins");
    let other = place.another().await;
    let refused = other.begin_life(now()).await.expect_err("in use");
    assert!(matches!(refused, Error::InUse { .. }), "{refused:?}");
    assert!(refused.to_string().contains("throwbar.db"), "{refused}");
    let dead = life.id();
    drop(life);
    let mut next = other.begin_life(now()).await.expect("the file is free");
    assert_eq!(other.find_ended(&mut next, now()).await.expect("it answers"), [dead]);
}

#[tokio::test]
async fn nodes_on_one_server_live_side_by_side_until_one_is_dead() {
    let place = TestStore::open(Engine::Postgres).await;
    let other = place.another().await;
    let mut here = place.store.begin_life(now()).await.expect("it begins");
    let mut there = other.begin_life(now()).await.expect("it begins beside it");
    assert!(place.store.find_ended(&mut here, now()).await.expect("it answers").is_empty());
    assert!(other.find_ended(&mut there, now()).await.expect("it answers").is_empty());
    let dead = there.id();
    drop(there);
    until_ended(&place.store, &mut here, dead).await;
}

/// A store whose life somebody else has ended.
async fn fenced(place: &TestStore) -> (Store, IncarnationId) {
    let late = place.another().await;
    let life = late.begin_life(now()).await.expect("it begins");
    let id = life.id();
    drop(life);
    let mut living = place.store.begin_life(now()).await.expect("it begins");
    until_ended(&place.store, &mut living, id).await;
    place.store.end_life(living, now()).await.expect("it ends");
    (late, id)
}

#[tokio::test]
async fn who_was_declared_dead_writes_nothing_more() {
    let place = TestStore::open(Engine::Postgres).await;
    let own = making::account(&place.store).await;
    let endpoint = making::stored_endpoint(&place.store, own).await;
    let automation = making::automation("one");
    place.store.create_automation(own, &automation).await.expect("new");
    let (late, id) = fenced(&place).await;

    let event = making::event(own, "1");
    let accepts = Batch { accepts: vec![event.clone()], ..Batch::default() };
    let refused: Vec<(&str, Option<Error>)> = vec![
        ("write", late.write(id, &accepts).await.err()),
        ("an empty write", late.write(id, &Batch::default()).await.err()),
        ("take_over_inbox", late.take_over_inbox(somebody(), id, 1).await.err()),
        ("release_claims", late.release_claims(somebody(), now(), 1).await.err()),
        ("forget_life", late.forget_life(somebody()).await.err()),
        ("switch_account", late.switch_account(own, false).await.err()),
        ("create_endpoint", late.create_endpoint(own, &making::endpoint()).await.err()),
        ("change_endpoint", late.change_endpoint(own, endpoint, &EndpointChange::default(), now()).await.err()),
        ("delete_endpoint", late.delete_endpoint(own, endpoint, now()).await.err()),
        ("cancel_open", late.cancel_open(own, endpoint, 1).await.err()),
        ("create_automation", late.create_automation(own, &making::automation("x")).await.err()),
        ("save_version", late.save_version(own, &automation).await.err()),
        ("switch_automation", late.switch_automation(own, automation.id, Publication::Off).await.err()),
        ("delete_automation", late.delete_automation(own, automation.id, now()).await.err()),
        ("delete_event_type", late.delete_event_type(own, "a").await.err()),
        ("begin_reply", late.begin_reply(own, "k", [0; 32], (now(), now())).await.err()),
        ("abandon_reply", late.abandon_reply(own, "k").await.err()),
    ];
    for (method, error) in refused {
        assert!(matches!(error, Some(Error::Fenced)), "{method}: {error:?}");
    }
    assert!(late.event(own, event.id).await.expect("it may read").is_none());
    assert!(late.endpoint(own, endpoint).await.expect("it may read").is_some());

    late.begin_life(now()).await.expect("a new life");
    late.write(id, &accepts).await.expect("the new life writes");
}

/// Whether some session waits for a lock.
async fn somebody_waits(connection: &mut PgConnection) -> bool {
    let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE NOT l.granted AND a.datname = current_database()";
    let row = connection.fetch_one(waiting).await.expect("it answers");
    row.get::<i64, _>(0) > 0
}

#[tokio::test]
async fn a_takeover_waits_for_a_commit_under_way_and_finds_what_it_wrote() {
    let place = TestStore::open(Engine::Postgres).await;
    let (own, event) = (making::account(&place.store).await, making::event(AccountId::mint(now()), "1"));
    let late = place.another().await;
    let life = late.begin_life(now()).await.expect("it begins");
    let dead = life.id();

    // What `Store::begin` does, held open where a commit would be under way.
    let mut raw = PgConnection::connect(&place.url()).await.expect("open");
    let mut commit = raw.begin().await.expect("begun");
    let fence = "SELECT TRUE FROM incarnations WHERE id = $1 AND ended_at_ms IS NULL FOR SHARE";
    commit.execute(sqlx::query(fence).bind(dead.uuid())).await.expect("it lives");
    drop(life);

    let mut living = place.store.begin_life(now()).await.expect("it begins");
    let mut watching = PgConnection::connect(&place.url()).await.expect("open");
    let heir = living.id();
    let mut takeover = Box::pin(until_ended(&place.store, &mut living, dead));
    loop {
        tokio::select! {
            () = &mut takeover => panic!("it did not wait for the commit"),
            waits = somebody_waits(&mut watching) => if waits { break },
        }
    }
    let inbox = "INSERT INTO inbox (account_id, event_id, revision, holder, takeovers) VALUES ($1, $2, 1, $3, 0)";
    let row = sqlx::query(inbox).bind(own.uuid()).bind(event.id.uuid()).bind(dead.uuid());
    commit.execute(row).await.expect("written");
    commit.commit().await.expect("in time");
    takeover.await;

    let taken = place.store.take_over_inbox(dead, heir, 10).await.expect("taken");
    assert_eq!(taken.iter().map(|row| row.event).collect::<Vec<_>>(), [event.id]);
    let refused = late.switch_account(own, false).await;
    assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
}
