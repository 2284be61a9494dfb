//! The events of a batch, read no further than each one's own text.

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::model::limits::BATCH_EVENTS_MAX;

/// The events of a batch, as many as there may be. Those beyond are counted, and nothing is kept of them.
pub(super) struct Envelopes<'a> {
    pub(super) first: Vec<&'a RawValue>,
    pub(super) count: usize,
}

impl<'de> Deserialize<'de> for Envelopes<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Envelopes<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a list of events")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Value, S::Error> {
                let mut first = Vec::new();
                while first.len() < BATCH_EVENTS_MAX {
                    match list.next_element()? {
                        Some(envelope) => first.push(envelope),
                        None => break,
                    }
                }
                let mut count = first.len();
                while list.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Envelopes { first, count })
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::json::read;

    #[test]
    fn of_a_batch_too_long_the_rest_is_only_counted() {
        for (count, kept) in [
            (0, 0),
            (3, 3),
            (BATCH_EVENTS_MAX, BATCH_EVENTS_MAX),
            (BATCH_EVENTS_MAX + 1, BATCH_EVENTS_MAX),
            (1_000_000, BATCH_EVENTS_MAX),
        ] {
            let body = format!("[{}]", vec!["1"; count].join(","));
            let envelopes: Envelopes<'_> = read(body.as_bytes()).expect("a list");
            assert_eq!((envelopes.first.len(), envelopes.count), (kept, count));
        }
        assert!(read::<Envelopes<'_>>(b"{}").is_err());
        assert!(read::<Envelopes<'_>>(b"[1,").is_err());
    }
}
