//! `+ - * / %`. Whole numbers stay whole (division rounds towards zero, as in CEL) and never wrap;
//! a double makes the result a double; a time and a duration give a time, two times a duration.

use super::expression::Operator;
use super::value::Value;

/// The result, `None` if there is none: other kinds, beyond 64 bits, or divided by zero.
pub(super) fn calculate<'v>(
    operator: Operator,
    left: &Value<'v>,
    right: &Value<'v>,
) -> Option<Value<'v>> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => whole(operator, *a, *b).map(Value::Int),
        (Value::Double(a), Value::Double(b)) => real(operator, *a, *b).map(Value::Double),
        (Value::Int(a), Value::Double(b)) => real(operator, *a as f64, *b).map(Value::Double),
        (Value::Double(a), Value::Int(b)) => real(operator, *a, *b as f64).map(Value::Double),
        (Value::Time(a), Value::Duration(b)) => match operator {
            Operator::Add => a.checked_add(*b).ok().map(Value::Time),
            Operator::Subtract => a.checked_sub(*b).ok().map(Value::Time),
            _ => None,
        },
        (Value::Duration(a), Value::Time(b)) if operator == Operator::Add => {
            b.checked_add(*a).ok().map(Value::Time)
        }
        (Value::Time(a), Value::Time(b)) if operator == Operator::Subtract => {
            Some(Value::Duration(a.duration_since(*b)))
        }
        (Value::Duration(a), Value::Duration(b)) => match operator {
            Operator::Add => a.checked_add(*b).map(Value::Duration),
            Operator::Subtract => a.checked_sub(*b).map(Value::Duration),
            _ => None,
        },
        _ => None,
    }
}

fn whole(operator: Operator, a: i64, b: i64) -> Option<i64> {
    match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b),
        Operator::Remainder => a.checked_rem(b),
    }
}

/// Never NaN or infinite: a condition on such a "number" would quietly be false.
fn real(operator: Operator, a: f64, b: f64) -> Option<f64> {
    let result = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        // CEL has no remainder of doubles.
        Operator::Remainder => return None,
    };
    result.is_finite().then_some(result)
}
