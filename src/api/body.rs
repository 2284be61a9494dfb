//! Bodies: bounded, of the right kind, and read with the place of what is wrong in them.

use axum::body::Body;
use axum::extract::{FromRequest, MatchedPath, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Extensions, HeaderMap, HeaderValue};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::model::AccountId;
use crate::model::limits::{CODE_BYTES_MAX, COMPONENT_BYTES_MAX};
use crate::service::{self, Error, Service, UploadTurn};

/// A body as it came, bounded as its route says.
pub(super) struct RawBody(pub(super) Bytes);

/// JSON as it came.
pub(super) struct JsonText(pub(super) Bytes);

/// YAML or JSON as it came: JSON is YAML, too.
pub(super) struct YamlOrJson(pub(super) Bytes);

/// JSON, read.
pub(super) struct JsonBody<T>(pub(super) T);

/// JSON, read; without a body: what there is when nothing is said.
pub(super) struct JsonBodyOr<T>(pub(super) T);

/// A WebAssembly component as it came, and the turn to upload it.
pub(super) struct Component(pub(super) Bytes, pub(super) UploadTurn);

const BATCH: &str = "/v1/events/batch";
const UPLOAD: &str = "/v1/plugins";
const IMPORT: &str = "/v1/event-types/import";
const CODE: [&str; 2] = ["/v1/automations/plan", "/v1/automations/apply"];
/// What YAML is called.
const YAML: [&str; 4] = [
    "application/yaml",
    "application/x-yaml",
    "text/yaml",
    "text/x-yaml",
];
/// What lines of JSON are called.
const LINES: [&str; 3] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
];

/// The route that was asked for.
fn route(extensions: &Extensions) -> &str {
    extensions
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str)
}

/// That the body is a batch, though its route is not that of batches.
#[derive(Debug, Clone, Copy)]
pub(super) struct IsBatch;

/// How long a body may be on a route.
fn bytes_max(service: &Service, extensions: &Extensions) -> usize {
    match route(extensions) {
        _ if extensions.get::<IsBatch>().is_some() => service.rules().batch_bytes_max,
        BATCH | IMPORT => service.rules().batch_bytes_max,
        UPLOAD => COMPONENT_BYTES_MAX,
        path if CODE.contains(&path) => CODE_BYTES_MAX,
        _ => service.rules().body_bytes_max(),
    }
}

/// Reads a body to its end, or up to its bound, or until its time is over; only for somebody who is known
/// by then, in whose account's room. A component's waits for the turn to upload first, which is kept
/// in the request.
pub(super) async fn whole(
    service: &Service,
    extensions: &mut Extensions,
    body: Body,
) -> Result<Bytes, Error> {
    let account = *extensions.get::<AccountId>().ok_or(Error::NoKey)?;
    let is_upload = route(extensions) == UPLOAD;
    let bytes_max = bytes_max(service, extensions);
    if is_upload && extensions.get::<UploadTurn>().is_none() {
        extensions.insert(service.upload_turn(account).await?);
    }
    // Uploads are few: their turns are their room.
    let room = (!is_upload).then(|| service.body_room(account));
    service.read_body(body, bytes_max, room).await
}

impl FromRequest<Service> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        Ok(Self(whole(service, &mut parts.extensions, body).await?))
    }
}

/// What a body says that it is, without its parameters.
fn kind(value: &HeaderValue) -> String {
    let kind = value.to_str().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

/// Whether a body that says what it is says that it is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|value| {
        let kind = kind(value);
        kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
    })
}

/// Whether a body says that it is lines of JSON.
pub(super) fn is_lines(headers: &HeaderMap) -> bool {
    let said = headers.get(CONTENT_TYPE).map(kind);
    said.is_some_and(|kind| LINES.contains(&kind.as_str()))
}

impl FromRequest<Service> for JsonText {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::MediaType {
                expected: "application/json",
            });
        }
        Ok(Self(RawBody::from_request(request, service).await?.0))
    }
}

impl FromRequest<Service> for YamlOrJson {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        let said = request.headers().get(CONTENT_TYPE).map(kind);
        if !said.is_some_and(|kind| YAML.contains(&kind.as_str())) && !is_json(request.headers()) {
            return Err(Problem::MediaType {
                expected: "application/yaml or application/json",
            });
        }
        Ok(Self(RawBody::from_request(request, service).await?.0))
    }
}

impl<T: DeserializeOwned> FromRequest<Service> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        let JsonText(body) = JsonText::from_request(request, service).await?;
        Ok(Self(service::read_kept(&body)?))
    }
}

impl<T: DeserializeOwned + Default> FromRequest<Service> for JsonBodyOr<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        let json = is_json(request.headers());
        let RawBody(body) = RawBody::from_request(request, service).await?;
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
        let (mut parts, body) = request.into_parts();
        let component = whole(service, &mut parts.extensions, body).await?;
        let turn = parts.extensions.remove::<UploadTurn>();
        Ok(Self(component, turn.ok_or(Error::Unavailable)?))
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
