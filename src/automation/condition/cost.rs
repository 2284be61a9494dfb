//! What a condition may cost at worst, and what it gives: both are known from its tree.
//!
//! The bound is two thirds of the steps an evaluation has, so that a condition that was accepted runs
//! out of them only over its texts and lists, never over its own length.

use super::error::ConditionError;
use super::expression::{Expression, LoopKind, Root};
use super::fault::STEPS_MAX;
use super::function::Function;
use super::loops::LOOP_ENTRIES_MAX;
use super::value::Value;

/// Most steps that the nodes of a condition may need.
const COST_MAX: usize = STEPS_MAX / 3 * 2;

/// Refuses what is too expensive.
pub(super) fn check_steps(expression: &Expression) -> Result<(), ConditionError> {
    let steps = cost(expression);
    if steps > COST_MAX {
        return Err(ConditionError::TooExpensive {
            steps,
            steps_max: COST_MAX,
        });
    }
    Ok(())
}

/// Refuses a condition that is never true or false.
pub(super) fn check_answer(expression: &Expression) -> Result<(), ConditionError> {
    match gives(expression) {
        Some(what) => Err(ConditionError::NotAQuestion { what }),
        None => Ok(()),
    }
}

/// The steps of all nodes, a loop's body counted for every entry a loop may have.
fn cost(expression: &Expression) -> usize {
    let sum = |parts: &[Expression]| parts.iter().map(cost).sum::<usize>();
    1 + match expression {
        Expression::Literal(_) | Expression::Known(..) | Expression::Variable(_) => 0,
        Expression::Root(root) => root.steps(),
        Expression::Field(of, _) => cost(of),
        Expression::Has(inner) | Expression::Not(inner) | Expression::Negate(inner) => cost(inner),
        Expression::All(parts) | Expression::Any(parts) | Expression::List(parts) => sum(parts),
        Expression::Call(function, arguments) => function.steps(arguments.len()) + sum(arguments),
        Expression::Index(left, right)
        | Expression::Compare(_, left, right)
        | Expression::In(left, right)
        | Expression::Arithmetic(_, left, right) => cost(left) + cost(right),
        Expression::Either {
            test,
            then,
            otherwise,
        } => cost(test) + cost(then).max(cost(otherwise)),
        Expression::Loop(each) => cost(&each.entries) + LOOP_ENTRIES_MAX * (1 + cost(&each.body)),
    }
}

/// What the expression certainly gives, if that is neither true nor false.
pub(super) fn gives(expression: &Expression) -> Option<&'static str> {
    match expression {
        Expression::Literal(Value::Bool(_))
        | Expression::Root(Root::Payload)
        | Expression::Call(Function::Contains | Function::StartsWith | Function::EndsWith, _) => {
            None
        }
        Expression::Literal(Value::Text(_))
        | Expression::Root(Root::Id | Root::Type | Root::Source)
        | Expression::Call(Function::String | Function::LowerAscii, _) => Some("a string"),
        Expression::Literal(Value::Null) => Some("null"),
        Expression::Literal(Value::Time(_))
        | Expression::Root(Root::Timestamp)
        | Expression::Call(Function::Timestamp, _) => Some("a time"),
        Expression::Literal(Value::Duration(_)) | Expression::Call(Function::Duration, _) => {
            Some("a duration")
        }
        Expression::Root(Root::CloudEvent) => Some("an object"),
        Expression::Literal(_) | Expression::Negate(_) | Expression::Call(..) => Some("a number"),
        Expression::Arithmetic(..) => Some("a number or a string"),
        Expression::List(_) => Some("a list"),
        Expression::Loop(each) if matches!(each.kind, LoopKind::Filter | LoopKind::Map) => {
            Some("a list")
        }
        Expression::Either {
            then, otherwise, ..
        } => gives(then).or_else(|| gives(otherwise)),
        _ => None,
    }
}
