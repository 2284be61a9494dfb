//! Plugins and their immutable versions, named by digest.

use bytes::Bytes;

use super::page::{Cursor, Page, start};
use super::row::record;
use super::values::args;
use super::{Error, Store, account};
use crate::model::{AccountId, PluginId, Timestamp};

/// A plugin, without its versions.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// Its id.
    pub id: PluginId,
    /// What automations call it; unique in the account.
    pub name: String,
    /// When its first version came.
    pub created_at: Timestamp,
}

record!(Plugin {
    id: "id",
    name: "name",
    created_at: "created_at_ms",
});

/// One immutable version, without its bytes.
#[derive(Debug, Clone)]
pub struct PluginVersion {
    /// What the component says of itself.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: Vec<u8>,
    /// What `describe` and the check at the upload found, JSON.
    pub description: String,
    /// When it came.
    pub created_at: Timestamp,
}

record!(PluginVersion {
    version: "version",
    digest: "digest",
    description: "description",
    created_at: "created_at_ms",
});

/// A version to be kept.
#[derive(Debug, Clone)]
pub struct NewPluginVersion {
    /// The plugin's id, if this name is new.
    pub id: PluginId,
    /// The plugin's name.
    pub name: String,
    /// What the component says of itself.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: [u8; 32],
    /// JSON.
    pub description: String,
    /// The component.
    pub wasm: Bytes,
    /// Now.
    pub created_at: Timestamp,
}

impl Store {
    /// Keeps a version, under the plugin of that name or a new one. The plugin's id.
    /// [`Error::is_taken`] if the plugin has that version already.
    pub async fn add_plugin_version(
        &self,
        account: AccountId,
        new: &NewPluginVersion,
    ) -> Result<PluginId, Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        let known: Vec<(PluginId,)> = tx
            .fetch(
                "SELECT id FROM plugins WHERE account_id = $1 AND name = $2",
                args![account, new.name.as_str()],
            )
            .await?;
        let id = if let Some((id,)) = known.first() {
            *id
        } else {
            tx.execute(
                "INSERT INTO plugins (account_id, id, name, created_at_ms) VALUES ($1, $2, $3, $4)",
                args![account, new.id, new.name.as_str(), new.created_at],
            )
            .await?;
            new.id
        };
        tx.execute(
            "INSERT INTO plugin_versions (account_id, plugin_id, version, digest, description, wasm, created_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            args![
                account,
                id,
                new.version.as_str(),
                new.digest,
                new.description.as_str(),
                new.wasm.clone(),
                new.created_at
            ],
        )
        .await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The plugin with this id.
    pub async fn plugin(&self, account: AccountId, id: PluginId) -> Result<Option<Plugin>, Error> {
        self.fetch_optional(
            "SELECT id, name, created_at_ms FROM plugins WHERE account_id = $1 AND id = $2",
            args![account, id],
        )
        .await
    }

    /// The plugin with this name.
    pub async fn plugin_by_name(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<Plugin>, Error> {
        self.fetch_optional(
            "SELECT id, name, created_at_ms FROM plugins WHERE account_id = $1 AND name = $2",
            args![account, name],
        )
        .await
    }

    /// A page of the account's plugins, newest first.
    pub async fn plugins(
        &self,
        account: AccountId,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Plugin>, Error> {
        let rows = self
            .fetch(
                "SELECT id, name, created_at_ms FROM plugins WHERE account_id = $1 AND id < $2
                 ORDER BY id DESC LIMIT $3",
                args![account, start(after), limit + 1],
            )
            .await?;
        Ok(Page::of(rows, limit, |row: &Plugin| row.id.uuid()))
    }

    /// All versions of a plugin, newest first.
    pub async fn plugin_versions(
        &self,
        account: AccountId,
        id: PluginId,
    ) -> Result<Vec<PluginVersion>, Error> {
        self.fetch(
            "SELECT version, digest, description, created_at_ms FROM plugin_versions
             WHERE account_id = $1 AND plugin_id = $2 ORDER BY created_at_ms DESC, version DESC",
            args![account, id],
        )
        .await
    }

    /// The component with this digest, if the account has it.
    pub async fn component(
        &self,
        account: AccountId,
        digest: [u8; 32],
    ) -> Result<Option<Vec<u8>>, Error> {
        let found: Option<(Vec<u8>,)> = self
            .fetch_optional(
                "SELECT wasm FROM plugin_versions WHERE account_id = $1 AND digest = $2 LIMIT 1",
                args![account, digest],
            )
            .await?;
        Ok(found.map(|row| row.0))
    }
}
