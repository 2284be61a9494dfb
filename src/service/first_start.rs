//! The first start: the key and the account that exist before anybody could make them.

use zeroize::Zeroizing;

use super::account::NewAccount;
use super::operator_key::{keep_bootstrap_key, make_operator_key};
use super::principal::DEFAULT_ACCOUNT;
use super::{Error, Service};
use crate::model::AccountId;

/// What a start has made.
#[derive(Default)]
pub struct FirstStart {
    operator_key: Option<Zeroizing<String>>,
    account: Option<AccountId>,
}

impl FirstStart {
    /// The operator key that was made, to be shown this once; `None` if there was one.
    pub fn operator_key(&self) -> Option<&str> {
        self.operator_key.as_ref().map(|key| key.as_str())
    }

    /// The account `default`, if it was made.
    pub fn account(&self) -> Option<AccountId> {
        self.account
    }
}

impl std::fmt::Debug for FirstStart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FirstStart")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl Service {
    /// Sees that there is an operator key: the bootstrap key if one is given, else one that is made
    /// when there is none. Another bootstrap key than before ends the one before. With a bootstrap key
    /// and no account, the account `default` is made.
    pub async fn set_up(&self, bootstrap_key: Option<&str>) -> Result<FirstStart, Error> {
        let now = self.inner.clock.now();
        let Some(text) = bootstrap_key else {
            if self.inner.store.has_operator_key().await? {
                return Ok(FirstStart::default());
            }
            let key = make_operator_key(&self.inner.store, "first", now).await?;
            return Ok(FirstStart {
                operator_key: Some(key),
                account: None,
            });
        };
        keep_bootstrap_key(&self.inner.store, text, now).await?;
        if !self.inner.store.accounts(None, 1).await?.is_empty() {
            return Ok(FirstStart::default());
        }
        let new = NewAccount {
            name: "Default".to_owned(),
            uid: Some(DEFAULT_ACCOUNT.to_owned()),
            owner_mail: None,
        };
        match self.insert_account(new).await {
            Ok(made) => Ok(FirstStart {
                operator_key: None,
                account: Some(made.id),
            }),
            // Another node starts at the same time.
            Err(Error::Conflict { .. }) => Ok(FirstStart::default()),
            Err(error) => Err(error),
        }
    }
}
