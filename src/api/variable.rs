//! `/v1/variables`.

use axum::Json;

use super::answer::{Answer, Created, Done};
use super::body::JsonBody;
use super::principal::{By, On};
use super::query::{PageQuery, QueryParams};
use crate::service::{Listed, MayRead, MayWrite, NewVariable, VariablePatch, VariableView};

/// Make a variable
///
/// Conditions ask for a plain one as `vars.name`; configurations of transforms and headers of endpoints refer to
/// any as `{{vars.name}}`.
#[utoipa::path(post, path = "/v1/variables", tag = "variables", operation_id = "create_variable",
    request_body = NewVariable, responses((status = 201, description = "The new variable", body = VariableView)))]
pub(super) async fn create(
    By(who, service): By<MayWrite>,
    JsonBody(new): JsonBody<NewVariable>,
) -> Answer<Created<VariableView>> {
    Ok(Created(service.create_variable(&who, new).await?))
}

/// List variables
///
/// By name; those that are secret without their values.
#[utoipa::path(get, path = "/v1/variables", tag = "variables", operation_id = "list_variables",
    params(PageQuery), responses((status = 200, description = "A page", body = Listed<VariableView>)))]
pub(super) async fn list(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<VariableView>>> {
    Ok(Json(service.variables(&who, &query.page()).await?))
}

/// Get a variable
#[utoipa::path(get, path = "/v1/variables/{name}", tag = "variables", operation_id = "get_variable",
    params(("name" = String, Path, description = "The variable's name")),
    responses((status = 200, description = "The variable", body = VariableView)))]
pub(super) async fn get(On(who, service, name): On<MayRead>) -> Answer<Json<VariableView>> {
    Ok(Json(service.variable(&who, &name).await?))
}

/// Change a variable
///
/// The next event sees it. One that a condition asks for can't become secret.
#[utoipa::path(patch, path = "/v1/variables/{name}", tag = "variables", operation_id = "change_variable",
    params(("name" = String, Path, description = "The variable's name")), request_body = VariablePatch,
    responses((status = 200, description = "The variable", body = VariableView)))]
pub(super) async fn change(
    On(who, service, name): On<MayWrite>,
    JsonBody(patch): JsonBody<VariablePatch>,
) -> Answer<Json<VariableView>> {
    Ok(Json(service.change_variable(&who, &name, patch).await?))
}

/// Remove a variable
///
/// One that is used is not removed: the answer says by what.
#[utoipa::path(delete, path = "/v1/variables/{name}", tag = "variables", operation_id = "delete_variable",
    params(("name" = String, Path, description = "The variable's name")),
    responses((status = 204, description = "Removed")))]
pub(super) async fn delete(On(who, service, name): On<MayWrite>) -> Answer<Done> {
    service.delete_variable(&who, &name).await?;
    Ok(Done)
}
