//! Automations, their versions, and an account as of any of its revisions.

use throwbar::model::{AccountId, AutomationId};
use throwbar::store::{AutomationStanding, Error, NewAutomation, Publication, Shelf, Store};

use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both, some};

/// The definitions that were live at a revision.
async fn live_at(store: &Store, account: AccountId, revision: i64) -> Vec<String> {
    let rows = some(store.snapshot(account, revision)).await;
    rows.automations
        .into_iter()
        .map(|automation| automation.definition)
        .collect()
}

fn version(of: &NewAutomation, definition: &str, publication: Publication) -> NewAutomation {
    NewAutomation {
        definition: definition.to_owned(),
        publication,
        ..of.clone()
    }
}

/// Saves a version that is made from how the automation stands now.
async fn save(store: &Store, own: AccountId, version: &NewAutomation) -> Option<i64> {
    let standing = some(store.automation(own, version.id)).await.standing();
    ok(store.save_version(own, version, &standing)).await
}

#[tokio::test]
async fn every_revision_can_be_read_as_it_was() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let first = making::automation("one");
        assert_eq!(ok(store.create_automation(own, &first)).await, 2);
        let draft = version(&first, "two", Publication::Draft);
        assert_eq!(
            save(store, own, &draft).await,
            Some(2),
            "revision 3: a draft changes nothing that is live"
        );
        let live = version(&first, "three", Publication::Live);
        assert_eq!(save(store, own, &live).await, Some(3), "revision 4");
        assert!(ok(making::switch(store, own, first.id, Publication::Off)).await);
        assert!(ok(making::switch(store, own, first.id, Publication::Live)).await);
        ok(store.create_automation(own, &making::automation("other"))).await;
        let gone = ok(store.delete_automation(own, first.id, now())).await;
        assert_eq!(gone, Some(Vec::new()));

        for (revision, live) in [
            (1, &[][..]),
            (2, &["one"]),
            (3, &["one"]),
            (4, &["three"]),
            (5, &[]),
            (6, &["three"]),
            (7, &["three", "other"]),
            (8, &["other"]),
        ] {
            assert_eq!(
                live_at(store, own, revision).await,
                live,
                "at revision {revision}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_automation_knows_its_versions() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let draft = NewAutomation {
            publication: Publication::Draft,
            ..making::automation("one")
        };
        ok(store.create_automation(own, &draft)).await;
        let found = some(store.automation(own, draft.id)).await;
        assert_eq!(
            (found.enabled, found.latest_version, found.published_version),
            (false, 1, None)
        );
        assert!(
            !ok(making::switch(store, own, draft.id, Publication::Live)).await,
            "never published"
        );

        let renamed = NewAutomation {
            name: "renamed".to_owned(),
            ..version(&draft, "two", Publication::Off)
        };
        let before = some(store.automation(own, draft.id)).await.standing();
        assert_eq!(
            ok(store.save_version(own, &renamed, &before)).await,
            Some(2)
        );
        // Made from the same as the version that was saved.
        let late = store.save_version(own, &renamed, &before).await;
        assert!(matches!(late, Err(Error::Raced)), "{late:?}");
        assert!(ok(making::switch(store, own, draft.id, Publication::Live)).await);
        let switched = AutomationStanding {
            name: "renamed".to_owned(),
            latest_version: 2,
            published_version: Some(2),
            ..before.clone()
        };
        let late = store.save_version(own, &renamed, &switched).await;
        assert!(matches!(late, Err(Error::Raced)), "{late:?}");
        assert!(ok(making::switch(store, own, draft.id, Publication::Off)).await);
        let found = some(store.automation(own, draft.id)).await;
        assert_eq!(
            (found.enabled, found.latest_version, found.published_version),
            (false, 2, Some(2))
        );
        assert_eq!(
            (found.name.as_str(), found.owner_endpoint),
            ("renamed", None)
        );
        for (no, text) in [(1, Some("one")), (2, Some("two")), (3, None)] {
            let version = ok(store.automation_version(own, draft.id, no)).await;
            assert_eq!(version.map(|version| version.definition).as_deref(), text);
        }

        assert!(ok(store.automation(other, draft.id)).await.is_none());
        assert!(
            ok(store.automation_version(other, draft.id, 1))
                .await
                .is_none()
        );
        assert_eq!(ok(store.save_version(other, &renamed, &before)).await, None);
        assert!(!ok(making::switch(store, other, draft.id, Publication::Live)).await);
        assert_eq!(
            ok(store.delete_automation(other, draft.id, now())).await,
            None
        );
        let nobody = AccountId::mint(now());
        let refused = store
            .create_automation(nobody, &making::automation("x"))
            .await;
        assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn an_automations_own_endpoints_come_and_go_with_it() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let mut new = making::automation("one");
        let mut bare = making::endpoint();
        bare.owner_automation = Some(new.id);
        new.endpoints = vec![bare.clone()];
        ok(store.create_automation(own, &new)).await;
        let found = some(store.endpoint(own, bare.id)).await;
        assert_eq!(found.owner_automation, Some(new.id));
        let snapshot = some(store.snapshot(own, 2)).await;
        assert_eq!(snapshot.endpoints.len(), 1);
        assert_eq!(
            (snapshot.secrets.len(), snapshot.secrets[0].endpoint),
            (1, bare.id)
        );
        assert_eq!(
            (snapshot.account.id, snapshot.automations[0].version),
            (own, 1)
        );

        let gone = ok(store.delete_automation(own, new.id, now())).await;
        assert_eq!(gone, Some(vec![bare.id]));
        assert!(ok(store.endpoint(own, bare.id)).await.is_none());
        assert!(ok(store.automation(own, new.id)).await.is_none());
        assert_eq!(ok(store.delete_automation(own, new.id, now())).await, None);
        let next = version(&new, "two", Publication::Live);
        let standing = AutomationStanding {
            name: new.name.clone(),
            latest_version: 1,
            published_version: Some(1),
            enabled: true,
            archived: false,
        };
        assert_eq!(ok(store.save_version(own, &next, &standing)).await, None);
        assert!(some(store.snapshot(own, 3)).await.endpoints.is_empty());
        assert!(
            ok(store.snapshot(AccountId::mint(now()), 1))
                .await
                .is_none()
        );
    })
    .await;
}

#[tokio::test]
async fn automations_come_newest_first_page_by_page_without_subscriptions() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let mut subscribed = making::endpoint();
        let subscription = NewAutomation {
            owner_endpoint: Some(subscribed.id),
            ..making::automation("s")
        };
        subscribed.subscription = Some(subscription.clone());
        ok(store.create_endpoint(own, &subscribed)).await;
        let mut made: Vec<AutomationId> = Vec::new();
        for _ in 0..3 {
            let new = making::automation("x");
            ok(store.create_automation(own, &new)).await;
            made.insert(0, new.id);
        }
        let first = ok(store.automations(own, Shelf::Open, None, 2)).await;
        assert_eq!(
            first.rows.iter().map(|row| row.id).collect::<Vec<_>>(),
            made[..2]
        );
        let second = ok(store.automations(own, Shelf::Open, first.next, 2)).await;
        assert_eq!(
            second.rows.iter().map(|row| row.id).collect::<Vec<_>>(),
            made[2..]
        );
        assert_eq!(second.next, None);
        // A subscription is changed through its endpoint alone.
        assert_eq!(
            ok(store.delete_automation(own, subscription.id, now())).await,
            None
        );
        assert!(
            !ok(making::switch(
                store,
                own,
                subscription.id,
                Publication::Off
            ))
            .await
        );
    })
    .await;
}
