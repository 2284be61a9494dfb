//! `/v1/endpoints` and their secrets.

use axum::Json;

use super::answer::{Answer, Created, Done};
use super::body::{JsonBody, JsonBodyOr};
use super::principal::{By, On};
use super::query::{PageQuery, QueryParams};
use crate::service::{
    EndpointPatch, EndpointToValidate, EndpointValidationView, EndpointView, Listed, MayAdminister,
    MayRead, MayWrite, NewEndpoint, NewEndpointView, Rotation, SecretView, Switch, WholeSecretView,
};

/// Make an endpoint
///
/// With nothing but a URL it gets every event, signed with a secret of its own.
#[utoipa::path(post, path = "/v1/endpoints", tag = "endpoints", operation_id = "create_endpoint",
    request_body = NewEndpoint, responses((status = 201, description = "The new endpoint", body = NewEndpointView)))]
pub(super) async fn create(
    By(who, service): By<MayWrite>,
    JsonBody(new): JsonBody<NewEndpoint>,
) -> Answer<Created<NewEndpointView>> {
    Ok(Created(service.create_endpoint(&who, new).await?))
}

/// Validate a URL before it is saved
///
/// It is pinged by POST with an empty JSON object, and any answer counts; only if there is none, by HEAD, where 200
/// counts. Each has 5 seconds. Nothing is saved.
#[utoipa::path(post, path = "/v1/endpoints/validate", tag = "endpoints", operation_id = "validate_endpoint",
    request_body = EndpointToValidate, responses((status = 200, description = "What was found", body = EndpointValidationView)))]
pub(super) async fn validate(
    By(who, service): By<MayWrite>,
    JsonBody(asked): JsonBody<EndpointToValidate>,
) -> Answer<Json<EndpointValidationView>> {
    Ok(Json(service.validate_endpoint(&who, asked).await?))
}

/// List endpoints
#[utoipa::path(get, path = "/v1/endpoints", tag = "endpoints", operation_id = "list_endpoints",
    params(PageQuery), responses((status = 200, description = "A page", body = Listed<EndpointView>)))]
pub(super) async fn list(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<EndpointView>>> {
    Ok(Json(service.endpoints(&who, &query.page()).await?))
}

/// Get an endpoint
#[utoipa::path(get, path = "/v1/endpoints/{id}", tag = "endpoints", operation_id = "get_endpoint",
    params(("id" = String, Path, description = "The endpoint's id")),
    responses((status = 200, description = "The endpoint", body = EndpointView)))]
pub(super) async fn get(On(who, service, id): On<MayRead>) -> Answer<Json<EndpointView>> {
    Ok(Json(service.endpoint(&who, &id).await?))
}

/// Change an endpoint
#[utoipa::path(patch, path = "/v1/endpoints/{id}", tag = "endpoints", operation_id = "change_endpoint",
    params(("id" = String, Path, description = "The endpoint's id")), request_body = EndpointPatch,
    responses((status = 200, description = "The endpoint", body = EndpointView)))]
pub(super) async fn change(
    On(who, service, id): On<MayWrite>,
    JsonBody(patch): JsonBody<EndpointPatch>,
) -> Answer<Json<EndpointView>> {
    Ok(Json(service.change_endpoint(&who, &id, patch).await?))
}

/// Remove an endpoint
///
/// What was still to be delivered to it is cancelled.
#[utoipa::path(delete, path = "/v1/endpoints/{id}", tag = "endpoints", operation_id = "delete_endpoint",
    params(("id" = String, Path, description = "The endpoint's id")), responses((status = 204, description = "Removed")))]
pub(super) async fn delete(On(who, service, id): On<MayWrite>) -> Answer<Done> {
    service.delete_endpoint(&who, &id).await?;
    Ok(Done)
}

/// Let deliveries to an endpoint go out
#[utoipa::path(post, path = "/v1/endpoints/{id}/enable", tag = "endpoints", operation_id = "enable_endpoint",
    params(("id" = String, Path, description = "The endpoint's id")),
    responses((status = 200, description = "The endpoint", body = EndpointView)))]
pub(super) async fn enable(On(who, service, id): On<MayWrite>) -> Answer<Json<EndpointView>> {
    Ok(Json(service.switch_endpoint(&who, &id, Switch::On).await?))
}

/// Hold deliveries to an endpoint
#[utoipa::path(post, path = "/v1/endpoints/{id}/disable", tag = "endpoints", operation_id = "disable_endpoint",
    params(("id" = String, Path, description = "The endpoint's id")),
    responses((status = 200, description = "The endpoint", body = EndpointView)))]
pub(super) async fn disable(On(who, service, id): On<MayWrite>) -> Answer<Json<EndpointView>> {
    Ok(Json(service.switch_endpoint(&who, &id, Switch::Off).await?))
}

/// List an endpoint's signing secrets, without their values
#[utoipa::path(get, path = "/v1/endpoints/{id}/secrets", tag = "endpoints", operation_id = "list_secrets",
    params(("id" = String, Path, description = "The endpoint's id")),
    responses((status = 200, description = "All that sign", body = Listed<SecretView>)))]
pub(super) async fn secrets(
    On(who, service, id): On<MayAdminister>,
) -> Answer<Json<Listed<SecretView>>> {
    Ok(Json(service.secrets(&who, &id).await?))
}

/// Rotate an endpoint's signing secret
///
/// The old ones go on signing beside the new one until the overlap ends. The body may be left out.
#[utoipa::path(post, path = "/v1/endpoints/{id}/secrets/rotate", tag = "endpoints", operation_id = "rotate_secret",
    params(("id" = String, Path, description = "The endpoint's id")), request_body = Option<Rotation>,
    responses((status = 201, description = "The new secret", body = WholeSecretView)))]
pub(super) async fn rotate_secret(
    On(who, service, id): On<MayAdminister>,
    JsonBodyOr(rotation): JsonBodyOr<Rotation>,
) -> Answer<Created<WholeSecretView>> {
    Ok(Created(service.rotate_secret(&who, &id, rotation).await?))
}

/// End the overlap of a rotation of an endpoint's signing secret
///
/// Only the newest one signs from now on.
#[utoipa::path(post, path = "/v1/endpoints/{id}/secrets/end-overlap", tag = "endpoints", operation_id = "end_secret_overlap",
    params(("id" = String, Path, description = "The endpoint's id")),
    responses((status = 200, description = "What signs", body = Listed<SecretView>)))]
pub(super) async fn end_secret_overlap(
    On(who, service, id): On<MayAdminister>,
) -> Answer<Json<Listed<SecretView>>> {
    Ok(Json(service.end_secret_overlap(&who, &id).await?))
}

/// Reveal a signing secret
#[utoipa::path(post, path = "/v1/endpoints/{id}/secrets/{secret}/reveal", tag = "endpoints", operation_id = "reveal_secret",
    params(("id" = String, Path, description = "The endpoint's id"), ("secret" = String, Path, description = "The secret's id")),
    responses((status = 200, description = "The secret", body = WholeSecretView)))]
pub(super) async fn reveal_secret(
    On(who, service, (id, secret)): On<MayAdminister, (String, String)>,
) -> Answer<Json<WholeSecretView>> {
    Ok(Json(service.reveal_secret(&who, &id, &secret).await?))
}
