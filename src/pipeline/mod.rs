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
//! - What automations make of an event, and what they failed at, is in the commit of its plan; operational events
//!   are in that of what they tell. No automation goes on with what descends from its own output.
//! - What leaves, leaves as its account and endpoint stand now: what a user was told is switched off,
//!   moved or rotated, no later request of this node contradicts.
//! - A node that lost its life writes nothing more: the store's fence refuses it. A node that lost a
//!   part of itself ends its life.
//! - Memory is bounded: by permits until the plan, by slots after it. What has no slot waits in the
//!   store. What one event may make is bounded, too; what is beyond that is a verdict.
//! - What flow control puts off is a row with its time, in the commit that has planned its event; whoever
//!   lives goes on with it, and what it makes is planned once.
//! - Events that a node has taken one after the other are planned so, where an automation keeps an order.
//! - Nobody's evaluations keep others waiting: what may take long goes on turn by turn, accounts by turns.
//! - Nothing on the way polls. The writer awaits only the database.
//! - What is done with past events comes after everything else, and makes nothing twice (`job`).

mod accept;
mod attempt;
mod busy;
mod cache;
mod chain;
mod claimer;
mod compiled;
pub mod components;
mod connection;
mod course;
pub mod crash;
mod decide;
mod dues;
mod emission;
mod endpoint_keys;
mod evaluate;
mod evaluation;
mod failing;
mod follows;
mod job;
mod kept_variables;
mod lane;
mod lanes;
mod late;
mod letter_rerun;
mod limited;
mod made;
mod mapper;
mod node;
mod pausing;
mod permit;
mod plan;
mod queue;
mod rehearsal;
mod request;
mod rota;
pub mod sealing;
mod secret;
mod sent;
mod sequence;
mod settings;
mod shown;
mod slot;
mod slot_share;
mod snapshot;
mod standing;
mod step;
mod takeover;
#[cfg(test)]
mod tests;
mod trace;
mod trial;
mod tried;
mod turns;
mod variables;
mod verdict;
mod waits;
mod workers;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

pub use accept::{AcceptError, Acknowledged};
pub use connection::{
    AccountConnection, Auth, BasicAuth, BearerAuth, Connected, CredentialsPlace, OAuth2,
    OwnCertificate, ProxySettings, Unconnectable,
};
pub use evaluate::{AcceptedEvent, own_source};
pub use evaluation::{Evaluation, Explained};
pub use follows::{Follows, Part};
pub use letter_rerun::{LetterRerun, LetterRerunResult};
pub use mapper::{Error as MapperError, Mapper, MapperRun};
pub use permit::{Full, PermitLimits};
pub use rehearsal::Rehearsal;
pub use secret::Secrets;
pub use sent::{Error as SentError, SENT_BODY_BYTES_MAX, SentDelivery, SentRequest};
pub use settings::{DeliveryMethod, EndpointSettings};
pub use snapshot::Error as SnapshotError;
pub use step::Step;
pub use trace::{RESPONSE_HEADERS_KEPT_BYTES_MAX, RESPONSE_HEADERS_MAX, Trace};
pub use trial::{Addressees, Error as TrialError, Trial};
pub use tried::{Tried, TriedRequest};
pub use variables::{AccountVariables, Filled};
pub use verdict::Verdict;

use crate::model::{AccountId, Clock, EndpointId, IncarnationId, Timestamp};
use crate::outbound::Client;
use crate::store::{self, Life, Store};
use crate::throttle::Nodes;
use crate::vault::Vault;
use busy::Busy;
use components::Components;
use dues::Dues;
use lanes::Lanes;
use node::Node;
use permit::Permits;
use queue::Queue;
use sequence::Sequences;
use snapshot::Snapshots;
use workers::Workers;

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
    /// Most requests open to one endpoint.
    pub endpoint_window_max: u32,
    /// Deliveries in memory.
    pub slots: PermitLimits,
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
            slots: PermitLimits::default(),
            plugin_threads: 2,
            shutdown_ms: 20_000,
        }
    }
}

/// One incarnation of a node at work. Clones are the same one.
#[derive(Clone)]
pub struct Pipeline {
    node: Arc<Node>,
    life: Held,
    shutdown_ms: u64,
}

impl Pipeline {
    /// Begins a life: takes over what ended lives have left, then works.
    pub async fn start(parts: Parts) -> Result<Self, store::Error> {
        let life = parts.store.begin_life(parts.clock.now()).await?;
        let shutdown_ms = parts.limits.shutdown_ms;
        let node = node_of(parts, life.id())?;
        work(&node, life).await.map(|life| Self {
            node,
            life,
            shutdown_ms,
        })
    }

    /// Something waits in the store for this endpoint, due at `due`; or its state has changed.
    pub fn wake(&self, account: AccountId, endpoint: EndpointId, due: Timestamp) {
        self.node.lanes.looks_again(account, endpoint, due);
    }

    /// How many nodes share the endpoints' limits, as far as this one knows.
    pub fn nodes(&self) -> usize {
        self.node.lanes.nodes()
    }

    /// Looks at once for what is due in the store.
    pub async fn look(&self) {
        let looked = async {
            claimer::look(&self.node).await?;
            waits::look(&self.node).await
        };
        if let Err(error) = looked.await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "can't look for what is due"
            );
        }
    }

    /// Returns when the incarnation has ended.
    pub async fn ended(&self) {
        let mut ended = self.node.ended.subscribe();
        // The sender lives as long as `self`.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Whether this incarnation still works.
    pub fn is_alive(&self) -> bool {
        !*self.node.ended.borrow() && !self.node.is_closing()
    }

    /// Whose life it is.
    pub fn incarnation(&self) -> IncarnationId {
        self.node.holder
    }

    /// Stops in good order: takes nothing more, finishes what is under way or hands it back, and
    /// ends the life.
    pub async fn shut_down(&self) -> Result<(), store::Error> {
        let node = &self.node;
        node.closing.store(true, Ordering::SeqCst);
        node.jobs.stop();
        for outgoing in node.lanes.close() {
            node.hand_back(outgoing);
        }
        let patience = Duration::from_millis(self.shutdown_ms);
        if tokio::time::timeout(patience, node.busy.idle())
            .await
            .is_err()
        {
            tracing::warn!("not everything was finished in time; it is handed back");
        }
        let life = self.life.lock().await.take();
        node.stop();
        if let Some(life) = life {
            node.store.end_life(life, node.clock.now()).await?;
        }
        Ok(())
    }
}

/// A life's parts, none of them at work yet.
fn node_of(parts: Parts, holder: IncarnationId) -> Result<Arc<Node>, store::Error> {
    let busy = Busy::default();
    let began = parts.clock.now();
    let nodes = if parts.store.is_shared() {
        Nodes::shared(holder, began)
    } else {
        Nodes::alone(holder, began)
    };
    Ok(Arc::new(Node {
        snapshots: Snapshots::new(parts.store.clone(), parts.vault, parts.components.clone()),
        components: parts.components,
        store: parts.store,
        client: parts.client,
        clock: parts.clock.clone(),
        holder,
        permits: Permits::new(parts.limits.permits, busy.clone()),
        lanes: Lanes::new(
            (parts.limits.endpoint_window_max, parts.limits.slots),
            nodes,
            parts.clock.clone(),
            busy.clone(),
        ),
        dues: Dues::new(busy.clone()),
        queue: Queue::new(busy.clone()),
        workers: Workers::start(parts.limits.plugin_threads).map_err(store::Error::Lock)?,
        sequences: Sequences::default(),
        suspects: Arc::new(Semaphore::new(1)),
        jobs: job::Calls::default(),
        runtime: Handle::current(),
        busy,
        tracker: TaskTracker::new(),
        closing: AtomicBool::new(false),
        ended: watch::Sender::new(false),
    }))
}

/// A life, until it is ended.
type Held = Arc<tokio::sync::Mutex<Option<Life>>>;

/// Sets the parts to work: first on what others have left, and what is due.
async fn work(node: &Arc<Node>, mut life: Life) -> Result<Held, store::Error> {
    node.spawn(writer::run(node.clone()));
    let taken_up = async {
        takeover::begin(node, &mut life).await?;
        see_nodes(node).await?;
        claimer::look(node).await?;
        waits::look(node).await
    };
    if let Err(error) = taken_up.await {
        // Nothing of it may go on beside the next life.
        node.end(&error);
        return Err(error);
    }
    node.spawn(claimer::run(node.clone()));
    node.spawn(job::run(node.clone()));
    node.spawn(waits::run(node.clone()));
    let life = Arc::new(tokio::sync::Mutex::new(Some(life)));
    node.spawn(watch_lives(node.clone(), life.clone()));
    tracing::info!(incarnation.id = %node.holder, "the pipeline is at work");
    Ok(life)
}

/// Sees which nodes live: they share the endpoints' limits.
async fn see_nodes(node: &Arc<Node>) -> Result<(), store::Error> {
    if node.store.is_shared() {
        let asked_at = Clock::System.now();
        let live = node.store.living().await?;
        node.attempt_each(node.lanes.see_nodes(&live, asked_at));
    }
    Ok(())
}

/// Ends with the incarnation: nothing that it started goes on.
async fn watch_lives(node: Arc<Node>, life: Held) {
    loop {
        // The database says who is dead, in real time.
        let real = Clock::System;
        real.sleep_until(real.now().plus_ms(LIFE_CHECK_MS)).await;
        if !node.store.is_shared() || node.is_closing() {
            return;
        }
        let mut guard = life.lock().await;
        let Some(held) = guard.as_mut() else { return };
        let looked = async {
            takeover::sweep(&node, held).await?;
            see_nodes(&node).await
        };
        if let Err(error) = looked.await {
            // Without its session a node can't know that it lives.
            *guard = None;
            drop(guard);
            node.end(&error);
            return;
        }
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline")
            .field("incarnation", &self.node.holder)
            .finish_non_exhaustive()
    }
}
