//! The URLs of receivers, `/r/…`: any method, any path behind them, any query. What comes is kept, and answered as the
//! receiver is told.
//!
//! What is answered here is what somebody has written, under the name of this server: no browser is let act on it.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::json;

use super::Refuse;
use crate::service::{Error, Received, ReceiverArrival, Service};

/// What every answer says to browsers.
const STILL: [(HeaderName, HeaderValue); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// The routes of receivers.
pub(super) fn routes(refuse: Refuse) -> axum::Router<Service> {
    let take = move |state: State<Service>, path, request| async move {
        let mut response = match receive(state.0, path, request).await {
            Ok(received) => answer(received),
            Err(error) => refuse(error),
        };
        response.headers_mut().extend(STILL);
        response
    };
    axum::Router::new()
        .route("/r/{token}", any(take))
        .route("/r/{token}/", any(take))
        .route("/r/{token}/{*rest}", any(take))
}

async fn receive(
    service: Service,
    path: Result<Path<Vec<(String, String)>>, PathRejection>,
    request: Request,
) -> Result<Received, Error> {
    // Nothing has a name that is no text.
    let Path(named) = path.map_err(|_| Error::NotFound("receiver"))?;
    let token = named.first().map_or("", |(_, token)| token.as_str());
    let door = service.receiver_door(token).await?;
    let (parts, body) = request.into_parts();
    let body = service.read_received(&door, body).await?;
    // As it came: what the path has been decoded to may be something else.
    let rest = parts.uri.path().splitn(4, '/').nth(3);
    let arrival = ReceiverArrival {
        path: format!("/{}", rest.unwrap_or_default()),
        method: parts.method,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    service.receive_at(&door, arrival).await
}

fn answer(received: Received) -> Response {
    match received {
        Received::Answer {
            status,
            headers,
            body,
        } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            let mut response = (status, Body::from(body)).into_response();
            response.headers_mut().extend(headers);
            response
        }
        Received::Nothing { why, .. } => {
            let problem = json!({"status": 503, "code": "not_forwarded", "detail": why});
            let kind = [(header::CONTENT_TYPE, "application/problem+json")];
            (StatusCode::SERVICE_UNAVAILABLE, kind, problem.to_string()).into_response()
        }
    }
}
