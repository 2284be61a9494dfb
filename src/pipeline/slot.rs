//! One delivery's place in memory, from the moment that it is claimed until its outcome is on record.

use super::attempt::Outgoing;
use super::lane::Feeling;
use super::lanes::Lanes;
use super::permit::Permit;
use crate::model::EndpointId;

/// The place. Dropping it frees the place.
#[derive(Debug)]
pub(super) struct Slot {
    lanes: Lanes,
    endpoint: EndpointId,
    open: bool,
    /// Its request was opened, or waits for the window to be.
    sent: bool,
    /// Its part of what may be in memory.
    memory: Option<Permit>,
}

impl Slot {
    pub(super) fn new(lanes: &Lanes, endpoint: EndpointId, memory: Permit) -> Self {
        Self {
            lanes: lanes.clone(),
            endpoint,
            open: false,
            sent: false,
            memory: Some(memory),
        }
    }

    pub(super) fn endpoint(&self) -> EndpointId {
        self.endpoint
    }

    /// Its request may be opened, now or in its turn.
    pub(super) fn opens(&mut self) {
        (self.open, self.sent) = (true, true);
    }

    /// Its request is not opened after all.
    pub(super) fn stays_shut(&mut self) {
        (self.open, self.sent) = (false, false);
    }

    /// Its request has ended. What comes back may now open one each.
    pub(super) fn leave(&mut self, feeling: Feeling, answer_ms: i64) -> Vec<Outgoing> {
        if !std::mem::take(&mut self.open) {
            return Vec::new();
        }
        let now = self.lanes.clock.now();
        let mut state = self.lanes.lock();
        state.leave(self.endpoint, (feeling, answer_ms), now)
    }

    /// Its delivery turned out to have `bytes`.
    pub(super) fn weigh(&mut self, bytes: usize) {
        if let Some(memory) = &mut self.memory {
            memory.weigh(bytes);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Whoever opened a request and could not say how it ended was stopped with the whole node: who
        // waited goes down with it.
        drop(self.leave(Feeling::Unasked, 0));
        let now = self.lanes.clock.now();
        let mut state = self.lanes.lock();
        // Before whoever waits for it looks, and not before it is seen who does.
        drop(self.memory.take());
        let Some(lane) = state.lanes.get_mut(&self.endpoint) else {
            return;
        };
        if self.sent {
            lane.give_slot_back();
        } else {
            lane.give_unsent_back();
        }
        if lane.due.is_some() {
            state.place(self.endpoint, now);
        } else {
            state.forget(self.endpoint, now);
        }
        if std::mem::take(&mut state.stuck) {
            self.lanes.wake.notify_one();
        }
    }
}
