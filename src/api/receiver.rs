//! `/v1/receivers`: URLs of this server that keep what is sent to them.

use std::convert::Infallible;

use axum::Json;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::StreamExt as _;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::{Answer, Created, Done};
use super::body::{JsonBody, JsonBodyOr};
use super::principal::{By, On, identify};
use super::query::{PageQuery, QueryParams};
use crate::service::{
    Followed, ForwardedAnswer, Listed, MayRead, MayWrite, NewReceiver, ReceiverPatch,
    ReceiverRequestView, ReceiverView,
};

/// The header by which a client says where its stream broke off.
const LAST_EVENT_ID: &str = "last-event-id";

/// Make a receiver
///
/// A URL of this server that keeps what is sent to it and answers as it is told, for looking at deliveries before there
/// is anybody who takes them. The body may be left out.
#[utoipa::path(post, path = "/v1/receivers", tag = "receivers", operation_id = "create_receiver",
    request_body = Option<NewReceiver>, responses((status = 201, description = "The receiver", body = ReceiverView)))]
pub(super) async fn create(
    By(who, service): By<MayWrite>,
    JsonBodyOr(new): JsonBodyOr<NewReceiver>,
) -> Answer<Created<ReceiverView>> {
    Ok(Created(service.create_receiver(&who, new).await?))
}

/// List receivers
#[utoipa::path(get, path = "/v1/receivers", tag = "receivers", operation_id = "list_receivers",
    params(PageQuery), responses((status = 200, description = "A page", body = Listed<ReceiverView>)))]
pub(super) async fn list(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<ReceiverView>>> {
    Ok(Json(service.receivers(&who, &query.page()).await?))
}

/// Get a receiver
#[utoipa::path(get, path = "/v1/receivers/{id}", tag = "receivers", operation_id = "get_receiver",
    params(("id" = String, Path, description = "The receiver's id")),
    responses((status = 200, description = "The receiver", body = ReceiverView)))]
pub(super) async fn get(On(who, service, id): On<MayRead>) -> Answer<Json<ReceiverView>> {
    Ok(Json(service.receiver(&who, &id).await?))
}

/// Change a receiver
///
/// Its answers begin with the first, if they are others than before.
#[utoipa::path(patch, path = "/v1/receivers/{id}", tag = "receivers", operation_id = "change_receiver",
    params(("id" = String, Path, description = "The receiver's id")), request_body = ReceiverPatch,
    responses((status = 200, description = "The receiver", body = ReceiverView)))]
pub(super) async fn change(
    On(who, service, id): On<MayWrite>,
    JsonBody(patch): JsonBody<ReceiverPatch>,
) -> Answer<Json<ReceiverView>> {
    Ok(Json(service.change_receiver(&who, &id, patch).await?))
}

/// Remove a receiver
///
/// With all that came to it.
#[utoipa::path(delete, path = "/v1/receivers/{id}", tag = "receivers", operation_id = "delete_receiver",
    params(("id" = String, Path, description = "The receiver's id")), responses((status = 204, description = "Removed")))]
pub(super) async fn delete(On(who, service, id): On<MayWrite>) -> Answer<Done> {
    service.delete_receiver(&who, &id).await?;
    Ok(Done)
}

/// List what came to a receiver
///
/// Newest first: the last 500 requests of the last 7 days, and 16 MiB of bodies at most.
#[utoipa::path(get, path = "/v1/receivers/{id}/requests", tag = "receivers", operation_id = "list_receiver_requests",
    params(("id" = String, Path, description = "The receiver's id"), PageQuery),
    responses((status = 200, description = "A page", body = Listed<ReceiverRequestView>)))]
pub(super) async fn requests(
    On(who, service, id): On<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<ReceiverRequestView>>> {
    let page = service.receiver_requests(&who, &id, &query.page()).await?;
    Ok(Json(page))
}

/// How a stream is followed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamQuery {
    /// Whether whoever follows answers what comes, by `POST` to `/answer`. It takes a key that may write.
    #[serde(default)]
    forward: bool,
}

/// Follow what comes to a receiver
///
/// Server-sent events: first `begun`, then for each request one `request`, whose data is as in the list. From the
/// request after that of the header `Last-Event-ID`, or from now on. It lasts 5 minutes; a client goes on with a new one.
#[utoipa::path(get, path = "/v1/receivers/{id}/stream", tag = "receivers", operation_id = "follow_receiver",
    params(("id" = String, Path, description = "The receiver's id"), StreamQuery),
    responses((status = 200, description = "What comes, as it comes", content_type = "text/event-stream", body = String)))]
pub(super) async fn stream(
    On(who, service, id): On<MayRead>,
    QueryParams(query): QueryParams<StreamQuery>,
    headers: HeaderMap,
) -> Answer<impl IntoResponse> {
    let after = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let stream = if query.forward {
        let who = identify(&service, &headers).await?;
        let who = who.grant::<MayWrite>()?;
        service.forward_receiver(&who, &id).await?.left_stream()
    } else {
        service
            .follow_receiver(&who, &id, after)
            .await?
            .right_stream()
    };
    let told = stream.map(|followed| Ok::<_, Infallible>(told(followed)));
    Ok(Sse::new(told).keep_alive(KeepAlive::default()))
}

fn told(followed: Followed) -> Event {
    let event = Event::default();
    match followed {
        Followed::Begun => event.event("begun").data("{}"),
        Followed::Request(request) => {
            let text = serde_json::to_string(&request).unwrap_or_default();
            event.event("request").id(request.id.to_string()).data(text)
        }
    }
}

/// Answer what came to a receiver
///
/// As whoever forwards it, once. What sent it gets this answer: a delivery's attempt has it on record.
#[utoipa::path(post, path = "/v1/receivers/{id}/requests/{request}/answer", tag = "receivers",
    operation_id = "answer_receiver_request",
    params(("id" = String, Path, description = "The receiver's id"), ("request" = String, Path, description = "The request's id")),
    request_body = ForwardedAnswer, responses((status = 204, description = "It is answered")))]
pub(super) async fn answer(
    On(who, service, (id, request)): On<MayWrite, (String, String)>,
    JsonBody(answer): JsonBody<ForwardedAnswer>,
) -> Answer<Done> {
    service
        .answer_received(&who, (&id, &request), &answer)
        .await?;
    Ok(Done)
}
