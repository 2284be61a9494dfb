//! From the tree of a condition to the form that means the same, where there is one.

use super::super::expression::{Comparison, Expression};
use super::super::function::Function;
use super::super::value::Value;
use super::{ENTRIES_MAX, FieldOperator, FieldPath, Form, Leaf, MEMBERS_MAX, Missing, Operand};

/// The form that means what the expression means. Not in its normal form.
pub(super) fn form(expression: &Expression) -> Option<Form> {
    match expression {
        Expression::All(parts) => group(parts, Missing::No).map(Form::All),
        Expression::Any(parts) => group(parts, Missing::Yes).map(Form::Any),
        Expression::Not(inner) => match &**inner {
            Expression::Has(path) => existence(path, FieldOperator::NotExists),
            Expression::In(_, list) if matches!(**list, Expression::List(_)) => {
                leaf(expression).map(Form::Leaf)
            }
            other => form(other).map(|inner| Form::Not(Box::new(inner))),
        },
        Expression::Has(path) => existence(path, FieldOperator::Exists),
        other => leaf(other).map(Form::Leaf),
    }
}

/// The members of `&&` (`No`: what is guarded there does not hold where it is missing) or of `||` (`Yes`).
fn group(parts: &[Expression], missing: Missing) -> Option<Vec<Form>> {
    let mut members = Vec::new();
    let mut rest = parts;
    while let Some(first) = rest.first() {
        let (member, taken) = if missing == Missing::No
            && let Some(changed) = changed(rest)
        {
            (Form::Leaf(changed), 4)
        } else if let Some(guarded) = guarded(rest, missing) {
            (Form::Leaf(guarded), 2)
        } else {
            (form(first)?, 1)
        };
        members.push(member);
        rest = &rest[taken..];
    }
    (members.len() <= MEMBERS_MAX).then_some(members)
}

/// `has(field) && question of field`, or `!has(field) || question of field`.
fn guarded(parts: &[Expression], missing: Missing) -> Option<Leaf> {
    let [guard, question, ..] = parts else {
        return None;
    };
    let guard = match (guard, missing) {
        (Expression::Has(path), Missing::No) => FieldPath::of(path)?,
        (Expression::Not(inner), Missing::Yes) => match &**inner {
            Expression::Has(path) => FieldPath::of(path)?,
            _ => return None,
        },
        _ => return None,
    };
    let asked = leaf(question)?;
    let fits = asked.field == guard && guard.may_be_missing();
    fits.then_some(Leaf { missing, ..asked })
}

/// `has(field) && has(before) && field == value && field != before`.
fn changed(parts: &[Expression]) -> Option<Leaf> {
    let [
        Expression::Has(field),
        Expression::Has(before),
        question,
        Expression::Compare(Comparison::NotEqual, left, right),
        ..,
    ] = parts
    else {
        return None;
    };
    let (field, before) = (FieldPath::of(field)?, FieldPath::of(before)?);
    let asked = leaf(question)?;
    let fits = asked.operator == FieldOperator::Equals
        && asked.field == field
        && field.is_in_payload()
        && before.is_in_payload()
        && FieldPath::of(left).as_ref() == Some(&field)
        && FieldPath::of(right).as_ref() == Some(&before);
    fits.then(|| Leaf {
        operator: FieldOperator::ChangedTo,
        previous: Some(before).filter(|before| *before != field.previous()),
        missing: Missing::No,
        ..asked
    })
}

fn existence(path: &Expression, operator: FieldOperator) -> Option<Form> {
    Some(Form::Leaf(Leaf {
        field: FieldPath::of(path)?,
        operator,
        operands: Vec::new(),
        previous: None,
        missing: Missing::No,
    }))
}

/// A question without a guard: where the field is missing, it is an error.
fn leaf(question: &Expression) -> Option<Leaf> {
    let (field, operator, operands) = match question {
        Expression::Compare(comparison, left, right) => compared(*comparison, left, right)?,
        Expression::In(left, right) => {
            if let Expression::List(entries) = &**right {
                (FieldPath::of(left)?, FieldOperator::In, listed(entries)?)
            } else {
                let entry = operand(left)?;
                (FieldPath::of(right)?, FieldOperator::Includes, vec![entry])
            }
        }
        Expression::Not(inner) => match &**inner {
            Expression::In(..) => {
                let asked = leaf(inner)?;
                let negated = asked.operator == FieldOperator::In;
                return negated.then_some(Leaf {
                    operator: FieldOperator::NotIn,
                    ..asked
                });
            }
            _ => return None,
        },
        Expression::Call(function, arguments) => {
            let operator = FieldOperator::of_function(*function)?;
            let [text, part] = arguments.as_slice() else {
                return None;
            };
            (FieldPath::of(text)?, operator, vec![operand(part)?])
        }
        _ => return None,
    };
    let fits = operands.iter().all(|operand| operator.takes(operand))
        && (!field.is_time() || matches!(operator, FieldOperator::Before | FieldOperator::After));
    fits.then_some(Leaf {
        field,
        operator,
        operands,
        previous: None,
        missing: Missing::Error,
    })
}

fn listed(entries: &[Expression]) -> Option<Vec<Operand>> {
    let fits = (1..=ENTRIES_MAX).contains(&entries.len());
    fits.then(|| entries.iter().map(operand).collect())?
}

type Asked = (FieldPath, FieldOperator, Vec<Operand>);

fn compared(comparison: Comparison, left: &Expression, right: &Expression) -> Option<Asked> {
    if let Some(asked) = at_time(comparison, left, right) {
        return Some(asked);
    }
    if let Some(asked) = at_time(comparison.mirrored(), right, left) {
        return Some(asked);
    }
    let (field, comparison, value) = match FieldPath::of(left) {
        Some(field) => (field, comparison, right),
        None => (FieldPath::of(right)?, comparison.mirrored(), left),
    };
    let operator = FieldOperator::of_comparison(comparison);
    Some((field, operator, vec![operand(value)?]))
}

/// A comparison with a time.
fn at_time(comparison: Comparison, asked: &Expression, time: &Expression) -> Option<Asked> {
    let operator = match comparison {
        Comparison::Less => FieldOperator::Before,
        Comparison::Greater => FieldOperator::After,
        _ => return None,
    };
    let field = match asked {
        Expression::Call(Function::Timestamp, arguments) => {
            let field = FieldPath::of(arguments.first()?)?;
            (!field.is_time()).then_some(field)?
        }
        root => FieldPath::of(root).filter(FieldPath::is_time)?,
    };
    let time = match time {
        Expression::Literal(Value::Time(_)) => time,
        Expression::Call(Function::Timestamp, arguments) => match arguments.first()? {
            known @ Expression::Known(..) => known,
            _ => return None,
        },
        _ => return None,
    };
    Some((field, operator, vec![operand(time)?]))
}

fn operand(expression: &Expression) -> Option<Operand> {
    let value = match expression {
        Expression::Known(name, _) => return Some(Operand::Variable(name.clone())),
        Expression::Literal(value) => value,
        _ => return None,
    };
    Some(match value {
        Value::Null => Operand::Null,
        Value::Bool(value) => Operand::Bool(*value),
        Value::Int(number) => Operand::Int(*number),
        Value::Double(number) => Operand::Double(*number),
        Value::Text(text) => Operand::Text(text.as_ref().to_owned()),
        Value::Time(time) => Operand::Time(*time),
        _ => return None,
    })
}
