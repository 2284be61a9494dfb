//! One transaction's decisions: what was known before it, what each event has changed, and all of that
//! written at once. Later events of a key are decided on what the earlier ones have left.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::backend::Tx;
use super::super::consequence::RefusedAsk;
use super::super::values::{Columns, Kind, Rows, Shape, values};
use super::super::{Error, Store};
use super::bound::{Room, rooms};
use super::gate::{Asked, Gated};
use super::keys::{self, FlowKey, KeyKind, Memory};
use super::wait::{self, WaitKey, WaitKind, WaitRow};
use crate::automation::flow::{
    Ask, Decision, FlowVerdict, Full, Known, Move, Open, Taken, Then, Used, decide, refuse,
    replaced,
};
use crate::model::{AccountId, AutomationId, EventId, IncarnationId, Timestamp};

const VERDICT_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("verdict", Kind::Text),
    ("summary", Kind::Text),
    ("steps", Kind::Text),
    ("went_with", Kind::Uuid),
];

const REPLACED_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("note", Kind::Text),
    ("went_with", Kind::Uuid),
];

const ENTRY_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("digest_event_id", Kind::Uuid),
    ("place", Kind::Int),
    ("event_id", Kind::Uuid),
];

/// The decisions of a transaction, as far as they have come.
pub(super) struct Desk {
    keys: BTreeMap<FlowKey, Memory>,
    /// What waits, and takes more.
    waits: BTreeMap<WaitKey, WaitRow>,
    changed: BTreeSet<WaitKey>,
    gone: Vec<WaitKey>,
    rooms: HashMap<AccountId, Room>,
    entries: Rows,
    verdicts: Rows,
    replaced: Rows,
    refused: Vec<RefusedAsk>,
}

impl Desk {
    /// Locks the keys that are asked with, and reads what is known of them.
    pub(super) async fn open(
        store: &Store,
        tx: &mut Tx,
        asked: &[Asked<'_>],
    ) -> Result<Self, Error> {
        let mut keys = BTreeMap::new();
        for one in asked {
            let own = keys::of_ask(one.account, one.new.automation, &one.new.ask);
            keys.extend(own.into_iter().map(|key| (key, Memory::default())));
        }
        let now = asked.first().map_or(Timestamp::from_ms(0), |one| one.now);
        keys::lock(tx, &mut keys, now).await?;
        let waits = wait::lock_open(store, tx, open_waits(&keys)).await?;
        let rooms = rooms(store, tx, &keys, asked).await?;
        Ok(Self {
            keys,
            waits,
            changed: BTreeSet::new(),
            gone: Vec::new(),
            rooms,
            entries: Rows::new(ENTRY_COLUMNS, 0),
            verdicts: Rows::new(VERDICT_COLUMNS, asked.len()),
            replaced: Rows::new(REPLACED_COLUMNS, 0),
            refused: Vec::new(),
        })
    }

    /// What is known for this ask, without a lock.
    pub(super) async fn look(
        store: &Store,
        tx: &mut Tx,
        (account, automation): (AccountId, AutomationId),
        ask: &Ask,
    ) -> Result<Known, Error> {
        let own = keys::of_ask(account, automation, ask);
        let mut keys = own
            .into_iter()
            .map(|key| (key, Memory::default()))
            .collect();
        keys::read(tx, &mut keys).await?;
        let waits = wait::read_open(store, tx, open_waits(&keys)).await?;
        let own = keys::of_ask(account, automation, ask);
        Ok(known(&keys, &waits, &own))
    }

    /// Decides on one event, and notes what follows.
    pub(super) fn decide(&mut self, asked: &Asked<'_>) -> Gated {
        let own = keys::of_ask(asked.account, asked.new.automation, &asked.new.ask);
        let known = known(&self.keys, &self.waits, &own);
        let mut decision = decide(asked.arrival(), &known);
        if let Some(full) = self.takes_room(asked.account, &own, &decision) {
            decision = refuse(full);
        }
        self.remember(&own, &decision);
        let due_at = self.follow(asked, &decision);
        self.record(asked, &decision);
        if decision.verdict == FlowVerdict::LimitExceeded {
            self.refused.push(asked.refused(&decision));
        }
        Gated {
            account: asked.account,
            event: asked.event,
            automation: asked.new.automation,
            verdict: decision.verdict,
            goes_on: decision.moves == Move::Go,
            due_at,
        }
    }

    /// Takes the room that the decision needs; what there is too much of, if there is.
    fn takes_room(
        &mut self,
        account: AccountId,
        own: &[FlowKey],
        decision: &Decision,
    ) -> Option<Full> {
        let memories = &self.keys;
        let is_new = |key: &&FlowKey| memories.get(*key).is_none_or(Memory::is_new);
        let new = if decision.moves == Move::Stop {
            0
        } else {
            own.iter().filter(is_new).count()
        };
        let more = usize::from(decision.moves.adds_wait());
        let room = self.rooms.entry(account).or_default();
        if new > room.keys {
            return Some(Full::Keys);
        }
        if more > room.waits {
            return Some(Full::Waits);
        }
        room.keys -= new;
        room.waits -= more;
        None
    }

    fn remember(&mut self, own: &[FlowKey], decision: &Decision) {
        for key in own {
            let memory = match key.kind {
                KeyKind::Dedupe => decision.taken.map(|(taken, until)| Memory {
                    event: Some(taken.by),
                    at: Some(taken.at),
                    events: None,
                    expires_at: Some(until),
                }),
                KeyKind::Rate => decision.used.map(|(used, until)| Memory {
                    event: None,
                    at: Some(used.since),
                    events: Some(used.events),
                    expires_at: Some(until),
                }),
                KeyKind::Debounce | KeyKind::Digest => decision.moves.open().map(|open| Memory {
                    event: Some(open.event),
                    at: Some(open.since),
                    events: None,
                    expires_at: Some(open.kept_until()),
                }),
            };
            if let (Some(memory), Some(known)) = (memory, self.keys.get_mut(key)) {
                *known = memory;
            }
        }
    }

    /// What waits because of it. When something is due that did not wait for that before.
    fn follow(&mut self, asked: &Asked<'_>, decision: &Decision) -> Option<Timestamp> {
        let place = |event| WaitKey {
            account: asked.account,
            automation: asked.new.automation,
            event,
        };
        let alone = |due_at| Open {
            event: asked.event,
            version: asked.new.version,
            since: asked.now,
            due_at,
            events: 1,
            bytes: 0,
        };
        let (kind, key) = kind_of(&asked.new.ask.then);
        let put = |open: Open, kind| WaitRow {
            place: place(open.event),
            kind,
            key: key.to_owned(),
            open,
        };
        match decision.moves {
            Move::Stop => None,
            Move::Go => {
                self.put(put(alone(asked.now), WaitKind::Go));
                None
            }
            Move::Wait(at) => {
                self.put(put(alone(at), kind));
                Some(at)
            }
            Move::Replace(before, open) => {
                if let Some(before) = before {
                    self.take_place(asked, place(before));
                }
                self.put(put(open, kind));
                Some(open.due_at)
            }
            Move::Begin(before, open) => {
                let closed = before.and_then(|event| self.waits.remove(&place(event)));
                if let Some(mut closed) = closed {
                    closed.open.due_at = asked.now;
                    self.put(closed);
                }
                self.put(put(open, kind));
                self.collect(asked, &open);
                Some(if before.is_some() {
                    asked.now
                } else {
                    open.due_at
                })
            }
            Move::Join(open) => {
                self.put(put(open, kind));
                self.collect(asked, &open);
                Some(open.due_at)
            }
        }
    }

    fn put(&mut self, row: WaitRow) {
        self.changed.insert(row.place);
        self.waits.insert(row.place, row);
    }

    /// One that waited does not any more: the event has its place.
    fn take_place(&mut self, asked: &Asked<'_>, before: WaitKey) {
        self.waits.remove(&before);
        self.changed.remove(&before);
        self.gone.push(before);
        self.replaced.push(values![
            before.account,
            before.event,
            before.automation,
            replaced(asked.event, asked.now),
            asked.event
        ]);
    }

    /// The event is one of a digest.
    fn collect(&mut self, asked: &Asked<'_>, digest: &Open) {
        self.entries.push(values![
            asked.account,
            asked.new.automation,
            digest.event,
            digest.events,
            asked.event
        ]);
    }

    fn record(&mut self, asked: &Asked<'_>, decision: &Decision) {
        let went_with = match decision.moves {
            Move::Join(open) => Some(open.event),
            _ => None,
        };
        let steps = serde_json::to_string(&decision.traces).expect("texts and numbers are JSON");
        self.verdicts.push(values![
            asked.account,
            asked.event,
            asked.new.automation,
            decision.verdict.as_str(),
            decision.why.as_str(),
            steps,
            went_with
        ]);
    }

    /// Writes all of it. What goes on now is `holder`'s. What there was no room for is still to be written.
    pub(super) async fn close(
        self,
        tx: &mut Tx,
        holder: IncarnationId,
    ) -> Result<Vec<RefusedAsk>, Error> {
        keys::write(tx, &self.keys).await?;
        wait::delete(tx, &self.gone).await?;
        let changed = self
            .changed
            .iter()
            .filter_map(|place| self.waits.get(place));
        wait::put(tx, holder, changed).await?;
        let insert = |into| Shape::Insert {
            into,
            tail: "ON CONFLICT DO NOTHING",
        };
        tx.execute_rows(self.entries, insert("flow_entries"))
            .await?;
        tx.execute_rows(self.verdicts, insert("flow_verdicts"))
            .await?;
        let update = Shape::Update {
            table: "flow_verdicts",
            key: 3,
            set: "",
            only_if: "",
        };
        tx.execute_rows(self.replaced, update).await?;
        Ok(self.refused)
    }
}

/// The waits that the keys name.
fn open_waits(keys: &BTreeMap<FlowKey, Memory>) -> impl Iterator<Item = WaitKey> {
    let opens = |kind| matches!(kind, KeyKind::Debounce | KeyKind::Digest);
    let named = keys.iter().filter(move |(key, _)| opens(key.kind));
    named.filter_map(|(key, memory)| {
        memory.event.map(|event| WaitKey {
            account: key.account,
            automation: key.automation,
            event,
        })
    })
}

/// What is known of an ask's own keys.
pub(super) fn known(
    keys: &BTreeMap<FlowKey, Memory>,
    waits: &BTreeMap<WaitKey, WaitRow>,
    own: &[FlowKey],
) -> Known {
    let mut known = Known::default();
    for key in own {
        let Some(memory) = keys.get(key) else {
            continue;
        };
        match (key.kind, memory.event, memory.at) {
            (KeyKind::Dedupe, Some(by), Some(at)) => known.taken = Some(Taken { by, at }),
            (KeyKind::Rate, _, Some(since)) => {
                let events = memory.events.unwrap_or(0);
                known.used = Some(Used { since, events });
            }
            (KeyKind::Debounce | KeyKind::Digest, Some(event), _) => {
                known.open = open(waits, key, event);
            }
            _ => {}
        }
    }
    known
}

fn open(waits: &BTreeMap<WaitKey, WaitRow>, key: &FlowKey, event: EventId) -> Option<Open> {
    let place = WaitKey {
        account: key.account,
        automation: key.automation,
        event,
    };
    waits.get(&place).map(|row| row.open)
}

fn kind_of(then: &Then) -> (WaitKind, &str) {
    match then {
        Then::Go => (WaitKind::Go, ""),
        Then::At { .. } => (WaitKind::Delay, ""),
        Then::Debounce { key, .. } => (WaitKind::Debounce, key),
        Then::Digest { key, .. } => (WaitKind::Digest, key),
        Then::Rate { key, .. } => (WaitKind::Rate, key),
    }
}
