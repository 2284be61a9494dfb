//! Throwbar from the outside, told as stories, on both engines, against real receivers.

mod pipeline;
mod process;
mod store_contract;
mod support;
mod support_test;
