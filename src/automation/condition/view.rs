//! What expressions see: an event, or a request that is to become one. What is JSON is read when the first
//! expression asks for it and kept for the others; what no expression looks into is never read.

use std::sync::OnceLock;

use crate::automation::EventType;
use crate::model::{EventId, Timestamp};

use super::expression::Root;
use super::json::Json;
use super::value::Value;

/// JSON that is read once, if at all.
#[derive(Debug)]
struct Lazy<'a> {
    text: &'a [u8],
    json: OnceLock<Result<Json<'a>, String>>,
}

impl<'a> Lazy<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            json: OnceLock::new(),
        }
    }

    fn json(&self) -> Result<&Json<'a>, &str> {
        let read = || serde_json::from_slice(self.text).map_err(|error| error.to_string());
        self.json.get_or_init(read).as_ref().map_err(String::as_str)
    }
}

/// An event under the eyes of conditions. Make one per event and show it to each condition.
#[derive(Debug)]
pub struct EventView<'a> {
    id: EventId,
    event_type: &'a EventType,
    timestamp: Timestamp,
    source: Option<&'a str>,
    cloudevent: Option<Lazy<'a>>,
    payload: Lazy<'a>,
}

impl<'a> EventView<'a> {
    /// The event with this id, type, time and payload (JSON bytes, as they came), without a
    /// source.
    pub fn new(
        id: EventId,
        event_type: &'a EventType,
        timestamp: Timestamp,
        payload: &'a [u8],
    ) -> Self {
        Self {
            id,
            event_type,
            timestamp,
            source: None,
            cloudevent: None,
            payload: Lazy::new(payload),
        }
    }

    /// The same event, which came from `source`: what `event.source` says.
    #[must_use]
    pub fn with_source(mut self, source: &'a str) -> Self {
        self.source = Some(source);
        self
    }

    /// The same event, which was a CloudEvent with these attributes (a JSON object): what
    /// `event.cloudevent` says.
    #[must_use]
    pub fn with_cloudevent(mut self, attributes: &'a str) -> Self {
        self.cloudevent = Some(Lazy::new(attributes.as_bytes()));
        self
    }

    /// Whether a condition has looked into the payload.
    #[cfg(test)]
    pub(super) fn was_read(&self) -> bool {
        self.payload.json.get().is_some()
    }

    fn root(&self, root: Root) -> Result<Option<Value<'_>>, String> {
        match root {
            Root::Id => Ok(Some(Value::Text(self.id.to_string().into()))),
            Root::Type => Ok(Some(Value::Text(self.event_type.as_str().into()))),
            Root::Source => Ok(self.source.map(|source| Value::Text(source.into()))),
            Root::Timestamp => match jiff::Timestamp::from_millisecond(self.timestamp.as_ms()) {
                Ok(time) => Ok(Some(Value::Time(time))),
                Err(_) => Err("`event.timestamp` is beyond year 9999".to_owned()),
            },
            Root::CloudEvent => match &self.cloudevent {
                None => Ok(None),
                Some(attributes) => read(attributes, "the attributes"),
            },
            Root::Payload => read(&self.payload, "the payload"),
            Root::Headers | Root::Body | Root::Query => Ok(None),
        }
    }
}

/// A request under the eyes of mappings. Each part is JSON.
#[derive(Debug)]
pub struct RequestView<'a> {
    headers: Lazy<'a>,
    body: Lazy<'a>,
    query: Lazy<'a>,
}

impl<'a> RequestView<'a> {
    /// The request with this body, JSON bytes as they came; with these headers, an object of strings under
    /// names in lower case; and with this query, an object of strings and lists of strings.
    pub fn new(headers: &'a str, body: &'a [u8], query: &'a str) -> Self {
        Self {
            headers: Lazy::new(headers.as_bytes()),
            body: Lazy::new(body),
            query: Lazy::new(query.as_bytes()),
        }
    }

    fn root(&self, root: Root) -> Result<Option<Value<'_>>, String> {
        match root {
            Root::Headers => read(&self.headers, "the headers"),
            Root::Body => read(&self.body, "the body"),
            Root::Query => read(&self.query, "the query"),
            _ => Ok(None),
        }
    }
}

fn read<'v>(lazy: &'v Lazy<'_>, what: &str) -> Result<Option<Value<'v>>, String> {
    match lazy.json() {
        Ok(json) => Ok(Some(json.into())),
        Err(message) => Err(format!("{what} can't be read as JSON: {message}")),
    }
}

/// What an expression is evaluated on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seen<'v, 'a> {
    Event(&'v EventView<'a>),
    Request(&'v RequestView<'a>),
}

impl<'v> Seen<'v, '_> {
    /// What a root is worth: nothing, if there is none; or a sentence that says why that can't be said.
    pub(super) fn root(self, root: Root) -> Result<Option<Value<'v>>, String> {
        match self {
            Self::Event(view) => view.root(root),
            Self::Request(view) => view.root(root),
        }
    }
}

impl<'v, 'a> From<&'v EventView<'a>> for Seen<'v, 'a> {
    fn from(view: &'v EventView<'a>) -> Self {
        Self::Event(view)
    }
}

impl<'v, 'a> From<&'v RequestView<'a>> for Seen<'v, 'a> {
    fn from(view: &'v RequestView<'a>) -> Self {
        Self::Request(view)
    }
}
