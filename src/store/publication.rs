//! Which version of an automation was live, from when to when: of the account's revisions, as of which
//! events are evaluated, and of the clock. Nothing that was live is ever rewritten.

use super::row::record;
use super::values::args;
use super::version::{Authorship, columns};
use super::{Error, Store, Tx, flow};
use crate::model::{AccountId, ApiKeyId, AutomationId, EndpointId, Timestamp};

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

/// A time in which a version was live: of the account's revisions, and of the clock.
#[derive(Debug, Clone)]
pub struct LiveSpan {
    /// Which version.
    pub version: i64,
    /// The first revision at which it was.
    pub from_revision: i64,
    /// The first one at which it was not any more; `None`: it is live.
    pub to_revision: Option<i64>,
    /// Since when, if that is known.
    pub from_at: Option<Timestamp>,
    /// Until when, if it is over and that is known.
    pub to_at: Option<Timestamp>,
    /// Whose key made it live, if that is known.
    pub author_key: Option<ApiKeyId>,
    /// What that key was called.
    pub author_name: Option<String>,
    /// Why it went live although its tests failed, if it did.
    pub override_reason: Option<String>,
}

record!(LiveSpan {
    version: "version",
    from_revision: "from_revision",
    to_revision: "to_revision",
    from_at: "from_at_ms",
    to_at: "to_at_ms",
    author_key: "author_key_id",
    author_name: "author_name",
    override_reason: "override_reason",
});

impl Store {
    /// Up to `limit` times in which a version was live that began before the revision `before`, newest
    /// first.
    pub async fn live_spans(
        &self,
        account: AccountId,
        id: AutomationId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<LiveSpan>, Error> {
        self.fetch(
            "SELECT version, from_revision, to_revision, from_at_ms, to_at_ms, author_key_id, author_name,
               override_reason
             FROM publications WHERE account_id = $1 AND automation_id = $2 AND from_revision < $3
             ORDER BY from_revision DESC LIMIT $4",
            args![account, id, before.unwrap_or(i64::MAX), limit],
        )
        .await
    }

    /// The version that was live last, `version` left out.
    pub async fn last_live_but(
        &self,
        account: AccountId,
        id: AutomationId,
        version: i64,
    ) -> Result<Option<i64>, Error> {
        let found: Option<(i64,)> = self
            .fetch_optional(
                "SELECT version FROM publications
                 WHERE account_id = $1 AND automation_id = $2 AND version <> $3
                 ORDER BY from_revision DESC LIMIT 1",
                args![account, id, version],
            )
            .await?;
        Ok(found.map(|row| row.0))
    }

    /// Whether the version was ever live.
    pub async fn was_live(
        &self,
        account: AccountId,
        id: AutomationId,
        version: i64,
    ) -> Result<bool, Error> {
        let found: Option<(i64,)> = self
            .fetch_optional(
                "SELECT version FROM publications
                 WHERE account_id = $1 AND automation_id = $2 AND version = $3 LIMIT 1",
                args![account, id, version],
            )
            .await?;
        Ok(found.is_some())
    }
}

/// Makes `course.0` the published version, live or not. What is so already stays as it is.
pub(super) async fn publish(
    tx: &mut Tx,
    which: (AccountId, AutomationId),
    course: (i64, Publication),
    revision: i64,
    by: &Authorship,
) -> Result<(), Error> {
    let ((account, automation), (version, publication)) = (which, course);
    let live = match publication {
        Publication::Draft => return Ok(()),
        Publication::Live => true,
        Publication::Off => false,
    };
    tx.execute(
        "UPDATE automations SET published_version = $3, enabled = $4 WHERE account_id = $1 AND id = $2",
        args![account, automation, version, live],
    )
    .await?;
    let open: Vec<(i64,)> = tx
        .fetch(
            "SELECT version FROM publications
             WHERE account_id = $1 AND automation_id = $2 AND to_revision IS NULL",
            args![account, automation],
        )
        .await?;
    if live && open.iter().any(|open| open.0 == version) {
        return Ok(());
    }
    close_publication(tx, which, (revision, by.at)).await?;
    if live {
        flow::release_held(tx, which).await?;
        let (key, name) = columns(by.author.as_ref());
        tx.execute(
            "INSERT INTO publications (account_id, automation_id, from_revision, version, from_at_ms,
               author_key_id, author_name, override_reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            args![
                account,
                automation,
                revision,
                version,
                by.at,
                key,
                name,
                by.override_reason.clone()
            ],
        )
        .await?;
    }
    Ok(())
}

/// What was live is live no more from this revision on.
pub(super) async fn close_publication(
    tx: &mut Tx,
    (account, automation): (AccountId, AutomationId),
    (revision, at): (i64, Timestamp),
) -> Result<(), Error> {
    tx.execute(
        "UPDATE publications SET to_revision = $3, to_at_ms = $4
         WHERE account_id = $1 AND automation_id = $2 AND to_revision IS NULL",
        args![account, automation, revision, at],
    )
    .await
    .map(drop)
}

/// Ends the endpoint's own subscription, if it has one.
pub(super) async fn end_subscription(
    tx: &mut Tx,
    account: AccountId,
    endpoint: EndpointId,
    revision: i64,
    now: Timestamp,
) -> Result<(), Error> {
    let ended: Vec<(AutomationId,)> = tx
        .fetch(
            "UPDATE automations SET deleted_at_ms = $3, updated_at_ms = $3, enabled = $4
             WHERE account_id = $1 AND owner_endpoint_id = $2 AND deleted_at_ms IS NULL RETURNING id",
            args![account, endpoint, now, false],
        )
        .await?;
    for (automation,) in ended {
        close_publication(tx, (account, automation), (revision, now)).await?;
    }
    Ok(())
}
