//! Conditions: a question in CEL about one event, checked when it is saved, answered with the
//! values that decided.
//!
//! # The language
//! `docs/conditions.md` tells it to authors, with examples. A condition asks about `event.id`,
//! `event.type`, `event.timestamp` (a time), `event.source`, `event.cloudevent` (its attributes, if it was
//! one) and `event.data` (the payload), and knows the account's plain variables as `vars.name`, with:
//! - `== != < <= > >=`, `in`, `&& || !`, `? :`, `+ - * / %`, fields, `["field"]`, `[index]`;
//! - `has(event.data.amount)`: whether the field is there, `null` or not;
//! - `list.all(x, …)`, `.exists`, `.exists_one`, `.filter`, `.map`: over at most 1000 entries, not
//!   one within another;
//! - `size(x)`, `text.contains(…)`, `.startsWith`, `.endsWith`, `.lowerAscii()`, `int`, `double`,
//!   `string`, `timestamp("2026-01-31T10:00:00Z")`, `duration("1h30m")`, and of a time
//!   `.getFullYear .getMonth .getDate .getDayOfWeek .getHours .getMinutes`, each with an IANA time
//!   zone in brackets or in UTC.
//!
//! # What it guarantees
//! - **An error is never a "no".** A field that is missing, a kind that can't be compared, a
//!   payload that is not JSON: [`Answer::Error`] with a sentence.
//! - **Bounded.** At most 4 KiB of text, a bounded depth, and a bounded number of steps for each
//!   evaluation, counted and not timed (see `fault`): the answer does not depend on the machine.
//! - **Pure.** The same event gives the same answer; the payload is read once per
//!   [`EventView`], and only if a condition asks for it.
//!
//! # Two spellings
//! Authors who don't write CEL say a [`Form`], which is another spelling of the same. [`schema`] compares
//! what a condition asks for with the JSON Schema of an event type.
//!
//! # Why not the crate's own interpreter
//! Parsing is the `cel` crate's, evaluation is not. Its interpreter has no budget, and none can
//! be put around it: comparing a number with an object clones the object into the error, `all()`
//! goes on after an error, `==` and `in` walk whole payloads, so that one short condition on
//! 256 KiB runs for seconds. It copies the payload into its own values first, and its errors don't
//! say which field they are about. The tests hold this evaluation to its answers.

mod arithmetic;
mod check;
mod cost;
mod error;
mod evaluation;
mod explain;
mod expression;
mod fault;
mod form;
mod formula;
mod function;
mod json;
mod loops;
mod mapping;
mod names;
mod nesting;
mod parse;
mod schema;
#[cfg(test)]
mod tests;
mod value;
mod variables;
mod view;
mod weight;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use evaluation::Evaluation;
use explain::{Truth, sentence};
use expression::Expression;
use fault::Fault;

pub use error::{ConditionError, Position};
pub use form::{Error as FormError, Form, Leaf};
pub use formula::{Formula, FormulaError, Gives};
pub use mapping::{Mapped, Mapping, MappingError};
pub use schema::{ConditionWarning, WarningKind, check as check_against_schemas};
pub use variables::Variables;
pub use view::{EventView, RequestView};

/// Whether a name can be a variable's: `vars.name` is read as one.
pub fn is_variable_name(name: &str) -> bool {
    form::is_plain(name)
}

/// A checked condition. Cheap to share between threads; holds no event.
#[derive(Debug, Clone)]
pub struct Condition {
    source: Box<str>,
    expression: Expression,
    asked: Arc<Variables>,
}

/// What a condition says of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum Answer {
    /// Yes.
    True,
    /// No.
    False,
    /// It cannot be said.
    Error {
        /// One sentence that says why not.
        message: String,
    },
}

/// An answer with its way, for traces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The same answer that [`Condition::evaluate`] gives.
    #[serde(flatten)]
    pub answer: Answer,
    /// One sentence, for a yes too.
    pub summary: String,
    /// The parts of the outermost `&&` or `||`, or the condition as a whole, in order.
    pub clauses: Vec<Clause>,
}

/// One part of a condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// The part, in its normal form.
    pub text: String,
    /// What it came to.
    pub value: ClauseValue,
    /// One sentence with the values that decided; empty if it was not looked at.
    pub why: String,
}

/// What a part of a condition came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClauseValue {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be said.
    Error,
    /// Not looked at: a part before it decided.
    Skipped,
}

impl Condition {
    /// Checks `source` as it is saved: everything that can be known to be wrong without an event
    /// is refused here, with its place.
    /// Knows no variables.
    pub fn parse(source: &str) -> Result<Self, ConditionError> {
        Self::parse_with(source, &Variables::default())
    }

    /// The same with these variables: what they stand for now, they stand for in each evaluation.
    pub fn parse_with(source: &str, variables: &Variables) -> Result<Self, ConditionError> {
        let expression = check::check(source, variables)?;
        let mut asked = Variables::default();
        expression.visit(&mut |node| {
            if let Expression::Known(name, value) = node {
                asked.add(name, value.clone());
            }
        });
        Ok(Self {
            source: source.into(),
            expression,
            asked: asked.into(),
        })
    }

    /// The same in the one normal spelling of CEL.
    pub fn normal(&self) -> String {
        self.expression.to_string()
    }

    /// The text, as its author wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The variables that it asks for, and what they stand for in each evaluation.
    pub fn variables(&self) -> &Arc<Variables> {
        &self.asked
    }

    /// Most steps that [`evaluate`](Self::evaluate) takes on a payload of this size, about; a step takes about
    /// 20 ns.
    pub fn steps_max(&self, payload_bytes: usize) -> usize {
        weight::steps_max(&self.expression, payload_bytes)
    }

    /// Whether the event of `view` meets the condition.
    pub fn evaluate(&self, view: &EventView<'_>) -> Answer {
        match Evaluation::new(view).decide(&self.expression) {
            Ok(true) => Answer::True,
            Ok(false) => Answer::False,
            Err(fault) => Answer::Error {
                message: fault.into_sentence(),
            },
        }
    }

    /// The answer with every part of the condition and what it came to. Each part is looked at once; the
    /// sentences about them all have the steps of half an evaluation, and where those are used up a
    /// sentence only says what the part came to.
    pub fn explain(&self, view: &EventView<'_>) -> Explanation {
        let (kind, parts) = parts(&self.expression);
        let mut evaluation = Evaluation::new(view);
        if kind != Kind::Single {
            // As for the answer alone: at the beginning there are enough.
            let _enough = evaluation.steps.charge(1);
        }
        let mut telling = Evaluation::telling(view);
        let mut clauses: Vec<Clause> = Vec::with_capacity(parts.len());
        let (mut decided, mut pending) = (None, None);
        for (no, part) in parts.iter().enumerate() {
            let (value, why) = if decided.is_some() {
                (ClauseValue::Skipped, String::new())
            } else {
                match evaluation.decide(part) {
                    Ok(value) => {
                        let truth = Truth::from(value);
                        decided = kind.is_decided_by(truth).then_some(no);
                        (
                            ClauseValue::from(truth),
                            sentence(&mut telling, part, truth),
                        )
                    }
                    Err(fault) => {
                        // Nothing makes up for steps that are used up.
                        decided = matches!(fault, Fault::Spent).then_some(no);
                        let said = fault.into_sentence();
                        pending = pending.or_else(|| Some(said.clone()));
                        (ClauseValue::Error, said)
                    }
                }
            };
            clauses.push(Clause {
                text: part.to_string(),
                value,
                why,
            });
        }
        let deciding = decided.map(|no| &clauses[no]);
        let (answer, summary) = kind.answer(deciding, pending, &clauses);
        Explanation {
            answer,
            summary,
            clauses,
        }
    }
}

/// The parts that a condition is told in, and how they make its answer.
fn parts(expression: &Expression) -> (Kind, &[Expression]) {
    match expression {
        Expression::All(parts) => (Kind::All, parts),
        Expression::Any(parts) => (Kind::Any, parts),
        whole => (Kind::Single, std::slice::from_ref(whole)),
    }
}

/// How the parts of a condition make its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    All,
    Any,
    Single,
}

impl Kind {
    /// Whether a part with this value makes the others unimportant.
    fn is_decided_by(self, value: Truth) -> bool {
        match self {
            Self::All => value == Truth::False,
            Self::Any => value == Truth::True,
            Self::Single => true,
        }
    }

    /// The answer and its sentence, from the part that has decided, the first that can't be said, and all.
    fn answer(
        self,
        deciding: Option<&Clause>,
        pending: Option<String>,
        clauses: &[Clause],
    ) -> (Answer, String) {
        let (value, summary) = match (deciding, pending) {
            (Some(clause), _) => (clause.value, clause.why.clone()),
            (None, Some(message)) => (ClauseValue::Error, message),
            (None, None) => {
                let sentences = clauses.iter().map(|clause| clause.why.as_str());
                if self == Self::Any {
                    (ClauseValue::False, explain::none_holds(sentences))
                } else {
                    (ClauseValue::True, explain::each_holds(sentences))
                }
            }
        };
        let answer = match value {
            ClauseValue::True | ClauseValue::Skipped => Answer::True,
            ClauseValue::False => Answer::False,
            ClauseValue::Error => Answer::Error {
                message: summary.clone(),
            },
        };
        (answer, summary)
    }
}

impl From<Truth> for ClauseValue {
    fn from(truth: Truth) -> Self {
        match truth {
            Truth::True => Self::True,
            Truth::False => Self::False,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}
