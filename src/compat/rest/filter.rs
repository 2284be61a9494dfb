//! One filter of a query: `eq.x`, `not.in.(a,b)`, or a plain `x`, and which rows it keeps.
//!
//! As in SQL a filter is true, false or unknown: what is compared with null is unknown, and `not` of it, too. Only true
//! keeps a row.

use std::cmp::Ordering;

use jiff::civil;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::fault::Fault;
use super::like::Pattern;
use super::table::{Kind, Row};
use crate::model::Timestamp;

/// Most values of one `in`.
pub(super) const IN_VALUES_MAX: usize = 250;
/// Longest value of one filter, in bytes.
pub(super) const VALUE_BYTES_MAX: usize = 8 * 1024;
/// How much of a wrong value is shown again.
const SHOWN_CHARS_MAX: usize = 80;
const DAY_MS: i64 = 86_400_000;
/// Operators of PostgREST that are not taken here.
const NOT_TAKEN: [&str; 19] = [
    "match",
    "imatch",
    "cd",
    "ov",
    "sl",
    "sr",
    "nxr",
    "nxl",
    "adj",
    "isdistinct",
    "fts",
    "plfts",
    "phfts",
    "wfts",
    "all",
    "any",
    "like(any)",
    "like(all)",
    "eq(any)",
];

/// What a row must be for a filter to keep it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    /// Of which column.
    pub(super) column: &'static str,
    /// Whether it must not be so.
    pub(super) negated: bool,
    /// What.
    pub(super) test: Test,
}

/// A test of one value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// It compares like this.
    Compare(Comparison, Operand),
    /// It is one of these.
    In(Vec<Operand>),
    /// It looks like this.
    Like(Pattern),
    /// It is null, or true, or false.
    Is(Option<bool>),
    /// It is not null.
    IsNotNull,
    /// It has all of these.
    Contains(Vec<String>),
    /// It is in the day that begins then.
    Within(Timestamp),
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    Neq,
    Gt,
    Gte,
    Lt,
    Lte,
}

/// A value as a column of its kind holds it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Text(String),
    Bool(bool),
    Number(i64),
    Time(Timestamp),
}

impl Comparison {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Self::Eq,
            "neq" => Self::Neq,
            "gt" => Self::Gt,
            "gte" => Self::Gte,
            "lt" => Self::Lt,
            "lte" => Self::Lte,
            _ => return None,
        })
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Neq => ordering.is_ne(),
            Self::Gt => ordering.is_gt(),
            Self::Gte => ordering.is_ge(),
            Self::Lt => ordering.is_lt(),
            Self::Lte => ordering.is_le(),
        }
    }
}

impl Filter {
    /// The filter that `text` is of this column.
    pub(super) fn parse((column, kind): (&'static str, Kind), text: &str) -> Result<Self, Fault> {
        if text.len() > VALUE_BYTES_MAX {
            let why = format!(
                "the filter of {column} has {} bytes: {VALUE_BYTES_MAX} at most",
                text.len()
            );
            return Err(Fault::parse(why));
        }
        let (negated, rest) = match text.strip_prefix("not.") {
            Some(rest) if operator(rest).is_some() => (true, rest),
            _ => (false, text),
        };
        Ok(Self {
            column,
            negated,
            test: match operator(rest) {
                Some((word, value)) => test((column, kind), word, value)?,
                None => plain((column, kind), rest)?,
            },
        })
    }

    /// Whether it keeps a row.
    pub(super) fn keeps(&self, row: &Row) -> bool {
        let value = row.get(self.column).unwrap_or(&Value::Null);
        self.test
            .holds(value)
            .is_some_and(|holds| holds != self.negated)
    }

    /// The values of which the column must have one, if it says so.
    pub(super) fn one_of(&self) -> Option<&[Operand]> {
        match &self.test {
            _ if self.negated => None,
            Test::Compare(Comparison::Eq, operand) => Some(std::slice::from_ref(operand)),
            Test::In(operands) => Some(operands),
            _ => None,
        }
    }

    /// From when on and until when, that time not counted in, a time that it keeps may be, as far as it says.
    pub(super) fn span(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let next = |at: Timestamp| at.plus_ms(1);
        match &self.test {
            _ if self.negated => (None, None),
            Test::Within(from) => (Some(*from), Some(from.plus_ms(DAY_MS))),
            Test::Compare(comparison, Operand::Time(at)) => match comparison {
                Comparison::Eq => (Some(*at), Some(next(*at))),
                Comparison::Gt => (Some(next(*at)), None),
                Comparison::Gte => (Some(*at), None),
                Comparison::Lt => (None, Some(*at)),
                Comparison::Lte => (None, Some(next(*at))),
                Comparison::Neq => (None, None),
            },
            _ => (None, None),
        }
    }
}

/// The operator that a text begins with, and what stands behind its dot. What begins with none is a plain value.
fn operator(text: &str) -> Option<(&str, &str)> {
    let (word, value) = text.split_once('.')?;
    let known = Comparison::of(word).is_some()
        || matches!(word, "in" | "like" | "ilike" | "is" | "cs")
        || NOT_TAKEN.contains(&word);
    known.then_some((word, value))
}

fn test(column: (&'static str, Kind), word: &str, value: &str) -> Result<Test, Fault> {
    if let Some(comparison) = Comparison::of(word) {
        return Ok(Test::Compare(comparison, operand(column, value)?));
    }
    match (word, column.1) {
        ("in", _) => {
            let values = listed(value, ('(', ')'))?;
            let operands = values.iter().map(|value| operand(column, value));
            Ok(Test::In(operands.collect::<Result<_, _>>()?))
        }
        ("like", Kind::Text) => Ok(Test::Like(Pattern::like(value))),
        ("ilike", Kind::Text) => Ok(Test::Like(Pattern::ilike(value))),
        ("is", kind) => is(kind, value),
        ("cs", Kind::Texts) => Ok(Test::Contains(listed(value, ('{', '}'))?)),
        _ => Err(Fault::operator(word, column.0)),
    }
}

fn is(kind: Kind, value: &str) -> Result<Test, Fault> {
    match (value.to_ascii_lowercase().as_str(), kind) {
        ("null", _) | ("unknown", Kind::Bool) => Ok(Test::Is(None)),
        ("not_null", _) => Ok(Test::IsNotNull),
        ("true", Kind::Bool) => Ok(Test::Is(Some(true))),
        ("false", Kind::Bool) => Ok(Test::Is(Some(false))),
        _ => Err(Fault::parse(format!(
            "is.{} is none: a column is null or not_null, one of booleans also true, false or unknown",
            shown(value)
        ))),
    }
}

/// A value without an operator: it is equal, or, of a time without an hour, in that day.
fn plain(column: (&'static str, Kind), value: &str) -> Result<Test, Fault> {
    if column.1 == Kind::Time
        && let Ok(day) = value.parse::<civil::Date>()
        && value.len() == 10
        && let Some(from) = utc(day.to_datetime(civil::Time::midnight()))
    {
        return Ok(Test::Within(from));
    }
    Ok(Test::Compare(Comparison::Eq, operand(column, value)?))
}

fn operand((column, kind): (&'static str, Kind), value: &str) -> Result<Operand, Fault> {
    let wrong = |expected: &str| Fault::value(column, &shown(value), expected);
    match kind {
        Kind::Text => Ok(Operand::Text(value.to_owned())),
        Kind::Bool => match value {
            "true" | "t" => Ok(Operand::Bool(true)),
            "false" | "f" => Ok(Operand::Bool(false)),
            _ => Err(wrong("true or false")),
        },
        Kind::Number => value
            .parse()
            .map(Operand::Number)
            .map_err(|_| wrong("a whole number")),
        Kind::Time => time(value)
            .map(Operand::Time)
            .ok_or_else(|| wrong("a time, such as 2026-05-04T10:30:00Z")),
        Kind::Texts => Err(Fault::operator("eq", column)),
    }
}

/// A time as clients write it: with an offset, whose `+` may have become a space on the way, or without, which is UTC.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    if let Some((before, offset)) = text.rsplit_once(' ')
        && let Ok(at) = format!("{before}+{offset}").parse()
    {
        return Some(at);
    }
    let civil = text.parse::<civil::DateTime>().ok()?;
    utc(civil)
}

fn utc(at: civil::DateTime) -> Option<Timestamp> {
    let at = at.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp::from_ms(at.timestamp().as_millisecond()))
}

/// The values of `(a,"b,c",d)`.
fn listed(text: &str, (open, close): (char, char)) -> Result<Vec<String>, Fault> {
    let inside = text
        .strip_prefix(open)
        .and_then(|text| text.strip_suffix(close));
    let inside = inside.ok_or_else(|| {
        Fault::parse(format!(
            "{} is no list: it begins with {open} and ends with {close}",
            shown(text)
        ))
    })?;
    let mut values = Vec::new();
    if inside.is_empty() {
        return Ok(values);
    }
    let mut chars = inside.chars().peekable();
    loop {
        let mut value = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next() {
                    Some('"') => break,
                    Some('\\') => value.extend(chars.next()),
                    Some(char) => value.push(char),
                    None => {
                        return Err(Fault::parse(
                            "a quoted value in a list has no end".to_owned(),
                        ));
                    }
                }
            }
        } else {
            while let Some(char) = chars.next_if(|char| *char != ',') {
                value.push(char);
            }
        }
        values.push(value);
        match chars.next() {
            None => break,
            Some(',') => {}
            Some(_) => {
                return Err(Fault::parse(
                    "a quoted value in a list is followed by a comma or by nothing".to_owned(),
                ));
            }
        }
    }
    if values.len() > IN_VALUES_MAX {
        return Err(Fault::parse(format!(
            "a list has {} values: {IN_VALUES_MAX} at most",
            values.len()
        )));
    }
    Ok(values)
}

impl Test {
    /// `None`: that is unknown.
    fn holds(&self, value: &Value) -> Option<bool> {
        match self {
            Self::Is(None) => return Some(value.is_null()),
            Self::Is(Some(wanted)) => return Some(value.as_bool() == Some(*wanted)),
            Self::IsNotNull => return Some(!value.is_null()),
            _ if value.is_null() => return None,
            _ => {}
        }
        match self {
            Self::Compare(comparison, operand) => {
                operand.compared(value).map(|is| comparison.holds(is))
            }
            Self::In(operands) => {
                let same = |operand: &Operand| operand.compared(value).is_some_and(Ordering::is_eq);
                Some(operands.iter().any(same))
            }
            Self::Like(pattern) => value.as_str().map(|text| pattern.fits(text)),
            Self::Contains(wanted) => {
                let found = value.as_array()?;
                let has = |text: &String| found.iter().any(|one| one.as_str() == Some(text));
                Some(wanted.iter().all(has))
            }
            Self::Within(from) => {
                let ms = value.as_str()?.parse::<Timestamp>().ok()?.ms_since(*from);
                Some((0..DAY_MS).contains(&ms))
            }
            Self::Is(_) | Self::IsNotNull => None,
        }
    }
}

impl Operand {
    /// How a value compares with this one; `None`, if it does not.
    fn compared(&self, value: &Value) -> Option<Ordering> {
        match self {
            Self::Text(text) => Some(value.as_str()?.cmp(text)),
            Self::Bool(wanted) => Some(value.as_bool()?.cmp(wanted)),
            Self::Number(number) => Some(value.as_i64()?.cmp(number)),
            Self::Time(at) => Some(value.as_str()?.parse::<Timestamp>().ok()?.cmp(at)),
        }
    }

    /// The text, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}
