//! What a policy does next at the earliest, for people who want to know how long they have.

use super::state::{FIVE_DAYS_MS, HOUR_MS, Streak};
use super::{FailurePolicy, Warning};
use crate::model::Timestamp;

/// The next step against an endpoint that goes on failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// It is warned once more, at a failed attempt then or later.
    Warned(Timestamp),
    /// It is disabled, at a failed attempt then or later.
    Disabled(Timestamp),
}

impl FailurePolicy {
    /// The next step after these failures, if only time has to pass for it.
    pub fn outlook(self, streak: Streak) -> Option<Outlook> {
        match (self, streak.warned) {
            (Self::FiveDays, _) => Some(Outlook::Disabled(streak.since.plus_ms(FIVE_DAYS_MS))),
            (Self::Ladder, Some((Warning::First, at))) => {
                Some(Outlook::Warned(at.plus_ms(HOUR_MS)))
            }
            (Self::Ladder, Some((Warning::Second, at))) => {
                Some(Outlook::Disabled(at.plus_ms(HOUR_MS)))
            }
            (Self::Ladder, None) | (Self::Consecutive(_) | Self::Never, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_is_the_one_that_the_policy_takes() {
        let since = Timestamp::from_ms(1_790_000_000_000);
        let warned_at = since.plus_ms(7);
        let streak = |warned: Option<Warning>| Streak {
            since,
            failures: 9,
            warned: warned.map(|warning| (warning, warned_at)),
        };
        let ten = FailurePolicy::consecutive(10).expect("within bounds");
        for (policy, warned, expected) in [
            (
                FailurePolicy::FiveDays,
                None,
                Some(Outlook::Disabled(since.plus_ms(FIVE_DAYS_MS))),
            ),
            (FailurePolicy::Ladder, None, None),
            (
                FailurePolicy::Ladder,
                Some(Warning::First),
                Some(Outlook::Warned(warned_at.plus_ms(HOUR_MS))),
            ),
            (
                FailurePolicy::Ladder,
                Some(Warning::Second),
                Some(Outlook::Disabled(warned_at.plus_ms(HOUR_MS))),
            ),
            (ten, None, None),
            (FailurePolicy::Never, None, None),
        ] {
            assert_eq!(policy.outlook(streak(warned)), expected, "{policy:?}");
        }
    }
}
