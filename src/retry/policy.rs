//! The policies and their questions: when next, and is that the end?

use std::num::NonZeroU16;

use super::Error;
use super::rule::{EIGHT_STEP_MS, Rule, THREE_STEP_MS};
use crate::model::Timestamp;
use crate::model::limits::FINAL_STATUSES_MAX;

const SECOND_MS: i64 = 1_000;
const DAY_MS: i64 = 24 * 60 * 60 * SECOND_MS;

/// Longest single delay.
pub(super) const DELAY_MS_MAX: i64 = 30 * DAY_MS;
/// The attempts of a policy, jitter included, must span less than this: payloads are not kept
/// longer.
pub const SPAN_MS_MAX: i64 = 30 * DAY_MS;
/// The longest wait that a receiver can ask for by `Retry-After`; a longer one counts as this.
pub const RETRY_AFTER_MS_MAX: i64 = DAY_MS;
/// Answers by which a receiver asks to be tried again later: they are never the end.
const LATER: [u16; 3] = [408, 429, 503];

/// When a failed delivery is tried again, and after which answers it is not.
///
/// Written as a preset's name, or as an object with `preset`, `delays_ms` or `exponential`, and beside that
/// `jitter_pct` and `final_statuses`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RetryPolicy {
    /// At once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h.
    #[default]
    EightStep,
    /// At once, then after 10 s, 100 s.
    ThreeStep,
    /// What a user chose.
    Own(OwnPolicy),
}

/// A policy of a user's own, within all bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPolicy {
    rule: Rule,
    /// What the rule comes to.
    delays_ms: Vec<i64>,
    jitter_pct: u8,
    final_statuses: Vec<u16>,
}

impl OwnPolicy {
    /// By what the delays are said.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }
}

/// One attempt of a delivery of which each fails, takes no time, and is asked for no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// Its number, from 1.
    pub no: u16,
    /// The delay before it, without jitter.
    pub after_ms: i64,
    /// When it begins, if no jitter comes to anything.
    pub at: Timestamp,
    /// When it begins, if all jitter comes to its most.
    pub at_latest: Timestamp,
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
    /// A policy of a user's own without final statuses: at most 50 delays of 0 ms to 30 days, together
    /// less than 30 days, each lengthened at random by up to `jitter_pct` percent of itself.
    pub fn own(delays_ms: Vec<i64>, jitter_pct: i64) -> Result<Self, Error> {
        Self::of(Rule::Delays(delays_ms), jitter_pct, &[])
    }

    /// A policy of a user's own: what `rule` says, jitter, and the statuses after which no further attempt is
    /// made, which are 300 to 599, at most 50 and each once, and none that asks for a later attempt.
    pub fn of(rule: Rule, jitter_pct: i64, final_statuses: &[i64]) -> Result<Self, Error> {
        let jitter_pct = u8::try_from(jitter_pct)
            .ok()
            .filter(|pct| *pct <= 100)
            .ok_or(Error::Jitter(jitter_pct))?;
        let policy = Self::Own(OwnPolicy {
            delays_ms: rule.delays_ms()?,
            rule,
            jitter_pct,
            final_statuses: checked(final_statuses)?,
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

    /// The statuses after which no further attempt is made, beside 410, which is final in every policy.
    pub fn final_statuses(&self) -> &[u16] {
        match self {
            Self::EightStep | Self::ThreeStep => &[],
            Self::Own(own) => &own.final_statuses,
        }
    }

    /// Whether no further attempt is made after an answer with this status.
    pub fn is_final(&self, status: u16) -> bool {
        self.final_statuses().contains(&status)
    }

    /// All attempts of a delivery of which the first begins at `from`.
    pub fn planned(&self, from: Timestamp) -> Vec<Planned> {
        let first = Planned {
            no: 1,
            after_ms: 0,
            at: from,
            at_latest: from,
        };
        let mut planned = vec![first];
        let mut last = first;
        for delay_ms in self.delays() {
            last = Planned {
                no: last.no + 1,
                after_ms: delay_ms,
                at: last.at.plus_ms(delay_ms),
                at_latest: last
                    .at_latest
                    .plus_ms(delay_ms + self.jitter_ms(delay_ms, 1.0)),
            };
            planned.push(last);
        }
        planned
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
            Self::EightStep => EIGHT_STEP_MS,
            Self::ThreeStep => THREE_STEP_MS,
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

/// Statuses that may be final, in the order in which they are written.
fn checked(statuses: &[i64]) -> Result<Vec<u16>, Error> {
    let count = statuses.len();
    if count > FINAL_STATUSES_MAX {
        return Err(Error::TooManyFinal { count });
    }
    let mut known = Vec::with_capacity(count);
    for (place, &status) in statuses.iter().enumerate() {
        let number = u16::try_from(status).ok();
        match number.filter(|status| (300..=599).contains(status)) {
            None => return Err(Error::NoFailure { place, status }),
            Some(later) if LATER.contains(&later) => return Err(Error::Later { place, status }),
            Some(twice) if known.contains(&twice) => return Err(Error::Twice { place, status }),
            Some(status) => known.push(status),
        }
    }
    Ok(known)
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
