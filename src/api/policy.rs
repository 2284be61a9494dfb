//! `/v1/retry-policies` and `/v1/failure-policies`.

use axum::Json;

use super::answer::{Answer, Created, Done};
use super::body::JsonBody;
use super::principal::{By, On};
use crate::service::{
    FailurePolicyPatch, FailurePolicyView, Listed, MayRead, MayWrite, NewFailurePolicy,
    NewRetryPolicy, RetryPolicyPatch, RetryPolicyView, RetryPreviewRequest, RetryPreviewView,
};

/// Make a retry policy
///
/// Endpoints and profiles refer to it by its name.
#[utoipa::path(post, path = "/v1/retry-policies", tag = "policies", operation_id = "create_retry_policy",
    request_body = NewRetryPolicy, responses((status = 201, description = "The new policy", body = RetryPolicyView)))]
pub(super) async fn create_retry(
    By(who, service): By<MayWrite>,
    JsonBody(new): JsonBody<NewRetryPolicy>,
) -> Answer<Created<RetryPolicyView>> {
    Ok(Created(service.create_retry_policy(&who, new).await?))
}

/// List retry policies
///
/// The ready-made ones, then the account's own, with what each comes to. An endpoint's `retry_policy` names one, or is
/// written out.
#[utoipa::path(get, path = "/v1/retry-policies", tag = "policies", operation_id = "list_retry_policies",
    responses((status = 200, description = "All of them", body = Listed<RetryPolicyView>)))]
pub(super) async fn retry(By(who, service): By<MayRead>) -> Answer<Json<Listed<RetryPolicyView>>> {
    Ok(Json(service.retry_policies(&who).await?))
}

/// Get a retry policy
#[utoipa::path(get, path = "/v1/retry-policies/{name}", tag = "policies", operation_id = "get_retry_policy",
    params(("name" = String, Path, description = "The policy's name")),
    responses((status = 200, description = "The policy", body = RetryPolicyView)))]
pub(super) async fn get_retry(
    On(who, service, name): On<MayRead>,
) -> Answer<Json<RetryPolicyView>> {
    Ok(Json(service.retry_policy(&who, &name).await?))
}

/// Change a retry policy
///
/// The next attempt to every endpoint that follows it keeps to it. A ready-made one can't be changed.
#[utoipa::path(patch, path = "/v1/retry-policies/{name}", tag = "policies", operation_id = "change_retry_policy",
    params(("name" = String, Path, description = "The policy's name")), request_body = RetryPolicyPatch,
    responses((status = 200, description = "The policy", body = RetryPolicyView)))]
pub(super) async fn change_retry(
    On(who, service, name): On<MayWrite>,
    JsonBody(patch): JsonBody<RetryPolicyPatch>,
) -> Answer<Json<RetryPolicyView>> {
    Ok(Json(service.change_retry_policy(&who, &name, patch).await?))
}

/// Remove a retry policy
///
/// One that is used is not removed: the answer says by what.
#[utoipa::path(delete, path = "/v1/retry-policies/{name}", tag = "policies", operation_id = "delete_retry_policy",
    params(("name" = String, Path, description = "The policy's name")),
    responses((status = 204, description = "Removed")))]
pub(super) async fn delete_retry(On(who, service, name): On<MayWrite>) -> Answer<Done> {
    service.delete_retry_policy(&who, &name).await?;
    Ok(Done)
}

/// Preview a retry policy
///
/// When a delivery is tried again, in words and in times, each as a range where there is jitter. Nothing is kept.
#[utoipa::path(post, path = "/v1/retry-policies/preview", tag = "policies", operation_id = "preview_retry_policy",
    request_body = RetryPreviewRequest,
    responses((status = 200, description = "What it comes to", body = RetryPreviewView)))]
pub(super) async fn preview_retry(
    By(who, service): By<MayWrite>,
    JsonBody(request): JsonBody<RetryPreviewRequest>,
) -> Answer<Json<RetryPreviewView>> {
    Ok(Json(service.preview_retry_policy(&who, request).await?))
}

/// Make a failure policy
///
/// Endpoints and profiles refer to it by its name.
#[utoipa::path(post, path = "/v1/failure-policies", tag = "policies", operation_id = "create_failure_policy",
    request_body = NewFailurePolicy,
    responses((status = 201, description = "The new policy", body = FailurePolicyView)))]
pub(super) async fn create_failure(
    By(who, service): By<MayWrite>,
    JsonBody(new): JsonBody<NewFailurePolicy>,
) -> Answer<Created<FailurePolicyView>> {
    Ok(Created(service.create_failure_policy(&who, new).await?))
}

/// List failure policies
///
/// The ready-made ones, then the account's own: what an endpoint's `failure_policy` can be, and what an endpoint that
/// fails must expect of each.
#[utoipa::path(get, path = "/v1/failure-policies", tag = "policies", operation_id = "list_failure_policies",
    responses((status = 200, description = "All of them", body = Listed<FailurePolicyView>)))]
pub(super) async fn failure(
    By(who, service): By<MayRead>,
) -> Answer<Json<Listed<FailurePolicyView>>> {
    Ok(Json(service.failure_policies(&who).await?))
}

/// Get a failure policy
#[utoipa::path(get, path = "/v1/failure-policies/{name}", tag = "policies", operation_id = "get_failure_policy",
    params(("name" = String, Path, description = "The policy's name")),
    responses((status = 200, description = "The policy", body = FailurePolicyView)))]
pub(super) async fn get_failure(
    On(who, service, name): On<MayRead>,
) -> Answer<Json<FailurePolicyView>> {
    Ok(Json(service.failure_policy(&who, &name).await?))
}

/// Change a failure policy
///
/// Every endpoint that follows it goes on with what was counted. A ready-made one can't be changed.
#[utoipa::path(patch, path = "/v1/failure-policies/{name}", tag = "policies", operation_id = "change_failure_policy",
    params(("name" = String, Path, description = "The policy's name")), request_body = FailurePolicyPatch,
    responses((status = 200, description = "The policy", body = FailurePolicyView)))]
pub(super) async fn change_failure(
    On(who, service, name): On<MayWrite>,
    JsonBody(patch): JsonBody<FailurePolicyPatch>,
) -> Answer<Json<FailurePolicyView>> {
    Ok(Json(
        service.change_failure_policy(&who, &name, patch).await?,
    ))
}

/// Remove a failure policy
///
/// One that is used is not removed: the answer says by what.
#[utoipa::path(delete, path = "/v1/failure-policies/{name}", tag = "policies", operation_id = "delete_failure_policy",
    params(("name" = String, Path, description = "The policy's name")),
    responses((status = 204, description = "Removed")))]
pub(super) async fn delete_failure(On(who, service, name): On<MayWrite>) -> Answer<Done> {
    service.delete_failure_policy(&who, &name).await?;
    Ok(Done)
}
