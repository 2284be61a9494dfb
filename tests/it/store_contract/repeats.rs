//! What a client calls its events, and how a repeat is recognised.

use std::sync::Arc;

use serde_json::value::to_raw_value;
use throwbar::model::{MappedBy, Origin};
use throwbar::store::{Accepted, KeyOf, NewKey};

use super::{accept, write};
use crate::support::batch;
use crate::support::making;
use crate::support::store::{Engine, TestStore, ok, on_both, some};

const NEW: Accepted = Accepted::New { revision: 1 };

#[tokio::test]
async fn the_same_again_is_the_first_one_and_another_body_is_a_conflict() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        let first = making::keyed(own, "Größe-①", 1);
        assert_eq!(accept(store, &first).await, NEW);
        assert_eq!(
            some(store.event(own, first.id)).await.client_id.as_deref(),
            Some("Größe-①")
        );
        let (same, conflict) = (
            making::keyed(own, "Größe-①", 1),
            making::keyed(own, "Größe-①", 2),
        );
        assert_eq!(
            accept(store, &same).await,
            Accepted::Same { event: first.id }
        );
        assert_eq!(
            accept(store, &conflict).await,
            Accepted::Conflict { event: first.id }
        );
        for repeat in [&same, &conflict] {
            assert!(ok(store.event(own, repeat.id)).await.is_none());
            assert_eq!(ok(store.inbox_state(own, repeat.id)).await, None);
        }
        assert_eq!(
            accept(store, &making::keyed(other, "Größe-①", 3)).await,
            NEW,
            "another account's"
        );
        for (number, kind) in KeyOf::ALL.iter().enumerate().skip(1) {
            let mut other_kind = making::keyed(own, "Größe-①", 3 + number as u8);
            other_kind.keys[0].kind = *kind;
            assert_eq!(accept(store, &other_kind).await, NEW, "they never meet");
            let again = accept(store, &other_kind.clone()).await;
            assert_ne!(again, NEW, "{kind:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn repeats_are_found_inside_of_one_batch() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let events = vec![
            making::keyed(own, "a", 1),
            making::keyed(own, "b", 2),
            making::keyed(own, "a", 1),
            making::keyed(own, "a", 9),
            making::keyed(own, "b", 2),
        ];
        let outcome = write(store, &batch::accepts(events.clone())).await;
        let (a, b) = (events[0].id, events[1].id);
        assert_eq!(
            outcome.accepted,
            [
                NEW,
                NEW,
                Accepted::Same { event: a },
                Accepted::Conflict { event: a },
                Accepted::Same { event: b }
            ]
        );
        assert_eq!(ok(store.inbox_len()).await, 2);
    })
    .await;
}

#[tokio::test]
async fn an_expired_key_can_be_used_again() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let with_key = |body: u8, lives_ms: i64| {
            let mut event = making::keyed(own, "k", body);
            let expires_at = Some(event.id.minted_at().plus_ms(lives_ms));
            event.keys = vec![NewKey {
                kind: KeyOf::Idempotency,
                key: "k".to_owned(),
                expires_at,
            }];
            event
        };
        // It expires in the very moment it is claimed in.
        assert_eq!(accept(store, &with_key(1, 0)).await, NEW);
        let second = with_key(2, 3_600_000);
        assert_eq!(accept(store, &second).await, NEW);
        assert_eq!(
            accept(store, &with_key(2, 0)).await,
            Accepted::Same { event: second.id }
        );
        assert_eq!(
            accept(store, &with_key(3, 0)).await,
            Accepted::Conflict { event: second.id }
        );
    })
    .await;
}

#[tokio::test]
async fn a_repeat_by_one_key_takes_none_of_its_others() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let key = |kind, key: &str| NewKey {
            kind,
            key: key.to_owned(),
            expires_at: None,
        };
        let mut first = making::keyed(own, "id-1", 1);
        first.keys.push(key(KeyOf::Idempotency, "key-1"));
        assert_eq!(accept(store, &first).await, NEW);
        let mut repeat = making::keyed(own, "id-2", 1);
        repeat.keys.push(key(KeyOf::Idempotency, "key-1"));
        assert_eq!(
            accept(store, &repeat).await,
            Accepted::Same { event: first.id }
        );
        assert_eq!(
            accept(store, &making::keyed(own, "id-2", 5)).await,
            NEW,
            "the id is still free"
        );
    })
    .await;
}

#[tokio::test]
async fn names_from_before_there_were_kinds_are_sorted_by_the_way_their_events_came() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let own = making::account(&place.store).await;
        let plugin = MappedBy {
            plugin: "shop@1.0.0".to_owned(),
            digest: "sha256:0".to_owned(),
        };
        let attributes = to_raw_value(&serde_json::json!({"id": "7"})).expect("JSON");
        let ways = [
            (KeyOf::Sender, None),
            (KeyOf::CloudEvent, Some(Origin::of_cloudevent(attributes))),
            (KeyOf::Source, Some(Origin::of_source("github"))),
            (
                KeyOf::Source,
                Some(Origin::of_source("shop").mapped_by(plugin)),
            ),
            (KeyOf::Schedule, Some(Origin::of_schedule())),
            (KeyOf::Idempotency, None),
        ];
        let mut known = Vec::new();
        for (number, (kind, origin)) in (0..).zip(ways) {
            let mut event = making::keyed(own, &format!("called {number}"), number);
            event.keys[0].kind = kind;
            event.origin = origin.map(Arc::new);
            assert_eq!(accept(&place.store, &event).await, NEW);
            known.push(event);
        }
        place
            .execute("UPDATE event_keys SET kind = 'id' WHERE kind <> 'key'")
            .await;
        place
            .execute(match engine {
                Engine::Sqlite => include_str!("../../../migrations/sqlite/0015_keys.sql"),
                Engine::Postgres => include_str!("../../../migrations/postgres/0015_keys.sql"),
            })
            .await;
        let store = place.another().await;
        for event in known {
            let mut again = event.clone();
            again.id = making::event(own, "").id;
            let same = Accepted::Same { event: event.id };
            assert_eq!(accept(&store, &again).await, same, "{:?}", event.keys);
        }
    })
    .await;
}
