//! From keys to principals: `Authorization: Bearer tb_…`, and for operator keys
//! `Throwbar-Account: acc_…` or its uid. A handler names the right that it needs as the type of its
//! first argument, which is taken before the body is read.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};

use super::problem::Problem;
use crate::service::{Error, Identity, Principal, Right, Service};

const ACCOUNT: HeaderName = HeaderName::from_static("throwbar-account");

/// Who sent a request with these headers.
pub(super) async fn identify(service: &Service, headers: &HeaderMap) -> Result<Identity, Error> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let key = text(&AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    service.authenticate(key, text(&ACCOUNT)).await
}

impl<R: Right> FromRequestParts<Service> for Principal<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        Ok(identify(service, &parts.headers).await?.grant()?)
    }
}
