//! The functions of the language. There are no others: a call of anything else is refused when
//! the condition is saved.

use std::borrow::Cow;

use super::fault::{Fault, Steps};
use super::value::{Value, said_with_kind};

/// How many times as long as comparing a text it takes to search in it.
const SEARCH_FACTOR: usize = 3;

/// A function. The argument it is called on, if it is a method, counts as its first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    LowerAscii,
    Int,
    Double,
    String,
    Timestamp,
    Duration,
    Part(Part),
}

/// A part of a time on the calendar of a time zone. Counted as CEL does: months and days of the
/// week from 0 (Sunday), days of the month from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    Month,
    Date,
    DayOfWeek,
    Hours,
    Minutes,
}

/// Every function: name, itself, fewest and most arguments.
const FUNCTIONS: [(&str, Function, usize, usize); 16] = [
    ("size", Function::Size, 1, 1),
    ("contains", Function::Contains, 2, 2),
    ("startsWith", Function::StartsWith, 2, 2),
    ("endsWith", Function::EndsWith, 2, 2),
    ("lowerAscii", Function::LowerAscii, 1, 1),
    ("int", Function::Int, 1, 1),
    ("double", Function::Double, 1, 1),
    ("string", Function::String, 1, 1),
    ("timestamp", Function::Timestamp, 1, 1),
    ("duration", Function::Duration, 1, 1),
    ("getFullYear", Function::Part(Part::Year), 1, 2),
    ("getMonth", Function::Part(Part::Month), 1, 2),
    ("getDate", Function::Part(Part::Date), 1, 2),
    ("getDayOfWeek", Function::Part(Part::DayOfWeek), 1, 2),
    ("getHours", Function::Part(Part::Hours), 1, 2),
    ("getMinutes", Function::Part(Part::Minutes), 1, 2),
];

impl Function {
    /// The function of this name, with the fewest and most arguments it takes.
    pub(super) fn from_name(name: &str) -> Option<(Self, usize, usize)> {
        let (_, function, fewest, most) = FUNCTIONS.iter().find(|entry| entry.0 == name)?;
        Some((*function, *fewest, *most))
    }

    /// The names of them all, for messages.
    pub(super) fn names() -> String {
        FUNCTIONS.map(|entry| entry.0).join(", ")
    }

    pub(super) fn as_str(self) -> &'static str {
        FUNCTIONS
            .iter()
            .find(|entry| entry.1 == self)
            .map_or("", |entry| entry.0)
    }

    /// Whether it is called on its first argument: `text.contains("x")`.
    pub(super) fn is_method(self) -> bool {
        matches!(
            self,
            Self::Contains | Self::StartsWith | Self::EndsWith | Self::LowerAscii | Self::Part(_)
        )
    }

    /// Whether it may be called either way: `size(x)` and `x.size()`.
    pub(super) fn is_either(self) -> bool {
        matches!(self, Self::Size)
    }

    /// Steps that a call takes besides those for its texts: what looks a time zone up, or makes a text of a
    /// number, takes many times as long as what compares two.
    pub(super) fn steps(self, arguments: usize) -> usize {
        match self {
            Self::String => 30,
            Self::Part(_) if arguments > 1 => 15,
            Self::Timestamp | Self::Duration => 8,
            Self::Part(_) => 4,
            Self::Int | Self::Double => 3,
            Self::Size | Self::Contains | Self::StartsWith | Self::EndsWith | Self::LowerAscii => 0,
        }
    }

    /// What it is worth for these arguments, whose number was checked when the condition was
    /// saved.
    pub(super) fn call<'v>(
        self,
        arguments: &[Value<'v>],
        steps: &mut Steps,
    ) -> Result<Value<'v>, Fault> {
        steps.charge(self.steps(arguments.len()))?;
        for argument in arguments {
            if let Value::Text(text) = argument {
                steps.charge_bytes(text.len())?;
            }
        }
        let not_taken = || {
            let given: Vec<_> = arguments.iter().map(said_with_kind).collect();
            Fault::said(format!(
                "{}() can't be called with {}",
                self.as_str(),
                given.join(" and ")
            ))
        };
        match (self, arguments) {
            (Self::Contains, [Value::Text(text), Value::Text(part)]) => {
                // A search takes several times what a comparison takes.
                steps.charge_bytes(SEARCH_FACTOR * text.len())?;
                Ok(Value::Bool(text.contains(part.as_ref())))
            }
            (Self::StartsWith, [Value::Text(text), Value::Text(part)]) => {
                Ok(Value::Bool(text.starts_with(part.as_ref())))
            }
            (Self::EndsWith, [Value::Text(text), Value::Text(part)]) => {
                Ok(Value::Bool(text.ends_with(part.as_ref())))
            }
            (Self::LowerAscii, [Value::Text(text)]) => {
                Ok(Value::Text(text.to_ascii_lowercase().into()))
            }
            (Self::Size, [value]) => size(value).ok_or_else(not_taken),
            (Self::Int, [value]) => int(value).ok_or_else(not_taken),
            (Self::Double, [value]) => double(value).ok_or_else(not_taken),
            (Self::String, [value]) => string(value).ok_or_else(not_taken),
            (Self::Timestamp, [value]) => timestamp(value).ok_or_else(not_taken),
            (Self::Duration, [Value::Duration(same)]) => Ok(Value::Duration(*same)),
            (Self::Duration, [Value::Text(text)]) => {
                text.parse().map(Value::Duration).map_err(|_| not_taken())
            }
            (Self::Part(part), [Value::Time(time)]) => Ok(part.of(*time, jiff::tz::TimeZone::UTC)),
            (Self::Part(part), [Value::Time(time), Value::Text(zone)]) => {
                let zone = jiff::tz::TimeZone::get(zone).map_err(|_| {
                    Fault::said(format!(
                        "{zone:?} is not an IANA time zone: write one such as \"Europe/Berlin\""
                    ))
                })?;
                Ok(part.of(*time, zone))
            }
            _ => Err(not_taken()),
        }
    }
}

impl Part {
    fn of(self, time: jiff::Timestamp, zone: jiff::tz::TimeZone) -> Value<'static> {
        let civil = time.to_zoned(zone);
        Value::Int(match self {
            Self::Year => i64::from(civil.year()),
            Self::Month => i64::from(civil.month()) - 1,
            Self::Date => i64::from(civil.day()),
            Self::DayOfWeek => i64::from(civil.weekday().to_sunday_zero_offset()),
            Self::Hours => i64::from(civil.hour()),
            Self::Minutes => i64::from(civil.minute()),
        })
    }
}

fn size(value: &Value<'_>) -> Option<Value<'static>> {
    let size = match value {
        Value::Text(text) => text.chars().count(),
        Value::Object(entries) => entries.len(),
        other => other.as_list()?.len(),
    };
    i64::try_from(size).ok().map(Value::Int)
}

fn int(value: &Value<'_>) -> Option<Value<'static>> {
    // 2^63 is the first double beyond i64; the casts below would saturate.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    Some(Value::Int(match value {
        Value::Int(number) => *number,
        Value::Double(number) if *number > -BEYOND && *number < BEYOND => number.trunc() as i64,
        Value::Text(text) => text.parse().ok()?,
        Value::Time(time) => time.as_second(),
        _ => return None,
    }))
}

fn double(value: &Value<'_>) -> Option<Value<'static>> {
    Some(Value::Double(match value {
        Value::Int(number) => *number as f64,
        Value::Uint(number) => *number as f64,
        Value::Double(number) => *number,
        Value::Text(text) => text.parse().ok()?,
        _ => return None,
    }))
}

fn string<'v>(value: &Value<'v>) -> Option<Value<'v>> {
    Some(Value::Text(match value {
        Value::Text(text) => text.clone(),
        Value::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
        Value::Int(number) => number.to_string().into(),
        Value::Uint(number) => number.to_string().into(),
        Value::Double(number) => number.to_string().into(),
        Value::Time(time) => time.to_string().into(),
        _ => return None,
    }))
}

fn timestamp(value: &Value<'_>) -> Option<Value<'static>> {
    Some(Value::Time(match value {
        Value::Time(time) => *time,
        Value::Int(second) => jiff::Timestamp::from_second(*second).ok()?,
        Value::Text(text) => text.parse().ok()?,
        _ => return None,
    }))
}
