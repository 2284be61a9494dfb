//! Floor 1: how a delivery's body is wrapped.
//!
//! A payload's bytes are never parsed and printed again here: key order, duplicate keys, escapes
//! and the spelling of numbers reach the receiver as they came in. Whether a payload is JSON at
//! all was checked when it was accepted.

mod cloudevent;
mod compact;
mod wrap;

pub use compact::compact;
pub use wrap::{Envelope, Error, Occurrence, Wrapped};
