//! A chain of transforms: each plugin pinned by its digest, each configuration checked against its
//! plugin.

use serde_json::value::RawValue;

use super::definition::TransformRequest;
use super::{Error, Place, Service};
use crate::automation::{ReferenceError, Transform, canonical};
use crate::model::AccountId;
use crate::model::limits::TRANSFORMS_MAX;
use crate::pipeline::{AccountVariables, components};
use crate::plugin::{ConfigError, Digest};

impl Service {
    /// Pins the plugins of a chain and checks their configurations.
    pub(super) async fn transforms(
        &self,
        account: AccountId,
        requests: Vec<TransformRequest>,
    ) -> Result<Vec<Transform>, Error> {
        if requests.len() > TRANSFORMS_MAX {
            let why = format!(
                "there are {} transforms: {TRANSFORMS_MAX} at most",
                requests.len()
            );
            return Err(Error::field("/transforms", why));
        }
        let variables = self.variables_of(account, &requests).await?;
        let mut transforms = Vec::with_capacity(requests.len());
        for (place, request) in requests.into_iter().enumerate() {
            transforms.push(
                self.transform(
                    (account, &variables),
                    request,
                    &format!("/transforms/{place}"),
                )
                .await?,
            );
        }
        Ok(transforms)
    }

    /// The variables that configurations may refer to.
    pub(super) async fn variables_of(
        &self,
        account: AccountId,
        requests: &[TransformRequest],
    ) -> Result<AccountVariables, Error> {
        let mut texts = String::new();
        for config in requests
            .iter()
            .filter_map(|request| request.config.as_ref())
        {
            // In its one spelling, no escape hides a reference.
            let text = canonical(config.get());
            texts += &text.map_err(|error| Error::unreadable("the configuration", error))?;
        }
        self.variables_in(account, &texts).await
    }

    /// Pins one plugin and checks its configuration. `at`: where it stands in what was sent.
    pub(super) async fn transform(
        &self,
        (account, variables): (AccountId, &AccountVariables),
        request: TransformRequest,
        at: &str,
    ) -> Result<Transform, Error> {
        if request.javascript.is_some() {
            return Err(Error::not_built(
                format!("{at}/javascript"),
                "a transform in JavaScript",
            ));
        }
        let reference = request.plugin.ok_or_else(|| {
            Error::field(
                at,
                "a transform names its plugin: add plugin, such as redact@1.0.0",
            )
        })?;
        let pointer = format!("{at}/plugin");
        let (plugin, digest) = self.pin(account, &reference, &pointer).await?;
        let component = self
            .inner
            .components
            .load(account, digest)
            .await
            .map_err(|error| match error {
                components::Error::Missing(_) => unknown_plugin(&reference, &pointer),
                error => Error::unreadable("the plugin", error),
            })?;
        let config = match request.config {
            Some(config) => config,
            None => RawValue::from_string("{}".to_owned())
                .map_err(|error| Error::unreadable("the configuration", error))?,
        };
        let spelled = canonical(config.get())
            .map_err(|error| Error::unreadable("the configuration", error))?;
        let filled = variables
            .fill_config(&spelled)
            .map_err(|error| Error::Invalid {
                code: match &error {
                    ReferenceError::NoValue { .. } => "unknown_variable",
                    _ => "invalid_config",
                },
                at: Place::body(format!("{at}/config")),
                why: error.to_string(),
            })?;
        component.check_config(filled.text()).map_err(|error| {
            let within = match &error {
                ConfigError::Mismatch { pointer, .. } => pointer.as_str(),
                _ => "",
            };
            Error::Invalid {
                code: "invalid_config",
                at: Place::body(format!("{at}/config{within}")),
                why: error.to_string(),
            }
        })?;
        Ok(Transform {
            plugin,
            digest: digest.to_string(),
            config,
            on_error: request.on_error.unwrap_or_default(),
        })
    }

    /// The component that a reference names now, and the reference as it is kept.
    async fn pin(
        &self,
        account: AccountId,
        reference: &str,
        pointer: &str,
    ) -> Result<(String, Digest), Error> {
        if reference.starts_with("sha256:") {
            let digest = reference
                .parse()
                .map_err(|error| Error::field(pointer, error))?;
            return Ok((reference.to_owned(), digest));
        }
        let (name, version) = match reference.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (reference, None),
        };
        let unknown = || unknown_plugin(reference, pointer);
        let plugin = self
            .inner
            .store
            .plugin_by_name(account, name)
            .await?
            .ok_or_else(unknown)?;
        let versions = self.inner.store.plugin_versions(account, plugin.id).await?;
        let found = versions
            .iter()
            .find(|known| version.is_none_or(|version| known.version == version));
        let Some(found) = found else {
            let known: Vec<_> = versions
                .iter()
                .map(|version| version.version.as_str())
                .collect();
            let why = format!(
                "there is no such version of '{name}': there are {}",
                known.join(", ")
            );
            return Err(Error::field(pointer, why));
        };
        let digest: [u8; 32] = found.digest.as_slice().try_into().map_err(
            |error: std::array::TryFromSliceError| Error::unreadable("the plugin's digest", error),
        )?;
        Ok((
            format!("{name}@{}", found.version),
            Digest::from_bytes(digest),
        ))
    }
}

fn unknown_plugin(reference: &str, pointer: &str) -> Error {
    let shown: String = reference.chars().take(120).collect();
    Error::Invalid {
        code: "unknown_plugin",
        at: Place::body(pointer),
        why: format!(
            "there is no plugin '{shown}' in this account: upload it with POST /v1/plugins"
        ),
    }
}
