//! The envelopes by name, and wrapping a payload in one.

use std::io::Write as _;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::cloudevent;
use crate::model::{AccountId, Timestamp, words};

/// What most bodies are.
pub(super) const JSON: &str = "application/json";

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
    /// CloudEvents 1.0 in the structured mode: one JSON object, with the payload as its `data`.
    CloudEvents,
    /// CloudEvents 1.0 in the binary mode: the payload is the body, and headers tell the rest.
    CloudEventsBinary,
}

/// The name of an envelope that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no envelope '{0}'; supported are raw, compact, event, cloudevents and cloudevents-binary"
)]
pub struct Error(String);

/// What an envelope may tell of an event.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence<'a> {
    /// Whose event it is.
    pub account: AccountId,
    /// What the receiver knows the delivery by.
    pub id: &'a str,
    /// The event's type.
    pub event_type: &'a str,
    /// The event's time, not the attempt's: a body is the same in every attempt.
    pub at: Timestamp,
    /// Valid JSON, as it came or as a transform made it.
    pub payload: &'a Bytes,
    /// The attributes of the CloudEvent that came in, a JSON object; `None`, if it was none.
    pub came_as: Option<&'a str>,
    /// Whether a transform has made the payload.
    pub is_made: bool,
}

/// What is sent of an event.
#[derive(Debug, Clone)]
pub struct Wrapped {
    /// The body, the same in every attempt.
    pub body: Bytes,
    /// What it is.
    pub content_type: HeaderValue,
    /// What the envelope tells beside it.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Wrapped {
    fn json(body: Bytes) -> Self {
        Self {
            body,
            content_type: HeaderValue::from_static(JSON),
            headers: Vec::new(),
        }
    }
}

words!(Envelope {
    Raw = "raw",
    Compact = "compact",
    Event = "event",
    CloudEvents = "cloudevents",
    CloudEventsBinary = "cloudevents-binary",
});

impl Envelope {
    /// The body that is delivered, and what tells of it. The payload stands in it byte for byte; `raw` copies nothing.
    pub fn wrap(self, occurrence: &Occurrence<'_>) -> Wrapped {
        match self {
            Self::Raw => Wrapped::json(occurrence.payload.clone()),
            Self::Compact => Wrapped::json(super::compact(occurrence.payload)),
            Self::Event => Wrapped::json(wrap_event(occurrence).into()),
            Self::CloudEvents => cloudevent::structured(occurrence),
            Self::CloudEventsBinary => cloudevent::binary(occurrence),
        }
    }
}

fn wrap_event(occurrence: &Occurrence<'_>) -> Vec<u8> {
    let Occurrence {
        event_type,
        at,
        payload,
        ..
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
        let unknown = || Error(name.chars().take(SHOWN_CHARS_MAX).collect());
        Self::from_word(name).ok_or_else(unknown)
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
            .description(Some("How the payload stands in the body: as it is, without white space, as data beside event and timestamp, or as a CloudEvent"))
            .into()
    }
}

impl ToSchema for Envelope {}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_ms(1_736_937_000_250);

    fn occurrence<'a>(event_type: &'a str, payload: &'a Bytes) -> Occurrence<'a> {
        Occurrence {
            account: AccountId::from_uuid(uuid::Uuid::nil()),
            id: "evt_7",
            event_type,
            at: AT,
            payload,
            came_as: None,
            is_made: false,
        }
    }

    #[test]
    fn raw_is_the_payload_itself() {
        let payload = Bytes::from_static(b" {\"a\" : 1, \"a\": \"\\u0000\"} ");
        let body = Envelope::Raw.wrap(&occurrence("a.b", &payload)).body;
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
            let wrapped = Envelope::Event.wrap(&occurrence(event_type, &payload));
            assert_eq!(wrapped.body, wanted);
            assert_eq!(wrapped.content_type, JSON);
        }
    }

    #[test]
    fn envelopes_by_name_and_no_others() {
        let names = [
            "raw",
            "compact",
            "event",
            "cloudevents",
            "cloudevents-binary",
        ];
        for name in names {
            let text = format!("\"{name}\"");
            let envelope: Envelope = serde_json::from_str(&text).expect(name);
            assert_eq!(serde_json::to_string(&envelope).expect("plain"), text);
        }
        for (text, wanted) in [
            (
                r#""soap""#,
                "no envelope 'soap'; supported are raw, compact, event, cloudevents and cloudevents-binary",
            ),
            ("{}", "expected a string"),
        ] {
            let error = serde_json::from_str::<Envelope>(text)
                .expect_err(text)
                .to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        let schema = serde_json::to_value(Envelope::schema()).expect("plain");
        assert_eq!(schema["enum"], serde_json::json!(names));
    }
}
