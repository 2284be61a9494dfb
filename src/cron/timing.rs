//! What a schedule runs by: a calendar or an interval.

use super::{Calendar, Change, Civil, Interval};
use crate::model::Timestamp;

/// One time that a schedule runs at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// What was asked for: the time on the wall. In a gap it never shows.
    pub nominal: Civil,
    /// When that is.
    pub at: Timestamp,
}

/// What a schedule runs by.
#[derive(Debug, Clone)]
pub enum Timing {
    /// The clock on a wall.
    Calendar(Calendar),
    /// Elapsed time.
    Interval(Interval),
}

impl Timing {
    /// The first occurrence after an instant.
    pub fn next_after(&self, instant: Timestamp) -> Option<Occurrence> {
        match self {
            Self::Calendar(calendar) => calendar.next_after(instant),
            Self::Interval(interval) => interval.next_after(instant),
        }
    }

    /// All occurrences after an instant.
    pub fn after(&self, instant: Timestamp) -> impl Iterator<Item = Occurrence> {
        std::iter::successors(self.next_after(instant), |last| self.next_after(last.at))
    }

    /// What the wall shows at an instant: of an interval, UTC's.
    pub fn wall(&self, at: Timestamp) -> Civil {
        let stretch = match self {
            Self::Calendar(calendar) => calendar.zone.stretch(at.as_s()),
            Self::Interval(_) => None,
        };
        stretch.map_or(Civil::from_s(at.as_s()), |it| it.civil(at.as_s()))
    }

    /// In words: "at 09:00 on Monday to Friday".
    pub fn words(&self) -> String {
        match self {
            Self::Calendar(calendar) => calendar.pattern.words(),
            Self::Interval(interval) => interval.words(),
        }
    }

    /// The next `count` changes of the clocks, and what each does.
    pub fn changes(&self, after: Timestamp, count: usize) -> Vec<Change> {
        match self {
            Self::Calendar(calendar) => calendar.changes(after, count),
            Self::Interval(_) => Vec::new(),
        }
    }
}
