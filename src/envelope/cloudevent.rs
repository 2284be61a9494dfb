//! CloudEvents 1.0: a delivery as an event of that standard, in the structured or the binary mode of its HTTP binding
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>).
//!
//! What came in as a CloudEvent goes on as one: with its source, its time, its subject and its extensions, and, as long
//! as no transform has made something else of it, with its data as that was. Its `id` is the delivery's own, since one
//! event may go on as several. The payload stands in `data` byte for byte.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value};

use super::wrap::{JSON, Occurrence, Wrapped};

/// What a structured one is.
const STRUCTURED: &str = "application/cloudevents+json; charset=utf-8";
/// The attribute that says of which kind the data is.
const KIND: &str = "datacontenttype";
/// The member that holds data in base64, and the mark of a payload that is that.
const BASE64: &str = "data_base64";
/// What is said anew of each delivery.
const OWN: [&str; 4] = ["specversion", "id", "type", KIND];
/// What is true of the data that came, and of no other.
const OF_CONTENT: [&str; 3] = [KIND, "dataschema", BASE64];
/// What a header's value has percent-encoded, besides all that is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');
/// The braces and the names of what every CloudEvent has.
const WRAPPING_BYTES: usize = 320;

/// A CloudEvent to be written.
struct Written {
    /// By name, in their order; without the kind of the data.
    attributes: Vec<(String, Value)>,
    kind: String,
    /// Whether the payload is a string of base64.
    is_base64: bool,
}

impl Written {
    fn of(occurrence: &Occurrence<'_>) -> Self {
        // It was written by this server, as an object.
        let told = occurrence.came_as.map(serde_json::from_str);
        let mut told: Map<String, Value> = told.and_then(Result::ok).unwrap_or_default();
        if occurrence.is_made {
            told.retain(|name, _| !OF_CONTENT.contains(&name.as_str()));
        }
        let is_base64 = told.remove(BASE64) == Some(Value::Bool(true));
        let kind = match told.get(KIND) {
            Some(Value::String(kind)) => kind.clone(),
            _ => JSON.to_owned(),
        };
        let source = told
            .remove("source")
            .unwrap_or_else(|| format!("urn:throwbar:{}", occurrence.account).into());
        let time = told
            .remove("time")
            .unwrap_or_else(|| occurrence.at.to_string().into());
        let mut attributes = vec![
            ("specversion".to_owned(), Value::from("1.0")),
            ("id".to_owned(), occurrence.id.into()),
            ("source".to_owned(), source),
            ("type".to_owned(), occurrence.event_type.into()),
            ("time".to_owned(), time),
        ];
        let further = told.into_iter();
        attributes.extend(further.filter(|(name, _)| !OWN.contains(&name.as_str())));
        Self {
            attributes,
            kind,
            is_base64,
        }
    }
}

/// The event as one JSON object.
pub(super) fn structured(occurrence: &Occurrence<'_>) -> Wrapped {
    let event = Written::of(occurrence);
    let payload = occurrence.payload;
    let mut body = Vec::with_capacity(WRAPPING_BYTES + payload.len());
    body.push(b'{');
    let kind = (KIND.to_owned(), event.kind.into());
    for (name, value) in event.attributes.iter().chain([&kind]) {
        let name = Value::from(name.as_str());
        write!(body, "{name}:{value},").expect("memory takes every write");
    }
    let member = if event.is_base64 { BASE64 } else { "data" };
    write!(body, "\"{member}\":").expect("memory takes every write");
    body.extend_from_slice(payload);
    body.push(b'}');
    Wrapped {
        body: body.into(),
        content_type: HeaderValue::from_static(STRUCTURED),
        headers: Vec::new(),
    }
}

/// The event's attributes as headers, and its data as the body.
pub(super) fn binary(occurrence: &Occurrence<'_>) -> Wrapped {
    let event = Written::of(occurrence);
    let headers = event
        .attributes
        .iter()
        .filter_map(|(name, value)| header(name, value));
    let content_type = HeaderValue::from_bytes(event.kind.as_bytes());
    Wrapped {
        headers: headers.collect(),
        content_type: content_type.unwrap_or(HeaderValue::from_static(JSON)),
        body: data(&event, occurrence.payload),
    }
}

fn header(name: &str, value: &Value) -> Option<(HeaderName, HeaderValue)> {
    let text = match value {
        Value::String(text) => utf8_percent_encode(text, ENCODED).to_string(),
        other => other.to_string(),
    };
    // Names of attributes are letters and digits, and what is encoded is visible.
    let name = HeaderName::try_from(format!("ce-{name}")).ok()?;
    Some((name, HeaderValue::try_from(text).ok()?))
}

/// The data as it was before it became JSON.
fn data(event: &Written, payload: &Bytes) -> Bytes {
    if !event.is_base64 && is_json(&event.kind) {
        return payload.clone();
    }
    let text: Option<String> = serde_json::from_slice(payload).ok();
    let bytes = text.and_then(|text| {
        if event.is_base64 {
            STANDARD.decode(text).ok()
        } else {
            Some(text.into_bytes())
        }
    });
    bytes.map_or_else(|| payload.clone(), Bytes::from)
}

/// Whether a media type says that it is JSON.
fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    kind.ends_with("/json") || kind.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Envelope;
    use crate::model::{AccountId, Timestamp};

    const AT: Timestamp = Timestamp::from_ms(1_736_937_000_250);

    fn occurrence<'a>(payload: &'a Bytes, came_as: Option<&'a str>) -> Occurrence<'a> {
        Occurrence {
            account: AccountId::from_uuid(uuid::Uuid::nil()),
            id: "evt_7",
            event_type: "deal.won",
            at: AT,
            payload,
            came_as,
            is_made: false,
        }
    }

    #[test]
    fn an_event_of_another_kind_says_what_every_cloudevent_says() {
        let payload = Bytes::from_static(b" { \"k\":1, \"k\" : 1e500, \"n\":\"\\u0000\" } ");
        let wrapped = Envelope::CloudEvents.wrap(&occurrence(&payload, None));
        assert_eq!(
            wrapped.body,
            "{\"specversion\":\"1.0\",\"id\":\"evt_7\",\"source\":\"urn:throwbar:acc_00000000000000000000000000000000\",\
             \"type\":\"deal.won\",\"time\":\"2025-01-15T10:30:00.250Z\",\"datacontenttype\":\"application/json\",\
             \"data\": { \"k\":1, \"k\" : 1e500, \"n\":\"\\u0000\" } }"
        );
        assert_eq!(wrapped.content_type, STRUCTURED);
        assert!(wrapped.headers.is_empty());

        let wrapped = Envelope::CloudEventsBinary.wrap(&occurrence(&payload, None));
        assert_eq!(
            (wrapped.body.as_ptr(), wrapped.body.len()),
            (payload.as_ptr(), payload.len())
        );
        assert_eq!(wrapped.content_type, "application/json");
        let named: Vec<_> = wrapped
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(
            named,
            ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time"]
        );
    }

    #[test]
    fn what_came_as_a_cloudevent_goes_on_as_it_was() {
        let attributes = r#"{"specversion":"1.0","id":"A 1","source":"https://crm.example/","type":"deal.won","subject":"grün 100%\"","time":"2025-01-15T10:30:00.250123Z","partof":"x","count":7,"final":true,"dataschema":"https://s.example/1","datacontenttype":"image/png","data_base64":true}"#;
        let payload = Bytes::from_static(b"\"//4=\"");
        let came = occurrence(&payload, Some(attributes));
        let wrapped = Envelope::CloudEvents.wrap(&came);
        let shown: Value = serde_json::from_slice(&wrapped.body).expect("JSON");
        let wanted = serde_json::json!({
            "specversion": "1.0", "id": "evt_7", "source": "https://crm.example/", "type": "deal.won",
            "subject": "grün 100%\"", "time": "2025-01-15T10:30:00.250123Z", "partof": "x", "count": 7, "final": true,
            "dataschema": "https://s.example/1", "datacontenttype": "image/png", "data_base64": "//4=",
        });
        assert_eq!(shown, wanted);

        let wrapped = Envelope::CloudEventsBinary.wrap(&came);
        assert_eq!(wrapped.body, [0xff_u8, 0xfe].as_slice());
        assert_eq!(wrapped.content_type, "image/png");
        let value = |name: &str| {
            let mut headers = wrapped.headers.iter();
            let found = headers.find(|(known, _)| *known == name);
            found.and_then(|(_, value)| value.to_str().ok())
        };
        assert_eq!(value("ce-subject"), Some("gr%C3%BCn%20100%25%22"));
        assert_eq!(
            (value("ce-count"), value("ce-final")),
            (Some("7"), Some("true"))
        );
        assert_eq!(value("ce-id"), Some("evt_7"));

        let output = Bytes::from_static(b"{}");
        let made = Occurrence {
            payload: &output,
            is_made: true,
            ..came
        };
        let shown: Value =
            serde_json::from_slice(&Envelope::CloudEvents.wrap(&made).body).expect("JSON");
        assert_eq!(shown["datacontenttype"], "application/json");
        assert_eq!(
            (&shown["data"], &shown["subject"]),
            (&serde_json::json!({}), &wanted["subject"])
        );
        assert!(shown.get("dataschema").is_none() && shown.get(BASE64).is_none());
    }

    #[test]
    fn text_is_text_again_in_the_binary_mode() {
        for (kind, payload, wanted) in [
            ("text/plain", "\"a\\nb\"", "a\nb"),
            (
                "application/problem+json; charset=utf-8",
                "\"a\\nb\"",
                "\"a\\nb\"",
            ),
            ("text/plain", "{}", "{}"),
        ] {
            let attributes = serde_json::json!({"datacontenttype": kind}).to_string();
            let payload = Bytes::from_static(payload.as_bytes());
            let wrapped =
                Envelope::CloudEventsBinary.wrap(&occurrence(&payload, Some(&attributes)));
            assert_eq!(wrapped.body, wanted, "{kind}");
            assert_eq!(wrapped.content_type, kind);
        }
    }
}
