//! The body of a digest:
//!
//! ```json
//! {"digest":{"automation":"aut_…","key":"42","count":2,"from":"2026-…Z","to":"2026-…Z"},
//!  "events":[{"id":"evt_…","type":"deal.won","timestamp":"2026-…Z","data":{…}}, …]}
//! ```
//!
//! Events stand in the order in which they came, each `data` as the bytes it came as. `key` is null where the
//! automation names none; `from` and `to` are the times at which the first and the last one were accepted, or made.
//! The same events make the same bytes.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::automation::EventType;
use crate::model::{AutomationId, EventId, Timestamp};

/// An event's bytes in a digest besides its type and its payload, with the comma.
const ENTRY_BYTES: usize = 103;

/// An event of a digest.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its id.
    pub id: EventId,
    /// Its type.
    pub event_type: EventType,
    /// Its own time.
    pub occurred_at: Timestamp,
    /// JSON text, exactly as it came.
    pub payload: Bytes,
}

/// What an event has in a digest, about: times beyond year 9999 have more.
pub fn entry_bytes(event_type: &EventType, payload_bytes: usize) -> i64 {
    (ENTRY_BYTES + event_type.as_str().len() + payload_bytes) as i64
}

/// The body of a digest of these events, which are in order.
pub fn digest(automation: AutomationId, key: &str, entries: &[Entry]) -> Bytes {
    let payloads: usize = entries
        .iter()
        .map(|it| it.payload.len() + 2 * ENTRY_BYTES)
        .sum();
    let mut body = Vec::with_capacity(512 + payloads);
    let key = if key.is_empty() {
        Value::Null
    } else {
        Value::from(key)
    };
    let time = |entry: Option<&Entry>| match entry {
        Some(entry) => Value::from(entry.id.accepted_at(entry.occurred_at).to_string()),
        None => Value::Null,
    };
    let head = format!(
        r#"{{"digest":{{"automation":"{automation}","key":{key},"count":{},"from":{},"to":{}}},"events":["#,
        entries.len(),
        time(entries.first()),
        time(entries.last()),
    );
    body.extend_from_slice(head.as_bytes());
    for (place, entry) in entries.iter().enumerate() {
        if place > 0 {
            body.push(b',');
        }
        // Names of event types need no escapes.
        let head = format!(
            r#"{{"id":"{}","type":"{}","timestamp":"{}","data":"#,
            entry.id,
            entry.event_type.as_str(),
            entry.occurred_at
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&entry.payload);
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    body.into()
}

/// The events of a digest with this body, in order.
pub fn events_of(body: &[u8]) -> Vec<EventId> {
    #[derive(Deserialize)]
    struct Body {
        events: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        id: EventId,
    }
    let read: Option<Body> = serde_json::from_slice(body).ok();
    let events = read.map(|body| body.events).unwrap_or_default();
    events.into_iter().map(|event| event.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_stand_in_order_and_byte_for_byte() {
        let at = Timestamp::from_ms(1_790_000_000_000);
        let entry = |ms, payload: &'static str| Entry {
            id: EventId::mint(at.plus_ms(ms)),
            event_type: "deal.won".parse().expect("valid"),
            occurred_at: at,
            payload: Bytes::from_static(payload.as_bytes()),
        };
        let entries = [entry(0, r#"{"n": 1e999}"#), entry(1_500, "null")];
        let automation = AutomationId::mint(at);
        let body = digest(automation, "4\"2", &entries);
        let wanted = format!(
            r#"{{"digest":{{"automation":"{automation}","key":"4\"2","count":2,"from":"2026-09-21T14:13:20.000Z","to":"2026-09-21T14:13:21.500Z"}},"events":[{{"id":"{}","type":"deal.won","timestamp":"2026-09-21T14:13:20.000Z","data":{{"n": 1e999}}}},{{"id":"{}","type":"deal.won","timestamp":"2026-09-21T14:13:20.000Z","data":null}}]}}"#,
            entries[0].id, entries[1].id
        );
        assert_eq!(String::from_utf8_lossy(&body), wanted);
        assert_eq!(events_of(&body), entries.each_ref().map(|entry| entry.id));
        let lone = digest(automation, "", &entries[..1]);
        assert!(String::from_utf8_lossy(&lone).contains(r#""key":null"#));
        // What is counted for an event is what it takes, its comma included.
        let second = (body.len() - lone.len()) as i64 - "\"4\\\"2\"".len() as i64 + 4;
        assert_eq!(entry_bytes(&entries[1].event_type, 4), second);
    }
}
