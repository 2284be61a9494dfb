//! What can be wrong with a retry policy.

use super::policy::{DELAY_MS_MAX, SPAN_MS_MAX};
use crate::model::limits::RETRY_DELAYS_MAX;

/// Why a retry policy was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name that no preset has.
    #[error(
        "there is no retry policy '{0}'; there are eight-step, three-step and \
         {{\"delays_ms\":[…]}}"
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
}
