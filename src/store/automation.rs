//! Automations, their immutable versions, and which version was live from which revision to which.

use super::endpoint::{check_endpoints, insert_endpoint};
use super::page::{Cursor, Page, start};
use super::row::record;
use super::standing::AutomationStanding;
use super::values::args;
use super::{Error, NewEndpoint, Store, Tx, account};
use crate::model::limits::AUTOMATIONS_PER_ACCOUNT_MAX;
use crate::model::{AccountId, AutomationId, EndpointId, Timestamp};

/// An automation, without its versions.
#[derive(Debug, Clone)]
pub struct Automation {
    /// Its id.
    pub id: AutomationId,
    /// For people.
    pub name: String,
    /// Set if it is an endpoint's own subscription.
    pub owner_endpoint: Option<EndpointId>,
    /// Whether the published version is live.
    pub enabled: bool,
    /// The newest version's number, from 1.
    pub latest_version: i64,
    /// Which version is published.
    pub published_version: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

record!(Automation {
    id: "id",
    name: "name",
    owner_endpoint: "owner_endpoint_id",
    enabled: "enabled",
    latest_version: "latest_version",
    published_version: "published_version",
    created_at: "created_at_ms",
    updated_at: "updated_at_ms",
});

/// One immutable version.
#[derive(Debug, Clone)]
pub struct AutomationVersion {
    /// Its number, from 1.
    pub version: i64,
    /// JSON.
    pub definition: String,
    /// When it was saved.
    pub created_at: Timestamp,
}

record!(AutomationVersion {
    version: "version",
    definition: "definition",
    created_at: "created_at_ms",
});

/// An automation to be made, with its first version.
#[derive(Debug, Clone)]
pub struct NewAutomation {
    /// Minted by the caller.
    pub id: AutomationId,
    /// For people.
    pub name: String,
    /// Set for an endpoint's own subscription.
    pub owner_endpoint: Option<EndpointId>,
    /// JSON.
    pub definition: String,
    /// Whether the version is published, and live.
    pub publication: Publication,
    /// The endpoints of its bare URLs.
    pub endpoints: Vec<NewEndpoint>,
    /// Now.
    pub created_at: Timestamp,
}

/// What becomes of the newest version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publication {
    /// It is a draft; what was live stays live.
    Draft,
    /// It is published and live.
    Live,
    /// It is published, and the automation is switched off.
    Off,
}

const COLUMNS: &str = "id, name, owner_endpoint_id, enabled, latest_version, published_version, \
     created_at_ms, updated_at_ms";

impl Store {
    /// Makes an automation with its first version. The account's new revision.
    pub async fn create_automation(
        &self,
        account: AccountId,
        new: &NewAutomation,
    ) -> Result<i64, Error> {
        let mut tx = self.begin().await?;
        let revision = account::raise_revision(&mut tx, account).await?;
        insert_automation(&mut tx, account, revision, new).await?;
        let counted = "FROM automations
             WHERE account_id = $1 AND deleted_at_ms IS NULL AND owner_endpoint_id IS NULL";
        let limit = ("automations", AUTOMATIONS_PER_ACCOUNT_MAX);
        account::check_count(&mut tx, account, counted, limit).await?;
        tx.commit().await?;
        Ok(revision)
    }

    /// Saves a further version of an automation, with its name and endpoints; `from`: how the automation
    /// stood when the version was made from it. The version's number; `None` if there is no such
    /// automation. [`Error::Raced`] if it does not stand like that any more.
    pub async fn save_version(
        &self,
        account: AccountId,
        new: &NewAutomation,
        from: AutomationStanding,
    ) -> Result<Option<i64>, Error> {
        let mut tx = self.begin().await?;
        let revision = account::raise_revision(&mut tx, account).await?;
        let known: Vec<Automation> = tx
            .fetch(
                &format!(
                    "SELECT {COLUMNS} FROM automations
                     WHERE account_id = $1 AND id = $2 AND deleted_at_ms IS NULL AND owner_endpoint_id IS NULL"
                ),
                args![account, new.id],
            )
            .await?;
        let Some(known) = known.first() else {
            return Ok(None);
        };
        if known.standing() != from {
            return Err(Error::Raced);
        }
        let version = known.latest_version + 1;
        tx.execute(
            "UPDATE automations SET latest_version = $5, name = $3, updated_at_ms = $4
             WHERE account_id = $1 AND id = $2",
            args![account, new.id, new.name.as_str(), new.created_at, version],
        )
        .await?;
        insert_version(&mut tx, account, new, version).await?;
        publish(
            &mut tx,
            (account, new.id, version),
            new.publication,
            revision,
        )
        .await?;
        tx.commit().await?;
        Ok(Some(version))
    }

    /// Switches an automation on or off without a new version. Whether there is one, with a
    /// published version.
    pub async fn switch_automation(
        &self,
        account: AccountId,
        id: AutomationId,
        publication: Publication,
    ) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let revision = account::raise_revision(&mut tx, account).await?;
        let found: Vec<(Option<i64>,)> = tx
            .fetch(
                "SELECT published_version FROM automations
                 WHERE account_id = $1 AND id = $2 AND deleted_at_ms IS NULL AND owner_endpoint_id IS NULL",
                args![account, id],
            )
            .await?;
        let Some((Some(version),)) = found.first().copied() else {
            return Ok(false);
        };
        publish(&mut tx, (account, id, version), publication, revision).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Removes an automation, leaving a tombstone; its own endpoints go with it. The endpoints;
    /// `None` if there is no such automation.
    pub async fn delete_automation(
        &self,
        account: AccountId,
        id: AutomationId,
        now: Timestamp,
    ) -> Result<Option<Vec<EndpointId>>, Error> {
        let mut tx = self.begin().await?;
        let revision = account::raise_revision(&mut tx, account).await?;
        let changed = tx
            .execute(
                "UPDATE automations SET deleted_at_ms = $3, updated_at_ms = $3, enabled = $4
                 WHERE account_id = $1 AND id = $2 AND deleted_at_ms IS NULL AND owner_endpoint_id IS NULL",
                args![account, id, now, false],
            )
            .await?;
        if changed == 0 {
            return Ok(None);
        }
        close_publication(&mut tx, account, id, revision).await?;
        let endpoints: Vec<(EndpointId,)> = tx
            .fetch(
                "UPDATE endpoints SET deleted_at_ms = $3, updated_at_ms = $3
                 WHERE account_id = $1 AND owner_automation_id = $2 AND deleted_at_ms IS NULL RETURNING id",
                args![account, id, now],
            )
            .await?;
        tx.commit().await?;
        Ok(Some(endpoints.into_iter().map(|row| row.0).collect()))
    }

    /// The automation, unless it was removed.
    pub async fn automation(
        &self,
        account: AccountId,
        id: AutomationId,
    ) -> Result<Option<Automation>, Error> {
        self.fetch_optional(
            &format!("SELECT {COLUMNS} FROM automations WHERE account_id = $1 AND id = $2 AND deleted_at_ms IS NULL"),
            args![account, id],
        )
        .await
    }

    /// An endpoint's own subscription with its live definition.
    pub async fn subscription(
        &self,
        account: AccountId,
        endpoint: EndpointId,
    ) -> Result<Option<String>, Error> {
        let found: Option<(String,)> = self
            .fetch_optional(
                "SELECT v.definition FROM automations a
                 JOIN automation_versions v ON v.account_id = a.account_id
                   AND v.automation_id = a.id AND v.version = a.published_version
                 WHERE a.account_id = $1 AND a.owner_endpoint_id = $2 AND a.deleted_at_ms IS NULL",
                args![account, endpoint],
            )
            .await?;
        Ok(found.map(|row| row.0))
    }

    /// A page of the account's automations, newest first, subscriptions left out.
    pub async fn automations(
        &self,
        account: AccountId,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Automation>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM automations WHERE account_id = $1 AND id < $2
               AND deleted_at_ms IS NULL AND owner_endpoint_id IS NULL ORDER BY id DESC LIMIT $3"
        );
        let rows = self
            .fetch(&sql, args![account, start(after), limit + 1])
            .await?;
        Ok(Page::of(rows, limit, |row: &Automation| row.id.uuid()))
    }

    /// The endpoints of an automation's bare URLs, past ones too: id and URL.
    pub async fn owned_endpoints(
        &self,
        account: AccountId,
        id: AutomationId,
    ) -> Result<Vec<(EndpointId, String)>, Error> {
        self.fetch(
            "SELECT id, url FROM endpoints
             WHERE account_id = $1 AND owner_automation_id = $2 AND deleted_at_ms IS NULL ORDER BY id",
            args![account, id],
        )
        .await
    }

    /// One version of an automation.
    pub async fn automation_version(
        &self,
        account: AccountId,
        id: AutomationId,
        version: i64,
    ) -> Result<Option<AutomationVersion>, Error> {
        self.fetch_optional(
            "SELECT version, definition, created_at_ms FROM automation_versions
             WHERE account_id = $1 AND automation_id = $2 AND version = $3",
            args![account, id, version],
        )
        .await
    }
}

/// Inserts an automation, its endpoints and its first version.
pub(super) async fn insert_automation(
    tx: &mut Tx,
    account: AccountId,
    revision: i64,
    new: &NewAutomation,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO automations (account_id, id, name, owner_endpoint_id, enabled, latest_version,
           created_at_ms, updated_at_ms)
         VALUES ($1, $2, $3, $4, $5, 1, $6, $6)",
        args![
            account,
            new.id,
            new.name.as_str(),
            new.owner_endpoint,
            false,
            new.created_at
        ],
    )
    .await?;
    insert_version(tx, account, new, 1).await?;
    publish(tx, (account, new.id, 1), new.publication, revision).await
}

async fn insert_version(
    tx: &mut Tx,
    account: AccountId,
    new: &NewAutomation,
    version: i64,
) -> Result<(), Error> {
    for endpoint in &new.endpoints {
        insert_endpoint(tx, account, endpoint).await?;
    }
    if !new.endpoints.is_empty() {
        check_endpoints(tx, account).await?;
    }
    tx.execute(
        "INSERT INTO automation_versions (account_id, automation_id, version, definition, created_at_ms)
         VALUES ($1, $2, $3, $4, $5)",
        args![account, new.id, version, new.definition.as_str(), new.created_at],
    )
    .await
    .map(drop)
}

async fn publish(
    tx: &mut Tx,
    which: (AccountId, AutomationId, i64),
    publication: Publication,
    revision: i64,
) -> Result<(), Error> {
    let (account, automation, version) = which;
    let live = match publication {
        Publication::Draft => return Ok(()),
        Publication::Live => true,
        Publication::Off => false,
    };
    close_publication(tx, account, automation, revision).await?;
    tx.execute(
        "UPDATE automations SET published_version = $3, enabled = $4 WHERE account_id = $1 AND id = $2",
        args![account, automation, version, live],
    )
    .await?;
    if live {
        tx.execute(
            "INSERT INTO publications (account_id, automation_id, from_revision, version)
             VALUES ($1, $2, $3, $4)",
            args![account, automation, revision, version],
        )
        .await?;
    }
    Ok(())
}

/// What was live is live no more from `revision` on.
pub(super) async fn close_publication(
    tx: &mut Tx,
    account: AccountId,
    automation: AutomationId,
    revision: i64,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE publications SET to_revision = $3
         WHERE account_id = $1 AND automation_id = $2 AND to_revision IS NULL",
        args![account, automation, revision],
    )
    .await
    .map(drop)
}
