//! What waits for the writer, by priority: what was recorded goes first, then what was planned,
//! then what is to be accepted, then claims.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::attempt::Attempted;
use super::busy::{Busy, Held};
use super::dues::DueTurn;
use super::late::Gate;
use super::permit::Permit;
use super::plan::Content;
use super::slot::Slot;
use super::standing::Standing;
use super::{AcceptError, Acknowledged};
use crate::model::{AccountId, Clock};
use crate::store::{Claim, ClaimRequest, NewEvent, NewPlan, SetAside};

/// Most entries of each kind in one commit.
const BATCH_ENTRIES_MAX: usize = 512;
/// Most claims in one commit: each is several statements.
const BATCH_CLAIMS_MAX: usize = 64;
/// How far into the waiting events a commit looks for those that may come.
const LOOK_MAX: usize = 4 * BATCH_ENTRIES_MAX;
/// How long events that may not come yet wait for something else to happen.
const PACE_MS: i64 = 20;
/// Most bytes of plans and payloads in one commit. A plan that has more is the only one.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of payloads that there is room for in any commit: nobody's events wait for others' plans.
const ACCEPT_BYTES_MIN: usize = BATCH_BYTES_MAX / 4;
/// Bytes of plans that wait, from which on no more are made.
const PLANS_BYTES_FULL: usize = 32 * 1024 * 1024;

/// An event to be accepted, and who waits for it.
#[derive(Debug)]
pub(super) struct AcceptEntry {
    pub(super) event: Arc<NewEvent>,
    pub(super) permit: Permit,
    pub(super) reply: oneshot::Sender<Result<Acknowledged, AcceptError>>,
}

/// A plan to be written, and what it sends at once.
#[derive(Debug)]
pub(super) struct PlanEntry {
    pub(super) rows: Arc<NewPlan>,
    pub(super) contents: Vec<Arc<Content>>,
    /// For each delivery: its place, if it has one.
    pub(super) slots: Vec<Option<Slot>>,
    /// What all of it takes.
    pub(super) bytes: usize,
    pub(super) standing: Arc<Standing>,
    pub(super) permit: Permit,
    /// What may go on at once behind flow control.
    pub(super) gate: Option<Box<Gate>>,
    /// The turn of what has waited.
    pub(super) turn: Option<Arc<DueTurn>>,
}

/// A wish to claim, and who waits for it. `None` comes back if the store could not.
#[derive(Debug)]
pub(super) struct ClaimEntry {
    pub(super) request: ClaimRequest,
    pub(super) reply: oneshot::Sender<Option<Claim>>,
}

/// An event to be set aside; in hand until it is written.
#[derive(Debug)]
pub(super) struct AsideEntry {
    pub(super) aside: SetAside,
    _held: Held,
}

/// What one commit will hold.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) records: Vec<Attempted>,
    pub(super) plans: Vec<PlanEntry>,
    pub(super) aside: Vec<AsideEntry>,
    pub(super) accepts: Vec<AcceptEntry>,
    pub(super) claims: Vec<ClaimEntry>,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.records.len()
            + self.plans.len()
            + self.aside.len()
            + self.accepts.len()
            + self.claims.len()
    }

    /// Takes the second half of what is there.
    pub(super) fn split_off(&mut self) -> Self {
        let mut rest = Self::default();
        let mut left = self.len() / 2;
        move_after(&mut self.records, &mut rest.records, &mut left);
        move_after(&mut self.plans, &mut rest.plans, &mut left);
        move_after(&mut self.aside, &mut rest.aside, &mut left);
        move_after(&mut self.accepts, &mut rest.accepts, &mut left);
        move_after(&mut self.claims, &mut rest.claims, &mut left);
        rest
    }
}

/// Lets `left` entries stay, counting them off, and moves the others.
fn move_after<T>(from: &mut Vec<T>, to: &mut Vec<T>, left: &mut usize) {
    let stay = from.len().min(*left);
    *left -= stay;
    *to = from.split_off(stay);
}

#[derive(Debug, Default)]
struct Waiting {
    records: VecDeque<Attempted>,
    plans: VecDeque<PlanEntry>,
    /// What the plans take together.
    plans_bytes: usize,
    aside: VecDeque<AsideEntry>,
    accepts: VecDeque<AcceptEntry>,
    claims: VecDeque<ClaimEntry>,
}

/// The writer's queue. Its length is bounded by permits and slots.
#[derive(Debug, Default)]
pub(super) struct Queue {
    busy: Busy,
    waiting: Mutex<Waiting>,
    filled: Notify,
}

impl Queue {
    pub(super) fn new(busy: Busy) -> Self {
        Self {
            busy,
            ..Self::default()
        }
    }

    pub(super) fn record(&self, made: Attempted) {
        self.lock().records.push_back(made);
        self.filled.notify_one();
    }

    pub(super) fn plan(&self, plan: PlanEntry) {
        let mut waiting = self.lock();
        waiting.plans_bytes += plan.bytes;
        waiting.plans.push_back(plan);
        drop(waiting);
        self.filled.notify_one();
    }

    /// Whether so many plans wait that no more should be made.
    pub(super) fn is_full(&self) -> bool {
        self.lock().plans_bytes >= PLANS_BYTES_FULL
    }

    pub(super) fn set_aside(&self, aside: SetAside) {
        let held = self.busy.hold();
        self.lock()
            .aside
            .push_back(AsideEntry { aside, _held: held });
        self.filled.notify_one();
    }

    pub(super) fn accept(&self, entries: impl IntoIterator<Item = AcceptEntry>) {
        self.lock().accepts.extend(entries);
        self.filled.notify_one();
    }

    pub(super) fn claim(&self, claim: ClaimEntry) {
        self.lock().claims.push_back(claim);
        self.filled.notify_one();
    }

    /// Puts back what could not be written, to be written first.
    pub(super) fn put_back(&self, entries: Entries) {
        let mut waiting = self.lock();
        for made in entries.records.into_iter().rev() {
            waiting.records.push_front(made);
        }
        for plan in entries.plans.into_iter().rev() {
            waiting.plans_bytes += plan.bytes;
            waiting.plans.push_front(plan);
        }
        for aside in entries.aside.into_iter().rev() {
            waiting.aside.push_front(aside);
        }
    }

    /// The next commit's entries, as soon as there are any. `room`: how many more events of an account
    /// may be on their way.
    pub(super) async fn next(&self, room: impl Fn(AccountId) -> usize) -> Entries {
        loop {
            let (entries, held_up) = self.take(&room);
            if entries.len() > 0 {
                return entries;
            }
            if held_up {
                // Receivers' time, not the product's.
                let real = Clock::System;
                tokio::select! {
                    () = self.filled.notified() => {}
                    () = real.sleep_until(real.now().plus_ms(PACE_MS)) => {}
                }
            } else {
                self.filled.notified().await;
            }
        }
    }

    /// What fits into a commit, and whether events wait that may not come yet.
    fn take(&self, room: &impl Fn(AccountId) -> usize) -> (Entries, bool) {
        let mut waiting = self.lock();
        let mut entries = Entries::default();
        let mut bytes = 0;
        entries.records = drain(&mut waiting.records, |_| true);
        entries.plans = drain(&mut waiting.plans, |plan| {
            bytes += plan.bytes;
            bytes <= BATCH_BYTES_MAX
        });
        let bytes: usize = entries.plans.iter().map(|plan| plan.bytes).sum();
        waiting.plans_bytes -= bytes;
        entries.aside = drain(&mut waiting.aside, |_| true);
        entries.accepts = let_in(
            &mut waiting.accepts,
            room,
            BATCH_BYTES_MAX.saturating_sub(bytes).max(ACCEPT_BYTES_MIN),
        );
        let claims = waiting.claims.len().min(BATCH_CLAIMS_MAX);
        entries.claims = waiting.claims.drain(..claims).collect();
        (entries, !waiting.accepts.is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes entries while they fit; the first one always does.
fn drain<T>(from: &mut VecDeque<T>, mut fits: impl FnMut(&T) -> bool) -> Vec<T> {
    let mut taken = Vec::with_capacity(from.len().min(BATCH_ENTRIES_MAX));
    while taken.len() < BATCH_ENTRIES_MAX {
        match from.front() {
            Some(entry) if fits(entry) || taken.is_empty() => taken.extend(from.pop_front()),
            _ => break,
        }
    }
    taken
}

/// Takes events in their order, of each account as many as there is room for. A single one always
/// fits into the bytes.
fn let_in(
    waiting: &mut VecDeque<AcceptEntry>,
    room: &impl Fn(AccountId) -> usize,
    bytes_max: usize,
) -> Vec<AcceptEntry> {
    let mut rooms: HashMap<AccountId, usize> = HashMap::new();
    let mut taken = Vec::with_capacity(waiting.len().min(BATCH_ENTRIES_MAX));
    let mut kept = Vec::new();
    let mut bytes = 0;
    for _ in 0..LOOK_MAX {
        let Some(entry) = waiting.pop_front() else {
            break;
        };
        let account = entry.event.account;
        let left = rooms.entry(account).or_insert_with(|| room(account));
        let bytes_after = bytes + entry.event.payload.len();
        if *left == 0 {
            kept.push(entry);
        } else if taken.is_empty() || (taken.len() < BATCH_ENTRIES_MAX && bytes_after <= bytes_max)
        {
            *left -= 1;
            bytes = bytes_after;
            taken.push(entry);
        } else {
            kept.push(entry);
            break;
        }
    }
    for entry in kept.into_iter().rev() {
        waiting.push_front(entry);
    }
    taken
}
