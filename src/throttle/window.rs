//! What was begun within a time that has just passed. Exact for few, a little too careful for many: of those what was
//! begun at nearly the same time counts as begun at the latest of it, so that a window has a bounded number of entries
//! and never tells too little.

use std::collections::VecDeque;

use crate::model::Timestamp;

/// Entries of one window that are exact. Beyond them, what was begun within this part of it is one.
const GRAINS: i64 = 64;

#[derive(Debug, Clone, Copy)]
struct Run {
    first: Timestamp,
    last: Timestamp,
    count: u32,
}

/// The beginnings of the last `length_ms` milliseconds.
#[derive(Debug, Clone)]
pub struct Window {
    length_ms: i64,
    runs: VecDeque<Run>,
    count: u32,
}

impl Window {
    /// An empty one of this length.
    pub fn new(length_ms: i64) -> Self {
        Self {
            length_ms,
            runs: VecDeque::new(),
            count: 0,
        }
    }

    /// Its length in milliseconds.
    pub fn length_ms(&self) -> i64 {
        self.length_ms
    }

    /// One more begins.
    pub fn begin(&mut self, now: Timestamp) {
        self.count += 1;
        let grain_ms = self.length_ms / GRAINS;
        let many = self.runs.len() >= GRAINS as usize;
        match self.runs.back_mut() {
            Some(run) if now == run.first || (many && now.ms_since(run.first) < grain_ms) => {
                run.last = run.last.max(now);
                run.count += 1;
            }
            _ => self.runs.push_back(Run {
                first: now,
                last: now,
                count: 1,
            }),
        }
    }

    /// How many have begun since `length_ms` before `now`.
    pub fn count(&mut self, now: Timestamp) -> u32 {
        if self.runs.back().is_some_and(|run| run.last > now) {
            // The clock was put back. What was begun has not begun later than now.
            for run in &mut self.runs {
                run.first = run.first.min(now);
                run.last = run.last.min(now);
            }
        }
        while let Some(run) = self.runs.front()
            && now.ms_since(run.last) >= self.length_ms
        {
            self.count -= run.count;
            self.runs.pop_front();
        }
        self.count
    }

    /// When there are fewer than `most` if none begins any more; `None`, if that is never.
    pub fn below(&mut self, most: u32, now: Timestamp) -> Option<Timestamp> {
        let mut left = self.count(now);
        if left < most {
            return Some(now);
        }
        self.runs.iter().find_map(|run| {
            left -= run.count;
            (left < most).then(|| run.last.plus_ms(self.length_ms))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    /// Begins as many as `most` allows, at these times and whenever it says that there is room.
    fn begun(most: u32, arrivals: &[(i64, u32)]) -> Vec<i64> {
        let mut window = Window::new(SECOND);
        let (mut now, mut begun) = (0, Vec::new());
        for (gap, wanted) in arrivals {
            now += gap;
            for _ in 0..*wanted {
                let room_at = window.below(most, at(now)).expect("some day");
                now = room_at.as_ms();
                assert!(window.count(at(now)) < most, "what it promises holds");
                window.begin(at(now));
                begun.push(now);
            }
        }
        assert!(
            window.runs.len() <= 2 * GRAINS as usize + 2,
            "it is bounded"
        );
        begun
    }

    #[test]
    fn few_are_counted_to_the_millisecond() {
        assert_eq!(begun(2, &[(0, 2), (900, 1)]), [0, 0, 1_000]);
        assert_eq!(begun(1, &[(5, 3)]), [5, 1_005, 2_005]);
        let mut none = Window::new(SECOND);
        assert_eq!(none.below(0, at(7)), None);
    }

    #[test]
    fn a_clock_that_is_put_back_stops_nothing_for_longer_than_a_window() {
        let mut window = Window::new(SECOND);
        window.begin(at(1_000_000));
        assert_eq!(window.below(1, at(500)), Some(at(1_500)));
        assert_eq!(window.count(at(1_500)), 0);
    }

    proptest! {
        #[test]
        fn never_more_than_stated_in_any_window_and_always_progress(
            most in 1_u32..40,
            arrivals in prop::collection::vec((0_i64..3_000, 0_u32..60), 1..40),
        ) {
            let begun = begun(most, &arrivals);
            let wanted: u32 = arrivals.iter().map(|(_, wanted)| wanted).sum();
            prop_assert_eq!(begun.len() as u32, wanted, "each has begun");
            for (no, first) in begun.iter().enumerate() {
                let within = begun[no..].iter().take_while(|ms| **ms < first + SECOND);
                prop_assert!(within.count() as u32 <= most);
            }
        }

        #[test]
        fn what_is_stated_is_nearly_reached(most in 1_u32..200, seconds in 2_i64..20) {
            let mut window = Window::new(SECOND);
            let (mut now, mut begun) = (0, 0_i64);
            while now < seconds * SECOND {
                window.begin(at(now));
                begun += 1;
                now = window.below(most, at(now)).expect("some day").as_ms().max(now);
            }
            let stated = i64::from(most) * seconds;
            prop_assert!(begun * GRAINS >= stated * (GRAINS - 2), "{} of {}", begun, stated);
        }
    }
}
