//! Events from lines: one JSON text a line, put into batches of bounded size.
//!
//! A line goes on byte for byte; what is added is an idempotency key where a line has neither key
//! nor id, so that a batch whose answer was lost or was "later" can be sent again without making
//! its events twice.

use std::io::{BufRead as _, BufReader, Read};

use serde::Deserialize;
use serde_json::value::RawValue;

/// Most events in one batch.
const BATCH_EVENTS_MAX: usize = 500;
/// A batch that has reached this size goes; with one more line it stays below what the API takes.
const BATCH_BYTES_FULL: usize = 2 * 1024 * 1024;
/// Longest line.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Read ahead: what is in it is sent together.
const READ_AHEAD_BYTES: usize = 1024 * 1024;

/// What a line holds.
pub(super) enum LineHolds {
    /// An event as `POST /v1/events` takes it.
    Envelope,
    /// The payload of an event of this type.
    Payload {
        /// Which.
        event_type: String,
    },
}

/// One event, ready to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its line, from 1.
    pub(super) line: u64,
    /// Its envelope.
    pub(super) text: String,
}

/// What some lines gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Events, in the order of their lines.
    pub(super) entries: Vec<Entry>,
    /// Lines that are no events, and why.
    pub(super) refused: Vec<(u64, String)>,
    /// How much was read for it.
    pub(super) bytes_read: u64,
}

/// The parts of an envelope that matter here.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    _event_type: &'a RawValue,
    #[serde(borrow, rename = "data")]
    _payload: &'a RawValue,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    idempotency_key: Option<&'a RawValue>,
}

/// Reads batches until there is nothing more.
pub(super) struct Lines<R: Read> {
    source: BufReader<R>,
    holds: LineHolds,
    key_prefix: String,
    line: u64,
}

impl<R: Read> Lines<R> {
    /// Lines of `source`. `key_prefix` must differ from run to run: the same line of another file
    /// is another event.
    pub(super) fn new(source: R, holds: LineHolds, key_prefix: String) -> Self {
        Self {
            source: BufReader::with_capacity(READ_AHEAD_BYTES, source),
            holds,
            key_prefix,
            line: 0,
        }
    }

    /// The next batch: what is there without waiting for more, up to the bounds. `None` at the end.
    pub(super) fn next_batch(&mut self) -> std::io::Result<Option<Batch>> {
        let mut batch = Batch::default();
        let mut bytes = 0;
        loop {
            let Some(line) = self.next_line(&mut batch.bytes_read)? else {
                let nothing = batch.entries.is_empty() && batch.refused.is_empty();
                return Ok((!nothing).then_some(batch));
            };
            self.line += 1;
            match self.envelope(line) {
                Ok(None) => {}
                Ok(Some(text)) => {
                    bytes += text.len();
                    batch.entries.push(Entry {
                        line: self.line,
                        text,
                    });
                }
                Err(why) => batch.refused.push((self.line, why)),
            }
            let full = batch.entries.len() >= BATCH_EVENTS_MAX || bytes >= BATCH_BYTES_FULL;
            let more_is_there = self.source.buffer().contains(&b'\n');
            let has_any = !batch.entries.is_empty() || !batch.refused.is_empty();
            if full || (has_any && !more_is_there) {
                return Ok(Some(batch));
            }
        }
    }

    /// The next line without its end; `Err` inside if it is too long, which is skipped, not kept.
    fn next_line(
        &mut self,
        bytes_read: &mut u64,
    ) -> std::io::Result<Option<Result<Vec<u8>, String>>> {
        let mut line = Vec::new();
        let (mut length, mut any) = (0, false);
        loop {
            let ahead = self.source.fill_buf()?;
            let end = ahead.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(ahead.len(), |at| at + 1);
            any |= used > 0;
            length += end.unwrap_or(used);
            if length <= LINE_BYTES_MAX {
                line.extend_from_slice(&ahead[..end.unwrap_or(used)]);
            }
            self.source.consume(used);
            *bytes_read += used as u64;
            if end.is_some() || used == 0 {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        if length > LINE_BYTES_MAX {
            return Ok(Some(Err(format!(
                "the line is longer than {} MiB",
                LINE_BYTES_MAX / 1024 / 1024
            ))));
        }
        Ok(Some(Ok(line)))
    }

    /// The envelope that a line makes; nothing for an empty line.
    fn envelope(&self, line: Result<Vec<u8>, String>) -> Result<Option<String>, String> {
        let line = String::from_utf8(line?).map_err(|_| "it is not UTF-8".to_owned())?;
        let line = line.trim();
        if line.is_empty() {
            return Ok(None);
        }
        let key = format!("{}{}", self.key_prefix, self.line);
        if let LineHolds::Payload { event_type } = &self.holds {
            let payload: &RawValue = serde_json::from_str(line).map_err(|error| explain(&error))?;
            let event_type = serde_json::Value::from(event_type.as_str());
            return Ok(Some(format!(
                r#"{{"type":{event_type},"idempotency_key":"{key}","data":{}}}"#,
                payload.get()
            )));
        }
        let envelope: Envelope<'_> = serde_json::from_str(line).map_err(|error| explain(&error))?;
        let named = envelope.id.is_some() || envelope.idempotency_key.is_some();
        match line.strip_prefix('{') {
            Some(rest) if !named => Ok(Some(format!(r#"{{"idempotency_key":"{key}",{rest}"#))),
            Some(_) => Ok(Some(line.to_owned())),
            None => Err("it is not a JSON object".to_owned()),
        }
    }
}

/// What the parser says, with the place in the line: its own line number is always 1. What is JSON
/// and yet no event is told by the field.
fn explain(error: &serde_json::Error) -> String {
    let said = if error.is_data() {
        error.to_string()
    } else {
        format!("it is not JSON: {error}")
    };
    let place = format!(" at line {} column {}", error.line(), error.column());
    match said.strip_suffix(&place) {
        Some(said) => format!("{said}, at character {}", error.column()),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, holds: LineHolds) -> Lines<&[u8]> {
        Lines::new(text.as_bytes(), holds, "k-".to_owned())
    }

    fn entry(line: u64, text: &str) -> Entry {
        Entry {
            line,
            text: text.to_owned(),
        }
    }

    #[test]
    fn envelopes_go_on_byte_for_byte_and_get_a_key_if_they_have_none() {
        let text = "{\"type\":\"a\",\"data\":{\"n\": 1.50}}\n\n\
                    {\"id\":\"x\",\"type\":\"a\",\"data\":{ }}\r\n\
                    {\"type\":\"a\",\"data\":1,\"idempotency_key\":\"own\"}";
        let batch = lines(text, LineHolds::Envelope)
            .next_batch()
            .expect("read")
            .expect("some");
        assert_eq!(
            batch.entries,
            [
                entry(
                    1,
                    r#"{"idempotency_key":"k-1","type":"a","data":{"n": 1.50}}"#
                ),
                entry(3, r#"{"id":"x","type":"a","data":{ }}"#),
            ]
        );
        assert_eq!(batch.refused, []);
    }

    #[test]
    fn the_last_line_needs_no_end() {
        let mut lines = lines(
            "{\"type\":\"a\",\"data\":1,\"id\":\"x\"}",
            LineHolds::Envelope,
        );
        let batch = lines.next_batch().expect("read").expect("some");
        assert_eq!((batch.entries.len(), batch.bytes_read), (1, 30));
        assert_eq!(lines.next_batch().expect("read"), None);
    }

    #[test]
    fn payloads_are_wrapped() {
        let holds = LineHolds::Payload {
            event_type: "deal.created".to_owned(),
        };
        let batch = lines("{\"a\" : 1}\n[2]\n", holds)
            .next_batch()
            .expect("read")
            .expect("some");
        assert_eq!(
            batch.entries,
            [
                entry(
                    1,
                    r#"{"type":"deal.created","idempotency_key":"k-1","data":{"a" : 1}}"#
                ),
                entry(
                    2,
                    r#"{"type":"deal.created","idempotency_key":"k-2","data":[2]}"#
                ),
            ]
        );
    }

    #[test]
    fn what_is_no_event_is_refused_by_its_line_and_the_others_go() {
        let long = format!("\"{}\"", "a".repeat(LINE_BYTES_MAX));
        let text = format!(
            "not json\n{{\"type\":\"a\"}}\n[\"t\",1]\n{{\"type\":\"a\",\"data\":1,\"id\":1,\"id\":2}}\n{long}\n\
             {{\"type\":\"a\",\"data\":1,\"id\":\"x\"}}\n"
        );
        let mut lines = lines(&text, LineHolds::Envelope);
        let (mut refused, mut entries) = (Vec::new(), Vec::new());
        while let Some(batch) = lines.next_batch().expect("read") {
            refused.extend(batch.refused);
            entries.extend(batch.entries);
        }
        let numbers: Vec<_> = refused.iter().map(|(line, _)| *line).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        for (place, wanted) in [
            (0, "it is not JSON: expected ident, at character 2"),
            (1, "missing field `data`, at character"),
            (3, "duplicate field `id`"),
            (4, "longer than 4 MiB"),
        ] {
            assert!(refused[place].1.contains(wanted), "{}", refused[place].1);
        }
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].line, 6);
    }

    #[test]
    fn batches_are_bounded_and_lose_nothing() {
        let count = BATCH_EVENTS_MAX * 2 + 7;
        let line = |no| format!("{{\"type\":\"a\",\"data\":{no},\"id\":\"{no}\"}}\n");
        let text = (0..count).map(line).collect::<Vec<_>>().concat();
        let mut lines = lines(&text, LineHolds::Envelope);
        let (mut sizes, mut numbers) = (Vec::new(), Vec::new());
        while let Some(batch) = lines.next_batch().expect("read") {
            sizes.push(batch.entries.len());
            numbers.extend(batch.entries.iter().map(|entry| entry.line));
        }
        assert_eq!(sizes, [BATCH_EVENTS_MAX, BATCH_EVENTS_MAX, 7]);
        assert_eq!(numbers, (1..=count as u64).collect::<Vec<_>>());
    }
}
