//! Civil time: what a clock on the wall shows, without a zone.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::{Serialize, Serializer};

pub(super) const DAY_S: i64 = 86_400;

/// A civil time, in whole seconds since 1970-01-01T00:00:00 on the same wall. In text:
/// `2026-03-29T02:30:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Civil(i64);

impl Civil {
    /// So many seconds after the civil epoch.
    pub const fn from_s(s: i64) -> Self {
        Self(s)
    }

    /// Seconds since the civil epoch.
    pub const fn as_s(self) -> i64 {
        self.0
    }

    pub(super) fn datetime(self) -> Option<jiff::civil::DateTime> {
        let at = Timestamp::from_second(self.0).ok()?;
        Some(Offset::UTC.to_datetime(at))
    }

    /// Hours and minutes, and seconds where there are any.
    pub(super) fn time_words(self) -> String {
        let s = self.0.rem_euclid(DAY_S);
        time_words(s)
    }

    pub(super) fn date_words(self) -> String {
        self.datetime()
            .map_or_else(String::new, |civil| civil.date().to_string())
    }
}

/// A time of the day, in seconds since midnight, as people write it.
pub(super) fn time_words(s: i64) -> String {
    let (hour, minute, second) = (s / 3600, s / 60 % 60, s % 60);
    if second == 0 {
        format!("{hour:02}:{minute:02}")
    } else {
        format!("{hour:02}:{minute:02}:{second:02}")
    }
}

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.datetime() {
            Some(civil) => write!(f, "{}", civil.strftime("%Y-%m-%dT%H:%M:%S")),
            None => write!(f, "{} s", self.0),
        }
    }
}

impl Serialize for Civil {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
