//! Endpoints and their secrets. A change that deliveries can see raises the account's revision in
//! the same transaction.

use bytes::Bytes;
use serde_json::json;

use super::automation::insert_automation;
use super::endpoint_secret::insert_secret;
use super::key_pair::{NewKeyPair, insert_key_pair};
use super::mark::forget;
use super::operational::{self, Alert, Topic};
use super::page::{Cursor, Page, start};
use super::publication::end_subscription;
use super::row::record;
use super::values::args;
use super::{Error, NewAutomation, Store, account};
use crate::model::limits::ENDPOINTS_PER_ACCOUNT_MAX;
use crate::model::{AccountId, AutomationId, EndpointId, SecretId, Timestamp};

/// Where deliveries go.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// For people.
    pub name: String,
    /// Where requests are sent.
    pub url: String,
    /// The profile's parts as JSON.
    pub settings: String,
    /// Set if an automation's bare URL made it.
    pub owner_automation: Option<AutomationId>,
    /// `enabled` or `disabled`.
    pub state: String,
    /// `gone`, `failing` or `by_user` if disabled.
    pub disabled_why: Option<String>,
    /// The first failure since the last success.
    pub failing_since: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its settings last changed.
    pub updated_at: Timestamp,
}

record!(Endpoint {
    id: "id",
    name: "name",
    url: "url",
    settings: "settings",
    owner_automation: "owner_automation_id",
    state: "state",
    disabled_why: "disabled_why",
    failing_since: "failing_since_ms",
    created_at: "created_at_ms",
    updated_at: "updated_at_ms",
});

/// Whether deliveries go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointState {
    /// They do.
    Enabled,
    /// What is due is held.
    Disabled {
        /// `gone`, `failing` or `by_user`.
        why: &'static str,
    },
}

impl EndpointState {
    fn words(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Enabled => ("enabled", None),
            Self::Disabled { why } => ("disabled", Some(why)),
        }
    }
}

/// An endpoint to be made.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// Minted by the caller.
    pub id: EndpointId,
    /// For people.
    pub name: String,
    /// Where requests are sent.
    pub url: String,
    /// The profile's parts as JSON.
    pub settings: String,
    /// Set for an automation's bare URL.
    pub owner_automation: Option<AutomationId>,
    /// Whether deliveries go out at once.
    pub state: EndpointState,
    /// Its signing secrets, sealed.
    pub secrets: Vec<(SecretId, Bytes)>,
    /// Its key pairs.
    pub key_pairs: Vec<NewKeyPair>,
    /// Its own subscription, if it has one.
    pub subscription: Option<NewAutomation>,
    /// Now.
    pub created_at: Timestamp,
}

/// New values of an endpoint's fields; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct EndpointChange {
    /// For people.
    pub name: Option<String>,
    /// Where requests are sent.
    pub url: Option<String>,
    /// The profile's parts as JSON.
    pub settings: Option<SettingsChange>,
    /// Whether deliveries go out.
    pub state: Option<EndpointState>,
    /// The definition of its own subscription from now on.
    pub subscription: Option<SubscriptionChange>,
}

/// New settings, and those that they were made from: two changes that don't know of each other must
/// not both be kept, or one would undo a part of the other.
#[derive(Debug, Clone)]
pub struct SettingsChange {
    /// What was read.
    pub from: String,
    /// What it shall be.
    pub to: String,
    /// When it succeeded last, if it does not fail and nobody has kept that until now.
    pub succeeded_at: Option<Timestamp>,
}

/// What becomes of an endpoint's own subscription.
#[derive(Debug, Clone)]
pub enum SubscriptionChange {
    /// It subscribes to nothing any more.
    End,
    /// It is replaced by, or begins with, this one.
    Begin(Box<NewAutomation>),
}

const COLUMNS: &str = "id, name, url, settings, owner_automation_id, state, disabled_why, \
     failing_since_ms, created_at_ms, updated_at_ms";

impl Store {
    /// Makes an endpoint, its secrets and its subscription in one step. The account's new revision.
    pub async fn create_endpoint(
        &self,
        account: AccountId,
        new: &NewEndpoint,
    ) -> Result<i64, Error> {
        let mut tx = self.begin().await?;
        let revision = account::raise_revision(&mut tx, account).await?;
        insert_endpoint(&mut tx, account, new).await?;
        check_endpoints(&mut tx, account).await?;
        if let Some(subscription) = &new.subscription {
            insert_automation(&mut tx, account, revision, subscription).await?;
        }
        tx.commit().await?;
        Ok(revision)
    }

    /// Changes an endpoint. The account's new revision; `None` if there is no such endpoint. At another
    /// URL, and once it is switched, nothing is remembered of attempts before; another failure policy goes on
    /// with what the one before has counted. [`Error::Raced`] if its settings are not those any more
    /// that the new ones were made from.
    pub async fn change_endpoint(
        &self,
        account: AccountId,
        id: EndpointId,
        change: &EndpointChange,
        now: Timestamp,
    ) -> Result<Option<i64>, Error> {
        let mut tx = self.begin().await?;
        let revision = account::raise_revision(&mut tx, account).await?;
        let Some(known) = read(&mut tx, account, id).await? else {
            return Ok(None);
        };
        let settings = change.settings.as_ref();
        if settings.is_some_and(|settings| settings.from != known.settings) {
            return Err(Error::Raced);
        }
        tx.execute(
            "UPDATE endpoints SET name = COALESCE($3, name), url = COALESCE($4, url),
               settings = COALESCE($5, settings), updated_at_ms = $6,
               succeeded_at_ms = CASE WHEN failing_since_ms IS NULL THEN COALESCE($7, succeeded_at_ms)
                 ELSE succeeded_at_ms END
             WHERE account_id = $1 AND id = $2",
            args![
                account,
                id,
                change.name.clone(),
                change.url.clone(),
                settings.map(|settings| settings.to.clone()),
                now,
                settings.and_then(|settings| settings.succeeded_at)
            ],
        )
        .await?;
        if change.url.as_ref().is_some_and(|url| *url != known.url) {
            forget(&mut tx, account, id).await?;
        }
        if let Some(state) = change.state {
            self.switch(&mut tx, (account, &known), state, now).await?;
        }
        if let Some(subscription) = &change.subscription {
            end_subscription(&mut tx, account, id, revision, now).await?;
            if let SubscriptionChange::Begin(new) = subscription {
                insert_automation(&mut tx, account, revision, new).await?;
            }
        }
        tx.commit().await?;
        Ok(Some(revision))
    }

    /// Switches an endpoint, and tells it if it stood otherwise.
    async fn switch(
        &self,
        tx: &mut super::Tx,
        (account, known): (AccountId, &Endpoint),
        to: EndpointState,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (state, why) = to.words();
        tx.execute(
            "UPDATE endpoints SET state = $3, disabled_why = $4, disabled_at_ms = NULL, remind_at_ms = NULL
             WHERE account_id = $1 AND id = $2",
            args![account, known.id, state, why],
        )
        .await?;
        forget(tx, account, known.id).await?;
        if to == EndpointState::Enabled {
            self.recover(tx, (account, known.id)).await?;
        }
        if known.state == state {
            return Ok(());
        }
        let (topic, says) = match to {
            EndpointState::Enabled => (Topic::EndpointEnabled, json!({ "name": known.name })),
            EndpointState::Disabled { why } => (
                Topic::EndpointDisabled,
                json!({ "name": known.name, "why": why, "failing_since": known.failing_since }),
            ),
        };
        let alert = Alert::of_endpoint(topic, (account, known.id), now, says).without_mail();
        operational::tell(tx, self.own_holder(), vec![alert]).await
    }

    /// Removes an endpoint and its subscription, leaving a tombstone. Whether there was one.
    /// Its open deliveries are cancelled by [`Store::cancel_open`].
    pub async fn delete_endpoint(
        &self,
        account: AccountId,
        id: EndpointId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let revision = account::raise_revision(&mut tx, account).await?;
        let changed = tx
            .execute(
                "UPDATE endpoints SET deleted_at_ms = $3, updated_at_ms = $3, remind_at_ms = NULL
                 WHERE account_id = $1 AND id = $2 AND deleted_at_ms IS NULL",
                args![account, id, now],
            )
            .await?;
        if changed == 0 {
            return Ok(false);
        }
        for table in ["endpoint_secrets", "key_pairs"] {
            let sql = format!("DELETE FROM {table} WHERE account_id = $1 AND endpoint_id = $2");
            tx.execute(&sql, args![account, id]).await?;
        }
        end_subscription(&mut tx, account, id, revision, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Cancels up to `limit` waiting or held deliveries of an endpoint. How many.
    pub async fn cancel_open(
        &self,
        account: AccountId,
        id: EndpointId,
        limit: usize,
    ) -> Result<u64, Error> {
        self.execute(
            "UPDATE deliveries SET state = 'cancelled', due_at_ms = NULL
             WHERE (account_id, id) IN (
               SELECT account_id, id FROM deliveries
               WHERE account_id = $1 AND endpoint_id = $2 AND state IN ('pending', 'held') LIMIT $3)
               AND state IN ('pending', 'held')",
            args![account, id, limit],
        )
        .await
    }

    /// The endpoint, unless it was removed.
    pub async fn endpoint(
        &self,
        account: AccountId,
        id: EndpointId,
    ) -> Result<Option<Endpoint>, Error> {
        self.fetch_optional(&live_sql(), args![account, id]).await
    }

    /// Up to 20 of the account's endpoints whose URL has this text in it, which has no `%`.
    pub async fn endpoints_at(
        &self,
        account: AccountId,
        text: &str,
    ) -> Result<Vec<Endpoint>, Error> {
        let within = "account_id = $1 AND url LIKE $2 AND deleted_at_ms IS NULL";
        let sql =
            format!("SELECT {COLUMNS} FROM endpoints WHERE {within} ORDER BY id DESC LIMIT 20");
        self.fetch(&sql, args![account, format!("%{text}%")]).await
    }

    /// A page of the account's endpoints, newest first.
    pub async fn endpoints(
        &self,
        account: AccountId,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Endpoint>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM endpoints WHERE account_id = $1 AND id < $2 AND deleted_at_ms IS NULL
             ORDER BY id DESC LIMIT $3"
        );
        let rows = self
            .fetch(&sql, args![account, start(after), limit + 1])
            .await?;
        Ok(Page::of(rows, limit, |row: &Endpoint| row.id.uuid()))
    }
}

fn live_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM endpoints WHERE account_id = $1 AND id = $2 AND deleted_at_ms IS NULL"
    )
}

/// The endpoint, unless it was removed, read inside the transaction.
pub(super) async fn read(
    tx: &mut super::Tx,
    account: AccountId,
    id: EndpointId,
) -> Result<Option<Endpoint>, Error> {
    Ok(tx
        .fetch(&live_sql(), args![account, id])
        .await?
        .into_iter()
        .next())
}

/// The account's endpoints that were not removed, read inside the transaction.
pub(super) async fn live(tx: &mut super::Tx, account: AccountId) -> Result<Vec<Endpoint>, Error> {
    let sql =
        format!("SELECT {COLUMNS} FROM endpoints WHERE account_id = $1 AND deleted_at_ms IS NULL");
    tx.fetch(&sql, args![account]).await
}

/// Sees that the account has no more endpoints than it may have.
pub(super) async fn check_endpoints(tx: &mut super::Tx, account: AccountId) -> Result<(), Error> {
    let counted = "FROM endpoints WHERE account_id = $1 AND deleted_at_ms IS NULL";
    let limit = ("endpoints", ENDPOINTS_PER_ACCOUNT_MAX);
    account::check_count(tx, account, counted, limit).await
}

/// Inserts the endpoint and its secrets; the subscription is the caller's.
pub(super) async fn insert_endpoint(
    tx: &mut super::Tx,
    account: AccountId,
    new: &NewEndpoint,
) -> Result<(), Error> {
    let (state, why) = new.state.words();
    tx.execute(
        "INSERT INTO endpoints (account_id, id, name, url, settings, owner_automation_id, state,
           disabled_why, created_at_ms, updated_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        args![
            account,
            new.id,
            new.name.as_str(),
            new.url.as_str(),
            new.settings.as_str(),
            new.owner_automation,
            state,
            why,
            new.created_at
        ],
    )
    .await?;
    for (id, sealed) in &new.secrets {
        insert_secret(tx, account, new.id, (*id, sealed.clone(), new.created_at)).await?;
    }
    for pair in &new.key_pairs {
        insert_key_pair(tx, account, new.id, pair).await?;
    }
    Ok(())
}
