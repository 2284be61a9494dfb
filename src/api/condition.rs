//! `/v1/conditions`.

use axum::Json;

use super::answer::Answer;
use super::body::JsonBody;
use super::principal::By;
use crate::service::{ConditionToCheck, ConditionToConvert, ConditionView, MayWrite};

/// Show a condition in both spellings
///
/// CEL as a form, and a form as CEL, with what is wrong with it and where. Nothing is kept.
#[utoipa::path(post, path = "/v1/conditions/convert", tag = "conditions", operation_id = "convert_condition",
    request_body = ConditionToConvert,
    responses((status = 200, description = "Both spellings", body = ConditionView)))]
pub(super) async fn convert(
    By(who, service): By<MayWrite>,
    JsonBody(asked): JsonBody<ConditionToConvert>,
) -> Answer<Json<ConditionView>> {
    Ok(Json(service.convert_condition(&who, asked).await?))
}

/// Check a condition
///
/// The checks of saving it, and a comparison with the schemas of event types: fields that they don't have,
/// values that are never there, each with its place and what was probably meant. Nothing is kept.
#[utoipa::path(post, path = "/v1/conditions/check", tag = "conditions", operation_id = "check_condition",
    request_body = ConditionToCheck,
    responses((status = 200, description = "What there is to say about it", body = ConditionView)))]
pub(super) async fn check(
    By(who, service): By<MayWrite>,
    JsonBody(asked): JsonBody<ConditionToCheck>,
) -> Answer<Json<ConditionView>> {
    Ok(Json(service.check_condition(&who, asked).await?))
}
