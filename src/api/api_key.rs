//! `/v1/api-keys`.

use axum::Json;

use super::answer::{Answer, Created, Done};
use super::body::JsonBody;
use super::principal::{By, On};
use crate::service::{ApiKeyView, Listed, MayAdminister, NewApiKey, NewApiKeyView};

/// Make a key
///
/// The answer is the only place where it is shown.
#[utoipa::path(post, path = "/v1/api-keys", tag = "keys", operation_id = "create_api_key",
    request_body = NewApiKey, responses((status = 201, description = "The new key", body = NewApiKeyView)))]
pub(super) async fn create(
    By(who, service): By<MayAdminister>,
    JsonBody(new): JsonBody<NewApiKey>,
) -> Answer<Created<NewApiKeyView>> {
    Ok(Created(service.create_api_key(&who, new).await?))
}

/// List the keys that work
#[utoipa::path(get, path = "/v1/api-keys", tag = "keys", operation_id = "list_api_keys",
    responses((status = 200, description = "All keys that work", body = Listed<ApiKeyView>)))]
pub(super) async fn list(By(who, service): By<MayAdminister>) -> Answer<Json<Listed<ApiKeyView>>> {
    Ok(Json(service.api_keys(&who).await?))
}

/// Revoke a key
#[utoipa::path(delete, path = "/v1/api-keys/{id}", tag = "keys", operation_id = "revoke_api_key",
    params(("id" = String, Path, description = "The key's id")), responses((status = 204, description = "Revoked")))]
pub(super) async fn revoke(On(who, service, id): On<MayAdminister>) -> Answer<Done> {
    service.revoke_api_key(&who, &id).await?;
    Ok(Done)
}
