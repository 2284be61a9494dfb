//! `/v1/automations/{id}/explain` and `/v1/endpoints/{id}/explain`.

use axum::Json;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::Answer;
use super::principal::On;
use super::query::QueryParams;
use crate::service::{Explanation, MayRead};

/// For which event, and by which version.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplainQuery {
    /// The id of the event.
    #[param(required = true, example = "evt_0198c1f0a3b27c4d8e5f60718293a4b5")]
    event: Option<String>,
    /// The number of a version, also a draft's: it is run now. What is on record, if left out.
    version: Option<i64>,
}

/// For which event.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventQuery {
    /// The id of the event.
    #[param(required = true, example = "evt_0198c1f0a3b27c4d8e5f60718293a4b5")]
    event: Option<String>,
}

/// Explain why an automation did or did not fire
///
/// For any event that came: what is on record; or, where the automation was not asked, why; or, with
/// `version`, what that version says of it now. Nothing is sent or stored.
#[utoipa::path(get, path = "/v1/automations/{id}/explain", tag = "automations", operation_id = "explain_automation",
    params(("id" = String, Path, description = "The automation's id"), ExplainQuery),
    responses((status = 200, description = "Why it did or did not fire", body = Explanation)))]
pub(super) async fn automation(
    On(who, service, id): On<MayRead>,
    QueryParams(query): QueryParams<ExplainQuery>,
) -> Answer<Json<Explanation>> {
    let event = query.event.as_deref();
    let explained = service.explain_automation(&who, &id, event, query.version);
    Ok(Json(explained.await?))
}

/// Explain why an endpoint's own subscription did or did not fire
///
/// For any event that came. What automations send to the endpoint is explained by them.
#[utoipa::path(get, path = "/v1/endpoints/{id}/explain", tag = "endpoints", operation_id = "explain_endpoint",
    params(("id" = String, Path, description = "The endpoint's id"), EventQuery),
    responses((status = 200, description = "Why it did or did not fire", body = Explanation)))]
pub(super) async fn endpoint(
    On(who, service, id): On<MayRead>,
    QueryParams(query): QueryParams<EventQuery>,
) -> Answer<Json<Explanation>> {
    let explained = service.explain_endpoint(&who, &id, query.event.as_deref());
    Ok(Json(explained.await?))
}
