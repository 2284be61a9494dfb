//! `/v1/automations/test`.

use axum::Json;

use super::answer::Answer;
use super::body::JsonBody;
use super::principal::By;
use crate::service::{MayWrite, NewTrial, TrialView};

/// Try an automation on an event
///
/// On a sample, or on an event that came: the checks of saving it, its verdict with every step, and the
/// requests that would leave, signed. Nothing is sent or stored.
#[utoipa::path(post, path = "/v1/automations/test", tag = "automations", operation_id = "test_automation",
    request_body = NewTrial, responses((status = 200, description = "What would come of it", body = TrialView)))]
pub(super) async fn test(
    By(who, service): By<MayWrite>,
    JsonBody(new): JsonBody<NewTrial>,
) -> Answer<Json<TrialView>> {
    Ok(Json(service.test_automation(&who, new).await?))
}
