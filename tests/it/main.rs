//! Throwbar from the outside, told as stories, on both engines, against real receivers.

mod process;
mod support;
mod support_test;
