//! An endpoint's health as a value, and the steps it takes.

use super::FailurePolicy;
use crate::model::{AttemptResult, Timestamp};

/// How old the first failure since the last success must be to disable under `five-days`.
const FAILING_MS_MAX: i64 = 5 * 24 * 60 * 60 * 1_000;
/// HTTP 410: the receiver wants nothing any more.
const GONE: u16 = 410;

/// What is remembered of an endpoint between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndpointHealth {
    /// The first failure since the last success; `None` while all is well.
    pub failing_since: Option<Timestamp>,
}

/// What follows from an attempt for its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stays as it is.
    Keep,
    /// It is disabled at once.
    Disable(DisabledBecause),
}

/// Why an endpoint was disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledBecause {
    /// It failed for longer than its policy allows.
    Failing,
    /// It answered 410.
    Gone,
}

impl DisabledBecause {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Gone => "gone",
        }
    }

    /// The reason with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Failing, Self::Gone]
            .into_iter()
            .find(|reason| reason.as_str() == word)
    }
}

/// Whether a failure at `failed_at` disables an endpoint whose first failure since its last
/// success was at `first_failure_at`, or which was well until now.
pub fn after_failure(
    policy: FailurePolicy,
    first_failure_at: Option<Timestamp>,
    failed_at: Timestamp,
) -> Verdict {
    let failing_ms = first_failure_at.map_or(0, |first| failed_at.ms_since(first));
    match policy {
        FailurePolicy::FiveDays if failing_ms >= FAILING_MS_MAX => {
            Verdict::Disable(DisabledBecause::Failing)
        }
        FailurePolicy::FiveDays | FailurePolicy::Never => Verdict::Keep,
    }
}

impl EndpointHealth {
    /// The health after an attempt that ended at `ended_at`, and what follows from it. An attempt
    /// that a node's death interrupted says nothing about the endpoint.
    pub fn after_attempt(
        self,
        policy: FailurePolicy,
        result: AttemptResult,
        ended_at: Timestamp,
    ) -> (Self, Verdict) {
        if result.is_success() {
            return (Self::default(), Verdict::Keep);
        }
        let failing = Self {
            // Attempts end out of order; the earliest failure counts.
            failing_since: Some(
                self.failing_since
                    .map_or(ended_at, |since| since.min(ended_at)),
            ),
        };
        match result {
            AttemptResult::Interrupted => (self, Verdict::Keep),
            AttemptResult::Http { status: GONE } => {
                (failing, Verdict::Disable(DisabledBecause::Gone))
            }
            AttemptResult::Http { .. } | AttemptResult::Refused(_) => {
                (failing, after_failure(policy, self.failing_since, ended_at))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Refusal;

    const OK: AttemptResult = AttemptResult::Http { status: 204 };
    const BROKEN: AttemptResult = AttemptResult::Http { status: 500 };
    const SILENT: AttemptResult = AttemptResult::Refused(Refusal::Timeout);
    const REMOVED: AttemptResult = AttemptResult::Http { status: GONE };

    fn hours(hours: i64) -> Timestamp {
        Timestamp::from_ms(1_790_000_000_000 + hours * 3_600_000)
    }

    /// The reason it was disabled for and the hour, if it was, after these attempts.
    fn story(
        policy: FailurePolicy,
        attempts: &[(i64, AttemptResult)],
    ) -> Option<(i64, DisabledBecause)> {
        let mut health = EndpointHealth::default();
        for &(hour, result) in attempts {
            let (next, verdict) = health.after_attempt(policy, result, hours(hour));
            if let Verdict::Disable(why) = verdict {
                return Some((hour, why));
            }
            health = next;
        }
        None
    }

    #[test]
    fn five_days_of_nothing_but_failures_disable_at_the_next_one() {
        use DisabledBecause::{Failing, Gone};
        use FailurePolicy::{FiveDays, Never};
        for (policy, attempts, wanted) in [
            (
                FiveDays,
                &[(0, BROKEN), (60, SILENT), (119, BROKEN)][..],
                None,
            ),
            (
                FiveDays,
                &[(0, BROKEN), (60, SILENT), (120, BROKEN)],
                Some((120, Failing)),
            ),
            (
                FiveDays,
                &[(0, BROKEN), (500, SILENT)],
                Some((500, Failing)),
            ),
            (FiveDays, &[(0, OK), (500, BROKEN)], None),
            (
                FiveDays,
                &[(0, BROKEN), (119, OK), (120, BROKEN), (239, BROKEN)],
                None,
            ),
            (
                FiveDays,
                &[(0, BROKEN), (119, OK), (120, BROKEN), (240, BROKEN)],
                Some((240, Failing)),
            ),
            (
                FiveDays,
                &[(3, BROKEN), (0, BROKEN), (120, BROKEN)],
                Some((120, Failing)),
            ),
            (
                FiveDays,
                &[(0, AttemptResult::Interrupted), (120, BROKEN)],
                None,
            ),
            (
                FiveDays,
                &[(0, BROKEN), (120, AttemptResult::Interrupted)],
                None,
            ),
            (Never, &[(0, BROKEN), (10_000, BROKEN)], None),
            (FiveDays, &[(0, REMOVED)], Some((0, Gone))),
            (Never, &[(0, OK), (1, REMOVED)], Some((1, Gone))),
        ] {
            assert_eq!(story(policy, attempts), wanted, "{policy:?} {attempts:?}");
        }
    }

    #[test]
    fn one_success_forgets_every_failure() {
        let failing = EndpointHealth {
            failing_since: Some(hours(0)),
        };
        let after = failing.after_attempt(FailurePolicy::FiveDays, OK, hours(1_000));
        assert_eq!(after, (EndpointHealth::default(), Verdict::Keep));
    }

    #[test]
    fn exactly_five_days_are_enough() {
        let first = hours(0);
        for (after_ms, wanted) in [
            (FAILING_MS_MAX - 1, Verdict::Keep),
            (FAILING_MS_MAX, Verdict::Disable(DisabledBecause::Failing)),
        ] {
            let failed_at = first.plus_ms(after_ms);
            assert_eq!(
                after_failure(FailurePolicy::FiveDays, Some(first), failed_at),
                wanted
            );
        }
        assert_eq!(
            after_failure(FailurePolicy::FiveDays, None, first),
            Verdict::Keep
        );
    }

    #[test]
    fn a_reason_s_word_and_back() {
        for reason in [DisabledBecause::Failing, DisabledBecause::Gone] {
            assert_eq!(DisabledBecause::from_word(reason.as_str()), Some(reason));
            let json = serde_json::to_string(&reason).expect("plain");
            assert_eq!(json, format!("\"{}\"", reason.as_str()));
        }
    }
}
