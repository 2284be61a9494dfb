//! What clients call their events, and how a repeat is recognised.

use std::collections::HashMap;
use std::sync::Arc;

use super::accept::{Accepted, KeyOf, NewEvent, NewKey};
use super::backend::Tx;
use super::row::record;
use super::values::{Columns, Kind, Rows, Shape, args, values};
use super::{Error, Store};
use crate::model::{AccountId, EventId, Timestamp};

const KEY_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("kind", Kind::Text),
    ("key", Kind::Text),
    ("event_id", Kind::Uuid),
    ("body_hash", Kind::Bytes),
    ("expires_at_ms", Kind::Int),
    ("claimed_at_ms", Kind::Int),
];

struct Owner {
    account_id: AccountId,
    kind: String,
    key: String,
    event_id: EventId,
    body_hash: Vec<u8>,
}

record!(Owner {
    account_id: "account_id",
    kind: "kind",
    key: "key",
    event_id: "event_id",
    body_hash: "body_hash",
});

/// Who owns a key already, by account, kind and key.
type Owners = HashMap<(AccountId, KeyOf, String), (EventId, Vec<u8>)>;

impl Store {
    /// Deletes up to `rows_max` keys that have expired by now; how many there were.
    pub async fn forget_event_keys(&self, now: Timestamp, rows_max: usize) -> Result<u64, Error> {
        let key = "account_id, kind, key";
        let sql = self.backend.delete_expired("event_keys", key);
        self.execute(&sql, args![now, rows_max]).await
    }

    /// Whether an event has one of the names of this one already: then this one is not kept, whatever it is.
    pub async fn is_known_event(&self, event: &NewEvent) -> Result<bool, Error> {
        for key in &event.keys {
            let found: Vec<(EventId,)> = self
                .fetch(
                    "SELECT event_id FROM event_keys WHERE account_id = $1 AND kind = $2 AND key = $3
                       AND (expires_at_ms IS NULL OR expires_at_ms > $4)",
                    args![
                        event.account,
                        key.kind.as_str(),
                        key.key.as_str(),
                        event.id.minted_at()
                    ],
                )
                .await?;
            if !found.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Takes the keys of the events for them. The events that are repeats, with what to answer; of an
/// event that is a repeat by one of its keys, no other key is kept.
pub(super) async fn claim(
    tx: &mut Tx,
    events: &[Arc<NewEvent>],
    account_exists: impl Fn(AccountId) -> bool,
) -> Result<HashMap<EventId, Accepted>, Error> {
    let keyed: Vec<&NewEvent> = events
        .iter()
        .map(Arc::as_ref)
        .filter(|event| !event.keys.is_empty() && account_exists(event.account))
        .collect();
    if keyed.is_empty() {
        return Ok(HashMap::new());
    }
    let mut owners = find_owners(tx, &keyed).await?;
    let mut repeats = HashMap::new();
    let mut fresh: Vec<(&NewEvent, &NewKey)> = Vec::new();
    for event in keyed {
        let owner = event
            .keys
            .iter()
            .find_map(|key| owners.get(&name(event, key)).cloned());
        if let Some((first, hash)) = owner {
            repeats.insert(event.id, answer(event, (first, hash)));
            continue;
        }
        for key in &event.keys {
            owners.insert(name(event, key), (event.id, event.body_hash.to_vec()));
            fresh.push((event, key));
        }
    }
    insert(tx, fresh).await?;
    Ok(repeats)
}

fn name(event: &NewEvent, key: &NewKey) -> (AccountId, KeyOf, String) {
    (event.account, key.kind, key.key.clone())
}

/// What `event` is beside the one that has its key, whose body has this hash.
fn answer(event: &NewEvent, (first, hash): (EventId, Vec<u8>)) -> Accepted {
    if hash == event.body_hash {
        Accepted::Same { event: first }
    } else {
        Accepted::Conflict { event: first }
    }
}

async fn find_owners(tx: &mut Tx, keyed: &[&NewEvent]) -> Result<Owners, Error> {
    let rows = key_rows(
        keyed
            .iter()
            .flat_map(|event| event.keys.iter().map(move |key| (*event, key))),
    );
    let found: Vec<Owner> = tx
        .fetch_rows(
            rows,
            Shape::Query(
                "SELECT k.account_id, k.kind, k.key, k.event_id, k.body_hash FROM v
                 JOIN event_keys k ON k.account_id = v.account_id AND k.kind = v.kind AND k.key = v.key
                 WHERE k.expires_at_ms IS NULL OR k.expires_at_ms > v.claimed_at_ms",
            ),
        )
        .await?;
    Ok(found
        .into_iter()
        .filter_map(|owner| {
            // What was asked for is found, and nothing else.
            let kind = KeyOf::from_word(&owner.kind)?;
            let name = (owner.account_id, kind, owner.key);
            Some((name, (owner.event_id, owner.body_hash)))
        })
        .collect())
}

/// An expired key is taken over; one that another node took meanwhile is not, and the batch fails
/// as a whole: tried again, it finds the owner.
async fn insert(tx: &mut Tx, mut fresh: Vec<(&NewEvent, &NewKey)>) -> Result<(), Error> {
    fresh.sort_by(|(a, x), (b, y)| (a.account, x.kind, &x.key).cmp(&(b.account, y.kind, &y.key)));
    let wanted = fresh.len();
    let rows = key_rows(fresh.into_iter());
    let taken: Vec<(EventId,)> = tx
        .fetch_rows(
            rows,
            Shape::Insert {
                into: "event_keys",
                tail:
                    "ON CONFLICT (account_id, kind, key) DO UPDATE SET event_id = excluded.event_id,
               body_hash = excluded.body_hash, expires_at_ms = excluded.expires_at_ms,
               claimed_at_ms = excluded.claimed_at_ms
             WHERE event_keys.expires_at_ms <= excluded.claimed_at_ms
             RETURNING event_id",
            },
        )
        .await?;
    if taken.len() < wanted {
        return Err(Error::Raced);
    }
    Ok(())
}

fn key_rows<'a>(keys: impl Iterator<Item = (&'a NewEvent, &'a NewKey)>) -> Rows {
    let mut rows = Rows::new(KEY_COLUMNS, 0);
    for (event, key) in keys {
        rows.push(values![
            event.account,
            key.kind.as_str(),
            key.key.as_str(),
            event.id,
            event.body_hash,
            key.expires_at,
            event.id.minted_at()
        ]);
    }
    rows
}
