//! `webhook_configurations`: endpoints of the profile `event-envelope`.

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{Found, minimal};
use super::asked::{Asked, Client};
use super::fault::Fault;
use super::filter::shown;
use super::query::Query;
use super::table::{CONFIGURATIONS, Row};
use crate::model::EndpointId;
use crate::service::{NewWebhook, Service, WebhookPatch, WebhookView};

/// Columns that the server fills.
const READ_ONLY: [&str; 3] = ["id", "created_at", "updated_at"];

/// Answers rows; exactly one, if the path names it.
pub(super) async fn read(
    service: &Service,
    request: Request,
    id: Option<String>,
) -> Result<Response, Fault> {
    let (asked, _) = Asked::of(CONFIGURATIONS, request, id.as_deref())?;
    let client = asked.client(service, None).await?;
    let kept = kept(service, &client, &asked.query).await?;
    let rows: Vec<Row> = kept.into_iter().map(|(_, row)| row).collect();
    if id.is_some() && rows.is_empty() {
        return Err(Fault::no_row(CONFIGURATIONS.name));
    }
    let (count, rows) = asked.query.answered(rows);
    let mut wishes = asked.wishes;
    wishes.single |= id.is_some();
    let found = Found {
        status: StatusCode::OK,
        rows,
        offset: asked.query.offset,
        count: wishes.count.then_some(count),
    };
    found.answer(wishes)
}

/// Makes a row, or several: all or none.
pub(super) async fn create(service: &Service, request: Request) -> Result<Response, Fault> {
    let (asked, body) = Asked::of(CONFIGURATIONS, request, None)?;
    let (bodies, is_one) = match asked.json(service, body).await? {
        Value::Array(bodies) => (bodies, false),
        body => (vec![body], true),
    };
    let mut new: Vec<NewWebhook> = Vec::with_capacity(bodies.len());
    for body in bodies {
        new.push(fields(body, &asked.query)?);
    }
    let named = organization(new.iter().map(|one| one.organization_id.as_deref()))?;
    let client = asked.client(service, named.as_deref()).await?;
    let made = Box::pin(service.create_webhooks(&client.identity, new)).await?;
    let location = made.first().filter(|_| is_one).map(|row| row.id);
    let mut response = written(&asked, &client, &made, StatusCode::CREATED)?;
    if let Some(id) = location
        && let Ok(path) =
            HeaderValue::from_str(&format!("/rest/v1/{}?id=eq.{id}", CONFIGURATIONS.name))
    {
        response.headers_mut().insert(header::LOCATION, path);
    }
    Ok(response)
}

/// Changes the rows that the filters keep: all or none.
pub(super) async fn change(
    service: &Service,
    request: Request,
    id: Option<String>,
) -> Result<Response, Fault> {
    let (asked, body) = Asked::of(CONFIGURATIONS, request, id.as_deref())?;
    needs_filter(&asked.query, "PATCH")?;
    let body = asked.json(service, body).await?;
    let patch: WebhookPatch = fields(body, &asked.query)?;
    let client = asked
        .client(service, patch.organization_id.as_deref())
        .await?;
    let kept = kept(service, &client, &asked.query).await?;
    if id.is_some() && kept.is_empty() {
        return Err(Fault::no_row(CONFIGURATIONS.name));
    }
    let ids: Vec<EndpointId> = kept.iter().map(|(view, _)| view.id).collect();
    let changed = Box::pin(service.change_webhooks(&client.identity, &ids, &patch)).await?;
    written(&asked, &client, &changed, StatusCode::OK)
}

/// Removes the rows that the filters keep: all or none.
pub(super) async fn delete(
    service: &Service,
    request: Request,
    id: Option<String>,
) -> Result<Response, Fault> {
    let (asked, _) = Asked::of(CONFIGURATIONS, request, id.as_deref())?;
    needs_filter(&asked.query, "DELETE")?;
    let client = asked.client(service, None).await?;
    let kept = kept(service, &client, &asked.query).await?;
    if id.is_some() && kept.is_empty() {
        return Err(Fault::no_row(CONFIGURATIONS.name));
    }
    let (views, _): (Vec<WebhookView>, Vec<Row>) = kept.into_iter().unzip();
    let ids: Vec<EndpointId> = views.iter().map(|view| view.id).collect();
    service.delete_webhooks(&client.identity, &ids).await?;
    written(&asked, &client, &views, StatusCode::OK)
}

/// The rows that the filters keep: in the shape of the service, and of the table.
async fn kept(
    service: &Service,
    client: &Client,
    query: &Query,
) -> Result<Vec<(WebhookView, Row)>, Fault> {
    let named = query.one_of("id");
    // What is no id is nobody's.
    let named: Option<Vec<EndpointId>> =
        named.map(|texts| texts.iter().filter_map(|text| text.parse().ok()).collect());
    let who = client.identity.grant()?;
    let mut kept = Vec::new();
    for view in service.webhooks(&who, named.as_deref()).await? {
        let row = client.row(&view);
        if query.keeps(&row) {
            kept.push((view, row));
        }
    }
    Ok(kept)
}

/// The answer to a write, which shows the rows only if that is wished.
fn written(
    asked: &Asked,
    client: &Client,
    views: &[WebhookView],
    status: StatusCode,
) -> Result<Response, Fault> {
    let wishes = asked.wishes;
    if !wishes.representation {
        let status = if status == StatusCode::OK {
            StatusCode::NO_CONTENT
        } else {
            status
        };
        return Ok(minimal(status, wishes, views.len()));
    }
    let row = |view| asked.query.selected(client.row(view));
    let found = Found {
        status,
        count: wishes.count.then_some(views.len()),
        rows: views.iter().map(row).collect(),
        offset: 0,
    };
    found.answer(wishes)
}

fn needs_filter(query: &Query, method: &str) -> Result<(), Fault> {
    if query.filters.is_empty() {
        return Err(Fault::no_filter(method));
    }
    Ok(())
}

/// What a body has, of the columns that its client says it has.
fn fields<T: DeserializeOwned>(body: Value, query: &Query) -> Result<T, Fault> {
    let Value::Object(mut body) = body else {
        return Err(Fault::body(
            "a row is a JSON object: send one, or to make several an array of them".to_owned(),
        ));
    };
    if let Some(columns) = &query.columns {
        body.retain(|name, _| columns.contains(name));
    }
    for name in body.keys() {
        if CONFIGURATIONS.column(name).is_none() {
            return Err(Fault::unknown_field(CONFIGURATIONS.name, &shown(name)));
        }
        if READ_ONLY.contains(&name.as_str()) {
            return Err(Fault::read_only(name));
        }
    }
    serde_json::from_value(Value::Object(body)).map_err(|error| Fault::body(error.to_string()))
}

/// The one organisation that rows name; rows of several are not made at once.
fn organization<'a>(named: impl Iterator<Item = Option<&'a str>>) -> Result<Option<String>, Fault> {
    let mut found: Option<&str> = None;
    for name in named.flatten() {
        if found.is_some_and(|found| found != name) {
            return Err(Fault::body(
                "the rows are of several organizations: send each its own".to_owned(),
            ));
        }
        found = Some(name);
    }
    Ok(found.map(str::to_owned))
}
