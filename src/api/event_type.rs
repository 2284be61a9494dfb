//! `/v1/event-types`.

use axum::Json;

use super::answer::{Answer, Created, Done};
use super::body::JsonBody;
use super::principal::{By, On};
use super::query::{PageQuery, QueryParams};
use crate::service::{
    EventTypePatch, EventTypeView, Listed, MayReadCatalogue, MayWriteCatalogue, NewEventType,
};

/// Catalogue an event type
///
/// With an operator key that names no account: for the whole installation.
#[utoipa::path(post, path = "/v1/event-types", tag = "event types", operation_id = "create_event_type",
    request_body = NewEventType, responses((status = 201, description = "The new event type", body = EventTypeView)))]
pub(super) async fn create(
    By(who, service): By<MayWriteCatalogue>,
    JsonBody(new): JsonBody<NewEventType>,
) -> Answer<Created<EventTypeView>> {
    Ok(Created(service.create_event_type(&who, new).await?))
}

/// List event types by name
///
/// The account's own and the installation's.
#[utoipa::path(get, path = "/v1/event-types", tag = "event types", operation_id = "list_event_types",
    params(PageQuery), responses((status = 200, description = "A page", body = Listed<EventTypeView>)))]
pub(super) async fn list(
    By(who, service): By<MayReadCatalogue>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<EventTypeView>>> {
    Ok(Json(service.event_types(&who, &query.page()).await?))
}

/// Get an event type
#[utoipa::path(get, path = "/v1/event-types/{name}", tag = "event types", operation_id = "get_event_type",
    params(("name" = String, Path, description = "The event type's name")),
    responses((status = 200, description = "The event type", body = EventTypeView)))]
pub(super) async fn get(
    On(who, service, name): On<MayReadCatalogue>,
) -> Answer<Json<EventTypeView>> {
    Ok(Json(service.event_type(&who, &name).await?))
}

/// Change an event type
#[utoipa::path(patch, path = "/v1/event-types/{name}", tag = "event types", operation_id = "change_event_type",
    params(("name" = String, Path, description = "The event type's name")), request_body = EventTypePatch,
    responses((status = 200, description = "The event type", body = EventTypeView)))]
pub(super) async fn change(
    On(who, service, name): On<MayWriteCatalogue>,
    JsonBody(patch): JsonBody<EventTypePatch>,
) -> Answer<Json<EventTypeView>> {
    Ok(Json(service.change_event_type(&who, &name, patch).await?))
}

/// Remove an event type from the catalogue
#[utoipa::path(delete, path = "/v1/event-types/{name}", tag = "event types", operation_id = "delete_event_type",
    params(("name" = String, Path, description = "The event type's name")), responses((status = 204, description = "Removed")))]
pub(super) async fn delete(On(who, service, name): On<MayWriteCatalogue>) -> Answer<Done> {
    service.delete_event_type(&who, &name).await?;
    Ok(Done)
}
