//! `/v1/automations`.

use axum::Json;

use super::answer::{Answer, Created, Done};
use super::body::JsonBody;
use super::principal::{By, On};
use super::query::{QueryParams, ShelfQuery};
use crate::service::{AutomationPatch, AutomationView, Listed, MayRead, MayWrite, NewAutomation};

/// Make an automation
///
/// It is published at once unless `draft` is true. How a condition is written, with examples, is told
/// in `docs/conditions.md`.
#[utoipa::path(post, path = "/v1/automations", tag = "automations", operation_id = "create_automation",
    request_body = NewAutomation, responses((status = 201, description = "The new automation", body = AutomationView)))]
pub(super) async fn create(
    By(who, service): By<MayWrite>,
    JsonBody(new): JsonBody<NewAutomation>,
) -> Answer<Created<AutomationView>> {
    Ok(Created(service.create_automation(&who, new).await?))
}

/// List automations
///
/// Archived ones are left out, unless `archived` is true.
#[utoipa::path(get, path = "/v1/automations", tag = "automations", operation_id = "list_automations",
    params(ShelfQuery), responses((status = 200, description = "A page", body = Listed<AutomationView>)))]
pub(super) async fn list(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<ShelfQuery>,
) -> Answer<Json<Listed<AutomationView>>> {
    let (shelf, page) = query.parts();
    Ok(Json(service.automations(&who, shelf, &page).await?))
}

/// Get an automation
#[utoipa::path(get, path = "/v1/automations/{id}", tag = "automations", operation_id = "get_automation",
    params(("id" = String, Path, description = "The automation's id")),
    responses((status = 200, description = "The automation with its newest version", body = AutomationView)))]
pub(super) async fn get(On(who, service, id): On<MayRead>) -> Answer<Json<AutomationView>> {
    Ok(Json(service.automation(&who, &id).await?))
}

/// Change an automation
///
/// Another trigger, condition, chain of transforms or list of actions saves a new version, published at once
/// unless `draft` is true; what changes nothing saves none. `enabled` alone switches the published one. How a
/// condition is written is told in `docs/conditions.md`.
#[utoipa::path(patch, path = "/v1/automations/{id}", tag = "automations", operation_id = "change_automation",
    params(("id" = String, Path, description = "The automation's id")), request_body = AutomationPatch,
    responses((status = 200, description = "The automation with its newest version", body = AutomationView)))]
pub(super) async fn change(
    On(who, service, id): On<MayWrite>,
    JsonBody(patch): JsonBody<AutomationPatch>,
) -> Answer<Json<AutomationView>> {
    Ok(Json(service.change_automation(&who, &id, patch).await?))
}

/// Remove an automation
///
/// The endpoints of its bare URLs go with it; what was still to be delivered to them is cancelled.
#[utoipa::path(delete, path = "/v1/automations/{id}", tag = "automations", operation_id = "delete_automation",
    params(("id" = String, Path, description = "The automation's id")), responses((status = 204, description = "Removed")))]
pub(super) async fn delete(On(who, service, id): On<MayWrite>) -> Answer<Done> {
    service.delete_automation(&who, &id).await?;
    Ok(Done)
}
