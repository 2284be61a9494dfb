//! Making the headers. One call per attempt, since the attempt's time is signed.
//!
//! `standard` is Standard Webhooks 1.0 (<https://www.standardwebhooks.com>), the symmetric `v1`:
//! base64 of HMAC-SHA256 over `id.timestamp.body`. All keys sign, separated by a space.
//! `standard-ed25519` is the asymmetric `v1a` of the same, in the same headers, beside `v1` where both sign.
//! `stripe` carries all in one header, too. `body-hmac`, `event-header`, `github` and `rsa` hold one signature,
//! that of the oldest key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Error, KeyPairs, Scheme, SigningKeys};
use crate::model::limits::CLIENT_KEY_BYTES_MAX;
use crate::model::{DeliveryId, EventId, Timestamp};

pub(super) const EVENT: HeaderName = HeaderName::from_static("x-webhook-event");
pub(super) const EVENT_TIMESTAMP: HeaderName = HeaderName::from_static("x-webhook-timestamp");
pub(super) const EVENT_SIGNATURE: HeaderName = HeaderName::from_static("x-webhook-signature");
pub(super) const GITHUB: HeaderName = HeaderName::from_static("x-hub-signature-256");
pub(super) const STRIPE: HeaderName = HeaderName::from_static("stripe-signature");
/// `v1,`, 44 characters of base64 and a space.
const SIGNATURE_V1_BYTES: usize = 48;

/// The names of one family of the `standard` scheme's headers.
pub(super) struct Family {
    pub(super) id: HeaderName,
    pub(super) timestamp: HeaderName,
    pub(super) signature: HeaderName,
}

/// The names of the standard, and the same under Svix's older ones.
pub(super) static FAMILIES: [Family; 2] = [
    Family {
        id: HeaderName::from_static("webhook-id"),
        timestamp: HeaderName::from_static("webhook-timestamp"),
        signature: HeaderName::from_static("webhook-signature"),
    },
    Family {
        id: HeaderName::from_static("svix-id"),
        timestamp: HeaderName::from_static("svix-timestamp"),
        signature: HeaderName::from_static("svix-signature"),
    },
];

/// What receivers know a message by, the same in every attempt: the event's id when the
/// endpoint's own subscription made the delivery, else the delivery's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageId(HeaderValue);

impl MessageId {
    /// The id with this text: 1 to 256 visible ASCII characters. A full stop is refused: it
    /// separates the parts of what is signed.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let is_plain = text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'.');
        if text.is_empty() || text.len() > CLIENT_KEY_BYTES_MAX || !is_plain {
            return Err(Error::MessageId);
        }
        HeaderValue::from_str(text)
            .map(Self)
            .map_err(|_| Error::MessageId)
    }

    /// The id as it is sent.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl From<EventId> for MessageId {
    fn from(id: EventId) -> Self {
        Self::parse(&id.to_string()).expect("a prefix and hexadecimal digits")
    }
}

impl From<DeliveryId> for MessageId {
    fn from(id: DeliveryId) -> Self {
        Self::parse(&id.to_string()).expect("a prefix and hexadecimal digits")
    }
}

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// What the receiver knows it by.
    pub id: &'a MessageId,
    /// When this attempt begins; signed in whole seconds.
    pub at: Timestamp,
    /// The type of the event.
    pub event_type: &'a HeaderValue,
    /// The body, byte for byte as it is sent.
    pub body: &'a [u8],
}

/// What signs under a scheme at the moment.
#[derive(Debug, Clone)]
pub enum Keys {
    /// Nothing: `event-header` then tells what came, and proves nothing.
    None,
    /// Keys that the receiver knows, too.
    Shared(SigningKeys),
    /// Keys of which the receiver knows the public half.
    Pairs(KeyPairs),
}

impl<K: Into<SigningKeys>> From<K> for Keys {
    fn from(keys: K) -> Self {
        Self::Shared(keys.into())
    }
}

/// Puts the headers that prove the message under this scheme among those that are there. A signature of Standard
/// Webhooks goes beside those that stand there by another of its schemes. [`Error::NoKey`] if the keys are of a kind
/// that the scheme does not sign with.
pub fn sign(
    scheme: &Scheme,
    keys: &Keys,
    message: &Message<'_>,
    headers: &mut HeaderMap,
) -> Result<(), Error> {
    match (scheme, keys) {
        (Scheme::Standard, Keys::Shared(keys)) => {
            sign_standard(&standard(keys, message), message, headers);
        }
        (Scheme::StandardEd25519, Keys::Pairs(pairs)) => {
            sign_standard(&standard_ed25519(pairs, message)?, message, headers);
        }
        (Scheme::BodyHmac { header }, Keys::Shared(keys)) => {
            headers.insert(header.name().clone(), digits("", keys, message));
        }
        (Scheme::Rsa { header }, Keys::Pairs(pairs)) => {
            let signature = STANDARD.encode(pairs.oldest().sign(message.body)?);
            headers.insert(header.name().clone(), visible(signature));
        }
        (Scheme::EventHeader, Keys::None) => tell_event(message, headers),
        (Scheme::EventHeader, Keys::Shared(keys)) => {
            tell_event(message, headers);
            headers.insert(EVENT_SIGNATURE, digits("", keys, message));
        }
        (Scheme::Github, Keys::Shared(keys)) => {
            headers.insert(GITHUB, digits("sha256=", keys, message));
        }
        (Scheme::Stripe, Keys::Shared(keys)) => {
            headers.insert(STRIPE, sign_stripe(keys, message));
        }
        (_, Keys::None | Keys::Shared(_) | Keys::Pairs(_)) => return Err(Error::NoKey),
    }
    Ok(())
}

fn tell_event(message: &Message<'_>, headers: &mut HeaderMap) {
    headers.insert(EVENT, message.event_type.clone());
    headers.insert(EVENT_TIMESTAMP, time(message.at));
}

/// Digits and base64.
fn visible(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("what signatures are written in is visible")
}

/// RFC 3339.
fn time(at: Timestamp) -> HeaderValue {
    visible(at.to_string())
}

/// The hexadecimal digits of the body's signature, behind `prefix`.
fn digits(prefix: &str, keys: &SigningKeys, message: &Message<'_>) -> HeaderValue {
    let digits = hex::encode(keys.oldest().mac(&[message.body]));
    visible(format!("{prefix}{digits}"))
}

fn sign_stripe(keys: &SigningKeys, message: &Message<'_>) -> HeaderValue {
    let at = message.at.as_s().to_string();
    let mut value = format!("t={at}");
    for key in keys.all() {
        let mac = key.mac(&[at.as_bytes(), b".", message.body]);
        value.push_str(",v1=");
        value.push_str(&hex::encode(mac));
    }
    visible(value)
}

/// What `standard` signs.
fn parts<'a>(message: &Message<'a>, timestamp: &'a HeaderValue) -> [&'a [u8]; 5] {
    [
        message.id.as_bytes(),
        b".",
        timestamp.as_bytes(),
        b".",
        message.body,
    ]
}

fn standard(keys: &SigningKeys, message: &Message<'_>) -> String {
    let timestamp = HeaderValue::from(message.at.as_s());
    let mut signatures = String::with_capacity(SIGNATURE_V1_BYTES * keys.all().len());
    for key in keys.all() {
        if !signatures.is_empty() {
            signatures.push(' ');
        }
        signatures.push_str("v1,");
        STANDARD.encode_string(key.mac(&parts(message, &timestamp)), &mut signatures);
    }
    signatures
}

fn standard_ed25519(pairs: &KeyPairs, message: &Message<'_>) -> Result<String, Error> {
    let timestamp = HeaderValue::from(message.at.as_s());
    let signed = parts(message, &timestamp).concat();
    let mut signatures = String::new();
    for pair in pairs.all() {
        if !signatures.is_empty() {
            signatures.push(' ');
        }
        signatures.push_str("v1a,");
        STANDARD.encode_string(pair.sign(&signed)?, &mut signatures);
    }
    Ok(signatures)
}

/// The headers of both families with these signatures, beside those that are there.
fn sign_standard(signatures: &str, message: &Message<'_>, headers: &mut HeaderMap) {
    let timestamp = HeaderValue::from(message.at.as_s());
    let there = headers.get(&FAMILIES[0].signature);
    let signature = match there.and_then(|value| value.to_str().ok()) {
        Some(there) => visible(format!("{there} {signatures}")),
        None => visible(signatures.to_owned()),
    };
    for family in &FAMILIES {
        headers.insert(family.id.clone(), message.id.0.clone());
        headers.insert(family.timestamp.clone(), timestamp.clone());
        headers.insert(family.signature.clone(), signature.clone());
    }
}

#[cfg(test)]
#[path = "sign_tests.rs"]
mod tests;
