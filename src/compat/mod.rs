//! Floor 5: doors in the shapes of others, for clients that are written for those. Each translates and decides
//! nothing.

pub mod rest;

use axum::response::Response;

use crate::service::Error;

/// Turns an error into the answer that the API gives to it.
pub type Refuse = fn(Error) -> Response;
