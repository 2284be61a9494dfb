//! One endpoint as this node sees it: how many deliveries to it are in memory (its *slots*), how many
//! requests are open (its *window*), how quickly it answers, and when the next delivery that waits in
//! the store is due. Pure.
//!
//! The window grows by one with each success and halves when the endpoint shows that it is overloaded
//! or away, so that a dead endpoint holds few connections for the length of its time-out and a quick
//! one has as many as it can use. A circuit narrows it to one request at a time while the endpoint goes on failing,
//! and the endpoint's own limits narrow it always. A few windows' worth of deliveries may wait in memory for their
//! turn; the others wait in the store.

use std::collections::VecDeque;

use super::limited::{Limited, Room, Stated};
use super::rota::Place;
use crate::model::{AccountId, EndpointId, Timestamp};
use crate::throttle::{Circuit, Heard, Nodes};

pub(super) const WINDOW_MIN: u32 = 4;
pub(super) const WINDOW_START: u32 = 32;
/// Deliveries in memory for each place in the window.
pub(super) const SLOTS_PER_WINDOW: u32 = 4;
/// An endpoint is quick if it answers within this time on average...
const QUICK_MS: f32 = 50.0;
/// ...and has done so lately.
const LATELY_MS: i64 = 250;
/// How much of the average one answer is.
const ANSWER_WEIGHT: f32 = 1.0 / 16.0;
/// Most credit for events that a backlog in work earns.
const CREDIT_MAX: u32 = 1024;

/// What an attempt said about the endpoint's strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feeling {
    /// It took the delivery.
    Well,
    /// It answered, though not with a yes.
    Indifferent,
    /// It answered that it is asked too much.
    Busy,
    /// It answered that something is wrong with it.
    Failing,
    /// It did not answer, or said that it can't keep up.
    Overwhelmed,
    /// Nothing was asked of it.
    Unasked,
}

impl Feeling {
    /// What it says about whether the endpoint can be reached.
    fn heard(self) -> Heard {
        match self {
            Self::Well | Self::Indifferent => Heard::Answer,
            Self::Failing | Self::Overwhelmed => Heard::Failure,
            Self::Busy | Self::Unasked => Heard::Nothing,
        }
    }
}

/// When something happens in a lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    /// How quickly a receiver answers is a matter of real time.
    pub(super) real_now: Timestamp,
}

/// `W`: what waits for the window.
#[derive(Debug)]
pub(super) struct Lane<W> {
    pub(super) account: AccountId,
    window: u32,
    window_max: u32,
    circuit: Circuit,
    limited: Option<Box<Limited>>,
    open: u32,
    /// Deliveries in memory: not sent yet, open, or answered and not yet on record.
    slots: u32,
    /// Those of them that are not sent yet.
    unsent: u32,
    waiting: VecDeque<W>,
    answer_ms: f32,
    well_at: Option<Timestamp>,
    credit: u32,
    /// Quarters of a first attempt that claims have not had yet.
    quarters: u32,
    pub(super) due: Option<Timestamp>,
    /// Where it stands among those that have something due.
    pub(super) place: Place,
    /// Its limits may have been stated anew: a turn shows it, whether there is room or not.
    pub(super) unsure: bool,
    /// A claim is at work; what is spilled meanwhile may not be in its answer.
    pub(super) claiming: bool,
    pub(super) spilled_meanwhile: Option<Timestamp>,
}

impl<W> Lane<W> {
    pub(super) fn new(account: AccountId, window_max: u32) -> Self {
        Self {
            account,
            window: WINDOW_START.min(window_max),
            window_max,
            circuit: Circuit::default(),
            limited: None,
            open: 0,
            slots: 0,
            unsent: 0,
            waiting: VecDeque::new(),
            answer_ms: 0.0,
            well_at: None,
            credit: 0,
            quarters: 0,
            due: None,
            place: Place::Nowhere,
            unsure: false,
            claiming: false,
            spilled_meanwhile: None,
        }
    }

    /// Nothing of it would be missed: a new lane would do the same.
    pub(super) fn is_forgettable(&mut self, now: Timestamp) -> bool {
        self.slots == 0
            && self.due.is_none()
            && !self.claiming
            && self.circuit.is_calm()
            && self.window >= WINDOW_START.min(self.window_max)
            && self
                .limited
                .as_mut()
                .is_none_or(|limited| limited.is_idle(now))
    }

    /// What its endpoint states.
    pub(super) fn state(&mut self, stated: Stated) {
        self.unsure = false;
        match &mut self.limited {
            Some(limited) => limited.state(stated),
            None if stated.limits.is_none() => {}
            none => *none = Some(Box::new(Limited::new(stated))),
        }
    }

    /// Takes this node's part of its limits, as it is now.
    pub(super) fn see(&mut self, endpoint: EndpointId, nodes: Option<&Nodes>, now: Timestamp) {
        if let Some(limited) = &mut self.limited {
            limited.see(endpoint, nodes, now);
        }
    }

    /// Whether its endpoint states limits.
    pub(super) fn is_limited(&self) -> bool {
        self.limited.is_some()
    }

    /// Whether its circuit is open.
    pub(super) fn is_broken(&self) -> bool {
        self.circuit.is_open()
    }

    /// Most requests open at once.
    fn width(&self) -> u32 {
        let limited = self.limited.as_ref();
        let own = limited.map_or(u32::MAX, |limited| limited.open_max());
        self.window.min(self.circuit.requests()).min(own)
    }

    /// For how many more deliveries there is room in memory.
    pub(super) fn room_for_slots(&mut self, now: Timestamp) -> Room {
        let free = (self.width() * SLOTS_PER_WINDOW).saturating_sub(self.slots);
        match &mut self.limited {
            // Without a part of the limits it matters when there is one, not that it has no width.
            Some(limited) if limited.open_max() == 0 => limited.room(self.unsent, now),
            Some(limited) => limited.room(self.unsent, now).at_most(free),
            None => Room::For(u32::MAX).at_most(free),
        }
    }

    /// For how many there is room if `slots` of those that are taken were not: nothing of them is sent.
    pub(super) fn room_beside(&mut self, slots: u32, now: Timestamp) -> u32 {
        self.slots -= slots;
        self.unsent -= slots;
        let room = self.room_for_slots(now);
        self.take_slots(slots);
        match room {
            Room::For(room) => room,
            Room::At(_) | Room::None => 0,
        }
    }

    /// When what can't be sent now has a chance.
    pub(super) fn spills_until(&mut self, now: Timestamp) -> Timestamp {
        match self.room_for_slots(now) {
            Room::At(at) => at.max(now),
            Room::For(_) | Room::None => now,
        }
    }

    /// When its turn to claim can come: something is due then, and there is room for it.
    pub(super) fn turn_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        let due = self.due.filter(|_| !self.claiming)?;
        match self.room_for_slots(now) {
            _ if self.unsure => Some(due),
            Room::For(_) => Some(due),
            Room::At(at) => Some(due.max(at)),
            Room::None => None,
        }
    }

    /// Whether fresh deliveries must wait in the store behind others, which they would overtake for
    /// ever.
    pub(super) fn has_backlog(&self, now: Timestamp) -> bool {
        self.claiming || self.due.is_some_and(|due| due <= now)
    }

    /// Whether it stands, or may stand, among those that have something due.
    pub(super) fn has_place(&self) -> bool {
        self.due.is_some() || self.place != Place::Nowhere
    }

    /// How many slots are taken.
    pub(super) fn slots(&self) -> u32 {
        self.slots
    }

    pub(super) fn take_slots(&mut self, slots: u32) {
        self.slots += slots;
        self.unsent += slots;
    }

    /// Of a delivery that was sent.
    pub(super) fn give_slot_back(&mut self) {
        self.slots -= 1;
    }

    /// Of a delivery that is not sent after all.
    pub(super) fn give_unsent_back(&mut self) {
        self.slots -= 1;
        self.unsent -= 1;
    }

    /// What comes back may open a request; what does not waits until the window lets it.
    pub(super) fn enter(&mut self, coming: W, now: Timestamp) -> Option<W> {
        if self.open < self.width() {
            self.begin(now);
            return Some(coming);
        }
        self.waiting.push_back(coming);
        None
    }

    /// A request that has a slot is opened.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.open += 1;
        self.unsent -= 1;
        if let Some(limited) = &mut self.limited {
            limited.begin(now);
        }
    }

    /// A request has ended after `answer_ms`, with what it said about the endpoint. What comes back
    /// may now open one each.
    pub(super) fn leave(&mut self, (feeling, answer_ms): (Feeling, i64), at: Moment) -> Vec<W> {
        self.open -= 1;
        self.hear(feeling, at);
        if feeling == Feeling::Well {
            self.answer_ms += (answer_ms as f32 - self.answer_ms) * ANSWER_WEIGHT;
            self.well_at = Some(at.real_now);
            self.credit = (self.credit + 1).min(CREDIT_MAX);
        }
        self.let_in(at.now)
    }

    fn hear(&mut self, feeling: Feeling, at: Moment) {
        let whole = WINDOW_START.min(self.window_max);
        let before = self.circuit;
        self.circuit = before.after(feeling.heard(), whole, at.now);
        if before.is_open() || self.circuit.is_open() {
            // The circuit alone narrows it, and leaves it as it was at first.
            self.window = whole;
            if self.circuit.is_open() {
                self.well_at = None;
            }
            return;
        }
        match feeling {
            Feeling::Well => self.window = (self.window + 1).min(self.window_max),
            Feeling::Busy | Feeling::Overwhelmed => {
                self.window = (self.window / 2).max(WINDOW_MIN.min(self.window_max));
                self.well_at = None;
            }
            Feeling::Indifferent | Feeling::Failing | Feeling::Unasked => {}
        }
    }

    /// Opens the window as far as it goes. What comes back may now open a request each.
    pub(super) fn let_in(&mut self, now: Timestamp) -> Vec<W> {
        let free = self.width().saturating_sub(self.open) as usize;
        let let_in: Vec<W> = self.waiting.drain(..free.min(self.waiting.len())).collect();
        for _ in &let_in {
            self.begin(now);
        }
        let_in
    }

    /// How many of so many that are claimed are for first attempts before all others: a quarter, over time.
    pub(super) fn first_of(&mut self, claimed: u32) -> u32 {
        let quarters = self.quarters + claimed;
        self.quarters = quarters % 4;
        quarters / 4
    }

    /// Sends away what waits for the window.
    pub(super) fn close(&mut self) -> VecDeque<W> {
        std::mem::take(&mut self.waiting)
    }

    /// How many more events that lead here may be on their way; `None`: as many as come.
    ///
    /// A quick endpoint paces what is accepted for it, so that its deliveries need not wait in the store
    /// merely because this node accepts faster than it delivers: with free slots, up to those; with
    /// a backlog, half as many as it takes off. A slow, silent or failing one paces nothing: what is for
    /// it waits in the store; so does a limited one, or its limits would be those of what is accepted.
    pub(super) fn room(&self, now: Timestamp, real_now: Timestamp) -> Option<u32> {
        let lately = self
            .well_at
            .is_some_and(|at| real_now.ms_since(at) <= LATELY_MS);
        if !lately || self.answer_ms > QUICK_MS || self.is_limited() {
            None
        } else if self.has_backlog(now) {
            Some(self.credit / 2)
        } else {
            Some((self.width() * SLOTS_PER_WINDOW).saturating_sub(self.slots))
        }
    }

    /// Events that may lead here were let in.
    pub(super) fn let_come(&mut self, events: u32) {
        self.credit = self.credit.saturating_sub(events.saturating_mul(2));
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
