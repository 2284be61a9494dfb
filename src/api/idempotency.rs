//! `Idempotency-Key` on writes: the same request twice is done once and answered twice, because a write
//! and its answer are one commit. Events have their own way for it, in the same commit as the event; in a
//! batch, each by itself.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tracing::Instrument as _;

use super::body::whole;
use super::principal::identify;
use super::problem::Problem;
use crate::service::{Error, Identity, Place, ReplySlot, Service, Started};
use crate::unbroken::unbroken;

/// The header's name.
const KEY: &str = "idempotency-key";
/// Routes of events, and of sources and receivers, whose senders know no such keys.
const OWN_WAY: [&str; 6] = [
    "/v1/events",
    "/v1/events/batch",
    "/in/{source}",
    "/r/{token}",
    "/r/{token}/",
    "/r/{token}/{*rest}",
];
/// Longest answer that is kept: those to writes are far shorter.
const REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The idempotency key in the header.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let refused = |why: &str| Error::Invalid {
        code: "invalid_header",
        at: Place::Header("Idempotency-Key"),
        why: why.to_owned(),
    };
    let mut keys = headers.get_all(KEY).iter();
    let key = keys.next().map(HeaderValue::to_str).transpose();
    if keys.next().is_some() {
        return Err(refused("the header is there more than once: send one key"));
    }
    key.map_err(|_| refused("an idempotency key in a header is visible ASCII"))
}

/// Answers a repeated write as the first time, and brings every write to its end.
pub(super) async fn once(service: &Service, request: Request, next: Next) -> Response {
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map(MatchedPath::as_str);
    let writes = [Method::POST, Method::PATCH, Method::DELETE].contains(request.method());
    if !writes || path.is_some_and(|path| OWN_WAY.contains(&path)) {
        return next.run(request).await;
    }
    // A client that hangs up must not keep others from hearing of what was written, nor leave its key
    // taken.
    let written = write(service.clone(), request, next).in_current_span();
    unbroken(written)
        .await
        .unwrap_or_else(Problem::into_response)
}

async fn write(service: Service, request: Request, next: Next) -> Result<Response, Problem> {
    if !request.headers().contains_key(KEY) {
        return Ok(next.run(request).await);
    }
    let who = identify(&service, request.headers()).await?;
    // Who may write nothing is told so by the route, before a body is read.
    if !who.may_write() {
        return Ok(next.run(request).await);
    }
    answer(service, who, request, next).await
}

async fn answer(
    service: Service,
    who: Identity,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(who.account());
    let body = whole(&service, &mut parts.extensions, body).await?;
    let key = key(&parts.headers)?.unwrap_or_default();
    let mut hash = Sha256::new();
    let (path, query) = (parts.uri.path(), parts.uri.query());
    for part in [parts.method.as_str(), path, query.unwrap_or_default()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(&body);
    match service
        .begin_reply(&who, key, hash.finalize().into())
        .await?
    {
        Started::Known { status, body } => Ok(repeated(status, body)),
        Started::First(slot) => {
            let guard = Abandon {
                service: &service,
                slot: Arc::new(slot),
                answered: false,
            };
            let work = next.run(Request::from_parts(parts, Body::from(body)));
            let response = service.hold_reply(&guard.slot, work).await;
            keep(guard, response).await
        }
    }
}

/// Gives the key back if the request broke off: nothing was done.
struct Abandon<'a> {
    service: &'a Service,
    slot: Arc<ReplySlot>,
    answered: bool,
}

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let (service, slot) = (self.service.clone(), self.slot.clone());
            tokio::spawn(async move { drop(service.abandon_reply(&slot).await) });
        }
    }
}

/// Keeps a write with its answer; gives the key back for one that was refused. A write that can't be kept
/// is not done: its client is told so, and may send it again with the same key.
async fn keep(mut guard: Abandon<'_>, response: Response) -> Result<Response, Problem> {
    if !response.status().is_success() {
        guard.answered = true;
        guard.service.abandon_reply(&guard.slot).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, REPLY_BYTES_MAX)
        .await
        .map_err(|_| Error::Unavailable)?;
    let status = parts.status.as_u16();
    guard
        .service
        .finish_reply(&guard.slot, status, &body)
        .await?;
    guard.answered = true;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn repeated(status: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, Body::from(body)).into_response();
    let headers = response.headers_mut();
    if status != StatusCode::NO_CONTENT {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
    }
    headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    response
}
