//! Where in a request something is wrong.

use std::fmt;

/// Where in a request something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A JSON pointer into the body; empty: the body as a whole.
    Body(String),
    /// A parameter of the query.
    Query(String),
    /// A header.
    Header(&'static str),
}

impl Place {
    /// The field with this JSON pointer.
    pub fn body(pointer: impl Into<String>) -> Self {
        Self::Body(pointer.into())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(pointer) if pointer.is_empty() => f.write_str("the body"),
            Self::Body(pointer) => f.write_str(pointer),
            Self::Query(name) => write!(f, "the query parameter {name}"),
            Self::Header(name) => write!(f, "the header {name}"),
        }
    }
}
