//! Bodies: bounded, of the right kind, and read with the place of what is wrong in them.

use axum::body::Body;
use axum::extract::{FromRequest, MatchedPath, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Extensions, HeaderMap, HeaderValue};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::model::AccountId;
use crate::model::limits::COMPONENT_BYTES_MAX;
use crate::service::{self, BodyRoom, Error, Service, UploadTurn};

/// How much of a body that is too long is still read, so that its sender gets to read the answer:
/// many only listen once they have sent everything.
const DISCARDED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A body as it came, bounded as its route says.
pub(super) struct RawBody(pub(super) Bytes);

/// JSON as it came.
pub(super) struct JsonText(pub(super) Bytes);

/// A batch of events as it came.
pub(super) enum BatchText {
    /// JSON: an array.
    Array(Bytes),
    /// NDJSON: one event a line.
    Lines(Bytes),
}

/// JSON, read.
pub(super) struct JsonBody<T>(pub(super) T);

/// JSON, read; without a body: what there is when nothing is said.
pub(super) struct JsonBodyOr<T>(pub(super) T);

/// A WebAssembly component as it came, and the turn to upload it.
pub(super) struct Component(pub(super) Bytes, pub(super) UploadTurn);

const BATCH: &str = "/v1/events/batch";
const UPLOAD: &str = "/v1/plugins";
const IMPORT: &str = "/v1/event-types/import";
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

/// How long a body may be on a route.
fn bytes_max(service: &Service, route: &str) -> usize {
    match route {
        BATCH | IMPORT => service.rules().batch_bytes_max,
        UPLOAD => COMPONENT_BYTES_MAX,
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
    let bytes_max = bytes_max(service, route(extensions));
    if is_upload && extensions.get::<UploadTurn>().is_none() {
        extensions.insert(service.upload_turn(account).await?);
    }
    // Uploads are few: their turns are their room.
    let room = (!is_upload).then(|| service.body_room(account));
    tokio::select! {
        biased;
        whole = gather(body, bytes_max, room) => whole,
        overdue = service.body_overdue(bytes_max) => Err(overdue),
    }
}

/// The bytes of a body. One that came in one piece is not copied. Of one that is too long nothing is kept.
async fn gather(
    mut body: Body,
    bytes_max: usize,
    mut room: Option<BodyRoom<'_>>,
) -> Result<Bytes, Error> {
    let (mut first, mut all, mut seen) = (Bytes::new(), BytesMut::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::Malformed {
            why: "the body broke off: send it again".to_owned(),
        })?;
        // What is no data is trailers, which nobody asked for.
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        seen = seen.saturating_add(piece.len());
        if seen > bytes_max {
            (first, all, room) = (Bytes::new(), BytesMut::new(), None);
            if seen > bytes_max.saturating_add(DISCARDED_BYTES_MAX) {
                break;
            }
            continue;
        }
        if let Some(room) = &mut room {
            room.take(piece.len())?;
        }
        if first.is_empty() && all.is_empty() {
            first = piece;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&piece);
        }
    }
    if seen > bytes_max {
        return Err(Error::TooLarge {
            what: "the body",
            bytes_max,
        });
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
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
fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|value| {
        let kind = kind(value);
        kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
    })
}

/// Whether a body says that it is lines of JSON.
fn is_lines(headers: &HeaderMap) -> bool {
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

impl FromRequest<Service> for BatchText {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Problem> {
        let lines = is_lines(request.headers());
        if !lines && !is_json(request.headers()) {
            return Err(Problem::MediaType {
                expected: "application/json or application/x-ndjson",
            });
        }
        let RawBody(body) = RawBody::from_request(request, service).await?;
        Ok(if lines {
            Self::Lines(body)
        } else {
            Self::Array(body)
        })
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

    #[tokio::test]
    async fn a_body_in_pieces_is_put_together_and_bounded() {
        let pieces = |lengths: &[usize]| {
            let pieces: Vec<_> = lengths
                .iter()
                .map(|length| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; *length])))
                .collect();
            Body::from_stream(futures_util::stream::iter(pieces))
        };
        for (lengths, expected) in [
            (&[][..], Some(0)),
            (&[0, 3], Some(3)),
            (&[3, 0, 4], Some(7)),
            (&[5, 5], Some(10)),
            (&[5, 6], None),
            (&[11], None),
        ] {
            let gathered = gather(pieces(lengths), 10, None).await;
            assert_eq!(
                gathered.ok().map(|bytes| bytes.len()),
                expected,
                "{lengths:?}"
            );
        }
    }

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
