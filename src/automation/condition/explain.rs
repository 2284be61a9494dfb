//! An answer in words: which values decided, and what would have been needed.
//!
//! A sentence is made by evaluating the parts it quotes again, so it can't say anything that the
//! evaluation did not see. What is false says what it "needs"; what is true says what it is.

use super::evaluation::Evaluation;
use super::expression::{Comparison, Expression};
use super::function::Function;
use super::value::{Value, said, shortened};

/// What stands between parts that all hold.
const AND: &str = " and ";
/// Most parts that one sentence lists.
const PARTS_SAID_MAX: usize = 8;

/// Why `expression` has the given `value`, which it must have for this event.
pub(super) fn sentence<'v>(
    evaluation: &mut Evaluation<'v, '_>,
    expression: &'v Expression,
    value: Truth,
) -> String {
    match (expression, value) {
        (Expression::All(parts), Truth::False) | (Expression::Any(parts), Truth::True) => {
            let deciding = parts.iter().find(|part| {
                evaluation
                    .decide(part)
                    .is_ok_and(|v| Truth::from(v) == value)
            });
            match deciding {
                Some(part) => sentence(evaluation, part, value),
                None => plain(expression, value),
            }
        }
        (Expression::All(parts), Truth::True) => {
            each_holds(said_of(evaluation, parts, value).iter().map(String::as_str))
        }
        (Expression::Any(parts), Truth::False) => {
            none_holds(said_of(evaluation, parts, value).iter().map(String::as_str))
        }
        (Expression::Not(inner), _) => negated(evaluation, inner, value),
        (Expression::Compare(comparison, left, right), _) => {
            compared(evaluation, (*comparison, left, right), value)
                .unwrap_or_else(|| plain(expression, value))
        }
        (Expression::In(left, right), _) => {
            contained(evaluation, left, right, value).unwrap_or_else(|| plain(expression, value))
        }
        (Expression::Has(path), Truth::True) => format!("`{path}` is there"),
        (Expression::Has(path), Truth::False) => format!("`{path}` is missing, needs to be there"),
        (Expression::Call(function, arguments), _) => {
            called(evaluation, *function, arguments, value)
                .unwrap_or_else(|| plain(expression, value))
        }
        _ => plain(expression, value),
    }
}

/// The values a question can have. Not a `bool`: it picks the words of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

impl Truth {
    fn opposite(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
        }
    }
}

fn plain(expression: &Expression, value: Truth) -> String {
    let text = expression.to_string();
    let text = shortened(&text);
    match value {
        Truth::True => format!("`{text}` is true"),
        Truth::False => format!("`{text}` is false, needs to be true"),
    }
}

/// A sentence about each part that one sentence lists, and none about the others.
fn said_of<'v>(
    evaluation: &mut Evaluation<'v, '_>,
    parts: &'v [Expression],
    value: Truth,
) -> Vec<String> {
    let parts = parts.iter().enumerate();
    parts
        .map(|(no, part)| {
            if no < PARTS_SAID_MAX {
                sentence(evaluation, part, value)
            } else {
                String::new()
            }
        })
        .collect()
}

/// That all parts hold, of each of which there is a sentence.
pub(super) fn each_holds<'s>(sentences: impl ExactSizeIterator<Item = &'s str>) -> String {
    joined(sentences, AND)
}

/// That no part holds.
pub(super) fn none_holds<'s>(sentences: impl ExactSizeIterator<Item = &'s str>) -> String {
    let count = sentences.len();
    let none = if count == 2 { "neither" } else { "none" };
    format!(
        "{none} of {count} alternatives holds: {}",
        joined(sentences, "; ")
    )
}

fn joined<'s>(mut sentences: impl ExactSizeIterator<Item = &'s str>, between: &str) -> String {
    let mut text = sentences.next().unwrap_or_default().to_owned();
    for sentence in sentences.by_ref().take(PARTS_SAID_MAX - 1) {
        text.push_str(between);
        text.push_str(sentence);
    }
    if sentences.len() > 0 {
        let and = if between == AND { "" } else { "and " };
        let more = format!("{between}{and}{} more", sentences.len());
        text.push_str(&more);
    }
    text
}

/// Why `!inner` has the `value`.
fn negated<'v>(evaluation: &mut Evaluation<'v, '_>, inner: &'v Expression, value: Truth) -> String {
    match (inner, value) {
        (Expression::Not(twice), _) => sentence(evaluation, twice, value),
        (Expression::Compare(comparison, left, right), _) => {
            compared(evaluation, (comparison.opposite(), left, right), value)
                .unwrap_or_else(|| plain(inner, value.opposite()))
        }
        (Expression::Has(path), Truth::True) => format!("`{path}` is missing"),
        (Expression::Has(path), Truth::False) => format!("`{path}` is there, must be missing"),
        (_, Truth::True) => {
            let text = inner.to_string();
            format!("`{}` is false", shortened(&text))
        }
        (_, Truth::False) => {
            format!(
                "{}, which must not be",
                sentence(evaluation, inner, Truth::True)
            )
        }
    }
}

fn compared<'v>(
    evaluation: &mut Evaluation<'v, '_>,
    (comparison, left, right): (Comparison, &'v Expression, &'v Expression),
    value: Truth,
) -> Option<String> {
    let (comparison, subject, object) = if matches!(left, Expression::Literal(_)) {
        (comparison.mirrored(), right, left)
    } else {
        (comparison, left, right)
    };
    let is = said(&evaluation.value(subject).ok()?);
    let object_value = said(&evaluation.value(object).ok()?);
    let wanted = match object {
        Expression::Literal(_) | Expression::List(_) => object_value,
        other => format!("`{other}` ({object_value})"),
    };
    Some(match (value, comparison) {
        (Truth::True, Comparison::Equal) if is == wanted => format!("`{subject}` is {is}"),
        (Truth::True, _) => format!("`{subject}` is {is}, {} {wanted}", words(comparison)),
        (Truth::False, Comparison::NotEqual) => {
            format!("`{subject}` is {is}, must not be {wanted}")
        }
        (Truth::False, Comparison::Equal) => {
            format!("`{subject}` is {is}, needs to be {wanted}")
        }
        (Truth::False, _) => format!("`{subject}` is {is}, needs {} {wanted}", words(comparison)),
    })
}

fn words(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "equal to",
        Comparison::NotEqual => "not",
        Comparison::Less => "less than",
        Comparison::AtMost => "at most",
        Comparison::Greater => "more than",
        Comparison::AtLeast => "at least",
    }
}

fn contained<'v>(
    evaluation: &mut Evaluation<'v, '_>,
    left: &'v Expression,
    right: &'v Expression,
    value: Truth,
) -> Option<String> {
    let entry = said(&evaluation.value(left).ok()?);
    let subject = match left {
        Expression::Literal(_) => entry,
        other => format!("`{other}` is {entry},"),
    };
    let text = right.to_string();
    let container = match right {
        Expression::List(_) => shortened(&text).into_owned(),
        other => format!("`{other}` ({})", said(&evaluation.value(other).ok()?)),
    };
    Some(match (value, left) {
        (Truth::True, Expression::Literal(_)) => format!("{subject} is in {container}"),
        (Truth::False, Expression::Literal(_)) => {
            format!("{subject} is not in {container}, needs to be")
        }
        (Truth::True, _) => format!("{subject} one of {container}"),
        (Truth::False, _) => format!("{subject} needs to be one of {container}"),
    })
}

fn called<'v>(
    evaluation: &mut Evaluation<'v, '_>,
    function: Function,
    arguments: &'v [Expression],
    value: Truth,
) -> Option<String> {
    let [subject, part] = arguments else {
        return None;
    };
    let (is, needs) = match function {
        Function::StartsWith => ("starts with", "to start with"),
        Function::EndsWith => ("ends with", "to end with"),
        Function::Contains => ("contains", "to contain"),
        _ => return None,
    };
    let whole = evaluation.value(subject).ok()?;
    let part = said(&evaluation.value(part).ok()?);
    let (Value::Text(_), shown) = (&whole, said(&whole)) else {
        return None;
    };
    Some(match value {
        Truth::True => format!("`{subject}` is {shown}, {is} {part}"),
        Truth::False => format!("`{subject}` is {shown}, needs {needs} {part}"),
    })
}
