//! What a leaf of a form may ask, and what it says of a field that is missing.

use super::super::expression::Comparison;
use super::super::function::Function;
use super::Operand;
use crate::model::words;

/// What is asked of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldOperator {
    /// It is the value.
    Equals,
    /// It is not.
    NotEquals,
    /// A number above it.
    GreaterThan,
    /// A number not below it.
    GreaterOrEqual,
    /// A number below it.
    LessThan,
    /// A number not above it.
    LessOrEqual,
    /// A time before it.
    Before,
    /// A time after it.
    After,
    /// A text with it within.
    Contains,
    /// A text that begins with it.
    StartsWith,
    /// A text that ends with it.
    EndsWith,
    /// A list with it as an entry.
    Includes,
    /// One of the values.
    In,
    /// None of them.
    NotIn,
    /// It is there, null or not.
    Exists,
    /// It is not there.
    NotExists,
    /// It is the value, and was another before.
    ChangedTo,
}

words!(FieldOperator {
    Equals = "equals",
    NotEquals = "not_equals",
    GreaterThan = "greater_than",
    GreaterOrEqual = "greater_or_equal",
    LessThan = "less_than",
    LessOrEqual = "less_or_equal",
    Before = "before",
    After = "after",
    Contains = "contains",
    StartsWith = "starts_with",
    EndsWith = "ends_with",
    Includes = "includes",
    In = "in",
    NotIn = "not_in",
    Exists = "exists",
    NotExists = "not_exists",
    ChangedTo = "changed_to",
});

/// What a leaf says where its field is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It does not hold.
    No,
    /// It holds.
    Yes,
    /// It can't be said, which is an error.
    Error,
}

words!(Missing {
    No = "no",
    Yes = "yes",
    Error = "error",
});

impl FieldOperator {
    /// All of them, for messages.
    pub(super) fn words() -> String {
        Self::ALL
            .iter()
            .map(|operator| operator.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// What it says of a field that is missing, if nothing else is said.
    pub(super) fn missing(self) -> Missing {
        match self {
            Self::NotEquals | Self::NotIn => Missing::Yes,
            _ => Missing::No,
        }
    }

    /// Whether it says by itself what it means for a missing field.
    pub(super) fn is_settled(self) -> bool {
        matches!(self, Self::Exists | Self::NotExists | Self::ChangedTo)
    }

    /// The comparison that it is, if it is one with a value.
    pub(super) fn comparison(self) -> Option<Comparison> {
        Some(match self {
            Self::Equals => Comparison::Equal,
            Self::NotEquals => Comparison::NotEqual,
            Self::GreaterThan => Comparison::Greater,
            Self::GreaterOrEqual => Comparison::AtLeast,
            Self::LessThan => Comparison::Less,
            Self::LessOrEqual => Comparison::AtMost,
            _ => return None,
        })
    }

    /// The operator that compares so.
    pub(super) fn of_comparison(comparison: Comparison) -> Self {
        match comparison {
            Comparison::Equal => Self::Equals,
            Comparison::NotEqual => Self::NotEquals,
            Comparison::Greater => Self::GreaterThan,
            Comparison::AtLeast => Self::GreaterOrEqual,
            Comparison::Less => Self::LessThan,
            Comparison::AtMost => Self::LessOrEqual,
        }
    }

    /// The function that it calls on a text, if it does.
    pub(super) fn function(self) -> Option<Function> {
        Some(match self {
            Self::Contains => Function::Contains,
            Self::StartsWith => Function::StartsWith,
            Self::EndsWith => Function::EndsWith,
            _ => return None,
        })
    }

    /// The operator that calls this function.
    pub(super) fn of_function(function: Function) -> Option<Self> {
        let calls = |operator: &&Self| operator.function() == Some(function);
        Self::ALL.iter().find(calls).copied()
    }

    /// Whether it takes this value.
    pub(super) fn takes(self, operand: &Operand) -> bool {
        let is_time = matches!(operand, Operand::Time(_));
        let is_variable = matches!(operand, Operand::Variable(_));
        match self {
            Self::Before | Self::After => is_time || is_variable,
            Self::GreaterThan | Self::GreaterOrEqual | Self::LessThan | Self::LessOrEqual => {
                is_variable || matches!(operand, Operand::Int(_) | Operand::Double(_))
            }
            Self::Contains | Self::StartsWith | Self::EndsWith => {
                is_variable || matches!(operand, Operand::Text(_))
            }
            Self::Exists | Self::NotExists => false,
            _ => !is_time,
        }
    }

    /// The same in words.
    pub(super) fn taken(self) -> &'static str {
        match self {
            Self::Before | Self::After => {
                "a time as value: RFC 3339 text such as \"2026-05-04T10:30:00Z\""
            }
            Self::GreaterThan | Self::GreaterOrEqual | Self::LessThan | Self::LessOrEqual => {
                "a number of 64 bits as value"
            }
            Self::Contains | Self::StartsWith | Self::EndsWith => {
                "text as value; whether a list has an entry is asked with includes"
            }
            Self::In | Self::NotIn => {
                "a list of 1 to 1000 texts, numbers, truth values or nulls as value"
            }
            Self::Exists | Self::NotExists => "no value",
            Self::Equals | Self::NotEquals | Self::Includes | Self::ChangedTo => {
                "a text, a number of 64 bits, true, false or null as value"
            }
        }
    }
}
