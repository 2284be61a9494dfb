//! What the parser calls things, and what messages do.

use cel::common::ast::operators;

use super::expression::{Comparison, Operator, Root};

/// What may be asked of an event, for messages.
pub(super) fn roots() -> String {
    let named = Root::ALL
        .iter()
        .filter(|root| root.is_of_event())
        .map(|root| format!("event.{}", root.as_str()));
    let mut named: Vec<_> = named.collect();
    named.push("vars.name".to_owned());
    named.join(", ")
}

/// The comparison that the parser calls so.
pub(super) fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        operators::EQUALS => Comparison::Equal,
        operators::NOT_EQUALS => Comparison::NotEqual,
        operators::LESS => Comparison::Less,
        operators::LESS_EQUALS => Comparison::AtMost,
        operators::GREATER => Comparison::Greater,
        operators::GREATER_EQUALS => Comparison::AtLeast,
        _ => return None,
    })
}

/// The calculation that the parser calls so.
pub(super) fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        operators::ADD => Operator::Add,
        operators::SUBSTRACT => Operator::Subtract,
        operators::MULTIPLY => Operator::Multiply,
        operators::DIVIDE => Operator::Divide,
        operators::MODULO => Operator::Remainder,
        _ => return None,
    })
}
