//! Floor 1: what the payloads of an event type must look like, as JSON Schema (draft 2020-12).
//!
//! A schema comes from users and is run against what others send, so it is bounded when it is
//! compiled: its size, its nesting, how often it may look at one value of a payload and how deep it goes
//! into itself (`weight`). It stands alone: `$ref` stays inside the document, nothing is fetched.
//! Regular expressions take linear time. What a check may cost is known before it is made: a payload
//! for which that is too much is told so, and not checked.
//!
//! `format` is checked, as those who write it expect; formats that nobody knows say nothing.
//!
//! [`catalogue`] has the ready-made event types, and reads lists of event types; [`openapi`] finds them in
//! an OpenAPI document.

pub mod catalogue;
mod example;
mod example_number;
mod example_text;
mod graph;
pub mod openapi;
mod violation;
mod weight;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

pub use example::NoExample;
pub use violation::{Violation, Violations};

/// Longest schema.
pub const SCHEMA_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting of arrays and objects in a schema.
pub const SCHEMA_DEPTH_MAX: usize = 64;
/// Most regular expressions in one schema.
pub const REGEXES_MAX: usize = 200;
/// Longest regular expression.
pub const REGEX_BYTES_MAX: usize = 512;
/// What one regular expression may become in memory.
const REGEX_COMPILED_BYTES_MAX: usize = 256 * 1024;
/// Most looks that one check may take, about: a fraction of a second.
const LOOKS_PER_CHECK_MAX: u64 = 4_000_000;
/// Above so many, only the first violation is told: a list of them all would take too much memory.
const LOOKS_PER_LIST_MAX: u64 = 200_000;
/// So much text counts as one more value: regular expressions read it.
const TEXT_BYTES_PER_VALUE: usize = 64;
/// What each byte of a schema becomes in memory, about.
const COMPILED_BYTES_PER_BYTE: usize = 48;
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A schema that is not taken. Each names the place by a JSON pointer into the schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Longer than [`SCHEMA_BYTES_MAX`].
    #[error("the schema has {bytes} bytes: {SCHEMA_BYTES_MAX} at most")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Nested deeper than [`SCHEMA_DEPTH_MAX`].
    #[error(
        "the schema has more than {SCHEMA_DEPTH_MAX} arrays and objects within one another: move parts of it to \
         $defs"
    )]
    TooDeep,
    /// No JSON, or numbers that nothing can be compared to.
    #[error("the schema can't be read: {why}")]
    Unreadable {
        /// Why.
        why: String,
    },
    /// No schema.
    #[error("this is not JSON Schema: {why}")]
    NotASchema {
        /// Where.
        pointer: String,
        /// Why.
        why: String,
    },
    /// Another draft.
    #[error("only draft 2020-12 is understood: leave $schema out, or write {DIALECT}")]
    OtherDialect,
    /// A keyword that is not taken.
    #[error("'{keyword}' is not taken here: {remedy}")]
    Keyword {
        /// Where.
        pointer: String,
        /// Which.
        keyword: String,
        /// What to do instead.
        remedy: &'static str,
    },
    /// A `$ref` out of the document.
    #[error(
        "'{target}' is outside of this schema: copy it to $defs and write '#/$defs/…', nothing is fetched"
    )]
    ForeignRef {
        /// Where.
        pointer: String,
        /// To what.
        target: String,
    },
    /// A `$ref` to nothing.
    #[error("there is nothing at '{target}' in this schema: check the spelling")]
    LostRef {
        /// Where.
        pointer: String,
        /// To what.
        target: String,
    },
    /// A `$ref` that comes back to itself with nothing in between.
    #[error("this refers to itself without going into the value: the check would never end")]
    Endless {
        /// Where.
        pointer: String,
    },
    /// Too many, or too large regular expressions.
    #[error(
        "a schema has at most {REGEXES_MAX} regular expressions of {REGEX_BYTES_MAX} bytes: {why}"
    )]
    Regex {
        /// Where.
        pointer: String,
        /// What is wrong with it.
        why: String,
    },
    /// Too much work.
    #[error(
        "the schema would look at one value of a payload too often, or goes too deep into itself: use fewer \
         alternatives within one another"
    )]
    TooCostly,
}

impl Error {
    /// Where in the schema, as a JSON pointer; empty: the whole.
    pub fn pointer(&self) -> &str {
        match self {
            Self::NotASchema { pointer, .. }
            | Self::Keyword { pointer, .. }
            | Self::ForeignRef { pointer, .. }
            | Self::LostRef { pointer, .. }
            | Self::Endless { pointer }
            | Self::Regex { pointer, .. } => pointer,
            Self::OtherDialect => "/$schema",
            Self::TooLong { .. } | Self::TooDeep | Self::Unreadable { .. } | Self::TooCostly => "",
        }
    }
}

/// A compiled schema.
#[derive(Debug)]
pub struct EventSchema {
    validator: Validator,
    /// How often it may look at one value.
    looks: u32,
    /// What it takes in memory, about.
    bytes: usize,
}

impl EventSchema {
    /// Compiles a schema that stands alone, within the bounds. It takes milliseconds.
    pub fn compile(text: &str) -> Result<Self, Error> {
        if text.len() > SCHEMA_BYTES_MAX {
            return Err(Error::TooLong { bytes: text.len() });
        }
        let schema: Value = serde_json::from_str(text).map_err(|error| Error::Unreadable {
            why: error.to_string(),
        })?;
        if depth(&schema) > SCHEMA_DEPTH_MAX {
            return Err(Error::TooDeep);
        }
        if let Some(dialect) = schema.get("$schema")
            && dialect.as_str().map(|text| text.trim_end_matches('#')) != Some(DIALECT)
        {
            return Err(Error::OtherDialect);
        }
        let looks = weight::looks(&graph::Graph::of(&schema)?)?;
        Ok(Self {
            validator: build(&schema)?,
            looks,
            bytes: text.len() * COMPILED_BYTES_PER_BYTE + 4096,
        })
    }

    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many looks a check of this payload takes at most; a look is tens of nanoseconds.
    pub fn looks_at(&self, payload: &[u8]) -> u64 {
        let looks = |values: usize| {
            (values + payload.len() / TEXT_BYTES_PER_VALUE) as u64 * u64::from(self.looks)
        };
        // The quick bound first: a value and what parts it from the next take two bytes.
        let quick = looks(payload.len() / 2 + 1);
        if quick <= LOOKS_PER_LIST_MAX {
            quick
        } else {
            looks(values(payload))
        }
    }

    /// What of a payload, which is JSON, does not fit.
    pub fn check(&self, payload: &[u8]) -> Violations {
        let looks = self.looks_at(payload);
        if looks > LOOKS_PER_CHECK_MAX {
            return Violations::one(Violation::too_costly());
        }
        let mut reader = serde_json::Deserializer::from_slice(payload);
        let value: Value = match serde_path_to_error::deserialize(&mut reader) {
            Ok(value) => value,
            Err(error) => return Violations::one(Violation::unreadable(&error)),
        };
        if looks > LOOKS_PER_LIST_MAX {
            return match self.validator.validate(&value) {
                Ok(()) => Violations::default(),
                Err(error) => Violations::first(Violation::of(&error)),
            };
        }
        if self.validator.is_valid(&value) {
            return Violations::default();
        }
        Violations::of(self.validator.iter_errors(&value))
    }
}

/// The schema as the library runs it: alone, in one dialect, regular expressions in linear time.
fn build(schema: &Value) -> Result<Validator, Error> {
    let patterns = PatternOptions::regex()
        .size_limit(REGEX_COMPILED_BYTES_MAX)
        .dfa_size_limit(REGEX_COMPILED_BYTES_MAX);
    jsonschema::options()
        .offline()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(patterns)
        .should_validate_formats(true)
        // A payload's text would be compiled: whatever it costs.
        .with_format("regex", |_: &str| true)
        .build(schema)
        .map_err(|error| Error::NotASchema {
            pointer: error.instance_path().as_str().to_owned(),
            why: violation::cut(&error.to_string()),
        })
}

/// Arrays and objects within one another.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// How many values valid JSON has, at most.
fn values(json: &[u8]) -> usize {
    let (mut count, mut in_text, mut escaped) = (1, false, false);
    for byte in json {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
        } else if *byte == b'"' {
            in_text = true;
        } else if matches!(byte, b',' | b'[' | b'{') {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests;
