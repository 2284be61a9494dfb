//! What the store promises, on both engines: each public method, with the rows that matter to it.
//!
//! A test tells one promise and runs on SQLite and on a real PostgreSQL, so that every statement
//! runs on both.

mod accepting;
mod accounts;
mod automations;
mod broken_off;
mod claiming;
mod counts;
mod endpoints;
mod event_types;
mod fence;
mod flow;
mod hints;
mod jobs;
mod lives;
mod made;
mod marks;
mod order;
mod planning;
mod plugins;
mod query_plans;
mod reading;
mod repeats;
mod replies;
mod retention;
mod rulebook;
mod schedules;
mod snapshots;
mod sources;
mod takeover;
mod tallies;
mod variables;
mod versions;

use throwbar::model::{AccountId, DeliveryId, EndpointId, IncarnationId, Timestamp};
use throwbar::store::{Batch, BatchOutcome, Claim, ClaimRequest, Delivery, NewEvent, Store};

use crate::support::batch;
use crate::support::making::{self, now};
use crate::support::store::{ok, some};

/// Somebody's life, where it does not matter whose.
fn somebody() -> IncarnationId {
    IncarnationId::mint(now())
}

async fn write(store: &Store, batch: &Batch) -> BatchOutcome {
    ok(store.write(somebody(), batch)).await
}

/// Accepts one event.
async fn accept(store: &Store, event: &NewEvent) -> throwbar::store::Accepted {
    let batch = batch::accepts(vec![event.clone()]);
    write(store, &batch).await.accepted[0]
}

/// Plans one delivery of a new event, waiting since `due_at`.
async fn waiting(
    store: &Store,
    account: AccountId,
    endpoint: EndpointId,
    due_at: Timestamp,
) -> DeliveryId {
    planned(store, somebody(), (account, endpoint), Some(due_at)).await
}

/// Plans one delivery of a new event; claimed by `holder` if it is not due.
async fn planned(
    store: &Store,
    holder: IncarnationId,
    to: (AccountId, EndpointId),
    due_at: Option<Timestamp>,
) -> DeliveryId {
    let event = making::event(to.0, "{}");
    let delivery = making::delivery(event.id, to.1, due_at);
    let id = delivery.id;
    let plan = making::plan(to.0, event.id, vec![delivery]);
    for batch in [batch::accepts(vec![event]), batch::plans(vec![plan])] {
        ok(store.write(holder, &batch)).await;
    }
    id
}

/// Claims what is due by now at one endpoint.
async fn claim(store: &Store, holder: IncarnationId, request: ClaimRequest) -> Claim {
    let batch = Batch {
        claims: vec![request],
        ..Batch::default()
    };
    ok(store.write(holder, &batch)).await.claims.remove(0)
}

async fn delivery(store: &Store, account: AccountId, id: DeliveryId) -> Delivery {
    some(store.delivery(account, id)).await
}

async fn state(store: &Store, account: AccountId, id: DeliveryId) -> String {
    delivery(store, account, id).await.state
}
