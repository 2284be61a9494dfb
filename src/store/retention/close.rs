//! The deliveries of events that go: found by the time in their ids, and what has been open of them for too long given
//! up. What is under way, or was made later (resent, or of an output that has waited), keeps its event.

use std::collections::{BTreeSet, HashSet};

use serde_json::json;

use super::super::backend::Tx;
use super::super::mail_matter::{self, Happened};
use super::super::operational::{self, Topic};
use super::super::order::{self, Queue};
use super::super::record::{Lost, alerts_of};
use super::super::row::record;
use super::super::values::{Columns, Kind, Rows, Shape, args, values};
use super::super::{Error, Store};
use super::{DELIVERIES_MAX, refs};
use crate::model::{AccountId, DeliveryId, EndpointId, EventId, Failure, OrderKey, Timestamp};

/// A delivery of an event that goes.
pub(super) struct Found {
    pub(super) id: DeliveryId,
    pub(super) event: EventId,
    endpoint: EndpointId,
    state: String,
    attempts_made: i64,
    order: Option<OrderKey>,
    created_at: Timestamp,
    /// Set, if it is of a test: nothing of that is told.
    test: Option<i64>,
}

record!(Found {
    id: "id",
    event: "event_id",
    endpoint: "endpoint_id",
    state: "state",
    attempts_made: "attempts_made",
    order: "order_key",
    created_at: "created_at_ms",
    test: "test",
});

impl Found {
    /// Whether it was for so long that nobody waits for it any more: it was made before this time, and is not under
    /// way just now.
    fn is_over(&self, before: Timestamp) -> bool {
        matches!(self.state.as_str(), "pending" | "held") && self.created_at < before
    }
}

/// The deliveries of a number of events.
pub(super) struct Deliveries {
    /// By id.
    pub(super) rows: Vec<Found>,
    /// Those with lower ids are all there, and resent ones, too; `None`: that is all of them.
    covered: Option<DeliveryId>,
}

impl Deliveries {
    /// Whether that is all of them.
    pub(super) fn is_whole(&self) -> bool {
        self.covered.is_none()
    }

    /// Leaves out the events of which there is, or may be, a delivery among these that is not over.
    pub(super) fn spare(&self, events: &mut Vec<EventId>, before: Timestamp) {
        let needed = self.rows.iter().filter(|row| !row.is_over(before));
        let needed: HashSet<EventId> = needed.map(|row| row.event).collect();
        events.retain(|event| !needed.contains(event));
        self.keep_known(events);
    }

    /// Leaves out the events of which there may be more deliveries than these.
    pub(super) fn keep_known(&self, events: &mut Vec<EventId>) {
        if let Some(covered) = self.covered {
            events.retain(|event| DeliveryId::range_of(*event).1 < covered);
        }
    }
}

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that may still be sent.
    Open,
    All,
}

impl Which {
    /// What the deliveries `d` must be.
    const fn condition(self) -> &'static str {
        match self {
            Self::Open => "d.state IN ('pending', 'held', 'claimed')",
            Self::All => "TRUE",
        }
    }

    /// Resent ones, whose ids tell the time at which they were resent.
    const fn resent(self) -> &'static str {
        match self {
            Self::Open => RESENT_OPEN_SQL,
            Self::All => RESENT_SQL,
        }
    }
}

const COLUMNS: &str = "d.id, d.event_id, d.endpoint_id, d.state, d.attempts_made, d.order_key, d.created_at_ms, d.test";

const RESENT_SQL: &str = "
    SELECT d.id, d.event_id, d.endpoint_id, d.state, d.attempts_made, d.order_key, d.created_at_ms, d.test
    FROM v JOIN deliveries d ON d.account_id = v.account_id AND d.event_id = v.event_id
    WHERE d.resend_of IS NOT NULL LIMIT 2000";

const RESENT_OPEN_SQL: &str = "
    SELECT d.id, d.event_id, d.endpoint_id, d.state, d.attempts_made, d.order_key, d.created_at_ms, d.test
    FROM v JOIN deliveries d ON d.account_id = v.account_id AND d.event_id = v.event_id
    WHERE d.resend_of IS NOT NULL AND d.state IN ('pending', 'held', 'claimed') LIMIT 2000";

/// Some deliveries of these events, which are in their order; those that were planned with them first.
pub(super) async fn find(
    tx: &mut Tx,
    account: AccountId,
    events: &[EventId],
    which: Which,
) -> Result<Deliveries, Error> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Ok(Deliveries {
            rows: Vec::new(),
            covered: None,
        });
    };
    let wanted: HashSet<EventId> = events.iter().copied().collect();
    let (low, high) = (
        DeliveryId::range_of(*first).0,
        DeliveryId::range_of(*last).1,
    );
    let sql = format!(
        "SELECT {COLUMNS} FROM deliveries d
         WHERE d.account_id = $1 AND d.id BETWEEN $2 AND $3 AND {} ORDER BY d.id LIMIT $4",
        which.condition()
    );
    let (mut rows, mut from, mut whole) = (Vec::<Found>::new(), low, false);
    // Between them there may be those of events that stay.
    while !whole && rows.len() < DELIVERIES_MAX {
        let args = args![account, from, high, DELIVERIES_MAX];
        let page: Vec<Found> = tx.fetch(&sql, args).await?;
        whole = page.len() < DELIVERIES_MAX;
        from = page.last().map_or(high, |last| last.id.after());
        rows.extend(page.into_iter().filter(|row| wanted.contains(&row.event)));
    }
    let resent: Vec<Found> = tx
        .fetch_rows(refs(account, events), Shape::Query(which.resent()))
        .await?;
    let covered = match (resent.len() < DELIVERIES_MAX, whole) {
        (true, true) => None,
        (true, false) => Some(from),
        (false, _) => Some(DeliveryId::from_uuid(uuid::Uuid::nil())),
    };
    rows.extend(resent);
    rows.sort_by_key(|row| row.id);
    rows.dedup_by_key(|row| row.id);
    Ok(Deliveries { rows, covered })
}

const DELIVERY_REFS: Columns = &[("account_id", Kind::Uuid), ("id", Kind::Uuid)];

const STILL_OPEN_SQL: &str = "
    SELECT d.id, d.event_id, d.endpoint_id, d.state, d.attempts_made, d.order_key, d.created_at_ms, d.test
    FROM v JOIN deliveries d ON d.account_id = v.account_id AND d.id = v.id
    WHERE d.state IN ('pending', 'held')";

const CLOSED_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("state", Kind::Text),
    ("failure", Kind::Text),
    ("due_at_ms", Kind::Int),
    ("settled_at_ms", Kind::Int),
    ("order_key", Kind::Uuid),
    ("order_no", Kind::Int),
];

/// Whether anybody asks to be told what became of deliveries: an automation that is live names such an event.
const LISTENS_SQL: &str = "
    SELECT p.version FROM publications p JOIN automation_versions v ON v.account_id = p.account_id
      AND v.automation_id = p.automation_id AND v.version = p.version
    WHERE p.account_id = $1 AND p.to_revision IS NULL AND v.definition LIKE '%\"throwbar.%' LIMIT 1";

impl Store {
    /// Gives up those of the deliveries that are over, as `expired`, and tells it. How many, and the endpoints at which
    /// something behind them is due now.
    pub(super) async fn expire(
        &self,
        tx: &mut Tx,
        account: AccountId,
        found: &Deliveries,
        (before, now): (Timestamp, Timestamp),
    ) -> Result<(u64, Vec<EndpointId>), Error> {
        let over = found.rows.iter().filter(|row| row.is_over(before));
        let open: Vec<&Found> = over.collect();
        if open.is_empty() {
            return Ok((0, Vec::new()));
        }
        // Whoever plans or records has these locks before those of deliveries, too.
        let queue = |row: &&Found| -> Option<Queue> { Some((account, row.endpoint, row.order?)) };
        let queues: BTreeSet<Queue> = open.iter().filter_map(queue).collect();
        order::hold(tx, &queues).await?;
        let mut known = Rows::new(DELIVERY_REFS, open.len());
        for row in &open {
            known.push(values![account, row.id]);
        }
        // Meanwhile one may have been claimed.
        let still_open = Shape::Lock {
            query: STILL_OPEN_SQL,
            of: "d",
        };
        let open: Vec<Found> = tx.fetch_rows(known, still_open).await?;
        let mut closed = Rows::new(CLOSED_COLUMNS, open.len());
        let (failed, why) = ("failed", Failure::Expired);
        for row in &open {
            closed.push(values![
                account,
                row.id,
                failed,
                why.as_str(),
                None::<i64>,
                now,
                None::<OrderKey>,
                None::<i64>
            ]);
        }
        let close = Shape::Update {
            table: "deliveries",
            key: 2,
            set: "",
            only_if: "",
        };
        tx.execute_rows(closed, close).await?;
        let due = order::release(tx, queues).await?;
        let told = || open.iter().filter(|row| row.test.is_none());
        let failures = told().map(|row| Happened {
            account,
            endpoint: row.endpoint,
            topic: Topic::DeliveryFailed,
            at: now,
            says: json!({ "delivery": row.id, "why": why, "attempts_made": row.attempts_made }),
        });
        mail_matter::note(tx, failures).await?;
        let listens: Vec<(i64,)> = tx.fetch(LISTENS_SQL, args![account]).await?;
        if !listens.is_empty() {
            let lost = told().map(|row| Lost {
                account,
                delivery: row.id,
                endpoint: row.endpoint,
                attempts_made: row.attempts_made,
                at: now,
                why,
            });
            let alerts = alerts_of(tx, &lost.collect::<Vec<_>>()).await?;
            operational::tell(tx, self.own_holder(), alerts).await?;
        }
        Ok((
            open.len() as u64,
            due.into_iter().map(|(_, endpoint)| endpoint).collect(),
        ))
    }
}
