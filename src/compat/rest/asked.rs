//! What stands in a request: who asks, for which rows, and how it is to be answered.

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, RANGE};
use serde_json::{Value, json};

use super::fault::Fault;
use super::prefer::Wishes;
use super::query::Query;
use super::table::{Row, Table};
use crate::service::{Error, Identity, MayRead, Principal, Service};

/// A request, as far as it is read before it is known who asks.
pub(super) struct Asked {
    pub(super) query: Query,
    pub(super) wishes: Wishes,
    headers: HeaderMap,
    organization: Option<String>,
}

/// Who asks, and what the account is called in rows.
pub(super) struct Client {
    pub(super) identity: Identity,
    pub(super) organization: String,
}

impl Asked {
    /// What a request asks of a table, of one row, if its path names one; and its body.
    pub(super) fn of(
        table: Table,
        request: Request,
        id: Option<&str>,
    ) -> Result<(Self, Body), Fault> {
        let (parts, body) = request.into_parts();
        let mut query = Query::parse(table, parts.uri.query().unwrap_or_default())?;
        let text = |name| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        query = query.within(text(RANGE).map(|range| range.trim_start_matches("items=")))?;
        if let Some(id) = id {
            query = query.of_one(id);
        }
        let organization = query.take_organization();
        let asked = Self {
            query,
            wishes: Wishes::of(&parts.headers)?,
            headers: parts.headers,
            organization,
        };
        Ok((asked, body))
    }

    /// Who asks: by `Authorization: Bearer`, or by `apikey`, as Supabase's clients send it; for the organisation that
    /// the query names, or `named`, or the header `Throwbar-Account`.
    pub(super) async fn client(
        &self,
        service: &Service,
        named: Option<&str>,
    ) -> Result<Client, Fault> {
        let identity = identify(
            service,
            &self.headers,
            self.organization.as_deref().or(named),
        )
        .await?;
        let who = identity.grant::<MayRead>()?;
        let organization = called(service, &who).await?;
        Ok(Client {
            identity,
            organization,
        })
    }

    /// The body as JSON, once it is known whose room it is read in.
    pub(super) async fn json(&self, service: &Service, body: Body) -> Result<Value, Fault> {
        let identity = identify(service, &self.headers, self.organization.as_deref()).await?;
        let room = service.body_room(identity.account());
        let bytes_max = service.rules().body_bytes_max();
        let bytes = service.read_body(body, bytes_max, Some(room)).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Fault::body(format!("the body is no JSON: {error}")))
    }
}

async fn called(service: &Service, who: &Principal<MayRead>) -> Result<String, Error> {
    let account = service.own_account(who).await?;
    Ok(account.uid.unwrap_or_else(|| account.id.to_string()))
}

async fn identify(
    service: &Service,
    headers: &HeaderMap,
    named: Option<&str>,
) -> Result<Identity, Error> {
    let text = |value: &axum::http::HeaderValue| value.to_str().map(str::to_owned).ok();
    let bearer = headers.get(AUTHORIZATION).and_then(text).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        let key = scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| key.trim().to_owned());
        key.filter(|key| !key.is_empty())
    });
    let key = bearer.or_else(|| headers.get("apikey").and_then(text));
    // Who names an account never means another: what can't be read is a name that none has.
    let header = headers.get("throwbar-account");
    let header = header.map(|value| text(value).unwrap_or_else(|| "\u{fffd}".to_owned()));
    let identity = service
        .authenticate(key.as_deref(), header.as_deref().or(named))
        .await?;
    if let (Some(_), Some(named)) = (&header, named) {
        // Both are named: then both must be the same.
        let other = service.authenticate(key.as_deref(), Some(named)).await?;
        if other.account() != identity.account() {
            return Err(Error::NotFound("account"));
        }
    }
    Ok(identity)
}

impl Client {
    /// A row of what the service has answered.
    pub(super) fn row(&self, view: &impl serde::Serialize) -> Row {
        let mut row = match serde_json::to_value(view) {
            Ok(Value::Object(row)) => row,
            _ => Row::new(),
        };
        row.insert("organization_id".to_owned(), json!(self.organization));
        row
    }
}
