//! Conditions as a form, for authors who don't write CEL: groups (`all`, `any`, `not`) and leaves, each
//! with a field, an operator and a value.
//!
//! A form is another spelling of CEL and nothing else: [`Form::cel`] says it in CEL, [`Form::of`] finds
//! the form that a condition could have been said as, if there is one. Both ways the meaning stays the
//! same, and a form that goes there and back is the same form.
//!
//! What a leaf says where its field is missing is part of it: by default it does not hold (`not_equals`
//! and `not_in` do), which CEL says with `has(…)`; `"missing": "error"` leaves that out, and asks as
//! `event.data.amount > 1000` does.
//!
//! Forms are kept in one normal form, which means the same: a group within a group of the same kind is a
//! part of that, a group of one is that one, and `not` of `exists` is `not_exists` (see `normal`).

mod field;
mod normal;
mod operator;
mod read;
mod shape;
mod spell;
#[cfg(test)]
mod tests;

use super::Condition;

pub use field::FieldPath;
pub(super) use field::is_plain;
pub use operator::{FieldOperator, Missing};

/// Most members of one group.
const MEMBERS_MAX: usize = 1000;
/// Most entries of the list of `in`.
const ENTRIES_MAX: usize = 1000;
/// How much of what was said wrong is shown again.
const SHOWN_CHARS_MAX: usize = 80;

/// A condition as a form, in its normal form.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// All of them hold.
    All(Vec<Form>),
    /// One of them holds at least.
    Any(Vec<Form>),
    /// It does not hold.
    Not(Box<Form>),
    /// A question about one field.
    Leaf(Leaf),
}

/// A question about one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    field: FieldPath,
    operator: FieldOperator,
    /// One, or as many as there are in a list, or none.
    operands: Vec<Operand>,
    /// Of `changed_to`: where the payload has what the field was before.
    previous: Option<FieldPath>,
    missing: Missing,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Time(jiff::Timestamp),
    /// A variable of the account.
    Variable(String),
}

/// Why something is no form. The place is told by whoever reads it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither a group nor a leaf, or both.
    #[error(
        "a condition is a group, {{\"all\":[…]}}, {{\"any\":[…]}} or {{\"not\":…}}, or a leaf, \
         {{\"field\":…,\"operator\":…,\"value\":…}}: give one of these"
    )]
    Kind,
    /// A group without members, or with too many.
    #[error("a group has 1 to {MEMBERS_MAX} members: this one has {0}")]
    Members(usize),
    /// No field.
    #[error("a leaf names its field: add field, such as data.amount")]
    NoField,
    /// No operator.
    #[error("a leaf says what it asks: add operator, such as equals")]
    NoOperator,
    /// Not the way to a field.
    #[error(
        "'{0}' is not a field: write data.amount, data.lines[0].sku, data[\"a.b\"] or cloudevent.subject, or one \
         of id, type, timestamp, source"
    )]
    Field(String),
    /// Not an operator.
    #[error("there is no operator '{0}': there are {all}", all = FieldOperator::words())]
    Operator(String),
    /// A value that the operator does not take.
    #[error("{operator} takes {takes}")]
    Value {
        /// Which operator.
        operator: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// The time of the event, compared as if it were none.
    #[error("timestamp is a time: compare it with before or after")]
    Time,
    /// What changed, outside the payload.
    #[error("changed_to compares fields of the payload: name one below data")]
    Changed,
    /// Said of an operator that has no use for it.
    #[error("{operator} has no {what}: leave it out")]
    Unused {
        /// What was said.
        what: &'static str,
        /// Which operator.
        operator: &'static str,
    },
}

impl Form {
    /// The same in CEL.
    pub fn cel(&self) -> String {
        spell::expression(self).to_string()
    }

    /// The form that means what the condition means; `None` if no form does.
    pub fn of(condition: &Condition) -> Option<Self> {
        read::form(&condition.expression).map(normal::form)
    }

    /// Its leaves in their order, each with its JSON pointer.
    pub fn leaves(&self) -> Vec<(String, &Leaf)> {
        let mut found = Vec::new();
        self.gather(String::new(), &mut found);
        found
    }

    fn gather<'f>(&'f self, at: String, found: &mut Vec<(String, &'f Leaf)>) {
        match self {
            Self::Leaf(leaf) => found.push((at, leaf)),
            Self::Not(inner) => inner.gather(format!("{at}/not"), found),
            Self::All(parts) | Self::Any(parts) => {
                let kind = if matches!(self, Self::All(_)) {
                    "all"
                } else {
                    "any"
                };
                for (place, part) in parts.iter().enumerate() {
                    part.gather(format!("{at}/{kind}/{place}"), found);
                }
            }
        }
    }
}

impl Leaf {
    /// The same in CEL.
    pub fn cel(&self) -> String {
        spell::leaf(self).to_string()
    }

    /// Which field it asks about.
    pub fn field(&self) -> &FieldPath {
        &self.field
    }
}
