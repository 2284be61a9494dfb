//! When it is told again that an endpoint is still disabled.

use crate::model::Timestamp;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How many days after it was disabled.
const DAYS: [i64; 3] = [1, 3, 7];

/// That an endpoint is still disabled, to be told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reminder {
    /// Which one it is: so many days after.
    pub day: i64,
    /// When the next one is due; `None`: this was the last.
    pub next_at: Option<Timestamp>,
}

/// When the first one is due of an endpoint that was disabled then.
pub const fn first_reminder(disabled_at: Timestamp) -> Timestamp {
    disabled_at.plus_ms(DAYS[0] * DAY_MS)
}

/// The one that is due `now`: after a long stand-still the newest, and those before it never. `None`: none is yet.
pub fn reminder(disabled_at: Timestamp, now: Timestamp) -> Option<Reminder> {
    let at = |day: i64| disabled_at.plus_ms(day * DAY_MS);
    let day = DAYS.into_iter().rev().find(|day| at(*day) <= now)?;
    let next_at = DAYS.into_iter().find(|next| *next > day).map(at);
    Some(Reminder { day, next_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_due_one_is_told_and_then_the_next() {
        let disabled_at = Timestamp::from_ms(1_790_000_000_000);
        let after = |days: i64, ms: i64| disabled_at.plus_ms(days * DAY_MS + ms);
        assert_eq!(first_reminder(disabled_at), after(1, 0));
        for (now, expected) in [
            (after(0, 0), None),
            (after(1, -1), None),
            (after(1, 0), Some((1, Some(after(3, 0))))),
            (after(3, -1), Some((1, Some(after(3, 0))))),
            (after(3, 0), Some((3, Some(after(7, 0))))),
            (after(7, 0), Some((7, None))),
            (after(400, 0), Some((7, None))),
        ] {
            let found = reminder(disabled_at, now).map(|one| (one.day, one.next_at));
            assert_eq!(found, expected, "{now}");
        }
    }
}
