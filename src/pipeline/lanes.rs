//! All lanes of this node, one an endpoint (see [`super::lane`]): who has something due and a free
//! slot gets a turn to claim, accounts before endpoints, so that nobody's backlog keeps others
//! waiting. The slots of all lanes together are bounded, in count and in bytes, an account's share
//! before the server's.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::attempt::Outgoing;
use super::busy::{Busy, Held};
use super::lane::Lane;
use super::permit::{PermitLimits, Permits};
use super::slot::Slot;
use crate::model::{AccountId, Clock, EndpointId, Timestamp, limits};

/// Most deliveries taken from the store for one endpoint at a time: its turn, then the others'.
const CLAIM_MAX: u32 = 64;
/// Turns of one account before another's come first.
const TURNS_PER_ACCOUNT: usize = 8;
/// What a claimed delivery counts until its body is read. Most are smaller; the largest possible would
/// let an account claim for two endpoints at a time.
const CLAIMED_BYTES: usize = limits::PAYLOAD_BYTES_MAX / 8;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) lanes: HashMap<EndpointId, Lane<Outgoing>>,
    accounts: HashMap<AccountId, HashSet<EndpointId>>,
    /// Lanes with something due that no claim is at, by due time.
    order: BTreeSet<(Timestamp, EndpointId)>,
    closed: bool,
}

/// All lanes of this node. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    pub(super) window_max: u32,
    pub(super) memory: Permits,
    state: Arc<Mutex<State>>,
    pub(super) wake: Arc<Notify>,
    busy: Busy,
}

/// What becomes of a delivery that is to be sent.
pub(super) enum Entry {
    /// Its request may be opened.
    Open(Outgoing),
    /// It comes back when another request has ended.
    Waits,
    /// Nothing is sent any more.
    Closed(Outgoing),
}

/// A turn to claim what is due at one endpoint.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) account: AccountId,
    pub(super) endpoint: EndpointId,
    /// Slots for what the claim brings.
    pub(super) slots: Vec<Slot>,
    _held: Held,
}

impl Lanes {
    pub(super) fn new(window_max: u32, memory: PermitLimits, busy: Busy) -> Self {
        Self {
            window_max: window_max.max(1),
            memory: Permits::new(memory, busy.clone()),
            state: Arc::default(),
            wake: Arc::default(),
            busy,
        }
    }

    /// A slot for a fresh delivery of `bytes`; `None` if it must wait in the store.
    pub(super) fn take(
        &self,
        account: AccountId,
        endpoint: EndpointId,
        bytes: usize,
        now: Timestamp,
    ) -> Option<Slot> {
        let mut state = self.lock();
        let lane = state.lane(account, endpoint, self.window_max);
        if lane.has_backlog(now) || lane.free() == 0 {
            return None;
        }
        let memory = self.memory.take(account, bytes).ok()?;
        lane.take_slots(1);
        Some(Slot::new(self, account, endpoint, memory))
    }

    /// Something waits in the store for this endpoint, due at `due`. Call it after the commit.
    pub(super) fn waits(&self, account: AccountId, endpoint: EndpointId, due: Timestamp) {
        let mut state = self.lock();
        let lane = state.lane(account, endpoint, self.window_max);
        if lane.claiming {
            lane.spilled_meanwhile =
                Some(lane.spilled_meanwhile.map_or(due, |known| known.min(due)));
        } else if lane.due.is_none_or(|known| due < known) {
            let known = lane.due.replace(due);
            if let Some(known) = known {
                state.order.remove(&(known, endpoint));
            }
            state.order.insert((due, endpoint));
        }
        self.wake.notify_one();
    }

    /// Turns for up to `limit` endpoints that have something due and a free slot: those that have
    /// waited longest first, but a few of each account before more of any.
    pub(super) fn turns(&self, now: Timestamp, limit: usize) -> Vec<Turn> {
        let mut state = self.lock();
        let mut of_account: HashMap<AccountId, usize> = HashMap::new();
        let (mut first, mut then) = (Vec::new(), Vec::new());
        for entry in state.order.iter().take_while(|(due, _)| *due <= now) {
            let Some(lane) = state.lanes.get(&entry.1).filter(|lane| lane.free() > 0) else {
                continue;
            };
            let turns = of_account.entry(lane.account).or_default();
            *turns += 1;
            if *turns <= TURNS_PER_ACCOUNT {
                first.push(*entry);
            } else if then.len() < limit {
                then.push(*entry);
            }
            if first.len() >= limit {
                break;
            }
        }
        let chosen = first.into_iter().chain(then).take(limit);
        chosen
            .filter_map(|entry| self.turn(&mut state, entry))
            .collect()
    }

    fn turn(&self, state: &mut State, entry: (Timestamp, EndpointId)) -> Option<Turn> {
        let endpoint = entry.1;
        let lane = state.lanes.get_mut(&endpoint)?;
        let account = lane.account;
        let slots: Vec<Slot> = (0..lane.free().min(CLAIM_MAX))
            .map_while(|_| self.memory.take(account, CLAIMED_BYTES).ok())
            .map(|memory| Slot::new(self, account, endpoint, memory))
            .collect();
        if slots.is_empty() {
            return None;
        }
        lane.take_slots(slots.len() as u32);
        lane.claiming = true;
        lane.due = None;
        state.order.remove(&entry);
        Some(Turn {
            account,
            endpoint,
            slots,
            _held: self.busy.hold(),
        })
    }

    /// Ends a turn: `next_due` is when the next one that is left in the store is due. The slots
    /// that are not used must have been dropped or kept by now.
    pub(super) fn end_turn(&self, turn: Turn, next_due: Option<Timestamp>) {
        let (account, endpoint) = (turn.account, turn.endpoint);
        drop(turn.slots);
        let due = {
            let mut state = self.lock();
            let Some(lane) = state.lanes.get_mut(&endpoint) else {
                return;
            };
            lane.claiming = false;
            let due = match (next_due, lane.spilled_meanwhile.take()) {
                (Some(left), Some(spilled)) => Some(left.min(spilled)),
                (left, spilled) => left.or(spilled),
            };
            if due.is_none() {
                state.forget(endpoint, self.window_max);
            }
            due
        };
        if let Some(due) = due {
            self.waits(account, endpoint, due);
        }
        // The turn itself counts as in hand until here, so that nobody sees a gap.
    }

    /// When the first lane is due that has a free slot; `None` if none is.
    pub(super) fn next_turn(&self) -> Option<Timestamp> {
        let state = self.lock();
        state
            .order
            .iter()
            .find(|(_, endpoint)| {
                state
                    .lanes
                    .get(endpoint)
                    .is_some_and(|lane| lane.free() > 0)
            })
            .map(|(due, _)| *due)
    }

    /// Whether nothing in the store is due by `now`, as far as is known.
    pub(super) fn nothing_due(&self, now: Timestamp) -> bool {
        let state = self.lock();
        state.order.first().is_none_or(|(due, _)| *due > now)
            && !state.lanes.values().any(|lane| lane.claiming)
    }

    /// How many more events of the account may be on their way to its quick endpoints; `None`: as
    /// many as come.
    pub(super) fn room(&self, account: AccountId, now: Timestamp) -> Option<u32> {
        // How quickly a receiver answers is a matter of real time.
        let real_now = Clock::System.now();
        let state = self.lock();
        let lanes = state.accounts.get(&account)?;
        lanes
            .iter()
            .filter_map(|endpoint| state.lanes.get(endpoint)?.room(now, real_now))
            .min()
    }

    /// Events of the account were let in.
    pub(super) fn let_come(&self, account: AccountId, events: u32) {
        let mut state = self.lock();
        let State {
            lanes, accounts, ..
        } = &mut *state;
        for endpoint in accounts.get(&account).into_iter().flatten() {
            if let Some(lane) = lanes.get_mut(endpoint) {
                lane.let_come(events);
            }
        }
    }

    /// What comes back may open its request now; what does not waits for its endpoint's window.
    pub(super) fn enter(&self, mut outgoing: Outgoing) -> Entry {
        let mut state = self.lock();
        if state.closed {
            return Entry::Closed(outgoing);
        }
        let endpoint = outgoing.slot.endpoint();
        // Its slot keeps the lane.
        let Some(lane) = state.lanes.get_mut(&endpoint) else {
            return Entry::Closed(outgoing);
        };
        outgoing.slot.opens();
        match lane.enter(outgoing) {
            Some(outgoing) => Entry::Open(outgoing),
            None => Entry::Waits,
        }
    }

    /// From now on nothing is let in. What was waiting for a window.
    pub(super) fn close(&self) -> Vec<Outgoing> {
        let mut state = self.lock();
        state.closed = true;
        let mut waiting: Vec<Outgoing> = Vec::new();
        for lane in state.lanes.values_mut() {
            waiting.extend(lane.close());
        }
        for outgoing in &mut waiting {
            outgoing.slot.stays_shut();
        }
        waiting
    }

    /// Returns after something changed that may make a turn possible.
    pub(super) async fn changed(&self) {
        self.wake.notified().await;
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lane(
        &mut self,
        account: AccountId,
        endpoint: EndpointId,
        window_max: u32,
    ) -> &mut Lane<Outgoing> {
        self.lanes.entry(endpoint).or_insert_with(|| {
            self.accounts.entry(account).or_default().insert(endpoint);
            Lane::new(account, window_max)
        })
    }

    pub(super) fn forget(&mut self, endpoint: EndpointId, window_max: u32) {
        let Some(lane) = self.lanes.get(&endpoint) else {
            return;
        };
        if !lane.is_forgettable(window_max) {
            return;
        }
        let account = lane.account;
        self.lanes.remove(&endpoint);
        if let Some(lanes) = self.accounts.get_mut(&account) {
            lanes.remove(&endpoint);
            if lanes.is_empty() {
                self.accounts.remove(&account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::lane::{SLOTS_PER_WINDOW, WINDOW_START};

    const NOW: Timestamp = Timestamp::from_ms(1_000);

    fn lanes() -> (Lanes, AccountId, EndpointId) {
        let lanes = Lanes::new(256, PermitLimits::default(), Busy::default());
        (lanes, AccountId::mint(NOW), EndpointId::mint(NOW))
    }

    #[test]
    fn fresh_deliveries_join_a_backlog_and_not_a_later_retry() {
        let (lanes, account, endpoint) = lanes();
        lanes.waits(account, endpoint, NOW.plus_ms(10));
        assert!(lanes.take(account, endpoint, 1, NOW).is_some());
        assert!(lanes.take(account, endpoint, 1, NOW.plus_ms(10)).is_none());
    }

    #[test]
    fn what_is_spilled_during_a_claim_is_not_forgotten() {
        let (lanes, account, endpoint) = lanes();
        lanes.waits(account, endpoint, NOW);
        let turn = lanes.turns(NOW, 10).pop().expect("a turn");
        assert!(lanes.turns(NOW, 10).is_empty(), "one turn at a time");
        assert!(!lanes.nothing_due(NOW));
        lanes.waits(account, endpoint, NOW);
        lanes.end_turn(turn, None);
        assert_eq!(lanes.next_turn(), Some(NOW));
        let turn = lanes.turns(NOW, 10).pop().expect("another turn");
        lanes.end_turn(turn, None);
        assert!(lanes.nothing_due(NOW));
        assert!(lanes.busy.is_idle());
        assert!(lanes.lock().accounts.is_empty(), "nothing is kept of it");
    }

    #[test]
    fn a_lane_without_slots_gets_no_turn_until_one_is_free() {
        let (lanes, account, endpoint) = lanes();
        let mut held: Vec<_> =
            std::iter::from_fn(|| lanes.take(account, endpoint, 1, NOW)).collect();
        assert_eq!(held.len() as u32, WINDOW_START * SLOTS_PER_WINDOW);
        lanes.waits(account, endpoint, NOW);
        assert!(lanes.turns(NOW, 10).is_empty());
        assert_eq!(lanes.next_turn(), None);
        held.pop();
        assert_eq!(lanes.turns(NOW, 10).len(), 1);
    }

    #[test]
    fn an_account_has_its_share_of_memory_and_no_more() {
        let bounds = PermitLimits {
            events_max: 100,
            bytes_max: 1000,
            account_pct: 50,
        };
        let lanes = Lanes::new(256, bounds, Busy::default());
        let (loud, calm) = (AccountId::mint(NOW), AccountId::mint(NOW));
        let held: Vec<_> = (0..100)
            .map_while(|_| lanes.take(loud, EndpointId::mint(NOW), 100, NOW))
            .collect();
        assert_eq!(held.len(), 5, "half of the bytes");
        assert!(lanes.take(calm, EndpointId::mint(NOW), 100, NOW).is_some());
    }

    #[test]
    fn an_account_with_many_backlogs_leaves_turns_to_others() {
        let (lanes, loud, _) = lanes();
        for _ in 0..30 {
            lanes.waits(loud, EndpointId::mint(NOW), NOW);
        }
        let calm = AccountId::mint(NOW);
        lanes.waits(calm, EndpointId::mint(NOW), NOW.plus_ms(5));
        let turns = lanes.turns(NOW.plus_ms(5), 10);
        assert_eq!(turns.len(), 10);
        assert!(turns.iter().any(|turn| turn.account == calm));
    }
}
