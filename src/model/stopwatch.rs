//! How long something took. It decides nothing but whose turn is next: what is due, and when, is the
//! clock's to say.

use std::time::{Duration, Instant};

/// Runs from when it was started.
#[derive(Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts one.
    #[expect(clippy::disallowed_methods, reason = "a duration, not a time of day")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since then.
    #[expect(clippy::disallowed_methods, reason = "a duration, not a time of day")]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// The same in whole microseconds.
    pub fn elapsed_us(&self) -> u64 {
        u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
