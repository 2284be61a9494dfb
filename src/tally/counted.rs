//! What some attempts came to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Histogram;
use crate::model::{AttemptResult, Timestamp};

/// Attempts, counted. Those that broke off because a node died are none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// How many succeeded.
    #[serde(rename = "ok", default, skip_serializing_if = "is_none")]
    pub succeeded: u64,
    /// How many failed, by class: `status`, or a refusal's word.
    #[serde(rename = "no", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<String, u64>,
    /// How long those took that were answered, whatever the answer was, all together.
    #[serde(rename = "ms", default, skip_serializing_if = "is_none")]
    pub answered_ms: u64,
    /// How long each of those took.
    #[serde(rename = "by", default, skip_serializing_if = "Histogram::is_empty")]
    pub answered: Histogram,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Tally {
    /// Counts an attempt that took so long.
    pub fn count(&mut self, result: AttemptResult, duration_ms: i64) {
        match result {
            AttemptResult::Interrupted => return,
            AttemptResult::Http { .. } => {
                self.answered.count(duration_ms);
                let ms = u64::try_from(duration_ms).unwrap_or(0);
                self.answered_ms = self.answered_ms.saturating_add(ms);
            }
            AttemptResult::Refused(_) => {}
        }
        if result.is_success() {
            self.succeeded += 1;
        } else {
            *self.failures.entry(result.class().to_owned()).or_default() += 1;
        }
    }

    /// Counts what another has counted, too.
    pub fn add(&mut self, other: &Self) {
        self.succeeded = self.succeeded.saturating_add(other.succeeded);
        for (class, count) in &other.failures {
            let counted = self.failures.entry(class.clone()).or_default();
            *counted = counted.saturating_add(*count);
        }
        self.answered_ms = self.answered_ms.saturating_add(other.answered_ms);
        self.answered.add(&other.answered);
    }

    /// How many failed.
    pub fn failed(&self) -> u64 {
        self.failures
            .values()
            .fold(0, |sum: u64, count| sum.saturating_add(*count))
    }

    /// How many there were.
    pub fn attempts(&self) -> u64 {
        self.succeeded.saturating_add(self.failed())
    }

    /// The part that succeeded, 0 to 1; `None` of nothing.
    pub fn success_rate(&self) -> Option<f64> {
        let attempts = self.attempts();
        (attempts > 0).then(|| self.succeeded as f64 / attempts as f64)
    }

    /// How long an answer took, on average and rounded; `None` if there was none.
    pub fn average_ms(&self) -> Option<i64> {
        let answers = self.answered.len();
        (answers > 0).then(|| ((self.answered_ms + answers / 2) / answers).cast_signed())
    }
}

/// How long the time is of which one tally is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

impl Span {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Minute, Self::Hour];

    /// Its length.
    pub const fn ms(self) -> i64 {
        match self {
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
        }
    }

    /// How many of them are kept: three hours of minutes, and 35 days of hours.
    pub const fn kept(self) -> i64 {
        match self {
            Self::Minute => 180,
            Self::Hour => 35 * 24,
        }
    }

    /// When the one began in which `at` is.
    pub const fn from(self, at: Timestamp) -> Timestamp {
        let ms = at.as_ms();
        Timestamp::from_ms(ms - ms.rem_euclid(self.ms()))
    }

    /// When the tally of the one that began then is removed.
    pub const fn expires(self, from: Timestamp) -> Timestamp {
        from.plus_ms((self.kept() + 1) * self.ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Refusal;

    fn counted(results: &[(AttemptResult, i64)]) -> Tally {
        let mut tally = Tally::default();
        for (result, duration_ms) in results {
            tally.count(*result, *duration_ms);
        }
        tally
    }

    #[test]
    fn attempts_are_counted_by_what_came_of_them() {
        let http = |status| AttemptResult::Http { status };
        let some = [
            (http(200), 10),
            (http(204), 31),
            (http(500), 20),
            (http(302), 20),
            (AttemptResult::Refused(Refusal::Timeout), 15_000),
            (AttemptResult::Interrupted, 7),
        ];
        let tally = counted(&some);
        assert_eq!(
            (tally.succeeded, tally.failed(), tally.attempts()),
            (2, 3, 5)
        );
        assert_eq!(tally.success_rate(), Some(0.4));
        assert_eq!(tally.average_ms(), Some(20), "a time-out is no answer");
        let text = serde_json::to_string(&tally).expect("plain");
        assert_eq!(
            text,
            r#"{"ok":2,"no":{"status":2,"timeout":1},"ms":81,"by":{"10":1,"14":2,"17":1}}"#
        );
        assert_eq!(serde_json::from_str::<Tally>(&text).expect("read"), tally);

        let (first, rest) = some.split_at(2);
        let mut added = counted(rest);
        added.add(&counted(first));
        assert_eq!(added, tally, "in any order");
        let none = Tally::default();
        assert_eq!((none.success_rate(), none.average_ms()), (None, None));
        assert_eq!(serde_json::to_string(&none).expect("plain"), "{}");
    }

    #[test]
    fn a_time_is_in_the_minute_and_the_hour_that_began_before_it() {
        let at = |ms| Timestamp::from_ms(ms);
        for (span, ms, from) in [
            (Span::Minute, 60_000, 60_000),
            (Span::Minute, 119_999, 60_000),
            (Span::Hour, 7_199_999, 3_600_000),
            (Span::Minute, -1, -60_000),
        ] {
            assert_eq!(span.from(at(ms)), at(from), "{span:?} {ms}");
        }
        assert_eq!(Span::Minute.expires(at(0)), at(181 * 60_000));
    }
}
