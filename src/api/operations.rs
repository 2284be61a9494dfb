//! For operations: health, readiness, figures, and the description of the API.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Answer;
use super::openapi::OPENAPI;
use super::router::Render;
use crate::service::{Error, Service};

/// Health.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Well {
    /// `ok`.
    status: &'static str,
}

/// Whether the process answers
#[utoipa::path(get, path = "/healthz", tag = "operations", operation_id = "health", security(()),
    responses((status = 200, description = "It answers", body = Well)))]
pub(super) async fn health() -> Json<Well> {
    Json(Well { status: "ok" })
}

/// Whether events can be taken
///
/// The database answers, its schema is this program's, and the pipeline works.
#[utoipa::path(get, path = "/readyz", tag = "operations", operation_id = "ready", security(()),
    responses((status = 200, description = "Events can be taken", body = Well)))]
pub(super) async fn ready(State(service): State<Service>) -> Answer<Json<Well>> {
    match service.ready().await {
        Ok(()) => Ok(Json(Well { status: "ok" })),
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "not ready");
            Err(Error::Unavailable.into())
        }
    }
}

/// The routes that are not described: the description itself, and the figures.
pub(super) fn plain(render: Render) -> axum::Router<Service> {
    axum::Router::new()
        .route("/v1/openapi.json", get(async || json(OPENAPI)))
        .route("/metrics", get(async move || figures(render())))
}

fn json(description: &'static str) -> Response {
    (
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )],
        description,
    )
        .into_response()
}

fn figures(text: String) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
