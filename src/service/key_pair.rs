//! The key pairs of an endpoint, whose private halves are never shown: two of a kind at most, of which the oldest
//! signs where there is room for one signature; and what receivers verify with, for everybody.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::principal::{MayAdminister, MayRead, Principal};
use super::vetting::apart;
use super::{Error, Listed, Service, check};
use crate::model::limits::KEY_PAIRS_PER_KIND_MAX;
use crate::model::{AccountId, EndpointId, KeyPairId, Timestamp};
use crate::pipeline::sealing;
use crate::signing::{KeyKind, KeyPair, PublicKey, Scheme};
use crate::store::{self, KeyPairAddition, KeyPairRemoval, KeyPairRow, NewKeyPair};

/// A key pair to be made, or brought along.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyPairRequest {
    /// `rsa`, for the scheme `rsa`, or `ed25519`, for `standard-ed25519`.
    #[schema(example = "rsa")]
    pub kind: String,
    /// A private key of your own: PEM (PKCS#8, of RSA also PKCS#1, 2048 to 4096 bits), of ed25519 also `whsk_` and
    /// base64. If left out, a pair is made (RSA with 2048 bits). It is never shown again.
    pub private_key: Option<String>,
}

/// A key pair, without its private half.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyPairView {
    /// The key pair's id, under which it is published, too.
    #[schema(value_type = String, example = "kp_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: KeyPairId,
    /// `rsa` or `ed25519`.
    pub kind: String,
    /// What receivers verify with: PEM.
    #[schema(example = "-----BEGIN PUBLIC KEY-----\n…\n-----END PUBLIC KEY-----\n")]
    pub public_key: String,
    /// Of ed25519 the same as the libraries of Standard Webhooks take it, `whpk_…`; null of RSA.
    pub standard_public_key: Option<String>,
    /// Whether it signs: of RSA the oldest one, of ed25519 each.
    pub in_use: bool,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// The public keys of an account: a JSON Web Key Set (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
pub struct KeySetView {
    /// Each key as a JSON Web Key; its `kid` is the key pair's id.
    #[schema(value_type = Vec<Object>)]
    pub keys: Vec<Value>,
}

impl Service {
    /// The key pairs of an endpoint, oldest first.
    pub async fn key_pairs(
        &self,
        who: &Principal<MayRead>,
        endpoint: &str,
    ) -> Result<Listed<KeyPairView>, Error> {
        let endpoint = self.endpoint_id(who.account(), endpoint).await?;
        let rows = self.inner.store.key_pairs(who.account(), endpoint).await?;
        Ok(Listed::whole(views(&rows)?))
    }

    /// Makes a key pair of an endpoint, or takes one that was brought along. The older one goes on signing until it
    /// is removed.
    pub async fn create_key_pair(
        &self,
        who: &Principal<MayAdminister>,
        endpoint: &str,
        request: KeyPairRequest,
    ) -> Result<KeyPairView, Error> {
        let account = who.account();
        let endpoint = self.endpoint_id(account, endpoint).await?;
        let kind = KeyKind::from_word(&request.kind).ok_or_else(|| {
            let shown: String = request.kind.chars().take(80).collect();
            let why = format!("there is no kind of key pair '{shown}': take rsa or ed25519");
            Error::field("/kind", why)
        })?;
        let new = match request.private_key {
            Some(text) => {
                let pair = KeyPair::import(kind, &text)
                    .map_err(|error| Error::field("/private_key", error))?;
                self.sealed_pair(account, &pair)?
            }
            None => self.made_pair(account, kind).await?,
        };
        let id = new.id;
        let added = self.inner.store.add_key_pair(account, endpoint, &new);
        let added = added.await?;
        if added == KeyPairAddition::NoEndpoint {
            return Err(Error::NotFound("endpoint"));
        }
        if added == KeyPairAddition::Enough {
            return Err(Error::Conflict {
                code: "too_many_key_pairs",
                why: format!(
                    "this endpoint has {KEY_PAIRS_PER_KIND_MAX} key pairs of the kind {}, the most there may be: \
                     remove one before",
                    kind.as_str()
                ),
            });
        }
        tracing::info!(account.id = %account, key.id = %who.key(), endpoint.id = %endpoint, pair.id = %id, "a key pair was made");
        let rows = self.inner.store.key_pairs(account, endpoint).await?;
        let mut known = views(&rows)?.into_iter();
        known
            .find(|view| view.id == id)
            .ok_or(Error::NotFound("key pair"))
    }

    /// Removes a key pair of an endpoint, unless it is the only one of its kind. If it was the oldest, the other one
    /// signs from now on.
    pub async fn delete_key_pair(
        &self,
        who: &Principal<MayAdminister>,
        endpoint: &str,
        id: &str,
    ) -> Result<(), Error> {
        let account = who.account();
        let endpoint = self.endpoint_id(account, endpoint).await?;
        let id: KeyPairId = check::id(id, "key pair")?;
        let removed = self.inner.store.remove_key_pair(account, endpoint, id);
        match removed.await? {
            KeyPairRemoval::Done => {
                tracing::info!(account.id = %account, key.id = %who.key(), endpoint.id = %endpoint, pair.id = %id, "a key pair was removed");
                Ok(())
            }
            KeyPairRemoval::Unknown => Err(Error::NotFound("key pair")),
            KeyPairRemoval::Only => Err(Error::Conflict {
                code: "only_key_pair",
                why: "this is the endpoint's only key pair of its kind: make another one before"
                    .to_owned(),
            }),
        }
    }

    /// The public keys of all of an account's endpoints, for whoever verifies.
    pub async fn key_set(&self, account: &str) -> Result<KeySetView, Error> {
        let account: AccountId = check::id(account, "account")?;
        self.account_row(account).await?;
        let _turn = self.key_set_turn(account).await?;
        let rows = self.inner.store.key_pairs_of_account(account).await?;
        let keys = rows.iter().map(|row| {
            let jwk = public_of(row)?.jwk(&row.id.to_string());
            jwk.map_err(|error| Error::unreadable("the key pair", error))
        });
        Ok(KeySetView {
            keys: keys.collect::<Result<_, _>>()?,
        })
    }

    /// The key pairs that an endpoint needs for these schemes and has not, made but not kept yet: that takes its
    /// time, which no transaction waits for.
    pub(super) async fn missing_pairs(
        &self,
        (account, endpoint): (AccountId, EndpointId),
        schemes: &[Scheme],
    ) -> Result<Vec<NewKeyPair>, Error> {
        let wanted = kinds(schemes);
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.inner.store.key_pairs(account, endpoint).await?;
        let mut made = Vec::new();
        for kind in wanted {
            if !known.iter().any(|row| row.kind == kind.as_str()) {
                made.push(self.made_pair(account, kind).await?);
            }
        }
        Ok(made)
    }

    /// Keeps key pairs that were missing. Where somebody else has made two of a kind meanwhile, there is one, which
    /// is what was wanted.
    pub(super) async fn keep_pairs(
        &self,
        (account, endpoint): (AccountId, EndpointId),
        made: &[NewKeyPair],
    ) -> Result<(), Error> {
        for pair in made {
            self.inner
                .store
                .add_key_pair(account, endpoint, pair)
                .await?;
        }
        Ok(())
    }

    async fn made_pair(&self, account: AccountId, kind: KeyKind) -> Result<NewKeyPair, Error> {
        let _turn = self.key_pair_turn(account).await?;
        let pair = apart(move || KeyPair::generate(kind)).await?;
        let pair = pair.map_err(|error| Error::unreadable("a new key pair", error))?;
        self.sealed_pair(account, &pair)
    }

    fn sealed_pair(&self, account: AccountId, pair: &KeyPair) -> Result<NewKeyPair, Error> {
        let unreadable = |error| Error::unreadable("the key pair", error);
        let now = self.inner.clock.now();
        let id = KeyPairId::mint(now);
        let (private, public) = (
            pair.private().map_err(unreadable)?,
            pair.public().map_err(unreadable)?,
        );
        let context = sealing::key_pair(account, id);
        Ok(NewKeyPair {
            id,
            kind: pair.kind().as_str(),
            sealed: self.inner.vault.seal(&private, &context)?.into(),
            public: public.der().to_vec().into(),
            created_at: now,
        })
    }
}

/// The kinds of key pairs that the schemes need, each once.
fn kinds(schemes: &[Scheme]) -> Vec<KeyKind> {
    let needed = |kind: &&KeyKind| {
        let mut needs = schemes.iter().filter_map(Scheme::needs_key_pair);
        needs.any(|needs| needs == **kind)
    };
    KeyKind::ALL.iter().filter(needed).copied().collect()
}

fn public_of(row: &KeyPairRow) -> Result<PublicKey, Error> {
    let unreadable = |error| Error::unreadable("the key pair", error);
    let kind = KeyKind::from_word(&row.kind)
        .ok_or_else(|| unreadable(crate::signing::Error::PublicKey("unknown")))?;
    PublicKey::stored(kind, &row.public).map_err(unreadable)
}

/// The rows, oldest first, as they are shown.
fn views(rows: &[KeyPairRow]) -> Result<Vec<KeyPairView>, Error> {
    let mut rsa_signs = false;
    let view = |row: &store::KeyPairRow| {
        let public = public_of(row)?;
        let in_use = match public.kind() {
            KeyKind::Rsa => !std::mem::replace(&mut rsa_signs, true),
            KeyKind::Ed25519 => true,
        };
        Ok(KeyPairView {
            id: row.id,
            kind: row.kind.clone(),
            public_key: public.pem(),
            standard_public_key: public.standard_text(),
            in_use,
            created_at: row.created_at,
        })
    };
    rows.iter().map(view).collect()
}
