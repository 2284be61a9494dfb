//! `/v1/schedules`.

use axum::Json;

use super::answer::{Accepted, Answer, Created, Done};
use super::body::JsonBody;
use super::principal::{By, On};
use super::query::{PageQuery, QueryParams};
use crate::service::{
    Listed, MayRead, MayWrite, NewSchedule, OccurrenceView, PreviewRequest, PreviewView,
    SchedulePatch, ScheduleView,
};

/// Make a schedule
///
/// Each of its occurrences becomes an event of the type `schedule.` and its name, with the nominal and the
/// actual time and what `data` says.
#[utoipa::path(post, path = "/v1/schedules", tag = "schedules", operation_id = "create_schedule",
    request_body = NewSchedule, responses((status = 201, description = "The new schedule", body = ScheduleView)))]
pub(super) async fn create(
    By(who, service): By<MayWrite>,
    JsonBody(new): JsonBody<NewSchedule>,
) -> Answer<Created<ScheduleView>> {
    Ok(Created(service.create_schedule(&who, new).await?))
}

/// List schedules
#[utoipa::path(get, path = "/v1/schedules", tag = "schedules", operation_id = "list_schedules",
    params(PageQuery), responses((status = 200, description = "A page", body = Listed<ScheduleView>)))]
pub(super) async fn list(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<ScheduleView>>> {
    Ok(Json(service.schedules(&who, &query.page()).await?))
}

/// Preview a schedule
///
/// The next occurrences, the schedule in words, and the next two changes of the zone's clocks with what they do
/// to it. Nothing is kept.
#[utoipa::path(post, path = "/v1/schedules/preview", tag = "schedules", operation_id = "preview_schedule",
    request_body = PreviewRequest,
    responses((status = 200, description = "When it would run", body = PreviewView)))]
pub(super) async fn preview(
    By(who, service): By<MayWrite>,
    JsonBody(request): JsonBody<PreviewRequest>,
) -> Answer<Json<PreviewView>> {
    Ok(Json(service.preview_schedule(&who, &request)?))
}

/// Get a schedule
#[utoipa::path(get, path = "/v1/schedules/{id}", tag = "schedules", operation_id = "get_schedule",
    params(("id" = String, Path, description = "The schedule's id")),
    responses((status = 200, description = "The schedule", body = ScheduleView)))]
pub(super) async fn get(On(who, service, id): On<MayRead>) -> Answer<Json<ScheduleView>> {
    Ok(Json(service.schedule(&who, &id).await?))
}

/// Change a schedule
#[utoipa::path(patch, path = "/v1/schedules/{id}", tag = "schedules", operation_id = "change_schedule",
    params(("id" = String, Path, description = "The schedule's id")), request_body = SchedulePatch,
    responses((status = 200, description = "The schedule", body = ScheduleView)))]
pub(super) async fn change(
    On(who, service, id): On<MayWrite>,
    JsonBody(patch): JsonBody<SchedulePatch>,
) -> Answer<Json<ScheduleView>> {
    Ok(Json(service.change_schedule(&who, &id, patch).await?))
}

/// Remove a schedule with its ledger
///
/// Events that it has made stay.
#[utoipa::path(delete, path = "/v1/schedules/{id}", tag = "schedules", operation_id = "delete_schedule",
    params(("id" = String, Path, description = "The schedule's id")),
    responses((status = 204, description = "Removed")))]
pub(super) async fn delete(On(who, service, id): On<MayWrite>) -> Answer<Done> {
    service.delete_schedule(&who, &id).await?;
    Ok(Done)
}

/// Run a schedule now
///
/// Besides its own times, and whether it is paused or not: a run of the cause `run_now` goes on the ledger and
/// becomes an event at once, or, with the overlap `queue_one`, after the run before. While a run is under way
/// that the overlap does not let it go beside, it is refused (409); so is a run of a schedule that is the trigger
/// of an automation which is archived or switched off, since nothing would run.
#[utoipa::path(post, path = "/v1/schedules/{id}/run", tag = "schedules", operation_id = "run_schedule",
    params(("id" = String, Path, description = "The schedule's id")),
    responses((status = 202, description = "The occurrence on the ledger", body = OccurrenceView)))]
pub(super) async fn run(On(who, service, id): On<MayWrite>) -> Answer<Accepted<OccurrenceView>> {
    Ok(Accepted(service.run_schedule(&who, &id).await?))
}

/// List a schedule's occurrences
///
/// The ledger of the last 30 days, the latest first: what ran, what was skipped or missed, and why; and which
/// runs were asked for.
#[utoipa::path(get, path = "/v1/schedules/{id}/occurrences", tag = "schedules", operation_id = "list_occurrences",
    params(("id" = String, Path, description = "The schedule's id"), PageQuery),
    responses((status = 200, description = "A page", body = Listed<OccurrenceView>)))]
pub(super) async fn occurrences(
    On(who, service, id): On<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<OccurrenceView>>> {
    Ok(Json(service.occurrences(&who, &id, &query.page()).await?))
}
