//! What every request passes on its way to its handler: one span with its id, its route and how it
//! ended (never a body, a key or a query), the refusal of parameters that nobody asked for,
//! idempotency, and an answer even if the handler breaks off.
//!
//! One layer for all of it: each layer boxes and clones every route once more for each request.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use tracing::Instrument;

use super::{idempotency, problem, query};
use crate::service::Service;
use crate::vault::random;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the layer works with.
pub(super) struct Passage {
    pub(super) service: Service,
    /// The routes that take query parameters.
    pub(super) asking: HashSet<(Method, String)>,
}

/// Follows a request through its handler.
pub(super) async fn pass(
    State(passage): State<Arc<Passage>>,
    request: Request,
    next: Next,
) -> Response {
    let id = request_id();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let method = known_method(request.method());
    let span =
        tracing::info_span!("request", request.id = %id, http.method = method, http.route = route);
    let answered = async {
        let answer = async {
            match query::unasked(&passage.asking, &request) {
                Some(problem) => problem.into_response(),
                None => idempotency::once(&passage.service, request, next).await,
            }
        };
        // What a handler shares with others it locks in ways that survive a panic.
        let response = match AssertUnwindSafe(answer).catch_unwind().await {
            Ok(response) => response,
            Err(_logged_by_the_hook) => problem::panicked(),
        };
        tracing::debug!(http.status = response.status().as_u16(), "answered");
        response
    };
    let mut response = answered.instrument(span).await;
    metrics::counter!(
        "throwbar_http_requests_total",
        "method" => method,
        "route" => route.to_owned(),
        "status" => response.status().as_str().to_owned()
    )
    .increment(1);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Where a process begins to count its requests: two processes' ids hardly ever meet.
static FIRST: std::sync::LazyLock<[u8; 4]> =
    std::sync::LazyLock::new(|| random::bytes().unwrap_or_default());
static COUNT: AtomicU32 = AtomicU32::new(0);

fn request_id() -> String {
    let mut id = [0; 8];
    id[..4].copy_from_slice(&*FIRST);
    id[4..].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    hex::encode(id)
}

/// Methods are chosen by clients: a label has few values.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}
