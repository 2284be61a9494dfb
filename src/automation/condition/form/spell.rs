//! From a form to CEL, by way of the tree whose `Display` is CEL.

use super::super::expression::{Comparison, Expression};
use super::super::function::Function;
use super::super::value::Value;
use super::{FieldOperator, Form, Leaf, Missing, Operand};

pub(super) fn expression(form: &Form) -> Expression {
    match form {
        Form::All(parts) => all(parts.iter().map(expression)),
        Form::Any(parts) => any(parts.iter().map(expression)),
        Form::Not(inner) => match expression(inner) {
            // The parser passes over `!!`.
            Expression::Not(inner) => *inner,
            other => not(other),
        },
        Form::Leaf(asked) => leaf(asked),
    }
}

/// `&&` of these, or the one that there is.
fn all(parts: impl IntoIterator<Item = Expression>) -> Expression {
    let flat = parts.into_iter().flat_map(|part| match part {
        Expression::All(parts) => parts,
        other => vec![other],
    });
    joined(flat.collect(), Expression::All)
}

fn any(parts: impl IntoIterator<Item = Expression>) -> Expression {
    let flat = parts.into_iter().flat_map(|part| match part {
        Expression::Any(parts) => parts,
        other => vec![other],
    });
    joined(flat.collect(), Expression::Any)
}

fn joined(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    if parts.len() == 1 {
        parts.remove(0)
    } else {
        join(parts)
    }
}

fn not(inner: Expression) -> Expression {
    Expression::Not(Box::new(inner))
}

pub(super) fn leaf(leaf: &Leaf) -> Expression {
    let path = leaf.field.expression();
    let there = || Expression::Has(Box::new(path.clone()));
    match leaf.operator {
        FieldOperator::Exists => return there(),
        FieldOperator::NotExists => return not(there()),
        FieldOperator::ChangedTo => return changed(leaf),
        _ => {}
    }
    let asked = bare(leaf, path.clone());
    match leaf.missing {
        _ if !leaf.field.may_be_missing() => asked,
        Missing::Error => asked,
        Missing::No => all([there(), asked]),
        Missing::Yes => any([not(there()), asked]),
    }
}

/// The question itself, of a field that is there.
fn bare(leaf: &Leaf, path: Expression) -> Expression {
    let operator = leaf.operator;
    let path = Box::new(path);
    let mut operands = leaf.operands.iter().map(operand);
    if matches!(operator, FieldOperator::In | FieldOperator::NotIn) {
        let list = Expression::In(path, Box::new(Expression::List(operands.collect())));
        return if operator == FieldOperator::In {
            list
        } else {
            not(list)
        };
    }
    // A leaf is only made with what its operator takes.
    let value = operands.next().unwrap_or(Expression::Literal(Value::Null));
    if let Some(function) = operator.function() {
        return Expression::Call(function, vec![*path, value]);
    }
    match operator {
        FieldOperator::Includes => Expression::In(Box::new(value), path),
        FieldOperator::Before => time(leaf, Comparison::Less, *path, value),
        FieldOperator::After => time(leaf, Comparison::Greater, *path, value),
        _ => {
            let comparison = operator.comparison().unwrap_or(Comparison::Equal);
            Expression::Compare(comparison, path, Box::new(value))
        }
    }
}

fn time(leaf: &Leaf, comparison: Comparison, path: Expression, value: Expression) -> Expression {
    let as_time = |given: Expression| Expression::Call(Function::Timestamp, vec![given]);
    let path = if leaf.field.is_time() {
        path
    } else {
        as_time(path)
    };
    let value = match value {
        known @ Expression::Known(..) => as_time(known),
        literal => literal,
    };
    Expression::Compare(comparison, Box::new(path), Box::new(value))
}

/// It is there, so is what it was before, it is the value, and was not.
fn changed(leaf: &Leaf) -> Expression {
    let previous = leaf.previous.as_ref().map_or_else(
        || leaf.field.previous().expression(),
        super::FieldPath::expression,
    );
    let there = |path: &Expression| Expression::Has(Box::new(path.clone()));
    let path = leaf.field.expression();
    all([
        there(&path),
        there(&previous),
        bare(leaf, path.clone()),
        Expression::Compare(Comparison::NotEqual, Box::new(path), Box::new(previous)),
    ])
}

fn operand(operand: &Operand) -> Expression {
    Expression::Literal(match operand {
        Operand::Null => Value::Null,
        Operand::Bool(value) => Value::Bool(*value),
        Operand::Int(number) => Value::Int(*number),
        Operand::Double(number) => Value::Double(*number),
        Operand::Text(text) => Value::Text(text.clone().into()),
        Operand::Time(time) => Value::Time(*time),
        Operand::Variable(name) => return Expression::Known(name.clone(), Value::Null),
    })
}
