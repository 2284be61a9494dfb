//! Answers: rows as JSON with the headers that PostgREST's clients read, and faults in its shape.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::fault::Fault;
use super::prefer::Wishes;
use super::table::Row;
use crate::compat::Refuse;
use crate::service::{Error, Place};

const APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const OBJECT: HeaderValue =
    HeaderValue::from_static("application/vnd.pgrst.object+json; charset=utf-8");
const ARRAY: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// Rows to be answered.
pub(super) struct Found {
    pub(super) status: StatusCode,
    pub(super) rows: Vec<Row>,
    /// The place of the first one among all that there are.
    pub(super) offset: usize,
    /// How many there are; `None`: nobody wants to know.
    pub(super) count: Option<usize>,
}

impl Found {
    /// The answer that has them, as it is wished.
    pub(super) fn answer(self, wishes: Wishes) -> Result<Response, Fault> {
        if wishes.single && self.rows.len() != 1 {
            return Err(Fault::not_one(self.rows.len()));
        }
        let range = self.range();
        let is_part = self.count.is_some_and(|count| self.rows.len() < count);
        let status = match self.status {
            StatusCode::OK if is_part => StatusCode::PARTIAL_CONTENT,
            status => status,
        };
        let (body, kind) = if wishes.single {
            (json!(self.rows[0]), OBJECT)
        } else {
            (json!(self.rows), ARRAY)
        };
        let mut response = (status, Body::from(body.to_string())).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        with_range(&mut response, &range);
        with_applied(&mut response, wishes);
        Ok(response)
    }

    fn range(&self) -> String {
        let count = self
            .count
            .map_or_else(|| "*".to_owned(), |count| count.to_string());
        match self.rows.len() {
            0 => format!("*/{count}"),
            rows => format!("{}-{}/{count}", self.offset, self.offset + rows - 1),
        }
    }
}

/// The answer to a write whose rows nobody wants to see.
pub(super) fn minimal(status: StatusCode, wishes: Wishes, count: usize) -> Response {
    let mut response = status.into_response();
    if wishes.count {
        with_range(&mut response, &format!("*/{count}"));
    }
    with_applied(&mut response, wishes);
    response
}

fn with_range(response: &mut Response, range: &str) {
    if let Ok(range) = HeaderValue::from_str(range) {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
}

fn with_applied(response: &mut Response, wishes: Wishes) {
    if let Some(applied) = wishes.applied() {
        response
            .headers_mut()
            .insert(APPLIED, HeaderValue::from_static(applied));
    }
}

/// A fault, told. `refuse` knows which status an error of the service's has.
pub(super) fn refusal(fault: Fault, refuse: Refuse) -> Response {
    let (status, body) = match fault {
        Fault::Own {
            status,
            code,
            message,
            details,
            hint,
        } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            let body = json!({"code": code, "message": message, "details": details, "hint": hint});
            (status, body)
        }
        Fault::Service(error) => {
            let body = told(&error);
            let mut response = refuse(error);
            let told = body.to_string();
            response.headers_mut().remove(header::CONTENT_LENGTH);
            response.headers_mut().insert(header::CONTENT_TYPE, ARRAY);
            *response.body_mut() = Body::from(told);
            return response;
        }
    };
    let kind = [(header::CONTENT_TYPE, ARRAY)];
    (status, kind, Body::from(body.to_string())).into_response()
}

fn told(error: &Error) -> Value {
    let details = error.place().map(|place| match place {
        Place::Body(pointer) => format!("field {}", field(pointer)),
        place => place.to_string(),
    });
    json!({"code": error.code(), "message": error.to_string(), "details": details, "hint": null})
}

/// The column that a field of the endpoint stands for.
fn field(pointer: &str) -> String {
    let path = pointer.trim_start_matches('/');
    if path == "signatures/0/secret" || path == "signatures" {
        return "secret".to_owned();
    }
    path.strip_prefix("subscribe")
        .map_or_else(|| path.to_owned(), |rest| format!("events{rest}"))
}
