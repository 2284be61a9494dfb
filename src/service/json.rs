//! Reading JSON that a user wrote, with the place of what is wrong in it.

use serde::Deserialize;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::{Error, Place};

/// Reads a body. The usual case costs nothing extra; only what can't be read is read a second
/// time, to find its place.
pub fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Error> {
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
    Error::field(pointer, message)
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
fn escape(name: &str) -> String {
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
