//! `/v1/dead-letters`.

use axum::Json;

use super::answer::{Answer, Done};
use super::body::JsonBody;
use super::principal::{By, On};
use super::query::{DeadLettersQuery, QueryParams};
use crate::service::{
    DeadLetterView, LetterRerunRequest, LetterRerunsView, Listed, MayRead, MayWrite,
    WholeDeadLetterView,
};

/// List dead letters
///
/// What automations failed at: open ones, unless another `state` is named, the newest event first. Inputs are left
/// out: get one dead letter for its own. With `reason`, a page may be short, or empty, and have a `next_cursor`: at
/// most 10,000 are looked at for one page.
#[utoipa::path(get, path = "/v1/dead-letters", tag = "dead letters", operation_id = "list_dead_letters",
    params(DeadLettersQuery), responses((status = 200, description = "A page", body = Listed<DeadLetterView>)))]
pub(super) async fn list(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<DeadLettersQuery>,
) -> Answer<Json<Listed<DeadLetterView>>> {
    let (query, page) = query.parts();
    Ok(Json(service.dead_letters(&who, &query, &page).await?))
}

/// Get a dead letter with its exact input
#[utoipa::path(get, path = "/v1/dead-letters/{id}", tag = "dead letters", operation_id = "get_dead_letter",
    params(("id" = String, Path, description = "The dead letter's id")),
    responses((status = 200, description = "The dead letter", body = WholeDeadLetterView)))]
pub(super) async fn get(On(who, service, id): On<MayRead>) -> Answer<Json<WholeDeadLetterView>> {
    Ok(Json(service.dead_letter(&who, &id).await?))
}

/// Discard a dead letter with its input
///
/// The event and its evaluations stay.
#[utoipa::path(delete, path = "/v1/dead-letters/{id}", tag = "dead letters", operation_id = "discard_dead_letter",
    params(("id" = String, Path, description = "The dead letter's id")),
    responses((status = 204, description = "Discarded")))]
pub(super) async fn discard(On(who, service, id): On<MayWrite>) -> Answer<Done> {
    service.discard_letter(&who, &id).await?;
    Ok(Done)
}

/// Run dead letters again
///
/// With the version of their automation that is published now. What does not fail any more is settled: its
/// deliveries are on their way, its events are made, and the letter is marked `rerun`. What fails again stays, and is
/// counted. Sent again, or broken off in the middle, it makes nothing twice.
#[utoipa::path(post, path = "/v1/dead-letters/rerun", tag = "dead letters", operation_id = "rerun_dead_letters",
    request_body = LetterRerunRequest, responses((status = 200, description = "What became of each", body = LetterRerunsView)))]
pub(super) async fn rerun(
    By(who, service): By<MayWrite>,
    JsonBody(request): JsonBody<LetterRerunRequest>,
) -> Answer<Json<LetterRerunsView>> {
    Ok(Json(service.rerun_letters(&who, request).await?))
}
