//! A pattern in a time zone: which instants it names.
//!
//! The zone is walked stretch by stretch, each with one offset. Within one, the pattern's civil times
//! are in the order of their instants, so nothing needs sorting; what is in two stretches (a fold) or in
//! none (a gap) is taken or left at the stretch's ends.

use super::civil::{Civil, DAY_S};
use super::zone::Stretch;
use super::{DstPolicy, Error, Fold, Gap, Occurrence, Pattern, Zone};
use crate::model::Timestamp;

/// How far ahead is searched: a 29 February may be eight years away, and there may be a gap on it.
const SEARCHED_S: i64 = 13 * 366 * DAY_S;
/// What has no occurrence for so long is refused.
const NEVER_S: i64 = (5 * 365 + 2) * DAY_S;

/// A pattern in a time zone, with what is done where the clocks change.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// Which civil times.
    pub pattern: Pattern,
    /// On whose wall.
    pub zone: Zone,
    /// What is done with those that do not exist, or exist twice.
    pub policy: DstPolicy,
}

impl Calendar {
    /// The first occurrence after an instant; `None`: not within the next decade.
    pub fn next_after(&self, instant: Timestamp) -> Option<Occurrence> {
        self.next_from(instant.as_s().checked_add(1)?, &mut None)
    }

    /// All occurrences after an instant.
    pub fn after(&self, instant: Timestamp) -> impl Iterator<Item = Occurrence> {
        let mut stretch = None;
        let mut from_s = instant.as_s().checked_add(1);
        std::iter::from_fn(move || {
            let next = self.next_from(from_s?, &mut stretch)?;
            from_s = next.at.as_s().checked_add(1);
            Some(next)
        })
    }

    /// Refuses a pattern that has no occurrence in the five years after an instant.
    pub fn check(&self, instant: Timestamp) -> Result<(), Error> {
        let limit = instant.plus_ms(NEVER_S * 1000);
        match self.next_after(instant) {
            Some(next) if next.at <= limit => Ok(()),
            _ => Err(Error::Never),
        }
    }

    /// The first occurrence from a second on. `known`: the stretch that was walked last.
    fn next_from(&self, from_s: i64, known: &mut Option<Stretch>) -> Option<Occurrence> {
        let limit_s = from_s.checked_add(SEARCHED_S)?;
        let mut from_s = from_s;
        loop {
            let stretch = match known {
                Some(stretch) if (stretch.start_s..stretch.end_s).contains(&from_s) => *stretch,
                _ => *known.insert(self.zone.stretch(from_s)?),
            };
            if let Some(found) = self.first_in(&stretch, from_s, limit_s) {
                return Some(found);
            }
            if stretch.end_s >= limit_s {
                return None;
            }
            from_s = stretch.end_s;
        }
    }

    /// The first occurrence in a stretch, from a second of it on.
    fn first_in(&self, stretch: &Stretch, from_s: i64, limit_s: i64) -> Option<Occurrence> {
        let by_policy = !self.pattern.runs_by_elapsed_time();
        let made_up = by_policy && self.policy.gap == Gap::RunAtGapEnd;
        if made_up
            && from_s == stretch.start_s
            && let Some(nominal) = self.missing(stretch).next()
        {
            return Some(Occurrence {
                nominal,
                at: Timestamp::from_ms(from_s * 1000),
            });
        }
        let mut from = stretch.civil(from_s);
        let mut before = stretch.civil(stretch.end_s.min(limit_s));
        if by_policy && self.policy.fold == Fold::First && stretch.before_s > stretch.offset_s {
            from = from.max(Civil::from_s(stretch.start_s + stretch.before_s));
        }
        if by_policy && self.policy.fold == Fold::Last && stretch.after_s < stretch.offset_s {
            before = before.min(Civil::from_s(stretch.end_s + stretch.after_s));
        }
        let nominal = self.pattern.next(from, before)?;
        Some(Occurrence {
            nominal,
            at: Timestamp::from_ms((nominal.as_s() - stretch.offset_s) * 1000),
        })
    }

    /// The pattern's times that the start of a stretch leaves out.
    fn missing(&self, stretch: &Stretch) -> impl Iterator<Item = Civil> {
        let gap = (stretch.before_s < stretch.offset_s).then(|| stretch.turn());
        self.between(gap)
    }

    /// The pattern's civil times from the one to before the other.
    pub(super) fn between(&self, ends: Option<(Civil, Civil)>) -> impl Iterator<Item = Civil> {
        let mut from = ends.map(|(from, _)| from);
        std::iter::from_fn(move || {
            let found = self.pattern.next(from?, ends?.1)?;
            from = Some(Civil::from_s(found.as_s() + 1));
            Some(found)
        })
    }
}
