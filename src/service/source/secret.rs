//! The secrets that senders sign with: listed without their values, rotated with an overlap. They are shown
//! once, when they are made.

use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::shape::Settings;
use crate::model::limits::SECRETS_PER_SOURCE_MAX;
use crate::model::{AccountId, SecretId};
use crate::pipeline::sealing;
use crate::service::principal::{MayAdminister, Principal};
use crate::service::secret::{OVERLAP_S_DEFAULT, OVERLAP_S_MAX, SecretView, WholeSecretView};
use crate::service::{Error, Listed, Service};
use crate::store::SourceSecret;
use crate::vault::random;

/// How the secret of a source is rotated.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceRotation {
    /// For how many seconds what is signed with the old secrets is taken, too, 0 to 2592000; 86400 (a day), if
    /// left out.
    pub overlap_s: Option<i64>,
    /// The new secret, as the sender shows it: of `standard` `whsec_` and base64, else 1 to 512 bytes. One is made,
    /// if left out.
    pub secret: Option<String>,
}

impl Service {
    /// The secrets of a source, oldest first, those that have expired left out.
    pub async fn source_secrets(
        &self,
        who: &Principal<MayAdminister>,
        source: &str,
    ) -> Result<Listed<SecretView>, Error> {
        let row = self.source_row(who.account(), source).await?;
        let live = self.live_secrets(who.account(), &row).await?;
        let view = |row: SourceSecret| SecretView {
            id: row.id,
            created_at: row.created_at,
            expires_at: row.expires_at,
        };
        Ok(Listed::whole(live.into_iter().map(view).collect()))
    }

    async fn live_secrets(
        &self,
        account: AccountId,
        row: &crate::store::Source,
    ) -> Result<Vec<SourceSecret>, Error> {
        let now = self.inner.clock.now();
        let mut rows = self.inner.store.source_secrets(account, row.id).await?;
        rows.retain(|row| row.expires_at.is_none_or(|at| at > now));
        Ok(rows)
    }

    /// Gives a source a new secret; the old ones are good until the overlap ends.
    pub async fn rotate_source_secret(
        &self,
        who: &Principal<MayAdminister>,
        source: &str,
        rotation: SourceRotation,
    ) -> Result<WholeSecretView, Error> {
        let account = who.account();
        let row = self.source_row(account, source).await?;
        let proof = Settings::read(&row.settings)?.verification;
        if !proof.has_secret() {
            return Err(Error::Conflict {
                code: "no_secret",
                why: "this source's URL is its secret: make another source, and remove this one when nothing \
                      comes to it any more"
                    .to_owned(),
            });
        }
        let overlap_s = rotation.overlap_s.unwrap_or(OVERLAP_S_DEFAULT);
        if !(0..=OVERLAP_S_MAX).contains(&overlap_s) {
            let why = format!("overlap_s is {overlap_s}: it must be 0 to {OVERLAP_S_MAX}");
            return Err(Error::field("/overlap_s", why));
        }
        let secret = match rotation.secret {
            Some(text) => Zeroizing::new(text),
            None => proof.make_secret(random::bytes()?),
        };
        proof
            .key(&secret)
            .map_err(|error| Error::field("/secret", error))?;
        let live = self.live_secrets(account, &row).await?.len();
        if overlap_s > 0 && live >= SECRETS_PER_SOURCE_MAX {
            return Err(Error::Conflict {
                code: "too_many_secrets",
                why: format!(
                    "{live} secrets of this source are good at the moment, the most there may be: wait until one \
                     expires, or rotate with overlap_s 0"
                ),
            });
        }
        let now = self.inner.clock.now();
        let id = SecretId::mint(now);
        let sealed = self.seal_source_secret(account, id, &secret)?;
        let until = now.plus_ms(overlap_s * 1000);
        let store = &self.inner.store;
        store
            .rotate_source_secret(account, row.id, (id, sealed, now), until)
            .await?;
        self.forget_doors(account).await;
        tracing::info!(account.id = %account, key.id = %who.key(), source.id = %row.id, secret.id = %id, "a source's secret was rotated");
        Ok(WholeSecretView {
            id,
            secret: secret.to_string(),
        })
    }

    /// The secret as the store keeps it.
    pub(in crate::service) fn seal_source_secret(
        &self,
        account: AccountId,
        id: SecretId,
        secret: &str,
    ) -> Result<bytes::Bytes, Error> {
        let context = sealing::source_secret(account, id);
        Ok(self.inner.vault.seal(secret.as_bytes(), &context)?.into())
    }
}
