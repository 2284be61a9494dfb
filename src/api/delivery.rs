//! `/v1/deliveries`.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Accepted, Answer};
use super::principal::{By, On};
use super::query::{DeliveriesQuery, QueryParams};
use crate::model::DeliveryId;
use crate::service::{AttemptView, DeliveryView, Listed, MayRead, MayWrite};

/// The delivery that repeats another.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Resent {
    /// The new delivery's id.
    #[schema(value_type = String, example = "dlv_0198c1f0a3b27c4d8e5f60718293a4b5")]
    id: DeliveryId,
}

/// List deliveries
///
/// With `state`, a page may be short, or empty, and have a `next_cursor`: at most 10,000 deliveries are
/// looked at for one page.
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
#[utoipa::path(get, path = "/v1/deliveries/{id}/attempts", tag = "deliveries", operation_id = "list_attempts",
    params(("id" = String, Path, description = "The delivery's id")),
    responses((status = 200, description = "All attempts", body = Listed<AttemptView>)))]
pub(super) async fn attempts(
    On(who, service, id): On<MayRead>,
) -> Answer<Json<Listed<AttemptView>>> {
    Ok(Json(service.attempts(&who, &id).await?))
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
