//! Reading JSON that a user wrote, with the place of what is wrong in it.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::strict::{NOT_A_LIST, Strict};
use super::{Error, Place};

/// How JSON spells U+0000; a raw one is no JSON.
const NUL_ESCAPE: &str = "\\u0000";

/// Reads an object into what has fields, none of which is a struct. Without this an array would do, whose entries
/// nobody has named.
pub(super) fn read_object<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Error> {
    check_object(body)?;
    read(body)
}

fn check_object(body: &[u8]) -> Result<(), Error> {
    match body.trim_ascii_start().first() {
        Some(b'[' | b'"' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9') => {
            // What is no JSON at all is told so.
            read::<serde::de::IgnoredAny>(body)?;
            Err(Error::field("", NOT_A_LIST))
        }
        _ => Ok(()),
    }
}

/// Reads a body whose texts are kept. None of them has U+0000 in it, which PostgreSQL can't keep;
/// what is carried as JSON may have it, as an escape.
pub fn read_kept<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    check_object(body)?;
    let text = text(body)?;
    let value = read_strictly(text)?;
    if text.contains(NUL_ESCAPE)
        && let Err(error) = read_strictly::<T>(&with_lists_for_nul(text))
    {
        let pointer = match error {
            Error::Invalid {
                at: Place::Body(pointer),
                ..
            } => pointer,
            _ => String::new(),
        };
        let why = "this text has the character U+0000 (\\u0000), which can't be kept: remove it";
        return Err(Error::field(pointer, why));
    }
    Ok(value)
}

/// Valid JSON with a list of lists in place of each text with U+0000: who wants text can't read it,
/// who wants whatever JSON there is can.
fn with_lists_for_nul(json: &str) -> String {
    let mut replaced = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(begin) = rest.find('"') {
        let (before, from) = rest.split_at(begin);
        let (string, after) = from.split_at(string_bytes(from));
        replaced.push_str(before);
        // Names stay: one that a type does not know is refused by name.
        let is_name = after.trim_ascii_start().starts_with(':');
        replaced.push_str(if !is_name && has_nul(string) {
            "[[]]"
        } else {
            string
        });
        rest = after;
    }
    replaced + rest
}

/// The length of the string that `json` begins with, quotes included.
fn string_bytes(json: &str) -> usize {
    let mut escaped = true;
    let end = json.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(json.len(), |end| end + 1)
}

/// Whether the escape is one, and not a backslash with text behind it.
fn has_nul(string: &str) -> bool {
    string.match_indices(NUL_ESCAPE).any(|(at, _)| {
        let slashes = string[..at].bytes().rev().take_while(|byte| *byte == b'\\');
        slashes.count() % 2 == 0
    })
}

/// Reads a body, texts as they come. The usual case costs nothing extra; only what can't be read is
/// read a second time, to find its place.
pub(super) fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Error> {
    let text = text(body)?;
    serde_json::from_str(text).or_else(|_| {
        let mut reader = serde_json::Deserializer::from_str(text);
        match serde_path_to_error::deserialize(&mut reader) {
            Err(error) => {
                let pointer = pointer(error.path());
                Err(explain(error.inner(), pointer))
            }
            Ok(value) => reader
                .end()
                .map(|()| value)
                .map_err(|error| explain(&error, String::new())),
        }
    })
}

/// Reads JSON in which all that has fields is an object, with the place of what is wrong.
fn read_strictly<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize(Strict(&mut reader)) {
        Err(error) => {
            let pointer = pointer(error.path());
            Err(explain(error.inner(), pointer))
        }
        Ok(value) => reader
            .end()
            .map(|()| value)
            .map_err(|error| explain(&error, String::new())),
    }
}

/// The body as text.
pub(super) fn text(body: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(body).map_err(|error| Error::Malformed {
        why: format!(
            "the body is not UTF-8 from byte {} on: send JSON in UTF-8",
            error.valid_up_to()
        ),
    })
}

fn explain(error: &serde_json::Error, mut pointer: String) -> Error {
    let message = error.to_string();
    if error.classify() != Category::Data {
        return Error::Malformed {
            why: format!("the body is not JSON: {message}"),
        };
    }
    // The pointer says where; line and column only repeat it.
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(words, _)| words);
    let named = |prefix: &str| Some(message.strip_prefix(prefix)?.split('`').next()?.to_owned());
    for (code, prefix) in [
        ("unknown_field", "unknown field `"),
        ("missing_field", "missing field `"),
        ("duplicate_field", "duplicate field `"),
    ] {
        if let Some(field) = named(prefix) {
            let last = format!("/{}", escape(&field));
            if !pointer.ends_with(&last) {
                pointer.push_str(&last);
            }
            let remedy = match code {
                "unknown_field" => "remove it, or check its spelling",
                "missing_field" => "add it",
                _ => "send it once",
            };
            let why = format!("{message}: {remedy}");
            return Error::Invalid {
                code,
                at: Place::Body(pointer),
                why,
            };
        }
    }
    // What a type of ours finds wrong among its fields, once it has read them all.
    match message
        .strip_prefix("in `")
        .and_then(|rest| rest.split_once("`: "))
    {
        Some((field, why)) => Error::field(format!("{pointer}/{}", escape(field)), why),
        None => Error::field(pointer, message),
    }
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.extend(["/", &index.to_string()]),
            Segment::Map { key } => pointer.extend(["/", &escape(key)]),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// A name as it is written in a JSON pointer (RFC 6901).
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// For fields that `null` empties and that stay as they are when left out.
#[expect(clippy::option_option, reason = "left out and null are told apart")]
pub(super) fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only read from JSON")]
        name: String,
        #[expect(dead_code, reason = "only read from JSON")]
        #[serde(default)]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only read from JSON")]
        count: u8,
    }

    #[test]
    fn a_nul_is_refused_where_text_is_wanted_and_only_there() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only read from JSON")]
        struct Wanted {
            name: Option<String>,
            list: Option<Vec<String>>,
            raw: Option<Box<serde_json::value::RawValue>>,
        }
        for (body, at) in [
            (r#"{"name":"a\u0000"}"#, Some("/name")),
            (r#"{"name":"\\\u0000"}"#, Some("/name")),
            (r#"{"name":"\"\u0000\"" }"#, Some("/name")),
            (r#"{"name":"a\\u0000"}"#, None),
            (r#"{"name":"\"","list":["a","\u0000"]}"#, Some("/list/1")),
            (r#"{"raw":"\u0000"}"#, None),
            (r#"{"raw":{"\u0000" : ["a\u0000"]},"name":"ä\u0001"}"#, None),
            (r#"{"raw":"\u0000","name":"\u0000"}"#, Some("/name")),
        ] {
            let place = match read_kept::<Wanted>(body.as_bytes()) {
                Ok(_) => None,
                Err(error) => {
                    assert_eq!(error.code(), "invalid_field", "{body}: {error}");
                    assert!(error.to_string().contains("U+0000"), "{body}: {error}");
                    error.place().map(ToString::to_string)
                }
            };
            assert_eq!(place.as_deref(), at, "{body}");
        }
        let named = read_kept::<Wanted>(br#"{"\u0000":1}"#).expect_err("unknown");
        assert_eq!(named.code(), "unknown_field");
    }

    #[test]
    fn a_list_is_no_object_at_any_depth() {
        for (body, at) in [
            ("[]", ""),
            (r#"{"name":"a","inner":[[1]]}"#, "/inner/0"),
            (r#"{"inner":[{"count":1},[2]],"name":"a"}"#, "/inner/1"),
        ] {
            let error = read_kept::<Outer>(body.as_bytes()).expect_err(body);
            assert_eq!(error.code(), "invalid_field", "{body}: {error}");
            assert_eq!(error.place(), Some(&Place::body(at)), "{body}");
            assert!(
                error.to_string().starts_with("this must be a JSON object"),
                "{error}"
            );
        }
        let fine = r#"{"name":"a","inner":[{"count":1}]} "#;
        assert!(read_kept::<Outer>(fine.as_bytes()).is_ok());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let cases: [(&[u8], &str, Option<&str>); 12] = [
            (b"", "malformed", None),
            (b"{", "malformed", None),
            (b"{\"name\":\"a\"} x", "malformed", None),
            (b"{\"name\":\"\xff\"}", "malformed", None),
            (b"{\"name\":\"a\0\"}", "malformed", None),
            (b"[]", "missing_field", Some("/name")),
            (b"{}", "missing_field", Some("/name")),
            (b"{\"name\":1}", "invalid_field", Some("/name")),
            (
                b"{\"name\":\"a\",\"nom\":\"b\"}",
                "unknown_field",
                Some("/nom"),
            ),
            (
                b"{\"name\":\"a\",\"name\":\"b\"}",
                "duplicate_field",
                Some("/name"),
            ),
            (
                b"{\"name\":\"a\",\"inner\":[{\"count\":1},{\"count\":300}]}",
                "invalid_field",
                Some("/inner/1/count"),
            ),
            (
                b"{\"name\":\"a\",\"inner\":[{\"cou/nt\":1}]}",
                "unknown_field",
                Some("/inner/0/cou~1nt"),
            ),
        ];
        for (body, code, at) in cases {
            let shown = String::from_utf8_lossy(body);
            let error = read::<Outer>(body).expect_err(&shown);
            if body == b"[]" {
                // A list in place of an object: whatever is said, it is the body that is wrong.
                assert!(matches!(error, Error::Invalid { .. }), "{error}");
                continue;
            }
            assert_eq!(error.code(), code, "{shown}: {error}");
            let place = error.place().map(ToString::to_string);
            assert_eq!(place.as_deref(), at, "{shown}: {error}");
        }
    }
}
