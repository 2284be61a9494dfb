//! The claim's plan, pinned: with thousands of rows it seeks in the index of what waits and never
//! reads the table.

use throwbar::model::{AccountId, EndpointId, EventId, MissedState};
use throwbar::store::{AttemptFilter, ClaimRequest, MissedSpan, OutcomeFilter, Store};

use super::{claim, somebody};
use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{Engine, TestStore, ok, on_both};

const ENDPOINTS: usize = 20;
const EACH: usize = 200;

/// Thousands of deliveries, of which half wait.
async fn fill(store: &Store) -> (AccountId, EndpointId) {
    let own = making::account(store).await;
    let start = now();
    let mut last = EndpointId::mint(start);
    for _ in 0..ENDPOINTS {
        last = making::stored_endpoint(store, own).await;
        let event = making::event(own, "1");
        let deliveries = (0..EACH)
            .map(|no| {
                making::delivery(
                    event.id,
                    last,
                    (no % 2 == 0).then(|| start.plus_ms(no as i64)),
                )
            })
            .collect();
        let plans = vec![making::plan(own, event.id, deliveries)];
        ok(store.write(somebody(), &batch::plans(plans))).await;
    }
    (own, last)
}

#[tokio::test]
async fn the_look_for_due_endpoints_goes_from_seek_to_seek() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        fill(&place.store).await;
        place.execute("ANALYZE").await;
        let plan = ok(place.store.explain_due_endpoints()).await;
        match engine {
            Engine::Sqlite => {
                let seek =
                    "SEARCH p USING COVERING INDEX deliveries_due ((account_id,endpoint_id)>(?,?))";
                assert_eq!(plan.matches(seek).count(), 2, "{plan}");
                let found = "SEARCH n USING PRIMARY KEY (account_id=? AND id=?)";
                assert!(plan.contains(found), "{plan}");
            }
            Engine::Postgres => {
                // A pair that no index looks up is tried on every row, for each endpoint.
                assert!(!plan.contains("Join Filter"), "{plan}");
                assert!(!plan.contains("Seq Scan on deliveries"), "{plan}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_claim_seeks_in_the_index_of_what_waits() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let (account, endpoint) = fill(&place.store).await;
        let retries = "UPDATE deliveries SET attempts_made = 1
                       WHERE state = 'pending' AND due_at_ms / 2 % 8 <> 0";
        place.execute(retries).await;
        place.execute("ANALYZE").await;
        let request = ClaimRequest {
            account,
            endpoint,
            now: now().plus_ms(1_000),
            limit: 32,
            first: 0,
        };
        let plans = ok(place.store.explain_claim(&request)).await;
        for (plan, index) in plans.iter().zip(["deliveries_due", "deliveries_first"]) {
            let (seek, walk) = match engine {
                Engine::Sqlite => (
                    format!("INDEX {index} (account_id=? AND endpoint_id=? AND due_at_ms<?)"),
                    "SCAN deliveries",
                ),
                Engine::Postgres => (
                    format!("Index Scan using {index} on deliveries"),
                    "Seq Scan on deliveries",
                ),
            };
            assert!(plan.contains(&seek), "{plan}");
            assert!(!plan.contains(walk), "{plan}");
            assert!(
                !plan.to_uppercase().contains("TEMP B-TREE"),
                "the index gives the order:\n{plan}"
            );
        }
        assert_eq!(
            claim(&place.store, somebody(), request)
                .await
                .deliveries
                .len(),
            32
        );
    })
    .await;
}

#[tokio::test]
async fn what_was_missed_is_sought_in_the_index_of_its_state() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let (account, endpoint) = fill(&place.store).await;
        place
            .execute("UPDATE deliveries SET state = 'failed', failure = 'gone', holder = NULL WHERE state = 'claimed'")
            .await;
        let hold = "UPDATE deliveries SET state = 'held', due_at_ms = NULL
                    WHERE state = 'pending' AND due_at_ms / 4 % 2 = 0";
        place.execute(hold).await;
        place.execute("ANALYZE").await;
        let span = MissedSpan {
            endpoint,
            from: EventId::first_at(now().plus_ms(-60_000)),
            before: EventId::first_at(now().plus_ms(60_000)),
            after: None,
        };
        for (state, index) in [
            (MissedState::Failed, "deliveries_failed"),
            (MissedState::Held, "deliveries_held"),
        ] {
            let plan = ok(place.store.explain_missed(account, &span, state)).await;
            assert!(plan.contains(index), "{plan}");
            assert!(!plan.contains("Seq Scan on deliveries"), "{plan}");
            assert!(!plan.contains("SCAN deliveries"), "{plan}");
            let found = ok(place.store.missed(account, &span, state, 500)).await;
            assert!(!found.is_empty(), "{state:?}");
            assert!(found.is_sorted_by_key(|missed| missed.id), "in their order");
        }
    })
    .await;
}

#[tokio::test]
async fn what_has_failed_is_sought_in_an_index_of_its_own() {
    on_both(async |engine| {
        let place = TestStore::open(engine).await;
        let (account, endpoint) = fill(&place.store).await;
        let well = "INSERT INTO attempts (account_id, delivery_id, id, no, status_code, started_at_ms, duration_ms, endpoint_id)
                    SELECT account_id, id, id, 1, 204, 0, 1, endpoint_id FROM deliveries";
        place.execute(well).await;
        place.execute("ANALYZE").await;
        let failed = AttemptFilter {
            outcome: Some(OutcomeFilter::Failed),
            ..AttemptFilter::default()
        };
        let there = AttemptFilter {
            endpoint: Some(endpoint),
            ..failed.clone()
        };
        for (filter, index) in [
            (AttemptFilter::default(), "attempts_by_time"),
            (failed, "attempts_failed"),
            (there, "attempts_failed_there"),
        ] {
            let plan = ok(place.store.explain_attempts(account, &filter)).await;
            assert!(plan.contains(index), "{plan}");
            assert!(!plan.to_uppercase().contains("TEMP B-TREE"), "{plan}");
        }
    })
    .await;
}
