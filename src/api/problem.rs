//! Errors as `application/problem+json` (RFC 9457), and the only place that knows HTTP statuses of
//! errors.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::pipeline::Full;
use crate::schema::Violation;
use crate::service::{Error, Place};

/// Seconds after which a client whose request was pushed back should try again.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProblemView {
    /// The code as a URN.
    #[serde(rename = "type")]
    #[schema(example = "urn:throwbar:problem:unknown_field")]
    kind: String,
    /// The HTTP status in words.
    title: &'static str,
    /// The HTTP status as a number.
    status: u16,
    /// A word for programs, which does not change.
    #[schema(example = "unknown_field")]
    code: String,
    /// A sentence that says what is wrong and what to do.
    detail: String,
    /// JSON pointer of the field that is wrong, if one is; empty: the body as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/trigger/events/0")]
    pointer: Option<String>,
    /// The query parameter that is wrong, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// The header that is wrong, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<&'static str>,
    /// The tests that failed, if it is them: what was expected of each, and what came.
    #[serde(skip_serializing_if = "Option::is_none")]
    tests: Option<serde_json::Value>,
    /// What of an event's data does not fit the schema of its type, if that is what is wrong: at most 20 places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<ViolationView>,
}

/// One place at which an event's data does not fit the schema of its type.
#[derive(Debug, Serialize, ToSchema)]
struct ViolationView {
    /// JSON pointer into the data; empty: the whole.
    #[schema(example = "/amount")]
    pointer: String,
    /// The keyword of the schema that it does not fit; `readable` or `cost`, if it was not looked at.
    #[schema(example = "type")]
    keyword: String,
    /// What is wrong.
    #[schema(example = "is a string")]
    wrong: String,
    /// What was expected.
    #[schema(example = "number")]
    expected: String,
}

/// An error on its way to a client.
#[derive(Debug)]
pub enum Problem {
    /// The service's answer.
    Service(Error),
    /// A body of another kind than the route takes.
    MediaType {
        /// What it takes.
        expected: &'static str,
    },
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::NoKey | Error::UnknownKey => StatusCode::UNAUTHORIZED,
        Error::Forbidden { .. } | Error::NotTaken { .. } => StatusCode::FORBIDDEN,
        Error::Malformed { .. } | Error::AccountNotNamed => StatusCode::BAD_REQUEST,
        Error::NotFound(_) | Error::NotNamed(_) | Error::NoSuchVersion | Error::NoSuchCatalogue => {
            StatusCode::NOT_FOUND
        }
        Error::Invalid { .. }
        | Error::Nonconforming { .. }
        | Error::TestsFailed { .. }
        | Error::Unmapped { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Conflict { .. } | Error::EventConflict { .. } => StatusCode::CONFLICT,
        Error::Busy(_)
        | Error::NoRoom(Full::Account)
        | Error::MakingKeys(Full::Account)
        | Error::Trying(Full::Account)
        | Error::Validating(Full::Account)
        | Error::Testing(Full::Account)
        | Error::Crowded => StatusCode::TOO_MANY_REQUESTS,
        Error::Store(_) if error.is_passing() => StatusCode::SERVICE_UNAVAILABLE,
        Error::BodyOverdue { .. } => StatusCode::REQUEST_TIMEOUT,
        Error::Unavailable
        | Error::NoRoom(Full::Server)
        | Error::Mapping(_)
        | Error::MakingKeys(Full::Server)
        | Error::Trying(Full::Server)
        | Error::Validating(Full::Server)
        | Error::Testing(Full::Server)
        | Error::TrialOverdue { .. }
        | Error::TooSlow(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Store(_) | Error::Vault(_) | Error::Unreadable { .. } => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

impl ProblemView {
    fn new(status: StatusCode, code: &str, detail: String) -> Self {
        Self {
            kind: format!("urn:throwbar:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code: code.to_owned(),
            detail,
            pointer: None,
            parameter: None,
            header: None,
            tests: None,
            violations: Vec::new(),
        }
    }

    /// An error as a client reads it, also inside the answer to a batch.
    pub(super) fn of(error: &Error) -> Self {
        let mut view = Self::new(status(error), error.code(), error.to_string());
        if let Error::TestsFailed { failed, .. } = error {
            view.tests = serde_json::to_value(failed).ok();
        }
        match error.place() {
            Some(Place::Body(pointer)) => view.pointer = Some(pointer.clone()),
            Some(Place::Query(name)) => view.parameter = Some(name.clone()),
            Some(Place::Header(name)) => view.header = Some(name),
            None => {}
        }
        if let Error::Nonconforming { violations, .. } = error {
            view.violations = violations.list.iter().map(ViolationView::of).collect();
            view.pointer = violations
                .list
                .first()
                .map(|first| format!("/data{}", first.pointer));
        }
        view
    }
}

impl ViolationView {
    fn of(violation: &Violation) -> Self {
        Self {
            pointer: violation.pointer.clone(),
            keyword: violation.keyword.clone(),
            wrong: violation.wrong.clone(),
            expected: violation.expected.clone(),
        }
    }
}

impl IntoResponse for ProblemView {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_else(|_| b"{}".to_vec());
        let mut response = (status, Body::from(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER_S);
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::Service(error) => {
                let view = ProblemView::of(&error);
                if view.status >= 500 {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        code = view.code,
                        "a request failed"
                    );
                }
                view.into_response()
            }
            Self::MediaType { expected } => {
                let why = format!("the body's Content-Type is not {expected}: send it as that");
                ProblemView::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "unsupported_media_type",
                    why,
                )
                .into_response()
            }
        }
    }
}

/// The answer to whoever asks at a door beside the API for what can't be done.
pub fn refusal(error: Error) -> Response {
    Problem::from(error).into_response()
}

/// The answer where there is nothing.
pub(super) async fn no_route() -> Response {
    let why = "there is nothing at this path: the routes are described at /v1/openapi.json";
    ProblemView::new(StatusCode::NOT_FOUND, "no_route", why.to_owned()).into_response()
}

/// The answer to a method that a path does not know.
pub(super) async fn no_method() -> Response {
    let why = "this path does not know this method: the header Allow names those it knows";
    ProblemView::new(StatusCode::METHOD_NOT_ALLOWED, "no_method", why.to_owned()).into_response()
}

/// The answer of last resort. The panic itself was logged by the panic hook.
pub(super) fn panicked() -> Response {
    tracing::error!("a request broke off: this is a defect of the server");
    let why = "the server failed on this request: nothing can be said of what was done";
    ProblemView::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        why.to_owned(),
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_status() {
        let conflict = Error::Conflict {
            code: "x",
            why: String::new(),
        };
        for (error, expected) in [
            (Error::NoKey, 401),
            (Error::UnknownKey, 401),
            (Error::Forbidden { needs: "admin" }, 403),
            (Error::AccountNotNamed, 400),
            (Error::Malformed { why: String::new() }, 400),
            (Error::NotFound("event"), 404),
            (conflict, 409),
            (
                Error::TooLarge {
                    what: "data",
                    bytes_max: 1,
                },
                413,
            ),
            (Error::Busy(Full::Account), 429),
            (Error::Crowded, 429),
            (Error::NoRoom(Full::Account), 429),
            (Error::Validating(Full::Account), 429),
            (Error::Validating(Full::Server), 503),
            (Error::NoRoom(Full::Server), 503),
            (Error::Mapping(Full::Account), 503),
            (Error::Unmapped { why: String::new() }, 422),
            (Error::BodyOverdue { s: 1 }, 408),
            (Error::Unavailable, 503),
        ] {
            let view = ProblemView::of(&error);
            assert_eq!(view.status, expected, "{error}");
            let pushed_back = matches!(expected, 429 | 503);
            let response = view.into_response();
            assert_eq!(
                response.headers().contains_key("retry-after"),
                pushed_back,
                "{error}"
            );
        }
    }

    #[test]
    fn a_field_is_told_by_its_pointer() {
        let error = Error::Invalid {
            code: "invalid_field",
            at: Place::body("/a/0"),
            why: "wrong".to_owned(),
        };
        let shown = serde_json::to_value(ProblemView::of(&error)).expect("plain");
        assert_eq!(
            shown,
            serde_json::json!({
                "type": "urn:throwbar:problem:invalid_field", "title": "Unprocessable Entity",
                "status": 422, "code": "invalid_field", "detail": "wrong", "pointer": "/a/0",
            })
        );
    }
}
