//! `/v1/events/export`, `/v1/deliveries/export` and `/v1/attempts/export`: what is on record, line by line.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::answer::Answer;
use super::log_query::{AttemptsExport, DeliveriesExport, EventsExport};
use super::principal::By;
use super::query::QueryParams;
use crate::service::{LogExport, MayRead};

/// Lines, each read when it is wanted.
pub(super) struct Lines(LogExport);

impl IntoResponse for Lines {
    fn into_response(self) -> Response {
        let lines = stream::unfold(self.0, async |mut export| {
            let lines = export.lines().await?;
            Some((Ok::<_, Infallible>(lines), export))
        });
        let kind = HeaderValue::from_static("application/x-ndjson");
        ([(header::CONTENT_TYPE, kind)], Body::from_stream(lines)).into_response()
    }
}

/// Export events
///
/// With their payloads, one JSON object a line, newest first: 10,000 at most. The last line is no event but
/// `{"next_cursor": …}`: what to send as `cursor` for what follows, null at the end. docs/log.md.
#[utoipa::path(get, path = "/v1/events/export", tag = "events", operation_id = "export_events",
    params(EventsExport), responses((status = 200, description = "The events", content((String = "application/x-ndjson")))))]
pub(super) async fn events(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<EventsExport>,
) -> Answer<Lines> {
    let (query, cursor) = query.parts();
    Ok(Lines(service.export_log(&who, &query, cursor).await?))
}

/// Export deliveries
///
/// One JSON object a line, as in their list, newest first: 10,000 at most. The last line is no delivery but
/// `{"next_cursor": …}`: what to send as `cursor` for what follows, null at the end. docs/log.md.
#[utoipa::path(get, path = "/v1/deliveries/export", tag = "deliveries", operation_id = "export_deliveries",
    params(DeliveriesExport), responses((status = 200, description = "The deliveries", content((String = "application/x-ndjson")))))]
pub(super) async fn deliveries(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<DeliveriesExport>,
) -> Answer<Lines> {
    let (query, cursor) = query.parts();
    Ok(Lines(service.export_log(&who, &query, cursor).await?))
}

/// Export attempts
///
/// One JSON object a line, as in their list, newest first: 10,000 at most. The last line is no attempt but
/// `{"next_cursor": …}`: what to send as `cursor` for what follows, null at the end. docs/log.md.
#[utoipa::path(get, path = "/v1/attempts/export", tag = "deliveries", operation_id = "export_attempts",
    params(AttemptsExport), responses((status = 200, description = "The attempts", content((String = "application/x-ndjson")))))]
pub(super) async fn attempts(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<AttemptsExport>,
) -> Answer<Lines> {
    let (query, cursor) = query.parts();
    Ok(Lines(service.export_log(&who, &query, cursor).await?))
}
