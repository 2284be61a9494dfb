//! Floor 5: the URLs that others send to: webhooks to sources, `POST /in/…`, and anything to receivers, `/r/…`.
//!
//! Nobody shows a key here: whoever knows a source's URL is at its door, and what they send is taken once it is
//! proved by the source's scheme. The answer comes after the commit. What is checked, how a request becomes an
//! event, and what is written down of those that are refused is [`crate::service`]'s affair.
//!
//! The URL is part of the secret, so it is in no log line and no figure: both have the route, not the path.

mod receiver;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Serialize;

use crate::model::EventId;
use crate::service::{Arrival, Error, Service};

/// Turns an error into the answer that the API gives to it.
pub type Refuse = fn(Error) -> Response;

/// The event that a request has become.
#[derive(Serialize)]
struct Taken {
    /// The first one's, if it came before; null, if the source's plugin wants no event of the request.
    id: Option<EventId>,
}

/// The routes of this room. `refuse`: how the house answers what can't be done.
pub fn routes(refuse: Refuse) -> axum::Router<Service> {
    let take = move |state: State<Service>, path, query, request| async move {
        match receive(state.0, path, query, request).await {
            Ok(taken) => (StatusCode::ACCEPTED, Json(taken)).into_response(),
            Err(error) => refuse(error),
        }
    };
    let sources = axum::Router::new().route("/in/{source}", post(take));
    sources.merge(receiver::routes(refuse))
}

async fn receive(
    service: Service,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Taken, Error> {
    // Nothing has a name that is no text.
    let Path(name) = path.map_err(|_| Error::NotFound("source"))?;
    let door = service.source_door(&name).await?;
    let (parts, body) = request.into_parts();
    let arrival = Arrival {
        headers: parts.headers,
        query: query.unwrap_or_default(),
        body,
    };
    let taken = service.receive(&door, arrival).await?;
    Ok(Taken {
        id: taken.map(|taken| taken.event),
    })
}
