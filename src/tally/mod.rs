//! Floor 1: what an endpoint's attempts come to, counted.
//!
//! A [`Tally`] counts attempts; tallies of one time add up in any order, so whoever has counted some can add them to
//! what others have counted. How long answers took is kept in a [`Histogram`] of fixed buckets: quantiles of it are
//! within 10 % of the true ones, however many there were. [`SuccessRateAlert`] says when too few succeed.
//!
//! Pure: it knows neither the store nor the time.

mod alert;
mod counted;
mod histogram;
mod spelling;

pub use alert::{
    ATTEMPTS_MAX, Error, SuccessRateAlert, Threshold, Turn, WINDOW_S_MAX, WINDOW_S_MIN,
};
pub use counted::{Span, Tally};
pub use histogram::Histogram;
