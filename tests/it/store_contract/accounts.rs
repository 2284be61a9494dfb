//! Accounts and API keys.

use bytes::Bytes;
use throwbar::model::{AccountId, ApiKeyId};
use throwbar::store::{NewAccount, NewApiKey, Switch};

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
            owner_mail: None,
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

        assert_eq!(some(store.switch_account(new.id, Switch::Off)).await, []);
        let off = some(store.account(new.id)).await;
        assert_eq!((off.enabled, off.revision), (false, 2));
        assert_eq!(
            ok(store.switch_account(same_uid.id, Switch::On)).await,
            None
        );
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
        owner_mail: None,
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
