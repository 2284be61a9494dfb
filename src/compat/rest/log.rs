//! `webhook_logs`: attempts.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;

use super::answer::Found;
use super::asked::Asked;
use super::fault::Fault;
use super::table::LOGS;
use crate::service::{AttemptWalk, Service};

/// Answers rows, newest first if no order is asked for.
pub(super) async fn read(service: &Service, request: Request) -> Result<Response, Fault> {
    let (asked, _) = Asked::of(LOGS, request, None)?;
    let client = asked.client(service, None).await?;
    let who = client.identity.grant()?;
    let (since, until) = asked.query.span("created_at");
    let named = asked.query.one_of("webhook_id");
    let endpoint = match named.as_deref() {
        Some([one]) => match one.parse() {
            Ok(endpoint) => Some(endpoint),
            // What is no id is nobody's.
            Err(_) => return none(&asked),
        },
        _ => None,
    };
    let walk = AttemptWalk {
        endpoint,
        since,
        until,
    };
    let mut rows = Vec::new();
    for view in service.webhook_logs(&who, &walk).await? {
        let row = client.row(&view);
        if asked.query.keeps(&row) {
            rows.push(row);
        }
    }
    answer(&asked, rows)
}

fn none(asked: &Asked) -> Result<Response, Fault> {
    answer(asked, Vec::new())
}

fn answer(asked: &Asked, rows: Vec<super::table::Row>) -> Result<Response, Fault> {
    let (count, rows) = asked.query.answered(rows);
    let found = Found {
        status: StatusCode::OK,
        rows,
        offset: asked.query.offset,
        count: asked.wishes.count.then_some(count),
    };
    found.answer(asked.wishes)
}
