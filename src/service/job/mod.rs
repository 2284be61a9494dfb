//! Jobs: given, looked at, called off. What they do is the pipeline's.

mod backtest;
mod recovery;
mod rerun;

pub use backtest::{
    BacktestMoveView, BacktestResultView, BacktestSideView, DifferenceBody, DifferenceChange,
    DifferenceExcerpt, DifferenceSide, DifferenceView, NewBacktest,
};
pub use recovery::{NewRecovery, RecoveredState, RecoveryResultView};
pub use rerun::{NewRerun, RerunAs, RerunProblemView, RerunResultView};

use serde::Serialize;
use utoipa::ToSchema;

use super::hidden::Shown;
use super::principal::{MayRead, MayWrite, Principal};
use super::version::AuthorView;
use super::{Error, Listed, PageRequest, Service, check};
use crate::model::{
    AutomationId, EndpointId, EventId, Job, JobId, JobSubject, JobWait, Reach, RecoveryTally,
    RerunTally, Timestamp,
};
use crate::store::{self, JobRow, NewJob};

/// The job that was made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Given)]
pub struct GivenView {
    /// Its id: look at it under `/v1/jobs`.
    #[schema(value_type = String, example = "job_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub job: JobId,
}

/// Work on what is past that goes on beside everything else.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobView {
    /// Its id.
    #[schema(value_type = String, example = "job_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: JobId,
    /// `backtest`, `rerun` or `recovery`.
    pub kind: String,
    /// The id of the automation that it is about; null, if it is a recovery.
    #[schema(value_type = Option<String>)]
    pub automation: Option<AutomationId>,
    /// The id of the endpoint that it is about; null, if it is no recovery.
    #[schema(value_type = Option<String>)]
    pub endpoint: Option<EndpointId>,
    /// `running` (an account's jobs run one at a time: it may wait, for its turn or for something else, which
    /// `waits` tells), `done`, `cancelled` or `failed`.
    pub state: String,
    /// Events that are done; of a recovery deliveries that were looked at.
    pub done: i64,
    /// How many there are; null, as long as they are not counted.
    pub total: Option<i64>,
    /// What came of it so far.
    pub result: JobResultView,
    /// What it waits for, as a sentence; null, if it goes on or is at its end.
    pub waits: Option<String>,
    /// Why it has failed, as a sentence; null, if it has not.
    pub why: Option<String>,
    /// Whose key made it; null, if that is not known.
    pub author: Option<AuthorView>,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last came further, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// When it came to its end, RFC 3339; null, if it has not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
}

/// What came of a job so far.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = JobResult)]
pub enum JobResultView {
    /// Of a backtest.
    Backtest(BacktestResultView),
    /// Of a re-run.
    Rerun(RerunResultView),
    /// Of a recovery.
    Recovery(RecoveryResultView),
}

pub(super) fn unreadable(error: serde_json::Error) -> Error {
    Error::unreadable("the job", error)
}

/// A sentence about a job that nobody is at.
fn why_it_waits(put_off: Option<JobWait>) -> String {
    let Some(JobWait { endpoints, since }) = put_off else {
        return "it waits for its turn: of an account one runs at a time, and few on a node"
            .to_owned();
    };
    let others = match endpoints.len().saturating_sub(1) {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    let first = endpoints
        .first()
        .map_or_else(String::new, ToString::to_string);
    format!(
        "since {since} something that is due has not left to the endpoint {first}{others}: it looks again from \
         time to time, and goes on when that has left"
    )
}

/// The events of a time, as it was asked for.
fn window(since: Option<&str>, until: Option<&str>, now: Timestamp) -> Result<Reach, Error> {
    let (from, before) = span(since, until, now)?;
    Ok(Reach::Window { from, before })
}

/// The first event that may have come then, and the first one after that time.
fn span(
    since: Option<&str>,
    until: Option<&str>,
    now: Timestamp,
) -> Result<(EventId, EventId), Error> {
    let time = |text: Option<&str>, pointer: &str| {
        let parsed = text.map(str::parse::<Timestamp>).transpose();
        parsed.map_err(|error| Error::field(pointer, error))
    };
    let (since, until) = (time(since, "/since")?, time(until, "/until")?);
    if let (Some(since), Some(until)) = (since, until)
        && until <= since
    {
        let why = "this is not after since: give a later time, or leave it out";
        return Err(Error::field("/until", why));
    }
    Ok((
        since.map_or(EventId::from_uuid(uuid::Uuid::nil()), EventId::first_at),
        until.map_or_else(|| EventId::mint(now), EventId::first_at),
    ))
}

impl JobView {
    fn of(row: JobRow) -> Result<Self, Error> {
        let asked: Job = serde_json::from_str(&row.request).map_err(unreadable)?;
        let mut put_off = None;
        let result = match asked {
            Job::Backtest(asked) => {
                let tally = serde_json::from_str(&row.result).map_err(unreadable)?;
                JobResultView::Backtest(BacktestResultView::of(&asked, tally))
            }
            Job::Rerun(asked) => {
                let mut tally: RerunTally =
                    serde_json::from_str(&row.result).map_err(unreadable)?;
                put_off = tally.waits.take();
                JobResultView::Rerun(RerunResultView::of(&asked, tally))
            }
            Job::Recovery(asked) => {
                let mut tally: RecoveryTally =
                    serde_json::from_str(&row.result).map_err(unreadable)?;
                put_off = tally.waits.take();
                JobResultView::Recovery(RecoveryResultView::of(&asked, &tally))
            }
        };
        let waits = if row.is_open() && row.holder.is_none() {
            Some(why_it_waits(put_off.filter(|_| row.not_before.is_some())))
        } else {
            None
        };
        Ok(Self {
            id: row.id,
            kind: row.kind,
            automation: row.automation,
            endpoint: row.endpoint,
            state: row.state,
            done: row.done,
            total: row.total,
            result,
            waits,
            why: row.failure,
            author: AuthorView::of(row.author_key, row.author_name),
            created_at: row.created_at,
            updated_at: row.updated_at,
            ended_at: row.ended_at,
        })
    }
}

impl Service {
    /// Gives a job, of which nothing has come yet.
    pub(super) async fn give(
        &self,
        who: &Principal<MayWrite>,
        subject: JobSubject,
        job: &Job,
        nothing: &impl Serialize,
    ) -> Result<GivenView, Error> {
        let now = self.inner.clock.now();
        let new = NewJob {
            id: JobId::mint(now),
            kind: job.kind(),
            subject,
            request: serde_json::to_string(job).map_err(unreadable)?,
            result: serde_json::to_string(nothing).map_err(unreadable)?,
            author: who.author(),
            created_at: now,
        };
        let given = self.inner.store.create_job(who.account(), &new).await;
        given.map_err(|error| match error {
            store::Error::TooMany { count_max, .. } => Error::Conflict {
                code: "too_many",
                why: format!(
                    "the account has {count_max} jobs under way, as many as it may have: wait for one to end, \
                     or cancel one"
                ),
            },
            error => error.into(),
        })?;
        let service = self.clone();
        let told = async move {
            if let Some(pipeline) = service.pipeline() {
                pipeline.look_for_jobs();
            }
        };
        self.inner.store.once_durable(told).await;
        Ok(GivenView { job: new.id })
    }

    /// The job with this id.
    pub async fn job(&self, who: &Principal<MayRead>, id: &str) -> Result<JobView, Error> {
        let row = self.job_row(who, id).await?;
        let hidden = self.hidden(who.account()).await?;
        Ok(JobView::of(row)?.without(&hidden))
    }

    pub(super) async fn job_row<R>(&self, who: &Principal<R>, id: &str) -> Result<JobRow, Error> {
        let id: JobId = check::id(id, "job")?;
        let found = self.inner.store.job(who.account(), id).await?;
        found.ok_or(Error::NotFound("job"))
    }

    /// A page of the account's jobs.
    pub async fn jobs(
        &self,
        who: &Principal<MayRead>,
        page: &PageRequest,
    ) -> Result<Listed<JobView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let rows = self
            .inner
            .store
            .jobs(who.account(), page.after()?, page.limit()?)
            .await?;
        let hidden = self.hidden(who.account()).await?;
        Listed::try_of(rows, |row| Ok(JobView::of(row)?.without(&hidden)))
    }

    /// Calls a job off: nothing more comes of it from now on. One that is at its end stays as it is.
    pub async fn cancel_job(&self, who: &Principal<MayWrite>, id: &str) -> Result<JobView, Error> {
        let row = self.job_row(who, id).await?;
        let now = self.inner.clock.now();
        let (account, id) = (who.account(), row.id);
        self.inner.store.cancel_job(account, id, now).await?;
        // This node's own, too, if it was called off elsewhere before.
        let service = self.clone();
        let told = async move {
            if let Some(pipeline) = service.pipeline() {
                pipeline.call_off_job(id);
            }
        };
        self.inner.store.once_durable(told).await;
        let found = self.inner.store.job(account, id).await?;
        let hidden = self.hidden(account).await?;
        let view = JobView::of(found.ok_or(Error::NotFound("job"))?)?;
        Ok(view.without(&hidden))
    }
}
