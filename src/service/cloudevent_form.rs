//! The two forms of a CloudEvent, what must hold of its attributes in either, and the names under which what
//! is wrong is told: the member's in structured mode, the header's in binary mode.

use std::fmt;

use bytes::Bytes;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::cloudevent::{Content, Parts};
use super::json::{escape, read_object};
use super::{Error, Place};

/// What every CloudEvent has.
const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];
/// What is a text wherever it is.
const TEXTS: [&str; 4] = ["subject", "time", "datacontenttype", "dataschema"];
/// Longest name of an attribute.
const NAME_BYTES_MAX: usize = 100;
/// How much of a wrong value is shown again.
const SHOWN_CHARS_MAX: usize = 80;

/// How a CloudEvent came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As JSON.
    Structured,
    /// As headers and a body.
    Binary,
}

impl Form {
    /// Where an attribute is, or the data.
    fn place(self, name: &str) -> Place {
        match (self, name) {
            (Self::Binary, "specversion") => Place::Header("ce-specversion"),
            (Self::Binary, "id") => Place::Header("ce-id"),
            (Self::Binary, "source") => Place::Header("ce-source"),
            (Self::Binary, "type") => Place::Header("ce-type"),
            (Self::Binary, "time") => Place::Header("ce-time"),
            (Self::Binary, "subject") => Place::Header("ce-subject"),
            (Self::Binary, "dataschema") => Place::Header("ce-dataschema"),
            (Self::Binary, "datacontenttype") => Place::Header("Content-Type"),
            (Self::Binary, "data") => Place::body(""),
            (Self::Binary, _) => Place::Header("ce-*"),
            (Self::Structured, name) => Place::body(format!("/{}", escape(name))),
        }
    }

    /// What the data is called where it may be base64.
    pub(super) fn content_name(self) -> &'static str {
        match self {
            Self::Structured => "data_base64",
            Self::Binary => "data",
        }
    }

    /// An attribute, or the data, that can't be so.
    pub(super) fn refused(self, name: &str, why: impl fmt::Display) -> Error {
        Error::Invalid {
            code: "invalid_attribute",
            at: self.place(name),
            why: why.to_string(),
        }
    }

    /// What is wrong with an event, in the words of its CloudEvent.
    pub(super) fn told(self, error: Error) -> Error {
        let Error::Invalid {
            code,
            at: Place::Body(pointer),
            why,
        } = error
        else {
            return error;
        };
        let name = match pointer.as_str() {
            "/timestamp" => "time",
            "/idempotency_key" | "" => {
                let at = Place::Body(pointer);
                return Error::Invalid { code, at, why };
            }
            other => other.trim_start_matches('/'),
        };
        let why = match name {
            "data" => why,
            name => format!("the attribute {name}: {why}"),
        };
        Error::Invalid {
            code,
            at: self.place(name),
            why,
        }
    }

    /// Whether the attributes are a CloudEvent's.
    pub(super) fn check(self, attributes: &Map<String, Value>) -> Result<(), Error> {
        for name in REQUIRED {
            if !attributes.contains_key(name) {
                return Err(Error::Invalid {
                    code: "missing_attribute",
                    at: self.place(name),
                    why: format!("a CloudEvent has the attribute {name}: add it"),
                });
            }
        }
        for (name, value) in attributes {
            self.check_name(name)?;
            self.check_value(name, value)?;
        }
        let version = attributes["specversion"].as_str().unwrap_or_default();
        if version != "1.0" {
            let shown: String = version.chars().take(SHOWN_CHARS_MAX).collect();
            let why = format!("the version of CloudEvents is '{shown}': 1.0 is supported");
            return Err(self.refused("specversion", why));
        }
        let source = attributes["source"].as_str().unwrap_or_default();
        if source.chars().any(char::is_whitespace) {
            let why = "the attribute source is a URI reference, which has no white space";
            return Err(self.refused("source", why));
        }
        Ok(())
    }

    fn check_name(self, name: &str) -> Result<(), Error> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits) {
            return Ok(());
        }
        let shown: String = name.chars().take(SHOWN_CHARS_MAX).collect();
        let why = format!(
            "'{shown}' is no name of an attribute: those are lower-case ASCII letters and digits"
        );
        Err(self.refused(&shown, why))
    }

    fn check_value(self, name: &str, value: &Value) -> Result<(), Error> {
        let must_be_text = REQUIRED.contains(&name) || TEXTS.contains(&name);
        let why = match value {
            Value::String(text) if must_be_text && text.is_empty() => {
                format!("the attribute {name} is empty: leave it out, or say something")
            }
            Value::String(text) if text.chars().any(char::is_control) => {
                format!("the attribute {name} has control characters: remove them")
            }
            Value::String(_) => return Ok(()),
            _ if must_be_text => format!("the attribute {name} must be a string"),
            Value::Bool(_) => return Ok(()),
            Value::Number(number) if number.is_i64() || number.is_u64() => return Ok(()),
            _ => format!("the attribute {name} must be a string, a whole number, true or false"),
        };
        Err(self.refused(name, why))
    }
}

/// Whether a media type says that it is JSON.
pub(super) fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    let (_, subtype) = kind.split_once('/').unwrap_or_default();
    subtype == "json" || subtype.ends_with("+json")
}

/// The members of an object, in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a CloudEvent")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
                let mut members: Vec<(String, &'de RawValue)> = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(M::Error::custom(format!("duplicate field `{name}`")));
                    }
                    let value = map.next_value()?;
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Reads a CloudEvent from its JSON, `text`, which is a part of `body`.
pub(super) fn read_structured(body: &Bytes, text: &[u8]) -> Result<Parts, Error> {
    let Members(members) = read_object(text)?;
    let mut attributes = Map::new();
    let (mut json, mut base64) = (None, None);
    for (name, value) in members {
        let slice = || body.slice_ref(value.get().as_bytes());
        match name.as_str() {
            "data" => json = Some(slice()),
            // Of an attribute null says that it is not there.
            _ if value.get() == "null" => {}
            "data_base64" if !value.get().starts_with('"') => {
                let why = "data_base64 must be a string of base64";
                return Err(Form::Structured.refused("data_base64", why));
            }
            "data_base64" => base64 = Some(slice()),
            _ => {
                let value = serde_json::from_str(value.get()).map_err(|error| {
                    let why = format!("the attribute {name} can't be read: {error}");
                    Form::Structured.refused(&name, why)
                })?;
                attributes.insert(name, value);
            }
        }
    }
    let content = match (json, base64) {
        (Some(_), Some(_)) => {
            let why = "the data is there twice: send data or data_base64, not both";
            return Err(Form::Structured.refused("data_base64", why));
        }
        (Some(value), None) => Content::Json(value),
        (None, Some(string)) => Content::Base64(string),
        (None, None) => Content::None,
    };
    Ok(Parts {
        form: Form::Structured,
        attributes,
        content,
    })
}
