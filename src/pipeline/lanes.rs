//! One lane an endpoint: how many deliveries are under way to it, how many may be, and when the
//! next one that waits in the store is due.
//!
//! The window of a lane grows by one with each success and halves when the endpoint shows that it
//! is overloaded or away, so that a dead endpoint holds few slots for the length of its time-out
//! and a quick one has as many as it can use. While something is due in the store, fresh
//! deliveries join it there: they would overtake it for ever.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::busy::{Busy, Held};
use crate::model::{AccountId, EndpointId, Timestamp};

const WINDOW_MIN: u32 = 4;
const WINDOW_START: u32 = 32;
/// Most deliveries taken from the store for one endpoint at a time: its turn, then the others'.
const CLAIM_MAX: usize = 64;

/// What an attempt said about the endpoint's strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feeling {
    /// It took the delivery.
    Well,
    /// It answered, though not with a yes.
    Indifferent,
    /// It did not answer, or said that it can't keep up.
    Overwhelmed,
}

#[derive(Debug)]
struct Lane {
    account: AccountId,
    window: u32,
    in_flight: u32,
    due: Option<Timestamp>,
    /// A claim is at work; what is spilled meanwhile may not be in its answer.
    claiming: bool,
    spilled_meanwhile: Option<Timestamp>,
}

impl Lane {
    fn new(account: AccountId) -> Self {
        Self {
            account,
            window: WINDOW_START,
            in_flight: 0,
            due: None,
            claiming: false,
            spilled_meanwhile: None,
        }
    }

    fn is_forgettable(&self) -> bool {
        self.in_flight == 0 && self.due.is_none() && !self.claiming && self.window >= WINDOW_START
    }
}

#[derive(Debug, Default)]
struct State {
    lanes: HashMap<EndpointId, Lane>,
    /// Lanes with something due that no claim is at, by due time.
    order: BTreeSet<(Timestamp, EndpointId)>,
}

/// All lanes of this node. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    window_max: u32,
    state: Arc<Mutex<State>>,
    wake: Arc<Notify>,
    busy: Busy,
}

/// A place in a lane. Dropping it frees the place, as if the endpoint had said nothing.
#[derive(Debug)]
pub(super) struct Slot {
    lanes: Lanes,
    endpoint: EndpointId,
    feeling: Feeling,
    _held: Held,
}

impl Slot {
    /// Frees the place with what the attempt said.
    pub(super) fn release(mut self, feeling: Feeling) {
        self.feeling = feeling;
    }
}

/// A turn to claim what is due at one endpoint.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) account: AccountId,
    pub(super) endpoint: EndpointId,
    /// Places for what the claim brings.
    pub(super) slots: Vec<Slot>,
    _held: Held,
}

impl Lanes {
    pub(super) fn new(window_max: u32, busy: Busy) -> Self {
        Self {
            window_max,
            state: Arc::default(),
            wake: Arc::default(),
            busy,
        }
    }

    /// A place for a fresh delivery; `None` if it must wait in the store.
    pub(super) fn take(
        &self,
        account: AccountId,
        endpoint: EndpointId,
        now: Timestamp,
    ) -> Option<Slot> {
        let mut state = self.lock();
        let lane = state
            .lanes
            .entry(endpoint)
            .or_insert_with(|| Lane::new(account));
        let backlog = lane.claiming || lane.due.is_some_and(|due| due <= now);
        if backlog || lane.in_flight >= lane.window {
            return None;
        }
        lane.in_flight += 1;
        Some(self.slot(endpoint))
    }

    fn slot(&self, endpoint: EndpointId) -> Slot {
        Slot {
            lanes: self.clone(),
            endpoint,
            feeling: Feeling::Indifferent,
            _held: self.busy.hold(),
        }
    }

    /// Something waits in the store for this endpoint, due at `due`. Call it after the commit.
    pub(super) fn waits(&self, account: AccountId, endpoint: EndpointId, due: Timestamp) {
        let mut state = self.lock();
        let State { lanes, order } = &mut *state;
        let lane = lanes.entry(endpoint).or_insert_with(|| Lane::new(account));
        if lane.claiming {
            lane.spilled_meanwhile =
                Some(lane.spilled_meanwhile.map_or(due, |known| known.min(due)));
        } else if lane.due.is_none_or(|known| due < known) {
            if let Some(known) = lane.due.replace(due) {
                order.remove(&(known, endpoint));
            }
            order.insert((due, endpoint));
        }
        self.wake.notify_one();
    }

    /// Turns for up to `limit` endpoints that have something due and a free place, those that have
    /// waited longest first.
    pub(super) fn turns(&self, now: Timestamp, limit: usize) -> Vec<Turn> {
        let mut state = self.lock();
        let State { lanes, order } = &mut *state;
        let ready: Vec<(Timestamp, EndpointId)> = order
            .iter()
            .take_while(|(due, _)| *due <= now)
            .filter(|(_, endpoint)| {
                lanes
                    .get(endpoint)
                    .is_some_and(|lane| lane.in_flight < lane.window)
            })
            .take(limit)
            .copied()
            .collect();
        let mut turns = Vec::with_capacity(ready.len());
        for entry in ready {
            order.remove(&entry);
            let endpoint = entry.1;
            let Some(lane) = lanes.get_mut(&endpoint) else {
                continue;
            };
            let free = (lane.window - lane.in_flight).min(CLAIM_MAX as u32);
            lane.in_flight += free;
            lane.claiming = true;
            lane.due = None;
            turns.push(Turn {
                account: lane.account,
                endpoint,
                slots: (0..free).map(|_| self.slot(endpoint)).collect(),
                _held: self.busy.hold(),
            });
        }
        turns
    }

    /// Ends a turn: `next_due` is when the next one that is left in the store is due. The slots
    /// that were not used must have been dropped or kept by now.
    pub(super) fn end_turn(&self, turn: Turn, next_due: Option<Timestamp>) {
        let (account, endpoint) = (turn.account, turn.endpoint);
        drop(turn.slots);
        let due = {
            let mut state = self.lock();
            let Some(lane) = state.lanes.get_mut(&endpoint) else {
                return;
            };
            lane.claiming = false;
            match (next_due, lane.spilled_meanwhile.take()) {
                (Some(left), Some(spilled)) => Some(left.min(spilled)),
                (left, spilled) => left.or(spilled),
            }
        };
        if let Some(due) = due {
            self.waits(account, endpoint, due);
        }
        // The turn itself counts as in hand until here, so that nobody sees a gap.
    }

    /// When the first lane is due that has a free place; `None` if none is.
    pub(super) fn next_turn(&self) -> Option<Timestamp> {
        let state = self.lock();
        state
            .order
            .iter()
            .find(|(_, endpoint)| {
                state
                    .lanes
                    .get(endpoint)
                    .is_some_and(|lane| lane.in_flight < lane.window)
            })
            .map(|(due, _)| *due)
    }

    /// Whether nothing in the store is due by `now`, as far as is known.
    pub(super) fn nothing_due(&self, now: Timestamp) -> bool {
        let state = self.lock();
        state.order.first().is_none_or(|(due, _)| *due > now)
            && !state.lanes.values().any(|lane| lane.claiming)
    }

    /// Returns after something changed that may make a turn possible.
    pub(super) async fn changed(&self) {
        self.wake.notified().await;
    }

    fn free(&self, endpoint: EndpointId, feeling: Feeling) {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(&endpoint) else {
            return;
        };
        lane.in_flight -= 1;
        lane.window = match feeling {
            Feeling::Well => (lane.window + 1).min(self.window_max),
            Feeling::Indifferent => lane.window,
            Feeling::Overwhelmed => (lane.window / 2).max(WINDOW_MIN),
        };
        let waiting = lane.due.is_some();
        if lane.is_forgettable() {
            state.lanes.remove(&endpoint);
        }
        drop(state);
        if waiting {
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.lanes.free(self.endpoint, self.feeling);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000);

    fn lanes() -> (Lanes, AccountId, EndpointId) {
        let lanes = Lanes::new(256, Busy::default());
        (lanes, AccountId::mint(NOW), EndpointId::mint(NOW))
    }

    #[test]
    fn an_overwhelmed_lane_shrinks_and_a_well_one_grows() {
        let (lanes, account, endpoint) = lanes();
        for _ in 0..10 {
            lanes
                .take(account, endpoint, NOW)
                .expect("a place")
                .release(Feeling::Overwhelmed);
        }
        let held: Vec<_> = std::iter::from_fn(|| lanes.take(account, endpoint, NOW)).collect();
        assert_eq!(held.len(), WINDOW_MIN as usize);
        for slot in held {
            slot.release(Feeling::Well);
        }
        let held: Vec<_> = std::iter::from_fn(|| lanes.take(account, endpoint, NOW)).collect();
        assert_eq!(held.len(), 2 * WINDOW_MIN as usize);
    }

    #[test]
    fn fresh_deliveries_join_a_backlog_and_not_a_later_retry() {
        let (lanes, account, endpoint) = lanes();
        lanes.waits(account, endpoint, NOW.plus_ms(10));
        assert!(lanes.take(account, endpoint, NOW).is_some());
        assert!(lanes.take(account, endpoint, NOW.plus_ms(10)).is_none());
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
    }

    #[test]
    fn a_lane_without_places_gets_no_turn_until_one_is_free() {
        let (lanes, account, endpoint) = lanes();
        let mut held: Vec<_> = std::iter::from_fn(|| lanes.take(account, endpoint, NOW)).collect();
        lanes.waits(account, endpoint, NOW);
        assert!(lanes.turns(NOW, 10).is_empty());
        assert_eq!(lanes.next_turn(), None);
        held.pop();
        assert_eq!(lanes.turns(NOW, 10).len(), 1);
    }
}
