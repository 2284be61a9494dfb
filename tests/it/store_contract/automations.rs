//! Automations, their versions, and an account as of any of its revisions.

use throwbar::model::{AccountId, AutomationId};
use throwbar::store::{Error, NewAutomation, Publication, Store};

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

#[tokio::test]
async fn every_revision_can_be_read_as_it_was() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let first = making::automation("one");
        assert_eq!(ok(store.create_automation(own, &first)).await, 2);
        let saved = store
            .save_version(own, &version(&first, "two", Publication::Draft))
            .await;
        assert_eq!(
            saved.expect("written"),
            Some(2),
            "revision 3: a draft changes nothing that is live"
        );
        let saved = store
            .save_version(own, &version(&first, "three", Publication::Live))
            .await;
        assert_eq!(saved.expect("written"), Some(3), "revision 4");
        assert!(ok(store.switch_automation(own, first.id, Publication::Off)).await);
        assert!(ok(store.switch_automation(own, first.id, Publication::Live)).await);
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
            !ok(store.switch_automation(own, draft.id, Publication::Live)).await,
            "never published"
        );

        let renamed = NewAutomation {
            name: "renamed".to_owned(),
            ..version(&draft, "two", Publication::Off)
        };
        assert_eq!(ok(store.save_version(own, &renamed)).await, Some(2));
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
        assert_eq!(ok(store.save_version(other, &renamed)).await, None);
        assert!(!ok(store.switch_automation(other, draft.id, Publication::Live)).await);
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
        assert_eq!(
            ok(store.save_version(own, &version(&new, "two", Publication::Live))).await,
            None
        );
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
        let first = ok(store.automations(own, None, 2)).await;
        assert_eq!(
            first.rows.iter().map(|row| row.id).collect::<Vec<_>>(),
            made[..2]
        );
        let second = ok(store.automations(own, first.next, 2)).await;
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
        assert!(!ok(store.switch_automation(own, subscription.id, Publication::Off)).await);
    })
    .await;
}
