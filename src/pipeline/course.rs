//! One event's evaluation, turn by turn: automation by automation, and within a chain of plugins run by
//! run. What it has come to so far is kept between the turns, so that nothing is done twice.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::chain::Chain;
use super::evaluate::{AcceptedEvent, Reached, evaluate};
use super::late::Gate;
use super::permit::Permit;
use super::plan::{Draft, Plan};
use super::snapshot::{Compiled, Snapshot};
use super::verdict::Verdict;
use crate::model::{AccountId, AutomationId, EventId, Stopwatch, Timestamp};
use crate::plugin::Engine;
use crate::store::Health;

/// What is done on the spot, in steps of a condition, which take about 20 ns each: 1 ms. All else is
/// the workers'.
pub(super) const STEPS_AT_ONCE_MAX: usize = 50_000;
/// Steps that a candidate takes, and as many for each delivery.
const CANDIDATE_STEPS: usize = 50;
/// Bytes of a payload that are read into values in the time of one step.
const READ_BYTES_PER_STEP: usize = 3;

/// An event that was accepted and waits for its evaluation.
#[derive(Debug)]
pub(super) struct Unplanned {
    pub(super) account: AccountId,
    pub(super) revision: i64,
    pub(super) event: AcceptedEvent,
    pub(super) permit: Permit,
    /// The place of a suspect, or of one that others go behind, until it is evaluated.
    pub(super) alone: Option<OwnedSemaphorePermit>,
}

/// As far as it has come.
#[derive(Debug)]
pub(super) struct Course {
    unplanned: Unplanned,
    snapshot: Arc<Snapshot>,
    /// Those that nobody has looked at, once somebody looks: what waits for its turn is small.
    candidates: Option<std::vec::IntoIter<Arc<Compiled>>>,
    /// The automation whose chain is at work.
    midway: Option<(Arc<Compiled>, Chain)>,
    /// Those whose flow control decides.
    gated: Vec<Arc<Compiled>>,
    draft: Draft,
    /// How many came to which verdict, in the order of all verdicts.
    came_to: [u64; Verdict::ALL.len()],
}

/// Where a turn has ended.
pub(super) enum Came {
    /// All automations have been looked at.
    Through,
    /// There is more to do.
    Midway,
    /// Something could not be done this time.
    NotNow(NotNow),
}

/// Why an evaluation has no answer this time: the server failed, not the automation.
#[derive(Debug, thiserror::Error)]
#[error("the automation {automation} can't be evaluated at the moment: {why}")]
pub(super) struct NotNow {
    automation: AutomationId,
    why: String,
}

impl Course {
    /// One that has not begun.
    pub(super) fn new(unplanned: Unplanned, snapshot: Arc<Snapshot>) -> Self {
        Self {
            candidates: None,
            midway: None,
            gated: Vec::new(),
            draft: Draft::new(unplanned.event.id),
            came_to: [0; Verdict::ALL.len()],
            unplanned,
            snapshot,
        }
    }

    pub(super) fn account(&self) -> AccountId {
        self.unplanned.account
    }

    pub(super) fn event(&self) -> EventId {
        self.unplanned.event.id
    }

    /// The steps that all of it takes at most, if it can be done on the spot.
    pub(super) fn steps_at_once(&mut self) -> Option<usize> {
        let event = &self.unplanned.event;
        let candidates = self.snapshot.candidates(&event.event_type);
        let steps = steps_at_once(&candidates, event.payload.len())?;
        self.candidates = Some(candidates.into_iter());
        Some(steps)
    }

    /// Goes on to the end, or to the next place to pause at after `patience`. The event's permit grows with
    /// its plan.
    pub(super) fn go_on(&mut self, engine: &Engine, patience: Duration) -> Came {
        let before = self.draft.bytes();
        let came = self.look_on(engine, patience);
        self.unplanned.permit.grow(self.draft.bytes() - before);
        came
    }

    fn look_on(&mut self, engine: &Engine, patience: Duration) -> Came {
        let Self {
            unplanned,
            snapshot,
            candidates,
            midway,
            gated,
            draft,
            came_to,
        } = self;
        let event = &unplanned.event;
        let of_type = || snapshot.candidates(&event.event_type).into_iter();
        let candidates = candidates.get_or_insert_with(of_type);
        let view = event.view();
        let standing = snapshot.standing();
        let current = standing.last_loaded();
        let stopwatch = Stopwatch::start();
        loop {
            let (automation, from) = match midway.take() {
                Some((automation, chain)) => (automation, Some(chain)),
                None => match candidates.next() {
                    Some(automation) => (automation, None),
                    None => return Came::Through,
                },
            };
            match evaluate(&automation, event, &view, engine, from) {
                Reached::Verdict(evaluation) => {
                    let is_gated = evaluation.is_gated;
                    if is_gated {
                        gated.push(automation.clone());
                    }
                    let verdict = draft.add(&automation, event, &current, evaluation);
                    if verdict.shows_health()
                        && !is_gated
                        && !event.is_operational()
                        && standing.failing.works(automation.id)
                    {
                        draft.fares(automation.id, Health::Works);
                    }
                    // What flow control says is known with the commit.
                    if !is_gated {
                        came_to[verdict as usize] += 1;
                    }
                }
                Reached::Midway(chain) => *midway = Some((automation, chain)),
                Reached::NotNow { from, why } => {
                    let id = automation.id;
                    *midway = Some((automation, from));
                    return Came::NotNow(NotNow {
                        automation: id,
                        why,
                    });
                }
            }
            let more = midway.is_some() || candidates.len() > 0;
            if more && stopwatch.elapsed() >= patience {
                return Came::Midway;
            }
        }
    }

    /// What may go on at once behind flow control, if something may.
    pub(super) fn take_gate(&mut self) -> Option<Box<Gate>> {
        let automations = std::mem::take(&mut self.gated);
        (!automations.is_empty()).then(|| {
            Box::new(Gate {
                event: self.unplanned.event.clone(),
                automations,
            })
        })
    }

    /// What follows from all of it, and what it held.
    pub(super) fn finish(mut self, now: Timestamp) -> (Plan, Unplanned, Arc<Snapshot>) {
        self.draft.close(&self.unplanned.event);
        for (verdict, count) in Verdict::ALL.iter().zip(self.came_to) {
            if count > 0 {
                metrics::counter!("throwbar_evaluations_total", "verdict" => verdict.as_str())
                    .increment(count);
            }
        }
        let Unplanned {
            account, revision, ..
        } = self.unplanned;
        let plan = self.draft.finish(account, revision, now);
        (plan, self.unplanned, self.snapshot)
    }
}

fn steps_at_once(candidates: &[Arc<Compiled>], payload_bytes: usize) -> Option<usize> {
    let mut steps = 0;
    let mut reads = 0;
    for automation in candidates {
        // Behind flow control plugins run later.
        if automation.runs_plugins() && automation.flow.is_none() {
            return None;
        }
        steps += CANDIDATE_STEPS * (1 + automation.endpoints.len() + automation.emits.len());
        if let Some(Ok(condition)) = &automation.condition {
            reads = payload_bytes / READ_BYTES_PER_STEP;
            steps += condition.steps_max(payload_bytes);
        }
        if let Some(Ok(rules)) = &automation.flow {
            reads = payload_bytes / READ_BYTES_PER_STEP;
            steps += rules.steps_max(payload_bytes);
        }
        if let Some(Ok(order)) = &automation.order {
            reads = payload_bytes / READ_BYTES_PER_STEP;
            steps += order.steps_max(payload_bytes);
        }
        if steps + reads > STEPS_AT_ONCE_MAX {
            return None;
        }
    }
    Some(steps + reads)
}
