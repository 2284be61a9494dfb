//! Batches of events as lines (NDJSON): one envelope a line. A line that is wrong spoils no other; empty ones
//! are passed over. Bounds and answers are those of a batch that is an array.

use bytes::Bytes;

use super::principal::{MaySend, Principal};
use super::{Error, Place, Service, check};
use crate::model::limits::BATCH_EVENTS_MAX;
use crate::pipeline::Acknowledged;

/// The answer to one line, and its number, from 1.
pub type LineOutcome = (usize, Result<Acknowledged, Error>);

impl Service {
    /// Takes events, one a line; returns when all that could be taken are durable. `key`: the idempotency
    /// key from the header, of which each event without one of its own gets a part, by its line.
    pub async fn send_lines(
        &self,
        who: &Principal<MaySend>,
        body: &Bytes,
        key: Option<&str>,
    ) -> Result<Vec<LineOutcome>, Error> {
        if let Some(key) = key {
            check::client_key(key, Place::Header("Idempotency-Key"))?;
        }
        let lines: Vec<(usize, &[u8])> = lines(body).collect();
        if lines.len() > BATCH_EVENTS_MAX {
            let why = format!(
                "the batch has {} events: {BATCH_EVENTS_MAX} at most",
                lines.len()
            );
            return Err(Error::field("", why));
        }
        let events = lines.iter().map(|(number, line)| {
            // Lines are counted from 1, places from 0.
            self.in_batch(who.account(), body, line, (key, number - 1))
        });
        let answers = self.take(who.account(), events.collect()).await?;
        let numbers = lines.into_iter().map(|(number, _)| number);
        Ok(numbers.zip(answers).collect())
    }
}

/// Those lines that are not empty, with their numbers. A mark of the byte order before the first is none of it.
fn lines(body: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    (1..).zip(lines).filter(|(_, line)| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers() {
        for (body, expected) in [
            ("", &[][..]),
            ("\n\r\n  \n", &[]),
            ("a", &[(1, "a")]),
            ("a\r\n\n b \n", &[(1, "a"), (3, "b")]),
            ("\u{feff}{}\n{}", &[(1, "{}"), (2, "{}")]),
        ] {
            let found = lines(body.as_bytes());
            let found =
                found.map(|(number, line)| (number, std::str::from_utf8(line).expect("text")));
            assert_eq!(found.collect::<Vec<_>>(), expected, "{body:?}");
        }
    }
}
