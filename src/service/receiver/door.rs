//! What comes to a receiver: kept, and answered as it is told. Whoever sends has no key; that it knows the URL is all.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::BodyExt;

use super::forwarded::{ForwardedAnswer, ForwardedError, ForwardedRefusal};
use super::shape::{Settings, may_answer};
use super::{AnswerRequest, token_hash};
use crate::model::ReceiverRequestId;
use crate::pipeline::Full;
use crate::service::{Error, Service};
use crate::store::{Receiver, ReceiverRequest};

/// Longest path or query that is kept.
const PLACE_BYTES_MAX: usize = 4 * 1024;
/// Longest wait for the answer of whoever forwards: the longest time-out of an endpoint.
const FORWARDED_MS_MAX: i64 = 60_000;
/// How often it is looked whether that has come to another node.
const LOOK_MS: i64 = 500;
/// Why nothing is forwarded.
pub(super) const NOBODY_LISTENS: &str =
    "nobody forwards what comes here at the moment: `throwbar listen` is not running";

/// A receiver at whose door somebody is who knows its URL.
#[derive(Debug, Clone)]
pub struct ReceiverDoor(pub(super) Receiver);

/// A request at a receiver's door.
#[derive(Debug)]
pub struct ReceiverArrival {
    /// Its method.
    pub method: Method,
    /// What follows the receiver's URL, from the slash on.
    pub path: String,
    /// What follows the question mark.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// What a receiver answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// This, now.
    Answer {
        /// The status, 200 to 599.
        status: u16,
        /// Headers of which a browser acts on none.
        headers: HeaderMap,
        /// The body.
        body: Bytes,
    },
    /// Nothing: whoever forwards has no answer.
    Nothing {
        /// Of which kind that is.
        class: ForwardedRefusal,
        /// A sentence.
        why: String,
    },
}

impl Service {
    /// The receiver whose URL has `token`.
    pub async fn receiver_door(&self, token: &str) -> Result<ReceiverDoor, Error> {
        let found = self.inner.store.receiver_at(token_hash(token)).await?;
        found.map(ReceiverDoor).ok_or(Error::NotFound("receiver"))
    }

    /// Reads the body of a request at a receiver's door.
    pub async fn read_received<B: BodyExt<Data = Bytes> + Unpin>(
        &self,
        door: &ReceiverDoor,
        body: B,
    ) -> Result<Bytes, Error> {
        let room = self.source_room(door.0.account);
        let bytes_max = self.inner.rules.body_bytes_max();
        self.read_body(body, bytes_max, Some(room)).await
    }

    /// Keeps a request, and answers it as the receiver is told to.
    pub async fn receive_at(
        &self,
        door: &ReceiverDoor,
        arrival: ReceiverArrival,
    ) -> Result<Received, Error> {
        let (row, inner) = (&door.0, &self.inner);
        let now = inner.clock.now();
        if !inner.receivers.pace.take(row.account, now) {
            return Err(Error::NoRoom(Full::Account));
        }
        let waiting = inner.receivers.waiting.of(row.account);
        let _waiting = waiting
            .try_acquire_owned()
            .map_err(|_| Error::NoRoom(Full::Account))?;
        let settings = Settings::read(row)?;
        let request = request(ReceiverRequestId::mint(now), arrival)?;
        let which = (row.account, row.id);
        if settings.forward {
            return self.forward(row, &request).await;
        }
        let answers = settings.answers.iter().map(serde_json::to_string);
        let answers = answers
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Error::unreadable("the answer", error))?;
        let place = inner.store.receive(which, &request, &answers).await?;
        let place = place.ok_or(Error::NotFound("receiver"))?;
        self.ring_for(row.id);
        let answer = settings.answers.get(place).cloned().unwrap_or_default();
        if answer.delay_ms > 0 {
            let delay_ms = i64::try_from(answer.delay_ms).unwrap_or(0);
            inner.clock.sleep_until(now.plus_ms(delay_ms)).await;
        }
        Ok(answered(answer))
    }

    /// Keeps a request and waits for the answer of whoever forwards it.
    async fn forward(&self, row: &Receiver, request: &ReceiverRequest) -> Result<Received, Error> {
        let (which, store) = ((row.account, row.id), &self.inner.store);
        let clock = &self.inner.clock;
        let now = clock.now();
        let mut bell = self.inner.receivers.bell.subscribe();
        let listens = |row: &Receiver| row.forwarded_until.is_some_and(|until| until > clock.now());
        if !listens(row) {
            let nothing = ForwardedAnswer::none(ForwardedRefusal::Connect, NOBODY_LISTENS);
            let nothing = [nothing.text()?];
            store.receive(which, request, &nothing).await?;
            self.ring_for(row.id);
            return Ok(nobody());
        }
        let id = request.id;
        let kept = store.receive(which, request, &[]).await?;
        kept.ok_or(Error::NotFound("receiver"))?;
        let waits = Waits {
            service: self,
            row,
            id,
        };
        self.ring_for(row.id);
        let until = now.plus_ms(FORWARDED_MS_MAX);
        while clock.now() < until {
            let found = store.receiver_request(which, id).await?;
            let Some(found) = found else {
                return Ok(nobody());
            };
            if let Some(answer) = found.answer {
                let answer = serde_json::from_str(&answer)
                    .map_err(|error| Error::unreadable("the answer", error))?;
                return forwarded(answer);
            }
            if !store
                .receiver(row.account, row.id)
                .await?
                .is_some_and(|row| listens(&row))
            {
                return Ok(nobody());
            }
            let look_at = clock.now().plus_ms(LOOK_MS);
            loop {
                tokio::select! {
                    rung = bell.recv() => {
                        if !rung.is_ok_and(|rung| rung != row.id) {
                            break;
                        }
                    }
                    () = clock.sleep_until(look_at) => break,
                }
            }
        }
        drop(waits);
        Ok(Received::Nothing {
            class: ForwardedRefusal::Timeout,
            why: "whoever forwards had no answer in time".to_owned(),
        })
    }
}

/// A request that waits for its answer. Once nobody waits any more, nobody is to give it one.
struct Waits<'a> {
    service: &'a Service,
    row: &'a Receiver,
    id: ReceiverRequestId,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let (service, id) = (self.service.clone(), self.id);
        let which = (self.row.account, self.row.id);
        tokio::spawn(async move {
            let late = ForwardedAnswer::none(
                ForwardedRefusal::Timeout,
                "whoever sent it did not wait for the answer",
            );
            if let Ok(late) = late.text() {
                // One that was answered stays as it is.
                drop(service.inner.store.answer_received(which, id, &late).await);
            }
        });
    }
}

fn nobody() -> Received {
    Received::Nothing {
        class: ForwardedRefusal::Connect,
        why: NOBODY_LISTENS.to_owned(),
    }
}

/// What is kept of a request.
fn request(id: ReceiverRequestId, arrival: ReceiverArrival) -> Result<ReceiverRequest, Error> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).replace('\0', " ");
    let pairs: Vec<(&str, String)> = arrival
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), text(value)))
        .collect();
    let headers = serde_json::to_string(&pairs)
        .map_err(|error| Error::unreadable("the headers of a request", error))?;
    let cut = |text: String| match text.char_indices().nth(PLACE_BYTES_MAX / 4) {
        Some((at, _)) => text[..at].to_owned(),
        None => text,
    };
    Ok(ReceiverRequest {
        id,
        method: arrival.method.as_str().chars().take(20).collect(),
        path: cut(arrival.path),
        query: cut(arrival.query),
        headers,
        answer: None,
        body: arrival.body.to_vec(),
    })
}

fn answered(answer: AnswerRequest) -> Received {
    Received::Answer {
        status: answer.status,
        headers: header_map(answer.headers),
        body: answer.body.into(),
    }
}

/// What whoever forwards has said, without what a browser would act on.
fn forwarded(answer: ForwardedAnswer) -> Result<Received, Error> {
    if let Some(ForwardedError { class, message }) = answer.error {
        let why = message.chars().take(500).collect();
        return Ok(Received::Nothing { class, why });
    }
    let body = STANDARD
        .decode(&answer.body_base64)
        .map_err(|error| Error::unreadable("the answer", error))?;
    Ok(Received::Answer {
        status: answer.status.unwrap_or(200),
        headers: header_map(answer.headers),
        body: body.into(),
    })
}

fn header_map(pairs: impl IntoIterator<Item = (String, String)>) -> HeaderMap {
    let pairs = pairs.into_iter().filter(|(name, _)| may_answer(name));
    pairs
        .filter_map(|(name, value)| {
            Some((
                HeaderName::try_from(name).ok()?,
                HeaderValue::try_from(value).ok()?,
            ))
        })
        .collect()
}
