//! The immutable versions of automations, and who saves and publishes them. What changes an automation is
//! written only if it still stands as it did for whoever decided on the change.

use super::addressee;
use super::automation::{Automation, NewAutomation, changeable};
use super::endpoint::{check_endpoints, insert_endpoint};
use super::own_schedule::follow;
use super::publication::{Publication, close_publication, publish};
use super::row::record;
use super::standing::AutomationStanding;
use super::values::{Columns, Kind, Rows, Shape, args, values};
use super::{Error, Store, Tx, account};
use crate::automation::DefinitionDigest;
use crate::model::{AccountId, ApiKeyId, AutomationId, Timestamp};

/// Whose key did something, as it was called then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Which key.
    pub key: ApiKeyId,
    /// Its name.
    pub name: String,
}

/// By whom and when something was done.
#[derive(Debug, Clone)]
pub struct Authorship {
    /// `None`: nobody's key, or it is not known any more.
    pub author: Option<Author>,
    /// When.
    pub at: Timestamp,
    /// Why a version goes live although its tests fail, if it does.
    pub override_reason: Option<String>,
}

/// A change of an automation that makes no version.
#[derive(Debug, Clone)]
pub struct AutomationChange {
    /// What it is called from now on.
    pub name: Option<String>,
    /// What else becomes of it.
    pub course: Option<StateChange>,
    /// By whom and when.
    pub by: Authorship,
}

/// What becomes of an automation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateChange {
    /// A version that there is is the published one.
    Publish(i64, Publication),
    /// It is put away: nothing of it is live.
    Archive,
    /// It is taken out again, switched off.
    Unarchive,
}

/// One immutable version.
#[derive(Debug, Clone)]
pub struct AutomationVersion {
    /// Its number, from 1.
    pub version: i64,
    /// JSON.
    pub definition: String,
    /// SHA-256 of the definition; `None`: it was saved before there were digests.
    pub digest: Option<Vec<u8>>,
    /// Whose key saved it, if that is known.
    pub author_key: Option<ApiKeyId>,
    /// What that key was called.
    pub author_name: Option<String>,
    /// What its author said of it.
    pub note: Option<String>,
    /// When it was saved.
    pub created_at: Timestamp,
}

record!(AutomationVersion {
    version: "version",
    definition: "definition",
    digest: "digest",
    author_key: "author_key_id",
    author_name: "author_name",
    note: "note",
    created_at: "created_at_ms",
});

const VERSIONS: Columns = &[
    ("account_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("version", Kind::Int),
];

const DEFINITIONS_SQL: &str = "
    SELECT a.automation_id, a.definition FROM v
    JOIN automation_versions a ON a.account_id = v.account_id AND a.automation_id = v.automation_id
      AND a.version = v.version";

/// One version without its definition, unless there is no digest of that.
#[derive(Debug, Clone)]
pub struct VersionHead {
    /// Its number, from 1.
    pub version: i64,
    /// JSON; only where there is no digest.
    pub undigested: Option<String>,
    /// SHA-256 of the definition.
    pub digest: Option<Vec<u8>>,
    /// Whose key saved it, if that is known.
    pub author_key: Option<ApiKeyId>,
    /// What that key was called.
    pub author_name: Option<String>,
    /// What its author said of it.
    pub note: Option<String>,
    /// When it was saved.
    pub created_at: Timestamp,
}

record!(VersionHead {
    version: "version",
    undigested: "undigested",
    digest: "digest",
    author_key: "author_key_id",
    author_name: "author_name",
    note: "note",
    created_at: "created_at_ms",
});

impl Store {
    /// Saves a further version of an automation, with its name and endpoints; `from`: how the automation
    /// stood when the version was made from it. The version's number; `None` if there is no such
    /// automation. [`Error::Raced`] if it does not stand like that any more.
    pub async fn save_version(
        &self,
        account: AccountId,
        new: &NewAutomation,
        from: &AutomationStanding,
    ) -> Result<Option<i64>, Error> {
        let mut tx = self.begin().await?;
        let revision = account::raise_revision(&mut tx, account).await?;
        let Some(known) = standing_as(&mut tx, account, new.id, from).await? else {
            return Ok(None);
        };
        let version = known.latest_version + 1;
        tx.execute(
            "UPDATE automations SET latest_version = $5, name = $3, updated_at_ms = $4
             WHERE account_id = $1 AND id = $2",
            args![account, new.id, new.name.as_str(), new.created_at, version],
        )
        .await?;
        insert_version(&mut tx, account, new, version).await?;
        let course = (version, new.publication);
        publish(
            &mut tx,
            (account, new.id),
            course,
            revision,
            &new.authorship(),
        )
        .await?;
        follow(&mut tx, (account, new.id), new.created_at).await?;
        tx.commit().await?;
        Ok(Some(version))
    }

    /// Changes an automation without a new version; `from`: how it stood when that was decided. The
    /// account's new revision; `None` if there is no such automation. [`Error::Raced`] if it does not
    /// stand like that any more.
    pub async fn change_automation(
        &self,
        account: AccountId,
        id: AutomationId,
        change: &AutomationChange,
        from: &AutomationStanding,
    ) -> Result<Option<i64>, Error> {
        let mut tx = self.begin().await?;
        let revision = account::raise_revision(&mut tx, account).await?;
        if standing_as(&mut tx, account, id, from).await?.is_none() {
            return Ok(None);
        }
        let (by, at) = (&change.by, change.by.at);
        tx.execute(
            "UPDATE automations SET name = COALESCE($3, name), updated_at_ms = $4
             WHERE account_id = $1 AND id = $2",
            args![account, id, change.name.clone(), at],
        )
        .await?;
        match change.course {
            None => {}
            Some(StateChange::Publish(version, publication)) => {
                let course = (version, publication);
                publish(&mut tx, (account, id), course, revision, by).await?;
            }
            Some(StateChange::Archive) => {
                close_publication(&mut tx, (account, id), (revision, at)).await?;
                shelve(&mut tx, (account, id), Some(at)).await?;
            }
            Some(StateChange::Unarchive) => shelve(&mut tx, (account, id), None).await?,
        }
        if change.course.is_some() {
            follow(&mut tx, (account, id), at).await?;
        }
        tx.commit().await?;
        Ok(Some(revision))
    }

    /// One version of an automation, removed or not.
    pub async fn automation_version(
        &self,
        account: AccountId,
        id: AutomationId,
        version: i64,
    ) -> Result<Option<AutomationVersion>, Error> {
        self.fetch_optional(
            "SELECT version, definition, digest, author_key_id, author_name, note, created_at_ms
             FROM automation_versions WHERE account_id = $1 AND automation_id = $2 AND version = $3",
            args![account, id, version],
        )
        .await
    }

    /// The definitions of these versions, one of each automation, in any order.
    pub async fn definitions(
        &self,
        account: AccountId,
        versions: &[(AutomationId, i64)],
    ) -> Result<Vec<(AutomationId, String)>, Error> {
        let mut rows = Rows::new(VERSIONS, versions.len());
        for (automation, version) in versions {
            rows.push(values![account, *automation, *version]);
        }
        self.backend
            .fetch_rows(rows, Shape::Query(DEFINITIONS_SQL))
            .await
    }

    /// Up to `limit` versions before the one of the number `before`, newest first.
    pub async fn automation_versions(
        &self,
        account: AccountId,
        id: AutomationId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<VersionHead>, Error> {
        self.fetch(
            "SELECT version, digest, author_key_id, author_name, note, created_at_ms,
               CASE WHEN digest IS NULL THEN definition END AS undigested
             FROM automation_versions WHERE account_id = $1 AND automation_id = $2 AND version < $3
             ORDER BY version DESC LIMIT $4",
            args![account, id, before.unwrap_or(i64::MAX), limit],
        )
        .await
    }
}

/// The automation, if it stands as it did; `None` if there is none.
async fn standing_as(
    tx: &mut Tx,
    account: AccountId,
    id: AutomationId,
    from: &AutomationStanding,
) -> Result<Option<Automation>, Error> {
    match changeable(tx, account, id).await? {
        Some(known) if known.standing() != *from => Err(Error::Raced),
        known => Ok(known),
    }
}

/// Inserts a version and the endpoints of its bare URLs.
pub(super) async fn insert_version(
    tx: &mut Tx,
    account: AccountId,
    new: &NewAutomation,
    version: i64,
) -> Result<(), Error> {
    for endpoint in &new.endpoints {
        insert_endpoint(tx, account, endpoint).await?;
        if let Some(author) = &new.author {
            addressee::edited(tx, (account, endpoint.id), author.key).await?;
        }
    }
    if !new.endpoints.is_empty() {
        check_endpoints(tx, account).await?;
    }
    let (key, name) = columns(new.author.as_ref());
    tx.execute(
        "INSERT INTO automation_versions (account_id, automation_id, version, definition, digest,
           author_key_id, author_name, note, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![
            account,
            new.id,
            version,
            new.definition.as_str(),
            *DefinitionDigest::of(&new.definition).as_bytes(),
            key,
            name,
            new.note.clone(),
            new.created_at
        ],
    )
    .await
    .map(drop)
}

/// Puts it away, switched off, or takes it out again.
async fn shelve(
    tx: &mut Tx,
    (account, automation): (AccountId, AutomationId),
    archived_at: Option<Timestamp>,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE automations SET archived_at_ms = $3, enabled = $4 WHERE account_id = $1 AND id = $2",
        args![account, automation, archived_at, false],
    )
    .await
    .map(drop)
}

/// Which key, and what it was called.
pub(super) fn columns(author: Option<&Author>) -> (Option<ApiKeyId>, Option<String>) {
    let name = author.map(|author| author.name.clone());
    (author.map(|author| author.key), name)
}
