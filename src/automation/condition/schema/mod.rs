//! What a condition asks for, compared with the JSON Schema of the event type it is asked of: a field that
//! the schema does not have, a number compared with a string, a value that is never there. Each finding has
//! its place in the text and, where one is near, what was probably meant.
//!
//! Findings are warnings: a schema is what a sender promises, not what comes. Where a schema leaves
//! something open, nothing is said.

mod literal;
mod nearest;
mod node;
mod said;
#[cfg(test)]
mod tests;
mod walk;

use serde_json::Value;

use super::error::Position;
use super::parse::parse;
use crate::model::words;
use walk::Walk;

/// Something that a condition asks for and events of the type never have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionWarning {
    /// Which kind of finding.
    pub kind: WarningKind,
    /// Where it begins.
    pub at: Position,
    /// How many characters it has.
    pub length: usize,
    /// What is wrong, and what to do.
    pub message: String,
    /// What probably belongs there instead.
    pub suggestion: Option<String>,
}

/// Kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningKind {
    /// A field that the schema does not have.
    UnknownField,
    /// A field of what has none.
    NotAnObject,
    /// Two kinds of values that don't go together.
    WrongKind,
    /// A value that the field never has.
    UnknownValue,
}

words!(WarningKind {
    UnknownField = "unknown_field",
    NotAnObject = "not_an_object",
    WrongKind = "wrong_kind",
    UnknownValue = "unknown_value",
});

/// What a condition asks for that no event of these types has, each type with its name and schema. What at
/// least one of them may have is fine. In the order of the text; nothing, if the text is no condition.
pub fn check(source: &str, schemas: &[(&str, &Value)]) -> Vec<ConditionWarning> {
    let [(first, schema), others @ ..] = schemas else {
        return Vec::new();
    };
    let Ok((parsed, places)) = parse(source) else {
        return Vec::new();
    };
    let of = if others.is_empty() {
        format!("the schema of {first}")
    } else {
        let count = schemas.len();
        format!("the schema of any of the {count} event types that the trigger names")
    };
    let look = |schema: &Value| Walk::new((source, &places), &of, schema).findings(&parsed);
    let mut found = look(schema);
    for (_, schema) in others {
        let also = look(schema);
        found.retain(|one| {
            let is_same = |other: &ConditionWarning| other.at == one.at && other.kind == one.kind;
            also.iter().any(is_same)
        });
    }
    found.sort_by_key(|one| (one.at.line, one.at.column));
    // What is asked with has() first is asked twice.
    let mut told = Vec::new();
    found.retain(|one| {
        let is_new = !told.contains(&one.message);
        told.push(one.message.clone());
        is_new
    });
    found
}
