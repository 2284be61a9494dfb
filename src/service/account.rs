//! Accounts: the operator makes them, each reads and switches its own.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::health::alert_of;
use super::json::nullable;
use super::page::cursor_text;
use super::principal::{MayAdminister, MayOperate, MayRead, Principal};
use super::profile::STANDARD;
use super::retention::{RetentionPatch, RetentionView};
use super::{Error, Listed, PageRequest, Service, UnknownTypes, Validation, check};
use crate::model::{AccountId, Timestamp};
use crate::signing::AccountKey;
use crate::store;
use crate::tally::SuccessRateAlert;
use crate::vault::random;

/// An account to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: String,
    /// What your own system calls it: 1 to 200 ASCII letters, digits, `-`, `_` and `.`, not beginning with
    /// `acc_`; no two accounts have the same. It can be used wherever the id can.
    pub uid: Option<String>,
    /// The mail address of its owner, to whom alerts about all of its endpoints go; to nobody, if left out.
    #[schema(example = "owner@example.com")]
    pub owner_mail: Option<String>,
}

/// What can be changed of one's own account.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountPatch {
    /// The integration switch: off, deliveries are held; events are taken all the same.
    pub enabled: Option<bool>,
    /// What becomes of events whose data does not fit the schema of their type.
    pub validation: Option<Validation>,
    /// What becomes of events of types that neither the account nor the installation has catalogued.
    pub unknown_types: Option<UnknownTypes>,
    /// The mail address of its owner, to whom alerts about all of its endpoints go; null: to nobody.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, example = "owner@example.com")]
    pub owner_mail: Option<Option<String>>,
    /// For how long the account keeps what it has had.
    pub retention: Option<RetentionPatch>,
    /// When it is told of endpoints that say nothing of their own that too few of their attempts succeed.
    pub success_rate_alert: Option<SuccessRateAlert>,
    /// The profile of endpoints that are made from now on and name none: a ready-made one, or one of the account's own.
    /// What retry policy they have is said by that, too.
    pub default_profile: Option<String>,
}

/// An account as the operator sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AccountView {
    /// The account's id.
    #[schema(value_type = String, example = "acc_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: AccountId,
    /// What its owner's own system calls it; null, if it was given none.
    pub uid: Option<String>,
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: String,
    /// The integration switch: if it is off (false), deliveries are held; events are taken all the same.
    pub enabled: bool,
    /// What becomes of events whose data does not fit the schema of their type; `none` at first.
    pub validation: Validation,
    /// What becomes of events of types that neither the account nor the installation has catalogued; `accept` at
    /// first.
    pub unknown_types: UnknownTypes,
    /// The mail address of its owner, to whom alerts go; null, if it was given none.
    pub owner_mail: Option<String>,
    /// For how long the account keeps what it has had; as the operator says, if it says nothing.
    pub retention: RetentionView,
    /// When it is told of endpoints that say nothing of their own that too few of their attempts succeed; `off` at
    /// first.
    pub success_rate_alert: SuccessRateAlert,
    /// The profile of endpoints that name none; `standard` at first.
    #[schema(example = "standard")]
    pub default_profile: String,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// An account as its own keys see it.
pub type OwnAccountView = AccountView;

impl Service {
    /// An account as it is shown.
    fn shown_account(&self, row: store::Account) -> AccountView {
        AccountView {
            retention: self.retention_of(&row).into(),
            id: row.id,
            uid: row.uid,
            name: row.name,
            enabled: row.enabled,
            validation: Validation::from_word(&row.validation).unwrap_or_default(),
            unknown_types: UnknownTypes::from_word(&row.unknown_types).unwrap_or_default(),
            owner_mail: row.owner_mail,
            success_rate_alert: alert_of(row.success_rate_alert.as_deref()),
            default_profile: row.default_profile,
            created_at: row.created_at,
        }
    }

    /// Makes an account with a signing key of its own.
    pub async fn create_account(
        &self,
        _who: &Principal<MayOperate>,
        new: NewAccount,
    ) -> Result<AccountView, Error> {
        check::name(&new.name, "/name")?;
        if let Some(uid) = &new.uid {
            check::uid(uid, "/uid")?;
        }
        if let Some(mail) = &new.owner_mail {
            check::mail(mail, "/owner_mail")?;
        }
        self.insert_account(new).await
    }

    pub(super) async fn insert_account(&self, new: NewAccount) -> Result<AccountView, Error> {
        let now = self.inner.clock.now();
        let id = AccountId::mint(now);
        let key = AccountKey::from_random(random::bytes()?);
        let sealed = self.seal_account_key(id, &key)?;
        let row = store::NewAccount {
            id,
            uid: new.uid.clone(),
            name: new.name.clone(),
            signing_key: sealed,
            owner_mail: new.owner_mail.clone(),
            created_at: now,
        };
        match self.inner.store.create_account(&row).await {
            Ok(()) => Ok(AccountView {
                id,
                uid: new.uid,
                name: new.name,
                enabled: true,
                validation: Validation::default(),
                unknown_types: UnknownTypes::default(),
                owner_mail: new.owner_mail,
                retention: self.inner.rules.retention.into(),
                success_rate_alert: SuccessRateAlert::Off,
                default_profile: STANDARD.to_owned(),
                created_at: now,
            }),
            Err(error) if error.is_taken() => Err(Error::Conflict {
                code: "uid_taken",
                why: "another account has this uid: use that one, or choose another uid".to_owned(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// A page of all accounts.
    pub async fn accounts(
        &self,
        who: &Principal<MayOperate>,
        page: &PageRequest,
    ) -> Result<Listed<AccountView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let limit = page.limit()?;
        let before = page.after()?.map(AccountId::from_uuid);
        let mut rows = self.inner.store.accounts(before, limit + 1).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows
            .last()
            .filter(|_| more)
            .map(|row| cursor_text(row.id.uuid()));
        Ok(Listed {
            data: rows
                .into_iter()
                .map(|row| self.shown_account(row))
                .collect(),
            next_cursor,
        })
    }

    /// The account with this id or uid.
    pub async fn account(
        &self,
        _who: &Principal<MayOperate>,
        name: &str,
    ) -> Result<AccountView, Error> {
        Ok(self.shown_account(self.account_named(name).await?))
    }

    /// The row of the account with this id or uid.
    pub(super) async fn account_named(&self, name: &str) -> Result<store::Account, Error> {
        let found = match name.parse() {
            Ok(id) => self.inner.store.account(id).await?,
            Err(_) if check::uid(name, "").is_ok() => self.inner.store.account_by_uid(name).await?,
            Err(_) => None,
        };
        found.ok_or(Error::NotFound("account"))
    }

    /// The principal's own account.
    pub async fn own_account(&self, who: &Principal<MayRead>) -> Result<OwnAccountView, Error> {
        Ok(self.shown_account(self.account_row(who.account()).await?))
    }

    /// Changes the principal's own account.
    pub async fn change_own_account(
        &self,
        who: &Principal<MayAdminister>,
        patch: AccountPatch,
    ) -> Result<OwnAccountView, Error> {
        if let Some(mail) = &patch.owner_mail {
            if let Some(mail) = mail {
                check::mail(mail, "/owner_mail")?;
            }
            let store = &self.inner.store;
            store
                .change_owner_mail(who.account(), mail.as_deref())
                .await?;
            tracing::info!(account.id = %who.account(), key.id = %who.key(), "the mail address of the account's owner was changed");
        }
        if let Some(retention) = patch.retention {
            self.change_retention(who, retention).await?;
        }
        if let Some(name) = &patch.default_profile {
            self.set_default_profile(who.account(), name).await?;
        }
        if patch.validation.is_some() || patch.unknown_types.is_some() {
            let validation = patch.validation.map(Validation::as_str);
            let unknown_types = patch.unknown_types.map(UnknownTypes::as_str);
            let store = &self.inner.store;
            store
                .change_intake(who.account(), validation, unknown_types)
                .await?;
            self.catalogue_changed(who.account()).await;
            tracing::info!(account.id = %who.account(), key.id = %who.key(), validation, unknown_types, "what the account asks of events was changed");
        }
        if let Some(alert) = patch.success_rate_alert {
            self.change_success_rate_alert(who, alert).await?;
        }
        if let Some(enabled) = patch.enabled {
            let store = &self.inner.store;
            let switched = store.switch_account(who.account(), enabled.into()).await?;
            for endpoint in switched.into_iter().flatten() {
                self.wake(who.account(), endpoint).await;
            }
            tracing::info!(account.id = %who.account(), key.id = %who.key(), enabled, "the account's integration was switched");
        }
        Ok(self.shown_account(self.account_row(who.account()).await?))
    }

    pub(super) async fn account_row(&self, id: AccountId) -> Result<store::Account, Error> {
        self.inner
            .store
            .account(id)
            .await?
            .ok_or(Error::NotFound("account"))
    }
}
