//! Floor 1: when the next attempt is due.
//!
//! A policy of n delays makes n + 1 attempts: the first at once, each further one its delay after
//! the failure before it. Pure: the time of the failure, the jitter's random number and what the
//! receiver asked for are handed in, and a time comes out. A policy also says after which answers there is no
//! further attempt; 410 is final in each, and that, and whether an answer's `Retry-After` counts (429 and 503), is
//! decided by the caller.

mod error;
mod policy;
mod rule;
mod spelling;

pub use error::Error;
pub use policy::{Advice, OwnPolicy, Planned, RETRY_AFTER_MS_MAX, RetryPolicy, SPAN_MS_MAX};
pub use rule::{Exponential, Factor, Rule};
