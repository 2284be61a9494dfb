//! Making the headers. One call per attempt, since the attempt's time is signed.
//!
//! `standard` is Standard Webhooks 1.0 (<https://www.standardwebhooks.com>), the symmetric `v1`:
//! base64 of HMAC-SHA256 over `id.timestamp.body`. All keys sign, separated by a space.
//! `stripe` carries all in one header, too. `body-hmac`, `event-header` and `github` hold one signature, that of
//! the oldest key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};

use super::{Error, Scheme, SignatureHeader, SigningKeys};
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

/// The headers that prove the message under this scheme: six for `standard`, three for `event-header`, one for
/// each other.
pub fn sign(
    scheme: &Scheme,
    keys: &SigningKeys,
    message: &Message<'_>,
) -> Vec<(HeaderName, HeaderValue)> {
    match scheme {
        Scheme::Standard => sign_standard(keys, message),
        Scheme::BodyHmac { header } => vec![sign_body(header, keys, message)],
        Scheme::EventHeader => {
            let mut headers = unsigned(message);
            headers.push((EVENT_SIGNATURE, digits("", keys, message)));
            headers
        }
        Scheme::Github => vec![(GITHUB, digits("sha256=", keys, message))],
        Scheme::Stripe => vec![(STRIPE, sign_stripe(keys, message))],
    }
}

/// The headers of `event-header` without a secret: they tell what came, and prove nothing.
pub fn unsigned(message: &Message<'_>) -> Vec<(HeaderName, HeaderValue)> {
    vec![
        (EVENT, message.event_type.clone()),
        (EVENT_TIMESTAMP, time(message.at)),
    ]
}

/// RFC 3339.
fn time(at: Timestamp) -> HeaderValue {
    HeaderValue::try_from(at.to_string()).expect("a time is visible")
}

/// The hexadecimal digits of the body's signature, behind `prefix`.
fn digits(prefix: &str, keys: &SigningKeys, message: &Message<'_>) -> HeaderValue {
    let digits = hex::encode(keys.oldest().mac(&[message.body]));
    HeaderValue::try_from(format!("{prefix}{digits}")).expect("hexadecimal digits are visible")
}

fn sign_stripe(keys: &SigningKeys, message: &Message<'_>) -> HeaderValue {
    let at = message.at.as_s().to_string();
    let mut value = format!("t={at}");
    for key in keys.all() {
        let mac = key.mac(&[at.as_bytes(), b".", message.body]);
        value.push_str(",v1=");
        value.push_str(&hex::encode(mac));
    }
    HeaderValue::try_from(value).expect("digits are visible")
}

fn sign_body(
    header: &SignatureHeader,
    keys: &SigningKeys,
    message: &Message<'_>,
) -> (HeaderName, HeaderValue) {
    (header.name().clone(), digits("", keys, message))
}

fn sign_standard(keys: &SigningKeys, message: &Message<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let timestamp = HeaderValue::from(message.at.as_s());
    let signed: [&[u8]; 5] = [
        message.id.as_bytes(),
        b".",
        timestamp.as_bytes(),
        b".",
        message.body,
    ];
    let mut signatures = String::with_capacity(SIGNATURE_V1_BYTES * keys.all().len());
    for key in keys.all() {
        if !signatures.is_empty() {
            signatures.push(' ');
        }
        signatures.push_str("v1,");
        STANDARD.encode_string(key.mac(&signed), &mut signatures);
    }
    let signature = HeaderValue::try_from(signatures).expect("base64 is visible");
    let mut headers = Vec::with_capacity(3 * FAMILIES.len());
    for family in &FAMILIES {
        headers.push((family.id.clone(), message.id.0.clone()));
        headers.push((family.timestamp.clone(), timestamp.clone()));
        headers.push((family.signature.clone(), signature.clone()));
    }
    headers
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::signing::{AccountKey, EndpointSecret, OwnSecret, SigningKey};

    const TYPE: HeaderValue = HeaderValue::from_static("contact.created");

    fn vectors() -> Value {
        let text = include_str!("../../tests/vectors/signatures.json");
        serde_json::from_str(text).expect("the vectors are JSON")
    }

    fn shown(headers: &[(HeaderName, HeaderValue)]) -> Vec<(&str, &str)> {
        headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("visible")))
            .collect()
    }

    #[test]
    fn standard_signs_like_the_public_libraries_under_both_names() {
        let vector = &vectors()["standard_v1"];
        let text = |name: &str| vector[name].as_str().expect("a text");
        let secret = EndpointSecret::parse(text("secret")).expect("valid");
        let message = Message {
            id: &MessageId::parse(text("id")).expect("valid"),
            at: Timestamp::from_ms(vector["timestamp"].as_i64().expect("a number") * 1000 + 999),
            event_type: &TYPE,
            body: text("body").as_bytes(),
        };
        let headers = sign(&Scheme::Standard, &secret.signing_key().into(), &message);
        let wanted = [
            ("webhook-id", text("id")),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", text("signature")),
            ("svix-id", text("id")),
            ("svix-timestamp", "1614265330"),
            ("svix-signature", text("signature")),
        ];
        assert_eq!(shown(&headers), wanted);
    }

    #[test]
    fn body_hmac_signs_like_the_vector_in_the_header_that_was_chosen() {
        let vector = &vectors()["body_hmac"];
        let text = |name: &str| vector[name].as_str().expect("a text");
        let key = AccountKey::parse(text("account_key")).expect("valid");
        let message = Message {
            id: &MessageId::parse("evt_1").expect("valid"),
            at: Timestamp::from_ms(0),
            event_type: &TYPE,
            body: text("body").as_bytes(),
        };
        for (chosen, name) in [(None, "x-signature"), (Some("X-Acme"), "x-acme")] {
            let scheme = Scheme::from_words("body-hmac", chosen).expect("valid");
            let headers = sign(&scheme, &key.signing_key().into(), &message);
            assert_eq!(shown(&headers), [(name, text("X-Signature"))]);
        }
    }

    #[test]
    fn during_a_rotation_standard_carries_both_and_body_hmac_the_old_one() {
        let [old, new] = [1, 2].map(|byte| EndpointSecret::from_random([byte; 32]).signing_key());
        let both = SigningKeys::new(vec![old.clone(), new.clone()]).expect("two");
        let id = MessageId::parse("evt_1").expect("valid");
        let message = Message {
            id: &id,
            at: Timestamp::from_ms(1_000),
            event_type: &TYPE,
            body: b"{}",
        };
        let signature = |scheme: &Scheme, keys: &SigningKeys| {
            let headers = sign(scheme, keys, &message);
            let found = headers
                .iter()
                .find(|(name, _)| name.as_str().ends_with("-signature"));
            found
                .expect("signed")
                .1
                .to_str()
                .expect("visible")
                .to_owned()
        };
        let (old, new) = (SigningKeys::from(old), SigningKeys::from(new));
        assert_eq!(
            signature(&Scheme::Standard, &both),
            format!(
                "{} {}",
                signature(&Scheme::Standard, &old),
                signature(&Scheme::Standard, &new)
            )
        );
        let body_hmac = Scheme::from_words("body-hmac", None).expect("valid");
        assert_eq!(signature(&body_hmac, &both), signature(&body_hmac, &old));
        assert_ne!(signature(&body_hmac, &both), signature(&body_hmac, &new));
    }

    #[test]
    fn message_ids_are_plain() {
        let minted = EventId::mint(Timestamp::from_ms(1_790_000_000_000));
        assert_eq!(
            MessageId::from(minted).as_bytes(),
            minted.to_string().as_bytes()
        );
        for wrong in ["", "a.b", "a b", "a\r\nb", "ä", &"x".repeat(257)] {
            assert_eq!(MessageId::parse(wrong), Err(Error::MessageId), "{wrong:?}");
        }
    }

    #[test]
    fn texts_sign_like_the_vectors() {
        let vectors = vectors();
        for (name, header, wanted) in [
            ("event_header", "x-webhook-signature", "X-Webhook-Signature"),
            ("github", "x-hub-signature-256", "X-Hub-Signature-256"),
        ] {
            let vector = &vectors[name];
            let text = |name: &str| vector[name].as_str().expect("a text");
            let scheme = Scheme::from_words(&name.replace('_', "-"), None).expect("valid");
            let keys = OwnSecret::stored(text("secret")).expect("valid").keys();
            let key = keys.of(&scheme).expect("a key").clone();
            let message = Message {
                id: &MessageId::parse("evt_1").expect("valid"),
                at: Timestamp::from_ms(1_790_000_000_123),
                event_type: &TYPE,
                body: text("body").as_bytes(),
            };
            let headers = sign(&scheme, &key.into(), &message);
            let found = shown(&headers);
            assert_eq!(found.last(), Some(&(header, text(wanted))));
            if name == "event_header" {
                let told = [
                    ("x-webhook-event", "contact.created"),
                    ("x-webhook-timestamp", "2026-09-21T14:13:20.123Z"),
                ];
                assert_eq!(found[..2], told);
                assert_eq!(shown(&unsigned(&message)), told);
            }
        }
    }

    #[test]
    fn stripe_style_signs_the_time_with_each_key() {
        let keys: Vec<_> = ["one", "two"]
            .map(|text| OwnSecret::stored(text).expect("a text").keys())
            .iter()
            .map(|keys| keys.of(&Scheme::Stripe).expect("a key").clone())
            .collect();
        let message = Message {
            id: &MessageId::parse("evt_1").expect("valid"),
            at: Timestamp::from_ms(1_790_000_000_999),
            event_type: &TYPE,
            body: b"{}",
        };
        let mac = |key: &str| {
            hex::encode(SigningKey::from_bytes(key.as_bytes()).mac(&[b"1790000000.{}"]))
        };
        let both = SigningKeys::new(keys).expect("two");
        let wanted = format!("t=1790000000,v1={},v1={}", mac("one"), mac("two"));
        assert_eq!(
            shown(&sign(&Scheme::Stripe, &both, &message)),
            [("stripe-signature", wanted.as_str())]
        );
    }
}
