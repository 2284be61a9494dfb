//! One span per request, with its id, its route and how it ended; never a body, a key or a query.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use crate::vault::random;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Follows a request through its handler.
pub(super) async fn follow(request: Request, next: Next) -> Response {
    let id = hex::encode(random::bytes::<8>().unwrap_or_default());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let span = tracing::info_span!("request", request.id = %id, http.method = %method, http.route = %route);
    let answered = async {
        let response = next.run(request).await;
        tracing::debug!(http.status = response.status().as_u16(), "answered");
        response
    };
    let mut response = answered.instrument(span).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!(
        "throwbar_http_requests_total",
        "method" => known_method(method.as_str()), "route" => route, "status" => status
    )
    .increment(1);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Methods are chosen by clients: a label has few values.
fn known_method(method: &str) -> &'static str {
    match method {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}
