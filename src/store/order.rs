//! Deliveries that keep an order: of those of one key to one endpoint (a *queue*) only the first open one is
//! ever due. The others are pending, due in the year 9999. What settles the first one gives the next its due
//! time, in the same transaction; what only postpones or holds it lets nobody past. One that is held is due again
//! with what switches its endpoint, or the account, on: nothing else would ever move its queue.
//!
//! Who adds to a queue and who takes from it must see each other, whichever nodes they are: both have the
//! queue's lock for the rest of their transaction.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::backend::Tx;
use super::batch::Batch;
use super::plan::NewPlan;
use super::record::NewRecord;
use super::values::{Columns, Kind, Rows, Shape, args, values};
use super::{Error, Store};
use crate::model::{AccountId, BEHIND, DeliveryState, EndpointId, OrderKey};

/// Whose deliveries to which endpoint keep an order with which key.
pub(super) type Queue = (AccountId, EndpointId, OrderKey);

const QUEUE_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("endpoint_id", Kind::Uuid),
    ("order_key", Kind::Uuid),
];

const SETTLED_COLUMNS: Columns = &[("account_id", Kind::Uuid), ("id", Kind::Uuid)];

const DELIVERY_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("endpoint_id", Kind::Uuid),
    ("output_no", Kind::Int),
    ("envelope", Kind::Text),
    ("webhook_id", Kind::Text),
    ("state", Kind::Text),
    ("due_at_ms", Kind::Int),
    ("created_at_ms", Kind::Int),
    ("order_key", Kind::Uuid),
    ("order_no", Kind::Int),
];

const LAST_SQL: &str = "
    SELECT v.account_id, v.endpoint_id, v.order_key, MAX(d.order_no) FROM v
    JOIN deliveries d ON d.account_id = v.account_id AND d.endpoint_id = v.endpoint_id
      AND d.order_key = v.order_key
    GROUP BY v.account_id, v.endpoint_id, v.order_key";

const RELEASE_SQL: &str = "
    UPDATE deliveries SET due_at_ms = created_at_ms FROM v
    WHERE deliveries.account_id = v.account_id AND deliveries.endpoint_id = v.endpoint_id
      AND deliveries.order_key = v.order_key AND deliveries.due_at_ms = 253402300799000
      AND deliveries.order_no = (SELECT MIN(d.order_no) FROM deliveries d
        WHERE d.account_id = v.account_id AND d.endpoint_id = v.endpoint_id AND d.order_key = v.order_key)
    RETURNING deliveries.account_id, deliveries.endpoint_id";

/// How many of the held ones one statement makes due: the first of as many queues.
const RECOVERED_MAX: usize = 1000;

/// The first of each queue to an endpoint, where that is held: no other one ever is.
const HELD_SQL: &str = "
    SELECT id FROM deliveries
    WHERE account_id = $1 AND endpoint_id = $2 AND state = 'held' AND order_key IS NOT NULL
    ORDER BY order_key LIMIT $3";

/// Enabled endpoints of an account at which such are held.
const HELD_AT_SQL: &str = "
    SELECT e.id FROM endpoints e
    WHERE e.account_id = $1 AND e.state = 'enabled' AND e.deleted_at_ms IS NULL
      AND EXISTS (SELECT 1 FROM deliveries d WHERE d.account_id = $1 AND d.endpoint_id = e.id
        AND d.state = 'held' AND d.order_key IS NOT NULL)";

impl Store {
    /// Makes what was held of the queues to an endpoint due again: it is switched on, or is and has more of them.
    /// How many; if there are more than one statement takes, whoever claims one of these goes on with it.
    pub(super) async fn recover(
        &self,
        tx: &mut Tx,
        to: (AccountId, EndpointId),
    ) -> Result<u64, Error> {
        let sql = format!(
            "UPDATE deliveries SET state = 'pending', due_at_ms = created_at_ms
             WHERE account_id = $1 AND id {}",
            self.backend.one_of(HELD_SQL)
        );
        tx.execute(&sql, args![to.0, to.1, RECOVERED_MAX]).await
    }

    /// The same at all endpoints of an account that is switched on; at which there was something.
    pub(super) async fn recover_all(
        &self,
        tx: &mut Tx,
        account: AccountId,
    ) -> Result<Vec<EndpointId>, Error> {
        let held: Vec<(EndpointId,)> = tx.fetch(HELD_AT_SQL, args![account]).await?;
        for (endpoint,) in &held {
            self.recover(tx, (account, *endpoint)).await?;
        }
        Ok(held.into_iter().map(|row| row.0).collect())
    }
}

/// Takes the locks of the queues that the batch adds to or takes from, in their order.
pub(super) async fn lock(tx: &mut Tx, batch: &Batch) -> Result<BTreeSet<Queue>, Error> {
    let settled = batch.records.iter().filter_map(|record| left(record));
    let added = batch.plans.iter().flat_map(|plan| {
        let queue = |(endpoint, order): (EndpointId, OrderKey)| (plan.account, endpoint, order);
        let kept = plan.deliveries.iter();
        kept.filter_map(|delivery| Some((delivery.endpoint, delivery.order?)))
            .map(queue)
    });
    let queues: BTreeSet<Queue> = settled.chain(added).collect();
    hold(tx, &queues).await?;
    Ok(queues)
}

/// Takes the locks of these queues, in their order.
pub(super) async fn hold(tx: &mut Tx, queues: &BTreeSet<Queue>) -> Result<(), Error> {
    if queues.is_empty() {
        return Ok(());
    }
    let locks = queues.iter().map(|(account, endpoint, order)| {
        let (high, low) = order.uuid().as_u64_pair();
        let (_, account) = account.uuid().as_u64_pair();
        let (_, endpoint) = endpoint.uuid().as_u64_pair();
        (high ^ low ^ account ^ endpoint.rotate_left(32)).cast_signed()
    });
    tx.lock(locks.collect()).await
}

/// Adds the deliveries of the plans that keep an order, each behind those of its queue, in the order in which
/// they were planned.
pub(super) async fn insert(tx: &mut Tx, plans: &[Arc<NewPlan>]) -> Result<(), Error> {
    let ordered = || {
        plans.iter().flat_map(|plan| {
            let kept = plan.deliveries.iter();
            kept.filter_map(move |delivery| Some((plan, delivery, delivery.order?)))
        })
    };
    let queues: BTreeSet<Queue> = ordered()
        .map(|(plan, delivery, order)| (plan.account, delivery.endpoint, order))
        .collect();
    if queues.is_empty() {
        return Ok(());
    }
    let last: Vec<(AccountId, EndpointId, OrderKey, i64)> =
        tx.fetch_rows(rows(&queues), Shape::Query(LAST_SQL)).await?;
    let mut last: HashMap<Queue, i64> = last
        .into_iter()
        .map(|(account, endpoint, order, no)| ((account, endpoint, order), no))
        .collect();
    let mut deliveries = Rows::new(DELIVERY_COLUMNS, queues.len());
    for (plan, delivery, order) in ordered() {
        let no = last
            .entry((plan.account, delivery.endpoint, order))
            .or_default();
        *no += 1;
        deliveries.push(values![
            plan.account,
            delivery.id,
            plan.event,
            delivery.automation,
            delivery.endpoint,
            delivery.output_no.map(i64::from),
            delivery.envelope.as_str(),
            delivery.webhook_id.clone(),
            "pending",
            BEHIND,
            plan.evaluated_at,
            order,
            *no
        ]);
    }
    let into = Shape::Insert {
        into: "deliveries",
        tail: "ON CONFLICT DO NOTHING",
    };
    tx.execute_rows(deliveries, into).await
}

/// Takes what is settled out of its queue.
pub(super) async fn settle(tx: &mut Tx, records: &[&NewRecord]) -> Result<(), Error> {
    let mut settled = Rows::new(SETTLED_COLUMNS, 0);
    for record in records {
        if left(record).is_some() {
            settled.push(values![record.account, record.delivery]);
        }
    }
    if settled.is_empty() {
        return Ok(());
    }
    let leave = Shape::Update {
        table: "deliveries",
        key: 2,
        set: "order_key = NULL, order_no = NULL",
        only_if: "deliveries.holder IS NULL AND deliveries.due_at_ms IS NULL",
    };
    tx.execute_rows(settled, leave).await
}

/// Gives what is now the first of these queues its due time. At which endpoints that was done.
pub(super) async fn release(
    tx: &mut Tx,
    queues: BTreeSet<Queue>,
) -> Result<Vec<(AccountId, EndpointId)>, Error> {
    if queues.is_empty() {
        return Ok(Vec::new());
    }
    tx.fetch_rows(rows(&queues), Shape::Query(RELEASE_SQL))
        .await
}

/// The queue that the delivery leaves, if it keeps an order and is settled.
fn left(record: &NewRecord) -> Option<Queue> {
    let order = record.order?;
    match record.next {
        DeliveryState::Delivered { .. }
        | DeliveryState::Failed { .. }
        | DeliveryState::Cancelled => Some((record.account, record.endpoint, order)),
        DeliveryState::Pending { .. } | DeliveryState::Claimed { .. } | DeliveryState::Held => None,
    }
}

fn rows(queues: &BTreeSet<Queue>) -> Rows {
    let mut rows = Rows::new(QUEUE_COLUMNS, queues.len());
    for (account, endpoint, order) in queues {
        rows.push(values![*account, *endpoint, *order]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_knows_what_is_behind() {
        assert!(RELEASE_SQL.contains(&format!("due_at_ms = {}\n", BEHIND.as_ms())));
    }
}
