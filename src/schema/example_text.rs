//! Example texts: of a format, of a regular expression, of a length.

use regex_syntax::hir::{Class, ClassUnicodeRange, Hir, HirKind};
use serde_json::{Map, Value};

/// Longest text that is made.
const CHARS_MAX: u64 = 10_000;
/// Most times that a part of a regular expression is repeated.
const REPEATS_MAX: u32 = 1_000;

/// A text that the schema's keywords are about; or why none is made. It is only likely to fit.
pub(super) fn make(schema: &Map<String, Value>) -> Result<String, String> {
    let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
    if least > CHARS_MAX {
        return Err(format!(
            "it has {least} characters or more, and {CHARS_MAX} are made at most"
        ));
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        return matching(pattern);
    }
    if let Some(text) = schema
        .get("format")
        .and_then(Value::as_str)
        .and_then(of_format)
    {
        return Ok(text.to_owned());
    }
    let most = schema.get("maxLength").and_then(Value::as_u64);
    let length = most.unwrap_or(u64::MAX).min(7).max(least);
    Ok("example ".chars().cycle().take(length as usize).collect())
}

/// A text of a format that is checked.
fn of_format(format: &str) -> Option<&'static str> {
    Some(match format {
        "date-time" => "2026-01-01T09:30:00Z",
        "date" => "2026-01-01",
        "time" => "09:30:00Z",
        "duration" => "P1D",
        "email" | "idn-email" => "someone@example.com",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" => "203.0.113.7",
        "ipv6" => "2001:db8::7",
        "uri" | "iri" => "https://example.com/",
        "uri-reference" | "iri-reference" | "json-pointer" => "/example",
        "uri-template" => "https://example.com/{id}",
        "uuid" => "0198c1f0-a3b2-7c4d-8e5f-60718293a4b5",
        "relative-json-pointer" => "0",
        _ => return None,
    })
}

/// A short text in which the regular expression is found.
fn matching(pattern: &str) -> Result<String, String> {
    let parsed = regex_syntax::parse(pattern)
        .map_err(|_| "its pattern is of a kind for which no text is made".to_owned())?;
    let mut text = String::new();
    write(&parsed, &mut text)?;
    Ok(text)
}

fn write(part: &Hir, text: &mut String) -> Result<(), String> {
    if text.len() as u64 > CHARS_MAX {
        return Err(format!(
            "its pattern wants more than {CHARS_MAX} characters"
        ));
    }
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => Ok(()),
        HirKind::Literal(literal) => {
            text.push_str(&String::from_utf8_lossy(&literal.0));
            Ok(())
        }
        HirKind::Class(class) => {
            text.push(one_of(class).ok_or("its pattern matches nothing")?);
            Ok(())
        }
        HirKind::Repetition(repetition) => {
            let times = repetition.min.max(u32::from(repetition.max != Some(0)));
            if times > REPEATS_MAX {
                return Err(format!("its pattern repeats more than {REPEATS_MAX} times"));
            }
            (0..times).try_for_each(|_| write(&repetition.sub, text))
        }
        HirKind::Capture(capture) => write(&capture.sub, text),
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, text)),
        HirKind::Alternation(parts) => parts.first().map_or(Ok(()), |part| write(part, text)),
    }
}

/// A character of the class: a letter or a digit, if it has one.
fn one_of(class: &Class) -> Option<char> {
    let Class::Unicode(class) = class else {
        return None;
    };
    let has = |wanted: &char| {
        let mut ranges = class.ranges().iter();
        ranges.any(|range| (range.start()..=range.end()).contains(wanted))
    };
    let usual = ('a'..='z').chain('A'..='Z').chain('1'..='9').find(has);
    usual.or_else(|| class.ranges().first().map(ClassUnicodeRange::start))
}
