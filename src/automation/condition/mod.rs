//! Conditions: a question in CEL about one event, checked when it is saved, answered with the
//! values that decided.
//!
//! # The language
//! `docs/conditions.md` tells it to authors, with examples. A condition asks about `event.id`,
//! `event.type`, `event.timestamp` (a time), `event.source` and `event.data` (the payload), with:
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
mod formula;
mod function;
#[cfg(test)]
mod guide;
mod json;
mod loops;
mod nesting;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;
mod value;
mod view;
mod weight;

use std::fmt;

use serde::Serialize;

use evaluation::Evaluation;
use explain::{Truth, sentence};
use expression::Expression;

pub use error::{ConditionError, Position};
pub use formula::{Formula, FormulaError, Gives};
pub use view::EventView;

/// A checked condition. Cheap to share between threads; holds no event.
#[derive(Debug, Clone)]
pub struct Condition {
    source: Box<str>,
    expression: Expression,
}

/// What a condition says of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum Answer {
    /// Yes.
    True,
    /// No.
    False {
        /// One sentence with the values that decided.
        why: String,
    },
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
    pub fn parse(source: &str) -> Result<Self, ConditionError> {
        let expression = check::check(source)?;
        Ok(Self {
            source: source.into(),
            expression,
        })
    }

    /// The text, as its author wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Most steps of an evaluation that [`explain`](Self::explain) takes on a payload of this size, about;
    /// a step takes about 20 ns.
    pub fn steps_max(&self, payload_bytes: usize) -> usize {
        // Evaluated once for the answer, and by and by three times more for the sentences.
        4 * weight::steps_max(&self.expression, payload_bytes)
    }

    /// Whether the event of `view` meets the condition.
    pub fn evaluate(&self, view: &EventView<'_>) -> Answer {
        match Evaluation::new(view).decide(&self.expression) {
            Ok(true) => Answer::True,
            Ok(false) => Answer::False {
                why: self.say(view, Truth::False),
            },
            Err(fault) => Answer::Error {
                message: fault.into_sentence(),
            },
        }
    }

    /// The answer with every part of the condition and what it came to.
    pub fn explain(&self, view: &EventView<'_>) -> Explanation {
        let answer = self.evaluate(view);
        let summary = match &answer {
            Answer::True => self.say(view, Truth::True),
            Answer::False { why } => why.clone(),
            Answer::Error { message } => message.clone(),
        };
        Explanation {
            answer,
            summary,
            clauses: self.clauses(view),
        }
    }

    fn say(&self, view: &EventView<'_>, value: Truth) -> String {
        sentence(&mut Evaluation::new(view), &self.expression, value)
    }

    fn clauses(&self, view: &EventView<'_>) -> Vec<Clause> {
        let (parts, deciding) = match &self.expression {
            Expression::All(parts) => (parts.as_slice(), Some(false)),
            Expression::Any(parts) => (parts.as_slice(), Some(true)),
            whole => (std::slice::from_ref(whole), None),
        };
        let mut evaluation = Evaluation::new(view);
        let mut decided = false;
        let mut clauses = Vec::with_capacity(parts.len());
        for part in parts {
            let (value, why) = if decided {
                (ClauseValue::Skipped, String::new())
            } else {
                match evaluation.decide(part) {
                    Ok(value) => {
                        decided = deciding == Some(value);
                        let truth = Truth::from(value);
                        let why = sentence(&mut Evaluation::new(view), part, truth);
                        (
                            if value {
                                ClauseValue::True
                            } else {
                                ClauseValue::False
                            },
                            why,
                        )
                    }
                    Err(fault) => (ClauseValue::Error, fault.into_sentence()),
                }
            };
            clauses.push(Clause {
                text: part.to_string(),
                value,
                why,
            });
        }
        clauses
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}
