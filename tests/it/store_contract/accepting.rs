//! Accepting events: what came is what is kept, byte for byte, and all of a batch or nothing.

use bytes::Bytes;
use throwbar::model::{AccountId, EventId};
use throwbar::store::{Accepted, Batch, Error, EventFilter, NewEvent, Switch};

use super::{accept, somebody, write};
use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{Engine, TestStore, ok, on_both, some};

/// Payloads that a database might not keep as they are.
fn odd_payloads() -> Vec<Bytes> {
    let mut largest = Vec::with_capacity(256 * 1024);
    while largest.len() < 256 * 1024 {
        largest.push((largest.len() % 251) as u8);
    }
    vec![
        Bytes::from_static(b""),
        Bytes::from_static(br#"{"a":"\u0000","a" : 1e999, "b":123456789012345678901234567890.0}"#),
        Bytes::from("{\"Zoë\":\"🪁 \u{202e}\u{feff} ﷽\"}".to_owned()),
        Bytes::from_static(&[0, 1, 0, 255, 254, b'\'', b'\\', 0]),
        largest.into(),
    ]
}

#[tokio::test]
async fn a_payload_comes_out_as_it_went_in() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let events: Vec<NewEvent> = odd_payloads()
            .into_iter()
            .map(|bytes| making::event(own, bytes))
            .collect();
        let batch = batch::accepts(events.clone());
        let outcome = write(store, &batch).await;
        assert_eq!(
            outcome.accepted,
            vec![Accepted::New { revision: 1 }; events.len()]
        );
        for event in &events {
            let found = some(store.event(own, event.id)).await;
            assert!(
                found.payload == event.payload,
                "{} bytes",
                event.payload.len()
            );
            assert_eq!(
                (found.r#type.as_str(), found.client_id),
                ("deal.updated", None)
            );
            assert_eq!(found.occurred_at, event.occurred_at);
            assert_eq!(
                ok(store.inbox_state(own, event.id)).await,
                Some(None),
                "to be planned"
            );
            assert_eq!(ok(store.verdicts(own, event.id)).await, None);
        }
        assert_eq!(ok(store.inbox_len()).await, events.len() as i64);
    })
    .await;
}

#[tokio::test]
async fn a_batch_of_any_size_is_kept_whole() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let mut kept = 0;
        // Around the chunks of 64 that SQLite's statements bind, and their powers of two.
        for count in [1, 2, 3, 63, 64, 65, 129, 512] {
            let accepts = (0..count)
                .map(|no| making::event(own, format!("{no}")))
                .collect();
            let outcome = write(store, &batch::accepts(accepts)).await;
            assert_eq!(outcome.accepted.len(), count);
            kept += count as i64;
            assert_eq!(ok(store.inbox_len()).await, kept);
        }
        assert!(Batch::default().is_empty());
        let nothing = write(store, &Batch::default()).await;
        assert!(
            nothing.accepted.is_empty() && nothing.claims.is_empty() && nothing.disabled.is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn an_event_of_nobody_is_not_kept_and_its_neighbours_are() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        ok(store.switch_account(own, Switch::On)).await;
        let nobody = AccountId::mint(now());
        let events = vec![
            making::event(nobody, "1"),
            making::event(own, "2"),
            making::keyed(nobody, "k", 3),
        ];
        let batch = batch::accepts(events.clone());
        let outcome = write(store, &batch).await;
        assert_eq!(
            outcome.accepted,
            [
                Accepted::NoAccount,
                Accepted::New { revision: 2 },
                Accepted::NoAccount
            ]
        );
        assert!(ok(store.event(nobody, events[0].id)).await.is_none());
        assert!(ok(store.event(own, events[1].id)).await.is_some());
        assert!(
            ok(store.event(nobody, events[1].id)).await.is_none(),
            "another account's"
        );
        assert_eq!(ok(store.inbox_state(nobody, events[1].id)).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_poisoned_row_refuses_the_whole_batch_and_nothing_of_it_is_kept() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let (good, mut bad) = (making::keyed(own, "good", 1), making::event(own, "2"));
        // No two events have one id.
        let known = making::event(own, "3");
        accept(store, &known).await;
        bad.id = known.id;
        let batch = batch::accepts(vec![good.clone(), bad]);
        let refused = store.write(somebody(), &batch).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        assert!(ok(store.event(own, good.id)).await.is_none());
        assert_eq!(
            accept(store, &good).await,
            Accepted::New { revision: 1 },
            "alone it is kept"
        );
    })
    .await;
}

#[tokio::test]
async fn events_come_newest_first_page_by_page_of_all_types_or_one() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (own, other) = (making::account(store).await, making::account(store).await);
        accept(store, &making::event(other, "0")).await;
        let mut ids: Vec<EventId> = Vec::new();
        for event_type in ["a.one", "a.two", "a.one", "a.one"] {
            let event = NewEvent {
                event_type: event_type.parse().expect("a name"),
                ..making::event(own, "1")
            };
            accept(store, &event).await;
            ids.insert(0, event.id);
        }
        let of = |page: &throwbar::store::Page<throwbar::store::EventHead>| {
            page.rows.iter().map(|row| row.id).collect::<Vec<_>>()
        };
        let all = EventFilter::default();
        let first = ok(store.events(own, &all, None, 3)).await;
        assert_eq!(of(&first), ids[..3]);
        let second = ok(store.events(own, &all, first.next, 3)).await;
        assert_eq!((of(&second), second.next), (ids[3..].to_vec(), None));
        let one = EventFilter {
            event_type: Some("a.one".to_owned()),
            ..EventFilter::default()
        };
        let ones = ok(store.events(own, &one, None, 3)).await;
        assert_eq!((of(&ones), ones.next), (vec![ids[0], ids[1], ids[3]], None));
    })
    .await;
}

#[tokio::test]
async fn a_nul_in_a_text_is_kept_or_refused_and_never_taken_for_a_dead_database() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let neighbour = making::event(own, "1");
        let odd = making::keyed(own, "a\0b", 1);
        let accepts = vec![neighbour, odd.clone()];
        let written = store.write(somebody(), &batch::accepts(accepts)).await;
        match engine {
            Engine::Sqlite => {
                written.expect("it is kept");
                let found = some(store.event(own, odd.id)).await;
                assert_eq!(found.client_id.as_deref(), Some("a\0b"));
            }
            Engine::Postgres => assert!(matches!(written, Err(Error::Refused(_))), "{written:?}"),
        }
    })
    .await;
}
