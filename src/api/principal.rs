//! From keys to principals: `Authorization: Bearer tb_…`, and for operator keys
//! `Throwbar-Account: acc_…` or its uid. A handler names the right that it needs as the type of its
//! first argument, which is taken before the body is read.

use axum::extract::{FromRequestParts, Path};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::service::{Error, Identity, Principal, Right, Service};

const ACCOUNT: HeaderName = HeaderName::from_static("throwbar-account");

/// Who sent a request with these headers.
pub(super) async fn identify(service: &Service, headers: &HeaderMap) -> Result<Identity, Error> {
    let text = |name: &HeaderName| headers.get(name).map(HeaderValue::to_str).transpose();
    let key = text(&AUTHORIZATION).ok().flatten().and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    // Who names an account never means another: what can't be read is a name that none has.
    let account = text(&ACCOUNT).unwrap_or(Some("\u{fffd}"));
    service.authenticate(key, account).await
}

/// Somebody with the right `R`, and the service that they ask.
pub(super) struct By<R>(pub(super) Principal<R>, pub(super) Service);

/// The same, and what the path names that they ask about.
pub(super) struct On<R, N = String>(pub(super) Principal<R>, pub(super) Service, pub(super) N);

impl<R: Right> FromRequestParts<Service> for By<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let who = identify(service, &parts.headers).await?.grant()?;
        // In whose room the body is read.
        parts.extensions.insert(who.account());
        Ok(Self(who, service.clone()))
    }
}

impl<R: Right, N: DeserializeOwned + Send> FromRequestParts<Service> for On<R, N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let By(who, service) = By::from_request_parts(parts, service).await?;
        let named = Path::from_request_parts(parts, &service).await;
        // Nothing has a name that is no text.
        let Path(name) = named.map_err(|_| Error::NotFound("thing"))?;
        Ok(Self(who, service, name))
    }
}
