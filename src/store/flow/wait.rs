//! What waits for its time, as the gate reads and writes it.

use std::collections::BTreeMap;

use super::super::backend::Tx;
use super::super::row::record;
use super::super::values::{Columns, Kind, Rows, Shape, values};
use super::super::{Error, Store};
use crate::automation::flow::Open;
use crate::model::{AccountId, AutomationId, EventId, IncarnationId, Timestamp, words};

/// Which wait: the automation's, and the event whose delivery it will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitKey {
    /// Whose.
    pub account: AccountId,
    /// Which automation's.
    pub automation: AutomationId,
    /// Which event's.
    pub event: EventId,
}

/// Why something waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitKind {
    /// It goes on now.
    Go,
    Delay,
    Debounce,
    Digest,
    Rate,
}

words!(WaitKind {
    Go = "go",
    Delay = "delay",
    Debounce = "debounce",
    Digest = "digest",
    Rate = "rate_limit",
});

/// A wait as the gate reads and writes it.
#[derive(Debug, Clone)]
pub(super) struct WaitRow {
    pub(super) place: WaitKey,
    pub(super) kind: WaitKind,
    pub(super) key: String,
    /// Whether what it goes on to keeps an order.
    pub(super) in_order: bool,
    pub(super) open: Open,
}

#[derive(Debug)]
struct OpenRow {
    account_id: AccountId,
    automation_id: AutomationId,
    event_id: EventId,
    version: i64,
    kind: String,
    key: String,
    due_at_ms: Timestamp,
    since_ms: Timestamp,
    events: i64,
    bytes: i64,
    in_order: i64,
}

record!(OpenRow {
    account_id: "account_id",
    automation_id: "automation_id",
    event_id: "event_id",
    version: "version",
    kind: "kind",
    key: "key",
    due_at_ms: "due_at_ms",
    since_ms: "since_ms",
    events: "events",
    bytes: "bytes",
    in_order: "in_order",
});

pub(super) const PLACE_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
];

const WAIT_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("version", Kind::Int),
    ("kind", Kind::Text),
    ("key", Kind::Text),
    ("state", Kind::Text),
    ("due_at_ms", Kind::Int),
    ("holder", Kind::Uuid),
    ("since_ms", Kind::Int),
    ("events", Kind::Int),
    ("bytes", Kind::Int),
    ("in_order", Kind::Int),
];

macro_rules! open_sql {
    ($lock:literal) => {
        concat!(
            "SELECT w.account_id, w.automation_id, w.event_id, w.version, w.kind, w.key, w.due_at_ms,
               w.since_ms, w.events, w.bytes, w.in_order FROM v
             JOIN flow_waits w ON w.account_id = v.account_id AND w.automation_id = v.automation_id
               AND w.event_id = v.event_id
             WHERE w.state = 'waiting' ",
            $lock
        )
    };
}

/// What waits there and takes more. What is claimed does not: it goes without whatever comes now.
pub(super) async fn read_open(
    _store: &Store,
    tx: &mut Tx,
    named: impl Iterator<Item = WaitKey>,
) -> Result<BTreeMap<WaitKey, WaitRow>, Error> {
    open_rows(tx, named, open_sql!("")).await
}

/// The same, and nobody claims it until the transaction ends.
pub(super) async fn lock_open(
    store: &Store,
    tx: &mut Tx,
    named: impl Iterator<Item = WaitKey>,
) -> Result<BTreeMap<WaitKey, WaitRow>, Error> {
    if store.is_shared() {
        open_rows(tx, named, open_sql!("FOR UPDATE OF w")).await
    } else {
        open_rows(tx, named, open_sql!("")).await
    }
}

async fn open_rows(
    tx: &mut Tx,
    named: impl Iterator<Item = WaitKey>,
    sql: &'static str,
) -> Result<BTreeMap<WaitKey, WaitRow>, Error> {
    let found: Vec<OpenRow> = tx.fetch_rows(places(named), Shape::Query(sql)).await?;
    let rows = found.into_iter().filter_map(|row| {
        let place = WaitKey {
            account: row.account_id,
            automation: row.automation_id,
            event: row.event_id,
        };
        let row = WaitRow {
            place,
            kind: WaitKind::from_word(&row.kind)?,
            key: row.key,
            in_order: row.in_order == 1,
            open: Open {
                event: row.event_id,
                version: row.version,
                since: row.since_ms,
                due_at: row.due_at_ms,
                events: row.events,
                bytes: row.bytes,
            },
        };
        Some((place, row))
    });
    Ok(rows.collect())
}

fn places(named: impl Iterator<Item = WaitKey>) -> Rows {
    let mut rows = Rows::new(PLACE_COLUMNS, 0);
    for place in named {
        rows.push(values![place.account, place.automation, place.event]);
    }
    rows
}

/// These wait no longer.
pub(super) async fn delete(tx: &mut Tx, gone: &[WaitKey]) -> Result<(), Error> {
    let rows = places(gone.iter().copied());
    tx.execute_rows(rows, Shape::Delete { from: "flow_waits" })
        .await
}

/// These wait as they stand here; what goes on now is `holder`'s.
pub(super) async fn put<'a>(
    tx: &mut Tx,
    holder: IncarnationId,
    waits: impl Iterator<Item = &'a WaitRow>,
) -> Result<(), Error> {
    let mut rows = Rows::new(WAIT_COLUMNS, 0);
    for WaitRow {
        place,
        kind,
        key,
        in_order,
        open,
    } in waits
    {
        // What goes on now has nobody before it.
        let (state, holder, in_order) = match kind {
            WaitKind::Go => ("claimed", Some(holder), false),
            _ => ("waiting", None, *in_order),
        };
        rows.push(values![
            place.account,
            place.automation,
            place.event,
            open.version,
            kind.as_str(),
            key.as_str(),
            state,
            open.due_at,
            holder,
            open.since,
            open.events,
            open.bytes,
            i64::from(in_order)
        ]);
    }
    let insert = Shape::Insert {
        into: "flow_waits",
        tail: "ON CONFLICT (account_id, automation_id, event_id) DO UPDATE SET
                 due_at_ms = excluded.due_at_ms, events = excluded.events, bytes = excluded.bytes",
    };
    tx.execute_rows(rows, insert).await
}
