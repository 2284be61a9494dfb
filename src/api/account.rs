//! `/v1/accounts` for the operator, `/v1/account` for each its own.

use axum::Json;

use super::answer::{Answer, Created};
use super::body::{JsonBody, JsonBodyOr};
use super::principal::{By, On};
use super::query::{PageQuery, QueryParams};
use crate::service::{
    AccountPatch, AccountView, Listed, MayAdminister, MayOperate, MayRead, NewAccount,
    SigningKeyRotation, SigningKeyView,
};

/// Make an account
///
/// For operator keys.
#[utoipa::path(post, path = "/v1/accounts", tag = "accounts", operation_id = "create_account",
    request_body = NewAccount, responses((status = 201, description = "The new account", body = AccountView)))]
pub(super) async fn create(
    By(who, service): By<MayOperate>,
    JsonBody(new): JsonBody<NewAccount>,
) -> Answer<Created<AccountView>> {
    Ok(Created(service.create_account(&who, new).await?))
}

/// List all accounts
///
/// For operator keys.
#[utoipa::path(get, path = "/v1/accounts", tag = "accounts", operation_id = "list_accounts",
    params(PageQuery), responses((status = 200, description = "A page", body = Listed<AccountView>)))]
pub(super) async fn list(
    By(who, service): By<MayOperate>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<AccountView>>> {
    Ok(Json(service.accounts(&who, &query.page()).await?))
}

/// Get an account
///
/// For operator keys. The id may be the uid, too.
#[utoipa::path(get, path = "/v1/accounts/{id}", tag = "accounts", operation_id = "get_account",
    params(("id" = String, Path, description = "The account's id or uid")),
    responses((status = 200, description = "The account", body = AccountView)))]
pub(super) async fn get(On(who, service, id): On<MayOperate>) -> Answer<Json<AccountView>> {
    Ok(Json(service.account(&who, &id).await?))
}

/// Get the key's own account
#[utoipa::path(get, path = "/v1/account", tag = "accounts", operation_id = "get_own_account",
    responses((status = 200, description = "The account", body = AccountView)))]
pub(super) async fn own(By(who, service): By<MayRead>) -> Answer<Json<AccountView>> {
    Ok(Json(service.own_account(&who).await?))
}

/// Change the key's own account
///
/// Switch it on or off, say what is done with events whose data does not fit the schema of their type
/// (`validation`), and with types that nobody has catalogued (`unknown_types`), and for how long payloads and what became
/// of events are kept (`retention`).
#[utoipa::path(patch, path = "/v1/account", tag = "accounts", operation_id = "change_own_account",
    request_body = AccountPatch, responses((status = 200, description = "The account", body = AccountView)))]
pub(super) async fn change_own(
    By(who, service): By<MayAdminister>,
    JsonBody(patch): JsonBody<AccountPatch>,
) -> Answer<Json<AccountView>> {
    Ok(Json(service.change_own_account(&who, patch).await?))
}

/// Reveal the account's signing key
///
/// It signs deliveries of the scheme `body-hmac`.
#[utoipa::path(post, path = "/v1/account/signing-key/reveal", tag = "accounts", operation_id = "reveal_signing_key",
    responses((status = 200, description = "The key", body = SigningKeyView)))]
pub(super) async fn reveal_signing_key(
    By(who, service): By<MayAdminister>,
) -> Answer<Json<SigningKeyView>> {
    Ok(Json(service.reveal_signing_key(&who).await?))
}

/// Rotate the account's signing key
///
/// The header that it signs in has room for one signature: the old key signs until the overlap ends, or is ended. The
/// body may be left out.
#[utoipa::path(post, path = "/v1/account/signing-key/rotate", tag = "accounts", operation_id = "rotate_signing_key",
    request_body = Option<SigningKeyRotation>,
    responses((status = 201, description = "The keys", body = SigningKeyView)))]
pub(super) async fn rotate_signing_key(
    By(who, service): By<MayAdminister>,
    JsonBodyOr(rotation): JsonBodyOr<SigningKeyRotation>,
) -> Answer<Created<SigningKeyView>> {
    Ok(Created(service.rotate_signing_key(&who, rotation).await?))
}

/// End the overlap of a rotation of the account's signing key
///
/// The new key signs from now on.
#[utoipa::path(post, path = "/v1/account/signing-key/end-overlap", tag = "accounts", operation_id = "end_signing_key_overlap",
    responses((status = 200, description = "The key", body = SigningKeyView)))]
pub(super) async fn end_signing_key_overlap(
    By(who, service): By<MayAdminister>,
) -> Answer<Json<SigningKeyView>> {
    Ok(Json(service.end_signing_key_overlap(&who).await?))
}
