//! How much an account has, about. Counting a hundred thousand rows in each transaction would cost more
//! than what is counted: so they are counted now and then, and what this process adds is added. Other nodes'
//! rows are seen at the next count: the bounds hold to a tenth for each of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::backend::Tx;
use super::super::values::args;
use super::super::{Error, Store};
use super::gate::Asked;
use super::keys::{FlowKey, Memory};
use crate::automation::flow::{Full, Then};
use crate::model::limits::{FLOW_KEYS_PER_ACCOUNT_MAX, FLOW_WAITS_PER_ACCOUNT_MAX};
use crate::model::{AccountId, Timestamp};

/// Most accounts whose counts are remembered; all are forgotten when there are more.
const ACCOUNTS_MAX: usize = 10_000;
/// How long a count of an account that has no room is believed.
const FULL_BELIEVED_MS: i64 = 1_000;
/// A part of the bound after which it is counted again.
const PART: usize = 10;

#[derive(Debug, Clone, Copy)]
struct Count {
    counted: usize,
    at: Timestamp,
    added: usize,
}

/// What was counted. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Counts(Arc<Mutex<HashMap<(AccountId, &'static str), Count>>>);

/// Room that an account has left.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Room {
    pub(super) keys: usize,
    pub(super) waits: usize,
}

fn bound(full: Full) -> (&'static str, usize) {
    match full {
        Full::Keys => ("flow_keys", FLOW_KEYS_PER_ACCOUNT_MAX),
        Full::Waits => ("flow_waits", FLOW_WAITS_PER_ACCOUNT_MAX),
    }
}

impl Counts {
    /// How many more the account may have, of which up to `wanted` are added now.
    pub(super) async fn room(
        &self,
        tx: &mut Tx,
        which: (AccountId, Full),
        wanted: usize,
        now: Timestamp,
    ) -> Result<usize, Error> {
        let (account, full) = which;
        let (table, max) = bound(full);
        let known = self.with(|counts| counts.get(&(account, table)).copied());
        let known = known.filter(|count| {
            let is_full = count.counted + count.added + wanted > max;
            let is_fresh = now.ms_since(count.at).abs() < FULL_BELIEVED_MS;
            if is_full {
                is_fresh
            } else {
                count.added < max / PART
            }
        });
        let count = match known {
            Some(count) => count,
            None => Count {
                counted: counted(tx, table, account, max).await?,
                at: now,
                added: 0,
            },
        };
        let room = max.saturating_sub(count.counted + count.added);
        let count = Count {
            added: count.added + wanted.min(room),
            ..count
        };
        self.with(|counts| {
            if counts.len() >= ACCOUNTS_MAX {
                counts.clear();
            }
            counts.insert((account, table), count);
        });
        Ok(room)
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashMap<(AccountId, &'static str), Count>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn counted(tx: &mut Tx, table: &str, account: AccountId, max: usize) -> Result<usize, Error> {
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT 1 AS one FROM {table} WHERE account_id = $1 LIMIT $2) AS counted"
    );
    let found: Vec<(i64,)> = tx.fetch(&sql, args![account, max]).await?;
    Ok(found.first().map_or(0, |row| row.0 as usize))
}

/// The room that each account has, where something new may need any.
pub(super) async fn rooms(
    store: &Store,
    tx: &mut Tx,
    keys: &BTreeMap<FlowKey, Memory>,
    asked: &[Asked<'_>],
) -> Result<HashMap<AccountId, Room>, Error> {
    let mut wanted: BTreeMap<AccountId, (Room, Timestamp)> = BTreeMap::new();
    for one in asked {
        let (room, _) = wanted
            .entry(one.account)
            .or_insert((Room::default(), one.now));
        room.waits += usize::from(one.new.ask.then != Then::Go);
    }
    for (key, _) in keys.iter().filter(|(_, memory)| memory.is_new()) {
        if let Some((room, _)) = wanted.get_mut(&key.account) {
            room.keys += 1;
        }
    }
    let mut rooms = HashMap::with_capacity(wanted.len());
    for (account, (wants, now)) in wanted {
        let mut room = Room::default();
        for (full, wanted, left) in [
            (Full::Keys, wants.keys, &mut room.keys),
            (Full::Waits, wants.waits, &mut room.waits),
        ] {
            if wanted > 0 {
                *left = store.flow.room(tx, (account, full), wanted, now).await?;
            }
        }
        rooms.insert(account, room);
    }
    Ok(rooms)
}
