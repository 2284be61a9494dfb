//! `/v1/profiles`.

use axum::Json;

use super::answer::{Answer, Created, Done};
use super::body::JsonBody;
use super::principal::{By, On};
use crate::service::{Listed, MayRead, MayWrite, NewProfile, ProfilePatch, ProfileView};

/// Make a profile
///
/// It says how deliveries look and which policies they follow; what it leaves out is as in the ready-made one that it is
/// made from. Endpoints name it as their `profile`.
#[utoipa::path(post, path = "/v1/profiles", tag = "profiles", operation_id = "create_profile",
    request_body = NewProfile, responses((status = 201, description = "The new profile", body = ProfileView)))]
pub(super) async fn create(
    By(who, service): By<MayWrite>,
    JsonBody(new): JsonBody<NewProfile>,
) -> Answer<Created<ProfileView>> {
    Ok(Created(service.create_profile(&who, new).await?))
}

/// List profiles
///
/// The ready-made ones, then the account's own, each with all of its parts.
#[utoipa::path(get, path = "/v1/profiles", tag = "profiles", operation_id = "list_profiles",
    responses((status = 200, description = "All of them", body = Listed<ProfileView>)))]
pub(super) async fn list(By(who, service): By<MayRead>) -> Answer<Json<Listed<ProfileView>>> {
    Ok(Json(service.profiles(&who).await?))
}

/// Get a profile
#[utoipa::path(get, path = "/v1/profiles/{name}", tag = "profiles", operation_id = "get_profile",
    params(("name" = String, Path, description = "The profile's name")),
    responses((status = 200, description = "The profile", body = ProfileView)))]
pub(super) async fn get(On(who, service, name): On<MayRead>) -> Answer<Json<ProfileView>> {
    Ok(Json(service.profile(&who, &name).await?))
}

/// Change a profile
///
/// Endpoints that name it follow, but for what they override: the next attempt keeps to it. A ready-made one can't be
/// changed.
#[utoipa::path(patch, path = "/v1/profiles/{name}", tag = "profiles", operation_id = "change_profile",
    params(("name" = String, Path, description = "The profile's name")), request_body = ProfilePatch,
    responses((status = 200, description = "The profile", body = ProfileView)))]
pub(super) async fn change(
    On(who, service, name): On<MayWrite>,
    JsonBody(patch): JsonBody<ProfilePatch>,
) -> Answer<Json<ProfileView>> {
    Ok(Json(service.change_profile(&who, &name, patch).await?))
}

/// Remove a profile
///
/// One that an endpoint names, or that is the account's default, is not removed: the answer says by what it is used.
#[utoipa::path(delete, path = "/v1/profiles/{name}", tag = "profiles", operation_id = "delete_profile",
    params(("name" = String, Path, description = "The profile's name")),
    responses((status = 204, description = "Removed")))]
pub(super) async fn delete(On(who, service, name): On<MayWrite>) -> Answer<Done> {
    service.delete_profile(&who, &name).await?;
    Ok(Done)
}
