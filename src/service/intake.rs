//! Taking events: the hot path. An envelope is read without copying its payload, which goes on as
//! the bytes it came as: duplicate keys, escapes and the spelling of numbers are the sender's.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::definition::own_type;
use super::envelopes::Envelopes;
use super::json::{read, read_object, text};
use super::principal::{MaySend, Principal};
use super::{Error, Place, Service, check, payload};
use crate::model::limits::BATCH_EVENTS_MAX;
use crate::model::{AccountId, EventId, Timestamp};
use crate::pipeline::{AcceptError, Acknowledged};
use crate::store::{self, KeyOf, NewKey};

/// How long an idempotency key is remembered.
const KEY_LIFE_MS: i64 = 24 * 60 * 60 * 1000;
/// The name of the header with the idempotency key.
pub(super) const KEY_HEADER: &str = "Idempotency-Key";

/// An event as it is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvent<'a> {
    /// The event's type, such as `deal.stage.changed`: names of ASCII letters, digits, `_` and `-`, joined by
    /// dots; 200 bytes at most. Those that begin with `throwbar.` or `schedule.aut_` are the
    /// server's own.
    #[serde(borrow, rename = "type")]
    #[schema(value_type = String, example = "proposal.accepted")]
    event_type: Cow<'a, str>,
    /// The payload: any JSON value, kept and delivered as the bytes it came as; 256 KiB at most, unless the
    /// operator has chosen otherwise, and nested 64 deep.
    #[serde(borrow)]
    #[schema(value_type = serde_json::Value)]
    data: &'a RawValue,
    /// What you call the event: 1 to 256 bytes without control characters. The same id twice is the same event.
    id: Option<String>,
    /// Whose word that is.
    #[serde(skip)]
    id_of: KeyOf,
    /// When it happened, RFC 3339; now, if left out.
    #[schema(format = DateTime)]
    timestamp: Option<String>,
    /// 1 to 256 bytes without control characters: sent twice with the same within 24 hours, it is the same
    /// event. May be a header instead.
    idempotency_key: Option<String>,
}

impl<'a> NewEvent<'a> {
    /// An event that came in another form than the API's own, with what it is known by there and its time.
    pub(super) fn of(
        event_type: &'a str,
        data: &'a RawValue,
        (known_as, timestamp): (Option<(KeyOf, String)>, Option<String>),
    ) -> Self {
        let (id_of, id) = known_as.unzip();
        Self {
            event_type: event_type.into(),
            data,
            id,
            id_of: id_of.unwrap_or_default(),
            timestamp,
            idempotency_key: None,
        }
    }
}

impl Service {
    /// Takes one event from a body of JSON; returns when it is durable. `key`: the idempotency key
    /// from the header.
    pub async fn send_event(
        &self,
        who: &Principal<MaySend>,
        body: &Bytes,
        key: Option<&str>,
    ) -> Result<Acknowledged, Error> {
        if let Some(key) = key {
            check::client_key(key, Place::Header(KEY_HEADER))?;
        }
        // On the stack: this is every event's way.
        let mut event = [self.incoming(who.account(), body, read_object(body)?, key)];
        self.vet(who.account(), &mut event).await?;
        let [event] = event;
        let pipeline = self.pipeline().ok_or(Error::Unavailable)?;
        match pipeline.accept(vec![event?]).await.pop() {
            Some(outcome) => outcome.map_err(refused),
            None => Err(Error::Unavailable),
        }
    }

    /// Takes a JSON array of events; returns when all that could be taken are durable. One that is
    /// wrong never fails its neighbours: there is one answer for each, in their order. `key`: the
    /// idempotency key from the header, of which each event without one of its own gets a part.
    pub async fn send_batch(
        &self,
        who: &Principal<MaySend>,
        body: &Bytes,
        key: Option<&str>,
    ) -> Result<Vec<Result<Acknowledged, Error>>, Error> {
        if let Some(key) = key {
            check::client_key(key, Place::Header(KEY_HEADER))?;
        }
        text(body)?;
        let Envelopes {
            first: envelopes,
            count,
        } = read(body)?;
        if count > BATCH_EVENTS_MAX {
            let why = format!("the batch has {count} events: {BATCH_EVENTS_MAX} at most");
            return Err(Error::field("", why));
        }
        let events = envelopes.into_iter().enumerate().map(|(place, envelope)| {
            self.in_batch(who.account(), body, envelope.get().as_bytes(), (key, place))
        });
        self.take(who.account(), events.collect()).await
    }

    /// The event of an envelope at this place in a batch that was sent with this key.
    pub(super) fn in_batch(
        &self,
        account: AccountId,
        body: &Bytes,
        envelope: &[u8],
        (key, place): (Option<&str>, usize),
    ) -> Result<store::NewEvent, Error> {
        let envelope: NewEvent<'_> = read_object(envelope)?;
        let derived = key.filter(|_| envelope.idempotency_key.is_none());
        let derived = derived.map(|key| format!("{key}#{place}"));
        self.incoming(account, body, envelope, derived.as_deref())
    }

    /// Takes those events that are there; returns when all that could be taken are durable. One that is
    /// wrong never fails its neighbours: there is one answer for each, in their order.
    pub(super) async fn take(
        &self,
        account: AccountId,
        mut events: Vec<Result<store::NewEvent, Error>>,
    ) -> Result<Vec<Result<Acknowledged, Error>>, Error> {
        let pipeline = self.pipeline().ok_or(Error::Unavailable)?;
        self.vet(account, &mut events).await?;
        let mut answers = Vec::with_capacity(events.len());
        let mut taken = Vec::with_capacity(events.len());
        for event in events {
            answers.push(event.map(|event| taken.push(event)));
        }
        let mut outcomes = pipeline.accept(taken).await.into_iter();
        let mut answer = |()| {
            outcomes
                .next()
                .unwrap_or(Err(AcceptError::Unavailable))
                .map_err(refused)
        };
        Ok(answers
            .into_iter()
            .map(|taken| taken.and_then(&mut answer))
            .collect())
    }

    /// Checks an envelope that was read from `body`.
    pub(super) fn incoming(
        &self,
        account: AccountId,
        body: &Bytes,
        envelope: NewEvent<'_>,
        key: Option<&str>,
    ) -> Result<store::NewEvent, Error> {
        let now = self.inner.clock.now();
        let event_type = own_type(&envelope.event_type, "/type")?;
        let data = envelope.data.get().as_bytes();
        payload::check(data, self.inner.rules.payload_bytes_max)?;
        let occurred_at = match &envelope.timestamp {
            Some(text) => text
                .parse()
                .map_err(|error| Error::field("/timestamp", error))?,
            None => now,
        };
        let id = envelope.id.map(|id| (envelope.id_of, id));
        let keys = keys(id, envelope.idempotency_key, key, now)?;
        let body_hash = if keys.is_empty() {
            [0; 32]
        } else {
            hash(event_type.as_str(), data, envelope.timestamp.as_deref())
        };
        Ok(store::NewEvent {
            account,
            id: EventId::mint(now),
            event_type,
            occurred_at,
            payload: body.slice_ref(data),
            origin: None,
            keys,
            body_hash,
            violations: None,
        })
    }
}

/// The names by which a repeat of the event is recognised.
fn keys(
    id: Option<(KeyOf, String)>,
    in_body: Option<String>,
    in_header: Option<&str>,
    now: Timestamp,
) -> Result<Vec<NewKey>, Error> {
    let mut keys = Vec::new();
    if let Some((kind, id)) = id {
        check::client_key(&id, Place::body("/id"))?;
        keys.push(NewKey {
            kind,
            key: id,
            expires_at: None,
        });
    }
    if let Some(key) = &in_body {
        check::client_key(key, Place::body("/idempotency_key"))?;
    }
    let key = match (in_body, in_header) {
        (Some(body), Some(header)) if body != header => {
            let why =
                "the header Idempotency-Key and the field idempotency_key differ: send one of them";
            return Err(Error::field("/idempotency_key", why));
        }
        (body, header) => body.or_else(|| header.map(str::to_owned)),
    };
    if let Some(key) = key {
        keys.push(NewKey {
            kind: KeyOf::Idempotency,
            key,
            expires_at: Some(now.plus_ms(KEY_LIFE_MS)),
        });
    }
    Ok(keys)
}

/// What must be the same in a repeat: each part with its length before it, so that no two
/// envelopes read the same.
fn hash(event_type: &str, data: &[u8], timestamp: Option<&str>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [
        event_type.as_bytes(),
        data,
        timestamp.unwrap_or_default().as_bytes(),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn refused(error: AcceptError) -> Error {
    match error {
        AcceptError::Busy(full) => Error::Busy(full),
        AcceptError::Conflict { event } => Error::EventConflict { event },
        AcceptError::NoAccount => Error::NotFound("account"),
        AcceptError::Unavailable => Error::Unavailable,
        AcceptError::Refused => Error::field(
            "",
            "the database refuses this event: leave out unusual characters in its id and keys",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_stay_as_they_came() {
        let odd =
            r#" {"a":1,"a":2, "b":"\u0000\ud800","n":1e999,"big":123456789012345678901234567890}"#;
        let body = format!("{{\"type\":\"a.b\",\"data\":{odd} }}");
        let envelope: NewEvent<'_> = read(body.as_bytes()).expect("an event");
        assert_eq!(envelope.data.get(), odd.trim());
        for any in ["null", "0", "\"text\"", "[]"] {
            let body = format!("{{\"data\":{any},\"type\":\"a\"}}");
            assert_eq!(
                read::<NewEvent<'_>>(body.as_bytes()).expect(any).data.get(),
                any
            );
        }
    }

    #[test]
    fn envelopes_that_are_wrong_are_told_why() {
        for (body, code, at) in [
            (r#"{"type":"a"}"#, "missing_field", "/data"),
            (r#"{"data":1}"#, "missing_field", "/type"),
            (
                r#"{"type":"a","data":1,"data":2}"#,
                "duplicate_field",
                "/data",
            ),
            (
                r#"{"type":"a","type":"a","data":2}"#,
                "duplicate_field",
                "/type",
            ),
            (
                r#"{"type":"a","data":1,"payload":2}"#,
                "unknown_field",
                "/payload",
            ),
            (r#"{"type":7,"data":1}"#, "invalid_field", "/type"),
            (r#"{"type":"a","data":1,"id":7}"#, "invalid_field", "/id"),
        ] {
            let error = read::<NewEvent<'_>>(body.as_bytes()).expect_err(body);
            assert_eq!(error.code(), code, "{body}: {error}");
            assert_eq!(error.place(), Some(&Place::body(at)), "{body}");
        }
        for body in [
            &b"{\"type\":\"a\",\"data\":\"\0\"}"[..],
            b"{\"type\":\"a\",\"data\":\"\xff\"}",
            b"{\"type\":\"a\",\"data\":{]}",
        ] {
            assert_eq!(
                read::<NewEvent<'_>>(body).expect_err("refused").code(),
                "malformed"
            );
        }
    }

    #[test]
    fn a_key_comes_from_the_header_or_the_body() {
        let now = Timestamp::from_ms(0);
        let key = |body: Option<&str>, header| keys(None, body.map(str::to_owned), header, now);
        assert_eq!(key(None, None).expect("none"), []);
        for (body, header) in [(Some("k"), None), (None, Some("k")), (Some("k"), Some("k"))] {
            let found = key(body, header).expect("one");
            assert_eq!(
                found,
                [NewKey {
                    kind: KeyOf::Idempotency,
                    key: "k".to_owned(),
                    expires_at: Some(Timestamp::from_ms(KEY_LIFE_MS))
                }]
            );
        }
        assert!(key(Some("k"), Some("other")).is_err());
        let id = Some((KeyOf::Sender, "i".to_owned()));
        let both = keys(id, None, Some("k"), now).expect("both");
        assert_eq!(
            both.iter().map(|key| key.kind).collect::<Vec<_>>(),
            [KeyOf::Sender, KeyOf::Idempotency]
        );
    }

    #[test]
    fn the_hash_is_of_what_makes_a_repeat_the_same() {
        let first = hash("a", b"{}", None);
        assert_eq!(first, hash("a", b"{}", None));
        for other in [
            hash("a{", b"}", None),
            hash("a", b"{ }", None),
            hash("a", b"{}", Some("2026-01-01T00:00:00Z")),
        ] {
            assert_ne!(first, other);
        }
    }
}
