//! What an expression can be worth while it is evaluated, how two values compare, and how a value
//! is said in a sentence.
//!
//! Numbers compare by what they are worth, exactly, whatever their kinds. A number with a
//! magnitude of 2^63 or more that is not a whole number of 64 bits has been rounded when it was
//! read, so "equal" cannot be told of it: that is a fault, never a guess.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use super::fault::{Fault, Steps};
use super::json::{Entry, Json};

/// From here on (2^63) doubles that were whole numbers in text may have been rounded.
const INEXACT_FROM: f64 = 9_223_372_036_854_775_808.0;
/// Longest excerpt of a value in a sentence.
const SHOWN_CHARS_MAX: usize = 80;

/// A value. `'v` is the life of the event and of the condition: nothing is copied out of them.
#[derive(Debug, Clone)]
pub(super) enum Value<'v> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Cow<'v, str>),
    Object(&'v [Entry<'v>]),
    /// A list of the payload.
    Given(&'v [Json<'v>]),
    /// A list that the condition made.
    Made(Arc<[Value<'v>]>),
    Time(jiff::Timestamp),
    Duration(jiff::SignedDuration),
}

impl<'v> From<&'v Json<'v>> for Value<'v> {
    fn from(json: &'v Json<'v>) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Int(number) => Self::Int(*number),
            Json::Uint(number) => Self::Uint(*number),
            Json::Double(number) => Self::Double(*number),
            Json::Text(text) => Self::Text(Cow::Borrowed(text)),
            Json::List(entries) => Self::Given(entries),
            Json::Object(entries) => Self::Object(entries),
        }
    }
}

impl<'v> Value<'v> {
    /// The entries of a list, else `None`.
    pub(super) fn as_list(&self) -> Option<ListView<'_, 'v>> {
        match self {
            Self::Given(entries) => Some(ListView::Given(entries)),
            Self::Made(entries) => Some(ListView::Made(entries)),
            _ => None,
        }
    }

    /// How many bytes a clone of it copies: texts that the condition itself put together are the
    /// only values that don't borrow.
    pub(super) fn bytes_to_copy(&self) -> usize {
        match self {
            Self::Text(Cow::Owned(text)) => text.len(),
            _ => 0,
        }
    }

    pub(super) fn is_negative(&self) -> bool {
        match self {
            Self::Int(number) => *number < 0,
            Self::Double(number) => *number < 0.0,
            _ => false,
        }
    }
}

/// The entries of either kind of list.
#[derive(Clone, Copy)]
pub(super) enum ListView<'r, 'v> {
    Given(&'v [Json<'v>]),
    Made(&'r [Value<'v>]),
}

impl<'v> ListView<'_, 'v> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Given(entries) => entries.len(),
            Self::Made(entries) => entries.len(),
        }
    }

    pub(super) fn get(&self, no: usize) -> Option<Value<'v>> {
        match self {
            Self::Given(entries) => entries.get(no).map(Value::from),
            Self::Made(entries) => entries.get(no).cloned(),
        }
    }
}

/// How two values of one kind, or two numbers of any kinds, order; `None` if they don't.
pub(super) fn order(
    left: &Value<'_>,
    right: &Value<'_>,
    steps: &mut Steps,
) -> Result<Option<Ordering>, Fault> {
    use Value::{Bool, Double, Duration, Int, Text, Time, Uint};
    Ok(match (left, right) {
        (Int(a), Int(b)) => Some(a.cmp(b)),
        (Uint(a), Uint(b)) => Some(a.cmp(b)),
        // A `Uint` is always beyond every `Int`: see `Json`.
        (Uint(_), Int(_)) => Some(Ordering::Greater),
        (Int(_), Uint(_)) => Some(Ordering::Less),
        (Double(a), Double(b)) => a.partial_cmp(b).map(|o| told_apart(*a, o)).transpose()?,
        (Int(a), Double(b)) => order_int_double(i128::from(*a), *b)?,
        (Uint(a), Double(b)) => order_int_double(i128::from(*a), *b)?,
        (Double(a), Int(b)) => order_int_double(i128::from(*b), *a)?.map(Ordering::reverse),
        (Double(a), Uint(b)) => order_int_double(i128::from(*b), *a)?.map(Ordering::reverse),
        (Text(a), Text(b)) => {
            steps.charge_bytes(a.len().min(b.len()))?;
            Some(a.cmp(b))
        }
        (Bool(a), Bool(b)) => Some(a.cmp(b)),
        (Time(a), Time(b)) => Some(a.cmp(b)),
        (Duration(a), Duration(b)) => Some(a.cmp(b)),
        _ => None,
    })
}

fn order_int_double(int: i128, double: f64) -> Result<Option<Ordering>, Fault> {
    if double.is_nan() {
        return Ok(None);
    }
    // Saturates for what is beyond; i128 holds every 64-bit number and the double's whole part.
    let whole = double.trunc();
    let by_whole = int.cmp(&(whole as i128));
    let ordering = by_whole.then_with(|| 0.0_f64.total_cmp(&(double - whole + 0.0)));
    told_apart(double, ordering).map(Some)
}

fn told_apart(double: f64, ordering: Ordering) -> Result<Ordering, Fault> {
    if ordering == Ordering::Equal && double.abs() >= INEXACT_FROM {
        return Err(Fault::said(format!(
            "the number {double:e} is beyond 64 bits, where equal and nearly equal can't be told \
             apart: compare with a smaller number, or send it as a string"
        )));
    }
    Ok(ordering)
}

/// Steps more for each pair of entries: in a long list both come from memory that nobody has read lately.
pub(super) const FETCH_STEPS: usize = 1;

/// Whether two values are equal, entry by entry; values of different kinds are not.
pub(super) fn equal(left: &Value<'_>, right: &Value<'_>, steps: &mut Steps) -> Result<bool, Fault> {
    steps.charge(1)?;
    match (left, right) {
        (Value::Null, Value::Null) => Ok(true),
        (Value::Text(a), Value::Text(b)) if a.len() != b.len() => Ok(false),
        (Value::Object(a), Value::Object(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for ((key_a, a), (key_b, b)) in a.iter().zip(b.iter()) {
                steps.charge(FETCH_STEPS)?;
                steps.charge_bytes(key_a.len())?;
                if key_a != key_b || !equal(&a.into(), &b.into(), steps)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => match (left.as_list(), right.as_list()) {
            (Some(a), Some(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in (0..a.len()).filter_map(|no| a.get(no).zip(b.get(no))) {
                    steps.charge(FETCH_STEPS)?;
                    if !equal(&a, &b, steps)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(order(left, right, steps)? == Some(Ordering::Equal)),
        },
    }
}

/// The value as a literal of the language. Times and durations become the calls that make them.
pub(super) fn as_source(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        // `{:?}` keeps the ".0" that makes it a double.
        Value::Double(number) => format!("{number:?}"),
        Value::Text(text) => quoted(text),
        Value::Time(time) => format!("timestamp(\"{time}\")"),
        Value::Duration(duration) => format!("duration(\"{}\")", seconds(*duration)),
        Value::Object(_) | Value::Given(_) | Value::Made(_) => said(value),
    }
}

/// The value as a sentence shows it: short, and a name of what it is where it can't be shown.
pub(super) fn said(value: &Value<'_>) -> String {
    match value {
        Value::Object(entries) => counted("an object with", entries.len(), "field"),
        Value::Given(entries) => counted("a list with", entries.len(), "entry"),
        Value::Made(entries) => counted("a list with", entries.len(), "entry"),
        Value::Time(time) => time.to_string(),
        Value::Duration(duration) => seconds(*duration),
        Value::Text(text) => quoted(&shortened(text)),
        other => as_source(other),
    }
}

/// Like [`said`], with the kind before it: for sentences about a wrong kind.
pub(super) fn said_with_kind(value: &Value<'_>) -> String {
    let kind = match value {
        Value::Text(_) => "the string ",
        Value::Int(_) | Value::Uint(_) | Value::Double(_) => "the number ",
        Value::Time(_) => "the time ",
        Value::Duration(_) => "the duration ",
        _ => "",
    };
    format!("{kind}{}", said(value))
}

/// `text`, cut where a sentence would become a page.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= SHOWN_CHARS_MAX {
        return Cow::Borrowed(text);
    }
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// `text` between quotes, escaped as JSON does: CEL reads all of its escapes.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

fn counted(what: &str, count: usize, one: &str) -> String {
    let many = if one == "entry" { "entries" } else { "fields" };
    format!("{what} {count} {}", if count == 1 { one } else { many })
}

fn seconds(duration: jiff::SignedDuration) -> String {
    format!("{}s", duration.as_secs_f64())
}
