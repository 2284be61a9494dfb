//! The signing secrets of an endpoint: listed without their values, rotated with an overlap,
//! revealed to those who may.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint_shape::stored_settings;
use super::principal::{MayAdminister, Principal};
use super::{Error, Listed, Service, check};
use crate::model::limits::SECRETS_PER_ENDPOINT_MAX;
use crate::model::{AccountId, EndpointId, SecretId, Timestamp};
use crate::pipeline::sealing;
use crate::signing::OwnSecret;
use crate::store;
use crate::vault::random;

/// How long an old secret goes on signing when nothing is said.
pub(super) const OVERLAP_S_DEFAULT: i64 = 24 * 60 * 60;
/// Longest overlap.
pub(super) const OVERLAP_S_MAX: i64 = 30 * 24 * 60 * 60;

/// How a secret is rotated.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// For how many seconds the old secrets go on signing beside the new one, 0 to 2592000; 86400 (a day), if
    /// left out.
    pub overlap_s: Option<i64>,
    /// The new secret: `whsec_` and base64, or, if the endpoint does not sign by `standard`, any text of 1 to 512
    /// bytes; one is made, if left out.
    pub secret: Option<String>,
}

/// A secret, without its value.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecretView {
    /// The secret's id.
    #[schema(value_type = String, example = "sec_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: SecretId,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it stops signing, RFC 3339; null, if it was not rotated out.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// A secret with its value.
#[derive(Serialize, ToSchema)]
pub struct WholeSecretView {
    /// The secret's id.
    #[schema(value_type = String, example = "sec_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: SecretId,
    /// The secret itself: of an endpoint `whsec_` and the base64 of the key, or the text that was given.
    #[schema(example = "whsec_…")]
    pub secret: String,
}

impl Service {
    /// The secrets of an endpoint, oldest first, those that have expired left out.
    pub async fn secrets(
        &self,
        who: &Principal<MayAdminister>,
        endpoint: &str,
    ) -> Result<Listed<SecretView>, Error> {
        let endpoint = self.endpoint_id(who.account(), endpoint).await?;
        let now = self.inner.clock.now();
        let rows = self
            .inner
            .store
            .endpoint_secrets(who.account(), endpoint)
            .await?;
        let live = rows
            .into_iter()
            .filter(|row| row.expires_at.is_none_or(|at| at > now));
        let view = |row: store::EndpointSecret| SecretView {
            id: row.id,
            created_at: row.created_at,
            expires_at: row.expires_at,
        };
        Ok(Listed::whole(live.map(view).collect()))
    }

    /// Makes a new secret of an endpoint; the old ones sign until the overlap ends.
    pub async fn rotate_secret(
        &self,
        who: &Principal<MayAdminister>,
        endpoint: &str,
        rotation: Rotation,
    ) -> Result<WholeSecretView, Error> {
        let id = check::id(endpoint, "endpoint")?;
        let row = self.endpoint_row(who.account(), id).await?;
        let endpoint = row.id;
        let overlap_s = checked_overlap(rotation.overlap_s)?;
        let secret = match &rotation.secret {
            Some(text) => {
                let schemes = stored_settings(&row)?.signatures;
                OwnSecret::parse(text, &schemes).map_err(|error| Error::field("/secret", error))?
            }
            None => OwnSecret::from_random(random::bytes()?),
        };
        let now = self.inner.clock.now();
        if overlap_s > 0 {
            let known = self
                .inner
                .store
                .endpoint_secrets(who.account(), endpoint)
                .await?;
            let live = known
                .iter()
                .filter(|row| row.expires_at.is_none_or(|at| at > now))
                .count();
            if live >= SECRETS_PER_ENDPOINT_MAX {
                return Err(Error::Conflict {
                    code: "too_many_secrets",
                    why: format!(
                        "{live} secrets of this endpoint sign at the moment, the most there may be: wait \
                         until one expires, or rotate with overlap_s 0"
                    ),
                });
            }
        }
        let id = SecretId::mint(now);
        self.add_secret(
            (who.account(), endpoint, id),
            &secret,
            now.plus_ms(overlap_s * 1000),
        )
        .await?;
        tracing::info!(account.id = %who.account(), key.id = %who.key(), endpoint.id = %endpoint, secret.id = %id, "a signing secret was rotated");
        Ok(WholeSecretView {
            id,
            secret: secret.text().to_string(),
        })
    }

    /// Ends the overlap of a rotation: only the newest secret signs from now on. Without one, nothing changes.
    pub async fn end_secret_overlap(
        &self,
        who: &Principal<MayAdminister>,
        endpoint: &str,
    ) -> Result<Listed<SecretView>, Error> {
        let id = self.endpoint_id(who.account(), endpoint).await?;
        let now = self.inner.clock.now();
        let ended = self.inner.store.end_secret_overlap(who.account(), id, now);
        if ended.await? > 0 {
            tracing::info!(account.id = %who.account(), key.id = %who.key(), endpoint.id = %id, "the overlap of signing secrets was ended");
        }
        self.secrets(who, endpoint).await
    }

    /// One secret of an endpoint with its value.
    pub async fn reveal_secret(
        &self,
        who: &Principal<MayAdminister>,
        endpoint: &str,
        id: &str,
    ) -> Result<WholeSecretView, Error> {
        let endpoint = self.endpoint_id(who.account(), endpoint).await?;
        let id: SecretId = check::id(id, "secret")?;
        let rows = self
            .inner
            .store
            .endpoint_secrets(who.account(), endpoint)
            .await?;
        let row = rows
            .into_iter()
            .find(|row| row.id == id)
            .ok_or(Error::NotFound("secret"))?;
        let secret = self.opened_secret(who.account(), &row)?;
        tracing::info!(account.id = %who.account(), key.id = %who.key(), endpoint.id = %endpoint, secret.id = %id, "a signing secret was revealed");
        Ok(WholeSecretView {
            id,
            secret: secret.text().to_string(),
        })
    }

    /// Adds a secret; all others stop signing at `others_expire_at`.
    pub(super) async fn add_secret(
        &self,
        which: (AccountId, EndpointId, SecretId),
        secret: &OwnSecret,
        others_expire_at: Timestamp,
    ) -> Result<(), Error> {
        let (account, endpoint, id) = which;
        let sealed = self.seal_secret(account, id, secret)?;
        let now = self.inner.clock.now();
        self.inner
            .store
            .rotate_secret(account, endpoint, (id, sealed, now), others_expire_at)
            .await?;
        Ok(())
    }

    /// The secret as the store keeps it.
    pub(super) fn seal_secret(
        &self,
        account: AccountId,
        id: SecretId,
        secret: &OwnSecret,
    ) -> Result<bytes::Bytes, Error> {
        let context = sealing::endpoint_secret(account, id);
        Ok(self
            .inner
            .vault
            .seal(secret.text().as_bytes(), &context)?
            .into())
    }

    /// A stored secret, opened.
    pub(super) fn opened_secret(
        &self,
        account: AccountId,
        row: &store::EndpointSecret,
    ) -> Result<OwnSecret, Error> {
        let context = sealing::endpoint_secret(account, row.id);
        let plain = self.inner.vault.open(&row.sealed, &context)?;
        let text =
            std::str::from_utf8(&plain).map_err(|error| Error::unreadable("the secret", error))?;
        OwnSecret::stored(text).map_err(|error| Error::unreadable("the secret", error))
    }

    pub(super) async fn endpoint_id(
        &self,
        account: AccountId,
        id: &str,
    ) -> Result<EndpointId, Error> {
        let id = check::id(id, "endpoint")?;
        Ok(self.endpoint_row(account, id).await?.id)
    }
}

/// For how many seconds what is rotated out goes on signing.
pub(super) fn checked_overlap(asked_s: Option<i64>) -> Result<i64, Error> {
    let overlap_s = asked_s.unwrap_or(OVERLAP_S_DEFAULT);
    if (0..=OVERLAP_S_MAX).contains(&overlap_s) {
        return Ok(overlap_s);
    }
    let why = format!("overlap_s is {overlap_s}: it must be 0 to {OVERLAP_S_MAX}");
    Err(Error::field("/overlap_s", why))
}
