//! How many requests at once an endpoint gets that goes on failing: one. Each that it answers then doubles that.
//!
//! A circuit says how many at once, never when: what is due goes as soon as the place is free, so that nothing
//! waits for a time that its retry policy does not know, and none of its attempts is used up meanwhile.

use crate::model::Timestamp;

/// So many failures one after the other open it...
const FAILURES: u32 = 5;
/// ...if no more time than this lies between the first of them and the last.
const WITHIN_MS: i64 = 60_000;

/// What an attempt says about whether its endpoint can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It answered, though perhaps with a no.
    Answer,
    /// It could not be reached, did not answer in time, or answered with 5xx.
    Failure,
    /// Nothing.
    Nothing,
}

/// Closed, with the failures one after the other; or open, with how many requests at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// As many as its window has.
    Closed {
        /// How many attempts have failed one after the other.
        failures: u32,
        /// When the first of them did.
        since: Timestamp,
    },
    /// So many.
    Open {
        /// At least one.
        requests: u32,
    },
}

impl Default for Circuit {
    fn default() -> Self {
        Self::Closed {
            failures: 0,
            since: Timestamp::from_ms(0),
        }
    }
}

impl Circuit {
    /// Most requests at once.
    pub fn requests(self) -> u32 {
        match self {
            Self::Closed { .. } => u32::MAX,
            Self::Open { requests } => requests,
        }
    }

    /// Whether it is open.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Whether it remembers nothing.
    pub fn is_calm(self) -> bool {
        matches!(self, Self::Closed { failures: 0, .. })
    }

    /// After an attempt that ended `now`. It closes when it would let `whole` go at once.
    #[must_use]
    pub fn after(self, heard: Heard, whole: u32, now: Timestamp) -> Self {
        match (self, heard) {
            (_, Heard::Nothing) => self,
            (Self::Closed { .. }, Heard::Answer) => Self::default(),
            (Self::Closed { failures, since }, Heard::Failure) => {
                let goes_on = failures > 0 && now.ms_since(since) <= WITHIN_MS;
                let (failures, since) = if goes_on {
                    (failures + 1, since)
                } else {
                    (1, now)
                };
                if failures >= FAILURES {
                    Self::Open { requests: 1 }
                } else {
                    Self::Closed { failures, since }
                }
            }
            (Self::Open { requests }, Heard::Answer) => {
                let requests = requests.saturating_mul(2);
                if requests >= whole {
                    Self::default()
                } else {
                    Self::Open { requests }
                }
            }
            (Self::Open { .. }, Heard::Failure) => Self::Open { requests: 1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: u32 = 32;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn after(heard: &[(Heard, i64)]) -> Circuit {
        let step =
            |circuit: Circuit, (heard, ms): &(Heard, i64)| circuit.after(*heard, WHOLE, at(*ms));
        heard.iter().fold(Circuit::default(), step)
    }

    #[test]
    fn five_failures_in_a_row_within_a_minute_open_it_and_answers_close_it() {
        use Heard::{Answer, Failure, Nothing};
        let row = |count: usize, ms: i64| vec![(Failure, ms); count];
        let with = |mut before: Vec<_>, then: &[(Heard, i64)]| {
            before.extend_from_slice(then);
            before
        };
        for (heard, requests) in [
            (row(4, 7), u32::MAX),
            (row(5, 7), 1),
            (with(row(4, 0), &[(Answer, 1), (Failure, 2)]), u32::MAX),
            (with(row(4, 0), &[(Nothing, 1), (Failure, 2)]), 1),
            (with(row(4, 0), &[(Failure, 60_000)]), 1),
            (with(row(4, 0), &[(Failure, 60_001)]), u32::MAX),
            (with(row(5, 0), &[(Answer, 1)]), 2),
            (with(row(5, 0), &[(Answer, 1); 4]), 16),
            (with(row(5, 0), &[(Answer, 1); 5]), u32::MAX),
            (
                with(row(5, 0), &[(Answer, 1), (Answer, 2), (Failure, 3)]),
                1,
            ),
            (with(row(5, 0), &[(Nothing, 1)]), 1),
        ] {
            assert_eq!(after(&heard).requests(), requests, "{heard:?}");
        }
        assert!(after(&[]).is_calm() && !after(&row(1, 0)).is_calm());
    }

    fn heard() -> impl Strategy<Value = Heard> {
        prop_oneof![
            Just(Heard::Answer),
            Just(Heard::Failure),
            Just(Heard::Nothing)
        ]
    }

    proptest! {
        #[test]
        fn one_at_least_always_goes_and_answers_always_close_it(
            story in prop::collection::vec((heard(), 0_i64..30_000), 0..60),
        ) {
            let (mut circuit, mut now) = (Circuit::default(), 0);
            for (heard, gap) in story {
                now += gap;
                let before = circuit;
                circuit = circuit.after(heard, WHOLE, at(now));
                prop_assert!(circuit.requests() >= 1);
                prop_assert!(heard != Heard::Answer || circuit.requests() >= before.requests());
                prop_assert!(heard != Heard::Failure || circuit.requests() <= before.requests());
            }
            for _ in 0..5 {
                circuit = circuit.after(Heard::Answer, WHOLE, at(now));
            }
            prop_assert!(circuit.is_calm());
        }
    }
}
