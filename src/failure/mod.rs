//! Floor 1: when an endpoint is given up.
//!
//! A policy is a span of patience: at a failed attempt, an endpoint whose first failure since its
//! last success lies as far back is disabled, and one success resets everything. HTTP 410 disables
//! at once, whatever the policy says. The store keeps the first failure; the pipeline decides.

mod policy;

pub use policy::{Error, FailurePolicy};
