//! The key pairs of endpoints, and the public keys of an account for whoever verifies.

use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderName, HeaderValue, header};

use super::answer::{Answer, Created, Done};
use super::body::JsonBody;
use super::principal::On;
use crate::service::{
    Error, KeyPairRequest, KeyPairView, KeySetView, Listed, MayAdminister, MayRead, Service,
};

/// For how long others may keep a key set.
const CACHED: (HeaderName, HeaderValue) = (
    header::CACHE_CONTROL,
    HeaderValue::from_static("public, max-age=300"),
);

/// List an endpoint's key pairs, without their private halves
///
/// The oldest first. Of RSA, that one signs (`in_use`).
#[utoipa::path(get, path = "/v1/endpoints/{id}/keys", tag = "endpoints", operation_id = "list_key_pairs",
    params(("id" = String, Path, description = "The endpoint's id")),
    responses((status = 200, description = "All of them", body = Listed<KeyPairView>)))]
pub(super) async fn list(On(who, service, id): On<MayRead>) -> Answer<Json<Listed<KeyPairView>>> {
    Ok(Json(service.key_pairs(&who, &id).await?))
}

/// Make a key pair of an endpoint, or bring one along
///
/// There are two of a kind at most. To rotate, make a second one, give its public half to the receiver, and remove the
/// first.
#[utoipa::path(post, path = "/v1/endpoints/{id}/keys", tag = "endpoints", operation_id = "create_key_pair",
    params(("id" = String, Path, description = "The endpoint's id")), request_body = KeyPairRequest,
    responses((status = 201, description = "The key pair", body = KeyPairView)))]
pub(super) async fn create(
    On(who, service, id): On<MayAdminister>,
    JsonBody(request): JsonBody<KeyPairRequest>,
) -> Answer<Created<KeyPairView>> {
    Ok(Created(service.create_key_pair(&who, &id, request).await?))
}

/// Remove a key pair of an endpoint
///
/// The only one of its kind can't be removed. If it was the oldest, the other one signs from now on.
#[utoipa::path(delete, path = "/v1/endpoints/{id}/keys/{key}", tag = "endpoints", operation_id = "delete_key_pair",
    params(("id" = String, Path, description = "The endpoint's id"), ("key" = String, Path, description = "The key pair's id")),
    responses((status = 204, description = "Removed")))]
pub(super) async fn delete(
    On(who, service, (id, key)): On<MayAdminister, (String, String)>,
) -> Answer<Done> {
    service.delete_key_pair(&who, &id, &key).await?;
    Ok(Done)
}

/// The public keys that an account's deliveries are signed with
///
/// A JSON Web Key Set, for everybody.
#[utoipa::path(get, path = "/jwks/{file}", tag = "endpoints", operation_id = "get_key_set", security(()),
    params(("file" = String, Path, description = "The account's id and `.json`", example = "acc_0198c1f0a3b27c4d8e5f60718293a4b5.json")),
    responses((status = 200, description = "The key set", body = KeySetView)))]
pub(super) async fn set(
    State(service): State<Service>,
    file: Result<Path<String>, PathRejection>,
) -> Answer<([(HeaderName, HeaderValue); 1], Json<KeySetView>)> {
    let file = file.map_or_else(|_| String::new(), |Path(file)| file);
    let account = file
        .strip_suffix(".json")
        .ok_or(Error::NotFound("key set"))?;
    Ok(([CACHED], Json(service.key_set(account).await?)))
}
