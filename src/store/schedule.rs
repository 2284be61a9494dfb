//! Schedules: how they stand, up to where their occurrences are on the ledger, and which are due.

use super::page::{Cursor, Page, start};
use super::row::record;
use super::values::args;
use super::{Error, Store, account};
use crate::model::limits::SCHEDULES_PER_ACCOUNT_MAX;
use crate::model::{AccountId, ScheduleId, Timestamp};

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: ScheduleId,
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
    name: "name",
    definition: "definition",
    payload: "payload",
    paused: "paused",
    cursor_at: "cursor_ms",
    due_at: "due_at_ms",
    created_at: "created_at_ms",
    updated_at: "updated_at_ms",
});

const COLUMNS: &str = "account_id, id, name, definition, payload, paused, cursor_ms, due_at_ms, \
     created_at_ms, updated_at_ms";

impl Store {
    /// Makes a schedule. [`Error::is_taken`] if the account has one of this name.
    pub async fn create_schedule(&self, new: &Schedule) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, new.account).await?;
        tx.execute(
            &format!(
                "INSERT INTO schedules ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
            ),
            args![
                new.account,
                new.id,
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
        .await?;
        let limit = ("schedules", SCHEDULES_PER_ACCOUNT_MAX);
        account::check_count(
            &mut tx,
            new.account,
            "FROM schedules WHERE account_id = $1",
            limit,
        )
        .await?;
        tx.commit().await
    }

    /// Replaces a schedule, made from what was read (`from`). Whether there is one with this id.
    /// [`Error::Raced`] if it stands differently by now, [`Error::is_taken`] if another has the name.
    pub async fn change_schedule(&self, from: &Schedule, to: &Schedule) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
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
            let known: Vec<(ScheduleId,)> = tx
                .fetch(
                    "SELECT id FROM schedules WHERE account_id = $1 AND id = $2",
                    args![from.account, from.id],
                )
                .await?;
            return if known.is_empty() {
                Ok(false)
            } else {
                Err(Error::Raced)
            };
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Removes a schedule with its ledger. Whether there was one.
    pub async fn delete_schedule(&self, account: AccountId, id: ScheduleId) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let changed = tx
            .execute(
                "DELETE FROM schedules WHERE account_id = $1 AND id = $2",
                args![account, id],
            )
            .await?;
        tx.execute(
            "DELETE FROM occurrences WHERE account_id = $1 AND schedule_id = $2",
            args![account, id],
        )
        .await?;
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// The schedule with this id.
    pub async fn schedule(
        &self,
        account: AccountId,
        id: ScheduleId,
    ) -> Result<Option<Schedule>, Error> {
        self.fetch_optional(
            &format!("SELECT {COLUMNS} FROM schedules WHERE account_id = $1 AND id = $2"),
            args![account, id],
        )
        .await
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

    /// A node's own: up to `limit` schedules of all accounts with an occurrence due by now, the most overdue
    /// first.
    pub async fn due_schedules(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Schedule>, Error> {
        self.fetch(
            &format!(
                "SELECT {COLUMNS} FROM schedules WHERE due_at_ms <= $1 ORDER BY due_at_ms LIMIT $2"
            ),
            args![now, limit],
        )
        .await
    }

    /// A node's own: when the next occurrence of any schedule is due.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, Error> {
        let found: Option<(Timestamp,)> = self
            .fetch_optional(
                "SELECT due_at_ms FROM schedules WHERE due_at_ms IS NOT NULL ORDER BY due_at_ms LIMIT 1",
                Vec::new(),
            )
            .await?;
        Ok(found.map(|row| row.0))
    }
}
