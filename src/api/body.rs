//! Bodies: bounded, of the right kind, and read with the place of what is wrong in them.

use axum::body::Body;
use axum::extract::{FromRequest, MatchedPath, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Extensions, HeaderMap};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::model::limits::COMPONENT_BYTES_MAX;
use crate::service::{self, Error, Service};

/// What an envelope may add to a payload.
const ENVELOPE_BYTES_MAX: usize = 16 * 1024;

/// A body as it came, bounded as its route says.
pub(super) struct Whole(pub(super) Bytes);

/// JSON as it came.
pub(super) struct Text(pub(super) Bytes);

/// JSON, read.
pub(super) struct Read<T>(pub(super) T);

/// JSON, read; without a body: what there is when nothing is said.
pub(super) struct ReadOr<T>(pub(super) T);

/// A WebAssembly component as it came.
pub(super) struct Component(pub(super) Bytes);

/// How long a body may be on this route.
fn bytes_max(service: &Service, extensions: &Extensions) -> usize {
    match extensions.get::<MatchedPath>().map(MatchedPath::as_str) {
        Some("/v1/events/batch") => service.rules().batch_bytes_max,
        Some("/v1/plugins") => COMPONENT_BYTES_MAX,
        _ => service.rules().payload_bytes_max + ENVELOPE_BYTES_MAX,
    }
}

/// Reads a body to its end, or up to its bound.
pub(super) async fn whole(
    service: &Service,
    extensions: &Extensions,
    body: Body,
) -> Result<Bytes, Error> {
    let bytes_max = bytes_max(service, extensions);
    axum::body::to_bytes(body, bytes_max)
        .await
        .map_err(|error| {
            let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
            while let Some(error) = cause {
                if error.is::<LengthLimitError>() {
                    return Error::TooLarge {
                        what: "the body",
                        bytes_max,
                    };
                }
                cause = error.source();
            }
            Error::Malformed {
                why: "the body broke off: send it again".to_owned(),
            }
        })
}

impl FromRequest<Service> for Whole {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        Ok(Self(whole(service, &parts.extensions, body).await?))
    }
}

/// Whether a body that says what it is says that it is JSON.
fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|value| {
        let kind = value.to_str().unwrap_or_default();
        let kind = kind
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
    })
}

impl FromRequest<Service> for Text {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::MediaType {
                expected: "application/json",
            });
        }
        Ok(Self(Whole::from_request(request, service).await?.0))
    }
}

impl<T: DeserializeOwned> FromRequest<Service> for Read<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        let Text(body) = Text::from_request(request, service).await?;
        Ok(Self(service::read_kept(&body)?))
    }
}

impl<T: DeserializeOwned + Default> FromRequest<Service> for ReadOr<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        let json = is_json(request.headers());
        let Whole(body) = Whole::from_request(request, service).await?;
        match (body.is_empty(), json) {
            (true, _) => Ok(Self(T::default())),
            (false, true) => Ok(Self(service::read_kept(&body)?)),
            (false, false) => Err(Problem::MediaType {
                expected: "application/json",
            }),
        }
    }
}

impl FromRequest<Service> for Component {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        let kind = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        if kind != Some("application/wasm") {
            return Err(Problem::MediaType {
                expected: "application/wasm",
            });
        }
        Ok(Self(Whole::from_request(request, service).await?.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_another_kind_is_told_apart() {
        for (kind, expected) in [
            (None, true),
            (Some("application/json"), true),
            (Some("Application/JSON; charset=utf-8"), true),
            (Some("application/cloudevents+json"), true),
            (Some("text/plain"), false),
            (Some("application/x-www-form-urlencoded"), false),
            (Some(""), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(kind) = kind {
                headers.insert(CONTENT_TYPE, kind.parse().expect("a header"));
            }
            assert_eq!(is_json(&headers), expected, "{kind:?}");
        }
    }
}
