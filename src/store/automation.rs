//! Automations. Their versions are in `version.rs`, what was live in `publication.rs`.

use super::own_schedule::follow;
use super::page::{Cursor, Page, start};
use super::publication::{Publication, close_publication, publish};
use super::row::record;
use super::values::args;
use super::version::{Author, Authorship, insert_version};
use super::{Error, NewEndpoint, Store, Tx, account, flow};
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
    /// Since when it is put away, if it is.
    pub archived_at: Option<Timestamp>,
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
    archived_at: "archived_at_ms",
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
    /// Whose key saves the version.
    pub author: Option<Author>,
    /// What they say of it.
    pub note: Option<String>,
    /// Why it goes live although its tests fail, if it does.
    pub override_reason: Option<String>,
    /// Now.
    pub created_at: Timestamp,
}

impl NewAutomation {
    /// By whom and when it is saved.
    pub(super) fn authorship(&self) -> Authorship {
        Authorship {
            author: self.author.clone(),
            at: self.created_at,
            override_reason: self.override_reason.clone(),
        }
    }
}

/// Which automations a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// Those that are not put away.
    Open,
    /// Those too.
    All,
}

const COLUMNS: &str = "id, name, owner_endpoint_id, enabled, latest_version, published_version, \
     created_at_ms, updated_at_ms, archived_at_ms";

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
        follow(&mut tx, (account, new.id), new.created_at).await?;
        let counted = "FROM automations
             WHERE account_id = $1 AND deleted_at_ms IS NULL AND owner_endpoint_id IS NULL";
        let limit = ("automations", AUTOMATIONS_PER_ACCOUNT_MAX);
        account::check_count(&mut tx, account, counted, limit).await?;
        tx.commit().await?;
        Ok(revision)
    }

    /// Removes an automation, leaving a tombstone; its own endpoints and its own schedule go with it. The endpoints;
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
        close_publication(&mut tx, (account, id), (revision, now)).await?;
        tx.execute(
            "DELETE FROM automation_failures WHERE account_id = $1 AND automation_id = $2",
            args![account, id],
        )
        .await?;
        // It is given up at its next turn.
        flow::release_held(&mut tx, (account, id)).await?;
        let endpoints: Vec<(EndpointId,)> = tx
            .fetch(
                "UPDATE endpoints SET deleted_at_ms = $3, updated_at_ms = $3
                 WHERE account_id = $1 AND owner_automation_id = $2 AND deleted_at_ms IS NULL RETURNING id",
                args![account, id, now],
            )
            .await?;
        follow(&mut tx, (account, id), now).await?;
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

    /// The automation that is an endpoint's own subscription, with its live definition.
    pub async fn subscription(
        &self,
        account: AccountId,
        endpoint: EndpointId,
    ) -> Result<Option<(AutomationId, String)>, Error> {
        self.fetch_optional(
            "SELECT a.id, v.definition FROM automations a
                 JOIN automation_versions v ON v.account_id = a.account_id
                   AND v.automation_id = a.id AND v.version = a.published_version
                 WHERE a.account_id = $1 AND a.owner_endpoint_id = $2 AND a.deleted_at_ms IS NULL",
            args![account, endpoint],
        )
        .await
    }

    /// A page of the account's automations, newest first, subscriptions left out.
    pub async fn automations(
        &self,
        account: AccountId,
        which: Shelf,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Automation>, Error> {
        let put_away = match which {
            Shelf::Open => "AND archived_at_ms IS NULL",
            Shelf::All => "",
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM automations WHERE account_id = $1 AND id < $2
               AND deleted_at_ms IS NULL AND owner_endpoint_id IS NULL {put_away}
             ORDER BY id DESC LIMIT $3"
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
    let course = (1, new.publication);
    publish(tx, (account, new.id), course, revision, &new.authorship()).await
}

/// The automation, unless it was removed or is an endpoint's own subscription, read inside the
/// transaction.
pub(super) async fn changeable(
    tx: &mut Tx,
    account: AccountId,
    id: AutomationId,
) -> Result<Option<Automation>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM automations
         WHERE account_id = $1 AND id = $2 AND deleted_at_ms IS NULL AND owner_endpoint_id IS NULL"
    );
    Ok(tx.fetch(&sql, args![account, id]).await?.into_iter().next())
}
