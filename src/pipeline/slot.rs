//! One delivery's place in memory, from the moment that it is claimed until its outcome is on record.

use super::attempt::Outgoing;
use super::lane::Feeling;
use super::lanes::Lanes;
use super::permit::Permit;
use crate::model::{AccountId, Clock, EndpointId};

/// The place. Dropping it frees the place.
#[derive(Debug)]
pub(super) struct Slot {
    lanes: Lanes,
    account: AccountId,
    endpoint: EndpointId,
    open: bool,
    /// Its part of what may be in memory.
    memory: Permit,
}

impl Slot {
    pub(super) fn new(
        lanes: &Lanes,
        account: AccountId,
        endpoint: EndpointId,
        memory: Permit,
    ) -> Self {
        Self {
            lanes: lanes.clone(),
            account,
            endpoint,
            open: false,
            memory,
        }
    }

    pub(super) fn endpoint(&self) -> EndpointId {
        self.endpoint
    }

    /// Its request may be opened, now or in its turn.
    pub(super) fn opens(&mut self) {
        self.open = true;
    }

    /// Its request is not opened after all.
    pub(super) fn stays_shut(&mut self) {
        self.open = false;
    }

    /// Its request has ended. What comes back may now open one each.
    pub(super) fn leave(&mut self, feeling: Feeling, answer_ms: i64) -> Vec<Outgoing> {
        if !std::mem::take(&mut self.open) {
            return Vec::new();
        }
        let real_now = Clock::System.now();
        let mut state = self.lanes.lock();
        let Some(lane) = state.lanes.get_mut(&self.endpoint) else {
            return Vec::new();
        };
        lane.leave(feeling, answer_ms, real_now, self.lanes.window_max)
    }

    /// Its delivery turned out to have `bytes`.
    pub(super) fn weigh(&mut self, bytes: usize) {
        self.memory = self.lanes.memory.take_over(self.account, bytes);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Whoever opened a request and could not say how it ended was stopped with the whole node: who
        // waited goes down with it.
        drop(self.leave(Feeling::Indifferent, 0));
        let mut state = self.lanes.lock();
        let Some(lane) = state.lanes.get_mut(&self.endpoint) else {
            return;
        };
        lane.give_slot_back();
        let waiting = lane.due.is_some();
        state.forget(self.endpoint, self.lanes.window_max);
        drop(state);
        if waiting {
            self.lanes.wake.notify_one();
        }
    }
}
