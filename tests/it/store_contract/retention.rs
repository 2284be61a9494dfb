//! Sweeping: what is old goes in steps, with everything of it and nothing else, whoever takes them.

use bytes::Bytes;
use throwbar::model::{AccountId, EventId, Timestamp};
use throwbar::store::{NewBody, Phase, Store, Swept};

use super::{accept, delivery, planned, somebody, state, waiting, write};
use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{Engine, TestStore, ok, on_both, some};

/// Long after everything here.
fn later() -> Timestamp {
    now().plus_ms(3_600_000)
}

/// All steps that there are; what went with them.
async fn sweep(store: &Store, account: AccountId, phase: Phase) -> Swept {
    let mut all = Swept::default();
    loop {
        let one = ok(store.sweep(account, (phase, later()), now())).await;
        all.payloads += one.payloads;
        all.events += one.events;
        all.deliveries += one.deliveries;
        all.expired += one.expired;
        if !one.more {
            return all;
        }
    }
}

/// An event with a delivery and a body, all of it on record.
async fn evaluated(store: &Store, account: AccountId) -> EventId {
    let endpoint = making::stored_endpoint(store, account).await;
    let event = making::keyed(account, "theirs", 1);
    accept(store, &event).await;
    let mut plan = making::plan(
        account,
        event.id,
        vec![making::delivery(event.id, endpoint, Some(now()))],
    );
    plan.bodies.push(NewBody {
        automation: plan.deliveries[0].automation,
        output_no: 0,
        event_type: "deal.won".to_owned(),
        headers: None,
        content: Bytes::from_static(b"{}"),
    });
    write(store, &batch::plans(vec![plan])).await;
    event.id
}

#[tokio::test]
async fn a_payload_goes_and_what_is_open_of_it_is_given_up() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let account = making::account(store).await;
        let endpoint = making::stored_endpoint(store, account).await;
        let waits = waiting(store, account, endpoint, later()).await;
        let under_way = planned(store, somebody(), (account, endpoint), None).await;
        let held = waiting(store, account, endpoint, now()).await;
        // The second one is due now, and its endpoint switched off.
        place
            .execute(
                "UPDATE deliveries SET state = 'held', due_at_ms = NULL
                WHERE due_at_ms = (SELECT MIN(due_at_ms) FROM deliveries)",
            )
            .await;
        assert_eq!(state(store, account, held).await, "held");
        let unplanned = making::event(account, "{}");
        accept(store, &unplanned).await;

        let swept = sweep(store, account, Phase::Payloads).await;
        assert_eq!((swept.payloads, swept.expired), (2, 2));
        for id in [waits, held] {
            let row = delivery(store, account, id).await;
            assert_eq!(
                (row.state.as_str(), row.failure.as_deref()),
                ("failed", Some("expired"))
            );
            assert!(row.due_at.is_none() && row.settled_at.is_some());
            let event = some(store.event(account, row.event)).await;
            assert!(!event.has_payload());
        }
        assert_eq!(state(store, account, under_way).await, "claimed");
        let kept = some(store.event(account, unplanned.id)).await;
        assert!(kept.has_payload(), "it waits to be evaluated");

        let again = sweep(store, account, Phase::Payloads).await;
        assert_eq!(again, Swept::default(), "once is enough");
        let plan = making::plan(account, unplanned.id, Vec::new());
        write(store, &batch::plans(vec![plan])).await;
        let next_day = now().plus_ms(25 * 3_600_000);
        let swept = ok(store.sweep(account, (Phase::Payloads, later()), next_day)).await;
        assert_eq!(swept.payloads, 1, "the walk has begun again");
    })
    .await;
}

#[tokio::test]
async fn everything_of_an_event_goes_with_it_and_nothing_of_another() {
    const OF_EVENTS: &str = "SELECT (SELECT COUNT(*) FROM events) + (SELECT COUNT(*) FROM evaluations)
        + (SELECT COUNT(*) FROM bodies) + (SELECT COUNT(*) FROM deliveries) + (SELECT COUNT(*) FROM attempts)
        + (SELECT COUNT(*) FROM event_keys) + (SELECT COUNT(*) FROM inbox) + (SELECT COUNT(*) FROM causes)";
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let [own, other] = [making::account(store).await, making::account(store).await];
        for account in [own, other] {
            evaluated(store, account).await;
        }
        assert_eq!(place.number(OF_EVENTS).await, 10);
        let early = (Phase::Log, now().plus_ms(-60_000));
        assert_eq!(ok(store.sweep(own, early, now())).await, Swept::default());

        let swept = sweep(store, own, Phase::Log).await;
        assert_eq!((swept.events, swept.deliveries), (1, 1));
        assert_eq!(place.number(OF_EVENTS).await, 5);
        let again = making::keyed(own, "theirs", 2);
        assert!(
            matches!(
                accept(store, &again).await,
                throwbar::store::Accepted::New { .. }
            ),
            "its name is free again"
        );
    })
    .await;
}

#[tokio::test]
async fn several_nodes_sweep_the_same_and_each_event_goes_once() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let account = making::account(store).await;
        let events: Vec<_> = (0..1_500).map(|_| making::event(account, "{}")).collect();
        let plans = events
            .iter()
            .map(|event| making::plan(account, event.id, Vec::new()))
            .collect();
        write(store, &batch::accepts(events)).await;
        write(store, &batch::plans(plans)).await;
        let others = match engine {
            Engine::Sqlite => store.clone(),
            Engine::Postgres => place.another().await,
        };
        let (mut gone, mut rounds) = (0, 0);
        while gone < 1_500 {
            let one = || store.sweep(account, (Phase::Log, later()), now());
            let two = || others.sweep(account, (Phase::Log, later()), now());
            let (first, second) = tokio::join!(one(), two());
            gone += first.expect("swept").events + second.expect("swept").events;
            rounds += 1;
            assert!(rounds < 100, "{gone} of 1500");
        }
        assert_eq!(gone, 1_500);
        assert_eq!(place.number("SELECT COUNT(*) FROM events").await, 0);
        assert_eq!(place.number("SELECT COUNT(*) FROM evaluations").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_step_finds_its_events_by_the_primary_key() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let store = &place.store;
        let account = making::account(store).await;
        for _ in 0..3 {
            let events = (0..1_000).map(|_| making::event(account, "{}")).collect();
            write(store, &batch::accepts(events)).await;
        }
        place.execute("ANALYZE").await;
        for phase in [Phase::Payloads, Phase::Log] {
            let plan = ok(store.explain_sweep(account, phase, later())).await;
            let (seek, walk) = match engine {
                Engine::Sqlite => (
                    "USING PRIMARY KEY (account_id=? AND id>? AND id<?)",
                    "SCAN events",
                ),
                Engine::Postgres => ("Index Scan using events_pkey", "Seq Scan"),
            };
            assert!(plan.contains(seek), "{phase:?}: {plan}");
            assert!(!plan.contains(walk), "{phase:?}: {plan}");
        }
    })
    .await;
}
