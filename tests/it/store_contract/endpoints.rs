//! Endpoints with their secrets and subscriptions: each change raises the account's revision.

use bytes::Bytes;
use throwbar::model::{AccountId, EndpointId, SecretId};
use throwbar::store::{
    EndpointChange, EndpointState, Error, NewAutomation, NewEndpoint, SettingsChange, Shelf, Store,
    SubscriptionChange,
};

use super::{state, waiting};
use crate::support::making::{self, now};
use crate::support::store::{TestStore, ok, on_both, some};

async fn revision(store: &Store, account: AccountId) -> i64 {
    some(store.account(account)).await.revision
}

fn subscription(endpoint: EndpointId, definition: &str) -> NewAutomation {
    NewAutomation {
        owner_endpoint: Some(endpoint),
        ..making::automation(definition)
    }
}

#[tokio::test]
async fn an_endpoint_is_made_with_its_secrets_and_its_subscription_in_one_step() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let mut new = making::endpoint();
        new.subscription = Some(subscription(new.id, "first"));
        let made_at = ok(store.create_endpoint(own, &new)).await;
        assert_eq!((made_at, revision(store, own).await), (2, 2));

        let found = some(store.endpoint(own, new.id)).await;
        assert_eq!(
            (found.id, found.name, found.url),
            (new.id, new.name.clone(), new.url.clone())
        );
        assert_eq!(
            (
                found.state.as_str(),
                found.disabled_why,
                found.failing_since
            ),
            ("enabled", None, None)
        );
        assert!(
            ok(store.endpoint(other, new.id)).await.is_none(),
            "another account's"
        );
        let secrets = ok(store.endpoint_secrets(own, new.id)).await;
        assert_eq!(secrets.len(), 1);
        assert_eq!(
            (secrets[0].id, secrets[0].endpoint),
            (new.secrets[0].0, new.id)
        );
        assert_eq!(
            (secrets[0].sealed.as_slice(), secrets[0].expires_at),
            (&b"sealed secret"[..], None)
        );
        assert_eq!(
            ok(store.subscription(own, new.id))
                .await
                .map(|(_, text)| text)
                .as_deref(),
            Some("first")
        );
        assert!(
            ok(store.automations(own, Shelf::Open, None, 10))
                .await
                .rows
                .is_empty(),
            "it is the endpoint's"
        );

        // All or nothing: the second secret's id is the first one's.
        let secret = (SecretId::mint(now()), Bytes::from_static(b"s"));
        let half = NewEndpoint {
            secrets: vec![secret.clone(), secret],
            ..making::endpoint()
        };
        assert!(
            store
                .create_endpoint(own, &half)
                .await
                .expect_err("twice the same")
                .is_taken()
        );
        assert!(ok(store.endpoint(own, half.id)).await.is_none());
        assert_eq!(revision(store, own).await, 2);
    })
    .await;
}

/// Settings that are made from those of a new endpoint.
fn settings(new: &NewEndpoint, to: &str) -> SettingsChange {
    SettingsChange {
        from: new.settings.clone(),
        to: to.to_owned(),
        succeeded_at: None,
    }
}

#[tokio::test]
async fn a_change_that_was_made_from_what_is_gone_changes_nothing() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let mut new = making::endpoint();
        new.subscription = Some(subscription(new.id, "first"));
        ok(store.create_endpoint(own, &new)).await;
        let change = |to: &str| EndpointChange {
            url: Some(format!("https://example.test/{to}")),
            settings: Some(settings(&new, &format!("{{\"{to}\":1}}"))),
            ..EndpointChange::default()
        };
        some(store.change_endpoint(own, new.id, &change("kept"), now())).await;
        let late = EndpointChange {
            subscription: Some(SubscriptionChange::End),
            ..change("late")
        };
        let overtaken = store.change_endpoint(own, new.id, &late, now()).await;
        assert!(matches!(overtaken, Err(Error::Raced)), "{overtaken:?}");
        let found = some(store.endpoint(own, new.id)).await;
        assert_eq!(
            (found.url.as_str(), found.settings.as_str()),
            ("https://example.test/kept", "{\"kept\":1}")
        );
        assert!(ok(store.subscription(own, new.id)).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_change_changes_what_it_names_and_nothing_else() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let mut new = making::endpoint();
        new.subscription = Some(subscription(new.id, "first"));
        ok(store.create_endpoint(own, &new)).await;

        let changed = ok(store.change_endpoint(own, new.id, &off(), now().plus_ms(5))).await;
        assert_eq!((changed, revision(store, own).await), (Some(3), 3));
        let found = some(store.endpoint(own, new.id)).await;
        assert_eq!(
            (found.name.as_str(), found.url.as_str()),
            ("renamed", new.url.as_str())
        );
        assert_eq!(
            (found.state.as_str(), found.disabled_why.as_deref()),
            ("disabled", Some("by_user"))
        );
        assert_eq!(
            ok(store.subscription(own, new.id))
                .await
                .map(|(_, text)| text)
                .as_deref(),
            Some("first")
        );

        let other_url = EndpointChange {
            url: Some("https://example.test/new".to_owned()),
            settings: Some(settings(&new, "{\"a\":1}")),
            state: Some(EndpointState::Enabled),
            subscription: Some(SubscriptionChange::Begin(Box::new(subscription(
                new.id, "second",
            )))),
            ..EndpointChange::default()
        };
        some(store.change_endpoint(own, new.id, &other_url, now())).await;
        let found = some(store.endpoint(own, new.id)).await;
        assert_eq!(
            (found.url.as_str(), found.settings.as_str()),
            ("https://example.test/new", "{\"a\":1}")
        );
        assert_eq!(
            (found.state.as_str(), found.disabled_why),
            ("enabled", None)
        );
        assert_eq!(
            ok(store.subscription(own, new.id))
                .await
                .map(|(_, text)| text)
                .as_deref(),
            Some("second")
        );

        let end = EndpointChange {
            subscription: Some(SubscriptionChange::End),
            ..EndpointChange::default()
        };
        some(store.change_endpoint(own, new.id, &end, now())).await;
        assert_eq!(ok(store.subscription(own, new.id)).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_change_of_what_is_not_there_changes_nothing() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let new = making::endpoint();
        ok(store.create_endpoint(own, &new)).await;

        let before = revision(store, own).await;
        let unknown = EndpointId::mint(now());
        for (account, id) in [(other, new.id), (own, unknown)] {
            let changed = store.change_endpoint(account, id, &off(), now()).await;
            assert_eq!(changed.expect("the store works"), None);
        }
        assert_eq!(
            revision(store, own).await,
            before,
            "what changes nothing raises nothing"
        );
    })
    .await;
}

/// A change that turns an endpoint off, under another name.
fn off() -> EndpointChange {
    EndpointChange {
        name: Some("renamed".to_owned()),
        state: Some(EndpointState::Disabled { why: "by_user" }),
        ..EndpointChange::default()
    }
}

#[tokio::test]
async fn a_removed_endpoint_leaves_nothing_that_could_be_used() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let mut new = making::endpoint();
        new.subscription = Some(subscription(new.id, "first"));
        ok(store.create_endpoint(own, &new)).await;
        let mut open = Vec::new();
        for _ in 0..3 {
            open.push(waiting(store, own, new.id, now()).await);
        }
        assert!(!ok(store.delete_endpoint(other, new.id, now())).await);
        assert!(ok(store.delete_endpoint(own, new.id, now())).await);
        assert!(
            !ok(store.delete_endpoint(own, new.id, now())).await,
            "it was"
        );

        assert!(ok(store.endpoint(own, new.id)).await.is_none());
        assert!(ok(store.endpoint_secrets(own, new.id)).await.is_empty());
        assert_eq!(ok(store.subscription(own, new.id)).await, None);
        let change = EndpointChange {
            name: Some("back".to_owned()),
            ..EndpointChange::default()
        };
        assert_eq!(
            ok(store.change_endpoint(own, new.id, &change, now())).await,
            None
        );

        assert_eq!(ok(store.cancel_open(other, new.id, 10)).await, 0);
        assert_eq!(ok(store.cancel_open(own, new.id, 2)).await, 2);
        assert_eq!(ok(store.cancel_open(own, new.id, 2)).await, 1);
        assert_eq!(ok(store.cancel_open(own, new.id, 2)).await, 0);
        for id in open {
            assert_eq!(state(store, own, id).await, "cancelled");
        }
    })
    .await;
}

#[tokio::test]
async fn a_rotated_secret_signs_on_until_its_time_and_never_longer() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let new = making::endpoint();
        ok(store.create_endpoint(own, &new)).await;
        let sealed = Bytes::from_static(b"sealed");
        let expires = async || {
            let secrets = ok(store.endpoint_secrets(own, new.id)).await;
            secrets
                .iter()
                .map(|secret| secret.expires_at)
                .collect::<Vec<_>>()
        };
        let start = now();
        let rotate = async |at_ms: i64, until_ms: i64| {
            let secret = (SecretId::mint(now()), sealed.clone(), start.plus_ms(at_ms));
            ok(store.rotate_secret(own, new.id, secret, start.plus_ms(until_ms))).await
        };
        assert_eq!(rotate(0, 1_000).await, 3);
        assert_eq!(expires().await, [Some(start.plus_ms(1_000)), None]);
        // A secret that was to go at 1,000 does not live longer because another one comes.
        assert_eq!(rotate(500, 1_500).await, 4);
        assert_eq!(
            expires().await,
            [Some(start.plus_ms(1_000)), Some(start.plus_ms(1_500)), None]
        );
        // What has expired goes.
        rotate(1_000, 1_000).await;
        assert_eq!(
            expires().await,
            [Some(start.plus_ms(1_000)), Some(start.plus_ms(1_000)), None]
        );
    })
    .await;
}

#[tokio::test]
async fn endpoints_come_newest_first_page_by_page() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        making::stored_endpoint(store, other).await;
        let mut made = Vec::new();
        for _ in 0..5 {
            made.push(making::stored_endpoint(store, own).await);
        }
        ok(store.delete_endpoint(own, made.remove(2), now())).await;
        made.reverse();
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = ok(store.endpoints(own, after, 2)).await;
            assert!(page.rows.len() <= 2);
            seen.extend(page.rows.iter().map(|row| row.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, made);
    })
    .await;
}
