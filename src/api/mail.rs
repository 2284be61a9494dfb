//! `/v1/mails`.

use axum::Json;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::Answer;
use super::principal::By;
use super::query::QueryParams;
use crate::service::{Listed, MailQuery, MailView, MayRead, PageRequest};

/// Which page of which mails.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MailsQuery {
    /// Only about the endpoint with this id.
    endpoint: Option<String>,
    /// Only in this state: `collecting`, `sending`, `waiting`, `sent`, `bounced` or `given_up`.
    state: Option<String>,
    /// How many rows at most, 1 to 250; 50, if left out.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List mails
///
/// The account's alerts by mail, newest first: those that wait, and of the others the last thousand of thirty days.
#[utoipa::path(get, path = "/v1/mails", tag = "endpoints", operation_id = "list_mails",
    params(MailsQuery), responses((status = 200, description = "A page", body = Listed<MailView>)))]
pub(super) async fn list(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<MailsQuery>,
) -> Answer<Json<Listed<MailView>>> {
    let wanted = MailQuery {
        endpoint: query.endpoint,
        state: query.state,
    };
    let page = PageRequest {
        limit: query.limit,
        cursor: query.cursor,
    };
    Ok(Json(service.mails(&who, &wanted, &page).await?))
}
