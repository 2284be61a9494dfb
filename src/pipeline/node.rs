//! What one incarnation works with, and how one stage hands on to the next.
//!
//! A panic in anything that it runs ends it: an incarnation that has lost a part of itself can't be
//! trusted with the rest, and what it held is taken over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

use super::SnapshotError;
use super::attempt::{self, Outgoing};
use super::busy::Busy;
use super::components::Components;
use super::course::{Came, Course, STEPS_AT_ONCE_MAX, Unplanned};
use super::dues::{DueTurn, Dues};
use super::job::Calls;
use super::lanes::{Entry, Fresh, Lanes};
use super::late::Gate;
use super::permit::{Permit, Permits};
use super::plan::Plan;
use super::queue::{PlanEntry, Queue};
use super::sequence::Sequences;
use super::snapshot::{Snapshot, Snapshots};
use super::standing::Standing;
use super::workers::{Run, Workers};
use crate::model::{AccountId, Clock, IncarnationId};
use crate::outbound::Client;
use crate::store::{self, Store};

/// How long an event waits whose evaluation was not possible at the moment.
const AGAIN_MS: i64 = 500;
/// How long one account's evaluation may keep a worker before others have their turn. One run of a plugin
/// may take longer.
const TURN: Duration = Duration::from_millis(20);

/// Something that the incarnation ran has panicked.
#[derive(Debug, thiserror::Error)]
#[error(
    "a part of the incarnation broke off: this is a defect of the server, which its log describes"
)]
pub(super) struct BrokeOff;

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
    pub(super) dues: Dues,
    pub(super) queue: Queue,
    pub(super) workers: Workers,
    /// What is evaluated one after the other.
    pub(super) sequences: Sequences,
    /// One place: suspects are evaluated alone.
    pub(super) suspects: Arc<Semaphore>,
    /// Who calls to the jobs.
    pub(super) jobs: Calls,
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
        self.jobs.stop();
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
            let mut attempted = attempt.await;
            let (feeling, answer_ms) = attempted.said();
            let next = attempted.slot.leave(feeling, answer_ms);
            node.queue.record(attempted);
            node.attempt_each(next);
        });
    }

    /// Makes the attempts of what was let in.
    pub(super) fn attempt_each(self: &Arc<Self>, let_in: Vec<Outgoing>) {
        for outgoing in let_in {
            self.attempt(outgoing);
        }
    }

    /// What is not sent any more waits in the store.
    pub(super) fn hand_back(&self, outgoing: Outgoing) {
        self.queue
            .record(attempt::hand_back(outgoing, self.clock.now()));
    }

    /// Evaluates events and plans what follows. What is soon done is done here and now, if its account is
    /// in memory; so much of it at a time that nothing else waits for long.
    pub(super) fn evaluate(self: &Arc<Self>, mut events: Vec<Unplanned>) {
        let in_sequence = self.in_sequence(&mut events);
        self.evaluate_in_sequence(in_sequence);
        if events.is_empty() {
            return;
        }
        let node = self.clone();
        self.spawn(async move {
            let mut steps = 0;
            for unplanned in events {
                match node
                    .snapshots
                    .get(unplanned.account, unplanned.revision)
                    .await
                {
                    Some(snapshot) => steps += node.evaluate_one(unplanned, snapshot),
                    None => node.evaluate_later(unplanned),
                }
                if steps > STEPS_AT_ONCE_MAX {
                    steps = 0;
                    tokio::task::yield_now().await;
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
            if let Some(snapshot) = node.snapshot_for(&unplanned).await {
                node.evaluate_one(unplanned, snapshot);
            }
        });
    }

    /// Its account, as soon as that can be loaded; `None` if the event is set aside instead.
    pub(super) async fn snapshot_for(&self, unplanned: &Unplanned) -> Option<Arc<Snapshot>> {
        let (account, revision) = (unplanned.account, unplanned.revision);
        loop {
            match self.snapshots.at(account, revision).await {
                Ok(snapshot) => return Some(snapshot),
                Err(SnapshotError::NoAccount(_)) => {
                    self.queue.set_aside(store::SetAside {
                        account,
                        event: unplanned.event.id,
                        why: "its account does not exist".to_owned(),
                    });
                    return None;
                }
                // The load has said why, once for all that wait for it.
                Err(_not_now) => self.pause().await,
            }
        }
    }

    /// Evaluates on the spot what is soon done; the workers have all else, and everything while the writer
    /// can't keep up. The steps that it took here.
    pub(super) fn evaluate_one(
        self: &Arc<Self>,
        unplanned: Unplanned,
        snapshot: Arc<Snapshot>,
    ) -> usize {
        let mut course = Course::new(unplanned, snapshot);
        let Some(steps) = course.steps_at_once().filter(|_| !self.queue.is_full()) else {
            self.evaluate_in_turns(course);
            return 0;
        };
        if let Some(course) = self.go_on(course) {
            // The machine was slower than anybody knew.
            self.evaluate_in_turns(course);
        }
        steps
    }

    fn evaluate_in_turns(self: &Arc<Self>, course: Course) {
        let account = course.account();
        let node = self.clone();
        self.workers
            .submit(account, Box::new(Turns { node, course }));
    }

    /// Goes on for one turn. What comes back has more to do.
    fn go_on(self: &Arc<Self>, mut course: Course) -> Option<Course> {
        match course.go_on(self.components.engine(), TURN) {
            Came::Through => self.plan(course),
            Came::Midway => return Some(course),
            Came::NotNow(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, event.id = %course.event(), "an event is evaluated later");
                let node = self.clone();
                self.spawn(async move {
                    node.pause().await;
                    node.evaluate_in_turns(course);
                });
            }
        }
        None
    }

    /// Takes the places that are free, and queues the plan. While the writer can't keep up the workers
    /// pause: what they made would only fill the memory.
    fn plan(&self, mut course: Course) {
        let gate = course.take_gate();
        let (plan, unplanned, snapshot) = course.finish(self.clock.now());
        let Unplanned { permit, alone, .. } = unplanned;
        self.queue_plan(
            plan,
            Hand {
                standing: snapshot.standing(),
                permit,
                gate,
                turn: None,
            },
        );
        drop(alone);
        if self.queue.is_full() {
            self.workers.pause();
            // The writer may have emptied it just before, and not come again.
            self.let_workers_go_on();
        }
    }

    pub(super) fn queue_plan(&self, plan: Plan, hand: Hand) {
        let Hand {
            standing,
            permit,
            gate,
            turn,
        } = hand;
        let Plan {
            mut rows,
            contents,
            bytes,
        } = plan;
        let now = rows.evaluated_at;
        let current = standing.current();
        let open = |endpoint| current.as_ref()?.open(endpoint);
        let mut slots = Vec::with_capacity(rows.deliveries.len());
        for (delivery, content) in rows.deliveries.iter_mut().zip(&contents) {
            // Whose turn it is in an order, only the store knows.
            let open = open(delivery.endpoint).filter(|_| delivery.order.is_none());
            let slot = open.map_or(Err(now), |view| {
                let fresh = Fresh {
                    account: rows.account,
                    endpoint: delivery.endpoint,
                    bytes: content.payload.len(),
                    stated: view.settings.stated(),
                };
                self.lanes.take(fresh, now)
            });
            delivery.due_at = slot.as_ref().err().copied();
            slots.push(slot.ok());
        }
        self.queue.plan(PlanEntry {
            rows: Arc::new(rows),
            contents,
            slots,
            bytes,
            standing,
            permit,
            gate,
            turn,
        });
    }

    /// Lets the workers go on unless too much waits for the writer.
    pub(super) fn let_workers_go_on(&self) {
        if !self.queue.is_full() {
            self.workers.go_on();
        }
    }
}

/// What goes with a plan.
pub(super) struct Hand {
    pub(super) standing: Arc<Standing>,
    pub(super) permit: Permit,
    pub(super) gate: Option<Box<Gate>>,
    pub(super) turn: Option<Arc<DueTurn>>,
}

/// An evaluation on the workers' threads.
struct Turns {
    node: Arc<Node>,
    course: Course,
}

impl Run for Turns {
    fn turn(self: Box<Self>) -> Option<Box<dyn Run>> {
        let Self { node, course } = *self;
        let turn = AssertUnwindSafe(|| node.go_on(course));
        let left = catch_unwind(turn).unwrap_or_else(|_| {
            node.end(&BrokeOff);
            None
        });
        left.map(|course| Box::new(Self { node, course }) as Box<dyn Run>)
    }
}
