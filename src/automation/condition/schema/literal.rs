//! What is written out in a condition, as JSON.

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};
use serde_json::Value;

/// A value that is written out.
pub(super) enum Literal {
    Json(Value),
    /// A call that makes a time.
    Time,
}

/// The value, if the node is one that is written out.
pub(super) fn of(node: &IdedExpr) -> Option<Literal> {
    Some(Literal::Json(match &node.expr {
        Expr::Literal(LiteralValue::Null) => Value::Null,
        Expr::Literal(LiteralValue::Boolean(value)) => Value::from(*value.inner()),
        Expr::Literal(LiteralValue::Int(number)) => Value::from(*number.inner()),
        Expr::Literal(LiteralValue::Double(number)) => Value::from(*number.inner()),
        Expr::Literal(LiteralValue::String(text)) => Value::from(text.inner()),
        Expr::Call(call) if call.target.is_none() && call.func_name == operators::NEGATE => {
            match of(call.args.first()?)? {
                Literal::Json(Value::Number(number)) => match number.as_i64() {
                    Some(whole) => Value::from(whole.checked_neg()?),
                    None => Value::from(-number.as_f64()?),
                },
                _ => return None,
            }
        }
        Expr::Call(call) if call.target.is_none() && call.func_name == "timestamp" => {
            return Some(Literal::Time);
        }
        _ => return None,
    }))
}

/// Whether two values are equal as conditions see it: numbers by what they are worth.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64()
        }
        _ => one == other,
    }
}

/// The value that somebody probably meant where another kind is wanted: a number for its text, and the other
/// way round.
pub(super) fn of_other_kind(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => {
            let number: Value = serde_json::from_str(text.trim()).ok()?;
            (number.is_number() || number.is_boolean()).then_some(number)
        }
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(value) => Some(value.to_string().into()),
        _ => None,
    }
}
