//! Claiming: in order, up to a limit, through the gate, and nobody takes what another takes.

use std::collections::BTreeSet;

use throwbar::envelope::Envelope;
use throwbar::model::{AccountId, DeliveryId, EndpointId, Timestamp};
use throwbar::store::{ClaimRequest, EndpointChange, EndpointState, Store, Switch};

use super::{claim, delivery, planned, somebody, state, waiting};
use crate::support::making::{self, now};
use crate::support::store::{Engine, TestStore, ok, on_both, some};

fn request(to: (AccountId, EndpointId), now: Timestamp, limit: usize) -> ClaimRequest {
    ClaimRequest {
        account: to.0,
        endpoint: to.1,
        now,
        limit,
        first: 0,
    }
}

async fn an_endpoint(store: &Store) -> (AccountId, EndpointId) {
    let account = making::account(store).await;
    (account, making::stored_endpoint(store, account).await)
}

#[tokio::test]
async fn a_claim_takes_what_is_due_the_longest_due_first() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let to = an_endpoint(store).await;
        let beside = (to.0, making::stored_endpoint(store, to.0).await);
        let start = now();
        let mut by_delay = Vec::new();
        for delay_ms in [30, 10, 40, 20] {
            by_delay.push((
                delay_ms,
                waiting(store, to.0, to.1, start.plus_ms(delay_ms)).await,
            ));
        }
        let other = waiting(store, beside.0, beside.1, start).await;
        let already = planned(store, somebody(), to, None).await;
        by_delay.sort();
        let ids: Vec<DeliveryId> = by_delay.iter().map(|(_, id)| *id).collect();

        let holder = somebody();
        let nothing = claim(store, holder, request(to, start.plus_ms(9), 10)).await;
        assert!(nothing.deliveries.is_empty());
        assert_eq!(
            (nothing.next_due, nothing.kept_back),
            (Some(start.plus_ms(10)), 0)
        );

        let first = claim(store, holder, request(to, start.plus_ms(30), 2)).await;
        let taken: BTreeSet<_> = first
            .deliveries
            .iter()
            .map(|delivery| delivery.id)
            .collect();
        assert_eq!(taken, ids[..2].iter().copied().collect());
        assert_eq!(first.next_due, Some(start.plus_ms(30)));
        assert_eq!(first.revision, 3);
        let second = claim(store, holder, request(to, start.plus_ms(30), 2)).await;
        assert_eq!(
            second
                .deliveries
                .iter()
                .map(|delivery| delivery.id)
                .collect::<Vec<_>>(),
            ids[2..3]
        );
        assert_eq!(second.next_due, Some(start.plus_ms(40)));

        let row = delivery(store, to.0, ids[0]).await;
        assert_eq!(
            (row.state.as_str(), row.holder, row.due_at),
            ("claimed", Some(holder), None)
        );
        assert_eq!(first.deliveries[0].attempts_made, 0);
        assert_eq!(
            (&first.deliveries[0].envelope, first.deliveries[0].output_no),
            (&Ok(Envelope::Raw), None)
        );
        assert_eq!(state(store, to.0, ids[3]).await, "pending", "not due yet");
        assert_eq!(
            state(store, beside.0, other).await,
            "pending",
            "another endpoint's"
        );
        assert_ne!(
            delivery(store, to.0, already).await.holder,
            Some(holder),
            "another node's"
        );
    })
    .await;
}

#[tokio::test]
async fn a_part_of_a_claim_is_for_first_attempts_before_all_others() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let to = an_endpoint(store).await;
        let start = now();
        let mut ids = Vec::new();
        for no in 0..8 {
            ids.push(waiting(store, to.0, to.1, start.plus_ms(no)).await);
        }
        let then = start.plus_ms(6).as_ms();
        let retries = format!("UPDATE deliveries SET attempts_made = 1 WHERE due_at_ms < {then}");
        place.execute(&retries).await;
        let at = start.plus_ms(10);
        for (first, wanted) in [(1, [0, 1, 2, 6]), (4, [3, 4, 5, 7])] {
            let request = ClaimRequest {
                first,
                ..request(to, at, 4)
            };
            let claimed = claim(store, somebody(), request).await;
            let taken: BTreeSet<_> = claimed.deliveries.iter().map(|one| one.id).collect();
            let wanted: BTreeSet<_> = wanted.iter().map(|no| ids[*no]).collect();
            assert_eq!(taken, wanted, "{first} of 4");
        }
    })
    .await;
}

/// What is done to an endpoint or its account before the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Disabled,
    AccountOff,
    Removed,
    NeverThere,
}

#[tokio::test]
async fn the_gate_lets_through_holds_or_cancels() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        for (before, due, later) in [
            (Before::Nothing, "claimed", "pending"),
            (Before::Disabled, "held", "pending"),
            (Before::AccountOff, "held", "pending"),
            (Before::Removed, "cancelled", "cancelled"),
            (Before::NeverThere, "cancelled", "cancelled"),
        ] {
            let mut to = an_endpoint(store).await;
            if before == Before::NeverThere {
                to.1 = EndpointId::mint(now());
            }
            let start = now();
            let ids = [
                waiting(store, to.0, to.1, start).await,
                waiting(store, to.0, to.1, start.plus_ms(10)).await,
            ];
            prepare(store, to, before).await;
            let claim = claim(store, somebody(), request(to, start, 10)).await;
            assert_eq!(
                [
                    state(store, to.0, ids[0]).await,
                    state(store, to.0, ids[1]).await
                ],
                [due, later],
                "{before:?}"
            );
            assert_eq!(
                claim.deliveries.len(),
                usize::from(due == "claimed"),
                "{before:?}"
            );
            let kept_back = [due, later]
                .iter()
                .filter(|state| ["held", "cancelled"].contains(state))
                .count();
            assert_eq!(claim.kept_back, kept_back as u64, "{before:?}");
            assert_eq!(
                claim.next_due,
                (later == "pending").then(|| start.plus_ms(10)),
                "{before:?}"
            );
        }
    })
    .await;
}

async fn prepare(store: &Store, to: (AccountId, EndpointId), before: Before) {
    match before {
        Before::Nothing | Before::NeverThere => {}
        Before::Disabled => {
            let state = Some(EndpointState::Disabled { why: "by_user" });
            let change = EndpointChange {
                state,
                ..EndpointChange::default()
            };
            some(store.change_endpoint(to.0, to.1, &change, now())).await;
        }
        Before::AccountOff => {
            some(store.switch_account(to.0, Switch::Off)).await;
        }
        Before::Removed => assert!(ok(store.delete_endpoint(to.0, to.1, now())).await),
    }
}

#[tokio::test]
async fn endpoints_with_something_due_are_found_page_by_page_whatever_their_backlog() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let start = now();
        let mut wanted = Vec::new();
        for _ in 0..3 {
            let account = making::account(store).await;
            for backlog in 1..4 {
                let endpoint = making::stored_endpoint(store, account).await;
                for delay_ms in (1..=backlog).rev() {
                    waiting(store, account, endpoint, start.plus_ms(delay_ms)).await;
                }
                wanted.push((account, endpoint, start.plus_ms(1)));
            }
            // With nothing pending it is not found.
            let to = (account, making::stored_endpoint(store, account).await);
            planned(store, somebody(), to, None).await;
        }
        wanted.sort_by_key(|(account, endpoint, _)| (*account, *endpoint));
        for limit in [1, 2, 4, 9, 100] {
            let mut found = Vec::new();
            let mut after = None;
            loop {
                let page = ok(store.due_endpoints(after, limit)).await;
                assert!(page.len() <= limit);
                let Some(last) = page.last() else { break };
                after = Some((last.account, last.endpoint));
                found.extend(
                    page.iter()
                        .map(|due| (due.account, due.endpoint, due.due_at)),
                );
            }
            assert_eq!(found, wanted, "{limit} a page");
        }
    })
    .await;
}

#[tokio::test]
async fn two_nodes_that_claim_at_once_share_what_is_due() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let another = place.another().await;
        let to = an_endpoint(store).await;
        let start = now();
        let mut all = BTreeSet::new();
        for _ in 0..200 {
            all.insert(waiting(store, to.0, to.1, start).await);
        }
        let mut taken = Vec::new();
        while taken.len() < all.len() {
            let (here, there) = futures_util::future::join(
                Box::pin(claim(store, somebody(), request(to, start, 17))),
                Box::pin(claim(&another, somebody(), request(to, start, 17))),
            )
            .await;
            for claim in [here, there] {
                taken.extend(claim.deliveries.iter().map(|delivery| delivery.id));
            }
        }
        assert_eq!(taken.len(), all.len(), "nothing twice");
        assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), all);
    })
    .await;
}

#[tokio::test]
async fn a_claim_passes_by_what_another_node_is_taking() {
    use sqlx::{Connection, Executor, PgConnection};
    let place = TestStore::open(Engine::Postgres).await;
    let store = &place.store;
    let to = an_endpoint(store).await;
    let start = now();
    let locked = waiting(store, to.0, to.1, start).await;
    let free = waiting(store, to.0, to.1, start.plus_ms(1)).await;
    let mut other = PgConnection::connect(&place.url()).await.expect("open");
    let mut tx = other.begin().await.expect("begun");
    let row = sqlx::query("SELECT id FROM deliveries WHERE id = $1 FOR UPDATE").bind(locked.uuid());
    tx.execute(row).await.expect("locked");
    let claim = claim(store, somebody(), request(to, start.plus_ms(1), 10)).await;
    assert_eq!(
        claim
            .deliveries
            .iter()
            .map(|delivery| delivery.id)
            .collect::<Vec<_>>(),
        [free]
    );
    assert_eq!(
        claim.next_due,
        Some(start),
        "what the other one gives back is not forgotten"
    );
    tx.rollback().await.expect("given back");
}

#[tokio::test]
async fn what_is_held_for_a_removed_endpoint_is_found_and_cancelled() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let (kept, removed) = (an_endpoint(store).await, an_endpoint(store).await);
        let mut held = Vec::new();
        for to in [kept, removed] {
            prepare(store, to, Before::Disabled).await;
            held.push(waiting(store, to.0, to.1, now()).await);
            let claim = claim(store, somebody(), request(to, now(), 10)).await;
            assert_eq!(claim.kept_back, 1);
        }
        let left = async || ok(store.held_at_removed(None, 10)).await;
        assert_eq!(left().await, []);
        prepare(store, removed, Before::Removed).await;
        assert_eq!(left().await, [removed]);
        assert_eq!(ok(store.held_at_removed(Some(removed), 10)).await, []);
        for kept_back in [1, 0] {
            let claim = claim(store, somebody(), request(removed, now(), 10)).await;
            assert_eq!((claim.kept_back, claim.next_due), (kept_back, None));
        }
        assert_eq!(left().await, []);
        assert_eq!(state(store, kept.0, held[0]).await, "held");
        assert_eq!(state(store, removed.0, held[1]).await, "cancelled");
    })
    .await;
}
