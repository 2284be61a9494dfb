//! An interval: elapsed time from a start, again and again. Clocks that change are nothing to it.

use super::{Civil, Error, Occurrence};
use crate::model::Timestamp;

/// Longest interval.
pub const EVERY_S_MAX: i64 = 366 * 86_400;

/// So many seconds, again and again, from a start that is itself an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    every_s: i64,
    start: Timestamp,
}

impl Interval {
    /// Every `every_s` seconds from `start` on, which is taken to the second.
    pub fn new(every_s: i64, start: Timestamp) -> Result<Self, Error> {
        if !(1..=EVERY_S_MAX).contains(&every_s) {
            return Err(Error::Interval(every_s));
        }
        Ok(Self {
            every_s,
            start: Timestamp::from_ms(start.as_s().saturating_mul(1000)),
        })
    }

    /// The first occurrence after an instant. Its nominal time is that of UTC.
    pub fn next_after(&self, instant: Timestamp) -> Option<Occurrence> {
        let (start_s, instant_s) = (self.start.as_s(), instant.as_s());
        let at_s = if instant_s < start_s {
            start_s
        } else {
            let steps = (instant_s - start_s) / self.every_s + 1;
            start_s.checked_add(steps.checked_mul(self.every_s)?)?
        };
        Some(Occurrence {
            nominal: Civil::from_s(at_s),
            at: Timestamp::from_ms(at_s.checked_mul(1000)?),
        })
    }

    /// The interval in words: "every 13 hours".
    pub fn words(&self) -> String {
        let lengths = [
            (86_400, "day"),
            (3600, "hour"),
            (60, "minute"),
            (1, "second"),
        ];
        let (unit_s, unit) = lengths
            .into_iter()
            .find(|(unit_s, _)| self.every_s % unit_s == 0)
            .unwrap_or((1, "second"));
        match self.every_s / unit_s {
            1 => format!("every {unit}"),
            count => format!("every {count} {unit}s"),
        }
    }
}
