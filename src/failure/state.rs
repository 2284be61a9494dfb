//! What is remembered of an endpoint, and the step from one attempt to the next.

use super::FailurePolicy;
use crate::model::limits::FAILING_ALERT_MS;
use crate::model::{Timestamp, words};

pub(super) const HOUR_MS: i64 = 60 * 60 * 1_000;
/// S0: "If all attempts to a specific endpoint fail for a period of 5 days".
pub(super) const FIVE_DAYS_MS: i64 = 5 * 24 * HOUR_MS;

/// What came of one attempt. One that broke off with its node came to nothing and is not heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took the delivery.
    Taken,
    /// It did not.
    Failed,
    /// It wants no more of them: 410.
    Gone,
}

/// One attempt, as far as it tells something of its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// What came of it.
    pub outcome: Outcome,
    /// When it ended.
    pub at: Timestamp,
    /// Whether it may have told that its endpoint is failing, or works again. Warnings and the end always are.
    pub told: bool,
}

/// What is remembered of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// The last success, where the policy asks for it.
    pub succeeded_at: Option<Timestamp>,
    /// What has failed since the last success; `None`: nothing.
    pub streak: Option<Streak>,
    /// When it was told that it fails; `None`: it was not, or also that it works again.
    pub alerted_at: Option<Timestamp>,
}

/// Failed attempts without a success among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streak {
    /// The first of them.
    pub since: Timestamp,
    /// How many there are.
    pub failures: u32,
    /// The last warning, and when it was given.
    pub warned: Option<(Warning, Timestamp)>,
}

/// A step of the policy `ladder` before the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// It fails.
    First,
    /// It still does.
    Second,
}

impl Warning {
    /// Its number, from 1.
    pub const fn no(self) -> i64 {
        match self {
            Self::First => 1,
            Self::Second => 2,
        }
    }

    /// The warning with this number.
    pub const fn of_no(no: i64) -> Option<Self> {
        match no {
            1 => Some(Self::First),
            2 => Some(Self::Second),
            _ => None,
        }
    }
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// It is told that it has failed for a while.
    Failing,
    /// It is told that it works again.
    Recovered,
    /// It is warned of what comes.
    Warned(Warning),
    /// It is disabled: attempts that follow tell nothing of it any more.
    Disabled(Why),
}

/// Why an endpoint is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It answered 410.
    Gone,
    /// Its failure policy has had enough.
    Failing,
}

words!(Why {
    Gone = "gone",
    Failing = "failing",
});

impl FailurePolicy {
    /// Whether it asks when the last success was: then that is to be kept although nothing fails.
    pub const fn asks_for_success(self) -> bool {
        matches!(self, Self::Ladder)
    }

    /// What is remembered after an attempt, and what follows from it, in this order.
    pub fn step(self, state: State, heard: Heard) -> (State, Vec<Consequence>) {
        match heard.outcome {
            Outcome::Taken => self.taken(state, heard),
            Outcome::Failed => self.failed(state, heard),
            Outcome::Gone => (state, vec![Consequence::Disabled(Why::Gone)]),
        }
    }

    fn taken(self, mut state: State, heard: Heard) -> (State, Vec<Consequence>) {
        state.streak = None;
        if self.asks_for_success() {
            state.succeeded_at = state.succeeded_at.max(Some(heard.at));
        }
        if heard.told && state.alerted_at.take().is_some() {
            return (state, vec![Consequence::Recovered]);
        }
        (state, Vec::new())
    }

    fn failed(self, mut state: State, heard: Heard) -> (State, Vec<Consequence>) {
        let mut follows = Vec::new();
        let mut streak = state.streak.unwrap_or(Streak {
            since: heard.at,
            failures: 0,
            warned: None,
        });
        streak.failures = streak.failures.saturating_add(1);
        let for_ms = heard.at.ms_since(streak.since);
        if heard.told && state.alerted_at.is_none() && for_ms >= FAILING_ALERT_MS {
            state.alerted_at = Some(heard.at);
            follows.push(Consequence::Failing);
        }
        let step = match self {
            Self::FiveDays => {
                (for_ms >= FIVE_DAYS_MS).then_some(Consequence::Disabled(Why::Failing))
            }
            Self::Consecutive(count) => {
                (streak.failures >= count.get()).then_some(Consequence::Disabled(Why::Failing))
            }
            Self::Ladder => rung(streak, state.succeeded_at, heard.at),
            Self::Never => None,
        };
        if let Some(Consequence::Warned(warning)) = step {
            streak.warned = Some((warning, heard.at));
        }
        follows.extend(step);
        state.streak = Some(streak);
        (state, follows)
    }
}

/// S3: mails that warn, and then the end. Each step is taken at the first failed attempt at which it can be.
fn rung(streak: Streak, succeeded_at: Option<Timestamp>, at: Timestamp) -> Option<Consequence> {
    let an_hour_after = |warned: Timestamp| at.ms_since(warned) >= HOUR_MS;
    match streak.warned {
        None => {
            let long_ago = succeeded_at.is_none_or(|success| at.ms_since(success) > HOUR_MS);
            (streak.failures >= 2 && long_ago).then_some(Consequence::Warned(Warning::First))
        }
        Some((Warning::First, warned)) => (streak.failures >= 3 && an_hour_after(warned))
            .then_some(Consequence::Warned(Warning::Second)),
        Some((Warning::Second, warned)) => (streak.failures >= 4 && an_hour_after(warned))
            .then_some(Consequence::Disabled(Why::Failing)),
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
