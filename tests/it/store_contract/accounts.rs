//! Accounts, API keys and event types.

use bytes::Bytes;
use throwbar::model::{AccountId, ApiKeyId};
use throwbar::store::{Error, EventTypeEntry, NewAccount, NewApiKey, Switch};

use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both, some};

#[tokio::test]
async fn an_account_is_found_by_its_id_and_its_uid_and_switched() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let new = NewAccount {
            id: AccountId::mint(now()),
            uid: Some("kunde-⑦".to_owned()),
            name: "Ωmega 株式会社 🪁".to_owned(),
            signing_key: Bytes::from_static(&[0, 1, 255]),
            created_at: now(),
        };
        ok(store.create_account(&new)).await;
        let found = some(store.account(new.id)).await;
        assert_eq!(
            (found.id, found.uid, found.name),
            (new.id, new.uid.clone(), new.name.clone())
        );
        assert_eq!((found.revision, found.enabled), (1, true));
        assert_eq!(
            (found.signing_key.as_slice(), found.created_at),
            (&[0, 1, 255][..], new.created_at)
        );
        let by_uid = some(store.account_by_uid("kunde-⑦")).await;
        assert_eq!(by_uid.id, new.id);
        assert!(ok(store.account_by_uid("kunde-7")).await.is_none());

        let same_uid = NewAccount {
            id: AccountId::mint(now()),
            ..new.clone()
        };
        assert!(
            store
                .create_account(&same_uid)
                .await
                .expect_err("the uid is used")
                .is_taken()
        );
        assert!(ok(store.account(same_uid.id)).await.is_none());

        assert!(ok(store.switch_account(new.id, Switch::Off)).await);
        let off = some(store.account(new.id)).await;
        assert_eq!((off.enabled, off.revision), (false, 2));
        assert!(!ok(store.switch_account(same_uid.id, Switch::On)).await);
    })
    .await;
}

#[tokio::test]
async fn accounts_come_newest_first_page_by_page() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let mut made = Vec::new();
        for _ in 0..3 {
            made.push(making::account(store).await);
        }
        made.reverse();
        let first = ok(store.accounts(None, 2)).await;
        assert_eq!(
            first.iter().map(|row| row.id).collect::<Vec<_>>(),
            made[..2]
        );
        let second = ok(store.accounts(Some(made[1]), 2)).await;
        assert_eq!(
            second.iter().map(|row| row.id).collect::<Vec<_>>(),
            made[2..]
        );
    })
    .await;
}

pub(super) fn api_key(account: Option<AccountId>, byte: u8) -> NewApiKey {
    NewApiKey {
        id: ApiKeyId::mint(now()),
        account,
        name: "a key".to_owned(),
        hash: [byte; 32],
        scopes: "events:write endpoints:read".to_owned(),
        created_at: now(),
    }
}

#[tokio::test]
async fn an_api_key_is_found_by_its_hash_and_revoked_once_by_its_own_account() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        assert!(!ok(store.has_operator_key()).await);
        let (operator, first, second) = (
            api_key(None, 1),
            api_key(Some(own), 2),
            api_key(Some(own), 3),
        );
        for key in [&operator, &first, &second] {
            ok(store.create_api_key(key)).await;
        }
        assert!(ok(store.has_operator_key()).await);

        let found = some(store.api_key_by_hash([2; 32])).await;
        assert_eq!((found.id, found.account), (first.id, Some(own)));
        assert_eq!(
            (found.name, found.scopes),
            (first.name.clone(), first.scopes.clone())
        );
        assert_eq!(
            (found.created_at, found.revoked_at),
            (first.created_at, None)
        );
        assert!(ok(store.api_key_by_hash([9; 32])).await.is_none());
        // The bootstrap key is offered at every start.
        let again = NewApiKey {
            id: ApiKeyId::mint(now()),
            ..operator.clone()
        };
        store
            .create_api_key(&again)
            .await
            .expect("the first one stays");
        let kept = some(store.api_key_by_hash([1; 32])).await;
        assert_eq!((kept.id, kept.account), (operator.id, None));

        let ids =
            |keys: Vec<throwbar::store::ApiKey>| keys.iter().map(|key| key.id).collect::<Vec<_>>();
        assert_eq!(ids(ok(store.api_keys(own)).await), [second.id, first.id]);
        assert!(ids(ok(store.api_keys(other)).await).is_empty());

        let revoked_at = now();
        assert!(!ok(store.revoke_api_key(other, first.id, revoked_at)).await);
        assert!(ok(store.revoke_api_key(own, first.id, revoked_at)).await);
        assert!(
            !ok(store.revoke_api_key(own, first.id, now())).await,
            "it was"
        );
        assert_eq!(ids(ok(store.api_keys(own)).await), [second.id]);
        let revoked = some(store.api_key(own, first.id)).await;
        assert_eq!(revoked.revoked_at, Some(revoked_at));
        assert!(ok(store.api_key(other, first.id)).await.is_none());
    })
    .await;
}

/// A catalogued name.
pub(super) fn entry(name: &str) -> EventTypeEntry {
    EventTypeEntry {
        name: name.to_owned(),
        description: "Über alles Mögliche".to_owned(),
        group: Some("deals".to_owned()),
        example: Some(r#"{"a":"\u0000"}"#.to_owned()),
        created_at: now(),
        updated_at: now(),
    }
}

#[tokio::test]
async fn event_types_are_catalogued_by_name_in_each_account() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        for name in ["deal.won", "deal.lost", "deal.stage.changed"] {
            ok(store.create_event_type(own, &entry(name))).await;
        }
        assert!(
            store
                .create_event_type(own, &entry("deal.won"))
                .await
                .expect_err("taken")
                .is_taken()
        );
        store
            .create_event_type(other, &entry("deal.won"))
            .await
            .expect("another account's");

        let found = some(store.event_type(own, "deal.won")).await;
        assert_eq!(found.example.as_deref(), Some(r#"{"a":"\u0000"}"#));
        let changed = EventTypeEntry {
            group: None,
            example: None,
            ..entry("deal.won")
        };
        assert!(ok(store.change_event_type(own, &found, &changed)).await);
        let late = store.change_event_type(own, &found, &found).await;
        assert!(matches!(late, Err(Error::Raced)), "{late:?}");
        let none = entry("deal.none");
        assert!(!ok(store.change_event_type(own, &none, &none)).await);
        let found = some(store.event_type(own, "deal.won")).await;
        assert_eq!((found.group, found.example), (None, None));

        let names =
            |rows: Vec<EventTypeEntry>| rows.into_iter().map(|row| row.name).collect::<Vec<_>>();
        let first = names(ok(store.event_types(own, None, 2)).await);
        assert_eq!(first, ["deal.lost", "deal.stage.changed"]);
        let rest = names(ok(store.event_types(own, Some("deal.stage.changed"), 2)).await);
        assert_eq!(rest, ["deal.won"]);

        assert!(ok(store.delete_event_type(own, "deal.won")).await);
        assert!(!ok(store.delete_event_type(own, "deal.won")).await, "gone");
        assert!(ok(store.event_type(own, "deal.won")).await.is_none());
        assert!(ok(store.event_type(other, "deal.won")).await.is_some());
    })
    .await;
}
