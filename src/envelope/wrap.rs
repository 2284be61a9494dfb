//! The envelopes by name, and wrapping a payload in one. Envelopes that are not built are refused
//! by name.

use std::io::Write as _;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::model::{Timestamp, words};

/// How much of a wrong name is shown again.
const SHOWN_CHARS_MAX: usize = 80;
/// `{"event":"","timestamp":"2026-05-04T10:30:00.000Z","data":}`: what a wrapping adds to the
/// payload and the event type, if that needs no escapes.
const WRAPPING_BYTES: usize = 60;

/// How the payload stands in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Envelope {
    /// The payload is the body.
    #[default]
    Raw,
    /// The payload without the white space between its parts; key order and spelling stay.
    Compact,
    /// `{"event":…,"timestamp":…,"data":…}`: exactly these three, in this order.
    Event,
}

/// Why the name of an envelope was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An envelope that is planned.
    #[error("the envelope '{0}' is not built yet; supported are raw, compact and event")]
    NotBuilt(String),
    /// An envelope that nobody planned.
    #[error("there is no envelope '{0}'; supported are raw, compact and event")]
    Unknown(String),
}

/// What an envelope may tell of an event.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence<'a> {
    /// The event's type.
    pub event_type: &'a str,
    /// The event's time, not the attempt's: a body is the same in every attempt.
    pub at: Timestamp,
    /// Valid JSON, as it came or as a transform made it.
    pub payload: &'a Bytes,
}

words!(Envelope {
    Raw = "raw",
    Compact = "compact",
    Event = "event",
});

impl Envelope {
    /// The body that is delivered. The payload stands in it byte for byte; `raw` copies nothing.
    pub fn wrap(self, occurrence: &Occurrence<'_>) -> Bytes {
        match self {
            Self::Raw => occurrence.payload.clone(),
            Self::Compact => super::compact(occurrence.payload),
            Self::Event => wrap_event(occurrence).into(),
        }
    }
}

fn wrap_event(occurrence: &Occurrence<'_>) -> Vec<u8> {
    let Occurrence {
        event_type,
        at,
        payload,
    } = *occurrence;
    let mut body = Vec::with_capacity(WRAPPING_BYTES + event_type.len() + payload.len());
    body.extend_from_slice(b"{\"event\":");
    serde_json::to_writer(&mut body, event_type).expect("a text is JSON and memory takes it");
    write!(body, ",\"timestamp\":\"{at}\",\"data\":").expect("memory takes every write");
    body.extend_from_slice(payload);
    body.push(b'}');
    body
}

impl std::str::FromStr for Envelope {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self, Error> {
        match (Self::from_word(name), name) {
            (Some(envelope), _) => Ok(envelope),
            (None, "cloudevents") => Err(Error::NotBuilt(name.to_owned())),
            (None, _) => Err(Error::Unknown(name.chars().take(SHOWN_CHARS_MAX).collect())),
        }
    }
}

impl TryFrom<String> for Envelope {
    type Error = Error;
    fn try_from(name: String) -> Result<Self, Error> {
        name.parse()
    }
}

impl From<Envelope> for &'static str {
    fn from(envelope: Envelope) -> Self {
        envelope.as_str()
    }
}

impl PartialSchema for Envelope {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(Self::ALL.iter().map(|envelope| envelope.as_str())))
            .description(Some("How the payload stands in the body: as it is, or as data beside event and timestamp"))
            .into()
    }
}

impl ToSchema for Envelope {}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_ms(1_736_937_000_250);

    #[test]
    fn raw_is_the_payload_itself() {
        let payload = Bytes::from_static(b" {\"a\" : 1, \"a\": \"\\u0000\"} ");
        let occurrence = Occurrence {
            event_type: "a.b",
            at: AT,
            payload: &payload,
        };
        let body = Envelope::Raw.wrap(&occurrence);
        assert_eq!(
            (body.as_ptr(), body.len()),
            (payload.as_ptr(), payload.len()),
            "no copy"
        );
    }

    #[test]
    fn event_has_exactly_three_fields_and_the_payload_s_own_bytes() {
        for (event_type, payload, wanted) in [
            (
                "contact.created",
                r#"{"id":"7d2c","first_name":"Zoë","amount":1.0}"#,
                r#"{"event":"contact.created","timestamp":"2025-01-15T10:30:00.250Z","data":{"id":"7d2c","first_name":"Zoë","amount":1.0}}"#,
            ),
            (
                "odd\"\\\n",
                r#" { "k":1, "k" : 1e500, "n":"\u0000" } "#,
                r#"{"event":"odd\"\\\n","timestamp":"2025-01-15T10:30:00.250Z","data": { "k":1, "k" : 1e500, "n":"\u0000" } }"#,
            ),
            (
                "t",
                "null",
                r#"{"event":"t","timestamp":"2025-01-15T10:30:00.250Z","data":null}"#,
            ),
        ] {
            let payload = Bytes::from_static(payload.as_bytes());
            let body = Envelope::Event.wrap(&Occurrence {
                event_type,
                at: AT,
                payload: &payload,
            });
            assert_eq!(body, wanted);
        }
    }

    #[test]
    fn envelopes_by_name_and_no_others() {
        for name in ["raw", "compact", "event"] {
            let text = format!("\"{name}\"");
            let envelope: Envelope = serde_json::from_str(&text).expect(name);
            assert_eq!(serde_json::to_string(&envelope).expect("plain"), text);
        }
        for (text, wanted) in [
            (
                r#""cloudevents""#,
                "'cloudevents' is not built yet; supported are raw, compact and event",
            ),
            (
                r#""soap""#,
                "no envelope 'soap'; supported are raw, compact and event",
            ),
            ("{}", "expected a string"),
        ] {
            let error = serde_json::from_str::<Envelope>(text)
                .expect_err(text)
                .to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        let schema = serde_json::to_value(Envelope::schema()).expect("plain");
        assert_eq!(
            schema["enum"],
            serde_json::json!(["raw", "compact", "event"])
        );
    }
}
