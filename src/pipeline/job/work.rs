//! A job in hand: how far it has come, what it has found since that was saved, and when it is saved next.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::Error;
use crate::model::{AutomationId, EventId, JobState, Stopwatch, Timestamp};
use crate::pipeline::crash::crash_point;
use crate::pipeline::node::Node;
use crate::pipeline::standing::Current;
use crate::store::{Hold, JobFindings, JobRow};

/// How often it is saved: each time is a commit, for which others wait.
const SAVED_EVERY: Duration = Duration::from_secs(1);
/// After how many events at the latest.
pub(super) const UNSAVED_EVENTS_MAX: i64 = 250;
/// Lives that may end over a job without coming any further: one at any of the next events, the others at the next
/// one alone.
const LIVES_MAX: i64 = 4;
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
    /// It must wait, and gives its place to others: until then at least.
    Waits(Timestamp),
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
    /// How many were done when it was saved.
    saved_done: i64,
    /// So many of the next events are looked at one by one, because a life has ended over one of them, it may be.
    suspects: i64,
}

impl Work {
    pub(super) fn new(node: Arc<Node>, row: JobRow, stop: CancellationToken) -> Self {
        Self {
            node,
            stop,
            findings: JobFindings::default(),
            saved: None,
            saved_done: row.done,
            row,
            suspects: 0,
        }
    }

    /// Which automation it is about. That of a job about something else is nobody's.
    pub(super) fn automation(&self) -> AutomationId {
        let nobody = AutomationId::from_uuid(uuid::Uuid::nil());
        self.row.automation.unwrap_or(nobody)
    }

    /// Why nobody goes on with it, if it ends its nodes.
    pub(super) fn is_deadly(&self) -> Option<String> {
        (self.row.lives >= LIVES_MAX).then(|| {
            let times = LIVES_MAX - 1;
            format!("it ended its node {times} times at the same event")
        })
    }

    /// Counts, before anything is evaluated, that this life begins to: a life that ends before has not ended over the
    /// job. After one that may have, the next `suspects` are looked at one by one: so many may be done without being
    /// saved. How it is left, if it is not this node's any more.
    pub(super) async fn begin(
        &mut self,
        tally: &impl Serialize,
        suspects: i64,
    ) -> Result<Option<End>, Error> {
        crash_point("job-not-begun");
        self.keep(tally)?;
        if self.row.lives > 0 {
            self.suspects = suspects;
        }
        self.row.lives += 1;
        let (store, holder) = (&self.node.store, self.node.holder);
        let saved = store.save_job(&self.row, holder, JobFindings::default(), Hold::Keep);
        let saved = saved.await?;
        crash_point("job-begun");
        Ok((!saved).then_some(End::Lost))
    }

    /// How many events are taken at a time: `most`, or one while it may be the one that ends its nodes.
    pub(super) fn at_once(&self, most: usize) -> usize {
        if self.suspects > 0 { 1 } else { most }
    }

    /// Whether it goes on, and is still this node's.
    pub(super) async fn is_mine(&self) -> Result<bool, Error> {
        let store = &self.node.store;
        let held = store.holds_job(self.row.account, self.row.id, self.node.holder);
        Ok(held.await?)
    }

    /// How the account stands now.
    pub(super) async fn standing(&self) -> Result<Arc<Current>, Error> {
        let (node, account) = (&self.node, self.row.account);
        let row = node.store.account(account).await?;
        let revision = row.map_or(0, |row| row.revision);
        let standing = node.snapshots.standing(account, revision).await?;
        Ok(standing.last_loaded())
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
        let is_fresh = saved.is_some_and(|elapsed| elapsed < SAVED_EVERY);
        let unsaved = self.row.done - self.saved_done;
        if is_fresh && self.suspects == 0 && unsaved < UNSAVED_EVENTS_MAX {
            return Ok(None);
        }
        self.save(tally).await
    }

    /// Saves it. How it is left, if it is not this node's any more.
    pub(super) async fn save(&mut self, tally: &impl Serialize) -> Result<Option<End>, Error> {
        self.keep(tally)?;
        // This life goes on to what comes next.
        self.row.lives = 1;
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
        let mut hold = Hold::LetGo;
        match end {
            End::Lost => return Ok(()),
            End::Waits(until) => hold = Hold::PutOff(until),
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
        self.row.lives = 0;
        self.write(hold).await.map(drop)
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
        self.suspects = (self.suspects - (self.row.done - self.saved_done)).max(0);
        self.saved_done = self.row.done;
        Ok(saved)
    }
}
