//! `/v1/jobs`, and what makes them: `/v1/automations/{id}/backtest` and `/rerun`, `/v1/endpoints/{id}/recover`.

use axum::Json;

use super::answer::{Accepted, Answer};
use super::body::JsonBodyOr;
use super::principal::{By, On};
use super::query::{PageQuery, QueryParams};
use crate::service::{
    DifferenceView, GivenView, JobView, Listed, MayRead, MayWrite, NewBacktest, NewRecovery,
    NewRerun,
};

/// Compare a draft with the published version on past events
///
/// What both say now of the last so many events, or of those of a time: a job with progress, whose result
/// counts the verdicts. Events of which something different would follow are listed with the differences of
/// their bodies. Nothing is sent. Of an automation with `flow` each event is taken to go on, and alone: what others
/// were there at the time is not known any more. The body may be left out.
#[utoipa::path(post, path = "/v1/automations/{id}/backtest", tag = "automations", operation_id = "backtest_automation",
    params(("id" = String, Path, description = "The automation's id")), request_body = Option<NewBacktest>,
    responses((status = 202, description = "The job", body = GivenView)))]
pub(super) async fn backtest(
    On(who, service, id): On<MayWrite>,
    JsonBodyOr(new): JsonBodyOr<NewBacktest>,
) -> Answer<Accepted<GivenView>> {
    Ok(Accepted(service.backtest(&who, &id, new).await?))
}

/// Run past events again
///
/// As it ran (each by the version that it met, with the plugins that ran then) or with the current version: a job
/// with progress. Its deliveries have ids of their own, name the job, and go out behind everything else. Versions
/// with `flow`, and those that make events, are not run again: `not_repeatable`, or told under `problems`.
#[utoipa::path(post, path = "/v1/automations/{id}/rerun", tag = "automations", operation_id = "rerun_automation",
    params(("id" = String, Path, description = "The automation's id")), request_body = NewRerun,
    responses((status = 202, description = "The job", body = GivenView)))]
pub(super) async fn rerun(
    On(who, service, id): On<MayWrite>,
    JsonBodyOr(new): JsonBodyOr<NewRerun>,
) -> Answer<Accepted<GivenView>> {
    Ok(Accepted(service.rerun(&who, &id, new).await?))
}

/// Recover what was missed at an endpoint
///
/// Deliveries of a time, or of an event and those after it, that were given up are made again, each once: same body,
/// same `webhook-id`, a whole retry policy. With `"states": ["held"]` what was held while the endpoint or the account
/// was switched off goes on. A job with progress, for as many as there are, which sends so many a second, behind what
/// is due. What a repeat was delivered of, or is on its way, is passed over.
#[utoipa::path(post, path = "/v1/endpoints/{id}/recover", tag = "endpoints", operation_id = "recover_endpoint",
    params(("id" = String, Path, description = "The endpoint's id")), request_body = NewRecovery,
    responses((status = 202, description = "The job", body = GivenView)))]
pub(super) async fn recover(
    On(who, service, id): On<MayWrite>,
    JsonBodyOr(new): JsonBodyOr<NewRecovery>,
) -> Answer<Accepted<GivenView>> {
    Ok(Accepted(service.recover(&who, &id, new).await?))
}

/// List jobs
///
/// Those that are under way, and the last 20 others.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", operation_id = "list_jobs",
    params(PageQuery), responses((status = 200, description = "A page", body = Listed<JobView>)))]
pub(super) async fn list(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<JobView>>> {
    Ok(Json(service.jobs(&who, &query.page()).await?))
}

/// Get a job
#[utoipa::path(get, path = "/v1/jobs/{id}", tag = "jobs", operation_id = "get_job",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, description = "The job", body = JobView)))]
pub(super) async fn get(On(who, service, id): On<MayRead>) -> Answer<Json<JobView>> {
    Ok(Json(service.job(&who, &id).await?))
}

/// Cancel a job
///
/// From then on nothing more comes of it. One that is at its end stays as it is.
#[utoipa::path(post, path = "/v1/jobs/{id}/cancel", tag = "jobs", operation_id = "cancel_job",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, description = "The job", body = JobView)))]
pub(super) async fn cancel(On(who, service, id): On<MayWrite>) -> Answer<Json<JobView>> {
    Ok(Json(service.cancel_job(&who, &id).await?))
}

/// List the events that a backtest has found to differ
///
/// Newest event first: of each the two verdicts, and what differs in the bodies.
#[utoipa::path(get, path = "/v1/jobs/{id}/differences", tag = "jobs", operation_id = "list_differences",
    params(("id" = String, Path, description = "The job's id"), PageQuery),
    responses((status = 200, description = "A page", body = Listed<DifferenceView>)))]
pub(super) async fn differences(
    On(who, service, id): On<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<DifferenceView>>> {
    let page = service.differences(&who, &id, &query.page()).await?;
    Ok(Json(page))
}
