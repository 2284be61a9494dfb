//! Flow control in the store: what is known of keys, what waits for its time, and what became of each event.
//!
//! # What holds
//! - **Decided where it is written.** A plan's transaction locks the keys that its events ask with, in one
//!   order on all nodes, and decides on what it then reads ([`gate`]). Two nodes with one key come one after the
//!   other; what was decided is durable with the plan, or neither is.
//! - **What waits is a row.** With its due time, the version that accepted it, and the event whose delivery
//!   it will be. Whoever lives claims it when it is due, and its plan takes it away. What a dead life has
//!   claimed is claimed again: the ids of its deliveries are derived, so nothing is planned twice.
//! - **Closed before it goes.** What is claimed takes no more events: the next one of its key begins anew.
//! - **Nothing vanishes.** An event that was collected, replaced, dropped or put off has a row that says so.

mod again;
mod bound;
mod desk;
mod due;
mod gate;
mod joined;
mod keys;
mod late;
mod verdict;
mod wait;

pub use due::{ClaimedWaits, DueAccount, Fate, Wait, WaitingVersion};
pub use gate::{Gated, NewAsk};
pub use verdict::FlowRecord;
pub use wait::WaitKey;

pub(super) use bound::Counts;
pub(super) use due::release_held;
pub(super) use late::write;
