//! What can be wrong with the text of a condition. Every message says where and what to do.

use std::fmt;

use serde::Serialize;

use super::function::Function;
use super::names::roots;
use crate::model::limits::CONDITION_BYTES_MAX;

/// A place in the text of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

impl Position {
    /// The place of the byte `offset` of `source`.
    pub(super) fn of(source: &str, offset: usize) -> Self {
        let mut end = offset.min(source.len());
        while !source.is_char_boundary(end) {
            end -= 1;
        }
        let before = &source[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is not a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// Nothing but white space.
    #[error("the condition is empty: leave it out to let every event pass")]
    Empty,
    /// Longer than [`CONDITION_BYTES_MAX`].
    #[error("the condition has {bytes} bytes: {CONDITION_BYTES_MAX} at most")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Brackets, prefixes, choices or chains of operators nested too deeply.
    #[error("{at}: the condition is nested too deeply here: split it with && and ||")]
    TooDeep {
        /// Where it becomes too deep.
        at: Position,
    },
    /// Not an expression.
    #[error("{at}: {message}")]
    Syntax {
        /// Where it stops being one.
        at: Position,
        /// What is wrong there.
        message: String,
    },
    /// A name that stands for nothing.
    #[error("{at}: there is no `{name}`: a condition knows {}", roots())]
    UnknownName {
        /// Where it is.
        at: Position,
        /// The name.
        name: String,
    },
    /// A variable that the account has not.
    #[error("{at}: this account has no variable `{name}`: make it with POST /v1/variables")]
    UnknownVariable {
        /// Where it is asked for.
        at: Position,
        /// Its name.
        name: String,
    },
    /// A variable whose value nobody may see.
    #[error(
        "{at}: `vars.{name}` is secret, and what a condition asks for is shown where it is explained: \
         ask for a plain variable"
    )]
    SecretVariable {
        /// Where it is asked for.
        at: Position,
        /// Its name.
        name: String,
    },
    /// A function that there is not.
    #[error(
        "{at}: there is no function {name}(): a condition knows has, all, exists, exists_one, \
         filter, map, {}",
        Function::names()
    )]
    UnknownFunction {
        /// Where it is called.
        at: Position,
        /// Its name.
        name: String,
    },
    /// Something the language has, but not here, or not so.
    #[error("{at}: {message}")]
    Unsupported {
        /// Where it is.
        at: Position,
        /// What it is and what to write.
        message: String,
    },
    /// A loop in the body of a loop.
    #[error("{at}: a loop within a loop takes too long on a large event: use one after the other")]
    NestedLoop {
        /// Where the inner one is.
        at: Position,
    },
    /// More work than one evaluation may do.
    #[error(
        "the condition may take {steps} steps, {steps_max} at most: put less into its loops, which \
         count for a thousand entries each"
    )]
    TooExpensive {
        /// What it may take.
        steps: usize,
        /// What it may take at most.
        steps_max: usize,
    },
    /// It can be neither true nor false.
    #[error("the condition gives {what}, needs to give true or false: compare it with something")]
    NotAQuestion {
        /// What it gives.
        what: &'static str,
    },
    /// The parser failed on it.
    #[error("the condition can't be read: write it more simply")]
    Unreadable,
}

impl ConditionError {
    /// Where it is, if it is at one place.
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::TooDeep { at }
            | Self::Syntax { at, .. }
            | Self::UnknownName { at, .. }
            | Self::UnknownVariable { at, .. }
            | Self::SecretVariable { at, .. }
            | Self::UnknownFunction { at, .. }
            | Self::Unsupported { at, .. }
            | Self::NestedLoop { at } => Some(*at),
            Self::Empty
            | Self::TooLong { .. }
            | Self::TooExpensive { .. }
            | Self::NotAQuestion { .. }
            | Self::Unreadable => None,
        }
    }

    /// The first thing the parser found, in words.
    pub(super) fn from_parser(source: &str, errors: &cel::ParseErrors) -> Self {
        let Some(first) = errors.errors.first() else {
            return Self::Unreadable;
        };
        let at = Position {
            line: usize::try_from(first.pos.0).unwrap_or(1).max(1),
            column: usize::try_from(first.pos.1).unwrap_or(1).max(1),
        };
        let line = source.lines().nth(at.line - 1).unwrap_or("");
        let rest: String = line.chars().skip(at.column - 1).take(40).collect();
        let before: String = line.chars().take(at.column - 1).collect();
        let word_before = before
            .trim_end()
            .rsplit(|c: char| !c.is_ascii_alphabetic())
            .next();
        let prefixed = word_before
            .and_then(hint)
            .filter(|_| word_before == Some("not"));
        let message = prefixed
            .or_else(|| hint(rest.trim_start()))
            .unwrap_or_else(|| {
                let message = first
                    .msg
                    .strip_prefix("Syntax error: ")
                    .unwrap_or(&first.msg);
                // What could have stood there instead is a page long.
                message
                    .split(" expecting ")
                    .next()
                    .unwrap_or(message)
                    .to_owned()
            });
        Self::Syntax { at, message }
    }
}

/// What an author who wrote this probably meant.
fn hint(rest: &str) -> Option<String> {
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    let said = match word.as_str() {
        "and" | "AND" => "write && for and",
        "or" | "OR" => "write || for or",
        "not" | "NOT" => "write ! for not",
        "" if rest.is_empty() => "the condition ends too early: something is missing here",
        "" if rest.starts_with('=') => "= does not compare: write ==",
        "" if rest.starts_with('&') => "write && for and",
        "" if rest.starts_with('|') => "write || for or",
        "" if rest.starts_with(['"', '\'']) => "this quote is not closed",
        _ => return None,
    };
    Some(said.to_owned())
}
