//! The last that goes: events with all that is on record of them. Nothing that belongs to an event outlives it,
//! and none goes of which an attempt is under way.

use std::collections::HashSet;

use super::super::accept::KeyOf;
use super::super::backend::Tx;
use super::super::values::{Columns, Kind, Rows, Shape, values};
use super::super::{Error, Store};
use super::close::{Found, Which, find};
use super::{Stretch, Swept, delete_of, refs};
use crate::model::{AccountId, EventId, Timestamp};

/// What belongs to one event, by its id.
const TABLES: [&str; 6] = [
    "bodies",
    "event_violations",
    "evaluations",
    "flow_verdicts",
    "causes",
    // One that was set aside: nobody has looked at it for as long as anything is kept.
    "inbox",
];

const ATTEMPT_REFS: Columns = &[("account_id", Kind::Uuid), ("delivery_id", Kind::Uuid)];
const ROW_REFS: Columns = &[("account_id", Kind::Uuid), ("id", Kind::Uuid)];
const KEY_REFS: Columns = &[
    ("account_id", Kind::Uuid),
    ("kind", Kind::Text),
    ("key", Kind::Text),
    ("event_id", Kind::Uuid),
];

/// What their senders call the events.
const NAMED_SQL: &str = "
    SELECT e.id, e.client_id FROM v JOIN events e ON e.account_id = v.account_id AND e.id = v.event_id
    WHERE e.client_id IS NOT NULL";

impl Store {
    /// Deletes the events with everything of theirs. If they have too many deliveries for one step, some of those
    /// go, and the walk has not come further.
    pub(super) async fn sweep_log(
        &self,
        tx: &mut Tx,
        account: AccountId,
        stretch: &mut Stretch,
        now: Timestamp,
    ) -> Result<Swept, Error> {
        let found = find(tx, account, &stretch.events, Which::All).await?;
        let times = (stretch.before, now);
        let (expired, due) = self.expire(tx, account, &found, times).await?;
        let open = find(tx, account, &stretch.events, Which::Open).await?;
        open.spare(&mut stretch.events, Timestamp::from_ms(i64::MIN));
        let goes: HashSet<EventId> = stretch.events.iter().copied().collect();
        let gone: Vec<&Found> = found
            .rows
            .iter()
            .filter(|row| goes.contains(&row.event))
            .collect();
        let deliveries = gone.len() as u64;
        delete_deliveries(tx, account, &gone).await?;
        let mut swept = Swept {
            deliveries,
            expired,
            due,
            ..Swept::default()
        };
        if !found.is_whole() && deliveries > 0 {
            stretch.stay();
            return Ok(swept);
        }
        found.keep_known(&mut stretch.events);
        delete_keys(tx, account, &stretch.events).await?;
        delete_of(tx, account, &stretch.events, &TABLES).await?;
        let mut rows = Rows::new(ROW_REFS, stretch.events.len());
        for event in &stretch.events {
            rows.push(values![account, *event]);
        }
        tx.execute_rows(rows, Shape::Delete { from: "events" })
            .await?;
        swept.events = stretch.events.len() as u64;
        Ok(swept)
    }
}

async fn delete_deliveries(
    tx: &mut Tx,
    account: AccountId,
    deliveries: &[&Found],
) -> Result<(), Error> {
    for (columns, from) in [(ATTEMPT_REFS, "attempts"), (ROW_REFS, "deliveries")] {
        let mut rows = Rows::new(columns, deliveries.len());
        for delivery in deliveries {
            rows.push(values![account, delivery.id]);
        }
        tx.execute_rows(rows, Shape::Delete { from }).await?;
    }
    Ok(())
}

/// Deletes the names of events that are taken for as long as there is the event. Idempotency keys have gone by
/// themselves.
async fn delete_keys(tx: &mut Tx, account: AccountId, events: &[EventId]) -> Result<(), Error> {
    let mut named: Vec<(EventId, String)> = tx
        .fetch_rows(refs(account, events), Shape::Query(NAMED_SQL))
        .await?;
    // In the order in which whoever accepts takes them.
    named.sort_by(|(_, a), (_, b)| a.cmp(b));
    let mut rows = Rows::new(KEY_REFS, named.len());
    for kind in KeyOf::ALL {
        if *kind == KeyOf::Idempotency {
            continue;
        }
        for (event, name) in &named {
            rows.push(values![account, kind.as_str(), name.as_str(), *event]);
        }
    }
    tx.execute_rows(rows, Shape::Delete { from: "event_keys" })
        .await
}
