//! `/v1/automations/export`, `/plan` and `/apply`: what an account has, as code.

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::answer::Answer;
use super::body::YamlOrJson;
use super::principal::By;
use super::query::{ApplyQuery, ExportQuery, PlanQuery, QueryParams};
use crate::service::{CodeFile, ExportFormat, MayRead, MayWrite, PlanView};

/// A file, as YAML or as JSON.
pub(super) struct FileAnswer(String, ExportFormat);

impl IntoResponse for FileAnswer {
    fn into_response(self) -> Response {
        let kind = HeaderValue::from_static(match self.1 {
            ExportFormat::Yaml => "application/yaml",
            ExportFormat::Json => "application/json",
        });
        ([(header::CONTENT_TYPE, kind)], self.0).into_response()
    }
}

/// Export the account as code
///
/// Its event types, variables, endpoints, schedules and automations, as a file that lives in a repository; how, with
/// examples, is told in `docs/as-code.md`. The same bytes as long as nothing changes. Nothing secret is in it.
#[utoipa::path(get, path = "/v1/automations/export", tag = "automations", operation_id = "export_code",
    params(ExportQuery), responses((status = 200, description = "The file",
        content((String = "application/yaml"), (CodeFile = "application/json")))))]
pub(super) async fn export(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<ExportQuery>,
) -> Answer<FileAnswer> {
    let request = query.request()?;
    let file = service.export_code(&who, &request).await?;
    Ok(FileAnswer(file, request.format))
}

/// Say what applying a file would do
///
/// What becomes of each of its entries, field by field, and what somebody has changed since it was applied last.
/// Nothing is written. YAML, or JSON: 1 MiB at most.
#[utoipa::path(post, path = "/v1/automations/plan", tag = "automations", operation_id = "plan_code",
    params(PlanQuery), request_body(description = "The file",
        content((CodeFile = "application/json"), (String = "application/yaml"))),
    responses((status = 200, description = "What it would do", body = PlanView)))]
pub(super) async fn plan(
    By(who, service): By<MayWrite>,
    QueryParams(query): QueryParams<PlanQuery>,
    YamlOrJson(file): YamlOrJson,
) -> Answer<Json<PlanView>> {
    Ok(Json(service.plan_code(&who, &file, query.wishes()).await?))
}

/// Apply a file
///
/// All of it in one step, or nothing. What is as the file says is not written again, and makes no versions. The tests
/// of automations run as before any publication. New endpoints get secrets of their own, which are not told here:
/// who may see them asks for the endpoint's `/secrets`.
#[utoipa::path(post, path = "/v1/automations/apply", tag = "automations", operation_id = "apply_code",
    params(ApplyQuery), request_body(description = "The file",
        content((CodeFile = "application/json"), (String = "application/yaml"))),
    responses((status = 200, description = "What was done", body = PlanView)))]
pub(super) async fn apply(
    By(who, service): By<MayWrite>,
    QueryParams(query): QueryParams<ApplyQuery>,
    YamlOrJson(file): YamlOrJson,
) -> Answer<Json<PlanView>> {
    Ok(Json(service.apply_code(&who, &file, query.wishes()).await?))
}
