//! A job in hand: how far it has come, what it has found since that was saved, and when it is saved next.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::Error;
use crate::model::{EventId, JobState, Stopwatch};
use crate::pipeline::crash::crash_point;
use crate::pipeline::node::Node;
use crate::store::{Hold, JobFindings, JobRow};

/// How often it is saved: each time is a commit, for which others wait.
const SAVED_EVERY: Duration = Duration::from_secs(1);
/// How long all evaluations of one job may take together.
const SPENT_MS_MAX: i64 = 15 * 60 * 1_000;

/// How a job is left.
#[derive(Debug)]
pub(super) enum End {
    /// It has come to its end.
    Done,
    /// It is called off, or the node stops.
    Stopped,
    /// It is another node's by now, or nobody's.
    Lost,
    /// It can't go on, and why.
    Failed(String),
}

/// A job in hand.
pub(super) struct Work {
    pub(super) node: Arc<Node>,
    /// As far as it has come.
    pub(super) row: JobRow,
    pub(super) stop: CancellationToken,
    /// What it has found since it was saved.
    pub(super) findings: JobFindings,
    /// `None`: not by this life. The first save is soon, so that who follows sees where a life has ended.
    saved: Option<Stopwatch>,
}

impl Work {
    pub(super) fn new(node: Arc<Node>, row: JobRow, stop: CancellationToken) -> Self {
        Self {
            node,
            row,
            stop,
            findings: JobFindings::default(),
            saved: None,
        }
    }

    /// What it has come to so far.
    pub(super) fn tally<T: DeserializeOwned>(&self) -> Result<T, Error> {
        Ok(serde_json::from_str(&self.row.result)?)
    }

    /// Everything up to this event is done, `count` more of them.
    pub(super) fn reached(&mut self, event: EventId, count: i64) {
        self.row.cursor = Some(event);
        self.row.done += count;
    }

    /// Evaluations have taken so long. Why it must end, if that is too long.
    pub(super) fn spend(&mut self, spent: Duration) -> Option<End> {
        self.row.spent_ms += spent.as_millis() as i64;
        (self.row.spent_ms > SPENT_MS_MAX).then(|| {
            End::Failed(format!(
                "its evaluations have taken {} minutes, as long as those of one may: take fewer events",
                SPENT_MS_MAX / 60_000
            ))
        })
    }

    /// Saves it if it is time. How it is left, if it is not this node's any more.
    pub(super) async fn save_in_time(
        &mut self,
        tally: &impl Serialize,
    ) -> Result<Option<End>, Error> {
        let saved = self.saved.as_ref().map(Stopwatch::elapsed);
        if saved.is_some_and(|elapsed| elapsed < SAVED_EVERY) {
            return Ok(None);
        }
        self.save(tally).await
    }

    /// Saves it. How it is left, if it is not this node's any more.
    pub(super) async fn save(&mut self, tally: &impl Serialize) -> Result<Option<End>, Error> {
        self.keep(tally)?;
        let saved = self.write(Hold::Keep).await?;
        crash_point("job-saved");
        Ok((!saved).then_some(End::Lost))
    }

    /// Keeps what it has come to with how far it has come; it is not saved yet.
    pub(super) fn keep(&mut self, tally: &impl Serialize) -> Result<(), Error> {
        self.row.result = serde_json::to_string(tally)?;
        Ok(())
    }

    /// Leaves it.
    pub(super) async fn end(&mut self, end: End) -> Result<(), Error> {
        let now = self.node.clock.now();
        match end {
            End::Lost => return Ok(()),
            // Whoever goes on with it does so from here. If somebody has called it off, nothing is written.
            End::Stopped => {}
            End::Done => {
                self.leave_as(JobState::Done);
                self.row.total = Some(self.row.done);
                self.row.ended_at = Some(now);
            }
            End::Failed(why) => {
                tracing::warn!(account.id = %self.row.account, job.id = %self.row.id, why, "a job has failed");
                self.leave_as(JobState::Failed);
                self.row.failure = Some(why);
                self.row.ended_at = Some(now);
            }
        }
        self.write(Hold::LetGo).await.map(drop)
    }

    fn leave_as(&mut self, state: JobState) {
        state.as_str().clone_into(&mut self.row.state);
    }

    async fn write(&mut self, hold: Hold) -> Result<bool, Error> {
        self.row.updated_at = self.node.clock.now();
        let findings = std::mem::take(&mut self.findings);
        let (store, holder) = (&self.node.store, self.node.holder);
        let saved = store.save_job(&self.row, holder, findings, hold).await?;
        self.saved = Some(Stopwatch::start());
        Ok(saved)
    }
}
