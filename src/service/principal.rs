//! Who asks, and what they may: keys, scopes and rights.
//!
//! | scope | may |
//! | --- | --- |
//! | `send` | send events |
//! | `read` | read everything but secrets |
//! | `author` | both, and write everything but keys, secrets and the account itself |
//! | `admin` | everything in the account |
//!
//! An operator key may everything everywhere, for the account that it names. Keys are looked up
//! once and then known for a few seconds; a key that is revoked on this node is forgotten at once.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Error, Service};
use crate::model::{AccountId, ApiKeyId, words};
use crate::store::Author;
use crate::vault::ApiKeyHash;

/// How long a key is taken for what it was: as long may a revocation on another node be unknown here.
const KNOWN_FOR: Duration = Duration::from_secs(10);
/// How long a revoked key is remembered: longer than any look-up under way.
const REVOKED_FOR: Duration = Duration::from_mins(10);
/// Most keys and most accounts' names that are known at a time.
const KNOWN_MAX: u64 = 50_000;
/// The name of the operator key that exists from the start.
pub(super) const BOOTSTRAP: &str = "bootstrap";
/// The uid of the account that exists when there is a bootstrap key and no other account.
pub(super) const DEFAULT_ACCOUNT: &str = "default";

/// What a key of an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everything in the account.
    Admin,
    /// Everything but keys, secrets and the account itself.
    Author,
    /// Send events.
    Send,
    /// Read everything but secrets.
    Read,
}

words!(Scope {
    Admin = "admin",
    Author = "author",
    Send = "send",
    Read = "read",
});

impl Scope {
    /// The scopes of a stored key.
    pub(super) fn from_words(words: &str) -> Vec<Self> {
        Self::ALL
            .iter()
            .copied()
            .filter(|scope| words.split(' ').any(|word| word == scope.as_str()))
            .collect()
    }
}

/// What is known of a key.
#[derive(Debug)]
struct KnownKey {
    author: Arc<Author>,
    account: Option<AccountId>,
    scopes: Arc<[Scope]>,
    bootstrap: bool,
    revoked: AtomicBool,
}

/// Keys and accounts that were looked up lately.
pub(super) struct Known {
    keys: Cache<[u8; 32], Arc<KnownKey>>,
    accounts: Cache<String, AccountId>,
    /// Asked when a look-up ends that may have begun before.
    revoked: Cache<ApiKeyId, ()>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            keys: Cache::builder()
                .max_capacity(KNOWN_MAX)
                .time_to_live(KNOWN_FOR)
                .build(),
            accounts: Cache::builder()
                .max_capacity(KNOWN_MAX)
                .time_to_live(KNOWN_FOR)
                .build(),
            revoked: Cache::builder()
                .max_capacity(KNOWN_MAX)
                .time_to_live(REVOKED_FOR)
                .build(),
        }
    }
}

impl Known {
    /// From now on this node takes the key for revoked, also where its look-up is under way.
    pub(super) fn revoke(&self, key: ApiKeyId) {
        self.revoked.insert(key, ());
        for (_, known) in &self.keys {
            if known.author.key == key {
                known.revoked.store(true, Ordering::SeqCst);
            }
        }
    }

    /// Keeps what a look-up has found, and says whether it still holds.
    fn keep(&self, hash: [u8; 32], key: &Arc<KnownKey>) -> bool {
        // First kept, then asked: whoever revokes it meanwhile finds it here.
        self.keys.insert(hash, key.clone());
        !self.revoked.contains_key(&key.author.key)
    }
}

/// Whose key was sent. It has no right by itself: see [`Identity::grant`].
#[derive(Debug, Clone)]
pub struct Identity {
    author: Arc<Author>,
    standing: Standing,
}

#[derive(Debug, Clone)]
enum Standing {
    Operator(Option<AccountId>),
    Account(AccountId, Arc<[Scope]>),
}

impl Identity {
    /// Which key was sent.
    pub fn key(&self) -> ApiKeyId {
        self.author.key
    }

    /// The account that it acts for; the nil id for an operator's that names none.
    pub fn account(&self) -> AccountId {
        match &self.standing {
            Standing::Operator(account) => account.unwrap_or(NO_ACCOUNT),
            Standing::Account(account, _) => *account,
        }
    }

    /// The proof that it has the right `R`.
    pub fn grant<R: Right>(&self) -> Result<Principal<R>, Error> {
        let account = R::grant(self)?;
        Ok(Principal {
            account,
            author: self.author.clone(),
            right: PhantomData,
        })
    }

    /// Whether it may change anything at all. What exactly, each right says.
    pub fn may_write(&self) -> bool {
        self.grant::<MayWrite>().is_ok() || matches!(self.standing, Standing::Operator(_))
    }

    fn with_scope(&self, wanted: &[Scope], needs: &'static str) -> Result<AccountId, Error> {
        match &self.standing {
            Standing::Operator(account) => account.ok_or(Error::AccountNotNamed),
            Standing::Account(account, scopes)
                if wanted.iter().any(|scope| scopes.contains(scope)) =>
            {
                Ok(*account)
            }
            Standing::Account(..) => Err(Error::Forbidden { needs }),
        }
    }
}

/// The id under which the operator's own things are kept.
pub(super) const NO_ACCOUNT: AccountId = AccountId::from_uuid(uuid::Uuid::nil());

/// Somebody with the right `R` in an account.
#[derive(Debug)]
pub struct Principal<R> {
    account: AccountId,
    author: Arc<Author>,
    right: PhantomData<fn() -> R>,
}

impl<R> Principal<R> {
    /// The account that they act for.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Which key they have sent.
    pub fn key(&self) -> ApiKeyId {
        self.author.key
    }

    /// What is written down of them beside what they do.
    pub(super) fn author(&self) -> Author {
        (*self.author).clone()
    }
}

/// A right, and who has it.
pub trait Right {
    /// The account in which the identity has the right.
    fn grant(identity: &Identity) -> Result<AccountId, Error>;
}

macro_rules! rights {
    ($($(#[$doc:meta])* $right:ident = $scopes:expr, $needs:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $right {}

        impl Right for $right {
            fn grant(identity: &Identity) -> Result<AccountId, Error> {
                identity.with_scope(&$scopes, $needs)
            }
        }
    )*};
}

rights! {
    /// To send events.
    MaySend = [Scope::Admin, Scope::Author, Scope::Send], "send, author or admin";
    /// To read everything but secrets.
    MayRead = [Scope::Admin, Scope::Author, Scope::Read], "read, author or admin";
    /// To write everything but keys, secrets and the account.
    MayWrite = [Scope::Admin, Scope::Author], "author or admin";
    /// To see secrets, and to write keys, secrets and the account.
    MayAdminister = [Scope::Admin], "admin";
}

/// To do what concerns the whole installation.
#[derive(Debug)]
pub enum MayOperate {}

impl Right for MayOperate {
    fn grant(identity: &Identity) -> Result<AccountId, Error> {
        match identity.standing {
            Standing::Operator(_) => Ok(NO_ACCOUNT),
            Standing::Account(..) => Err(Error::Forbidden { needs: "operator" }),
        }
    }
}

macro_rules! catalogue_rights {
    ($($(#[$doc:meta])* $right:ident = $within:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $right {}

        impl Right for $right {
            fn grant(identity: &Identity) -> Result<AccountId, Error> {
                match identity.standing {
                    Standing::Operator(None) => Ok(NO_ACCOUNT),
                    _ => $within::grant(identity),
                }
            }
        }
    )*};
}

catalogue_rights! {
    /// To read event types: an account's, or an operator's that names none the installation's.
    MayReadCatalogue = MayRead;
    /// To write event types: an account's, or an operator's that names none the installation's.
    MayWriteCatalogue = MayWrite;
}

impl Service {
    /// Who sent this key (the text after `Bearer `), and for which account by id or uid.
    pub async fn authenticate(
        &self,
        key: Option<&str>,
        account: Option<&str>,
    ) -> Result<Identity, Error> {
        let known = self.known_key(key.ok_or(Error::NoKey)?).await?;
        let named = match account {
            Some(named) => Some(self.named_account(named).await?),
            None => None,
        };
        let standing = match (known.account, named) {
            (Some(own), Some(named)) if own != named => return Err(Error::NotFound("account")),
            (Some(own), _) => Standing::Account(own, known.scopes.clone()),
            (None, None) if known.bootstrap => match self.named_account(DEFAULT_ACCOUNT).await {
                Ok(account) => Standing::Operator(Some(account)),
                Err(Error::NotFound(_)) => Standing::Operator(None),
                Err(error) => return Err(error),
            },
            (None, named) => Standing::Operator(named),
        };
        Ok(Identity {
            author: known.author.clone(),
            standing,
        })
    }

    async fn known_key(&self, text: &str) -> Result<Arc<KnownKey>, Error> {
        let known = &self.inner.known;
        let hash = *ApiKeyHash::of(text).as_bytes();
        if let Some(key) = known.keys.get(&hash) {
            return if key.revoked.load(Ordering::SeqCst) {
                Err(Error::UnknownKey)
            } else {
                Ok(key)
            };
        }
        let row = self
            .inner
            .store
            .api_key_by_hash(hash)
            .await?
            .filter(|row| row.revoked_at.is_none())
            .ok_or(Error::UnknownKey)?;
        let key = Arc::new(KnownKey {
            author: Arc::new(Author {
                key: row.id,
                name: row.name.clone(),
            }),
            account: row.account,
            scopes: Scope::from_words(&row.scopes).into(),
            bootstrap: row.account.is_none() && row.name == BOOTSTRAP,
            revoked: AtomicBool::new(false),
        });
        if known.keep(hash, &key) {
            Ok(key)
        } else {
            key.revoked.store(true, Ordering::SeqCst);
            Err(Error::UnknownKey)
        }
    }

    /// The account with this id or uid.
    async fn named_account(&self, name: &str) -> Result<AccountId, Error> {
        if let Some(account) = self.inner.known.accounts.get(name) {
            return Ok(account);
        }
        let account = self.account_named(name).await?.id;
        self.inner.known.accounts.insert(name.to_owned(), account);
        Ok(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(standing: Standing) -> Identity {
        Identity {
            author: Arc::new(Author {
                key: ApiKeyId::from_uuid(uuid::Uuid::nil()),
                name: "of a test".to_owned(),
            }),
            standing,
        }
    }

    #[test]
    fn each_scope_has_its_rights_and_no_others() {
        let account = AccountId::from_uuid(uuid::Uuid::max());
        let all: [fn(&Identity) -> bool; 5] = [
            |who| who.grant::<MaySend>().is_ok(),
            |who| who.grant::<MayRead>().is_ok(),
            |who| who.grant::<MayWrite>().is_ok(),
            |who| who.grant::<MayAdminister>().is_ok(),
            |who| who.grant::<MayOperate>().is_ok(),
        ];
        for (scope, expected) in [
            (Scope::Send, [true, false, false, false, false]),
            (Scope::Read, [false, true, false, false, false]),
            (Scope::Author, [true, true, true, false, false]),
            (Scope::Admin, [true, true, true, true, false]),
        ] {
            let who = identity(Standing::Account(account, Arc::from([scope])));
            assert_eq!(all.map(|may| may(&who)), expected, "{scope:?}");
        }
        let operator = identity(Standing::Operator(Some(account)));
        assert_eq!(all.map(|may| may(&operator)), [true; 5]);
        let nowhere = identity(Standing::Operator(None));
        assert_eq!(
            all.map(|may| may(&nowhere)),
            [false, false, false, false, true]
        );
        assert!(nowhere.grant::<MayWriteCatalogue>().is_ok());
    }

    #[test]
    fn scopes_in_words_and_back() {
        assert_eq!(Scope::from_words("read send"), [Scope::Send, Scope::Read]);
        assert_eq!(Scope::from_words("administrator sender"), []);
    }
}
