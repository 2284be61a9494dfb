//! The keys that events ask with: locked, read and written in one order on all nodes.

use std::collections::BTreeMap;

use super::super::backend::Tx;
use super::super::row::record;
use super::super::values::{Columns, Kind, Rows, Shape, args, values};
use super::super::{Error, Store};
use crate::automation::flow::{Ask, Then};
use crate::model::{AccountId, AutomationId, EventId, Timestamp, words};

/// What a key is remembered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyKind {
    Debounce,
    Dedupe,
    Digest,
    Rate,
}

words!(KeyKind {
    Debounce = "debounce",
    Dedupe = "dedupe",
    Digest = "digest",
    Rate = "rate_limit",
});

/// Which key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FlowKey {
    pub(super) account: AccountId,
    pub(super) automation: AutomationId,
    pub(super) kind: KeyKind,
    pub(super) key: String,
}

/// What is remembered of a key; of a new one nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Memory {
    pub(super) event: Option<EventId>,
    pub(super) at: Option<Timestamp>,
    pub(super) events: Option<i64>,
    /// Set if it is to be written.
    pub(super) expires_at: Option<Timestamp>,
}

impl Memory {
    pub(super) fn is_new(&self) -> bool {
        self.at.is_none()
    }
}

struct KeyRow {
    account_id: AccountId,
    automation_id: AutomationId,
    kind: String,
    key: String,
    event_id: Option<EventId>,
    at_ms: Option<Timestamp>,
    events: Option<i64>,
}

record!(KeyRow {
    account_id: "account_id",
    automation_id: "automation_id",
    kind: "kind",
    key: "key",
    event_id: "event_id",
    at_ms: "at_ms",
    events: "events",
});

const LOCK_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("kind", Kind::Text),
    ("key", Kind::Text),
    ("expires_at_ms", Kind::Int),
];

const NAME_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("kind", Kind::Text),
    ("key", Kind::Text),
];

const MEMORY_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("kind", Kind::Text),
    ("key", Kind::Text),
    ("event_id", Kind::Uuid),
    ("at_ms", Kind::Int),
    ("events", Kind::Int),
    ("expires_at_ms", Kind::Int),
];

/// The update writes nothing new: it locks the row, and has it returned.
const LOCK: Shape = Shape::Insert {
    into: "flow_keys",
    tail: "ON CONFLICT (account_id, automation_id, kind, key)
             DO UPDATE SET expires_at_ms = flow_keys.expires_at_ms
           RETURNING account_id, automation_id, kind, key, event_id, at_ms, events",
};

const READ: Shape = Shape::Query(
    "SELECT k.account_id, k.automation_id, k.kind, k.key, k.event_id, k.at_ms, k.events FROM v
     JOIN flow_keys k ON k.account_id = v.account_id AND k.automation_id = v.automation_id
       AND k.kind = v.kind AND k.key = v.key",
);

/// The keys that this asks with.
pub(super) fn of_ask(account: AccountId, automation: AutomationId, ask: &Ask) -> Vec<FlowKey> {
    let key = |kind, key: &String| FlowKey {
        account,
        automation,
        kind,
        key: key.clone(),
    };
    let mut keys = Vec::with_capacity(2);
    keys.extend(
        ask.dedupe
            .as_ref()
            .map(|(text, _)| key(KeyKind::Dedupe, text)),
    );
    keys.extend(match &ask.then {
        Then::Go | Then::At { .. } => None,
        Then::Debounce { key: text, .. } => Some(key(KeyKind::Debounce, text)),
        Then::Digest { key: text, .. } => Some(key(KeyKind::Digest, text)),
        Then::Rate { key: text, .. } => Some(key(KeyKind::Rate, text)),
    });
    keys
}

/// Locks these keys until the transaction ends; what is remembered of them is read. `now`: what is made for
/// the lock and left empty expires at once.
pub(super) async fn lock(
    tx: &mut Tx,
    keys: &mut BTreeMap<FlowKey, Memory>,
    now: Timestamp,
) -> Result<(), Error> {
    let mut rows = Rows::new(LOCK_COLUMNS, keys.len());
    for key in keys.keys() {
        rows.push(values![
            key.account,
            key.automation,
            key.kind.as_str(),
            key.key.as_str(),
            now
        ]);
    }
    let found: Vec<KeyRow> = tx.fetch_rows(rows, LOCK).await?;
    fill(keys, found);
    Ok(())
}

/// Reads what is remembered of these keys.
pub(super) async fn read(tx: &mut Tx, keys: &mut BTreeMap<FlowKey, Memory>) -> Result<(), Error> {
    let found: Vec<KeyRow> = tx.fetch_rows(names(keys.keys()), READ).await?;
    fill(keys, found);
    Ok(())
}

/// Writes what is to be remembered, and lets go of what was only made for the lock.
pub(super) async fn write(tx: &mut Tx, keys: &BTreeMap<FlowKey, Memory>) -> Result<(), Error> {
    let mut rows = Rows::new(MEMORY_COLUMNS, keys.len());
    for (key, memory) in keys {
        let Some(expires_at) = memory.expires_at else {
            continue;
        };
        rows.push(values![
            key.account,
            key.automation,
            key.kind.as_str(),
            key.key.as_str(),
            memory.event,
            memory.at,
            memory.events,
            expires_at
        ]);
    }
    let update = Shape::Update {
        table: "flow_keys",
        key: 4,
        set: "",
        only_if: "",
    };
    tx.execute_rows(rows, update).await?;
    let empty = keys.iter().filter(|(_, memory)| memory.is_new());
    let rows = names(empty.map(|(key, _)| key));
    tx.execute_rows(rows, Shape::Delete { from: "flow_keys" })
        .await
}

fn names<'a>(keys: impl Iterator<Item = &'a FlowKey>) -> Rows {
    let mut rows = Rows::new(NAME_COLUMNS, 0);
    for key in keys {
        rows.push(values![
            key.account,
            key.automation,
            key.kind.as_str(),
            key.key.as_str()
        ]);
    }
    rows
}

fn fill(keys: &mut BTreeMap<FlowKey, Memory>, found: Vec<KeyRow>) {
    for row in found {
        let Some(kind) = KeyKind::from_word(&row.kind) else {
            continue;
        };
        let key = FlowKey {
            account: row.account_id,
            automation: row.automation_id,
            kind,
            key: row.key,
        };
        if let Some(memory) = keys.get_mut(&key) {
            *memory = Memory {
                event: row.event_id,
                at: row.at_ms,
                events: row.events,
                expires_at: None,
            };
        }
    }
}

impl Store {
    /// Forgets up to `rows_max` keys that are of no use any more by now; how many there were.
    pub async fn forget_flow_keys(&self, now: Timestamp, rows_max: usize) -> Result<u64, Error> {
        let key = "account_id, automation_id, kind, key";
        let sql = self.backend.delete_expired("flow_keys", key);
        self.execute(&sql, args![now, rows_max]).await
    }
}
