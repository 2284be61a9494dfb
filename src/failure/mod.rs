//! Floor 1: when an endpoint is given up, and what is said before.
//!
//! A policy is a state machine over attempts: [`FailurePolicy::step`] takes what is remembered of an endpoint and what
//! came of one attempt, and says what is remembered from then on and what follows. HTTP 410 disables at once, whatever
//! the policy says. Pure: times are handed in. In which order attempts are heard, and of which endpoint an attempt
//! still tells something, is the caller's to know.

mod outlook;
mod policy;
mod reminder;
mod state;

pub use outlook::Outlook;
pub use policy::{CONSECUTIVE_MAX, Error, FailurePolicy};
pub use reminder::{Reminder, first_reminder, reminder};
pub use state::{Consequence, Heard, Outcome, State, Streak, Warning, Why};
