//! `/v1/retry-policies` and `/v1/failure-policies`.

use axum::Json;

use super::answer::Answer;
use super::body::JsonBody;
use super::principal::By;
use crate::service::{
    FailurePolicyView, Listed, MayRead, MayWrite, RetryPolicyView, RetryPreviewRequest,
    RetryPreviewView,
};

/// List the ready-made retry policies
///
/// With what each comes to. An endpoint's `retry_policy` names one, or has its own delays.
#[utoipa::path(get, path = "/v1/retry-policies", tag = "policies", operation_id = "list_retry_policies",
    responses((status = 200, description = "All of them", body = Listed<RetryPolicyView>)))]
pub(super) async fn retry(By(who, service): By<MayRead>) -> Answer<Json<Listed<RetryPolicyView>>> {
    Ok(Json(service.retry_policies(&who)))
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
    Ok(Json(service.preview_retry_policy(&who, &request)?))
}

/// List the failure policies
///
/// What an endpoint's `failure_policy` can be, and what an endpoint that fails must expect of each.
#[utoipa::path(get, path = "/v1/failure-policies", tag = "policies", operation_id = "list_failure_policies",
    responses((status = 200, description = "All of them", body = Listed<FailurePolicyView>)))]
pub(super) async fn failure(
    By(who, service): By<MayRead>,
) -> Answer<Json<Listed<FailurePolicyView>>> {
    Ok(Json(service.failure_policies(&who)))
}
