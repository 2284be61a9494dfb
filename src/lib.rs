//! Throwbar: events come in, automations decide what follows, sandboxed WebAssembly plugins
//! reshape the payload, signed deliveries leave, and every attempt is on record.
//!
//! # One event's way
//!
//! ```text
//! api ─► service ─► pipeline::accept ─► evaluate ─► plan ─► attempt ─► record
//!                   event + inbox row   automations  deliveries  signed,   attempt row,
//!                   in one commit,      × event      on disk     sent      next state
//!                   then the answer                  first
//! ```
//!
//! # One word per thing
//!
//! `docs/glossary.md` has the words; whatever a name is made of stands there.
//!
//! # The house, by floors
//!
//! A room may use only the rooms on lower floors; rooms of one floor don't know each other.
//! `tests/tidy.rs` checks it.
//!
//! | floor | rooms |
//! | --- | --- |
//! | 9 | [`cli`]: what the program can be asked to do, one file per command |
//! | 8 | [`app`]: assembles everything, starts it, owns the shutdown |
//! | 7 | [`config`]: what the operator chose |
//! | 6 | [`telemetry`]: what the operator sees |
//! | 5 | [`api`], [`inbound`], [`compat`]: the doors. A door translates; it decides nothing |
//! | 4 | [`service`]: what may be asked, by whom, and what is valid, once for all doors; [`schedule`]: from the clock to events |
//! | 3 | [`pipeline`]: from acceptance to the record, and taking over from the dead; [`alert`]: mails about endpoints, and reminders |
//! | 2 | [`store`]: all SQL; [`plugin`]: the sandbox; [`outbound`]: the guarded way out |
//! | 1 | [`automation`], [`signing`], [`retry`], [`failure`], [`tally`], [`throttle`], [`cron`], [`vault`], [`envelope`], [`schema`], [`search`], [`yaml`]: pure rules |
//! | 0 | [`model`]: the nouns; [`unbroken`]: steps that don't stop halfway |

pub mod alert;
pub mod api;
pub mod app;
pub mod automation;
pub mod cli;
pub mod compat;
pub mod config;
pub mod cron;
pub mod envelope;
pub mod failure;
pub mod inbound;
pub mod model;
pub mod outbound;
pub mod pipeline;
pub mod plugin;
pub mod retry;
pub mod schedule;
pub mod schema;
pub mod search;
pub mod service;
pub mod signing;
pub mod store;
pub mod tally;
pub mod telemetry;
pub mod throttle;
pub mod unbroken;
pub mod vault;
pub mod yaml;
