//! Accounts, and the revision that orders what their users publish.

use std::collections::HashMap;

use bytes::Bytes;

use super::backend::Tx;
use super::row::record;
use super::values::args;
use super::{Error, Store};
use crate::model::{AccountId, EndpointId, Timestamp};

/// A tenant.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// What its owner's own system calls it.
    pub uid: Option<String>,
    /// For people.
    pub name: String,
    /// Raised with every change that evaluation can see.
    pub revision: i64,
    /// The integration switch: off, deliveries are held.
    pub enabled: bool,
    /// The sealed account key.
    pub signing_key: Vec<u8>,
    /// The sealed key that it is rotated to.
    pub next_signing_key: Option<Vec<u8>>,
    /// From when on that one signs.
    pub next_key_from: Option<Timestamp>,
    /// What becomes of events that don't fit the schema of their type, as a word.
    pub validation: String,
    /// What becomes of events of types that nobody has catalogued, as a word.
    pub unknown_types: String,
    /// Whom its alerts go to.
    pub owner_mail: Option<String>,
    /// For how many days it keeps payloads; `None`: as long as the installation does.
    pub payload_days: Option<i64>,
    /// For how many days it keeps what became of events; `None`: as long as the installation does.
    pub log_days: Option<i64>,
    /// When it is told of endpoints that say nothing of their own that too few attempts succeed, JSON.
    pub success_rate_alert: Option<String>,
    /// The profile of endpoints that name none.
    pub default_profile: String,
    /// When it was made.
    pub created_at: Timestamp,
}

record!(Account {
    id: "id",
    uid: "uid",
    name: "name",
    revision: "revision",
    enabled: "enabled",
    signing_key: "signing_key",
    next_signing_key: "next_signing_key",
    next_key_from: "next_key_from_ms",
    validation: "validation",
    unknown_types: "unknown_types",
    owner_mail: "owner_mail",
    payload_days: "payload_days",
    log_days: "log_days",
    success_rate_alert: "success_rate_alert",
    default_profile: "default_profile",
    created_at: "created_at_ms",
});

/// A tenant to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Minted by the caller.
    pub id: AccountId,
    /// What its owner's own system calls it; unique.
    pub uid: Option<String>,
    /// For people.
    pub name: String,
    /// The sealed account key.
    pub signing_key: Bytes,
    /// Whom its alerts go to.
    pub owner_mail: Option<String>,
    /// Now.
    pub created_at: Timestamp,
}

/// What an account's integration switch is turned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// Deliveries go out.
    On,
    /// Deliveries are held.
    Off,
}

impl From<bool> for Switch {
    /// Whether the account is to be enabled.
    fn from(enabled: bool) -> Self {
        if enabled { Self::On } else { Self::Off }
    }
}

const COLUMNS: &str = "id, uid, name, revision, enabled, signing_key, next_signing_key, next_key_from_ms, validation, unknown_types, \
     owner_mail, payload_days, log_days, success_rate_alert, default_profile, created_at_ms";

impl Store {
    /// Makes an account at revision 1. [`Error::is_taken`] if the uid is used.
    pub async fn create_account(&self, new: &NewAccount) -> Result<(), Error> {
        self.execute(
            "INSERT INTO accounts (id, uid, name, revision, enabled, signing_key, owner_mail, created_at_ms)
             VALUES ($1, $2, $3, 1, $4, $5, $6, $7)",
            args![
                new.id,
                new.uid.clone(),
                new.name.as_str(),
                true,
                new.signing_key.clone(),
                new.owner_mail.clone(),
                new.created_at
            ],
        )
        .await
        .map(drop)
    }

    /// Rotates the account's key: the one that signs `now` goes on until `from`, then `next` signs. `false` if a
    /// rotation is under way, which stays as it is.
    pub async fn rotate_account_key(
        &self,
        account: AccountId,
        next: &Bytes,
        (now, from): (Timestamp, Timestamp),
    ) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        raise_revision(&mut tx, account).await?;
        let changed = tx
            .execute(
                "UPDATE accounts SET signing_key = COALESCE(next_signing_key, signing_key),
                   next_signing_key = $2, next_key_from_ms = $3
                 WHERE id = $1 AND (next_key_from_ms IS NULL OR next_key_from_ms <= $4)",
                args![account, next.clone(), from, now],
            )
            .await?;
        if changed == 0 {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Has the key that the account's is rotated to sign from `now` on. Whether a rotation was under way.
    pub async fn end_account_key_overlap(
        &self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        raise_revision(&mut tx, account).await?;
        let changed = tx
            .execute(
                "UPDATE accounts SET next_key_from_ms = $2 WHERE id = $1 AND next_key_from_ms > $2",
                args![account, now],
            )
            .await?;
        if changed == 0 {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// The account with this id.
    pub async fn account(&self, id: AccountId) -> Result<Option<Account>, Error> {
        self.fetch_optional(&by_id(), args![id]).await
    }

    /// The account with this uid.
    pub async fn account_by_uid(&self, uid: &str) -> Result<Option<Account>, Error> {
        self.fetch_optional(
            &format!("SELECT {COLUMNS} FROM accounts WHERE uid = $1"),
            args![uid],
        )
        .await
    }

    /// Up to `limit` accounts, newest first, older than `before`.
    pub async fn accounts(
        &self,
        before: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<Account>, Error> {
        let before = before.unwrap_or(AccountId::from_uuid(uuid::Uuid::max()));
        self.fetch(
            &format!("SELECT {COLUMNS} FROM accounts WHERE id < $1 ORDER BY id DESC LIMIT $2"),
            args![before, limit],
        )
        .await
    }

    /// Changes what the account asks of events that come in, as words; `None`: it stays as it is. Whether the
    /// account exists.
    pub async fn change_intake(
        &self,
        id: AccountId,
        validation: Option<&'static str>,
        unknown_types: Option<&'static str>,
    ) -> Result<bool, Error> {
        let changed = self
            .execute(
                "UPDATE accounts SET validation = COALESCE($2, validation),
                   unknown_types = COALESCE($3, unknown_types) WHERE id = $1",
                args![id, validation, unknown_types],
            )
            .await?;
        Ok(changed > 0)
    }

    /// Changes for how many days the account keeps payloads, and what became of events; `None`: it stays as it is.
    /// Whether the account exists.
    pub async fn change_retention(
        &self,
        id: AccountId,
        payload_days: Option<i64>,
        log_days: Option<i64>,
    ) -> Result<bool, Error> {
        let changed = self
            .execute(
                "UPDATE accounts SET payload_days = COALESCE($2, payload_days),
                   log_days = COALESCE($3, log_days) WHERE id = $1",
                args![id, payload_days, log_days],
            )
            .await?;
        Ok(changed > 0)
    }

    /// What the account asks of events that come in: what becomes of those that don't fit, and of those of
    /// unknown types, as words. `None`: there is no such account.
    pub async fn intake_words(&self, id: AccountId) -> Result<Option<(String, String)>, Error> {
        self.fetch_optional(
            "SELECT validation, unknown_types FROM accounts WHERE id = $1",
            args![id],
        )
        .await
    }

    /// Switches the account's deliveries on or off. At which endpoints something is due because of it; `None` if
    /// there is no such account.
    pub async fn switch_account(
        &self,
        id: AccountId,
        to: Switch,
    ) -> Result<Option<Vec<EndpointId>>, Error> {
        let mut tx = self.begin().await?;
        let raised: Vec<(i64,)> = tx
            .fetch(
                "UPDATE accounts SET enabled = $2, revision = revision + 1 WHERE id = $1
                 RETURNING revision",
                args![id, to == Switch::On],
            )
            .await?;
        for (revision,) in &raised {
            tx.raises(id, *revision);
        }
        let due = match to {
            Switch::On => self.recover_all(&mut tx, id).await?,
            Switch::Off => Vec::new(),
        };
        tx.commit().await?;
        Ok((!raised.is_empty()).then_some(due))
    }
}

fn by_id() -> String {
    format!("SELECT {COLUMNS} FROM accounts WHERE id = $1")
}

/// The account with this id, read inside the transaction.
pub(super) async fn read(tx: &mut Tx, id: AccountId) -> Result<Option<Account>, Error> {
    Ok(tx.fetch(&by_id(), args![id]).await?.into_iter().next())
}

/// Raises the account's revision; the new one. The row stays locked until the transaction ends, so
/// that an account's changes are in one order.
pub(super) async fn raise_revision(tx: &mut Tx, account: AccountId) -> Result<i64, Error> {
    let raised: Vec<(i64,)> = tx
        .fetch(
            "UPDATE accounts SET revision = revision + 1 WHERE id = $1 RETURNING revision",
            args![account],
        )
        .await?;
    let revision = raised
        .first()
        .map(|row| row.0)
        .ok_or_else(|| Error::Corrupt {
            what: "an account",
            why: format!("{account} does not exist"),
        })?;
    tx.raises(account, revision);
    Ok(revision)
}

/// Sees that the account has not more of something than it may have: of the rows that `counted` selects
/// (`FROM … WHERE account_id = $1 …`). After a raised revision, so that nobody adds to them meanwhile.
pub(super) async fn check_count(
    tx: &mut Tx,
    account: AccountId,
    counted: &str,
    (what, count_max): (&'static str, usize),
) -> Result<(), Error> {
    let counts: Vec<(i64,)> = tx
        .fetch(&format!("SELECT COUNT(*) {counted}"), args![account])
        .await?;
    if counts.iter().any(|count| count.0 > count_max as i64) {
        return Err(Error::TooMany { what, count_max });
    }
    Ok(())
}

/// The revision of each account, read inside the transaction.
pub(super) async fn revisions(
    tx: &mut Tx,
    accounts: impl Iterator<Item = AccountId>,
) -> Result<HashMap<AccountId, i64>, Error> {
    let mut revisions = HashMap::new();
    for account in accounts {
        if revisions.contains_key(&account) {
            continue;
        }
        let found: Vec<(i64,)> = tx
            .fetch(
                "SELECT revision FROM accounts WHERE id = $1",
                args![account],
            )
            .await?;
        revisions.insert(account, found.first().map(|row| row.0));
    }
    Ok(revisions
        .into_iter()
        .filter_map(|(account, revision)| Some((account, revision?)))
        .collect())
}
