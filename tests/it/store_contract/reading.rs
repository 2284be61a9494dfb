//! Lists, and what users may cost the database.

use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};
use throwbar::model::EventId;
use throwbar::model::limits::SCANNED_ROWS_MAX;
use throwbar::store::{DeliveryFilter, Error, EventFilter, NewEvent, Store};

use super::{somebody, write};
use crate::support::batch;
use crate::support::before_hanging;
use crate::support::making::{self, now};
use crate::support::store::{Engine, TestStore, ok, on_both};

/// A page of events of the type `a.rare`.
fn rare() -> EventFilter {
    EventFilter {
        event_type: Some("a.rare".to_owned()),
        ..EventFilter::default()
    }
}

/// All pages of the rare events, and how many pages that were.
async fn all_rare(store: &Store, own: throwbar::model::AccountId) -> (Vec<EventId>, usize) {
    let (mut found, mut pages, mut after) = (Vec::new(), 0, None);
    loop {
        let page = ok(store.events(own, &rare(), after, 10)).await;
        found.extend(page.rows.iter().map(|row| row.id));
        pages += 1;
        after = page.next;
        if after.is_none() {
            return (found, pages);
        }
    }
}

#[tokio::test]
async fn what_is_rare_is_looked_for_over_several_pages() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let event = |event_type: &str| NewEvent {
            event_type: event_type.parse().expect("a name"),
            ..making::event(own, "1")
        };
        let first = event("a.rare");
        let many = (0..SCANNED_ROWS_MAX).map(|_| event("a.usual"));
        let mut events = vec![first.clone()];
        events.extend(many);
        let last = event("a.rare");
        events.push(last.clone());
        for chunk in events.chunks(2_000) {
            write(store, &batch::accepts(chunk.to_vec())).await;
        }
        assert_eq!(all_rare(store, own).await, (vec![last.id, first.id], 2));
        let usual = ok(store.events(own, &EventFilter::default(), None, 10)).await;
        assert_eq!(usual.rows.len(), 10);
    })
    .await;
}

#[tokio::test]
async fn deliveries_in_one_state_are_found_with_and_without_their_endpoint() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let own = making::account(store).await;
        let endpoint = making::stored_endpoint(store, own).await;
        let event = making::event(own, "1");
        let due = |no: i64| (no % 2 == 0).then(|| now().plus_ms(no));
        let deliveries: Vec<_> = (0..6)
            .map(|no| making::delivery(event.id, endpoint, due(no)))
            .collect();
        let plans = vec![making::plan(own, event.id, deliveries)];
        ok(store.write(somebody(), &batch::plans(plans))).await;
        for endpoint in [None, Some(endpoint)] {
            let filter = DeliveryFilter {
                endpoint,
                state: Some("pending".to_owned()),
                ..DeliveryFilter::default()
            };
            let page = ok(store.deliveries(own, &filter, None, 2)).await;
            let rest = ok(store.deliveries(own, &filter, page.next, 2)).await;
            assert_eq!((page.rows.len(), rest.rows.len(), rest.next), (2, 1, None));
        }
    })
    .await;
}

#[tokio::test]
async fn doors_that_wait_for_the_database_give_up_and_hold_up_nobody_else() {
    let place = TestStore::open(Engine::Postgres).await;
    let own = making::account(&place.store).await;
    let mut somebody = PgConnection::connect(&place.url())
        .await
        .expect("connected");
    let lock = "BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE";
    somebody.execute(lock).await.expect("locked");

    let hasty = place.store.for_doors(Duration::from_millis(20));
    let given_up = hasty.events(own, &rare(), None, 10).await;
    assert!(matches!(given_up, Err(Error::TooSlow(_))), "{given_up:?}");

    // More of them than there are connections, none of which comes back.
    let patient = place.store.for_doors(Duration::from_hours(1));
    let lists: Vec<_> = (0..50)
        .map(|_| {
            let patient = patient.clone();
            tokio::spawn(async move { patient.events(own, &rare(), None, 10).await })
        })
        .collect();
    let busy = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FROM events%'";
    before_hanging("lists that wait", async {
        while place.number(busy).await < 8 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    before_hanging("the pipeline's connections", place.store.ping())
        .await
        .expect("they are free");
    for list in lists {
        list.abort();
    }
}
