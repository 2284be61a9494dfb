//! What a snapshot holds, and who is told that a newer one could be loaded.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sqlx::{Connection, Executor, PgConnection};
use throwbar::model::{AccountId, SecretId};
use throwbar::store::{
    EndpointChange, EndpointMark, EndpointState, NewAutomation, Publication, Switch,
};

use super::lives::somebody_waits;
use super::write;
use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{Engine, TestStore, ok, on_both, some};

fn disabled() -> EndpointChange {
    EndpointChange {
        state: Some(EndpointState::Disabled { why: "by_user" }),
        ..EndpointChange::default()
    }
}

#[tokio::test]
async fn every_revision_is_told_of_once_it_is_durable() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let told = Arc::<Mutex<Vec<(AccountId, i64)>>>::default();
        let ear = told.clone();
        store.on_revision(move |account, revision| {
            ear.lock().expect("whole").push((account, revision));
        });

        let (endpoint, automation) = (making::endpoint(), making::automation("{}"));
        ok(store.create_endpoint(own, &endpoint)).await;
        ok(store.create_automation(own, &automation)).await;
        let again = NewAutomation {
            endpoints: Vec::new(),
            ..automation.clone()
        };
        let standing = async || some(store.automation(own, automation.id)).await.standing();
        some(store.save_version(own, &again, &standing().await)).await;
        ok(making::switch(store, own, automation.id, Publication::Off)).await;
        ok(store.delete_automation(own, automation.id, now())).await;
        let secret = (SecretId::mint(now()), Bytes::from_static(b"sealed"), now());
        ok(store.rotate_secret(own, endpoint.id, secret, now())).await;
        let asked = some(store.endpoint(own, endpoint.id)).await.updated_at;
        let to = (own, endpoint.id);
        let delivery = super::planned(store, super::somebody(), to, None).await;
        let mark = EndpointMark {
            outcome: throwbar::failure::Outcome::Gone,
            at: now(),
            policy: throwbar::failure::FailurePolicy::Never,
            asked,
        };
        let record = throwbar::store::NewRecord {
            account: own,
            delivery,
            endpoint: endpoint.id,
            attempt: None,
            attempts_made: 0,
            next: throwbar::model::DeliveryState::Cancelled,
            mark: Some(mark),
            tells: throwbar::store::Tells::OfEndpoint,
            order: None,
        };
        write(store, &batch::records(vec![record])).await;
        some(store.change_endpoint(own, endpoint.id, &disabled(), now())).await;
        ok(store.switch_account(own, Switch::Off)).await;
        ok(store.delete_endpoint(own, endpoint.id, now())).await;
        // What changes nothing is rolled back.
        assert!(!ok(store.delete_endpoint(own, endpoint.id, now())).await);

        let revision = some(store.account(own)).await.revision;
        let all: Vec<_> = (2..=revision).map(|no| (own, no)).collect();
        assert_eq!(*told.lock().expect("whole"), all);
        assert_eq!(all.len(), 10);
    })
    .await;
}

#[tokio::test]
async fn a_snapshot_is_of_one_moment() {
    let place = TestStore::open(Engine::Postgres).await;
    let own = making::account(&place.store).await;
    making::stored_endpoint(&place.store, own).await;

    // A change that is committed after the snapshot has read the account and before it reads the rest.
    let mut raw = PgConnection::connect(&place.url()).await.expect("open");
    let mut change = raw.begin().await.expect("begun");
    change
        .execute("LOCK TABLE endpoints IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("locked");
    change
        .execute("UPDATE accounts SET revision = revision + 1")
        .await
        .expect("raised");
    change
        .execute("UPDATE endpoints SET state = 'disabled', disabled_why = 'by_user'")
        .await
        .expect("written");
    let mut watching = PgConnection::connect(&place.url()).await.expect("open");
    let mut snapshot = Box::pin(some(place.store.snapshot(own, 2)));
    loop {
        tokio::select! {
            rows = &mut snapshot => panic!("it did not wait for the lock: {rows:?}"),
            waits = somebody_waits(&mut watching) => if waits { break },
        }
    }
    change.commit().await.expect("committed");
    let rows = snapshot.await;
    assert_eq!(rows.account.revision, 2, "as it was when it began");
    assert_eq!(rows.endpoints[0].state, "enabled", "and so is everything");
    let after = some(place.store.snapshot(own, 3)).await;
    assert_eq!(after.account.revision, 3);
    assert_eq!(after.endpoints[0].state, "disabled");
}
