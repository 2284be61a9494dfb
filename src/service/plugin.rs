//! Plugins: components that are uploaded, checked, and kept as immutable versions.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::principal::{MayRead, MayWrite, Principal};
use super::{Error, Listed, PageRequest, Place, Service, check};
use crate::model::limits::COMPONENT_BYTES_MAX;
use crate::model::{AccountId, PluginId, Timestamp};
use crate::pipeline::components;
use crate::plugin::{self, Component, Digest};
use crate::store::{self, NewPluginVersion};

/// Longest name of a plugin.
const NAME_BYTES_MAX: usize = 64;

/// A plugin with its newest version.
#[derive(Debug, Serialize, ToSchema)]
pub struct PluginView {
    /// The plugin's id.
    #[schema(value_type = String, example = "plg_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: PluginId,
    /// What automations call it: 1 to 64 lower-case letters, digits and hyphens.
    pub name: String,
    /// The version that the component says it is.
    pub version: String,
    /// SHA-256 of the component: `sha256:` and 64 hexadecimal digits.
    #[schema(example = "sha256:…")]
    pub digest: String,
    /// What it does, in its author's words.
    pub summary: String,
    /// The interfaces that the component uses: its capabilities.
    pub imports: Vec<String>,
    /// The names of its test vectors, all of which held at the upload.
    pub vectors: Vec<String>,
    /// The event types it understands: names, patterns such as `deal.*`, or `*`.
    pub event_types: Vec<String>,
    /// The JSON Schema of its configuration.
    #[schema(value_type = Object)]
    pub config_schema: Box<RawValue>,
    /// When this version was uploaded, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// One version of a plugin.
#[derive(Debug, Serialize, ToSchema)]
pub struct PluginVersionView {
    /// The version that the component says it is.
    pub version: String,
    /// SHA-256 of the component: `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// What it does, in its author's words.
    pub summary: String,
    /// The interfaces that the component uses: its capabilities.
    pub imports: Vec<String>,
    /// The names of its test vectors, all of which held at the upload.
    pub vectors: Vec<String>,
    /// When it was uploaded, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// What the upload found, as it is kept.
#[derive(Serialize, Deserialize)]
struct Found {
    summary: String,
    imports: Vec<String>,
    vectors: Vec<String>,
    event_types: Vec<String>,
    config_schema: Box<RawValue>,
}

impl Found {
    fn of(component: &Component) -> Result<Self, Error> {
        let said = component.description();
        Ok(Self {
            summary: said.summary.clone(),
            imports: component.imports().to_vec(),
            vectors: said
                .vectors
                .iter()
                .map(|vector| vector.name.clone())
                .collect(),
            event_types: said.event_types.clone(),
            config_schema: RawValue::from_string(said.config_schema.clone())
                .map_err(|error| Error::unreadable("the plugin's schema", error))?,
        })
    }

    fn stored(row: &store::PluginVersion) -> Result<Self, Error> {
        serde_json::from_str(&row.description)
            .map_err(|error| Error::unreadable("the plugin's description", error))
    }
}

fn digest_text(row: &store::PluginVersion) -> String {
    <[u8; 32]>::try_from(row.digest.as_slice()).map_or_else(
        |_| hex::encode(&row.digest),
        |bytes| Digest::from_bytes(bytes).to_string(),
    )
}

fn view(plugin: store::Plugin, row: &store::PluginVersion) -> Result<PluginView, Error> {
    let found = Found::stored(row)?;
    Ok(PluginView {
        id: plugin.id,
        name: plugin.name,
        version: row.version.clone(),
        digest: digest_text(row),
        summary: found.summary,
        imports: found.imports,
        vectors: found.vectors,
        event_types: found.event_types,
        config_schema: found.config_schema,
        created_at: row.created_at,
    })
}

impl Service {
    /// Takes a component: compiles it, checks its promises, keeps it. The same component under the
    /// same name again changes nothing. `name`: what automations call it, if not its own name.
    pub async fn upload_plugin(
        &self,
        who: &Principal<MayWrite>,
        name: Option<&str>,
        wasm: Bytes,
    ) -> Result<PluginView, Error> {
        if wasm.len() > COMPONENT_BYTES_MAX {
            return Err(Error::TooLarge {
                what: "the component",
                bytes_max: COMPONENT_BYTES_MAX,
            });
        }
        name.map_or(Ok(()), check_name)?;
        let compiled = self.inner.components.compile(who.account(), wasm.clone());
        let component = compiled.await.map_err(refused)?;
        let now = self.inner.clock.now();
        let new = NewPluginVersion {
            id: PluginId::mint(now),
            name: name.unwrap_or(&component.description().name).to_owned(),
            version: component.description().version.clone(),
            digest: *component.digest().as_bytes(),
            description: serde_json::to_string(&Found::of(&component)?)
                .map_err(|error| Error::unreadable("the plugin's description", error))?,
            wasm,
            created_at: now,
        };
        match self
            .inner
            .store
            .add_plugin_version(who.account(), &new)
            .await
        {
            Ok(_) => {}
            Err(error) if error.is_taken() => {}
            Err(error) => return Err(error.into()),
        }
        self.kept(who.account(), &new).await
    }

    /// The version as it is kept now: ours, or the one that was there.
    async fn kept(&self, account: AccountId, new: &NewPluginVersion) -> Result<PluginView, Error> {
        let plugin = self
            .inner
            .store
            .plugin_by_name(account, &new.name)
            .await?
            .ok_or(Error::NotFound("plugin"))?;
        let versions = self.inner.store.plugin_versions(account, plugin.id).await?;
        let kept = versions
            .iter()
            .find(|row| row.version == new.version)
            .ok_or(Error::NotFound("plugin"))?;
        if kept.digest != new.digest {
            return Err(Error::Conflict {
                code: "version_taken",
                why: format!(
                    "{}@{} is another component ({}): give this one a new version",
                    new.name,
                    new.version,
                    digest_text(kept)
                ),
            });
        }
        view(plugin, kept)
    }

    /// A page of the account's plugins, each with its newest version.
    pub async fn plugins(
        &self,
        who: &Principal<MayRead>,
        page: &PageRequest,
    ) -> Result<Listed<PluginView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let rows = self
            .inner
            .store
            .plugins(who.account(), page.after()?, page.limit()?)
            .await?;
        let mut newest = Vec::with_capacity(rows.rows.len());
        for row in &rows.rows {
            newest.push(self.newest_version(who.account(), row.id).await?);
        }
        let mut newest = newest.into_iter();
        Listed::try_of(rows, |row| {
            view(row, &newest.next().ok_or(Error::NotFound("plugin"))?)
        })
    }

    /// The plugin with this id, with its newest version.
    pub async fn plugin(&self, who: &Principal<MayRead>, id: &str) -> Result<PluginView, Error> {
        let plugin = self.plugin_row(who.account(), id).await?;
        let newest = self.newest_version(who.account(), plugin.id).await?;
        view(plugin, &newest)
    }

    /// All versions of a plugin, newest first.
    pub async fn plugin_versions(
        &self,
        who: &Principal<MayRead>,
        id: &str,
    ) -> Result<Listed<PluginVersionView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let plugin = self.plugin_row(who.account(), id).await?;
        let rows = self
            .inner
            .store
            .plugin_versions(who.account(), plugin.id)
            .await?;
        let versions = rows.iter().map(|row| {
            let found = Found::stored(row)?;
            Ok(PluginVersionView {
                version: row.version.clone(),
                digest: digest_text(row),
                summary: found.summary,
                imports: found.imports,
                vectors: found.vectors,
                created_at: row.created_at,
            })
        });
        Ok(Listed::whole(versions.collect::<Result<_, Error>>()?))
    }

    async fn plugin_row(&self, account: AccountId, id: &str) -> Result<store::Plugin, Error> {
        let id: PluginId = check::id(id, "plugin")?;
        self.inner
            .store
            .plugin(account, id)
            .await?
            .ok_or(Error::NotFound("plugin"))
    }

    async fn newest_version(
        &self,
        account: AccountId,
        id: PluginId,
    ) -> Result<store::PluginVersion, Error> {
        let versions = self.inner.store.plugin_versions(account, id).await?;
        versions.into_iter().next().ok_or(Error::NotFound("plugin"))
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    Err(Error::Invalid {
        code: "invalid_parameter",
        at: Place::Query("name".to_owned()),
        why: format!(
            "a plugin's name is 1 to {NAME_BYTES_MAX} lower-case letters, digits and hyphens"
        ),
    })
}

/// What is wrong with the component, with its causes in the same sentence: they are its author's.
fn refused(error: components::Error) -> Error {
    let components::Error::Refused(error) = error else {
        return Error::unreadable("the plugin", error);
    };
    if let plugin::Error::TooLarge { bytes_max, .. } = *error {
        return Error::TooLarge {
            what: "the component",
            bytes_max,
        };
    }
    Error::Invalid {
        code: "plugin_refused",
        at: Place::body(""),
        why: with_cause(&error),
    }
}

fn with_cause(error: &Arc<plugin::Error>) -> String {
    match &**error {
        plugin::Error::Describe(cause) => format!("{error}: {cause}"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_before_an_at_sign() {
        for wrong in ["", "Redact", "a@1", "a b", &"a".repeat(65)] {
            assert!(check_name(wrong).is_err(), "{wrong}");
        }
        assert!(check_name("chat-message-2").is_ok());
    }
}
