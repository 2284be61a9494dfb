//! Flow control: when an event that has met the condition goes on to the transforms, and whether it does.
//!
//! `docs/flow.md` tells it to authors. An event passes `dedupe` first and then at most one of the others:
//!
//! | rule | what it does |
//! | --- | --- |
//! | dedupe | the first event of a key goes on, the others of its window do not |
//! | debounce | the last event of a key goes on, once no other has come for a while |
//! | digest | events of a key are collected and go on together, in order |
//! | rate limit | so many events of a key go on in a window; the others wait, or do not |
//! | delay | the event goes on later |
//! | order | what goes on is delivered one after the other, those of a key to an endpoint |
//!
//! # Pure
//! [`Rules::ask`] says what one event asks for: its keys and times. [`decide`] takes that and what is known
//! of the keys, and gives the verdict, the sentence, and what is to be remembered. Neither looks at a clock.
//! The store runs [`decide`] in the transaction that writes the event's plan, on what it reads there under a
//! lock, so that of two nodes with one key the second decides on what the first has written. A trial runs
//! the same on what it reads, and writes nothing.
//!
//! # Windows
//! A window of a rate limit begins with the first event of a key and is followed by others without a gap as
//! long as events wait; an event after the last one begins a new one. Each has at most its number; what is
//! sent around the border of two of them may be more.

mod arrival;
mod decide;
mod digest;
#[cfg(test)]
mod refusals;
mod rules;
mod shape;
#[cfg(test)]
mod tests;
mod words;

pub use arrival::{Arrival, Decision, FlowVerdict, Known, Move, Open, Taken, Trace, Used};
pub use decide::{Full, decide, refuse, replaced};
pub use digest::{Entry, digest, entry_bytes, events_of};
pub use rules::{Ask, Error, Rules, Then};
pub use shape::{Debounce, Dedupe, Delay, Digest, Flow, Order, Over, RateLimit};
pub use words::{of_key, span};
