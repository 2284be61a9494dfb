//! What one incarnation works with, and how one stage hands on to the next.
//!
//! A panic in anything that it runs ends it: an incarnation that has lost a part of itself can't be
//! trusted with the rest, and what it held is taken over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

use super::attempt::{self, Outgoing};
use super::busy::Busy;
use super::components::Components;
use super::evaluate::{AcceptedEvent, Evaluation, NotNow};
use super::lanes::{Entry, Lanes};
use super::permit::Permits;
use super::queue::{PlanEntry, Queue};
use super::snapshot::{Compiled, Snapshot, Snapshots};
use super::workers::Workers;
use super::writer::Unplanned;
use super::{SnapshotError, evaluate, plan};
use crate::model::{AccountId, Clock, IncarnationId};
use crate::outbound::Client;
use crate::store::{self, Store};

/// How long an event waits whose evaluation was not possible at the moment.
const AGAIN_MS: i64 = 500;

/// Something that the incarnation ran has panicked.
#[derive(Debug, thiserror::Error)]
#[error(
    "a part of the incarnation broke off: this is a defect of the server, which its log describes"
)]
struct BrokeOff;

/// One incarnation's parts.
pub(super) struct Node {
    pub(super) store: Store,
    pub(super) client: Client,
    pub(super) clock: Clock,
    pub(super) components: Components,
    pub(super) snapshots: Snapshots,
    pub(super) holder: IncarnationId,
    pub(super) permits: Permits,
    pub(super) lanes: Lanes,
    pub(super) queue: Queue,
    pub(super) workers: Workers,
    /// One place: suspects are evaluated alone.
    pub(super) suspects: Arc<Semaphore>,
    /// What it runs on, from whichever thread it is asked.
    pub(super) runtime: Handle,
    pub(super) busy: Busy,
    pub(super) tracker: TaskTracker,
    pub(super) closing: AtomicBool,
    pub(super) ended: watch::Sender<bool>,
}

impl Node {
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// How many more events of the account may be on their way.
    pub(super) fn room(&self, account: AccountId) -> usize {
        self.lanes
            .room(account, self.clock.now())
            .map_or(usize::MAX, |room| {
                (room as usize).saturating_sub(self.permits.accepted(account))
            })
    }

    /// Ends the incarnation because of `error`. What it holds is taken over, by its next one or
    /// by another node.
    pub(super) fn end(&self, error: &(dyn std::error::Error + 'static)) {
        if !self.stop() {
            tracing::error!(error, incarnation.id = %self.holder, "the incarnation ends");
        }
    }

    /// Stops everything that it runs. Whether it had stopped before.
    pub(super) fn stop(&self) -> bool {
        self.closing.store(true, Ordering::SeqCst);
        drop(self.lanes.close());
        let before = self.ended.send_replace(true);
        self.workers.close();
        before
    }

    /// Runs `work` until it is done or the incarnation ends.
    pub(super) fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let mut ended = self.ended.subscribe();
        let node = self.clone();
        let run = async move {
            tokio::select! {
                // Nothing of what it leaves behind is used again.
                done = AssertUnwindSafe(work).catch_unwind() => if done.is_err() {
                    node.end(&BrokeOff);
                },
                _ = ended.wait_for(|ended| *ended) => {}
            }
        };
        self.tracker.spawn_on(run, &self.runtime);
    }

    /// Leaves the database, or the machine, a moment: their time, not the product's.
    pub(super) async fn pause(&self) {
        let real = Clock::System;
        real.sleep_until(real.now().plus_ms(AGAIN_MS)).await;
    }

    /// Sends a claimed delivery as soon as its endpoint's window allows it, and has the outcome
    /// recorded.
    pub(super) fn send(self: &Arc<Self>, outgoing: Outgoing) {
        match self.lanes.enter(outgoing) {
            Entry::Open(outgoing) => self.attempt(outgoing),
            Entry::Waits => {}
            Entry::Closed(outgoing) => self.hand_back(outgoing),
        }
    }

    fn attempt(self: &Arc<Self>, outgoing: Outgoing) {
        let node = self.clone();
        self.spawn(async move {
            // Boxed once: a large future is moved at every layer around it.
            let attempt = Box::pin(attempt::attempt(outgoing, &node.client, &node.clock));
            let mut made = attempt.await;
            let (feeling, answer_ms) = made.said();
            let next = made.slot.leave(feeling, answer_ms);
            node.queue.record(made);
            for outgoing in next {
                node.attempt(outgoing);
            }
        });
    }

    /// What is not sent any more waits in the store.
    pub(super) fn hand_back(&self, outgoing: Outgoing) {
        self.queue
            .record(attempt::hand_back(outgoing, self.clock.now()));
    }

    /// Evaluates events and plans what follows. Those whose account is in memory and that run no
    /// plugin are done here and now.
    pub(super) fn evaluate(self: &Arc<Self>, events: Vec<Unplanned>) {
        if events.is_empty() {
            return;
        }
        let node = self.clone();
        self.spawn(async move {
            for unplanned in events {
                match node
                    .snapshots
                    .get(unplanned.account, unplanned.revision)
                    .await
                {
                    Some(snapshot) => node.evaluate_one(unplanned, snapshot),
                    None => node.evaluate_later(unplanned),
                }
            }
        });
    }

    /// Loads the account first; others don't wait for it. While it can't be loaded the event keeps its
    /// permit, so that no more of them come than there is room for. Whether the database is lost for good
    /// is the writer's to say, and the life's.
    pub(super) fn evaluate_later(self: &Arc<Self>, unplanned: Unplanned) {
        let node = self.clone();
        self.spawn(async move {
            loop {
                match node
                    .snapshots
                    .at(unplanned.account, unplanned.revision)
                    .await
                {
                    Ok(snapshot) => return node.evaluate_one(unplanned, snapshot),
                    Err(SnapshotError::NoAccount(_)) => {
                        return node.queue.set_aside(store::SetAside {
                            account: unplanned.account,
                            event: unplanned.event.id,
                            why: "its account does not exist".to_owned(),
                        });
                    }
                    // The load has said why, once for all that wait for it.
                    Err(_not_now) => node.pause().await,
                }
            }
        });
    }

    pub(super) fn evaluate_one(self: &Arc<Self>, unplanned: Unplanned, snapshot: Arc<Snapshot>) {
        let candidates = snapshot.candidates(&unplanned.event.event_type);
        if candidates
            .iter()
            .any(|automation| automation.runs_plugins())
        {
            let node = self.clone();
            let account = unplanned.account;
            let run = move || {
                let plan = AssertUnwindSafe(|| node.plan(unplanned, snapshot, candidates));
                if catch_unwind(plan).is_err() {
                    node.end(&BrokeOff);
                }
            };
            self.workers.submit(account, Box::new(run));
        } else {
            self.plan(unplanned, snapshot, candidates);
        }
    }

    /// Looks at each candidate for one event.
    fn look(
        &self,
        event: &AcceptedEvent,
        candidates: Vec<Arc<Compiled>>,
    ) -> Result<Vec<(Arc<Compiled>, Evaluation)>, NotNow> {
        let view = event.view();
        let engine = self.components.engine();
        let mut evaluated = Vec::with_capacity(candidates.len());
        for automation in candidates {
            let evaluation = evaluate::evaluate(&automation, event, &view, engine)?;
            evaluated.push((automation, evaluation));
        }
        for (_, evaluation) in &evaluated {
            metrics::counter!("throwbar_evaluations_total", "verdict" => evaluation.verdict.as_str())
                .increment(1);
        }
        Ok(evaluated)
    }

    /// Evaluates, plans, takes the places that are free, and queues the plan.
    pub(super) fn plan(
        self: &Arc<Self>,
        unplanned: Unplanned,
        snapshot: Arc<Snapshot>,
        candidates: Vec<Arc<Compiled>>,
    ) {
        let evaluated = match self.look(&unplanned.event, candidates) {
            Ok(evaluated) => evaluated,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, event.id = %unplanned.event.id, "an event is evaluated later");
                let node = self.clone();
                self.spawn(async move {
                    node.pause().await;
                    node.evaluate_one(unplanned, snapshot);
                });
                return;
            }
        };
        let Unplanned {
            account,
            revision,
            event,
            permit,
            alone,
        } = unplanned;
        let now = self.clock.now();
        let current = snapshot.standing().last_loaded();
        let plan::Plan { mut rows, contents } =
            plan::plan((account, revision), &event, &current, &evaluated, now);
        let mut slots = Vec::with_capacity(rows.deliveries.len());
        for (delivery, content) in rows.deliveries.iter_mut().zip(&contents) {
            let slot = if snapshot.is_open(delivery.endpoint) {
                self.lanes
                    .take(account, delivery.endpoint, content.payload.len(), now)
            } else {
                None
            };
            if slot.is_some() {
                delivery.due_at = None;
            }
            slots.push(slot);
        }
        self.queue.plan(PlanEntry {
            rows: Arc::new(rows),
            contents,
            slots,
            snapshot,
            permit,
        });
        drop(alone);
    }
}
