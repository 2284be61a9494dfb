//! How many things one account may have.

use throwbar::model::limits::{AUTOMATIONS_PER_ACCOUNT_MAX, ENDPOINTS_PER_ACCOUNT_MAX};
use throwbar::store::Error;

use crate::support::making;
use crate::support::store::{Engine, TestStore, ok, on_both};

/// Copies the only row of a table until there are `count`.
async fn copy(place: &TestStore, engine: Engine, table: &str, columns: &str, count: usize) {
    let id = match engine {
        Engine::Sqlite => "randomblob(16)",
        Engine::Postgres => "gen_random_uuid()",
    };
    let sql = format!(
        "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO {table} (id, {columns}) SELECT {id}, {columns} FROM {table}, n"
    );
    place.execute(&sql).await;
}

fn assert_too_many<T: std::fmt::Debug>(refused: &Result<T, Error>, wanted: &str) {
    let what = match refused {
        Err(Error::TooMany { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(*what, wanted);
}

#[tokio::test]
async fn an_account_has_so_many_endpoints_and_no_more() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let own = making::account(store).await;
        let first = making::stored_endpoint(store, own).await;
        let columns = "account_id, name, url, settings, state, created_at_ms, updated_at_ms";
        let count = ENDPOINTS_PER_ACCOUNT_MAX - 1;
        copy(&place, engine, "endpoints", columns, count).await;
        making::stored_endpoint(store, own).await;
        let one_more = store.create_endpoint(own, &making::endpoint()).await;
        assert_too_many(&one_more, "endpoints");
        let mut bare = making::automation("bare");
        bare.endpoints = vec![making::endpoint()];
        assert_too_many(&store.create_automation(own, &bare).await, "endpoints");
        assert!(ok(store.delete_endpoint(own, first, making::now())).await);
        ok(store.create_automation(own, &bare)).await;

        let other = making::account(store).await;
        making::stored_endpoint(store, other).await;
    })
    .await;
}

#[tokio::test]
async fn an_account_has_so_many_automations_and_no_more() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let own = making::account(store).await;
        ok(store.create_automation(own, &making::automation("first"))).await;
        let columns = "account_id, name, enabled, latest_version, created_at_ms, updated_at_ms";
        let count = AUTOMATIONS_PER_ACCOUNT_MAX - 1;
        copy(&place, engine, "automations", columns, count).await;
        let last = making::automation("last");
        ok(store.create_automation(own, &last)).await;
        let one_more = store
            .create_automation(own, &making::automation("more"))
            .await;
        assert_too_many(&one_more, "automations");
        ok(store.delete_automation(own, last.id, making::now())).await;
        ok(store.create_automation(own, &making::automation("more"))).await;
    })
    .await;
}
