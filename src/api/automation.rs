//! `/v1/automations`.

use axum::Json;
use axum::extract::{Path, State};

use super::answer::{Answer, Created, Done};
use super::body::Read;
use super::query::{Asked, PageQuery};
use crate::service::{
    AutomationPatch, AutomationView, Listed, MayRead, MayWrite, NewAutomation, Principal, Service,
};

/// Make an automation
///
/// It is published at once unless `draft` is true.
#[utoipa::path(post, path = "/v1/automations", tag = "automations", operation_id = "create_automation",
    request_body = NewAutomation, responses((status = 201, description = "Made", body = AutomationView)))]
pub(super) async fn create(
    who: Principal<MayWrite>,
    State(service): State<Service>,
    Read(new): Read<NewAutomation>,
) -> Answer<Created<AutomationView>> {
    Ok(Created(service.create_automation(&who, new).await?))
}

/// List automations
#[utoipa::path(get, path = "/v1/automations", tag = "automations", operation_id = "list_automations",
    params(PageQuery), responses((status = 200, description = "A page", body = Listed<AutomationView>)))]
pub(super) async fn list(
    who: Principal<MayRead>,
    State(service): State<Service>,
    Asked(query): Asked<PageQuery>,
) -> Answer<Json<Listed<AutomationView>>> {
    Ok(Json(service.automations(&who, &query.page()).await?))
}

/// Get an automation
#[utoipa::path(get, path = "/v1/automations/{id}", tag = "automations", operation_id = "get_automation",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The automation with its newest version", body = AutomationView)))]
pub(super) async fn get(
    who: Principal<MayRead>,
    State(service): State<Service>,
    Path(id): Path<String>,
) -> Answer<Json<AutomationView>> {
    Ok(Json(service.automation(&who, &id).await?))
}

/// Change an automation
///
/// Saves a new version, published at once unless `draft` is true; `enabled` alone switches the
/// published one.
#[utoipa::path(patch, path = "/v1/automations/{id}", tag = "automations", operation_id = "change_automation",
    params(("id" = String, Path, description = "Its id")), request_body = AutomationPatch,
    responses((status = 200, description = "The automation with its newest version", body = AutomationView)))]
pub(super) async fn change(
    who: Principal<MayWrite>,
    State(service): State<Service>,
    Path(id): Path<String>,
    Read(patch): Read<AutomationPatch>,
) -> Answer<Json<AutomationView>> {
    Ok(Json(service.change_automation(&who, &id, patch).await?))
}

/// Remove an automation
///
/// The endpoints of its bare URLs go with it; what was still to be delivered to them is cancelled.
#[utoipa::path(delete, path = "/v1/automations/{id}", tag = "automations", operation_id = "delete_automation",
    params(("id" = String, Path, description = "Its id")), responses((status = 204, description = "Removed")))]
pub(super) async fn delete(
    who: Principal<MayWrite>,
    State(service): State<Service>,
    Path(id): Path<String>,
) -> Answer<Done> {
    service.delete_automation(&who, &id).await?;
    Ok(Done)
}
