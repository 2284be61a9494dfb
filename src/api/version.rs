//! `/v1/automations/{id}/versions`, and what is published of them.

use axum::Json;

use super::answer::Answer;
use super::body::JsonBodyOr;
use super::principal::On;
use super::query::{DiffQuery, PageQuery, QueryParams};
use crate::service::{
    Archival, AutomationView, DiffView, Listed, MayRead, MayWrite, PublicationView, Publish,
    PublishedView, Rollback, TestsView, VersionView, WholeVersionView,
};

/// List an automation's versions
#[utoipa::path(get, path = "/v1/automations/{id}/versions", tag = "automations", operation_id = "list_automation_versions",
    params(("id" = String, Path, description = "The automation's id"), PageQuery),
    responses((status = 200, description = "A page", body = Listed<VersionView>)))]
pub(super) async fn list(
    On(who, service, id): On<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<VersionView>>> {
    Ok(Json(service.versions(&who, &id, &query.page()).await?))
}

/// Get a version of an automation with its whole definition
#[utoipa::path(get, path = "/v1/automations/{id}/versions/{n}", tag = "automations", operation_id = "get_automation_version",
    params(("id" = String, Path, description = "The automation's id"), ("n" = i64, Path, description = "The version's number")),
    responses((status = 200, description = "The version", body = WholeVersionView)))]
pub(super) async fn get(
    On(who, service, (id, n)): On<MayRead, (String, String)>,
) -> Answer<Json<WholeVersionView>> {
    Ok(Json(service.version(&who, (&id, &n)).await?))
}

/// Show what a version changes
///
/// Field by field, compared to the version before or to any other: what would change if this version were
/// published in place of that one.
#[utoipa::path(get, path = "/v1/automations/{id}/versions/{n}/diff", tag = "automations", operation_id = "diff_automation_versions",
    params(("id" = String, Path, description = "The automation's id"), ("n" = i64, Path, description = "The version's number"), DiffQuery),
    responses((status = 200, description = "The differences", body = DiffView)))]
pub(super) async fn diff(
    On(who, service, (id, n)): On<MayRead, (String, String)>,
    QueryParams(query): QueryParams<DiffQuery>,
) -> Answer<Json<DiffView>> {
    let found = service.version_diff(&who, (&id, &n), query.from).await?;
    Ok(Json(found))
}

/// Publish a version of an automation
///
/// In one step: every event that is accepted from then on meets it. An automation that is switched off
/// stays off. If the version's tests fail it is refused, unless `override` says why it is published all the same,
/// which is written down. The body may be left out.
#[utoipa::path(post, path = "/v1/automations/{id}/publish", tag = "automations", operation_id = "publish_automation",
    params(("id" = String, Path, description = "The automation's id")), request_body = Option<Publish>,
    responses((status = 200, description = "What has changed", body = PublishedView)))]
pub(super) async fn publish(
    On(who, service, id): On<MayWrite>,
    JsonBodyOr(publish): JsonBodyOr<Publish>,
) -> Answer<Json<PublishedView>> {
    let done = service.publish_automation(&who, &id, publish).await?;
    Ok(Json(done))
}

/// Publish an earlier version of an automation again
///
/// Nothing is rewritten: the versions in between stay. It was live before, so its tests are not run. The body may be left out.
#[utoipa::path(post, path = "/v1/automations/{id}/rollback", tag = "automations", operation_id = "roll_back_automation",
    params(("id" = String, Path, description = "The automation's id")), request_body = Option<Rollback>,
    responses((status = 200, description = "What has changed", body = PublishedView)))]
pub(super) async fn roll_back(
    On(who, service, id): On<MayWrite>,
    JsonBodyOr(rollback): JsonBodyOr<Rollback>,
) -> Answer<Json<PublishedView>> {
    let done = service.roll_back_automation(&who, &id, rollback).await?;
    Ok(Json(done))
}

/// Run a version's tests
///
/// Those that are kept with it: what was expected of each, and what came. Nothing is sent or stored.
#[utoipa::path(post, path = "/v1/automations/{id}/versions/{n}/tests/run", tag = "automations", operation_id = "run_automation_tests",
    params(("id" = String, Path, description = "The automation's id"), ("n" = i64, Path, description = "The version's number")),
    responses((status = 200, description = "What came of them", body = TestsView)))]
pub(super) async fn run_tests(
    On(who, service, (id, n)): On<MayWrite, (String, String)>,
) -> Answer<Json<TestsView>> {
    Ok(Json(service.run_tests(&who, (&id, &n)).await?))
}

/// List what was live of an automation
///
/// From when to when, and who made it live: by publishing it, or by switching the automation on.
#[utoipa::path(get, path = "/v1/automations/{id}/publications", tag = "automations", operation_id = "list_publications",
    params(("id" = String, Path, description = "The automation's id"), PageQuery),
    responses((status = 200, description = "A page", body = Listed<PublicationView>)))]
pub(super) async fn publications(
    On(who, service, id): On<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<PublicationView>>> {
    Ok(Json(service.publications(&who, &id, &query.page()).await?))
}

/// Archive an automation
///
/// No event meets it any more, and lists leave it out. Its versions, and what became of events, can still be
/// read.
#[utoipa::path(post, path = "/v1/automations/{id}/archive", tag = "automations", operation_id = "archive_automation",
    params(("id" = String, Path, description = "The automation's id")),
    responses((status = 200, description = "The automation", body = AutomationView)))]
pub(super) async fn archive(On(who, service, id): On<MayWrite>) -> Answer<Json<AutomationView>> {
    let shown = service.archive_automation(&who, &id, Archival::Archived);
    Ok(Json(shown.await?))
}

/// Take an automation out of the archive
///
/// It comes back switched off.
#[utoipa::path(post, path = "/v1/automations/{id}/unarchive", tag = "automations", operation_id = "unarchive_automation",
    params(("id" = String, Path, description = "The automation's id")),
    responses((status = 200, description = "The automation", body = AutomationView)))]
pub(super) async fn unarchive(On(who, service, id): On<MayWrite>) -> Answer<Json<AutomationView>> {
    let shown = service.archive_automation(&who, &id, Archival::Open);
    Ok(Json(shown.await?))
}
