//! Server-sent events: what a server tells as it happens.

use std::time::Duration;

use http::header::{ACCEPT, RETRY_AFTER};
use reqwest::Response;

use super::{ACCOUNT_HEADER, ApiClient, Error, refused};

/// A stream that says nothing for so long is broken: a server says every 15 seconds that it is there.
const SILENCE_S: u64 = 45;
/// Longer than any stream lasts.
const LASTS_S: u64 = 24 * 60 * 60;
/// Longest event.
const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One event: its name and its text.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Told {
    pub(in crate::cli) event: String,
    pub(in crate::cli) text: String,
}

/// A stream of events.
pub(in crate::cli) struct Stream {
    answer: Response,
    server: String,
    unread: Vec<u8>,
}

impl ApiClient {
    /// Follows what is told at `path`.
    pub(in crate::cli) async fn follow(&self, path: &str) -> Result<Stream, Error> {
        let server = self.server.to_string();
        let mut request = self
            .http
            .get(self.address(path))
            .bearer_auth(&self.key)
            .timeout(Duration::from_secs(LASTS_S))
            .header(ACCEPT, "text/event-stream");
        if let Some(account) = &self.account {
            request = request.header(ACCOUNT_HEADER, account);
        }
        let unreachable = |cause| Error::Unreachable {
            server: server.clone(),
            cause,
        };
        let answer = request.send().await.map_err(unreachable)?;
        if answer.status().is_success() {
            return Ok(Stream {
                answer,
                server,
                unread: Vec::new(),
            });
        }
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get(RETRY_AFTER);
        let retry_after_s = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        let bytes = answer.bytes().await.map_err(unreachable)?;
        Err(refused(&server, status, retry_after_s, &bytes))
    }
}

impl Stream {
    /// The next event; `None`: the stream has come to its end, or fell silent.
    pub(in crate::cli) async fn next(&mut self) -> Result<Option<Told>, Error> {
        loop {
            while let Some(end) = find(&self.unread, b"\n\n") {
                let block: Vec<u8> = self.unread.drain(..end + 2).collect();
                if let Some(told) = read(&String::from_utf8_lossy(&block)) {
                    return Ok(Some(told));
                }
            }
            let silence = Duration::from_secs(SILENCE_S);
            let Ok(read) = tokio::time::timeout(silence, self.answer.chunk()).await else {
                return Ok(None);
            };
            let chunk = read.map_err(|cause| Error::Unreachable {
                server: self.server.clone(),
                cause,
            })?;
            let Some(chunk) = chunk else {
                return Ok(None);
            };
            self.unread.extend_from_slice(&chunk);
            if self.unread.len() > EVENT_BYTES_MAX {
                return Ok(None);
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|it| it == wanted)
}

/// One event of its lines; `None`: it is but a comment.
fn read(block: &str) -> Option<Told> {
    let (mut event, mut lines) = (String::from("message"), Vec::new());
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event),
            "data" => lines.push(value),
            _ => {}
        }
    }
    (!lines.is_empty()).then(|| Told {
        event,
        text: lines.join("\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_of_its_lines() {
        for (block, expected) in [
            (": there\n\n", None),
            (
                "event: request\nid: req_1\ndata: {\"a\":\ndata: 1}\n\n",
                Some(("request", "{\"a\":\n1}")),
            ),
            ("data:x\n\n", Some(("message", "x"))),
        ] {
            let found = read(block);
            let found = found.as_ref().map(|told| (&*told.event, &*told.text));
            assert_eq!(found, expected, "{block:?}");
        }
    }
}
