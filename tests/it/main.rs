//! Throwbar from the outside, told as stories, on both engines, against real receivers.

mod command_line;
mod pipeline;
mod process;
mod store_contract;
mod support;
mod support_test;
