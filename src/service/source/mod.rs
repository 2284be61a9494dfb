//! Sources: made, changed, switched off, removed.

mod look;
mod plugin;
mod refusal;
mod request;
mod secret;
mod sender;
mod shape;
mod trial;

pub(super) use refusal::Ledger;
pub use refusal::RefusalView;
pub use secret::SourceRotation;
pub(super) use sender::Doors;
pub use sender::{Arrival, SourceDoor};
pub use shape::{
    NewSource, NewSourceView, SourceMapping, SourceMappingView, SourcePatch, SourceView,
};
pub use trial::{SourceEventView, SourceStepView, SourceTrial, SourceTrialView};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::principal::{MayRead, MayWrite, Principal};
use super::{Error, Listed, PageRequest, Service, check};
use crate::model::{AccountId, SecretId, SourceId};
use crate::pipeline::sealing;
use crate::store::{self, Source};
use crate::vault::random;
use shape::{Settings, path};

/// What the last part of a source's URL begins with, so that people and secret scanners know it.
const TOKEN_PREFIX: &str = "in_";

/// What is kept of the last part of a source's URL, to find it by.
pub(super) fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn name_taken(name: &str) -> Error {
    Error::Conflict {
        code: "name_taken",
        why: format!("the account has a source '{name}' already: choose another name, or PATCH it"),
    }
}

impl Service {
    /// Makes a source, with a URL that nobody can guess.
    pub async fn create_source(
        &self,
        who: &Principal<MayWrite>,
        new: NewSource,
    ) -> Result<NewSourceView, Error> {
        check::name(&new.name, "/name")?;
        let (account, now) = (who.account(), self.inner.clock.now());
        let settings = Settings {
            verification: new.verification,
            event_type: None,
            id: None,
            plugin: None,
        };
        let settings = match new.mapping {
            Some(mapping) => self.mapped(account, settings, mapping).await?,
            None => settings,
        };
        let secret = first_secret(&settings, new.secret)?;
        let sealed = secret.as_ref().map(|secret| {
            let id = SecretId::mint(now);
            Ok::<_, Error>((id, self.seal_source_secret(account, id, secret)?))
        });
        let id = SourceId::mint(now);
        let token = Zeroizing::new(format!(
            "{TOKEN_PREFIX}{}",
            URL_SAFE_NO_PAD.encode(random::bytes::<32>()?)
        ));
        let context = sealing::source_path(account, id);
        let row = store::NewSource {
            source: Source {
                account,
                id,
                name: new.name,
                path_sealed: self.inner.vault.seal(token.as_bytes(), &context)?,
                settings: settings.text()?,
                enabled: new.enabled.unwrap_or(true),
                refused: 0,
                created_at: now,
                updated_at: now,
            },
            path_hash: token_hash(&token),
            secret: sealed.transpose()?,
        };
        match self.inner.store.create_source(&row).await {
            Ok(()) => {}
            Err(error) if error.is_taken() => return Err(name_taken(&row.source.name)),
            Err(error) => return Err(error.into()),
        }
        tracing::info!(account.id = %account, key.id = %who.key(), source.id = %id, "a source was made");
        Ok(NewSourceView {
            source: SourceView {
                path: Some(path(&token)),
                ..self.source_view(row.source)?
            },
            secret: secret.map(|secret| secret.to_string()),
        })
    }

    fn source_view(&self, row: Source) -> Result<SourceView, Error> {
        let settings = Settings::read(&row.settings)?;
        let shown = settings.verification.has_secret();
        let path = shown.then(|| self.source_path(&row)).transpose()?;
        Ok(SourceView {
            id: row.id,
            name: row.name,
            path,
            mapping: settings.mapping()?,
            verification: settings.verification,
            enabled: row.enabled,
            refused: row.refused,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }

    fn source_path(&self, row: &Source) -> Result<String, Error> {
        let context = sealing::source_path(row.account, row.id);
        let token = self.inner.vault.open(&row.path_sealed, &context)?;
        let token = std::str::from_utf8(&token)
            .map_err(|error| Error::unreadable("the source's path", error))?;
        Ok(path(token))
    }

    /// A page of the account's sources.
    pub async fn sources(
        &self,
        who: &Principal<MayRead>,
        page: &PageRequest,
    ) -> Result<Listed<SourceView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let (after, limit) = (page.after()?, page.limit()?);
        let rows = self
            .inner
            .store
            .sources(who.account(), after, limit)
            .await?;
        Listed::try_of(rows, |row| self.source_view(row))
    }

    /// The source with this id.
    pub async fn source(&self, who: &Principal<MayRead>, id: &str) -> Result<SourceView, Error> {
        let row = self.source_row(who.account(), id).await?;
        self.source_view(row)
    }

    pub(super) async fn source_row(&self, account: AccountId, id: &str) -> Result<Source, Error> {
        let id: SourceId = check::id(id, "source")?;
        let found = self.inner.store.source(account, id).await?;
        found.ok_or(Error::NotFound("source"))
    }

    /// Changes a source.
    pub async fn change_source(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        patch: SourcePatch,
    ) -> Result<SourceView, Error> {
        let mut from = self.source_row(who.account(), id).await?;
        let mapping = patch.mapping;
        let settings = |from: &Source| {
            let settings = Settings::read(&from.settings)?;
            same_scheme(settings, patch.verification.clone())
        };
        // Checked once: a mapping is parsed by a thread of its own.
        let mapped = match mapping {
            None => None,
            Some(mapping) => {
                let mapping = mapping.unwrap_or_default();
                Some(
                    self.mapped(who.account(), settings(&from)?, mapping)
                        .await?,
                )
            }
        };
        if let Some(name) = &patch.name {
            check::name(name, "/name")?;
        }
        let mut merges = self.merges(who.account());
        loop {
            let mut to = from.clone();
            let mut after = settings(&from)?;
            if let Some(mapped) = &mapped {
                after.event_type.clone_from(&mapped.event_type);
                after.id.clone_from(&mapped.id);
                after.plugin.clone_from(&mapped.plugin);
            }
            to.settings = after.text()?;
            to.enabled = patch.enabled.unwrap_or(from.enabled);
            if let Some(name) = &patch.name {
                to.name.clone_from(name);
            }
            to.updated_at = self.inner.clock.now();
            let done = self.write_source(&from, to).await;
            if !merges.go_on(&done).await {
                return done;
            }
            from = self.source_row(who.account(), id).await?;
        }
    }

    async fn write_source(&self, from: &Source, to: Source) -> Result<SourceView, Error> {
        match self.inner.store.change_source(from, &to).await {
            Ok(true) => {
                self.forget_doors(to.account).await;
                self.source_view(to)
            }
            Ok(false) => Err(Error::NotFound("source")),
            Err(error) if error.is_taken() => Err(name_taken(&to.name)),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a source. What is sent to it finds nothing any more; its events stay.
    pub async fn delete_source(&self, who: &Principal<MayWrite>, id: &str) -> Result<(), Error> {
        let id: SourceId = check::id(id, "source")?;
        if !self.inner.store.delete_source(who.account(), id).await? {
            return Err(Error::NotFound("source"));
        }
        self.forget_doors(who.account()).await;
        tracing::info!(account.id = %who.account(), key.id = %who.key(), source.id = %id, "a source was removed");
        Ok(())
    }
}

/// The secret that was given, or a new one; none where there is no signature.
fn first_secret(
    settings: &Settings,
    given: Option<String>,
) -> Result<Option<Zeroizing<String>>, Error> {
    let proof = &settings.verification;
    if !proof.has_secret() {
        let why = "with the verification 'none' the URL is the secret: leave this out";
        return given.map_or(Ok(None), |_| Err(Error::field("/secret", why)));
    }
    let secret = match given {
        Some(text) => Zeroizing::new(text),
        None => proof.make_secret(random::bytes()?),
    };
    proof
        .key(&secret)
        .map_err(|error| Error::field("/secret", error))?;
    Ok(Some(secret))
}

/// The settings with another header or tolerance.
fn same_scheme(
    settings: Settings,
    verification: Option<crate::signing::SenderProof>,
) -> Result<Settings, Error> {
    let Some(verification) = verification else {
        return Ok(settings);
    };
    if verification.as_str() != settings.verification.as_str() {
        let why = format!(
            "the verification is '{}' and can't become another scheme: make another source, and remove this \
             one when nothing comes to it any more",
            settings.verification.as_str()
        );
        return Err(Error::field("/verification/scheme", why));
    }
    Ok(Settings {
        verification,
        ..settings
    })
}
