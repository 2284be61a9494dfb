//! `/v1/sources` and their secrets. What is sent to a source comes in at another door.

use axum::Json;

use super::answer::{Answer, Created, Done};
use super::body::{JsonBody, JsonBodyOr};
use super::principal::{By, On};
use super::query::{PageQuery, QueryParams};
use crate::service::{
    Listed, MayAdminister, MayRead, MayWrite, NewSource, NewSourceView, RefusalView, SecretView,
    SourcePatch, SourceRotation, SourceTrial, SourceTrialView, SourceView, WholeSecretView,
};

/// Make a source
///
/// A URL that others send webhooks to, which become events once they are verified. Its secret is shown here and
/// never again.
#[utoipa::path(post, path = "/v1/sources", tag = "sources", operation_id = "create_source",
    request_body = NewSource, responses((status = 201, description = "The new source", body = NewSourceView)))]
pub(super) async fn create(
    By(who, service): By<MayWrite>,
    JsonBody(new): JsonBody<NewSource>,
) -> Answer<Created<NewSourceView>> {
    Ok(Created(service.create_source(&who, new).await?))
}

/// List sources
#[utoipa::path(get, path = "/v1/sources", tag = "sources", operation_id = "list_sources",
    params(PageQuery), responses((status = 200, description = "A page", body = Listed<SourceView>)))]
pub(super) async fn list(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<SourceView>>> {
    Ok(Json(service.sources(&who, &query.page()).await?))
}

/// Get a source
#[utoipa::path(get, path = "/v1/sources/{id}", tag = "sources", operation_id = "get_source",
    params(("id" = String, Path, description = "The source's id")),
    responses((status = 200, description = "The source", body = SourceView)))]
pub(super) async fn get(On(who, service, id): On<MayRead>) -> Answer<Json<SourceView>> {
    Ok(Json(service.source(&who, &id).await?))
}

/// Change a source
#[utoipa::path(patch, path = "/v1/sources/{id}", tag = "sources", operation_id = "change_source",
    params(("id" = String, Path, description = "The source's id")), request_body = SourcePatch,
    responses((status = 200, description = "The source", body = SourceView)))]
pub(super) async fn change(
    On(who, service, id): On<MayWrite>,
    JsonBody(patch): JsonBody<SourcePatch>,
) -> Answer<Json<SourceView>> {
    Ok(Json(service.change_source(&who, &id, patch).await?))
}

/// Remove a source with its secrets and refusals
///
/// What is sent to it finds nothing any more. Its events stay.
#[utoipa::path(delete, path = "/v1/sources/{id}", tag = "sources", operation_id = "delete_source",
    params(("id" = String, Path, description = "The source's id")), responses((status = 204, description = "Removed")))]
pub(super) async fn delete(On(who, service, id): On<MayWrite>) -> Answer<Done> {
    service.delete_source(&who, &id).await?;
    Ok(Done)
}

/// List a source's secrets, without their values
#[utoipa::path(get, path = "/v1/sources/{id}/secrets", tag = "sources", operation_id = "list_source_secrets",
    params(("id" = String, Path, description = "The source's id")),
    responses((status = 200, description = "All that are good", body = Listed<SecretView>)))]
pub(super) async fn secrets(
    On(who, service, id): On<MayAdminister>,
) -> Answer<Json<Listed<SecretView>>> {
    Ok(Json(service.source_secrets(&who, &id).await?))
}

/// Rotate a source's secret
///
/// What is signed with the old ones is taken, too, until the overlap ends. The body may be left out.
#[utoipa::path(post, path = "/v1/sources/{id}/secrets/rotate", tag = "sources", operation_id = "rotate_source_secret",
    params(("id" = String, Path, description = "The source's id")), request_body = Option<SourceRotation>,
    responses((status = 201, description = "The new secret, shown once", body = WholeSecretView)))]
pub(super) async fn rotate_secret(
    On(who, service, id): On<MayAdminister>,
    JsonBodyOr(rotation): JsonBodyOr<SourceRotation>,
) -> Answer<Created<WholeSecretView>> {
    Ok(Created(
        service.rotate_source_secret(&who, &id, rotation).await?,
    ))
}

/// List what a source has refused
///
/// The last hundred, newest first, like ones within a moment as one. The source's `refused` counts them all.
#[utoipa::path(get, path = "/v1/sources/{id}/refusals", tag = "sources", operation_id = "list_refusals",
    params(("id" = String, Path, description = "The source's id")),
    responses((status = 200, description = "The last refusals", body = Listed<RefusalView>)))]
pub(super) async fn refusals(
    On(who, service, id): On<MayRead>,
) -> Answer<Json<Listed<RefusalView>>> {
    Ok(Json(service.refusals(&who, &id).await?))
}

/// Try a request on a source
///
/// Says step by step whether it is genuine and which event it would be. Nothing is kept, and nothing counts as
/// refused.
#[utoipa::path(post, path = "/v1/sources/{id}/test", tag = "sources", operation_id = "test_source",
    params(("id" = String, Path, description = "The source's id")), request_body = SourceTrial,
    responses((status = 200, description = "What would become of it", body = SourceTrialView)))]
pub(super) async fn test(
    On(who, service, id): On<MayWrite>,
    JsonBody(trial): JsonBody<SourceTrial>,
) -> Answer<Json<SourceTrialView>> {
    Ok(Json(service.try_source(&who, &id, trial).await?))
}
