//! In which form an event was sent: the API's own, or one of the three that the HTTP binding of CloudEvents
//! 1.0 knows. What is in it is the service's affair.
//!
//! | mode | is known by |
//! | --- | --- |
//! | structured | `Content-Type: application/cloudevents+json` |
//! | batched | `Content-Type: application/cloudevents-batch+json` |
//! | binary | headers `ce-…` |
//!
//! Source: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>.

use std::borrow::Cow;

use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;

use super::body::{IsBatch, RawBody, is_json, is_lines};
use super::problem::Problem;
use crate::service::{CloudEvent, Error, Place, Service};

/// What the headers of attributes begin with.
const PREFIX: &str = "ce-";
/// What the media types of CloudEvents begin with.
const FAMILY: &str = "application/cloudevents";
const STRUCTURED: &str = "application/cloudevents+json";
const BATCHED: &str = "application/cloudevents-batch+json";

/// One event, or a batch of CloudEvents.
pub(super) struct Sent(pub(super) Form);

/// In which form something was sent.
pub(super) enum Form {
    /// The API's own.
    Native(Bytes),
    /// A CloudEvent.
    CloudEvent(CloudEvent),
    /// A batch of CloudEvents.
    Batch(Bytes),
}

/// A batch of any kind.
pub(super) enum SentBatch {
    /// A JSON array.
    Array(Bytes),
    /// One event a line.
    Lines(Bytes),
    /// Of CloudEvents.
    CloudEvents(Bytes),
}

/// What headers say of the form.
#[derive(Debug, PartialEq, Eq)]
enum Mode {
    Native,
    Structured,
    Batched,
    Binary,
    /// A format of CloudEvents that is none of JSON.
    Other,
}

fn mode(headers: &HeaderMap) -> Mode {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let kind = kind.unwrap_or_default();
    let is_family = kind
        .get(..FAMILY.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(FAMILY.as_bytes()));
    if is_family {
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
        let kind = kind.trim_ascii();
        return match () {
            () if kind.eq_ignore_ascii_case(STRUCTURED.as_bytes()) => Mode::Structured,
            () if kind.eq_ignore_ascii_case(BATCHED.as_bytes()) => Mode::Batched,
            () => Mode::Other,
        };
    }
    // What one of them is missing is told by its name.
    if headers.contains_key("ce-specversion") || headers.contains_key("ce-type") {
        return Mode::Binary;
    }
    Mode::Native
}

impl FromRequest<Service> for Sent {
    type Rejection = Problem;

    async fn from_request(mut request: Request, service: &Service) -> Result<Self, Problem> {
        let mode = mode(request.headers());
        let attributes = match mode {
            Mode::Other => {
                return Err(Problem::MediaType {
                    expected: STRUCTURED,
                });
            }
            Mode::Native if !is_json(request.headers()) => {
                return Err(Problem::MediaType {
                    expected: "application/json",
                });
            }
            Mode::Binary => attributes(request.headers())?,
            Mode::Batched => {
                request.extensions_mut().insert(IsBatch);
                Vec::new()
            }
            Mode::Native | Mode::Structured => Vec::new(),
        };
        let RawBody(body) = RawBody::from_request(request, service).await?;
        Ok(Self(match mode {
            Mode::Structured => Form::CloudEvent(CloudEvent::Structured(body)),
            Mode::Batched => Form::Batch(body),
            Mode::Binary => Form::CloudEvent(CloudEvent::Binary { attributes, body }),
            Mode::Native | Mode::Other => Form::Native(body),
        }))
    }
}

impl FromRequest<Service> for SentBatch {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        let mode = mode(request.headers());
        let form = match mode {
            Mode::Structured | Mode::Other | Mode::Binary => {
                return Err(Problem::MediaType { expected: BATCHED });
            }
            Mode::Batched => Self::CloudEvents,
            Mode::Native if is_lines(request.headers()) => Self::Lines,
            Mode::Native if is_json(request.headers()) => Self::Array,
            Mode::Native => {
                return Err(Problem::MediaType {
                    expected: "application/json or application/x-ndjson",
                });
            }
        };
        let RawBody(body) = RawBody::from_request(request, service).await?;
        Ok(form(body))
    }
}

/// The attributes in the headers, and the kind of the data.
fn attributes(headers: &HeaderMap) -> Result<Vec<(String, String)>, Error> {
    let mut attributes = Vec::new();
    for (header, value) in headers {
        let name = match header.as_str().strip_prefix(PREFIX) {
            Some(name) => name,
            None if header == CONTENT_TYPE => "datacontenttype",
            None => continue,
        };
        let text = text(value.as_bytes());
        let text = if header == CONTENT_TYPE {
            text
        } else {
            let decoded = decoded(&unquoted(&text)).ok_or_else(|| Error::Invalid {
                code: "invalid_header",
                at: Place::Header("ce-*"),
                why: format!("what the header {header} encodes is not UTF-8: percent-encode that"),
            })?;
            decoded.into()
        };
        attributes.push((name.to_owned(), text.into_owned()));
    }
    Ok(attributes)
}

/// A value as text. What is not UTF-8 is Latin-1: some clients send what they were given so.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(
        |_| {
            bytes
                .iter()
                .map(|byte| char::from(*byte))
                .collect::<String>()
                .into()
        },
        Cow::Borrowed,
    )
}

/// A value without the double quotes around it and the backslashes of RFC 9110, section 5.6.4.
fn unquoted(value: &str) -> Cow<'_, str> {
    let inner = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else {
        return value.into();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        plain.extend(if letter == '\\' {
            letters.next()
        } else {
            Some(letter)
        });
    }
    plain.into()
}

/// A value with its percent-encoding undone once; what is no such encoding stays. `None`: it encodes what is
/// no UTF-8.
fn decoded(value: &str) -> Option<String> {
    let bytes = value.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = (byte == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let mut encoded = [0];
        let is_encoded = digits.map(|digits| hex::decode_to_slice(digits, &mut encoded));
        if let Some(Ok(())) = is_encoded {
            plain.push(encoded[0]);
            at += 3;
        } else {
            plain.push(byte);
            at += 1;
        }
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
            (HeaderName::from_static(name), value)
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn the_mode_is_told_by_the_headers() {
        for (pairs, wanted) in [
            (&[][..], Mode::Native),
            (&[("content-type", "application/json")], Mode::Native),
            (
                &[("content-type", "application/cloudevents+json")],
                Mode::Structured,
            ),
            (
                &[(
                    "content-type",
                    "Application/CloudEvents+JSON; charset=UTF-8",
                )],
                Mode::Structured,
            ),
            (
                &[("content-type", "application/cloudevents-batch+json")],
                Mode::Batched,
            ),
            (
                &[("content-type", "application/cloudevents+avro")],
                Mode::Other,
            ),
            (
                &[
                    ("content-type", "application/json"),
                    ("ce-specversion", "1.0"),
                ],
                Mode::Binary,
            ),
            (&[("ce-type", "a.b")], Mode::Binary),
            (
                &[
                    ("content-type", "application/cloudevents+json"),
                    ("ce-type", "a.b"),
                ],
                Mode::Structured,
            ),
        ] {
            assert_eq!(mode(&headers(pairs)), wanted, "{pairs:?}");
        }
    }

    #[test]
    fn attributes_are_the_headers_without_their_prefix_and_encoding() {
        let found = attributes(&headers(&[
            ("ce-id", "A%201"),
            ("ce-subject", r#""a \"b\" c""#),
            ("ce-city", "K%C3%B6ln"),
            ("ce-plain", "Köln 100%"),
            ("content-type", "text/plain%20"),
            ("authorization", "Bearer x"),
        ]));
        let mut found = found.expect("attributes");
        found.sort();
        let wanted = [
            ("city", "Köln"),
            ("datacontenttype", "text/plain%20"),
            ("id", "A 1"),
            ("plain", "Köln 100%"),
            ("subject", "a \"b\" c"),
        ];
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        assert_eq!(found, wanted);
        assert_eq!(text(b"gr\xfcn"), "grün");
        for wrong in ["%ff", "a%c3"] {
            let error = attributes(&headers(&[("ce-id", wrong)])).expect_err(wrong);
            assert!(error.to_string().contains("ce-id"), "{error}");
        }
    }
}
