//! Floor 1: when a schedule runs. Pure: a pattern or an interval, a time zone and a policy go in,
//! instants come out.
//!
//! # What holds
//!
//! - A pattern is five fields with the meaning they have in unix (crontab(5)); six, with seconds first, only
//!   when asked for. Mistakes are told by field, part and remedy.
//! - It is looked up on the civil timeline of each stretch of time between two changes of the zone's
//!   clocks. What lies in a gap or in a fold is decided by the stated policy and nothing else.
//! - Occurrences strictly increase. What comes after an instant depends on that instant alone: whoever
//!   goes on from the last one, on whichever node, finds the same ones.
//! - An interval knows no clocks: it is elapsed time from its start.
//!
//! No cron crate is below this: each would need the fields parsed here first, for the errors and for
//! unix's weekdays, then its iterator worked around wherever the clocks change.

mod calendar;
mod change;
mod civil;
mod definition;
mod error;
mod field;
mod interval;
mod ledger;
mod pattern;
mod policy;
#[cfg(test)]
mod tests;
mod timing;
mod words;
mod zone;

pub use calendar::Calendar;
pub use change::{Change, Direction};
pub use civil::Civil;
pub use definition::{CatchUp, Definition, Every, Overlap, UnderWay};
pub use error::Error;
pub use interval::{EVERY_S_MAX, Interval};
pub use ledger::{Cause, Mark, Reason};
pub use pattern::{Pattern, Precision};
pub use policy::{DstPolicy, Fold, Gap};
pub use timing::{Occurrence, Timing};
pub use zone::Zone;
