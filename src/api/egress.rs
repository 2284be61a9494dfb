//! `/v1/egress`.

use axum::Json;

use super::answer::Answer;
use super::principal::By;
use crate::service::{EgressView, HasKey};

/// From where deliveries leave
///
/// The addresses that the operator has published, for receivers that let in known ones only. Any key will do.
#[utoipa::path(get, path = "/v1/egress", tag = "endpoints", operation_id = "get_egress",
    responses((status = 200, description = "The addresses", body = EgressView)))]
pub(super) async fn get(By(who, service): By<HasKey>) -> Answer<Json<EgressView>> {
    Ok(Json(service.egress(&who)))
}
