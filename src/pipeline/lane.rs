//! One endpoint as this node sees it: how many deliveries to it are in memory (its *slots*), how many
//! requests are open (its *window*), how quickly it answers, and when the next delivery that waits in
//! the store is due. Pure.
//!
//! The window grows by one with each success and halves when the endpoint shows that it is overloaded
//! or away, so that a dead endpoint holds few connections for the length of its time-out and a quick
//! one has as many as it can use. A few windows' worth of deliveries may wait in memory for their turn;
//! the others wait in the store.

use std::collections::VecDeque;

use crate::model::{AccountId, Timestamp};

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
    /// It answered, though not with a yes; or nothing was asked of it.
    Indifferent,
    /// It did not answer, or said that it can't keep up.
    Overwhelmed,
}

/// `W`: what waits for the window.
#[derive(Debug)]
pub(super) struct Lane<W> {
    pub(super) account: AccountId,
    window: u32,
    open: u32,
    /// Deliveries in memory: waiting for the window, open, or answered and not yet on record.
    slots: u32,
    waiting: VecDeque<W>,
    answer_ms: f32,
    well_at: Option<Timestamp>,
    credit: u32,
    pub(super) due: Option<Timestamp>,
    /// A claim is at work; what is spilled meanwhile may not be in its answer.
    pub(super) claiming: bool,
    pub(super) spilled_meanwhile: Option<Timestamp>,
}

impl<W> Lane<W> {
    pub(super) fn new(account: AccountId, window_max: u32) -> Self {
        Self {
            account,
            window: WINDOW_START.min(window_max),
            open: 0,
            slots: 0,
            waiting: VecDeque::new(),
            answer_ms: 0.0,
            well_at: None,
            credit: 0,
            due: None,
            claiming: false,
            spilled_meanwhile: None,
        }
    }

    /// Nothing of it would be missed: a new lane would do the same.
    pub(super) fn is_forgettable(&self, window_max: u32) -> bool {
        self.slots == 0
            && self.due.is_none()
            && !self.claiming
            && self.window >= WINDOW_START.min(window_max)
    }

    /// Free slots.
    pub(super) fn free(&self) -> u32 {
        (self.window * SLOTS_PER_WINDOW).saturating_sub(self.slots)
    }

    /// Whether fresh deliveries must wait in the store behind others, which they would overtake for
    /// ever.
    pub(super) fn has_backlog(&self, now: Timestamp) -> bool {
        self.claiming || self.due.is_some_and(|due| due <= now)
    }

    pub(super) fn take_slots(&mut self, slots: u32) {
        self.slots += slots;
    }

    pub(super) fn give_slot_back(&mut self) {
        self.slots -= 1;
    }

    /// What comes back may open a request; what does not waits until the window lets it.
    pub(super) fn enter(&mut self, coming: W) -> Option<W> {
        if self.open < self.window {
            self.open += 1;
            return Some(coming);
        }
        self.waiting.push_back(coming);
        None
    }

    /// A request has ended after `answer_ms`, with what it said about the endpoint. What comes back
    /// may now open one each.
    pub(super) fn leave(
        &mut self,
        feeling: Feeling,
        answer_ms: i64,
        real_now: Timestamp,
        window_max: u32,
    ) -> Vec<W> {
        self.open -= 1;
        match feeling {
            Feeling::Well => {
                self.window = (self.window + 1).min(window_max);
                self.answer_ms += (answer_ms as f32 - self.answer_ms) * ANSWER_WEIGHT;
                self.well_at = Some(real_now);
                self.credit = (self.credit + 1).min(CREDIT_MAX);
            }
            Feeling::Indifferent => {}
            Feeling::Overwhelmed => {
                self.window = (self.window / 2).max(WINDOW_MIN.min(window_max));
                self.well_at = None;
            }
        }
        let free = self.window.saturating_sub(self.open) as usize;
        let let_in: Vec<W> = self.waiting.drain(..free.min(self.waiting.len())).collect();
        self.open += let_in.len() as u32;
        let_in
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
    /// it waits in the store.
    pub(super) fn room(&self, now: Timestamp, real_now: Timestamp) -> Option<u32> {
        let lately = self
            .well_at
            .is_some_and(|at| real_now.ms_since(at) <= LATELY_MS);
        if !lately || self.answer_ms > QUICK_MS {
            None
        } else if self.has_backlog(now) {
            Some(self.credit / 2)
        } else {
            Some(self.free())
        }
    }

    /// Events that may lead here were let in.
    pub(super) fn let_come(&mut self, events: u32) {
        self.credit = self.credit.saturating_sub(events.saturating_mul(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000);
    const MAX: u32 = 256;

    fn lane() -> Lane<u32> {
        Lane::new(AccountId::mint(NOW), MAX)
    }

    fn answers(lane: &mut Lane<u32>, feeling: Feeling, answer_ms: i64, times: u32) {
        for _ in 0..times {
            assert_eq!(lane.enter(7), Some(7));
            assert!(lane.leave(feeling, answer_ms, NOW, MAX).is_empty());
        }
    }

    fn window(lane: &mut Lane<u32>) -> usize {
        std::iter::repeat_with(|| lane.enter(0))
            .take_while(Option::is_some)
            .count()
    }

    #[test]
    fn an_overwhelmed_lane_shrinks_and_a_well_one_grows() {
        let mut away = lane();
        answers(&mut away, Feeling::Overwhelmed, 15_000, 10);
        assert_eq!(window(&mut away), WINDOW_MIN as usize);
        let mut well = lane();
        answers(&mut well, Feeling::Well, 1, 1000);
        assert_eq!(window(&mut well), MAX as usize);
        let mut neither = lane();
        answers(&mut neither, Feeling::Indifferent, 1, 100);
        assert_eq!(window(&mut neither), WINDOW_START as usize);
    }

    #[test]
    fn what_waits_for_the_window_is_let_in_in_order() {
        let mut lane = lane();
        for coming in 1..=WINDOW_START {
            assert_eq!(lane.enter(coming), Some(coming));
        }
        for coming in 101..=103 {
            assert_eq!(lane.enter(coming), None);
        }
        assert_eq!(lane.leave(Feeling::Indifferent, 1, NOW, MAX), [101]);
        assert!(lane.leave(Feeling::Overwhelmed, 1, NOW, MAX).is_empty());
        assert_eq!(lane.close(), [102, 103]);
    }

    #[test]
    fn only_a_quick_endpoint_paces_what_is_accepted() {
        let mut quick = lane();
        assert_eq!(quick.room(NOW, NOW), None, "nothing is known yet");
        answers(&mut quick, Feeling::Well, 2, 100);
        let slots = (WINDOW_START + 100) * SLOTS_PER_WINDOW;
        quick.take_slots(10);
        assert_eq!(quick.room(NOW, NOW), Some(slots - 10));
        assert_eq!(
            quick.room(NOW, NOW.plus_ms(LATELY_MS + 1)),
            None,
            "it has gone silent"
        );
        let mut slow = lane();
        answers(&mut slow, Feeling::Well, 200, 100);
        assert_eq!(slow.room(NOW, NOW), None);
        answers(&mut quick, Feeling::Overwhelmed, 15_000, 1);
        assert_eq!(quick.room(NOW, NOW), None);
    }

    #[test]
    fn a_backlog_lets_half_of_what_it_takes_off_come() {
        let mut lane = lane();
        answers(&mut lane, Feeling::Well, 2, 100);
        lane.due = Some(NOW);
        assert_eq!(lane.room(NOW, NOW), Some(50));
        lane.let_come(30);
        assert_eq!(lane.room(NOW, NOW), Some(20));
        lane.let_come(30);
        assert_eq!(lane.room(NOW, NOW), Some(0));
    }
}
