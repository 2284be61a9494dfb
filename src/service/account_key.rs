//! The signing key of an account: revealed to those who may, and rotated. The one header that it signs in has room for
//! one signature, so the old key signs until the overlap ends, or is ended.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::principal::{MayAdminister, Principal};
use super::secret::checked_overlap;
use super::{Error, Service};
use crate::model::{AccountId, Timestamp};
use crate::pipeline::sealing;
use crate::signing::AccountKey;
use crate::store;
use crate::vault::random;

/// The key that signs deliveries of the scheme `body-hmac`.
#[derive(Serialize, ToSchema)]
pub struct SigningKeyView {
    /// The key that signs now; its text itself is the HMAC key.
    #[schema(example = "tbk_…")]
    pub signing_key: String,
    /// The key that it is rotated to; null, if it is not.
    pub next_signing_key: Option<String>,
    /// From when on that one signs, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_from: Option<Timestamp>,
}

/// How the account's signing key is rotated.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SigningKeyRotation {
    /// For how many seconds the old key goes on signing, 0 to 2592000; 86400 (a day), if left out.
    pub overlap_s: Option<i64>,
    /// The new key: `tbk_` and 16 to 128 lowercase hexadecimal digits; one is made, if left out.
    pub signing_key: Option<String>,
}

impl Service {
    /// The signing key of the principal's own account, in the clear.
    pub async fn reveal_signing_key(
        &self,
        who: &Principal<MayAdminister>,
    ) -> Result<SigningKeyView, Error> {
        let row = self.account_row(who.account()).await?;
        let view = self.signing_key_view(&row)?;
        tracing::info!(account.id = %row.id, key.id = %who.key(), "the account's signing key was revealed");
        Ok(view)
    }

    /// Has another key sign, once the overlap has ended.
    pub async fn rotate_signing_key(
        &self,
        who: &Principal<MayAdminister>,
        rotation: SigningKeyRotation,
    ) -> Result<SigningKeyView, Error> {
        let account = who.account();
        let overlap_s = checked_overlap(rotation.overlap_s)?;
        let key = match &rotation.signing_key {
            Some(text) => {
                AccountKey::parse(text).map_err(|error| Error::field("/signing_key", error))?
            }
            None => AccountKey::from_random(random::bytes()?),
        };
        let sealed = self.seal_account_key(account, &key)?;
        let now = self.inner.clock.now();
        let when = (now, now.plus_ms(overlap_s * 1000));
        let rotated = self.inner.store.rotate_account_key(account, &sealed, when);
        if !rotated.await? {
            return Err(Error::Conflict {
                code: "rotation_under_way",
                why: "the old key of a rotation still signs: end that overlap, or wait for its end, before".to_owned(),
            });
        }
        tracing::info!(account.id = %account, key.id = %who.key(), "the account's signing key was rotated");
        self.signing_key_view(&self.account_row(account).await?)
    }

    /// Ends the overlap of a rotation: the new key signs from now on. Without one, nothing changes.
    pub async fn end_signing_key_overlap(
        &self,
        who: &Principal<MayAdminister>,
    ) -> Result<SigningKeyView, Error> {
        let account = who.account();
        let now = self.inner.clock.now();
        let ended = self.inner.store.end_account_key_overlap(account, now);
        if ended.await? {
            tracing::info!(account.id = %account, key.id = %who.key(), "the overlap of the account's signing keys was ended");
        }
        self.signing_key_view(&self.account_row(account).await?)
    }

    /// The key as the store keeps it.
    pub(super) fn seal_account_key(
        &self,
        account: AccountId,
        key: &AccountKey,
    ) -> Result<Bytes, Error> {
        let context = sealing::account_key(account);
        Ok(self
            .inner
            .vault
            .seal(key.text().as_bytes(), &context)?
            .into())
    }

    /// The key that signs now.
    pub(super) async fn account_key_now(&self, account: AccountId) -> Result<String, Error> {
        let row = self.account_row(account).await?;
        Ok(self.signing_key_view(&row)?.signing_key)
    }

    fn signing_key_view(&self, row: &store::Account) -> Result<SigningKeyView, Error> {
        let opened = |sealed: &[u8]| {
            let plain = self
                .inner
                .vault
                .open(sealed, &sealing::account_key(row.id))?;
            let text = std::str::from_utf8(&plain);
            text.map(str::to_owned)
                .map_err(|error| Error::unreadable("the signing key", error))
        };
        let now = self.inner.clock.now();
        let next = row.next_key_from.zip(row.next_signing_key.as_deref());
        Ok(match next {
            Some((from, sealed)) if from <= now => SigningKeyView {
                signing_key: opened(sealed)?,
                next_signing_key: None,
                next_from: None,
            },
            next => SigningKeyView {
                signing_key: opened(&row.signing_key)?,
                next_signing_key: next.map(|(_, sealed)| opened(sealed)).transpose()?,
                next_from: next.map(|(from, _)| from),
            },
        })
    }
}
