//! Deliveries that keep an order: of a key's deliveries to an endpoint one is due, and the next once that is
//! settled, whoever writes at the same time.

use std::slice;

use throwbar::model::{
    AccountId, BEHIND, DeliveryId, DeliveryState, EndpointId, Failure, OrderKey, Timestamp,
};
use throwbar::store::{
    Batch, EndpointChange, EndpointState, NewEvent, NewPlan, NewRecord, Store, Switch,
};

use super::planning::record;
use super::{claim, delivery, somebody, write};
use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{TestStore, on_both, some};

type To = (AccountId, EndpointId);

/// A new event and its plan: one delivery with this key.
fn ordered(to: To, key: &str) -> (NewEvent, NewPlan, DeliveryId) {
    let event = making::event(to.0, "{}");
    let mut delivery = making::delivery(event.id, to.1, Some(now()));
    delivery.order = Some(OrderKey::of(key));
    let id = delivery.id;
    let plan = making::plan(to.0, event.id, vec![delivery]);
    (event, plan, id)
}

/// Plans a delivery for each key, in one commit.
async fn plan(store: &Store, to: To, keys: &[&str]) -> Vec<DeliveryId> {
    let mut accepts = Vec::new();
    let mut plans = Vec::new();
    let mut ids = Vec::new();
    for key in keys {
        let (event, plan, id) = ordered(to, key);
        accepts.push(event);
        plans.push(plan);
        ids.push(id);
    }
    // The order is that of the plans, whatever their ids are.
    plans.reverse();
    ids.reverse();
    write(store, &batch::accepts(accepts)).await;
    write(store, &batch::plans(plans)).await;
    ids
}

/// Takes all that is due.
async fn take(store: &Store, to: To) -> Vec<DeliveryId> {
    let request = throwbar::store::ClaimRequest {
        account: to.0,
        endpoint: to.1,
        now: now(),
        limit: 100,
        first: 0,
    };
    let claimed = claim(store, somebody(), request).await.deliveries;
    claimed.iter().map(|delivery| delivery.id).collect()
}

fn attempted(to: To, delivery: DeliveryId, key: &str, next: DeliveryState) -> NewRecord {
    NewRecord {
        order: Some(OrderKey::of(key)),
        ..record(to, delivery, next)
    }
}

/// Records what came of a claimed delivery; at which endpoints another may go now.
async fn settle(store: &Store, record: NewRecord) -> Vec<To> {
    let batch = Batch {
        records: batch::shared(vec![record]),
        ..Batch::default()
    };
    write(store, &batch).await.released
}

async fn endpoint(store: &Store) -> To {
    let account = making::account(store).await;
    (account, making::stored_endpoint(store, account).await)
}

#[tokio::test]
async fn of_a_key_one_is_due_and_others_are_not_held_up() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let to = endpoint(store).await;
        let beside = (to.0, making::stored_endpoint(store, to.0).await);
        let deal = plan(store, to, &["deal", "deal", "deal"]).await;
        let other = plan(store, to, &["call"]).await;
        let elsewhere = plan(store, beside, &["deal"]).await;
        let mut due = take(store, to).await;
        due.sort();
        let mut first = vec![deal[0], other[0]];
        first.sort();
        assert_eq!(due, first, "one of each key");
        assert_eq!(take(store, beside).await, elsewhere);
        assert_eq!(delivery(store, to.0, deal[1]).await.due_at, Some(BEHIND));

        let at = now();
        let delivered = attempted(to, deal[0], "deal", DeliveryState::Delivered { at });
        assert_eq!(settle(store, delivered).await, [to]);
        assert_eq!(take(store, to).await, [deal[1]]);
        let why = Failure::Exhausted;
        let failed = attempted(to, deal[1], "deal", DeliveryState::Failed { at, why });
        assert_eq!(
            settle(store, failed).await,
            [to],
            "a failure lets the next go"
        );
        assert_eq!(take(store, to).await, [deal[2]]);
        let last = attempted(to, deal[2], "deal", DeliveryState::Delivered { at });
        assert_eq!(settle(store, last).await, []);
        let again = plan(store, to, &["deal"]).await;
        assert_eq!(
            take(store, to).await,
            again,
            "an empty queue holds nobody up"
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_only_postponed_or_held_lets_nobody_past() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        for next in [
            DeliveryState::Pending {
                due_at: now().plus_ms(5_000),
            },
            DeliveryState::Held,
        ] {
            let to = endpoint(store).await;
            let ids = plan(store, to, &["deal", "deal"]).await;
            assert_eq!(take(store, to).await, ids[..1]);
            let record = attempted(to, ids[0], "deal", next);
            assert_eq!(settle(store, record).await, [], "{next:?}");
            plan(store, to, &["deal"]).await;
            assert_eq!(take(store, to).await, [], "{next:?}");
        }
        let to = endpoint(store).await;
        let ids = plan(store, to, &["deal", "deal"]).await;
        take(store, to).await;
        let cancelled = attempted(to, ids[0], "deal", DeliveryState::Cancelled);
        assert_eq!(settle(store, cancelled).await, [to]);
    })
    .await;
}

#[tokio::test]
async fn planned_twice_it_is_there_once() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let to = endpoint(store).await;
        let (event, planned, id) = ordered(to, "deal");
        write(store, &batch::accepts(vec![event])).await;
        for _ in 0..2 {
            write(store, &batch::plans(vec![planned.clone()])).await;
        }
        assert_eq!(take(store, to).await, [id]);
        let delivered = DeliveryState::Delivered { at: now() };
        write(store, &batch::plans(vec![planned])).await;
        assert_eq!(
            settle(store, attempted(to, id, "deal", delivered)).await,
            []
        );
        assert_eq!(take(store, to).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_delivery_that_comes_while_the_one_before_it_is_settled_is_not_left_behind() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let to = endpoint(store).await;
        let mut first = plan(store, to, &["deal"]).await[0];
        for _ in 0..30 {
            assert_eq!(take(store, to).await, slice::from_ref(&first));
            let (event, planned, next) = ordered(to, "deal");
            write(store, &batch::accepts(vec![event])).await;
            let planned = batch::plans(vec![planned]);
            let delivered = DeliveryState::Delivered {
                at: Timestamp::from_ms(1),
            };
            // Two nodes, each in a transaction of its own.
            tokio::join!(
                write(store, &planned),
                settle(store, attempted(to, first, "deal", delivered)),
            );
            first = next;
        }
    })
    .await;
}

async fn switch(store: &Store, to: To, state: EndpointState) {
    let change = EndpointChange {
        state: Some(state),
        ..EndpointChange::default()
    };
    some(store.change_endpoint(to.0, to.1, &change, now())).await;
}

const OFF: EndpointState = EndpointState::Disabled { why: "by_user" };

#[tokio::test]
async fn what_was_held_of_a_queue_is_due_again_once_it_is_switched_on() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let to = endpoint(store).await;
        let beside = (to.0, making::stored_endpoint(store, to.0).await);
        let ids = plan(store, to, &["deal", "deal"]).await;
        let elsewhere = plan(store, beside, &["deal"]).await;
        // One that keeps no order stays where it is, as always.
        let alone = super::waiting(store, to.0, to.1, now()).await;
        switch(store, to, OFF).await;
        assert_eq!(take(store, to).await, []);
        assert_eq!(delivery(store, to.0, ids[0]).await.state, "held");
        switch(store, to, EndpointState::Enabled).await;
        assert_eq!(take(store, to).await, ids[..1]);
        assert_eq!(delivery(store, to.0, alone).await.state, "held");
        let delivered = DeliveryState::Delivered { at: now() };
        let first = attempted(to, ids[0], "deal", delivered);
        assert_eq!(settle(store, first).await, [to]);

        switch(store, beside, OFF).await;
        some(store.switch_account(to.0, Switch::Off)).await;
        for to in [to, beside] {
            assert_eq!(take(store, to).await, []);
        }
        let due = some(store.switch_account(to.0, Switch::On)).await;
        assert_eq!(due, [to.1], "the other one is still off");
        assert_eq!(take(store, to).await, ids[1..]);
        switch(store, beside, EndpointState::Enabled).await;
        assert_eq!(take(store, beside).await, elsewhere);
    })
    .await;
}

#[tokio::test]
async fn however_many_queues_were_held_all_of_them_go_on() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let to = endpoint(store).await;
        let keys: Vec<String> = (0..1_100).map(|no| no.to_string()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        plan(store, to, &keys).await;
        switch(store, to, OFF).await;
        // A claim holds no more than it would take at most.
        for _ in 0..2 {
            assert_eq!(take(store, to).await, []);
        }
        switch(store, to, EndpointState::Enabled).await;
        let mut taken = 0;
        for _ in 0..keys.len().div_ceil(100) {
            taken += take(store, to).await.len();
        }
        assert_eq!(taken, keys.len());
    })
    .await;
}

#[tokio::test]
async fn what_is_held_while_it_is_switched_on_is_not_left_behind() {
    on_both(async |engine| {
        let TestStore { store, .. } = &TestStore::open(engine).await;
        let to = endpoint(store).await;
        for _ in 0..30 {
            let id = plan(store, to, &["deal"]).await[0];
            switch(store, to, OFF).await;
            let (taken, ()) =
                tokio::join!(take(store, to), switch(store, to, EndpointState::Enabled),);
            if taken.is_empty() {
                assert_eq!(take(store, to).await, [id]);
            }
            let delivered = DeliveryState::Delivered { at: now() };
            settle(store, attempted(to, id, "deal", delivered)).await;
        }
    })
    .await;
}
