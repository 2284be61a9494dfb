//! A cron expression, read, and the civil times that it names. No zone and no clock: a day has 24 hours.

use super::Error;
use super::civil::{Civil, DAY_S};
use super::field::{DAY, Field, HOUR, MINUTE, MONTH, SECOND, WEEKDAY};

/// Longest text of a pattern: one that lists every minute, hour, day and month is shorter.
pub(super) const PATTERN_BYTES_MAX: usize = 512;

/// Whether a pattern has seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Five fields.
    Minutes,
    /// Six fields, the second first.
    Seconds,
}

/// A cron expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    pub(super) seconds: Field,
    pub(super) minutes: Field,
    pub(super) hours: Field,
    pub(super) days: Field,
    pub(super) months: Field,
    pub(super) weekdays: Field,
}

impl Pattern {
    /// Reads a pattern: minute, hour, day of month, month, day of week, and before them the second, if asked for.
    pub fn parse(text: &str, precision: Precision) -> Result<Self, Error> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(Error::TooLong { bytes: text.len() });
        }
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let (seconds, rest) = match (precision, fields.as_slice()) {
            (Precision::Minutes, rest @ [_, _, _, _, _]) => (Field::ZERO, rest),
            (Precision::Seconds, [seconds, rest @ ..]) if rest.len() == 5 => {
                (SECOND.parse(seconds)?, rest)
            }
            (Precision::Minutes, [_, _, _, _, _, _]) => return Err(Error::SecondsNotAskedFor),
            (Precision::Minutes, _) => {
                return Err(Error::Fields {
                    found: fields.len(),
                    expected: "five (minute, hour, day of month, month, day of week)",
                    example: "0 9 * * MON-FRI",
                });
            }
            (Precision::Seconds, _) => {
                return Err(Error::Fields {
                    found: fields.len(),
                    expected: "six (second, minute, hour, day of month, month, day of week)",
                    example: "30 0 9 * * MON-FRI",
                });
            }
        };
        Ok(Self {
            seconds,
            minutes: MINUTE.parse(rest[0])?,
            hours: HOUR.parse(rest[1])?,
            days: DAY.parse(rest[2])?,
            months: MONTH.parse(rest[3])?,
            weekdays: WEEKDAY.parse(rest[4])?,
        })
    }

    /// Whether it runs every hour, by elapsed time: whatever the clocks do, the hour after is an hour later.
    pub(super) fn runs_by_elapsed_time(&self) -> bool {
        self.hours.whole
    }

    /// Whether both days are restricted, so that either is enough.
    pub(super) fn takes_either_day(&self) -> bool {
        !self.days.open && !self.weekdays.open
    }

    fn runs_on(&self, day_of_month: u8, day_no: i64) -> bool {
        // 1970-01-01 was a Thursday.
        let weekday = (day_no + 4).rem_euclid(7) as u8;
        let (by_day, by_weekday) = (self.days.has(day_of_month), self.weekdays.has(weekday));
        if self.takes_either_day() {
            by_day || by_weekday
        } else {
            by_day && by_weekday
        }
    }

    /// The first time of a day that is not before `from_s`, in seconds since midnight.
    fn within_day(&self, from_s: i64) -> Option<i64> {
        let split = [from_s / 3600, from_s / 60 % 60, from_s % 60].map(|part| part as u8);
        let [from_hour, from_minute, from_second] = split;
        let mut hour = self.hours.next(from_hour)?;
        let (mut minute, mut second) = if hour == from_hour {
            (from_minute, from_second)
        } else {
            (0, 0)
        };
        loop {
            while let Some(found) = self.minutes.next(minute) {
                if found > minute {
                    second = 0;
                }
                if let Some(second) = self.seconds.next(second) {
                    return Some(
                        i64::from(hour) * 3600 + i64::from(found) * 60 + i64::from(second),
                    );
                }
                (minute, second) = (found + 1, 0);
            }
            hour = self.hours.next(hour + 1)?;
            (minute, second) = (0, 0);
        }
    }

    /// The first civil time from `from` on and before `before`.
    pub(super) fn next(&self, from: Civil, before: Civil) -> Option<Civil> {
        let (mut day_no, mut from_s) =
            (from.as_s().div_euclid(DAY_S), from.as_s().rem_euclid(DAY_S));
        while day_no * DAY_S < before.as_s() {
            let date = Civil::from_s(day_no * DAY_S).datetime()?.date();
            if !self.months.has(date.month() as u8) {
                day_no += i64::from(date.days_in_month() - date.day()) + 1;
                from_s = 0;
                continue;
            }
            if self.runs_on(date.day() as u8, day_no)
                && let Some(s) = self.within_day(from_s)
            {
                let found = Civil::from_s(day_no * DAY_S + s);
                return (found < before).then_some(found);
            }
            (day_no, from_s) = (day_no + 1, 0);
        }
        None
    }
}
