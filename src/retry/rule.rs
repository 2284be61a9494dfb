//! What the delays of a policy are made of: a ready-made one's, a list, or each a multiple of the one before.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Error;
use super::policy::DELAY_MS_MAX;
use crate::model::limits::RETRY_DELAYS_MAX;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// The delays of `eight-step`.
pub(super) const EIGHT_STEP_MS: &[i64] = &[
    5 * SECOND_MS,
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
    10 * HOUR_MS,
];
/// The delays of `three-step`.
pub(super) const THREE_STEP_MS: &[i64] = &[10 * SECOND_MS, 100 * SECOND_MS];
/// Most attempts: one more than there are delays.
pub(super) const ATTEMPTS_MAX: i64 = RETRY_DELAYS_MAX as i64 + 1;
/// The largest factor.
pub(super) const FACTOR_MAX: i64 = 100;
/// A factor is kept in thousandths, so that it is written as it was read.
const THOUSAND: i64 = 1_000;

/// By what the delays are said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h.
    EightStep,
    /// 10 s, 100 s.
    ThreeStep,
    /// Each of them, in milliseconds.
    Delays(Vec<i64>),
    /// Each a multiple of the one before.
    Exponential(Exponential),
}

/// Delays that grow: the first, and each further one `factor` times the one before, none longer than `cap_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// The delay before the second attempt: 1 ms to 30 days.
    pub first_ms: i64,
    /// What each is multiplied by for the next.
    pub factor: Factor,
    /// The longest: `first_ms` to 30 days.
    pub cap_ms: i64,
    /// How many attempts there are, the first one included: 1 to 51.
    pub attempts: i64,
}

/// 1 to 100, with three decimals at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor {
    thousandths: i64,
}

impl Factor {
    /// Within its bounds, as it was written.
    pub fn new(factor: f64) -> Result<Self, Error> {
        let thousandths = factor * THOUSAND as f64;
        let whole = thousandths.round();
        // What 1.1 is in binary is not quite 1100 thousandths.
        if !(1.0..=FACTOR_MAX as f64).contains(&factor) || (thousandths - whole).abs() > 1e-6 {
            return Err(Error::Factor(factor.to_string()));
        }
        Ok(Self {
            thousandths: whole as i64,
        })
    }

    fn as_number(self) -> f64 {
        self.thousandths as f64 / THOUSAND as f64
    }
}

impl Serialize for Factor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.thousandths % THOUSAND == 0 {
            serializer.serialize_i64(self.thousandths / THOUSAND)
        } else {
            serializer.serialize_f64(self.as_number())
        }
    }
}

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Exponential {
    fn check(self) -> Result<(), Error> {
        let (first_ms, cap_ms, attempts) = (self.first_ms, self.cap_ms, self.attempts);
        if !(1..=DELAY_MS_MAX).contains(&first_ms) {
            return Err(Error::First(first_ms));
        }
        if !(first_ms..=DELAY_MS_MAX).contains(&cap_ms) {
            return Err(Error::Cap { cap_ms, first_ms });
        }
        if !(1..=ATTEMPTS_MAX).contains(&attempts) {
            return Err(Error::Attempts(attempts));
        }
        Ok(())
    }

    /// Rounded to whole milliseconds only when each is told, so that no rounding is multiplied.
    fn delays_ms(self) -> Vec<i64> {
        let (factor, cap_ms) = (self.factor.as_number(), self.cap_ms as f64);
        let next = move |delay_ms: &f64| Some((delay_ms * factor).min(cap_ms));
        let count = usize::try_from(self.attempts - 1).unwrap_or_default();
        std::iter::successors(Some(self.first_ms as f64), next)
            .take(count)
            .map(|delay_ms| delay_ms.round() as i64)
            .collect()
    }
}

impl Rule {
    /// The delays, each within its bounds and not more than there may be.
    pub(super) fn delays_ms(&self) -> Result<Vec<i64>, Error> {
        match self {
            Self::EightStep => Ok(EIGHT_STEP_MS.to_vec()),
            Self::ThreeStep => Ok(THREE_STEP_MS.to_vec()),
            Self::Exponential(exponential) => {
                exponential.check()?;
                Ok(exponential.delays_ms())
            }
            Self::Delays(delays) => {
                let count = delays.len();
                if count > RETRY_DELAYS_MAX {
                    return Err(Error::TooManyDelays { count });
                }
                let wrong = |(_, delay_ms): &(usize, &i64)| !(0..=DELAY_MS_MAX).contains(*delay_ms);
                match delays.iter().enumerate().find(wrong) {
                    Some((place, &delay_ms)) => Err(Error::Delay { place, delay_ms }),
                    None => Ok(delays.clone()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exponential(first_ms: i64, factor: f64, cap_ms: i64, attempts: i64) -> Exponential {
        let factor = Factor::new(factor).expect("within bounds");
        Exponential {
            first_ms,
            factor,
            cap_ms,
            attempts,
        }
    }

    #[test]
    fn each_delay_is_a_multiple_of_the_one_before_up_to_the_cap() {
        for (rule, delays_ms) in [
            (
                exponential(1_000, 2.0, 10_000, 7),
                vec![1_000, 2_000, 4_000, 8_000, 10_000, 10_000],
            ),
            (
                exponential(1, 1.5, 1_000, 7),
                vec![1, 2, 2, 3, 5, 8], // 1, 1.5, 2.25, 3.375, 5.0625, 7.59375
            ),
            (exponential(500, 1.0, 500, 3), vec![500, 500]),
            (exponential(5, 3.0, 5, 3), vec![5, 5]),
            (exponential(5, 3.0, 50, 1), vec![]),
        ] {
            assert_eq!(Rule::Exponential(rule).delays_ms(), Ok(delays_ms));
        }
    }

    #[test]
    fn a_rule_stays_within_its_bounds() {
        let two = Factor::new(2.0).expect("within bounds");
        let rule = |first_ms, cap_ms, attempts| {
            Rule::Exponential(Exponential {
                first_ms,
                factor: two,
                cap_ms,
                attempts,
            })
        };
        for (rule, wanted) in [
            (rule(0, 1, 2), Error::First(0)),
            (
                rule(DELAY_MS_MAX + 1, DELAY_MS_MAX + 1, 2),
                Error::First(DELAY_MS_MAX + 1),
            ),
            (
                rule(10, 9, 2),
                Error::Cap {
                    cap_ms: 9,
                    first_ms: 10,
                },
            ),
            (
                rule(10, DELAY_MS_MAX + 1, 2),
                Error::Cap {
                    cap_ms: DELAY_MS_MAX + 1,
                    first_ms: 10,
                },
            ),
            (rule(10, 10, 0), Error::Attempts(0)),
            (rule(10, 10, 52), Error::Attempts(52)),
        ] {
            assert_eq!(rule.delays_ms(), Err(wanted));
        }
        for factor in [0.0, 0.999, -2.0, 100.001, 1.0005, f64::NAN, f64::INFINITY] {
            assert!(Factor::new(factor).is_err(), "{factor}");
        }
        for factor in [1.0, 1.001, 1.1, 2.5, 33.333, 100.0] {
            assert!(Factor::new(factor).is_ok(), "{factor}");
        }
    }

    proptest! {
        /// By whole numbers: `first × thousandths^k ÷ 1000^k`, as far as that fits.
        #[test]
        fn delays_are_what_the_words_say(
            first_ms in 1..DELAY_MS_MAX,
            thousandths in 1_000..100_000_i64,
            more_ms in 0..DELAY_MS_MAX,
            attempts in 1..=ATTEMPTS_MAX,
        ) {
            let cap_ms = (first_ms + more_ms).min(DELAY_MS_MAX);
            let rule = exponential(first_ms, thousandths as f64 / 1_000.0, cap_ms, attempts);
            let delays_ms = Rule::Exponential(rule).delays_ms().expect("within bounds");
            prop_assert_eq!(delays_ms.len() as i64, attempts - 1);
            let (mut above, mut below) = (first_ms as u128, 1_u128);
            for delay_ms in delays_ms {
                prop_assert!((first_ms..=cap_ms).contains(&delay_ms));
                if above >= below * cap_ms as u128 {
                    prop_assert_eq!(delay_ms, cap_ms);
                    continue;
                }
                let doubled = 2 * delay_ms as u128 * below;
                let apart = doubled.abs_diff(2 * above);
                // Half a millisecond, and what 50 multiplications may be off.
                prop_assert!(apart <= below + below / 1_000, "{} is {}/{}", delay_ms, above, below);
                let next = above.checked_mul(thousandths as u128).zip(below.checked_mul(1_000));
                let Some(next) = next.filter(|next| next.1 < u128::MAX / (4 * DELAY_MS_MAX as u128)) else {
                    break;
                };
                (above, below) = next;
            }
        }
    }
}
