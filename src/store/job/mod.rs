//! Jobs: given, taken by a node, saved as far as they have come, and called off. What a job makes is
//! written with how far it has come, in one transaction, and only while it is still the node's: whoever is
//! stopped in between, or does something again, makes nothing twice.

mod difference;
mod recovery;
mod unsubscribed;

pub use difference::JobDifference;
pub use recovery::{Missed, MissedSpan, Recovered};

use difference::write_differences;
use recovery::write_recovered;
use unsubscribed::write_made;

use super::page::{Cursor, Page, start};
use super::rerun::{NewRerun, write_reruns};
use super::row::record;
use super::values::args;
use super::{Author, Error, NewDelivery, Store};
use crate::model::limits::{JOBS_KEPT, JOBS_OPEN_MAX};
use crate::model::{
    AccountId, ApiKeyId, AutomationId, EndpointId, EventId, IncarnationId, JobId, JobState,
    JobSubject, Timestamp,
};

/// A job to be given.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Minted by the caller.
    pub id: JobId,
    /// The word for its kind.
    pub kind: &'static str,
    /// What it is about.
    pub subject: JobSubject,
    /// What is to be done, JSON.
    pub request: String,
    /// What came of it so far, JSON.
    pub result: String,
    /// Whose key gives it.
    pub author: Author,
    /// Now.
    pub created_at: Timestamp,
}

/// A job.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: JobId,
    /// The word for its kind.
    pub kind: String,
    /// Of which automation; `None`: it is of an endpoint.
    pub automation: Option<AutomationId>,
    /// Of which endpoint; `None`: it is of an automation.
    pub endpoint: Option<EndpointId>,
    /// What is to be done, JSON.
    pub request: String,
    /// The word of an [`JobState`].
    pub state: String,
    /// Why it can't go on, if so.
    pub failure: Option<String>,
    /// Events that are done; of a recovery deliveries, and the events that were not subscribed to.
    pub done: i64,
    /// How many there are, once they are counted.
    pub total: Option<i64>,
    /// Everything up to this one is done.
    pub cursor: Option<EventId>,
    /// How long evaluations have taken.
    pub spent_ms: i64,
    /// What came of it so far, JSON.
    pub result: String,
    /// Who is at it.
    pub holder: Option<IncarnationId>,
    /// Nobody takes it before; `None`: at once, if nobody is at it.
    pub not_before: Option<Timestamp>,
    /// Lives that began to evaluate what comes next, none of which came any further.
    pub lives: i64,
    /// Whose key gave it, if that is known.
    pub author_key: Option<ApiKeyId>,
    /// What that key was called.
    pub author_name: Option<String>,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it last came further.
    pub updated_at: Timestamp,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
}

record!(JobRow {
    account: "account_id",
    id: "id",
    kind: "kind",
    automation: "automation_id",
    endpoint: "endpoint_id",
    request: "request",
    state: "state",
    failure: "failure",
    done: "done",
    total: "total",
    cursor: "cursor_id",
    spent_ms: "spent_ms",
    result: "result",
    holder: "holder",
    not_before: "not_before_ms",
    lives: "lives",
    author_key: "author_key_id",
    author_name: "author_name",
    created_at: "created_at_ms",
    updated_at: "updated_at_ms",
    ended_at: "ended_at_ms",
});

impl JobRow {
    /// Whether it is at its end.
    pub fn is_open(&self) -> bool {
        self.state == JobState::Running.as_str()
    }
}

/// What is written with how far a job has come.
#[derive(Debug, Clone, Default)]
pub struct JobFindings {
    /// Of a backtest.
    pub differences: Vec<JobDifference>,
    /// Of a re-run.
    pub reruns: Vec<NewRerun>,
    /// Of a recovery.
    pub recovered: Vec<Recovered>,
    /// Of a recovery: what was never made, and of which event.
    pub made: Vec<(EventId, NewDelivery)>,
}

/// What a node may do with a job from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It goes on.
    Keep,
    /// Another one may.
    LetGo,
    /// Another one may, from then on.
    PutOff(Timestamp),
}

const COLUMNS: &str = "account_id, id, kind, automation_id, endpoint_id, request, state, failure, done, total, \
     cursor_id, spent_ms, result, holder, not_before_ms, lives, author_key_id, author_name, created_at_ms, updated_at_ms, ended_at_ms";

/// Those jobs `e` that are open, that nobody alive is at, and that are not put off beyond `now`.
fn nobody_is_at(now: &str) -> String {
    format!(
        "state = 'running' AND (not_before_ms IS NULL OR not_before_ms <= {now})
           AND (holder IS NULL OR NOT EXISTS (SELECT 1 FROM incarnations i
             WHERE i.id = e.holder AND i.ended_at_ms IS NULL))"
    )
}

/// The account's jobs that are at their end and older than those that are kept.
fn outlived() -> String {
    format!(
        "SELECT id FROM jobs WHERE account_id = $1 AND state <> 'running'
         ORDER BY id DESC LIMIT 1000 OFFSET {JOBS_KEPT}"
    )
}

impl Store {
    /// Gives a job. Those of the account that have been at their end for long go with what they found.
    pub async fn create_job(&self, account: AccountId, new: &NewJob) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        // One at a time, so that the count holds.
        tx.execute(
            "UPDATE accounts SET revision = revision WHERE id = $1",
            args![account],
        )
        .await?;
        for (table, key) in [("differences", "job_id"), ("jobs", "id")] {
            let sql = format!(
                "DELETE FROM {table} WHERE account_id = $1 AND {key} IN ({})",
                outlived()
            );
            tx.execute(&sql, args![account]).await?;
        }
        let at = new.created_at;
        let (automation, endpoint) = match new.subject {
            JobSubject::Automation(id) => (Some(id), None),
            JobSubject::Endpoint(id) => (None, Some(id)),
        };
        tx.execute(
            "INSERT INTO jobs (account_id, id, kind, automation_id, endpoint_id, request, state, done, spent_ms,
               result, author_key_id, author_name, created_at_ms, updated_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, 'running', 0, 0, $7, $8, $9, $10, $10)",
            args![
                account,
                new.id,
                new.kind,
                automation,
                endpoint,
                new.request.as_str(),
                new.result.as_str(),
                new.author.key,
                new.author.name.as_str(),
                at
            ],
        )
        .await?;
        let counted = "FROM jobs WHERE account_id = $1 AND state = 'running'";
        let limit = ("jobs under way", JOBS_OPEN_MAX);
        super::account::check_count(&mut tx, account, counted, limit).await?;
        tx.commit().await
    }

    /// A node's own: takes up to `limit` jobs that nobody alive is at, those first that have waited longest. Of each
    /// account that is the one that somebody has died over; or the oldest that is not put off, if none is under
    /// way.
    pub async fn take_jobs(
        &self,
        holder: IncarnationId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<JobRow>, Error> {
        let mut tx = self.begin_as(holder).await?;
        let sql = format!(
            "WITH picked AS (
               SELECT account_id, id FROM jobs e WHERE {}
                 AND (holder IS NOT NULL OR NOT EXISTS (SELECT 1 FROM jobs o
                   WHERE o.account_id = e.account_id AND o.state = 'running' AND (o.holder IS NOT NULL
                     OR (o.id < e.id AND (o.not_before_ms IS NULL OR o.not_before_ms <= $3)))))
               ORDER BY COALESCE(not_before_ms, created_at_ms), id LIMIT $2 {})
             UPDATE jobs SET holder = $1, not_before_ms = NULL
             WHERE (account_id, id) IN (SELECT account_id, id FROM picked)
             RETURNING {COLUMNS}",
            nobody_is_at("$3"),
            self.backend.skip_locked()
        );
        let taken = tx.fetch(&sql, args![holder, limit, now]).await?;
        tx.commit().await?;
        Ok(taken)
    }

    /// A node's own: whether any job is open that nobody alive is at, and that is not put off.
    pub async fn has_jobs(&self, now: Timestamp) -> Result<bool, Error> {
        let sql = format!("SELECT id FROM jobs e WHERE {} LIMIT 1", nobody_is_at("$1"));
        let found: Option<(JobId,)> = self.fetch_optional(&sql, args![now]).await?;
        Ok(found.is_some())
    }

    /// A node's own: until when the first of those is put off that are put off now.
    pub async fn first_put_off(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let found: Option<(Timestamp,)> = self
            .fetch_optional(
                "SELECT not_before_ms FROM jobs WHERE not_before_ms > $1 ORDER BY not_before_ms LIMIT 1",
                args![now],
            )
            .await?;
        Ok(found.map(|row| row.0))
    }

    /// Whether the job goes on, and is `holder`'s.
    pub async fn holds_job(
        &self,
        account: AccountId,
        id: JobId,
        holder: IncarnationId,
    ) -> Result<bool, Error> {
        let found: Option<(JobId,)> = self
            .fetch_optional(
                "SELECT id FROM jobs WHERE account_id = $1 AND id = $2 AND holder = $3 AND state = 'running'",
                args![account, id, holder],
            )
            .await?;
        Ok(found.is_some())
    }

    /// Writes how far a job of `holder`'s has come, as in this row, with what it has found on the way.
    /// Whether it is still the holder's; if not, nothing was written.
    pub async fn save_job(
        &self,
        row: &JobRow,
        holder: IncarnationId,
        findings: JobFindings,
        hold: Hold,
    ) -> Result<bool, Error> {
        let mut tx = self.begin_as(holder).await?;
        let (holds, not_before) = match hold {
            _ if !row.is_open() => (None, None),
            Hold::Keep => (Some(holder), None),
            Hold::LetGo => (None, None),
            Hold::PutOff(until) => (None, Some(until)),
        };
        let changed = tx
            .execute(
                "UPDATE jobs SET state = $4, failure = $5, done = $6, total = $7, cursor_id = $8,
                   spent_ms = $9, result = $10, updated_at_ms = $11, ended_at_ms = $12, holder = $13, not_before_ms = $14,
                   lives = $15
                 WHERE account_id = $1 AND id = $2 AND holder = $3 AND state = 'running'",
                args![
                    row.account,
                    row.id,
                    holder,
                    row.state.as_str(),
                    row.failure.clone(),
                    row.done,
                    row.total,
                    row.cursor,
                    row.spent_ms,
                    row.result.as_str(),
                    row.updated_at,
                    row.ended_at,
                    holds,
                    not_before,
                    row.lives
                ],
            )
            .await?;
        if changed == 0 {
            return Ok(false);
        }
        write_differences(&mut tx, row, findings.differences).await?;
        write_reruns(&mut tx, row, findings.reruns).await?;
        write_recovered(&mut tx, row, findings.recovered).await?;
        write_made(&mut tx, row, findings.made).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Calls a job off. Whether it was under way.
    pub async fn cancel_job(
        &self,
        account: AccountId,
        id: JobId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let changed = self
            .execute(
                "UPDATE jobs SET state = 'cancelled', holder = NULL, not_before_ms = NULL, updated_at_ms = $3, ended_at_ms = $3
                 WHERE account_id = $1 AND id = $2 AND state = 'running'",
                args![account, id, now],
            )
            .await?;
        Ok(changed > 0)
    }

    /// The job with this id.
    pub async fn job(&self, account: AccountId, id: JobId) -> Result<Option<JobRow>, Error> {
        self.fetch_optional(
            &format!("SELECT {COLUMNS} FROM jobs WHERE account_id = $1 AND id = $2"),
            args![account, id],
        )
        .await
    }

    /// A page of the account's jobs, newest first.
    pub async fn jobs(
        &self,
        account: AccountId,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<JobRow>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
        );
        let rows = self
            .fetch(&sql, args![account, start(after), limit + 1])
            .await?;
        Ok(Page::of(rows, limit, |row: &JobRow| row.id.uuid()))
    }
}
