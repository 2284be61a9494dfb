//! Floor 1: YAML as people keep it in a repository, told apart from JSON only by its spelling.
//!
//! [`read`] takes one document of YAML 1.2 and gives a [`Node`], with the line and the column of everything in
//! it. What would let a small file become a large one, or say one thing and mean another, is refused with its
//! place: aliases and anchors, tags, merge keys, a name twice in one object, numbers that JSON does not know.
//! [`write`] spells a node in one way, so that what says the same is the same bytes: texts of several lines as
//! literal blocks, and in quotes whatever some reader might take for something else.

mod node;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use node::Node;
pub use read::{Places, read};
pub use write::write;

/// Deepest nesting that is read: that of a payload, and what stands around it.
const DEPTH_MAX: usize = 100;

/// Why a text is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Something is wrong at a place of a YAML document.
    #[error("line {line}, column {column}: {why}")]
    Yaml {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong, and what to do.
        why: String,
    },
    /// It is no JSON.
    #[error("this is not JSON: {0}")]
    Json(String),
}
