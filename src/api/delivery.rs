//! `/v1/deliveries`.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Accepted, Answer};
use super::log_query::{AttemptsQuery, DeliveriesQuery};
use super::principal::{By, On};
use super::query::QueryParams;
use crate::model::DeliveryId;
use crate::service::{AttemptView, DeliveryView, Listed, MayRead, MayWrite, WholeAttemptView};

/// The delivery that repeats another.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Resent {
    /// The new delivery's id.
    #[schema(value_type = String, example = "dlv_0198c1f0a3b27c4d8e5f60718293a4b5")]
    id: DeliveryId,
}

/// List deliveries
///
/// Newest first. With `automation`, `type`, `state` or `failure`, a page may be short, or empty, and have a
/// `next_cursor`: at most 10,000 deliveries are looked at for one page. docs/log.md.
#[utoipa::path(get, path = "/v1/deliveries", tag = "deliveries", operation_id = "list_deliveries",
    params(DeliveriesQuery), responses((status = 200, description = "A page", body = Listed<DeliveryView>)))]
pub(super) async fn list(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<DeliveriesQuery>,
) -> Answer<Json<Listed<DeliveryView>>> {
    let (query, page) = query.parts();
    Ok(Json(service.deliveries(&who, &query, &page).await?))
}

/// Get a delivery
#[utoipa::path(get, path = "/v1/deliveries/{id}", tag = "deliveries", operation_id = "get_delivery",
    params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 200, description = "The delivery", body = DeliveryView)))]
pub(super) async fn get(On(who, service, id): On<MayRead>) -> Answer<Json<DeliveryView>> {
    Ok(Json(service.delivery(&who, &id).await?))
}

/// List a delivery's attempts, oldest first
///
/// Each with the request that left and the answer that came: docs/log.md.
#[utoipa::path(get, path = "/v1/deliveries/{id}/attempts", tag = "deliveries", operation_id = "list_attempts",
    params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 200, description = "All attempts", body = Listed<WholeAttemptView>)))]
pub(super) async fn attempts(
    On(who, service, id): On<MayRead>,
) -> Answer<Json<Listed<WholeAttemptView>>> {
    Ok(Json(service.attempts(&who, &id).await?))
}

/// List attempts
///
/// Newest first: what failed at an endpoint in the last hour, and why, is
/// `?endpoint=ep_…&status=failed&since=…`. With `type`, a status or a class, or an `endpoint` and what did not fail, a page
/// may be short, or empty, and have a `next_cursor`: at most 10,000 attempts are looked at for one page. docs/log.md.
#[utoipa::path(get, path = "/v1/attempts", tag = "deliveries", operation_id = "list_all_attempts",
    params(AttemptsQuery), responses((status = 200, description = "A page", body = Listed<AttemptView>)))]
pub(super) async fn list_attempts(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<AttemptsQuery>,
) -> Answer<Json<Listed<AttemptView>>> {
    let (query, page) = query.parts();
    Ok(Json(service.list_attempts(&who, &query, &page).await?))
}

/// Get an attempt with the request that left and the answer that came
#[utoipa::path(get, path = "/v1/attempts/{id}", tag = "deliveries", operation_id = "get_attempt",
    params(("id" = String, Path, description = "The attempt's id")),
    responses((status = 200, description = "The attempt", body = WholeAttemptView)))]
pub(super) async fn attempt(On(who, service, id): On<MayRead>) -> Answer<Json<WholeAttemptView>> {
    Ok(Json(service.attempt(&who, &id).await?))
}

/// Make a delivery again
///
/// Whatever its state, and that stays as it is: the same body under the same `webhook-id`, with a whole retry policy
/// before it. Refused while its endpoint, or the account, is switched off.
#[utoipa::path(post, path = "/v1/deliveries/{id}/resend", tag = "deliveries", operation_id = "resend_delivery",
    params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 202, description = "It will be sent", body = Resent)))]
pub(super) async fn resend(On(who, service, id): On<MayWrite>) -> Answer<Accepted<Resent>> {
    Ok(Accepted(Resent {
        id: service.resend(&who, &id).await?,
    }))
}
