//! References to variables in texts: `{{vars.name}}`, alone or within a text, with or without spaces inside
//! the braces and around the dot. A backslash before it takes that meaning away: `\{{vars.name}}` is the text `{{vars.name}}`;
//! two backslashes there are one, and the reference is one. Other braces mean nothing here and stay.
//!
//! In JSON each string value is such a text, and names of members are not. A string that is nothing but one
//! reference becomes the variable's own value, a number or a truth value, too.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::is_variable_name;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";
/// What every reference to a variable begins with, in these texts and in expressions, whatever stands between it
/// and the name.
pub const VARIABLES_ROOT: &str = "vars";
/// How much of a wrong reference is shown again.
const SHOWN_CHARS_MAX: usize = 60;

/// Why references can't be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It begins as one.
    #[error(
        "'{0}' begins as a reference to a variable and is none: write {{{{vars.name}}}}, or a backslash before \
         it for the text itself"
    )]
    Malformed(String),
    /// It names one that has no value.
    #[error("{why}")]
    NoValue {
        /// Which.
        name: String,
        /// A sentence.
        why: String,
    },
    /// It is in something that is not JSON.
    #[error("this is not JSON")]
    NotJson,
}

/// Whether a definition or settings, as they are stored, may ask for variables at all.
pub fn may_name_variables(text: &str) -> bool {
    text.contains(VARIABLES_ROOT)
}

/// A piece of a text.
#[derive(Debug, PartialEq)]
enum Piece<'t> {
    Text(&'t str),
    Variable(&'t str),
}

/// The variables that a text refers to, each once.
pub fn references(text: &str) -> Result<BTreeSet<String>, ReferenceError> {
    let pieces = pieces(text)?;
    let named = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Variable(name) => Some(name.to_owned()),
        Piece::Text(_) => None,
    });
    Ok(named.collect())
}

/// The variables that the strings of a JSON text refer to, each once.
pub fn references_in_json(json: &str) -> Result<BTreeSet<String>, ReferenceError> {
    let mut found = BTreeSet::new();
    each_string(json, |text| {
        found.extend(references(text)?);
        Ok(None)
    })?;
    Ok(found)
}

/// The text with its references filled by what `look_up` gives for a name; or the sentence it gives
/// instead.
pub fn fill(
    text: &str,
    mut look_up: impl FnMut(&str) -> Result<Value, String>,
) -> Result<String, ReferenceError> {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text)? {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Variable(name) => match look(name, &mut look_up)? {
                Value::String(value) => filled.push_str(&value),
                other => filled.push_str(&other.to_string()),
            },
        }
    }
    Ok(filled)
}

/// The same with the strings of a JSON text. What refers to nothing stays byte for byte.
pub fn fill_json(
    json: &str,
    mut look_up: impl FnMut(&str) -> Result<Value, String>,
) -> Result<String, ReferenceError> {
    each_string(json, |text| {
        let pieces = pieces(text)?;
        if let [Piece::Variable(name)] = pieces.as_slice() {
            return look(name, &mut look_up).map(Some);
        }
        let filled = fill(text, &mut look_up)?;
        Ok((filled != text).then(|| filled.into()))
    })
}

fn look(
    name: &str,
    look_up: &mut impl FnMut(&str) -> Result<Value, String>,
) -> Result<Value, ReferenceError> {
    look_up(name).map_err(|why| ReferenceError::NoValue {
        name: name.to_owned(),
        why,
    })
}

/// A text in its pieces.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, ReferenceError> {
    let mut pieces = Vec::new();
    // Up to `kept` everything is in a piece, and `at` is where to look next.
    let (mut kept, mut at) = (0, 0);
    while let Some(found) = text[at..].find(OPEN) {
        let open = at + found;
        let inside = &text[open + OPEN.len()..];
        let Some(named) = after_root(inside) else {
            at = open + 1;
            continue;
        };
        let slashes = text[kept..open]
            .bytes()
            .rev()
            .take_while(|byte| *byte == b'\\');
        let slashes = slashes.count();
        // Half of them stay; the odd one makes a text of the reference.
        let before = &text[kept..open - slashes.div_ceil(2)];
        push(&mut pieces, before);
        if slashes % 2 == 1 {
            (kept, at) = (open, open + OPEN.len());
            continue;
        }
        let malformed = || {
            let shown = text[open..].chars().take(SHOWN_CHARS_MAX).collect();
            ReferenceError::Malformed(shown)
        };
        let (name, _) = named.split_once(CLOSE).ok_or_else(malformed)?;
        let length = name.len();
        let name = name.trim_matches(' ');
        if !is_variable_name(name) {
            return Err(malformed());
        }
        pieces.push(Piece::Variable(name));
        kept = text.len() - named.len() + length + CLOSE.len();
        at = kept;
    }
    push(&mut pieces, &text[kept..]);
    Ok(pieces)
}

/// What follows `vars.`, if that comes first, with or without spaces.
fn after_root(inside: &str) -> Option<&str> {
    let inside = inside
        .trim_start_matches(' ')
        .strip_prefix(VARIABLES_ROOT)?;
    inside.trim_start_matches(' ').strip_prefix('.')
}

fn push<'t>(pieces: &mut Vec<Piece<'t>>, text: &'t str) {
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
}

/// The JSON text with each string value for which there is another value replaced by that.
fn each_string(
    json: &str,
    mut replace: impl FnMut(&str) -> Result<Option<Value>, ReferenceError>,
) -> Result<String, ReferenceError> {
    let mut written = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(begin) = rest.find('"') {
        let (before, from) = rest.split_at(begin);
        let mut strings = serde_json::Deserializer::from_str(from).into_iter::<Cow<'_, str>>();
        let text = match strings.next() {
            Some(Ok(text)) => Some(text),
            // Half a surrogate pair is no text, and refers to nothing.
            Some(Err(_)) | None => None,
        };
        let length = match &text {
            Some(_) => strings.byte_offset(),
            None => string_bytes(from).ok_or(ReferenceError::NotJson)?,
        };
        let (string, after) = from.split_at(length);
        let is_name = after.trim_ascii_start().starts_with(':');
        written.push_str(before);
        match text.filter(|_| !is_name).map(|text| replace(&text)) {
            Some(replaced) => match replaced? {
                Some(value) => written.push_str(&value.to_string()),
                None => written.push_str(string),
            },
            None => written.push_str(string),
        }
        rest = after;
    }
    written.push_str(rest);
    Ok(written)
}

/// The length of the string that `json` begins with, quotes included.
fn string_bytes(json: &str) -> Option<usize> {
    let mut escaped = true;
    let end = json.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map(|end| end + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn look_up(name: &str) -> Result<Value, String> {
        match name {
            "token" => Ok(json!("s3\"cret")),
            "most" => Ok(json!(5)),
            "on" => Ok(json!(true)),
            other => Err(format!("no {other}")),
        }
    }

    #[test]
    fn a_text_is_filled() {
        for (text, filled) in [
            ("", ""),
            ("plain", "plain"),
            ("{{vars.token}}", "s3\"cret"),
            ("Bearer {{ vars.token }}!", "Bearer s3\"cret!"),
            ("{{vars.most}}{{vars.on}}", "5true"),
            (r"\{{vars.token}}", "{{vars.token}}"),
            (r"a\\{{vars.most}}", r"a\5"),
            (r"a\\\{{vars.most}}", r"a\{{vars.most}}"),
            (r"a\b {{event.data.x}} {{ {", r"a\b {{event.data.x}} {{ {"),
            ("{{{vars.most}}}", "{5}"),
            ("{{vars . most}}{{ vars .on }}", "5true"),
            ("{{vars}} {{varsity.most}}", "{{vars}} {{varsity.most}}"),
            ("ü{{vars.most}}ü", "ü5ü"),
        ] {
            assert_eq!(fill(text, look_up).as_deref(), Ok(filled), "{text}");
        }
        let unknown = fill("{{vars.none}}", look_up).expect_err("unknown");
        assert_eq!(unknown.to_string(), "no none");
        for wrong in [
            "{{vars.}}",
            "{{vars.a b}}",
            "{{vars.a",
            "{{vars.a}",
            "{{vars.in}}",
            "{{vars.\nmost}}",
            "{{vars . }}",
        ] {
            let error = fill(wrong, look_up).expect_err(wrong);
            assert!(matches!(error, ReferenceError::Malformed(_)), "{wrong}");
        }
    }

    #[test]
    fn json_is_filled_string_by_string() {
        for (text, filled) in [
            (
                r#" {"a": "{{vars.token}}", "b":["{{vars.most}}", 1e999], "c": "x{{vars.on}}"}"#,
                r#" {"a": "s3\"cret", "b":[5, 1e999], "c": "xtrue"}"#,
            ),
            // Names are no texts, and other strings stay as they are written.
            (
                r#"{"{{vars.most}}" : "\u0041", "n": "\ud800", "{{vars.none}}":1}"#,
                r#"{"{{vars.most}}" : "\u0041", "n": "\ud800", "{{vars.none}}":1}"#,
            ),
            (r#""\\{{vars.token}}""#, r#""{{vars.token}}""#),
            (r#""{{event.type}}""#, r#""{{event.type}}""#),
        ] {
            assert_eq!(fill_json(text, look_up).as_deref(), Ok(filled), "{text}");
        }
        let found =
            references_in_json(r#"{"{{vars.x}}":["{{vars.b}} {{vars.a}}","\\{{vars.c}}"]}"#);
        assert_eq!(found.expect("JSON"), ["a", "b"].map(str::to_owned).into());
    }
}
