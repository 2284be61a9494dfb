//! Throwbar from the outside, told as stories, on both engines, against real receivers.

#![allow(
    clippy::large_futures,
    reason = "a story's future holds a whole server, and there is one at a time"
)]

mod api;
mod command_line;
mod pipeline;
mod process;
mod store_contract;
mod support;
mod support_test;
mod whatever;
