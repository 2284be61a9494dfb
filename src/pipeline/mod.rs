//! Floor 3: from acceptance to the record.
//!
//! ```text
//! accept ──► evaluate ──► plan ──► attempt ──► record
//!   │ commit   pure        │ commit   no          │ commit
//!   └ then the answer      └ then     transaction └ then the slot is free
//!                            the request
//! ```
//!
//! # What holds
//!
//! - An event that was acknowledged is in the store, with an inbox row that stays until its plan
//!   is: whatever dies, somebody evaluates it, as of the revision it was accepted at.
//! - A request leaves only for a delivery that is on disk. Every attempt of a delivery carries the
//!   same id and byte-identical body: both are fixed when it is planned.
//! - Planning twice writes nothing twice: ids are derived.
//! - A node that lost its life writes nothing more: the store's fence refuses it.
//! - Memory is bounded: by permits until the plan, by slots after it. What has no slot waits in the
//!   store.
//! - Nothing on the way polls. The writer awaits only the database.

mod attempt;
mod busy;
mod claimer;
pub mod components;
pub mod crash;
mod decide;
mod evaluate;
mod lanes;
mod permit;
mod plan;
mod queue;
pub mod sealing;
mod settings;
mod snapshot;
mod takeover;
mod workers;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio_util::task::TaskTracker;

pub use evaluate::{EvaluatedEvent, Evaluation, Trace, Verdict};
pub use permit::{Full, PermitLimits};
pub use settings::EndpointSettings;
pub use snapshot::Error as SnapshotError;

use crate::model::{AccountId, Clock, EndpointId, EventId, IncarnationId, Timestamp};
use crate::outbound::Client;
use crate::store::{self, Life, NewEvent, Store};
use crate::vault::Vault;
use attempt::Outgoing;
use busy::Busy;
use components::Components;
use lanes::Lanes;
use permit::Permits;
use queue::{AcceptEntry, PlanEntry, Queue};
use snapshot::Snapshots;
use workers::Workers;
use writer::Fresh;

/// How often a node looks whether others have died, and whether it lives itself.
const LIFE_CHECK_MS: i64 = 500;

/// What a pipeline works with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where everything is kept.
    pub store: Store,
    /// Opens signing secrets.
    pub vault: Arc<Vault>,
    /// Loaded plugins.
    pub components: Components,
    /// The way out.
    pub client: Client,
    /// Where the time comes from.
    pub clock: Clock,
    /// The bounds.
    pub limits: Limits,
}

/// The bounds of a pipeline.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Between acceptance and plan.
    pub permits: PermitLimits,
    /// Most deliveries under way to one endpoint.
    pub endpoint_window_max: u32,
    /// Threads that run plugins.
    pub plugin_threads: usize,
    /// How long a shutdown waits for what is under way.
    pub shutdown_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            permits: PermitLimits::default(),
            endpoint_window_max: 256,
            plugin_threads: 2,
            shutdown_ms: 20_000,
        }
    }
}

/// An event that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    /// Its id: the first one's, if it came before.
    pub event: EventId,
    /// Whether it came before.
    pub repeat: bool,
}

/// Why an event was not accepted. Nothing of it was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// Too much is on its way: try again in a moment.
    #[error("too many events are waiting to be evaluated")]
    Busy(Full),
    /// Another event has the same id or idempotency key.
    #[error("the event {event} has this id or idempotency key and another body")]
    Conflict {
        /// The first one.
        event: EventId,
    },
    /// There is no such account.
    #[error("there is no such account")]
    NoAccount,
    /// The database does not answer, or the node is stopping.
    #[error("events can't be stored at the moment")]
    Unavailable,
    /// The database refuses this event.
    #[error("the database refuses this event")]
    Refused,
}

struct Inner {
    store: Store,
    client: Client,
    clock: Clock,
    components: Components,
    snapshots: Snapshots,
    holder: IncarnationId,
    permits: Permits,
    lanes: Lanes,
    queue: Queue,
    workers: Workers,
    busy: Busy,
    tracker: TaskTracker,
    closing: AtomicBool,
    ended: watch::Sender<bool>,
}

/// One incarnation of a node at work. Clones are the same one.
#[derive(Clone)]
pub struct Pipeline {
    inner: Arc<Inner>,
    life: Arc<tokio::sync::Mutex<Option<Life>>>,
    shutdown_ms: u64,
}

impl Pipeline {
    /// Begins a life: takes over what ended lives have left, then works.
    pub async fn start(parts: Parts) -> Result<Self, store::Error> {
        let mut life = parts.store.begin_life(parts.clock.now()).await?;
        let busy = Busy::default();
        let inner = Arc::new(Inner {
            snapshots: Snapshots::new(parts.store.clone(), parts.vault, parts.components.clone()),
            components: parts.components,
            store: parts.store,
            client: parts.client,
            clock: parts.clock,
            holder: life.id(),
            permits: Permits::new(parts.limits.permits, busy.clone()),
            lanes: Lanes::new(parts.limits.endpoint_window_max, busy.clone()),
            queue: Queue::default(),
            workers: Workers::start(parts.limits.plugin_threads).map_err(store::Error::Lock)?,
            busy,
            tracker: TaskTracker::new(),
            closing: AtomicBool::new(false),
            ended: watch::Sender::new(false),
        });
        inner.spawn(writer::run(inner.clone()));
        takeover::sweep(&inner, &mut life).await?;
        claimer::look(&inner).await?;
        inner.spawn(claimer::run(inner.clone()));
        let life = Arc::new(tokio::sync::Mutex::new(Some(life)));
        inner.spawn(watch_lives(inner.clone(), life.clone()));
        tracing::info!(incarnation.id = %inner.holder, "the pipeline is at work");
        Ok(Self {
            inner,
            life,
            shutdown_ms: parts.limits.shutdown_ms,
        })
    }

    /// Takes events; each is answered once it is durable, or refused. All go into one commit as far
    /// as they fit.
    pub async fn accept(&self, events: Vec<NewEvent>) -> Vec<Result<Acknowledged, AcceptError>> {
        let inner = &self.inner;
        if inner.is_closing() {
            return events
                .iter()
                .map(|_| Err(AcceptError::Unavailable))
                .collect();
        }
        let mut entries = Vec::with_capacity(events.len());
        let mut answers = Vec::with_capacity(events.len());
        for event in events {
            match inner.permits.take(event.account, event.payload.len()) {
                Ok(permit) => {
                    let (reply, answer) = oneshot::channel();
                    entries.push(AcceptEntry {
                        event,
                        permit,
                        reply,
                    });
                    answers.push(Ok(answer));
                }
                Err(full) => {
                    metrics::counter!("throwbar_events_pushed_back_total").increment(1);
                    answers.push(Err(AcceptError::Busy(full)));
                }
            }
        }
        inner.queue.accept(entries);
        let mut outcomes = Vec::with_capacity(answers.len());
        for answer in answers {
            outcomes.push(match answer {
                Err(refused) => Err(refused),
                Ok(answer) => answer.await.unwrap_or(Err(AcceptError::Unavailable)),
            });
        }
        outcomes
    }

    /// Something waits in the store for this endpoint, due at `due`; or its state has changed.
    pub fn wake(&self, account: AccountId, endpoint: EndpointId, due: Timestamp) {
        self.inner.lanes.waits(account, endpoint, due);
    }

    /// Returns when nothing is in hand and nothing is due: what tests wait for instead of sleeping.
    pub async fn settle(&self) {
        let inner = &self.inner;
        loop {
            inner.busy.idle().await;
            if inner.lanes.nothing_due(inner.clock.now()) && inner.busy.is_idle() {
                return;
            }
            // Something is due: the claimer holds it as soon as it runs.
            tokio::task::yield_now().await;
        }
    }

    /// Returns when the incarnation has ended.
    pub async fn ended(&self) {
        let mut ended = self.inner.ended.subscribe();
        // The sender lives as long as `self`.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Whether this incarnation still works.
    pub fn is_alive(&self) -> bool {
        !*self.inner.ended.borrow() && !self.inner.is_closing()
    }

    /// Whose life it is.
    pub fn incarnation(&self) -> IncarnationId {
        self.inner.holder
    }

    /// Stops in good order: takes nothing more, finishes what is under way or hands it back, and
    /// ends the life.
    pub async fn shut_down(&self) -> Result<(), store::Error> {
        let inner = &self.inner;
        inner.closing.store(true, Ordering::SeqCst);
        let patience = Duration::from_millis(self.shutdown_ms);
        if tokio::time::timeout(patience, inner.busy.idle())
            .await
            .is_err()
        {
            tracing::warn!("not everything was finished in time; it is handed back");
        }
        let life = self.life.lock().await.take();
        inner.ended.send_replace(true);
        if let Some(life) = life {
            inner.store.end_life(life, inner.clock.now()).await?;
        }
        Ok(())
    }
}

/// Ends with the incarnation: nothing that it started goes on.
async fn watch_lives(inner: Arc<Inner>, life: Arc<tokio::sync::Mutex<Option<Life>>>) {
    loop {
        // The database says who is dead, in real time.
        let real = Clock::System;
        real.sleep_until(real.now().plus_ms(LIFE_CHECK_MS)).await;
        if !inner.store.is_shared() || inner.is_closing() {
            return;
        }
        let mut guard = life.lock().await;
        let Some(held) = guard.as_mut() else { return };
        if let Err(error) = takeover::sweep(&inner, held).await {
            // Without its session a node can't know that it lives.
            *guard = None;
            drop(guard);
            inner.end(&error);
            return;
        }
    }
}

impl Inner {
    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Ends the incarnation because of `error`. What it holds is taken over, by its next one or
    /// by another node.
    fn end(&self, error: &(dyn std::error::Error + 'static)) {
        self.closing.store(true, Ordering::SeqCst);
        if !self.ended.send_replace(true) {
            tracing::error!(error, incarnation.id = %self.holder, "the incarnation ends");
        }
    }

    /// Runs `work` until it is done or the incarnation ends.
    fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let mut ended = self.ended.subscribe();
        self.tracker.spawn(async move {
            tokio::select! {
                () = work => {}
                _ = ended.wait_for(|ended| *ended) => {}
            }
        });
    }

    /// Sends a claimed delivery and has the outcome recorded.
    fn send(self: &Arc<Self>, outgoing: Outgoing) {
        let inner = self.clone();
        self.spawn(async move {
            let made = attempt::attempt(outgoing, &inner.client, &inner.clock).await;
            inner.queue.record(made);
        });
    }

    /// Evaluates events and plans what follows. Those whose account is in memory and that run no
    /// plugin are done here and now.
    fn evaluate(self: &Arc<Self>, events: Vec<Fresh>) {
        if events.is_empty() {
            return;
        }
        let inner = self.clone();
        self.spawn(async move {
            for fresh in events {
                match inner.snapshots.get(fresh.account, fresh.revision).await {
                    Some(snapshot) => inner.evaluate_one(fresh, snapshot),
                    None => inner.evaluate_later(fresh),
                }
            }
        });
    }

    /// Loads the account first; others don't wait for it.
    fn evaluate_later(self: &Arc<Self>, fresh: Fresh) {
        let inner = self.clone();
        self.spawn(async move {
            match inner.snapshots.at(fresh.account, fresh.revision).await {
                Ok(snapshot) => inner.evaluate_one(fresh, snapshot),
                Err(SnapshotError::NoAccount(_)) => inner.queue.set_aside(store::SetAside {
                    account: fresh.account,
                    event: fresh.event.id,
                    why: "its account does not exist".to_owned(),
                }),
                // Its inbox row stays; the next incarnation evaluates it.
                Err(error) => inner.end(&error),
            }
        });
    }

    fn evaluate_one(self: &Arc<Self>, fresh: Fresh, snapshot: Arc<snapshot::Snapshot>) {
        let candidates = snapshot.candidates(&fresh.event.event_type);
        if candidates
            .iter()
            .any(|automation| automation.runs_plugins())
        {
            let inner = self.clone();
            let account = fresh.account;
            let run = move || inner.plan(fresh, snapshot, candidates);
            self.workers.submit(account, Box::new(run));
        } else {
            self.plan(fresh, snapshot, candidates);
        }
    }

    /// Evaluates, plans, takes the places that are free, and queues the plan.
    fn plan(
        &self,
        fresh: Fresh,
        snapshot: Arc<snapshot::Snapshot>,
        candidates: Vec<Arc<snapshot::Compiled>>,
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
        for delivery in &mut rows.deliveries {
            let open = snapshot.enabled
                && snapshot
                    .endpoint(delivery.endpoint)
                    .is_some_and(|view| view.enabled);
            let slot = if open {
                self.lanes.take(account, delivery.endpoint, now)
            } else {
                None
            };
            if slot.is_some() {
                delivery.due_at = None;
            }
            slots.push(slot);
        }
        self.queue.plan(PlanEntry {
            rows,
            contents,
            slots,
            snapshot,
            permit,
        });
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline")
            .field("incarnation", &self.inner.holder)
            .finish_non_exhaustive()
    }
}
