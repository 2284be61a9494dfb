//! A node's own look at schedules: which are due, and how they go on.

use super::occurrence::{NewOccurrence, insert};
use super::row::record;
use super::values::args;
use super::{Error, Store};
use crate::model::{AccountId, ScheduleId, Timestamp};

/// A schedule of which an occurrence is due, or was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueSchedule {
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: ScheduleId,
    /// JSON.
    pub definition: String,
    /// Whether its occurrences are skipped.
    pub paused: bool,
    /// Its occurrences up to here are on the ledger.
    pub cursor_at: Timestamp,
    /// When the next one runs.
    pub due_at: Timestamp,
    /// How often a run was asked for.
    pub runs_asked: i64,
}

record!(DueSchedule {
    account: "account_id",
    id: "id",
    definition: "definition",
    paused: "paused",
    cursor_at: "cursor_ms",
    due_at: "due_at_ms",
    runs_asked: "runs_asked",
});

/// How a schedule goes on: what goes on the ledger, and what is next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// In order of their times.
    pub occurrences: Vec<NewOccurrence>,
    /// The schedule's new cursor.
    pub cursor_at: Timestamp,
    /// When its next occurrence runs.
    pub due_at: Option<Timestamp>,
}

/// The most overdue first, each after the one before.
const DUE_SQL: &str =
    "SELECT account_id, id, definition, paused, cursor_ms, due_at_ms, runs_asked FROM schedules
     WHERE due_at_ms <= $1 AND (due_at_ms, account_id, id) > ($2, $3, $4)
     ORDER BY due_at_ms, account_id, id LIMIT $5";

/// Where a look at what is due goes on from.
fn place(after: Option<&DueSchedule>) -> (Timestamp, AccountId, ScheduleId) {
    after.map_or(
        (
            Timestamp::from_ms(i64::MIN),
            AccountId::from_uuid(uuid::Uuid::nil()),
            ScheduleId::from_uuid(uuid::Uuid::nil()),
        ),
        |last| (last.due_at, last.account, last.id),
    )
}

impl Store {
    /// Up to `limit` schedules of all accounts with an occurrence due by now, the most overdue first, from
    /// behind one on.
    pub async fn due_schedules(
        &self,
        now: Timestamp,
        after: Option<&DueSchedule>,
        limit: usize,
    ) -> Result<Vec<DueSchedule>, Error> {
        let (due_at, account, id) = place(after);
        self.fetch(DUE_SQL, args![now, due_at, account, id, limit])
            .await
    }

    /// The plan of that statement, for the test that pins it.
    pub async fn explain_due_schedules(&self) -> Result<String, Error> {
        let (due_at, account, id) = place(None);
        let args = args![Timestamp::from_ms(0), due_at, account, id, 100_usize];
        self.backend.explain(DUE_SQL, args).await
    }

    /// When the next occurrence of any schedule is due.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, Error> {
        let found: Option<(Timestamp,)> = self
            .fetch_optional(
                "SELECT due_at_ms FROM schedules WHERE due_at_ms IS NOT NULL ORDER BY due_at_ms LIMIT 1",
                Vec::new(),
            )
            .await?;
        Ok(found.map(|row| row.0))
    }

    /// Puts occurrences of a schedule on the ledger and moves its cursor, if it stands as it was read.
    /// Whether it does: otherwise another node was faster, or a user has changed it or asked for a run.
    pub async fn advance_schedule(
        &self,
        from: &DueSchedule,
        advance: &Advance,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let changed = tx
            .execute(
                "UPDATE schedules SET cursor_ms = $3, due_at_ms = $4
                 WHERE account_id = $1 AND id = $2 AND cursor_ms = $5 AND due_at_ms = $6 AND definition = $7
                   AND paused = $8 AND runs_asked = $9",
                args![
                    from.account,
                    from.id,
                    advance.cursor_at,
                    advance.due_at,
                    from.cursor_at,
                    from.due_at,
                    from.definition.as_str(),
                    from.paused,
                    from.runs_asked
                ],
            )
            .await?;
        if changed == 0 {
            return Ok(false);
        }
        insert(&mut tx, (from.account, from.id), &advance.occurrences, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
