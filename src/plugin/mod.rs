//! Floor 2: the sandbox. Compiles WebAssembly components, checks that they keep their promises, and
//! runs them, each run in a fresh instance under limits of its own.
//!
//! What it guarantees:
//!
//! - A component sees its event, its configuration and its own log, nothing else: no clock, no
//!   randomness, no file, no network. The same component, event and configuration give the same
//!   outputs, the same log and the same fuel, on a busy machine as on an idle one.
//! - A run ends: by fuel, which is counted and therefore deterministic, and, should fuel fail to
//!   catch it, by a wall-clock backstop.
//! - Nothing a component does is an error of ours: [`Engine::run`] answers with a [`Run`] that says
//!   what came out, or which limit was met, in words for the author.
//! - No plugin's memory is left behind for the next one.
//!
//! What it does not do: keep components, know of accounts, or decide what a failed run means for a
//! delivery. [`Engine::compile`] takes up to seconds of CPU and [`Engine::run`] up to
//! `run_ms_max`; both block the calling thread.
//!
//! One file per major version of the WIT package speaks its language (`v1.rs`); everything else
//! knows only the types of this module.

mod component;
mod digest;
mod engine;
mod error;
mod gate;
mod host;
mod imports;
mod limits;
mod output;
mod run;
mod schema;
mod slots;
mod survey;
#[cfg(test)]
mod tests;
mod ticker;
mod v1;

pub use component::{Component, Description, Vector};
pub use digest::{Digest, DigestError};
pub use engine::{Engine, Settings};
pub use error::Error;
pub use limits::Limit;
pub use run::{Context, Event, LogLevel, LogLine, Outcome, Output, Request, Run, RunError, Usage};
pub use schema::ConfigError;
