//! How many requests an endpoint gets: at once, in a time, and of each node. Pure: the time and who lives are values.
//!
//! A rate is counted by the requests that were opened: never more of them in any second, or any minute, than is
//! stated. A token bucket would not do: it lets a full bucket go and refills it meanwhile, up to twice as many in
//! the worst window, or it spaces requests evenly and makes two that come together wait for each other.

mod circuit;
mod limits;
mod nodes;
#[cfg(test)]
mod nodes_tests;
mod window;

pub use circuit::{Circuit, Heard};
pub use limits::{EndpointLimits, OutOfBounds, Rate};
pub use nodes::{Handover, Nodes, Part};
pub use window::Window;
