//! `/v1/endpoints/health` and `/v1/endpoints/{id}/health`.

use axum::Json;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::Answer;
use super::principal::{By, On};
use super::query::{PageQuery, QueryParams};
use crate::service::{EndpointHealthView, HealthQuery, Listed, MayRead, OverviewView};

/// Which series.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SeriesQuery {
    /// `minute` or `hour`; `minute`, if left out.
    step: Option<String>,
    /// How many steps up to now: of minutes 1 to 180, of hours 1 to 840; 60, if left out.
    steps: Option<i64>,
}

/// See how the account's endpoints do
///
/// Of each its state, and what its attempts came to in the last day. A few seconds behind.
#[utoipa::path(get, path = "/v1/endpoints/health", tag = "endpoints", operation_id = "list_endpoint_health",
    params(PageQuery), responses((status = 200, description = "A page", body = Listed<OverviewView>)))]
pub(super) async fn list(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<OverviewView>>> {
    Ok(Json(service.endpoints_health(&who, &query.page()).await?))
}

/// See how an endpoint does
///
/// Its success rate, how long its answers take, why attempts failed, by the minute or by the hour, and its last
/// attempts. A few seconds behind.
#[utoipa::path(get, path = "/v1/endpoints/{id}/health", tag = "endpoints", operation_id = "get_endpoint_health",
    params(("id" = String, Path, description = "The endpoint's id"), SeriesQuery),
    responses((status = 200, description = "How it does", body = EndpointHealthView)))]
pub(super) async fn get(
    On(who, service, id): On<MayRead>,
    QueryParams(query): QueryParams<SeriesQuery>,
) -> Answer<Json<EndpointHealthView>> {
    let wanted = HealthQuery {
        step: query.step,
        steps: query.steps,
    };
    Ok(Json(service.endpoint_health(&who, &id, &wanted).await?))
}
