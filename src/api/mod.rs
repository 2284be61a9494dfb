//! Floor 5: the native API, `/v1`, and what operators and their machines ask beside it.
//!
//! A door translates: HTTP to what [`crate::service`] takes, and what it returns to HTTP. It
//! decides neither who may do what nor what is valid. `router.rs` is the whole API on one page;
//! `problem.rs` is the only place that knows which HTTP status goes with which error.

mod account;
mod account_connection;
mod answer;
mod api_key;
mod automation;
mod body;
mod cloudevent;
mod code;
mod condition;
mod connection;
mod dead_letter;
mod delivery;
mod egress;
mod endpoint;
mod event;
mod event_type;
mod explain;
mod export;
mod health;
mod idempotency;
mod job;
mod key_pair;
mod log_query;
mod mail;
mod openapi;
mod operations;
mod pass;
mod plugin;
mod policy;
mod principal;
mod problem;
mod profile;
mod query;
mod receiver;
mod router;
mod schedule;
mod source;
mod stall;
mod test_event;
mod trial;
mod variable;
mod version;

pub use connection::{Bounds, serve};
pub use openapi::{openapi, routes};
pub use problem::refusal;
pub use router::{Render, router};
