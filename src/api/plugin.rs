//! `/v1/plugins`.

use axum::Json;

use super::answer::{Answer, Created};
use super::body::Component;
use super::principal::{By, On};
use super::query::{PageQuery, QueryParams, UploadQuery};
use crate::service::{Listed, MayRead, MayWrite, PluginVersionView, PluginView};

/// Upload a component
///
/// It is compiled, its imports and its description are checked, and its test vectors are run. The
/// same component again changes nothing; another one under the same version is a conflict.
#[utoipa::path(post, path = "/v1/plugins", tag = "plugins", operation_id = "upload_plugin", params(UploadQuery),
    request_body(content = String, content_type = "application/wasm", description = "The component, up to 32 MiB"),
    responses((status = 201, description = "The plugin with its newest version", body = PluginView)))]
pub(super) async fn upload(
    By(who, service): By<MayWrite>,
    QueryParams(query): QueryParams<UploadQuery>,
    Component(wasm, _turn): Component,
) -> Answer<Created<PluginView>> {
    Ok(Created(
        service
            .upload_plugin(&who, query.name.as_deref(), wasm)
            .await?,
    ))
}

/// List plugins
#[utoipa::path(get, path = "/v1/plugins", tag = "plugins", operation_id = "list_plugins",
    params(PageQuery), responses((status = 200, description = "A page", body = Listed<PluginView>)))]
pub(super) async fn list(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<PluginView>>> {
    Ok(Json(service.plugins(&who, &query.page()).await?))
}

/// Get a plugin
#[utoipa::path(get, path = "/v1/plugins/{id}", tag = "plugins", operation_id = "get_plugin",
    params(("id" = String, Path, description = "The plugin's id")),
    responses((status = 200, description = "The plugin with its newest version", body = PluginView)))]
pub(super) async fn get(On(who, service, id): On<MayRead>) -> Answer<Json<PluginView>> {
    Ok(Json(service.plugin(&who, &id).await?))
}

/// List a plugin's versions
#[utoipa::path(get, path = "/v1/plugins/{id}/versions", tag = "plugins", operation_id = "list_plugin_versions",
    params(("id" = String, Path, description = "The plugin's id")),
    responses((status = 200, description = "All versions", body = Listed<PluginVersionView>)))]
pub(super) async fn versions(
    On(who, service, id): On<MayRead>,
) -> Answer<Json<Listed<PluginVersionView>>> {
    Ok(Json(service.plugin_versions(&who, &id).await?))
}
