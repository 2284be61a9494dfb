//! What can be wrong with a retry policy.

use super::policy::{DELAY_MS_MAX, SPAN_MS_MAX};
use super::rule::{ATTEMPTS_MAX, FACTOR_MAX};
use crate::model::limits::{FINAL_STATUSES_MAX, RETRY_DELAYS_MAX};

/// Why a retry policy was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name that no preset has.
    #[error(
        "there is no retry policy '{0}'; there are eight-step, three-step, \
         {{\"delays_ms\":[…]}} and {{\"exponential\":{{…}}}}"
    )]
    UnknownPreset(String),
    /// More delays than a policy may have.
    #[error("delays_ms has {count} delays; the most is {RETRY_DELAYS_MAX}")]
    TooManyDelays {
        /// How many there are.
        count: usize,
    },
    /// A delay below zero or above the longest.
    #[error("delays_ms[{place}] is {delay_ms}; a delay is 0 to {DELAY_MS_MAX} milliseconds")]
    Delay {
        /// Which one, from 0.
        place: usize,
        /// What it is.
        delay_ms: i64,
    },
    /// All delays together, jitter included, outlast the retention.
    #[error(
        "the attempts span up to {span_ms} milliseconds; that must be less than {SPAN_MS_MAX} \
         (30 days), or payloads would be gone before the last attempt"
    )]
    Span {
        /// How long they may take.
        span_ms: i64,
    },
    /// A jitter that is no percentage.
    #[error("jitter_pct is {0}; it must be 0 to 100")]
    Jitter(i64),
    /// Not exactly one thing that says the delays.
    #[error("give exactly one of preset, delays_ms and exponential: it says when the attempts are")]
    NotOne,
    /// The first delay is none, or too long.
    #[error("exponential.first_ms is {0}; it must be 1 to {DELAY_MS_MAX} milliseconds")]
    First(i64),
    /// A longest delay that is shorter than the first, or too long.
    #[error(
        "exponential.cap_ms is {cap_ms}; it must be {first_ms} (first_ms) to {DELAY_MS_MAX} milliseconds"
    )]
    Cap {
        /// What it is.
        cap_ms: i64,
        /// The first delay.
        first_ms: i64,
    },
    /// No attempt, or too many.
    #[error("exponential.attempts is {0}; it must be 1 to {ATTEMPTS_MAX}, the first one included")]
    Attempts(i64),
    /// A factor that makes delays shorter, or grow beyond use.
    #[error("exponential.factor is {0}; it must be 1 to {FACTOR_MAX}, with three decimals at most")]
    Factor(String),
    /// More final statuses than a policy may have.
    #[error("final_statuses has {count} statuses; the most is {FINAL_STATUSES_MAX}")]
    TooManyFinal {
        /// How many there are.
        count: usize,
    },
    /// A final status with which nothing fails.
    #[error(
        "final_statuses[{place}] is {status}; a final status is 300 to 599: 2xx is a success, and \
         nothing else is an answer"
    )]
    NoFailure {
        /// Which one, from 0.
        place: usize,
        /// What it is.
        status: i64,
    },
    /// A final status that asks for a later attempt.
    #[error(
        "final_statuses[{place}] is {status}, by which a receiver asks to be tried again later: \
         408, 429 and 503 are never final"
    )]
    Later {
        /// Which one, from 0.
        place: usize,
        /// What it is.
        status: i64,
    },
    /// A final status that stands there twice.
    #[error("final_statuses[{place}] is {status}, which stands there already: remove one")]
    Twice {
        /// Which one, from 0.
        place: usize,
        /// What it is.
        status: i64,
    },
}
