//! The policies and their one question: when next?

use std::num::NonZeroU16;

use super::Error;
use crate::model::Timestamp;
use crate::model::limits::RETRY_DELAYS_MAX;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Longest single delay.
pub(super) const DELAY_MS_MAX: i64 = 30 * DAY_MS;
/// The attempts of a policy, jitter included, must span less than this: payloads are not kept
/// longer.
pub const SPAN_MS_MAX: i64 = 30 * DAY_MS;
/// The longest wait that a receiver can ask for by `Retry-After`; a longer one counts as this.
pub const RETRY_AFTER_MS_MAX: i64 = DAY_MS;

const EIGHT_STEP_MS: [i64; 7] = [
    5 * SECOND_MS,
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
    10 * HOUR_MS,
];
const THREE_STEP_MS: [i64; 2] = [10 * SECOND_MS, 100 * SECOND_MS];

/// When a failed delivery is tried again.
///
/// Written as a preset's name or as `{"delays_ms":[…],"jitter_pct":…}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RetryPolicy {
    /// At once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h.
    #[default]
    EightStep,
    /// At once, then after 10 s, 100 s.
    ThreeStep,
    /// What a user chose.
    Own(OwnDelays),
}

/// Delays within all bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnDelays {
    delays_ms: Vec<i64>,
    jitter_pct: u8,
}

/// What the outside world has to say about one failure.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Advice {
    /// A random number, 0 up to but not including 1: which part of the policy's jitter is added.
    /// Anything outside counts as the nearest bound.
    pub jitter: f64,
    /// How long the receiver asked to be left alone. Only ever lengthens the wait: less than the
    /// policy's own delay changes nothing, more than [`RETRY_AFTER_MS_MAX`] counts as that.
    pub retry_after_ms: Option<i64>,
}

impl RetryPolicy {
    /// A policy of a user's own: at most 50 delays of 0 ms to 30 days, together less than
    /// 30 days, each lengthened at random by up to `jitter_pct` percent of itself.
    pub fn own(delays_ms: Vec<i64>, jitter_pct: i64) -> Result<Self, Error> {
        let jitter_pct = u8::try_from(jitter_pct)
            .ok()
            .filter(|pct| *pct <= 100)
            .ok_or(Error::Jitter(jitter_pct))?;
        if delays_ms.len() > RETRY_DELAYS_MAX {
            return Err(Error::TooManyDelays {
                count: delays_ms.len(),
            });
        }
        for (place, &delay_ms) in delays_ms.iter().enumerate() {
            if !(0..=DELAY_MS_MAX).contains(&delay_ms) {
                return Err(Error::Delay { place, delay_ms });
            }
        }
        let policy = Self::Own(OwnDelays {
            delays_ms,
            jitter_pct,
        });
        let span_ms = policy.span_ms();
        if span_ms >= SPAN_MS_MAX {
            return Err(Error::Span { span_ms });
        }
        Ok(policy)
    }

    /// The delays before the second attempt, the third, and so on.
    pub fn delays(&self) -> impl ExactSizeIterator<Item = i64> + '_ {
        self.delays_ms().iter().copied()
    }

    /// How much of a delay is added to it at most, in percent.
    pub fn jitter_pct(&self) -> u8 {
        match self {
            Self::EightStep | Self::ThreeStep => 0,
            Self::Own(own) => own.jitter_pct,
        }
    }

    /// The longest time from the first failure to the last attempt's beginning, if attempts took
    /// no time and no receiver asked for more.
    pub fn span_ms(&self) -> i64 {
        self.delays()
            .map(|delay_ms| delay_ms + self.jitter_ms(delay_ms, 1.0))
            .sum()
    }

    /// When the next attempt is due after `attempts_made` of them, the last of which failed at
    /// `failed_at`; `None` if that was the last. Attempts cut short by a node's death are not
    /// counted.
    pub fn next(
        &self,
        attempts_made: NonZeroU16,
        failed_at: Timestamp,
        advice: Advice,
    ) -> Option<Timestamp> {
        let place = usize::from(attempts_made.get()) - 1;
        let delay_ms = *self.delays_ms().get(place)?;
        let policy_ms = delay_ms + self.jitter_ms(delay_ms, advice.jitter);
        let asked_ms = advice.retry_after_ms.unwrap_or(0).min(RETRY_AFTER_MS_MAX);
        Some(failed_at.plus_ms(policy_ms.max(asked_ms)))
    }

    fn delays_ms(&self) -> &[i64] {
        match self {
            Self::EightStep => &EIGHT_STEP_MS,
            Self::ThreeStep => &THREE_STEP_MS,
            Self::Own(own) => &own.delays_ms,
        }
    }

    /// Jitter only lengthens: a delay that a user was promised is never undercut.
    fn jitter_ms(&self, delay_ms: i64, part: f64) -> i64 {
        let most_ms = delay_ms * i64::from(self.jitter_pct()) / 100;
        // No number at all becomes 0 in the cast.
        (most_ms as f64 * part.clamp(0.0, 1.0)) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_ms(1_790_000_000_000);

    fn no(attempts: u16) -> NonZeroU16 {
        NonZeroU16::new(attempts).expect("attempts count from 1")
    }

    /// Milliseconds from the first attempt to each attempt, if each takes no time and fails.
    fn story(policy: &RetryPolicy) -> Vec<i64> {
        let attempts = (1..).map(no);
        let times = attempts.scan(START, |failed_at, attempts_made| {
            *failed_at = policy.next(attempts_made, *failed_at, Advice::default())?;
            Some(failed_at.ms_since(START))
        });
        std::iter::once(0).chain(times.take(100)).collect()
    }

    #[test]
    fn three_failures_then_success_take_35_minutes_5_seconds() {
        assert_eq!(
            story(&RetryPolicy::EightStep)[3],
            35 * MINUTE_MS + 5 * SECOND_MS
        );
    }

    #[test]
    fn eight_step_has_eight_attempts_and_then_none() {
        let hours = [0, 0, 0, 0, 2, 7, 17, 27];
        let whole_hours: Vec<_> = story(&RetryPolicy::EightStep)
            .iter()
            .map(|ms| ms / HOUR_MS)
            .collect();
        assert_eq!(whole_hours, hours);
        assert_eq!(
            RetryPolicy::EightStep.next(no(9), START, Advice::default()),
            None
        );
        assert_eq!(
            RetryPolicy::EightStep.next(no(u16::MAX), START, Advice::default()),
            None
        );
    }

    #[test]
    fn three_step_is_0_10_110_seconds_and_then_never() {
        assert_eq!(story(&RetryPolicy::ThreeStep), [0, 10_000, 110_000]);
    }

    #[test]
    fn own_delays_make_one_attempt_more_than_there_are() {
        let policy = RetryPolicy::own(vec![200, 400], 0).expect("valid");
        assert_eq!(story(&policy), [0, 200, 600]);
        let once = RetryPolicy::own(Vec::new(), 0).expect("no delay is one attempt");
        assert_eq!(story(&once), [0]);
    }

    #[test]
    fn each_delay_is_counted_from_the_failure_before() {
        let slow_failure = START.plus_ms(12_345);
        let next = RetryPolicy::ThreeStep.next(no(1), slow_failure, Advice::default());
        assert_eq!(next, Some(slow_failure.plus_ms(10_000)));
    }

    #[test]
    fn retry_after_only_lengthens_and_only_to_a_day() {
        for (asked_ms, wait_ms) in [
            (None, 10_000),
            (Some(i64::MIN), 10_000),
            (Some(0), 10_000),
            (Some(9_999), 10_000),
            (Some(10_001), 10_001),
            (Some(DAY_MS), DAY_MS),
            (Some(DAY_MS + 1), DAY_MS),
            (Some(i64::MAX), DAY_MS),
        ] {
            let advice = Advice {
                jitter: 0.0,
                retry_after_ms: asked_ms,
            };
            let next = RetryPolicy::ThreeStep.next(no(1), START, advice);
            assert_eq!(next, Some(START.plus_ms(wait_ms)), "{asked_ms:?}");
        }
        let asked = Advice {
            jitter: 0.0,
            retry_after_ms: Some(60_000),
        };
        assert_eq!(
            RetryPolicy::ThreeStep.next(no(3), START, asked),
            None,
            "no attempt is added"
        );
    }

    #[test]
    fn jitter_lengthens_by_its_percentage_at_most_and_only_where_the_policy_says() {
        let policy = RetryPolicy::own(vec![1_000], 50).expect("valid");
        for (jitter, wait_ms) in [
            (0.0, 1_000),
            (0.5, 1_250),
            (0.999_999, 1_499),
            (-3.0, 1_000),
            (7.0, 1_500),
            (f64::NAN, 1_000),
        ] {
            let advice = Advice {
                jitter,
                retry_after_ms: None,
            };
            assert_eq!(
                policy.next(no(1), START, advice),
                Some(START.plus_ms(wait_ms)),
                "{jitter}"
            );
        }
        let advice = Advice {
            jitter: 0.9,
            retry_after_ms: None,
        };
        let next = RetryPolicy::ThreeStep.next(no(1), START, advice);
        assert_eq!(next, Some(START.plus_ms(10_000)), "presets have no jitter");
    }

    #[test]
    fn a_policy_stays_within_its_bounds() {
        let most = vec![0; RETRY_DELAYS_MAX];
        assert!(RetryPolicy::own(most, 100).is_ok());
        assert!(RetryPolicy::own(vec![SPAN_MS_MAX - 1], 0).is_ok());
        for (delays_ms, jitter_pct, wanted) in [
            (
                vec![0; RETRY_DELAYS_MAX + 1],
                0,
                Error::TooManyDelays { count: 51 },
            ),
            (
                vec![1, -1],
                0,
                Error::Delay {
                    place: 1,
                    delay_ms: -1,
                },
            ),
            (
                vec![DELAY_MS_MAX + 1],
                0,
                Error::Delay {
                    place: 0,
                    delay_ms: DELAY_MS_MAX + 1,
                },
            ),
            (
                vec![SPAN_MS_MAX],
                0,
                Error::Span {
                    span_ms: SPAN_MS_MAX,
                },
            ),
            (
                vec![15 * DAY_MS; 2],
                0,
                Error::Span {
                    span_ms: 30 * DAY_MS,
                },
            ),
            (
                vec![10 * DAY_MS; 2],
                50,
                Error::Span {
                    span_ms: 30 * DAY_MS,
                },
            ),
            (
                vec![DELAY_MS_MAX; 50],
                100,
                Error::Span {
                    span_ms: 3_000 * DAY_MS,
                },
            ),
            (vec![1], 101, Error::Jitter(101)),
            (vec![1], -1, Error::Jitter(-1)),
        ] {
            assert_eq!(RetryPolicy::own(delays_ms, jitter_pct), Err(wanted));
        }
        for preset in [RetryPolicy::EightStep, RetryPolicy::ThreeStep] {
            assert!(preset.span_ms() < SPAN_MS_MAX);
        }
    }
}
