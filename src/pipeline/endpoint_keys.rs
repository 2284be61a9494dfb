//! The keys that sign an endpoint's deliveries, opened: the account's, secrets and key pairs of its own.
//!
//! A key that can't be opened is not passed over: the receiver may know no other.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use zeroize::Zeroizing;

use super::sealing;
use crate::model::{AccountId, EndpointId, Timestamp};
use crate::signing::{
    AccountKey, KeyKind, KeyPair, KeyPairs, Keys, OwnKeys, OwnSecret, Scheme, SigningKeys,
    SignsWith,
};
use crate::store;
use crate::vault::Vault;

/// A key, or why it can't be opened.
type Key<K> = Result<K, String>;

/// A key pair. It is read when it first signs: of an RSA one, that takes its time.
type Pair = LazyLock<Key<KeyPair>, Box<dyn FnOnce() -> Key<KeyPair> + Send>>;

/// A secret's keys, and the moment at which they stop signing.
type Secret = (Key<OwnKeys>, Option<Timestamp>);

/// The keys of one endpoint.
#[derive(Debug)]
pub(super) struct EndpointKeys {
    account: AccountKeys,
    secrets: Vec<Secret>,
    pairs: Vec<(KeyKind, Arc<Pair>)>,
}

impl EndpointKeys {
    /// What signs under this scheme now, the oldest first; or why nothing does.
    pub(super) fn of(&self, scheme: &Scheme, now: Timestamp) -> Result<Keys, String> {
        match scheme.signs_with() {
            SignsWith::AccountKey => self.account.at(now).map(Keys::Shared),
            SignsWith::OwnSecret => self.secrets_of(scheme, now),
            SignsWith::KeyPair(kind) => {
                let pairs = self.pairs.iter().filter(|(of, _)| *of == kind);
                let opened = pairs.map(|(_, pair)| (***pair).clone());
                let pairs = KeyPairs::new(opened.collect::<Key<_>>()?);
                pairs.map(Keys::Pairs).map_err(|error| error.to_string())
            }
        }
    }

    fn secrets_of(&self, scheme: &Scheme, now: Timestamp) -> Result<Keys, String> {
        let live = self
            .secrets
            .iter()
            .filter(|(_, expires_at)| expires_at.is_none_or(|at| at > now))
            .map(|(keys, _)| {
                let key = keys.as_ref().map_err(Clone::clone)?.of(scheme);
                key.cloned().map_err(|error| error.to_string())
            })
            .collect::<Key<Vec<_>>>()?;
        if live.is_empty() && !scheme.needs_own_secret() {
            return Ok(Keys::None);
        }
        let keys = SigningKeys::new(live).map_err(|error| error.to_string())?;
        Ok(Keys::Shared(keys))
    }
}

/// The account's key, and the one that it is rotated to. The one header that it signs in has room for one.
#[derive(Debug, Clone)]
struct AccountKeys {
    first: Key<SigningKeys>,
    next: Option<(Timestamp, Key<SigningKeys>)>,
}

impl AccountKeys {
    fn at(&self, now: Timestamp) -> Key<SigningKeys> {
        match &self.next {
            Some((from, next)) if *from <= now => next.clone(),
            Some(_) | None => self.first.clone(),
        }
    }
}

/// The keys of all endpoints of an account.
pub(super) struct OpenedKeys {
    account: AccountKeys,
    secrets: HashMap<EndpointId, Vec<Secret>>,
    pairs: HashMap<EndpointId, Vec<(KeyKind, Arc<Pair>)>>,
}

impl OpenedKeys {
    /// Opens what is stored; what can't be opened is logged.
    pub(super) fn open(rows: &store::SnapshotRows, vault: &Vault) -> Self {
        let account = rows.account.id;
        let mut keys = Self {
            account: open_account_keys(&rows.account, vault),
            secrets: HashMap::new(),
            pairs: HashMap::new(),
        };
        for row in &rows.secrets {
            let key = open_secret(account, row, vault);
            if let Err(why) = &key {
                tracing::error!(endpoint.id = %row.endpoint, why, "a signing secret can't be opened");
            }
            let known = keys.secrets.entry(row.endpoint).or_default();
            known.push((key, row.expires_at));
        }
        for row in &rows.key_pairs {
            let Some(kind) = KeyKind::from_word(&row.kind) else {
                tracing::error!(endpoint.id = %row.endpoint, kind = row.kind, "a key pair is of a kind that this server does not know");
                continue;
            };
            let private = open_private(account, row, vault);
            if let Err(why) = &private {
                tracing::error!(endpoint.id = %row.endpoint, why, "a key pair can't be opened");
            }
            let known = keys.pairs.entry(row.endpoint).or_default();
            known.push((kind, Arc::new(read_later(kind, private))));
        }
        keys
    }

    /// Those of one endpoint, which are asked for once.
    pub(super) fn take(&mut self, endpoint: EndpointId) -> EndpointKeys {
        EndpointKeys {
            account: self.account.clone(),
            secrets: self.secrets.remove(&endpoint).unwrap_or_default(),
            pairs: self.pairs.remove(&endpoint).unwrap_or_default(),
        }
    }
}

fn read_later(kind: KeyKind, private: Key<Zeroizing<Vec<u8>>>) -> Pair {
    LazyLock::new(Box::new(move || {
        KeyPair::stored(kind, &private?).map_err(|error| error.to_string())
    }))
}

fn open_private(
    account: AccountId,
    row: &store::KeyPairRow,
    vault: &Vault,
) -> Key<Zeroizing<Vec<u8>>> {
    let context = sealing::key_pair(account, row.id);
    let opened = vault.open(&row.sealed, &context);
    opened.map_err(|error| error.to_string())
}

fn open_account_keys(account: &store::Account, vault: &Vault) -> AccountKeys {
    let open = |sealed: &[u8]| {
        let key = open_account_key(account.id, sealed, vault);
        if let Err(why) = &key {
            tracing::error!(account.id = %account.id, why, "the account's signing key can't be opened");
        }
        key
    };
    AccountKeys {
        first: open(&account.signing_key),
        next: (account.next_key_from)
            .zip(account.next_signing_key.as_deref())
            .map(|(from, sealed)| (from, open(sealed))),
    }
}

fn open_account_key(account: AccountId, sealed: &[u8], vault: &Vault) -> Key<SigningKeys> {
    let plain = vault
        .open(sealed, &sealing::account_key(account))
        .map_err(|error| error.to_string())?;
    let text = std::str::from_utf8(&plain).map_err(|error| error.to_string())?;
    let key = AccountKey::parse(text).map_err(|error| error.to_string())?;
    Ok(SigningKeys::from(key.signing_key()))
}

fn open_secret(account: AccountId, row: &store::EndpointSecret, vault: &Vault) -> Key<OwnKeys> {
    let context = sealing::endpoint_secret(account, row.id);
    let plain = vault
        .open(&row.sealed, &context)
        .map_err(|error| error.to_string())?;
    let text = std::str::from_utf8(&plain).map_err(|error| error.to_string())?;
    let secret = OwnSecret::stored(text).map_err(|error| error.to_string())?;
    Ok(secret.keys())
}
