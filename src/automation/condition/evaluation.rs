//! What an expression is worth for an event.
//!
//! Meaning is CEL's, with these differences, each made because the values come from JSON, where
//! `900` and `900.0` are one number and a field may simply not be there:
//! - arithmetic between a whole number and a double gives a double, where CEL has an error;
//! - `has(event.data.a.b)` is false also when `event.data.a` is missing, null or no object, where
//!   CEL has an error;
//! - comparisons between whole numbers and doubles are exact.
//!
//! As in CEL, `&&`, `||`, `all` and `exists` answer in spite of an error in one of their parts if
//! another part decides; what nothing decides is an error. Recursion is as deep as the checked
//! expression, which is bounded; work is bounded by [`Steps`].

use std::borrow::Cow;
use std::cmp::Ordering;

use super::expression::{Comparison, Expression, LoopKind, Operator, Root};
use super::fault::{Fault, Steps};
use super::json;
use super::value::{self, Value, said, said_with_kind};
use super::view::{EventView, Seen};

/// Steps that making the sentence of an error costs.
pub(super) const FAULT_STEPS: usize = 20;

/// One evaluation.
pub(super) struct Evaluation<'v, 'a> {
    seen: Seen<'v, 'a>,
    pub(super) steps: Steps,
    /// What the variable of the loop under way stands for.
    pub(super) variable: Value<'v>,
}

impl<'v, 'a: 'v> Evaluation<'v, 'a> {
    pub(super) fn new(seen: impl Into<Seen<'v, 'a>>) -> Self {
        Self {
            seen: seen.into(),
            steps: Steps::new(),
            variable: Value::Null,
        }
    }

    /// One that only looks at values again, for sentences.
    pub(super) fn telling(view: &'v EventView<'a>) -> Self {
        Self {
            steps: Steps::of_telling(),
            ..Self::new(view)
        }
    }

    /// What `expression` is worth, if it is worth true or false.
    pub(super) fn decide(&mut self, expression: &'v Expression) -> Result<bool, Fault> {
        match self.value(expression)? {
            Value::Bool(value) => Ok(value),
            other => self.fault(|| {
                format!(
                    "`{expression}` is {}, needs to be true or false",
                    said_with_kind(&other)
                )
            }),
        }
    }

    /// What `expression` is worth.
    pub(super) fn value(&mut self, expression: &'v Expression) -> Result<Value<'v>, Fault> {
        self.steps.charge(1)?;
        match expression {
            Expression::Literal(Value::Text(text)) | Expression::Known(_, Value::Text(text)) => {
                Ok(Value::Text(Cow::Borrowed(text)))
            }
            Expression::Literal(value) | Expression::Known(_, value) => Ok(value.clone()),
            Expression::Variable(_) => {
                self.steps.charge_bytes(self.variable.bytes_to_copy())?;
                Ok(self.variable.clone())
            }
            Expression::Root(root) => match self.root(*root)? {
                Some(value) => Ok(value),
                None => self.fault(|| missing(expression)),
            },
            Expression::Field(of, name) => {
                let value = self.value(of)?;
                self.field(expression, &value, name)
            }
            Expression::Index(of, index) => {
                let (value, index) = (self.value(of)?, self.value(index)?);
                match (&value, &index) {
                    (Value::Object(_), Value::Text(name)) => self.field(expression, &value, name),
                    _ => self.entry(expression, &value, &index),
                }
            }
            Expression::Has(path) => Ok(Value::Bool(self.find(path)?.is_some())),
            Expression::Not(inner) => Ok(Value::Bool(!self.decide(inner)?)),
            Expression::Negate(inner) => self.negate(inner),
            Expression::All(parts) => self.fold(LoopKind::All, parts).map(Value::Bool),
            Expression::Any(parts) => self.fold(LoopKind::Exists, parts).map(Value::Bool),
            Expression::Compare(comparison, left, right) => {
                let (left_value, right_value) = (self.value(left)?, self.value(right)?);
                self.compare(*comparison, (left, &left_value), (right, &right_value))
                    .map(Value::Bool)
            }
            Expression::In(left, right) => self.is_in(left, right).map(Value::Bool),
            Expression::Arithmetic(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.calculate(*operator, &left, &right)
            }
            Expression::Either {
                test,
                then,
                otherwise,
            } => {
                if self.decide(test)? {
                    self.value(then)
                } else {
                    self.value(otherwise)
                }
            }
            Expression::Call(function, arguments) => {
                let arguments = self.values(arguments)?;
                function.call(&arguments, &mut self.steps)
            }
            Expression::Loop(each) => self.each(each),
            Expression::List(parts) => Ok(Value::Made(self.values(parts)?.into())),
        }
    }

    pub(super) fn fault<T>(&mut self, sentence: impl FnOnce() -> String) -> Result<T, Fault> {
        self.steps.charge(FAULT_STEPS)?;
        Err(Fault::said(sentence()))
    }

    fn values(&mut self, expressions: &'v [Expression]) -> Result<Vec<Value<'v>>, Fault> {
        expressions
            .iter()
            .map(|expression| self.value(expression))
            .collect()
    }

    fn root(&mut self, root: Root) -> Result<Option<Value<'v>>, Fault> {
        self.steps.charge(root.steps())?;
        match self.seen.root(root) {
            Ok(value) => Ok(value),
            Err(sentence) => self.fault(|| sentence),
        }
    }

    fn field(
        &mut self,
        path: &'v Expression,
        value: &Value<'v>,
        name: &str,
    ) -> Result<Value<'v>, Fault> {
        if let Value::Object(entries) = value {
            return match json::look_up(entries, name) {
                Some(found) => Ok(found.into()),
                None => self.fault(|| missing(path)),
            };
        }
        let (Expression::Field(of, _) | Expression::Index(of, _)) = path else {
            return self.fault(|| missing(path));
        };
        self.fault(|| {
            format!(
                "`{of}` is {}, so there is no `{path}`",
                said_with_kind(value)
            )
        })
    }

    fn entry(
        &mut self,
        path: &'v Expression,
        value: &Value<'v>,
        index: &Value<'v>,
    ) -> Result<Value<'v>, Fault> {
        if let (Some(list), Value::Int(no)) = (value.as_list(), index)
            && let Some(entry) = usize::try_from(*no).ok().and_then(|no| list.get(no))
        {
            return Ok(entry);
        }
        self.fault(|| match path {
            Expression::Index(of, _) => {
                format!(
                    "`{of}` is {}, so there is no `{path}` ({})",
                    said_with_kind(value),
                    said(index)
                )
            }
            _ => missing(path),
        })
    }

    /// The value at the end of `path`, `None` if any part of the way there is missing.
    pub(super) fn find(&mut self, path: &'v Expression) -> Result<Option<Value<'v>>, Fault> {
        self.steps.charge(1)?;
        let (of, index) = match path {
            Expression::Root(root) => return self.root(*root),
            Expression::Field(of, name) => (of, Value::Text(Cow::Borrowed(name))),
            Expression::Index(of, index) => (of, self.value(index)?),
            other => return self.value(other).map(Some),
        };
        let Some(value) = self.find(of)? else {
            return Ok(None);
        };
        Ok(match (&value, &index) {
            (Value::Object(entries), Value::Text(name)) => {
                json::look_up(entries, name).map(Value::from)
            }
            (_, Value::Int(no)) => value
                .as_list()
                .and_then(|list| usize::try_from(*no).ok().and_then(|no| list.get(no))),
            _ => None,
        })
    }

    /// `&&` (`All`) and `||` (`Exists`): the first part that decides; else the first fault, if any.
    fn fold(&mut self, kind: LoopKind, parts: &'v [Expression]) -> Result<bool, Fault> {
        let neutral = kind == LoopKind::All;
        let mut pending = None;
        for part in parts {
            match self.decide(part) {
                Ok(value) if value != neutral => return Ok(value),
                Ok(_) => {}
                Err(Fault::Spent) => return Err(Fault::Spent),
                Err(fault) => pending = pending.or(Some(fault)),
            }
        }
        pending.map_or(Ok(neutral), Err)
    }

    /// Whether the comparison of two sides, each with its value, holds.
    pub(super) fn compare(
        &mut self,
        comparison: Comparison,
        left: (&'v Expression, &Value<'v>),
        right: (&'v Expression, &Value<'v>),
    ) -> Result<bool, Fault> {
        if matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
            let equal = value::equal(left.1, right.1, &mut self.steps)?;
            return Ok(equal == (comparison == Comparison::Equal));
        }
        let Some(ordering) = value::order(left.1, right.1, &mut self.steps)? else {
            let (subject, object) = if matches!(left.0, Expression::Literal(_)) {
                (right, left)
            } else {
                (left, right)
            };
            return self.fault(|| {
                format!(
                    "`{}` is {}, which can't be compared with {}",
                    subject.0,
                    said_with_kind(subject.1),
                    said_with_kind(object.1)
                )
            });
        };
        Ok(match comparison {
            Comparison::Less => ordering == Ordering::Less,
            Comparison::AtMost => ordering != Ordering::Greater,
            Comparison::Greater => ordering == Ordering::Greater,
            Comparison::AtLeast => ordering != Ordering::Less,
            Comparison::Equal | Comparison::NotEqual => false,
        })
    }

    fn is_in(&mut self, left: &'v Expression, right: &'v Expression) -> Result<bool, Fault> {
        let wanted = self.value(left)?;
        if let Expression::List(parts) = right {
            // The usual case, without making the list.
            for part in parts {
                let entry = self.value(part)?;
                if value::equal(&wanted, &entry, &mut self.steps)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        let container = self.value(right)?;
        if let Some(list) = container.as_list() {
            for entry in (0..list.len()).filter_map(|no| list.get(no)) {
                self.steps.charge_bytes(entry.bytes_to_copy())?;
                if value::equal(&wanted, &entry, &mut self.steps)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        match (&container, &wanted) {
            (Value::Object(entries), Value::Text(name)) => {
                Ok(json::look_up(entries, name).is_some())
            }
            (
                Value::Object(_),
                Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_),
            ) => Ok(false),
            (Value::Object(_), _) => self.fault(|| {
                format!(
                    "`{left}` is {}, which is no key of an object",
                    said_with_kind(&wanted)
                )
            }),
            _ => self.fault(|| {
                format!(
                    "`{right}` is {}, needs to be a list or an object for `in`",
                    said_with_kind(&container)
                )
            }),
        }
    }

    fn negate(&mut self, inner: &'v Expression) -> Result<Value<'v>, Fault> {
        match self.value(inner)? {
            Value::Int(number) if number != i64::MIN => Ok(Value::Int(-number)),
            Value::Double(number) => Ok(Value::Double(-number)),
            other => self.fault(|| {
                format!(
                    "`{inner}` is {}, which has no negative",
                    said_with_kind(&other)
                )
            }),
        }
    }

    fn calculate(
        &mut self,
        operator: Operator,
        left: &Value<'v>,
        right: &Value<'v>,
    ) -> Result<Value<'v>, Fault> {
        if let (Value::Text(a), Value::Text(b), Operator::Add) = (left, right, operator) {
            self.steps.charge_bytes(2 * (a.len() + b.len()))?;
            return Ok(Value::Text(format!("{a}{b}").into()));
        }
        match super::arithmetic::calculate(operator, left, right) {
            Some(value) => Ok(value),
            None => self.fault(|| {
                format!(
                    "{} {} {} has no result of 64 bits",
                    said_with_kind(left),
                    operator.as_str(),
                    said_with_kind(right)
                )
            }),
        }
    }
}

fn missing(path: &Expression) -> String {
    match path {
        Expression::Field(..) | Expression::Index(..) => {
            format!("`{path}` is missing: where it may be, ask has({path}) first")
        }
        other => format!("`{other}` is missing"),
    }
}
