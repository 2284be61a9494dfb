//! Whose life the writes belong to: one process on a SQLite file, and in PostgreSQL nothing more
//! from a node that was declared dead.

use sqlx::{Connection, Executor, PgConnection, Row};
use throwbar::model::{AccountId, IncarnationId};
use throwbar::store::{Error, Life, Store, Switch};

use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{Engine, TestStore, ok, on_both};

/// Declares dead who is dead, until `dead` is: a server needs a moment to notice a closed line.
pub(super) async fn until_ended(store: &Store, life: &mut Life, dead: IncarnationId) {
    while !ok(store.find_ended(life, now())).await.contains(&dead) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_life_begins_is_checked_and_ends() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let mut first = ok(store.begin_life(now())).await;
        ok(store.check_life(&mut first)).await;
        ok(store.ping()).await;
        assert!(ok(store.find_ended(&mut first, now())).await.is_empty());
        let id = first.id();
        assert!(!ok(store.forget_life(id)).await, "it lives");
        ok(store.end_life(first, now())).await;

        let mut second = store.begin_life(now()).await.expect("it begins again");
        assert_ne!(second.id(), id);
        assert_eq!(ok(store.find_ended(&mut second, now())).await, [id]);
        assert!(store.forget_life(id).await.expect("nothing is left of it"));
        assert!(ok(store.find_ended(&mut second, now())).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_life_that_left_something_is_remembered() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let life = ok(store.begin_life(now())).await;
        let (id, event) = (life.id(), making::event(own, "1"));
        let accepts = batch::accepts(vec![event.clone()]);
        ok(store.write(id, &accepts)).await;
        super::planned(store, id, to, None).await;
        ok(store.end_life(life, now())).await;

        let life = ok(store.begin_life(now())).await;
        assert!(!ok(store.forget_life(id)).await, "an event waits");
        let taken = ok(store.take_over_inbox(id, life.id(), 10)).await;
        assert_eq!(taken.len(), 1);
        assert!(!ok(store.forget_life(id)).await, "a delivery is claimed");
        assert_eq!(
            ok(store.release_claims(id, life.id(), now(), 10)).await,
            [to]
        );
        assert!(ok(store.forget_life(id)).await);
    })
    .await;
}

#[tokio::test]
async fn a_second_process_on_the_same_file_is_refused_while_the_first_one_lives() {
    let place = TestStore::open(Engine::Sqlite).await;
    let life = ok(place.store.begin_life(now())).await;
    let other = place.another().await;
    let refused = other.begin_life(now()).await.expect_err("in use");
    assert!(matches!(refused, Error::InUse { .. }), "{refused:?}");
    assert!(refused.to_string().contains("throwbar.db"), "{refused}");
    let dead = life.id();
    drop(life);
    let mut next = other.begin_life(now()).await.expect("the file is free");
    assert_eq!(ok(other.find_ended(&mut next, now())).await, [dead]);
}

#[tokio::test]
async fn nodes_on_one_server_live_side_by_side_until_one_is_dead() {
    let place = TestStore::open(Engine::Postgres).await;
    let other = place.another().await;
    let mut here = ok(place.store.begin_life(now())).await;
    let mut there = other.begin_life(now()).await.expect("it begins beside it");
    assert!(
        ok(place.store.find_ended(&mut here, now()))
            .await
            .is_empty()
    );
    assert!(ok(other.find_ended(&mut there, now())).await.is_empty());
    let dead = there.id();
    drop(there);
    until_ended(&place.store, &mut here, dead).await;
}

/// Whether some session waits for a lock.
pub(super) async fn somebody_waits(connection: &mut PgConnection) -> bool {
    let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE NOT l.granted AND a.datname = current_database()";
    let row = connection.fetch_one(waiting).await.expect("it answers");
    row.get::<i64, _>(0) > 0
}

#[tokio::test]
async fn a_takeover_waits_for_a_commit_under_way_and_finds_what_it_wrote() {
    let place = TestStore::open(Engine::Postgres).await;
    let (own, event) = (
        making::account(&place.store).await,
        making::event(AccountId::mint(now()), "1"),
    );
    let late = place.another().await;
    let life = ok(late.begin_life(now())).await;
    let dead = life.id();

    // What `Store::begin` does, held open where a commit would be under way.
    let mut raw = PgConnection::connect(&place.url()).await.expect("open");
    let mut commit = raw.begin().await.expect("begun");
    let fence = "SELECT TRUE FROM incarnations WHERE id = $1 AND ended_at_ms IS NULL FOR SHARE";
    commit
        .execute(sqlx::query(fence).bind(dead.uuid()))
        .await
        .expect("it lives");
    drop(life);

    let mut living = ok(place.store.begin_life(now())).await;
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
    let row = sqlx::query(inbox)
        .bind(own.uuid())
        .bind(event.id.uuid())
        .bind(dead.uuid());
    commit.execute(row).await.expect("written");
    commit.commit().await.expect("in time");
    takeover.await;

    let taken = ok(place.store.take_over_inbox(dead, heir, 10)).await;
    assert_eq!(
        taken.iter().map(|row| row.event).collect::<Vec<_>>(),
        [event.id]
    );
    let refused = late.switch_account(own, Switch::Off).await;
    assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
}

#[tokio::test]
async fn a_life_never_writes_behind_the_fence_of_a_later_one_in_the_same_process() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let ghost = ok(store.begin_life(now())).await;
        let dead = ghost.id();
        drop(ghost);
        let mut life = ok(store.begin_life(now())).await;
        until_ended(store, &mut life, dead).await;

        let accepts = batch::accepts(vec![making::event(own, "1")]);
        let refused = [
            store.write(dead, &accepts).await.err(),
            store.take_over_inbox(life.id(), dead, 1).await.err(),
            store.release_claims(life.id(), dead, now(), 1).await.err(),
        ];
        for error in refused {
            assert!(matches!(error, Some(Error::Fenced)), "{error:?}");
        }
        ok(store.write(life.id(), &accepts)).await;
    })
    .await;
}

#[tokio::test]
async fn what_nobody_known_holds_is_found() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let to = (own, making::stored_endpoint(store, own).await);
        let (first, second) = (super::somebody(), super::somebody());
        let accepts = batch::accepts(vec![making::event(own, "1")]);
        ok(store.write(first, &accepts)).await;
        super::planned(store, second, to, None).await;

        let life = ok(store.begin_life(now())).await;
        ok(store.write(life.id(), &batch::accepts(vec![making::event(own, "2")]))).await;
        let mut found = ok(store.find_ownerless()).await;
        found.sort_unstable();
        assert_eq!(found, [first.min(second), first.max(second)]);
        ok(store.take_over_inbox(first, life.id(), 10)).await;
        ok(store.release_claims(second, life.id(), now(), 10)).await;
        assert_eq!(ok(store.find_ownerless()).await, []);
    })
    .await;
}
