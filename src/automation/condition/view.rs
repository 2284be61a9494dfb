//! An event as conditions see it. Its payload is read when the first condition asks for it and
//! kept for the others; an event no condition looks into is never read.

use std::sync::OnceLock;

use crate::automation::EventType;
use crate::model::{EventId, Timestamp};

use super::json::Json;

/// An event under the eyes of conditions. Make one per event and show it to each condition.
#[derive(Debug)]
pub struct EventView<'a> {
    pub(super) id: EventId,
    pub(super) event_type: &'a EventType,
    pub(super) timestamp: Timestamp,
    pub(super) source: Option<&'a str>,
    payload: &'a [u8],
    json: OnceLock<Result<Json<'a>, String>>,
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
            payload,
            json: OnceLock::new(),
        }
    }

    /// The same event, which came from `source`: what `event.source` says.
    #[must_use]
    pub fn with_source(mut self, source: &'a str) -> Self {
        self.source = Some(source);
        self
    }

    /// Whether a condition has looked into the payload.
    #[cfg(test)]
    pub(super) fn was_read(&self) -> bool {
        self.json.get().is_some()
    }

    pub(super) fn json(&self) -> Result<&Json<'a>, &str> {
        let read = || serde_json::from_slice(self.payload).map_err(|error| error.to_string());
        self.json.get_or_init(read).as_ref().map_err(String::as_str)
    }
}
