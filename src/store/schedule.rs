//! Schedules: how they stand, up to where their occurrences are on the ledger, and whose trigger they are.

use super::occurrence::skip_between;
use super::page::{Cursor, Page, start};
use super::row::record;
use super::values::args;
use super::{Error, Store, Tx, account};
use crate::model::limits::SCHEDULES_PER_ACCOUNT_MAX;
use crate::model::{AccountId, AutomationId, ScheduleId, Timestamp};

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: ScheduleId,
    /// The automation whose trigger it is, and with which it is changed and removed.
    pub owner: Option<AutomationId>,
    /// What its events' type ends with.
    pub name: String,
    /// JSON.
    pub definition: String,
    /// What its events carry: JSON text, exactly as it came.
    pub payload: Vec<u8>,
    /// Whether its occurrences are skipped.
    pub paused: bool,
    /// Its occurrences up to here are on the ledger.
    pub cursor_at: Timestamp,
    /// When the next one runs; `None`: there is none.
    pub due_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

record!(Schedule {
    account: "account_id",
    id: "id",
    owner: "owner_automation_id",
    name: "name",
    definition: "definition",
    payload: "payload",
    paused: "paused",
    cursor_at: "cursor_ms",
    due_at: "due_at_ms",
    created_at: "created_at_ms",
    updated_at: "updated_at_ms",
});

const COLUMNS: &str = "account_id, id, owner_automation_id, name, definition, payload, paused, cursor_ms, \
     due_at_ms, created_at_ms, updated_at_ms";

impl Store {
    /// Makes a schedule. [`Error::is_taken`] if the account has one of this name.
    pub async fn create_schedule(&self, new: &Schedule) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, new.account).await?;
        insert(&mut tx, new).await?;
        let limit = ("schedules", SCHEDULES_PER_ACCOUNT_MAX);
        account::check_count(
            &mut tx,
            new.account,
            "FROM schedules WHERE account_id = $1 AND owner_automation_id IS NULL",
            limit,
        )
        .await?;
        tx.commit().await
    }

    /// Replaces a schedule, made from what was read (`from`). Whether there is one with this id. Where the
    /// cursor moves, the occurrences in between go on the ledger as skipped.
    /// [`Error::Raced`] if it stands differently by now, [`Error::is_taken`] if another has the name.
    pub async fn change_schedule(&self, from: &Schedule, to: &Schedule) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        match change(&mut tx, from, to).await {
            Err(Error::Raced) if read(&mut tx, (from.account, from.id)).await?.is_none() => {
                return Ok(false);
            }
            changed => changed?,
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Removes a schedule, and what of it has not run. Its ledger is of nothing then, and goes by time. Whether
    /// there was one.
    pub async fn delete_schedule(&self, account: AccountId, id: ScheduleId) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let was_there = remove(&mut tx, (account, id)).await?;
        tx.commit().await?;
        Ok(was_there)
    }

    /// The schedule with this id.
    pub async fn schedule(
        &self,
        account: AccountId,
        id: ScheduleId,
    ) -> Result<Option<Schedule>, Error> {
        self.fetch_optional(&by_id(), args![account, id]).await
    }

    /// A page of the account's schedules, newest first.
    pub async fn schedules(
        &self,
        account: AccountId,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Schedule>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM schedules WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
        );
        let rows = self
            .fetch(&sql, args![account, start(after), limit + 1])
            .await?;
        Ok(Page::of(rows, limit, |row: &Schedule| row.id.uuid()))
    }
}

fn by_id() -> String {
    format!("SELECT {COLUMNS} FROM schedules WHERE account_id = $1 AND id = $2")
}

/// The schedule, read inside the transaction.
pub(super) async fn read(
    tx: &mut Tx,
    (account, id): (AccountId, ScheduleId),
) -> Result<Option<Schedule>, Error> {
    let found = tx.fetch(&by_id(), args![account, id]).await?;
    Ok(found.into_iter().next())
}

pub(super) async fn insert(tx: &mut Tx, new: &Schedule) -> Result<(), Error> {
    tx.execute(
        &format!(
            "INSERT INTO schedules ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        ),
        args![
            new.account,
            new.id,
            new.owner,
            new.name.as_str(),
            new.definition.as_str(),
            new.payload.clone(),
            new.paused,
            new.cursor_at,
            new.due_at,
            new.created_at,
            new.updated_at
        ],
    )
    .await
    .map(drop)
}

/// Replaces the schedule if it stands as it was read: [`Error::Raced`] otherwise.
pub(super) async fn change(tx: &mut Tx, from: &Schedule, to: &Schedule) -> Result<(), Error> {
    let changed = tx
        .execute(
            "UPDATE schedules SET name = $3, definition = $4, payload = $5, paused = $6, cursor_ms = $7,
               due_at_ms = $8, updated_at_ms = $9
             WHERE account_id = $1 AND id = $2 AND name = $10 AND definition = $11 AND payload = $12
               AND paused = $13 AND cursor_ms = $14",
            args![
                from.account,
                from.id,
                to.name.as_str(),
                to.definition.as_str(),
                to.payload.clone(),
                to.paused,
                to.cursor_at,
                to.due_at,
                to.updated_at,
                from.name.as_str(),
                from.definition.as_str(),
                from.payload.clone(),
                from.paused,
                from.cursor_at
            ],
        )
        .await?;
    if changed == 0 {
        return Err(Error::Raced);
    }
    // One that had come to its end, or stood still, has none in between.
    if from.due_at.is_some() && to.cursor_at > from.cursor_at {
        skip_between(tx, from, to).await?;
    }
    Ok(())
}

/// Removes the schedule, and what of it has not run. Whether there was one.
pub(super) async fn remove(
    tx: &mut Tx,
    (account, id): (AccountId, ScheduleId),
) -> Result<bool, Error> {
    let removed = tx
        .execute(
            "DELETE FROM schedules WHERE account_id = $1 AND id = $2",
            args![account, id],
        )
        .await?;
    // Never many. All of the ledger may be millions of rows, which no transaction should take at once.
    tx.execute(
        "DELETE FROM occurrences WHERE account_id = $1 AND schedule_id = $2 AND settled_at_ms IS NULL",
        args![account, id],
    )
    .await?;
    Ok(removed > 0)
}
