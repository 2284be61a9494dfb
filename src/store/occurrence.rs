//! The ledger of occurrences: one row each, whichever node writes it first. Each stays on it for 30 days.

use super::row::record;
use super::schedule::Schedule;
use super::values::{Columns, Kind, Rows, Shape, args, values};
use super::{Error, Store, Tx};
use crate::cron::{Cause, Definition, Mark, Reason};
use crate::model::{AccountId, EventId, ScheduleId, Timestamp};

/// How long an occurrence stays on the ledger.
pub const LEDGER_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Occurrences that are put on the ledger as skipped by one change of their schedule.
const SKIPPED_MAX: usize = 500;

/// An occurrence to be put on the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOccurrence {
    /// Its nominal time, as an instant.
    pub at: Timestamp,
    /// The same on the wall.
    pub nominal: String,
    /// How it came about.
    pub cause: Cause,
    /// What becomes of it.
    pub mark: Mark,
    /// Set if it does not run.
    pub reason: Option<Reason>,
}

/// An occurrence on the ledger.
#[derive(Debug, Clone)]
pub struct OccurrenceEntry {
    /// Its nominal time, as an instant.
    pub at: Timestamp,
    /// The same on the wall.
    pub nominal: String,
    /// The word of a [`Cause`].
    pub cause: String,
    /// The word of a [`Mark`].
    pub state: String,
    /// The word of a [`Reason`].
    pub reason: Option<String>,
    /// Its event, if it ran.
    pub event: Option<EventId>,
    /// When that was decided; `None`: it has not run yet.
    pub settled_at: Option<Timestamp>,
}

record!(OccurrenceEntry {
    at: "at_ms",
    nominal: "nominal",
    cause: "cause",
    state: "state",
    reason: "reason",
    event: "event_id",
    settled_at: "settled_at_ms",
});

/// An occurrence that is to run, of a schedule as it stands now.
#[derive(Debug, Clone)]
pub struct OpenOccurrence {
    /// Whose.
    pub account: AccountId,
    /// Of which schedule.
    pub schedule: ScheduleId,
    /// Its nominal time, as an instant.
    pub at: Timestamp,
    /// The same on the wall.
    pub nominal: String,
    /// The word of a [`Cause`].
    pub cause: String,
    /// The word of a [`Mark`].
    pub state: String,
    /// Whether the schedule is paused.
    pub paused: bool,
    /// The schedule's name.
    pub name: String,
    /// The schedule's definition, JSON.
    pub definition: String,
    /// What its events carry.
    pub payload: Vec<u8>,
}

record!(OpenOccurrence {
    account: "account_id",
    schedule: "schedule_id",
    at: "at_ms",
    nominal: "nominal",
    cause: "cause",
    state: "state",
    paused: "paused",
    name: "name",
    definition: "definition",
    payload: "payload",
});

/// Where an occurrence is on the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OccurrenceKey {
    /// Whose.
    pub account: AccountId,
    /// Of which schedule.
    pub schedule: ScheduleId,
    /// Its nominal time, as an instant.
    pub at: Timestamp,
}

const COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("schedule_id", Kind::Uuid),
    ("at_ms", Kind::Int),
    ("nominal", Kind::Text),
    ("cause", Kind::Text),
    ("state", Kind::Text),
    ("reason", Kind::Text),
    ("settled_at_ms", Kind::Int),
    ("expires_at_ms", Kind::Int),
];

const FIRED_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("schedule_id", Kind::Uuid),
    ("at_ms", Kind::Int),
    ("event_id", Kind::Uuid),
    ("settled_at_ms", Kind::Int),
];

const ENTRY: &str = "at_ms, nominal, cause, state, reason, event_id, settled_at_ms";

impl Store {
    /// A node's own: up to `limit` occurrences of all accounts that are to run, after one (in the order of
    /// their keys).
    pub async fn open_occurrences(
        &self,
        after: Option<OccurrenceKey>,
        limit: usize,
    ) -> Result<Vec<OpenOccurrence>, Error> {
        let after = after.unwrap_or(OccurrenceKey {
            account: AccountId::from_uuid(uuid::Uuid::nil()),
            schedule: ScheduleId::from_uuid(uuid::Uuid::nil()),
            at: Timestamp::from_ms(i64::MIN),
        });
        self.fetch(
            "SELECT o.account_id, o.schedule_id, o.at_ms, o.nominal, o.cause, o.state, s.paused, s.name, s.definition, s.payload
             FROM occurrences o JOIN schedules s ON s.account_id = o.account_id AND s.id = o.schedule_id
             WHERE o.settled_at_ms IS NULL AND (o.account_id, o.schedule_id, o.at_ms) > ($1, $2, $3)
             ORDER BY o.account_id, o.schedule_id, o.at_ms LIMIT $4",
            args![after.account, after.schedule, after.at, limit],
        )
        .await
    }

    /// Occurrences have become events.
    pub async fn fire_occurrences(
        &self,
        fired: &[(OccurrenceKey, EventId)],
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut rows = Rows::new(FIRED_COLUMNS, fired.len());
        for (key, event) in fired {
            rows.push(values![key.account, key.schedule, key.at, *event, now]);
        }
        if rows.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let shape = Shape::Update {
            table: "occurrences",
            key: 3,
            set: "state = 'fired'",
            only_if: "occurrences.settled_at_ms IS NULL",
        };
        tx.execute_rows(rows, shape).await?;
        tx.commit().await
    }

    /// An occurrence that was to run does not: [`Mark::Skipped`] or [`Mark::Missed`].
    pub async fn drop_occurrence(
        &self,
        key: OccurrenceKey,
        why: (Mark, Reason),
        now: Timestamp,
    ) -> Result<(), Error> {
        let (mark, reason) = (why.0.as_str(), why.1.as_str());
        self.execute(
            "UPDATE occurrences SET state = $4, reason = $5, settled_at_ms = $6
             WHERE account_id = $1 AND schedule_id = $2 AND at_ms = $3 AND settled_at_ms IS NULL",
            args![key.account, key.schedule, key.at, mark, reason, now],
        )
        .await
        .map(drop)
    }

    /// Deletes up to `rows_max` occurrences that have been on the ledger for as long as one is; how many
    /// there were.
    pub async fn forget_occurrences(&self, now: Timestamp, rows_max: usize) -> Result<u64, Error> {
        let key = "account_id, schedule_id, at_ms";
        let sql = self.backend.delete_expired("occurrences", key);
        self.execute(&sql, args![now, rows_max]).await
    }

    /// Up to `limit` occurrences of a schedule before a time, newest first.
    pub async fn occurrences(
        &self,
        account: AccountId,
        schedule: ScheduleId,
        before: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<OccurrenceEntry>, Error> {
        let before = before.unwrap_or(Timestamp::from_ms(i64::MAX));
        self.fetch(
            &format!(
                "SELECT {ENTRY} FROM occurrences
                 WHERE account_id = $1 AND schedule_id = $2 AND at_ms < $3 ORDER BY at_ms DESC LIMIT $4"
            ),
            args![account, schedule, before, limit],
        )
        .await
    }
}

/// Puts occurrences on the ledger. One that is there already stays as it is.
pub(super) async fn insert(
    tx: &mut Tx,
    (account, schedule): (AccountId, ScheduleId),
    occurrences: &[NewOccurrence],
    now: Timestamp,
) -> Result<(), Error> {
    if occurrences.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(COLUMNS, occurrences.len());
    for one in occurrences {
        let open = matches!(one.mark, Mark::Due | Mark::Queued);
        rows.push(values![
            account,
            schedule,
            one.at,
            one.nominal.as_str(),
            one.cause.as_str(),
            one.mark.as_str(),
            one.reason.map(Reason::as_str),
            (!open).then_some(now),
            one.at.plus_ms(LEDGER_MS)
        ]);
    }
    let shape = Shape::Insert {
        into: "occurrences",
        tail: "ON CONFLICT DO NOTHING",
    };
    tx.execute_rows(rows, shape).await
}

/// Puts what a change of a schedule takes away on the ledger: the occurrences from its cursor to the new one.
pub(super) async fn skip_between(tx: &mut Tx, from: &Schedule, to: &Schedule) -> Result<(), Error> {
    let definition: Definition =
        serde_json::from_str(&from.definition).map_err(|error| corrupt(&error))?;
    // What can't be run by never had an occurrence.
    let Ok(timing) = definition.timing() else {
        return Ok(());
    };
    let reason = if from.paused {
        Reason::Paused
    } else {
        Reason::Changed
    };
    let skipped: Vec<NewOccurrence> = definition
        .between(&timing, (from.cursor_at, to.cursor_at))
        .take(SKIPPED_MAX)
        .map(|one| NewOccurrence {
            at: one.at,
            nominal: one.nominal.to_string(),
            cause: Cause::Scheduled,
            mark: Mark::Skipped,
            reason: Some(reason),
        })
        .collect();
    insert(tx, (from.account, from.id), &skipped, to.updated_at).await
}

/// For a definition that can't be read.
pub(super) fn corrupt(error: &serde_json::Error) -> Error {
    Error::Corrupt {
        what: "a schedule",
        why: error.to_string(),
    }
}
