//! What an automation failed at, run again: one version looked at for one event, now, on the plugins' threads in
//! the account's turns, as far as what would be written. Flow control, which has let it come this far or could
//! not be asked, is not asked again. It is the same [`evaluate`] as for events that come in,
//! and what it makes has the ids that the first evaluation would have given it: run twice, it is there once.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::chain::Chain;
use super::evaluate::{Reached, evaluate, evaluate_late, evaluate_ungated};
use super::evaluation::BreakingPoint;
use super::late::Carries;
use super::plan::Draft;
use super::snapshot::Compiled;
use super::standing::Current;
use super::trial::Error;
use super::workers::Run;
use super::{AcceptedEvent, Evaluation, Explained, Pipeline};
use crate::model::{AccountId, Timestamp};
use crate::plugin::Engine;
use crate::store::{LetterOutcome, NewPlan, PublishedAutomation};

/// What is run again.
#[derive(Debug)]
pub struct LetterRerun {
    /// Whose turn it takes, and whose plugins.
    pub account: AccountId,
    /// The version.
    pub automation: PublishedAutomation,
    /// The event.
    pub event: AcceptedEvent,
    /// What stands in the place of its payload, if something does: a digest that flow control let go on.
    pub carried: Option<Bytes>,
    /// When.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Debug)]
pub struct LetterRerunResult {
    /// The verdict.
    pub explained: Explained,
    /// What is to be written.
    pub outcome: LetterOutcome,
    /// What that takes in memory.
    pub bytes: usize,
}

impl Pipeline {
    /// Runs it again, as soon as the account's turn comes. Nothing is written, nothing is sent.
    pub async fn run_again(&self, mut rerun: LetterRerun) -> Result<LetterRerunResult, Error> {
        if let Some(carried) = &rerun.carried {
            rerun.event.payload = carried.clone();
        }
        let node = &self.node;
        let (account, automation) = (rerun.account, &rerun.automation);
        let compiled = node
            .snapshots
            .compile_apart(account, automation, None)
            .await;
        let standing = node.snapshots.standing(account, 0).await;
        let (reply, answer) = oneshot::channel();
        let course = Course {
            automation: compiled.map_err(Error::Snapshot)?,
            current: standing.map_err(Error::Snapshot)?.last_loaded(),
            rerun: Box::new(rerun),
            engine: node.components.engine().clone(),
            chain: None,
            reply,
        };
        node.workers.submit(account, Box::new(course));
        // What waits when the node stops is let go, and its sender with it.
        answer.await.unwrap_or(Err(Error::Stopped))
    }
}

/// One of them on the workers' threads: one run of a plugin a turn.
struct Course {
    automation: Arc<Compiled>,
    current: Arc<Current>,
    rerun: Box<LetterRerun>,
    engine: Engine,
    chain: Option<Chain>,
    reply: oneshot::Sender<Result<LetterRerunResult, Error>>,
}

impl Run for Course {
    fn turn(self: Box<Self>) -> Option<Box<dyn Run>> {
        let mut course = *self;
        if course.reply.is_closed() {
            return None;
        }
        let event = &course.rerun.event;
        let from = course.chain.take();
        let automation = &course.automation;
        let reached = match from {
            Some(_) => evaluate(automation, event, &event.view(), &course.engine, from),
            None if course.rerun.carried.is_some() => evaluate_late(automation, event),
            None => evaluate_ungated(automation, event, &event.view()),
        };
        let answer = match reached {
            Reached::Midway(chain) => {
                course.chain = Some(chain);
                return Some(Box::new(course));
            }
            Reached::Verdict(evaluation) => Ok(course.settle(evaluation)),
            Reached::NotNow { why, .. } => Err(Error::NotNow(why)),
        };
        // Nobody may be waiting for it any more.
        drop(course.reply.send(answer));
        None
    }
}

impl Course {
    /// What follows, as a plan has it. All deliveries wait: the claimer takes them.
    fn settle(&self, mut evaluation: Evaluation) -> LetterRerunResult {
        let LetterRerun {
            account,
            event,
            now,
            ..
        } = &*self.rerun;
        if self.rerun.carried.is_some() {
            Carries::Digest.keep(&mut evaluation, event);
        } else if let Some(condition) = &self.automation.condition {
            evaluation.tell(condition, &event.view());
        }
        let mut draft = Draft::new(event.id);
        let evaluation = draft.follow(&self.automation, event, &self.current, evaluation);
        if evaluation.verdict.is_failure() {
            return failed(evaluation);
        }
        draft.close(event);
        let plan = draft.finish(*account, 0, *now);
        let mut rows: NewPlan = plan.rows;
        for delivery in &mut rows.deliveries {
            delivery.due_at = Some(*now);
        }
        LetterRerunResult {
            explained: evaluation.into(),
            outcome: LetterOutcome::Settled(Arc::new(rows)),
            bytes: plan.bytes,
        }
    }
}

fn failed(evaluation: Evaluation) -> LetterRerunResult {
    let BreakingPoint { place, input } = evaluation.broke_at.clone().unwrap_or(BreakingPoint {
        place: usize::MAX,
        input: None,
    });
    LetterRerunResult {
        explained: evaluation.into(),
        bytes: input.as_ref().map_or(0, Bytes::len),
        outcome: LetterOutcome::Failed {
            place: u16::try_from(place).ok(),
            input,
        },
    }
}
