//! The normal form of a form: what CEL does not tell apart is said in one way.

use super::{FieldOperator, Form, Leaf, Missing};

/// The same, said in the one way.
pub(super) fn form(said: Form) -> Form {
    match said {
        Form::All(parts) => group(parts, Missing::No),
        Form::Any(parts) => group(parts, Missing::Yes),
        Form::Not(inner) => negated(form(*inner)),
        Form::Leaf(asked) => Form::Leaf(leaf(asked)),
    }
}

fn leaf(mut leaf: Leaf) -> Leaf {
    // Of what is always there nothing is said about its being missing.
    if leaf.operator.is_settled() || !leaf.field.may_be_missing() {
        leaf.missing = leaf.operator.missing();
    }
    if leaf.previous.as_ref() == Some(&leaf.field.previous()) {
        leaf.previous = None;
    }
    leaf
}

/// Members of `all` (`No`) or of `any` (`Yes`).
fn group(parts: Vec<Form>, missing: Missing) -> Form {
    let mut members: Vec<Form> = Vec::with_capacity(parts.len());
    for part in parts {
        match (form(part), missing) {
            (Form::All(parts), Missing::No) | (Form::Any(parts), Missing::Yes) => {
                for part in parts {
                    push(&mut members, part, missing);
                }
            }
            (other, _) => push(&mut members, other, missing),
        }
    }
    match (members.len(), missing) {
        (1, _) => members.remove(0),
        (_, Missing::Yes) => Form::Any(members),
        _ => Form::All(members),
    }
}

/// That a field is there, and then a question about it that takes that for granted, is one question: CEL
/// says it so.
fn push(members: &mut Vec<Form>, next: Form, missing: Missing) {
    let guard = if missing == Missing::No {
        FieldOperator::Exists
    } else {
        FieldOperator::NotExists
    };
    if let (Some(Form::Leaf(before)), Form::Leaf(asked)) = (members.last(), &next)
        && before.operator == guard
        && asked.missing == Missing::Error
        && asked.field == before.field
    {
        members.pop();
        members.push(Form::Leaf(Leaf {
            missing,
            ..asked.clone()
        }));
        return;
    }
    members.push(next);
}

fn negated(inner: Form) -> Form {
    let opposite = |leaf: &Leaf| match leaf.operator {
        FieldOperator::Exists => Some((FieldOperator::NotExists, Missing::No)),
        FieldOperator::NotExists => Some((FieldOperator::Exists, Missing::No)),
        FieldOperator::In if is_bare(leaf) => Some((FieldOperator::NotIn, leaf.missing)),
        FieldOperator::NotIn if is_bare(leaf) => Some((FieldOperator::In, leaf.missing)),
        _ => None,
    };
    match inner {
        Form::Not(twice) => *twice,
        Form::Leaf(asked) => match opposite(&asked) {
            Some((operator, missing)) => Form::Leaf(leaf(Leaf {
                operator,
                missing,
                ..asked
            })),
            None => Form::Not(Box::new(Form::Leaf(asked))),
        },
        other => Form::Not(Box::new(other)),
    }
}

/// Whether CEL says it without asking first whether the field is there.
fn is_bare(leaf: &Leaf) -> bool {
    leaf.missing == Missing::Error || !leaf.field.may_be_missing()
}
