//! `/v1/account/connection`.

use axum::Json;

use super::answer::Answer;
use super::body::JsonBody;
use super::principal::By;
use crate::service::{AccountConnectionRequest, AccountConnectionView, MayAdminister, MayRead};

/// How the account's deliveries are connected
///
/// Authorities that are trusted beside the server's own, and a proxy.
#[utoipa::path(get, path = "/v1/account/connection", tag = "accounts", operation_id = "get_account_connection",
    responses((status = 200, description = "The connection", body = AccountConnectionView)))]
pub(super) async fn get(By(who, service): By<MayRead>) -> Answer<Json<AccountConnectionView>> {
    Ok(Json(service.account_connection(&who).await?))
}

/// Say how the account's deliveries are connected
///
/// The whole of it: what is left out is as usual from now on.
#[utoipa::path(put, path = "/v1/account/connection", tag = "accounts", operation_id = "put_account_connection",
    request_body = AccountConnectionRequest,
    responses((status = 200, description = "The connection", body = AccountConnectionView)))]
pub(super) async fn put(
    By(who, service): By<MayAdminister>,
    JsonBody(to): JsonBody<AccountConnectionRequest>,
) -> Answer<Json<AccountConnectionView>> {
    Ok(Json(service.put_account_connection(&who, to).await?))
}
