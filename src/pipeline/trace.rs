//! What is kept of an attempt besides what came of it, in one column: where it went, how soon the answer began, and
//! the answer's headers. Of the request's headers only a digest is kept: they are made again from what is stored,
//! and the digest tells whether they are those that left.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::secret::HIDDEN;
use super::settings::DeliveryMethod;
use super::standing::EndpointView;
use crate::outbound::Answer;

/// Most of an answer's headers that are kept.
pub const RESPONSE_HEADERS_MAX: usize = 32;
/// Most bytes of them, names and values together.
pub const RESPONSE_HEADERS_KEPT_BYTES_MAX: usize = 4096;

/// What is kept of one attempt. Short names: there is one for each attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// How it was sent.
    #[serde(rename = "m")]
    pub method: DeliveryMethod,
    /// Where to.
    #[serde(rename = "u")]
    pub url: String,
    /// A digest of the request's headers.
    #[serde(rename = "d")]
    pub digest: u64,
    /// The address that answered.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// How long it took until the answer began, in milliseconds.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u32>,
    /// The answer's headers, in their order.
    #[serde(rename = "h", default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Whether some of them were left out.
    #[serde(rename = "c", default, skip_serializing_if = "is_false")]
    pub cut: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the serialiser asks for it so"
)]
fn is_false(cut: &bool) -> bool {
    !cut
}

impl Trace {
    /// Of a request that went to this endpoint, as it is kept.
    pub(super) fn pack(view: &EndpointView, digest: u64, answer: &Answer) -> Option<Bytes> {
        let (headers, cut) = kept(&answer.headers);
        let trace = Self {
            method: view.settings.method,
            url: view.target.as_str().to_owned(),
            digest,
            address: answer.address,
            first_byte_ms: answer.first_byte_ms,
            headers,
            cut,
        };
        serde_json::to_vec(&trace).ok().map(Bytes::from)
    }

    /// As it was kept; `None`, if that can't be read.
    pub fn read(packed: &[u8]) -> Option<Self> {
        serde_json::from_slice(packed).ok()
    }
}

/// A digest of headers in their order.
pub(super) fn digest(headers: &HeaderMap) -> u64 {
    let mut hash = Sha256::new();
    for (name, value) in headers {
        hash.update(name.as_str());
        hash.update([0]);
        hash.update(value.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    digest[..8]
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Whether a header's value is for the two ends of a connection alone.
pub(super) fn is_private(name: &HeaderName) -> bool {
    [
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
        header::SET_COOKIE,
    ]
    .contains(name)
}

/// As many of an answer's headers as are kept, and whether some are left out.
fn kept(headers: &HeaderMap) -> (Vec<(String, String)>, bool) {
    let mut kept = Vec::with_capacity(headers.len().min(RESPONSE_HEADERS_MAX));
    let mut room = RESPONSE_HEADERS_KEPT_BYTES_MAX;
    for (name, value) in headers {
        let value = if is_private(name) {
            HIDDEN.into()
        } else {
            String::from_utf8_lossy(value.as_bytes())
        };
        let bytes = name.as_str().len() + value.len();
        if bytes > room || kept.len() == RESPONSE_HEADERS_MAX {
            return (kept, true);
        }
        room -= bytes;
        kept.push((name.as_str().to_owned(), value.into_owned()));
    }
    (kept, false)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).expect("a value");
            (HeaderName::from_static(name), value)
        });
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let whole = Trace {
            method: DeliveryMethod::default(),
            url: "https://example.com/hook".to_owned(),
            digest: u64::MAX,
            address: Some(([192, 0, 2, 7], 443).into()),
            first_byte_ms: Some(12),
            headers: vec![("server".to_owned(), "nginx".to_owned())],
            cut: true,
        };
        let bare = Trace {
            address: None,
            first_byte_ms: None,
            headers: Vec::new(),
            cut: false,
            ..whole.clone()
        };
        for trace in [whole, bare] {
            let packed = serde_json::to_vec(&trace).expect("packed");
            assert_eq!(Trace::read(&packed), Some(trace));
        }
        assert_eq!(Trace::read(b"[]"), None);
    }

    #[test]
    fn an_answers_headers_are_kept_within_bounds() {
        let few = headers(&[("server", "nginx"), ("set-cookie", "session=1")]);
        let (some, cut) = kept(&few);
        assert!(!cut);
        assert_eq!(some[1], ("set-cookie".to_owned(), HIDDEN.to_owned()));
        let many = headers(&[("x-more", "1"); RESPONSE_HEADERS_MAX + 1]);
        let (some, cut) = kept(&many);
        assert!(cut);
        assert_eq!(some.len(), RESPONSE_HEADERS_MAX);
        let long = "l".repeat(RESPONSE_HEADERS_KEPT_BYTES_MAX);
        assert_eq!(kept(&headers(&[("x-long", &long)])), (Vec::new(), true));
    }

    #[test]
    fn a_digest_tells_headers_apart() {
        let one = headers(&[("webhook-id", "evt_1"), ("x-own", "a")]);
        assert_eq!(digest(&one), digest(&one.clone()));
        for other in [
            headers(&[("webhook-id", "evt_1"), ("x-own", "b")]),
            headers(&[("webhook-id", "evt_1x"), ("x-own", "a")]),
            headers(&[("webhook-id", "evt_1")]),
        ] {
            assert_ne!(digest(&one), digest(&other));
        }
    }
}
