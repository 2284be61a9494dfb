//! CloudEvents 1.0: another spelling of an event. Whatever way one came, it becomes the same event as in the
//! API's own form, by the same checks.
//!
//! | of the CloudEvent | becomes |
//! | --- | --- |
//! | `type` | the event's type, by its grammar |
//! | `source` and `id` | the event's id: the same pair twice is the same event, as the standard says |
//! | `time` | its timestamp |
//! | `data`, `data_base64`, a body | its payload |
//! | all attributes and extensions | what `event.cloudevent` says in conditions |
//!
//! Payloads are JSON. Data of another kind is kept as the JSON format of CloudEvents writes it: text as a
//! string, bytes as a string of base64, and then the attributes have `"data_base64": true`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::cloudevent_form::{Form, is_json, read_structured};
use super::envelopes::Envelopes;
use super::intake::{KEY_HEADER, NewEvent};
use super::principal::{MaySend, Principal};
use super::{Error, Place, Service, check, json};
use crate::model::limits::{BATCH_EVENTS_MAX, CLIENT_KEY_BYTES_MAX, CLOUDEVENT_BYTES_MAX};
use crate::model::{AccountId, Origin};
use crate::pipeline::Acknowledged;
use crate::store::{self, KeyOf};

/// The attribute that says of which kind the data is.
const KIND: &str = "datacontenttype";
/// The member that holds data in base64, and the mark of a payload that is that.
const BASE64: &str = "data_base64";

/// A CloudEvent as it came.
#[derive(Debug, Clone)]
pub enum CloudEvent {
    /// In structured mode: a JSON object.
    Structured(Bytes),
    /// In binary mode: attributes by name, without `ce-`, and the body.
    Binary {
        /// The attributes, and the `Content-Type` as `datacontenttype`.
        attributes: Vec<(String, String)>,
        /// The data.
        body: Bytes,
    },
}

/// A CloudEvent in parts, in whatever form it came.
pub(super) struct Parts {
    pub(super) form: Form,
    /// Texts, whole numbers and truth values by name.
    pub(super) attributes: Map<String, Value>,
    pub(super) content: Content,
}

/// What came as the data.
pub(super) enum Content {
    /// Nothing.
    None,
    /// A JSON value.
    Json(Bytes),
    /// Text in base64, as a JSON string.
    Base64(Bytes),
    /// Bytes of whatever kind.
    Bytes(Bytes),
}

impl Service {
    /// Takes one CloudEvent; returns when it is durable. `key`: the idempotency key from the header.
    pub async fn send_cloudevent(
        &self,
        who: &Principal<MaySend>,
        event: CloudEvent,
        key: Option<&str>,
    ) -> Result<Acknowledged, Error> {
        if let Some(key) = key {
            check::client_key(key, Place::Header(KEY_HEADER))?;
        }
        let parts = match event {
            CloudEvent::Structured(body) => read_structured(&body, &body)?,
            CloudEvent::Binary { attributes, body } => Parts::of_binary(attributes, body)?,
        };
        let event = self.of_cloudevent(who.account(), parts, key)?;
        self.take_one(event).await
    }

    /// Takes a JSON array of CloudEvents, each answered by itself, as [`Service::send_batch`] does.
    pub async fn send_cloudevents(
        &self,
        who: &Principal<MaySend>,
        body: &Bytes,
        key: Option<&str>,
    ) -> Result<Vec<Result<Acknowledged, Error>>, Error> {
        if let Some(key) = key {
            check::client_key(key, Place::Header(KEY_HEADER))?;
        }
        let Envelopes { first, count } = read_list(body)?;
        if count > BATCH_EVENTS_MAX {
            let why = format!("the batch has {count} events: {BATCH_EVENTS_MAX} at most");
            return Err(Error::field("", why));
        }
        let read_one = |(place, event): (usize, &RawValue)| {
            let derived = key.map(|key| format!("{key}#{place}"));
            let parts = read_structured(body, event.get().as_bytes())?;
            self.of_cloudevent(who.account(), parts, derived.as_deref())
        };
        let events = first.into_iter().enumerate().map(read_one);
        self.take(who.account(), events.collect()).await
    }

    /// Takes one event that came in another form than the API's own; returns when it is durable.
    pub(super) async fn take_one(&self, event: store::NewEvent) -> Result<Acknowledged, Error> {
        let mut taken = self.take(event.account, vec![Ok(event)]).await?;
        taken.pop().unwrap_or(Err(Error::Unavailable))
    }

    /// The event that a CloudEvent is.
    fn of_cloudevent(
        &self,
        account: AccountId,
        parts: Parts,
        key: Option<&str>,
    ) -> Result<store::NewEvent, Error> {
        let Parts {
            form,
            mut attributes,
            content,
        } = parts;
        form.check(&attributes)?;
        let kind = text(&attributes, KIND).map(str::to_owned);
        let (payload, is_base64) = payload(form, content, kind.as_deref())?;
        if is_base64 {
            attributes.insert(BASE64.to_owned(), Value::Bool(true));
        }
        let required = |name: &str| text(&attributes, name).unwrap_or_default();
        let known_as = (KeyOf::CloudEvent, pair(required("source"), required("id")));
        let time = text(&attributes, "time").map(str::to_owned);
        let data = data(&payload)?;
        let envelope = NewEvent::of(required("type"), data, (Some(known_as), time));
        let event = self.incoming(account, &payload, envelope, key);
        let event = event.map_err(|error| form.told(error))?;
        let origin = to_raw_value(&attributes)
            .map_err(|error| Error::unreadable("the attributes", error))?;
        if origin.get().len() > CLOUDEVENT_BYTES_MAX {
            return Err(Error::TooLarge {
                what: "the attributes",
                bytes_max: CLOUDEVENT_BYTES_MAX,
            });
        }
        Ok(store::NewEvent {
            origin: Some(Origin::of_cloudevent(origin).into()),
            ..event
        })
    }
}

/// The events of a batch, each as its own text.
fn read_list(body: &Bytes) -> Result<Envelopes<'_>, Error> {
    json::text(body)?;
    json::read(body)
}

impl Parts {
    fn of_binary(attributes: Vec<(String, String)>, body: Bytes) -> Result<Self, Error> {
        let mut named = Map::new();
        for (name, value) in attributes {
            if named.insert(name.clone(), Value::String(value)).is_some() {
                let why = format!("the attribute {name} is there more than once: send it once");
                return Err(Form::Binary.refused(&name, why));
            }
        }
        let content = if body.is_empty() {
            Content::None
        } else {
            Content::Bytes(body)
        };
        Ok(Self {
            form: Form::Binary,
            attributes: named,
            content,
        })
    }
}

/// The text of an attribute, if there is one.
fn text<'a>(attributes: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    attributes.get(name).and_then(Value::as_str)
}

/// What an event is known by: its source and its id, with a space between, which a source can't have. What
/// is longer than an id may be is told by its SHA-256.
pub(super) fn pair(source: &str, id: &str) -> String {
    let pair = format!("{source} {id}");
    if pair.len() <= CLIENT_KEY_BYTES_MAX {
        return pair;
    }
    format!("sha256:{}", hex::encode(Sha256::digest(pair.as_bytes())))
}

fn data(payload: &Bytes) -> Result<&RawValue, Error> {
    serde_json::from_slice(payload).map_err(|error| Error::unreadable("the payload", error))
}

/// The payload, which is JSON, and whether it is a string of base64.
fn payload(form: Form, content: Content, kind: Option<&str>) -> Result<(Bytes, bool), Error> {
    let must_be_json = kind.is_some_and(is_json);
    let may_be_json = kind.is_none_or(is_json);
    let (bytes, encoded) = match content {
        Content::None => return Ok((Bytes::from_static(b"null"), false)),
        Content::Json(value) => return Ok((value, false)),
        Content::Base64(string) => {
            let text: String = serde_json::from_slice(&string)
                .map_err(|error| Error::unreadable("the data", error))?;
            let bytes = STANDARD.decode(text).map_err(|_| {
                let why = "data_base64 is not standard base64: encode the data so, or send data";
                form.refused(BASE64, why)
            })?;
            (Bytes::from(bytes), Some(string))
        }
        Content::Bytes(bytes) => (bytes, None),
    };
    if may_be_json {
        match serde_json::from_slice::<&RawValue>(&bytes) {
            Ok(value) => return Ok((bytes.slice_ref(value.get().as_bytes()), false)),
            Err(error) if must_be_json => {
                let why =
                    format!("the data is not JSON, which datacontenttype says it is: {error}");
                return Err(form.refused(form.content_name(), why));
            }
            Err(_) => {}
        }
    }
    let as_string = |text: &str| Bytes::from(Value::from(text).to_string());
    Ok(match (encoded, std::str::from_utf8(&bytes)) {
        (Some(string), _) => (string, true),
        (None, Ok(text)) => (as_string(text), false),
        (None, Err(_)) => (as_string(&STANDARD.encode(&bytes)), true),
    })
}

#[cfg(test)]
#[path = "cloudevent_tests.rs"]
mod tests;
