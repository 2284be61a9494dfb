//! What goes by a time of its own and not with an event: dead letters, jobs with what they found, and refusals.

use super::super::values::args;
use super::super::{Error, Store};
use crate::model::{AccountId, DeadLetterId, EventId, Timestamp};

/// Rows of a kind that go at a time.
const ROWS_MAX: usize = 200;

const LETTERS: &str = "account_id = $1 AND id < $2 ORDER BY id LIMIT $3";
const DIFFERENCES: &str = "account_id = $1 AND event_id < $2 LIMIT $3";
const REFUSALS: &str = "account_id = $1 AND id < $2 LIMIT $3";

impl Store {
    /// Lets go of up to a few hundred rows of each kind: what tells payloads that came before the first time, and what
    /// is on record from before the second one. Whether there may be more.
    pub async fn sweep_rest(
        &self,
        account: AccountId,
        (payloads, log): (Timestamp, Timestamp),
    ) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let mut more = false;
        for (table, key, which, before) in [
            (
                "dead_letters",
                "account_id, id",
                LETTERS,
                DeadLetterId::first_at(payloads).uuid(),
            ),
            (
                "differences",
                "account_id, job_id, event_id",
                DIFFERENCES,
                EventId::first_at(payloads).uuid(),
            ),
            // Their ids begin with the time, as those of events do.
            (
                "source_refusals",
                "account_id, source_id, id",
                REFUSALS,
                EventId::first_at(log).uuid(),
            ),
        ] {
            let picked = self.backend.picked(table, key, which);
            let sql = format!("DELETE FROM {table} WHERE {picked}");
            let gone = tx.execute(&sql, args![account, before, ROWS_MAX]).await?;
            more |= gone >= ROWS_MAX as u64;
        }
        // Few are kept after their end.
        for sql in [
            "DELETE FROM differences WHERE account_id = $1 AND job_id IN (
               SELECT id FROM jobs WHERE account_id = $1 AND ended_at_ms < $2)",
            "DELETE FROM jobs WHERE account_id = $1 AND ended_at_ms < $2",
        ] {
            tx.execute(sql, args![account, log]).await?;
        }
        tx.commit().await?;
        Ok(more)
    }
}
