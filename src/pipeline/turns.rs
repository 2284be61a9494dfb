//! Turns to claim: who has something due in the store and room for it gets one, accounts one after the other and of each
//! its endpoints (see [`super::rota`]), so that nobody's backlog keeps others waiting.

use super::busy::Held;
use super::lanes::{Lanes, State};
use super::limited::{Room, Stated};
use super::permit::{Ask, Way};
use super::rota::Place;
use super::slot::Slot;
use crate::model::{AccountId, EndpointId, Timestamp, limits};

/// Most deliveries taken from the store for one endpoint at a time: its turn, then the others'.
const CLAIM_MAX: u32 = 64;
/// What a claimed delivery counts until its body is read. Most are smaller; the largest possible would
/// let an account claim for two endpoints at a time.
const CLAIMED_BYTES: usize = limits::PAYLOAD_BYTES_MAX / 8;

/// A turn to claim what is due at one endpoint.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) account: AccountId,
    pub(super) endpoint: EndpointId,
    /// When the first was due.
    pub(super) due: Timestamp,
    /// Slots for what the claim brings.
    pub(super) slots: Vec<Slot>,
    _held: Held,
}

/// What comes of an endpoint whose turn it is.
enum Came {
    Turn(Turn),
    /// Something has changed meanwhile.
    NoRoom,
    /// Others have all the memory.
    NoMemory,
}

impl Lanes {
    /// Turns for up to `limit` endpoints that have something due and a free slot.
    pub(super) fn turns(&self, now: Timestamp, limit: usize) -> Vec<Turn> {
        let mut state = self.lock();
        while let Some(endpoint) = state.rota.ripe(now) {
            let State { lanes, rota, .. } = &mut *state;
            if let Some(lane) = lanes.get_mut(&endpoint) {
                let who = (lane.account, endpoint);
                lane.place = rota.put(who, Place::Nowhere, Place::InLine);
            }
        }
        let mut turns = Vec::new();
        while turns.len() < limit
            && let Some((account, endpoint)) = state.rota.next()
        {
            match self.turn(&mut state, endpoint, now) {
                Came::Turn(turn) => turns.push(turn),
                Came::NoRoom => state.place(endpoint, now),
                Came::NoMemory => {
                    state.rota.pass_over(account, endpoint);
                    if let Some(lane) = state.lanes.get_mut(&endpoint) {
                        lane.place = Place::InLine;
                    }
                }
            }
        }
        let passed = state.rota.end_round();
        state.stuck = passed && turns.len() < limit;
        turns
    }

    fn turn(&self, state: &mut State, endpoint: EndpointId, now: Timestamp) -> Came {
        let Some(lane) = state.seen(endpoint, now) else {
            return Came::NoRoom;
        };
        lane.place = Place::Nowhere;
        let Some(due) = lane.due.filter(|due| *due <= now && !lane.claiming) else {
            return Came::NoRoom;
        };
        let most = match lane.room_for_slots(now) {
            Room::For(room) => room.min(CLAIM_MAX),
            // It is only to be seen what it states.
            _ if lane.unsure => 1,
            _ => return Came::NoRoom,
        };
        let account = lane.account;
        let mut slots = Vec::new();
        for beside in (lane.slots()..).take(most as usize) {
            let ask = Ask {
                bytes: CLAIMED_BYTES,
                beside,
                way: Way::Claimed,
            };
            let Some(memory) = self.memory.take_slot(account, ask) else {
                break;
            };
            slots.push(Slot::new(self, endpoint, memory));
        }
        if slots.is_empty() {
            return Came::NoMemory;
        }
        lane.take_slots(slots.len() as u32);
        lane.claiming = true;
        lane.due = None;
        Came::Turn(Turn {
            account,
            endpoint,
            due,
            slots,
            _held: self.busy.hold(),
        })
    }

    /// Lets a turn claim as much as its endpoint's limits have room for, which may be nothing. How many of it are for
    /// first attempts before all others.
    pub(super) fn admit(&self, turn: &mut Turn, stated: Stated) -> usize {
        let now = self.clock.now();
        let had = turn.slots.len() as u32;
        let (room, first) = {
            let mut state = self.lock();
            state.lane(turn.account, turn.endpoint).state(stated);
            let Some(lane) = state.seen(turn.endpoint, now) else {
                return 0;
            };
            // Its own slots are not in its way.
            let room = lane.room_beside(had, now).min(had);
            (room, lane.first_of(room))
        };
        turn.slots.truncate(room as usize);
        first as usize
    }

    /// Ends a turn: `next_due` is when the next one that is left in the store is due. The slots
    /// that are not used must have been dropped or kept by now.
    pub(super) fn end_turn(&self, turn: Turn, next_due: Option<Timestamp>) {
        let who = (turn.account, turn.endpoint);
        drop(turn.slots);
        let now = self.clock.now();
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(&who.1) else {
            return;
        };
        lane.claiming = false;
        let due = match (next_due, lane.spilled_meanwhile.take()) {
            (Some(left), Some(spilled)) => Some(left.min(spilled)),
            (left, spilled) => left.or(spilled),
        };
        match due {
            Some(due) => state.waits(who, due, now),
            None => state.forget(who.1, now),
        }
        drop(state);
        self.wake.notify_one();
        // The turn itself counts as in hand until here, so that nobody sees a gap.
    }

    /// When the next turn can begin; `None`, if something must happen first.
    pub(super) fn next_turn(&self, now: Timestamp) -> Option<Timestamp> {
        let state = self.lock();
        if state.rota.has_line() && !state.stuck {
            return Some(now);
        }
        state.rota.next_at()
    }

    /// Whether nothing in the store is due by `now` that there is room for, as far as is known.
    pub(super) fn nothing_due(&self, now: Timestamp) -> bool {
        let state = self.lock();
        !state.rota.has_line()
            && state.rota.next_at().is_none_or(|at| at > now)
            && !state.lanes.values().any(|lane| lane.claiming)
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
