//! What waits for its time: claimed by who lives when that has come, held while its automation is switched
//! off, taken over from the dead.

use super::super::backend::Tx;
use super::super::row::record;
use super::super::snapshot::PublishedAutomation;
use super::super::values::args;
use super::super::{Error, Store};
use super::verdict;
use super::wait::{WaitKey, WaitKind};
use crate::automation::flow::Entry;
use crate::model::{AccountId, AutomationId, EventId, IncarnationId, Timestamp};

/// A wait whose time has come, claimed.
#[derive(Debug, Clone)]
pub struct Wait {
    /// Which.
    pub place: WaitKey,
    /// The version that accepted it.
    pub version: i64,
    /// The key of its debounce, digest or rate limit; empty if there is none.
    pub key: String,
    /// Whether its output is that of several events.
    pub is_digest: bool,
    /// Whether it waits for its place in a rate limit.
    pub is_limited: bool,
    /// When its time came.
    pub due_at: Timestamp,
    /// How often it was taken over from a life that had claimed it.
    pub takeovers: i64,
}

/// What a claim has brought.
#[derive(Debug, Clone)]
pub struct ClaimedWaits {
    /// In the order of their times.
    pub waits: Vec<Wait>,
    /// When the next of this account is due.
    pub next_due: Option<Timestamp>,
}

/// An account in which something waits.
#[derive(Debug, Clone, Copy)]
pub struct DueAccount {
    /// Which.
    pub account: AccountId,
    /// When the first is due.
    pub due_at: Timestamp,
}

record!(DueAccount {
    account: "account_id",
    due_at: "due_at_ms",
});

/// What an automation has come to while something of it waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It works.
    Live,
    /// It is switched off or put away.
    Off,
    /// It was removed.
    Removed,
}

/// The version that a wait goes on with, and what its automation has come to.
#[derive(Debug, Clone)]
pub struct WaitingVersion {
    /// The version.
    pub version: PublishedAutomation,
    /// The automation.
    pub fate: Fate,
}

struct ClaimedRow {
    automation_id: AutomationId,
    event_id: EventId,
    version: i64,
    kind: String,
    key: String,
    due_at_ms: Timestamp,
    takeovers: i64,
}

record!(ClaimedRow {
    automation_id: "automation_id",
    event_id: "event_id",
    version: "version",
    kind: "kind",
    key: "key",
    due_at_ms: "due_at_ms",
    takeovers: "takeovers",
});

struct EntryRow {
    id: EventId,
    r#type: String,
    occurred_at_ms: Timestamp,
    payload: Vec<u8>,
}

record!(EntryRow {
    id: "id",
    r#type: "type",
    occurred_at_ms: "occurred_at_ms",
    payload: "payload",
});

struct FateRow {
    enabled: bool,
    archived_at_ms: Option<Timestamp>,
    deleted_at_ms: Option<Timestamp>,
}

record!(FateRow {
    enabled: "enabled",
    archived_at_ms: "archived_at_ms",
    deleted_at_ms: "deleted_at_ms",
});

/// What is due of an account.
const DUE: &str =
    "account_id = $1 AND state = 'waiting' AND due_at_ms <= $2 ORDER BY due_at_ms LIMIT $3";

/// The primary key.
const KEY: &str = "account_id, automation_id, event_id";

/// A loose index scan: from each account found it seeks the next one.
const DUE_ACCOUNTS_SQL: &str = "
    WITH RECURSIVE due (account_id, due_at_ms) AS (
      SELECT * FROM (
        SELECT account_id, due_at_ms FROM flow_waits WHERE state = 'waiting' AND account_id > $1
        ORDER BY account_id, due_at_ms LIMIT 1) AS first
      UNION ALL
      SELECT n.account_id, n.due_at_ms FROM due
      JOIN flow_waits n ON n.state = 'waiting'
        AND n.account_id = (
          SELECT p.account_id FROM flow_waits p WHERE p.state = 'waiting' AND p.account_id > due.account_id
          ORDER BY p.account_id, p.due_at_ms LIMIT 1)
        AND (n.automation_id, n.event_id) = (
          SELECT p.automation_id, p.event_id FROM flow_waits p
          WHERE p.state = 'waiting' AND p.account_id > due.account_id
          ORDER BY p.account_id, p.due_at_ms LIMIT 1)
    )
    SELECT account_id, due_at_ms FROM due LIMIT $2";

impl Store {
    /// A node's own: up to `limit` accounts in which something waits, each with its first due time, in the order
    /// of their ids after `after`.
    pub async fn due_waits(
        &self,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<DueAccount>, Error> {
        let after = after.unwrap_or(AccountId::from_uuid(uuid::Uuid::nil()));
        self.fetch(DUE_ACCOUNTS_SQL, args![after, limit]).await
    }

    /// Claims up to `limit` of what is due of an account for `holder`, which must live. From now on they take
    /// no more events.
    pub async fn claim_waits(
        &self,
        holder: IncarnationId,
        account: AccountId,
        now: Timestamp,
        limit: usize,
    ) -> Result<ClaimedWaits, Error> {
        let mut tx = self.begin_as(holder).await?;
        let sql = format!(
            "UPDATE flow_waits SET state = 'claimed', holder = $4
             WHERE account_id = $1 AND {}
             RETURNING automation_id, event_id, version, kind, key, due_at_ms, takeovers",
            self.backend.picked("flow_waits", KEY, DUE)
        );
        let mut rows: Vec<ClaimedRow> = tx.fetch(&sql, args![account, now, limit, holder]).await?;
        rows.sort_by_key(|row| (row.due_at_ms, row.event_id));
        let next: Vec<(Option<Timestamp>,)> = tx
            .fetch(
                "SELECT MIN(due_at_ms) FROM flow_waits WHERE account_id = $1 AND state = 'waiting'",
                args![account],
            )
            .await?;
        tx.commit().await?;
        let waits = rows.into_iter().map(|row| Wait {
            place: WaitKey {
                account,
                automation: row.automation_id,
                event: row.event_id,
            },
            version: row.version,
            key: row.key,
            is_digest: row.kind == WaitKind::Digest.as_str(),
            is_limited: row.kind == WaitKind::Rate.as_str(),
            due_at: row.due_at_ms,
            takeovers: row.takeovers,
        });
        Ok(ClaimedWaits {
            waits: waits.collect(),
            next_due: next.first().and_then(|row| row.0),
        })
    }

    /// The version that accepted what waits, whatever has become of its automation.
    pub async fn waiting_version(
        &self,
        account: AccountId,
        automation: AutomationId,
        version: i64,
    ) -> Result<Option<WaitingVersion>, Error> {
        let which = args![account, automation, version];
        let found: Option<PublishedAutomation> = self
            .fetch_optional(
                "SELECT a.id, a.name, a.owner_endpoint_id, v.version, v.definition FROM automations a
                 JOIN automation_versions v ON v.account_id = a.account_id AND v.automation_id = a.id
                 WHERE a.account_id = $1 AND a.id = $2 AND v.version = $3",
                which,
            )
            .await?;
        let Some(version) = found else {
            return Ok(None);
        };
        let fate: Option<FateRow> = self
            .fetch_optional(FATE_SQL, args![account, automation])
            .await?;
        let fate = fate.map_or(Fate::Removed, |row| row.fate());
        Ok(Some(WaitingVersion { version, fate }))
    }

    /// The events of a digest, in order. Those whose payload has expired are missing.
    pub async fn digest_events(&self, digest: WaitKey) -> Result<Vec<Entry>, Error> {
        let rows: Vec<EntryRow> = self
            .fetch(
                "SELECT e.id, e.type, e.occurred_at_ms, e.payload FROM flow_entries f
                 JOIN events e ON e.account_id = f.account_id AND e.id = f.event_id
                 WHERE f.account_id = $1 AND f.automation_id = $2 AND f.digest_event_id = $3
                 ORDER BY f.place",
                args![digest.account, digest.automation, digest.event],
            )
            .await?;
        let entries = rows.into_iter().map(|row| {
            let corrupt = |why: String| Error::Corrupt {
                what: "the type of a digest's event",
                why,
            };
            Ok(Entry {
                id: row.id,
                event_type: row
                    .r#type
                    .parse()
                    .map_err(|error: crate::automation::PatternError| corrupt(error.to_string()))?,
                occurred_at: row.occurred_at_ms,
                payload: row.payload.into(),
            })
        });
        entries.collect()
    }

    /// Keeps back what `holder` has claimed, if its automation is still switched off; else it waits again.
    /// Whether it is held.
    pub async fn hold_wait(
        &self,
        holder: IncarnationId,
        place: WaitKey,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.begin_as(holder).await?;
        // Whoever switches it on waits for this, or this sees it on.
        let sql = format!("{FATE_SQL} {}", self.backend.for_share());
        let fate: Vec<FateRow> = tx
            .fetch(&sql, args![place.account, place.automation])
            .await?;
        let held = fate.first().is_some_and(|row| row.fate() == Fate::Off);
        let state = if held { "held" } else { "waiting" };
        tx.execute(
            "UPDATE flow_waits SET state = $5, holder = NULL
             WHERE account_id = $1 AND automation_id = $2 AND event_id = $3 AND holder = $4",
            args![place.account, place.automation, place.event, holder, state],
        )
        .await?;
        if held {
            let note = format!(
                "its time came at {now}, and it is held: the automation is switched off or archived, and it goes when that is switched on"
            );
            verdict::note(&mut tx, place, &note).await?;
        }
        tx.commit().await?;
        Ok(held)
    }

    /// Makes up to `limit` of what a life that has ended had claimed wait again, on behalf of `heir`, which
    /// must live. The accounts.
    pub async fn release_waits(
        &self,
        ended: IncarnationId,
        heir: IncarnationId,
        limit: usize,
    ) -> Result<Vec<AccountId>, Error> {
        let mut tx = self.begin_as(heir).await?;
        let sql = format!(
            "UPDATE flow_waits SET state = 'waiting', holder = NULL, takeovers = takeovers + 1
             WHERE {} RETURNING account_id",
            self.backend.picked(
                "flow_waits",
                KEY,
                "holder = $1 AND state = 'claimed' LIMIT $2"
            )
        );
        let released: Vec<(AccountId,)> = tx.fetch(&sql, args![ended, limit]).await?;
        tx.commit().await?;
        Ok(released.into_iter().map(|row| row.0).collect())
    }

    /// Makes up to `rows_max` outputs that were due before a time, and were held since, wait again: whoever
    /// claims one of them gives it up. How many there were.
    pub async fn give_up_held(&self, before: Timestamp, rows_max: usize) -> Result<u64, Error> {
        let which = "state = 'held' AND due_at_ms < $1 ORDER BY due_at_ms LIMIT $2";
        let sql = format!(
            "UPDATE flow_waits SET state = 'waiting' WHERE {}",
            self.backend.picked("flow_waits", KEY, which)
        );
        self.execute(&sql, args![before, rows_max]).await
    }
}

const FATE_SQL: &str = "SELECT enabled, archived_at_ms, deleted_at_ms FROM automations
     WHERE account_id = $1 AND id = $2";

impl FateRow {
    fn fate(&self) -> Fate {
        match (self.deleted_at_ms, self.archived_at_ms, self.enabled) {
            (Some(_deleted), ..) => Fate::Removed,
            (None, None, true) => Fate::Live,
            _ => Fate::Off,
        }
    }
}

/// What was held of an automation waits again: it was switched on, or removed.
pub(in super::super) async fn release_held(
    tx: &mut Tx,
    (account, automation): (AccountId, AutomationId),
) -> Result<(), Error> {
    tx.execute(
        "UPDATE flow_waits SET state = 'waiting'
         WHERE account_id = $1 AND automation_id = $2 AND state = 'held'",
        args![account, automation],
    )
    .await
    .map(drop)
}
