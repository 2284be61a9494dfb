//! `/v1/event-types`.

use axum::Json;

use super::answer::{Answer, Created, Done};
use super::body::{JsonBody, JsonText};
use super::principal::{By, On};
use super::query::{ImportQuery, PageQuery, QueryParams, ShelfQuery};
use crate::service::{
    CatalogueView, EventTypePatch, EventTypeVersionView, EventTypeView, ImportView, Listed,
    MayReadCatalogue, MayWriteCatalogue, NewEventType, WholeCatalogueView,
};

/// Catalogue an event type
///
/// With an operator key that names no account: for the whole installation. An account's own hides the
/// installation's of the same name.
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
/// The account's own and the installation's, without their schemas. A page may be short, or empty, and have a
/// `next_cursor`: those that are put away are left out of it.
#[utoipa::path(get, path = "/v1/event-types", tag = "event types", operation_id = "list_event_types",
    params(ShelfQuery), responses((status = 200, description = "A page", body = Listed<EventTypeView>)))]
pub(super) async fn list(
    By(who, service): By<MayReadCatalogue>,
    QueryParams(query): QueryParams<ShelfQuery>,
) -> Answer<Json<Listed<EventTypeView>>> {
    let (shelf, page) = query.parts();
    Ok(Json(service.event_types(&who, shelf, &page).await?))
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
///
/// A schema that says something else becomes a new version, and is in force at once; every example must fit it.
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
///
/// With all versions of its schema. To keep it and only not offer it any more, archive it.
#[utoipa::path(delete, path = "/v1/event-types/{name}", tag = "event types", operation_id = "delete_event_type",
    params(("name" = String, Path, description = "The event type's name")), responses((status = 204, description = "Removed")))]
pub(super) async fn delete(On(who, service, name): On<MayWriteCatalogue>) -> Answer<Done> {
    service.delete_event_type(&who, &name).await?;
    Ok(Done)
}

/// List the versions of an event type's schema
#[utoipa::path(get, path = "/v1/event-types/{name}/versions", tag = "event types", operation_id = "list_event_type_versions",
    params(("name" = String, Path, description = "The event type's name"), PageQuery),
    responses((status = 200, description = "A page", body = Listed<EventTypeVersionView>)))]
pub(super) async fn versions(
    On(who, service, name): On<MayReadCatalogue>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<EventTypeVersionView>>> {
    let page = query.page();
    Ok(Json(service.event_type_versions(&who, &name, &page).await?))
}

/// Get a version of an event type's schema
#[utoipa::path(get, path = "/v1/event-types/{name}/versions/{n}", tag = "event types", operation_id = "get_event_type_version",
    params(("name" = String, Path, description = "The event type's name"), ("n" = i64, Path, description = "The version's number")),
    responses((status = 200, description = "The version", body = EventTypeVersionView)))]
pub(super) async fn version(
    On(who, service, (name, n)): On<MayReadCatalogue, (String, String)>,
) -> Answer<Json<EventTypeVersionView>> {
    Ok(Json(service.event_type_version(&who, (&name, &n)).await?))
}

/// Import event types
///
/// The body is an OpenAPI document, 3.1 or 3.0, whose `webhooks` (3.0: `x-webhooks`) become event types, with
/// all that their schemas refer to; or a list of event types, each with a `name` and, where wanted, `description`,
/// `group`, `schema` and `examples`: an array, or an object with `event_types`. JSON, 1000 event types at most.
/// What is left out stays as it is. Each is answered by itself; those that are not refused are written in one
/// commit.
#[utoipa::path(post, path = "/v1/event-types/import", tag = "event types", operation_id = "import_event_types",
    params(ImportQuery), request_body(content = serde_json::Value, description = "The document"),
    responses((status = 200, description = "What came of each", body = ImportView)))]
pub(super) async fn import(
    By(who, service): By<MayWriteCatalogue>,
    QueryParams(query): QueryParams<ImportQuery>,
    JsonText(document): JsonText,
) -> Answer<Json<ImportView>> {
    let import = query.import();
    Ok(Json(
        service.import_event_types(&who, &document, import).await?,
    ))
}

/// List the ready-made catalogues of event types
#[utoipa::path(get, path = "/v1/event-types/catalogues", tag = "event types", operation_id = "list_catalogues",
    responses((status = 200, description = "All of them", body = Listed<CatalogueView>)))]
pub(super) async fn catalogues(
    By(who, service): By<MayReadCatalogue>,
) -> Answer<Json<Listed<CatalogueView>>> {
    Ok(Json(service.catalogues(&who)?))
}

/// Get a ready-made catalogue with its schemas and examples
#[utoipa::path(get, path = "/v1/event-types/catalogues/{name}", tag = "event types", operation_id = "get_catalogue",
    params(("name" = String, Path, description = "The catalogue's name")),
    responses((status = 200, description = "The catalogue", body = WholeCatalogueView)))]
pub(super) async fn catalogue(
    On(who, service, name): On<MayReadCatalogue>,
) -> Answer<Json<WholeCatalogueView>> {
    Ok(Json(service.catalogue(&who, &name)?))
}

/// Install a ready-made catalogue
///
/// Adds those of its event types that the account does not see yet. One that it sees already, be it its own or the
/// installation's, stays as it is: there is one type of a name, and the first schema is kept.
#[utoipa::path(post, path = "/v1/event-types/catalogues/{name}/install", tag = "event types", operation_id = "install_catalogue",
    params(("name" = String, Path, description = "The catalogue's name")),
    responses((status = 200, description = "What came of each event type", body = ImportView)))]
pub(super) async fn install(
    On(who, service, name): On<MayWriteCatalogue>,
) -> Answer<Json<ImportView>> {
    Ok(Json(service.install_catalogue(&who, &name).await?))
}
