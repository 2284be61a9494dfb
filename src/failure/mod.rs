//! Floor 1: when an endpoint is given up.
//!
//! Pure: an endpoint's health and what came back go in; the next health and a verdict come out.
//! Disabling, telling somebody and enabling again are done elsewhere; whoever enables an endpoint
//! begins with [`EndpointHealth::default`], or its next failure would disable it again.

mod health;
mod policy;

pub use health::{DisabledBecause, EndpointHealth, Verdict, after_failure};
pub use policy::{Error, FailurePolicy};
