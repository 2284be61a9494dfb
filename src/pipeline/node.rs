//! What one incarnation works with, and how one stage hands on to the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::attempt::{self, Outgoing};
use super::busy::Busy;
use super::components::Components;
use super::lanes::{Entry, Lanes};
use super::permit::Permits;
use super::queue::{PlanEntry, Queue};
use super::snapshot::{Compiled, Snapshot, Snapshots};
use super::workers::Workers;
use super::writer::Fresh;
use super::{SnapshotError, evaluate, plan};
use crate::model::{AccountId, Clock, IncarnationId};
use crate::outbound::Client;
use crate::store::{self, Store};

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
        self.closing.store(true, Ordering::SeqCst);
        drop(self.lanes.close());
        if !self.ended.send_replace(true) {
            tracing::error!(error, incarnation.id = %self.holder, "the incarnation ends");
        }
    }

    /// Runs `work` until it is done or the incarnation ends.
    pub(super) fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let mut ended = self.ended.subscribe();
        self.tracker.spawn(async move {
            tokio::select! {
                () = work => {}
                _ = ended.wait_for(|ended| *ended) => {}
            }
        });
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
    pub(super) fn evaluate(self: &Arc<Self>, events: Vec<Fresh>) {
        if events.is_empty() {
            return;
        }
        let node = self.clone();
        self.spawn(async move {
            for fresh in events {
                match node.snapshots.get(fresh.account, fresh.revision).await {
                    Some(snapshot) => node.evaluate_one(fresh, snapshot),
                    None => node.evaluate_later(fresh),
                }
            }
        });
    }

    /// Loads the account first; others don't wait for it.
    pub(super) fn evaluate_later(self: &Arc<Self>, fresh: Fresh) {
        let node = self.clone();
        self.spawn(async move {
            match node.snapshots.at(fresh.account, fresh.revision).await {
                Ok(snapshot) => node.evaluate_one(fresh, snapshot),
                Err(SnapshotError::NoAccount(_)) => node.queue.set_aside(store::SetAside {
                    account: fresh.account,
                    event: fresh.event.id,
                    why: "its account does not exist".to_owned(),
                }),
                // Its inbox row stays; the next incarnation evaluates it.
                Err(error) => node.end(&error),
            }
        });
    }

    pub(super) fn evaluate_one(self: &Arc<Self>, fresh: Fresh, snapshot: Arc<Snapshot>) {
        let candidates = snapshot.candidates(&fresh.event.event_type);
        if candidates
            .iter()
            .any(|automation| automation.runs_plugins())
        {
            let node = self.clone();
            let account = fresh.account;
            let run = move || node.plan(fresh, snapshot, candidates);
            self.workers.submit(account, Box::new(run));
        } else {
            self.plan(fresh, snapshot, candidates);
        }
    }

    /// Evaluates, plans, takes the places that are free, and queues the plan.
    pub(super) fn plan(
        &self,
        fresh: Fresh,
        snapshot: Arc<Snapshot>,
        candidates: Vec<Arc<Compiled>>,
    ) {
        let Fresh {
            account,
            revision,
            event,
            permit,
        } = fresh;
        let evaluated: Vec<_> = {
            let view = event.view();
            candidates
                .into_iter()
                .map(|automation| {
                    let evaluation = evaluate::evaluate(&automation, &event, &view, self.components.engine());
                    metrics::counter!("throwbar_evaluations_total", "verdict" => evaluation.verdict.as_str())
                        .increment(1);
                    (automation, evaluation)
                })
                .collect()
        };
        let now = self.clock.now();
        let plan::Plan { mut rows, contents } =
            plan::plan((account, revision), &event, &snapshot, &evaluated, now);
        let mut slots = Vec::with_capacity(rows.deliveries.len());
        for (delivery, content) in rows.deliveries.iter_mut().zip(&contents) {
            let open = snapshot.enabled
                && snapshot
                    .endpoint(delivery.endpoint)
                    .is_some_and(|view| view.enabled);
            let slot = if open {
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
    }
}
