//! All lanes of this node, one an endpoint (see [`super::lane`]). The slots of all lanes together are bounded, in count
//! and in bytes (see [`super::permit`]). Who has something due and a free slot gets a turn to claim (see
//! [`super::turns`]).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::attempt::Outgoing;
use super::busy::Busy;
use super::lane::{Feeling, Lane, Moment};
use super::limited::{Room, Stated};
use super::permit::{Ask, PermitLimits, Permits, Way};
use super::rota::{Place, Rota};
use super::slot::Slot;
use crate::model::{AccountId, Clock, EndpointId, IncarnationId, Timestamp};
use crate::throttle::Nodes;

#[derive(Debug)]
pub(super) struct State {
    pub(super) lanes: HashMap<EndpointId, Lane<Outgoing>>,
    pub(super) accounts: HashMap<AccountId, HashSet<EndpointId>>,
    /// Lanes with something due that no claim is at.
    pub(super) rota: Rota,
    /// Nobody in line can have a slot until one is free.
    pub(super) stuck: bool,
    nodes: Nodes,
    window_max: u32,
    wake: Arc<Notify>,
    closed: bool,
}

/// All lanes of this node. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    pub(super) memory: Permits,
    pub(super) clock: Clock,
    state: Arc<Mutex<State>>,
    pub(super) wake: Arc<Notify>,
    pub(super) busy: Busy,
}

/// What becomes of a delivery that is to be sent.
pub(super) enum Entry {
    /// Its request may be opened.
    Open(Outgoing),
    /// It comes back when another request has ended.
    Waits,
    /// Nothing is sent any more.
    Closed(Outgoing),
}

/// A fresh delivery that asks for a slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fresh {
    pub(super) account: AccountId,
    pub(super) endpoint: EndpointId,
    pub(super) bytes: usize,
    /// What its endpoint states.
    pub(super) stated: Stated,
}

impl Lanes {
    pub(super) fn new(
        (window_max, memory): (u32, PermitLimits),
        nodes: Nodes,
        clock: Clock,
        busy: Busy,
    ) -> Self {
        let wake = Arc::<Notify>::default();
        let state = State {
            wake: wake.clone(),
            lanes: HashMap::new(),
            accounts: HashMap::new(),
            rota: Rota::default(),
            stuck: false,
            nodes,
            window_max: window_max.max(1),
            closed: false,
        };
        Self {
            memory: Permits::new(memory, busy.clone()),
            clock,
            state: Arc::new(Mutex::new(state)),
            wake,
            busy,
        }
    }

    /// A slot for a fresh delivery; or until when it waits in the store.
    pub(super) fn take(&self, fresh: Fresh, now: Timestamp) -> Result<Slot, Timestamp> {
        let mut state = self.lock();
        let (account, endpoint) = (fresh.account, fresh.endpoint);
        let lane = state.lane(account, endpoint);
        lane.state(fresh.stated);
        if lane.is_limited() {
            state.place(endpoint, now);
        }
        let Some(lane) = state.seen(endpoint, now) else {
            return Err(now);
        };
        if lane.has_backlog(now) || !matches!(lane.room_for_slots(now), Room::For(_)) {
            return Err(lane.spills_until(now));
        }
        let ask = Ask {
            bytes: fresh.bytes,
            beside: lane.slots(),
            way: Way::Fresh,
        };
        let memory = self.memory.take_slot(account, ask).ok_or(now)?;
        lane.take_slots(1);
        Ok(Slot::new(self, endpoint, memory))
    }

    /// Something waits in the store for this endpoint, due at `due`. Call it after the commit.
    pub(super) fn waits(&self, account: AccountId, endpoint: EndpointId, due: Timestamp) {
        let now = self.clock.now();
        self.lock().waits((account, endpoint), due, now);
        self.wake.notify_one();
    }

    /// As [`waits`](Self::waits), and its limits may be others than before.
    pub(super) fn looks_again(&self, account: AccountId, endpoint: EndpointId, due: Timestamp) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.waits((account, endpoint), due, now);
        if let Some(lane) = state.lanes.get_mut(&endpoint)
            && lane.is_limited()
        {
            lane.unsure = true;
            state.place(endpoint, now);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Forgets the lanes of which nothing would be missed.
    pub(super) fn forget_idle(&self) {
        let now = self.clock.now();
        let mut state = self.lock();
        let endpoints: Vec<EndpointId> = state.lanes.keys().copied().collect();
        for endpoint in endpoints {
            state.forget(endpoint, now);
        }
    }

    /// These nodes live; it was asked at `asked_at`, in real time. What comes back may now open a request each.
    pub(super) fn see_nodes(&self, live: &[IncarnationId], asked_at: Timestamp) -> Vec<Outgoing> {
        let now = self.clock.now();
        let mut state = self.lock();
        let changed = state.nodes.see(live, now, asked_at);
        let limited = state.lanes.iter().filter(|(_, lane)| lane.is_limited());
        let endpoints: Vec<EndpointId> = limited.map(|(id, _)| *id).collect();
        let mut let_in = Vec::new();
        for endpoint in endpoints {
            if let Some(lane) = state.seen(endpoint, now) {
                let_in.extend(lane.let_in(now));
            }
            state.place(endpoint, now);
        }
        drop(state);
        if changed {
            self.wake.notify_one();
        }
        let_in
    }

    /// How many nodes live, as far as this one knows.
    pub(super) fn nodes(&self) -> usize {
        self.lock().nodes.count()
    }

    /// How many more events of the account may be on their way to its quick endpoints; `None`: as
    /// many as come.
    pub(super) fn room(&self, account: AccountId, now: Timestamp) -> Option<u32> {
        // How quickly a receiver answers is a matter of real time.
        let real_now = Clock::System.now();
        let state = self.lock();
        let lanes = state.accounts.get(&account)?;
        lanes
            .iter()
            .filter_map(|endpoint| state.lanes.get(endpoint)?.room(now, real_now))
            .min()
    }

    /// Events of the account were let in.
    pub(super) fn let_come(&self, account: AccountId, events: u32) {
        let mut state = self.lock();
        let State {
            lanes, accounts, ..
        } = &mut *state;
        for endpoint in accounts.get(&account).into_iter().flatten() {
            if let Some(lane) = lanes.get_mut(endpoint) {
                lane.let_come(events);
            }
        }
    }

    /// What comes back may open its request now; what does not waits for its endpoint's window.
    pub(super) fn enter(&self, mut outgoing: Outgoing) -> Entry {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.closed {
            return Entry::Closed(outgoing);
        }
        let endpoint = outgoing.slot.endpoint();
        // Its slot keeps the lane.
        let Some(lane) = state.seen(endpoint, now) else {
            return Entry::Closed(outgoing);
        };
        outgoing.slot.opens();
        let entered = lane.enter(outgoing, now);
        if lane.is_limited() {
            state.place(endpoint, now);
        }
        entered.map_or(Entry::Waits, Entry::Open)
    }

    /// From now on nothing is let in. What was waiting for a window.
    pub(super) fn close(&self) -> Vec<Outgoing> {
        let mut state = self.lock();
        let before = std::mem::replace(&mut state.closed, true);
        let mut waiting: Vec<Outgoing> = Vec::new();
        let mut broken = 0;
        for lane in state.lanes.values_mut() {
            waiting.extend(lane.close());
            broken += u32::from(lane.is_broken());
        }
        if !before {
            circuits_open(-f64::from(broken));
        }
        for outgoing in &mut waiting {
            outgoing.slot.stays_shut();
        }
        waiting
    }

    /// Returns after something changed that may make a turn possible.
    pub(super) async fn changed(&self) {
        self.wake.notified().await;
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many more circuits of this process are open.
fn circuits_open(more: f64) {
    metrics::gauge!("throwbar_circuits_open").increment(more);
}

impl State {
    /// The endpoint's lane, made if there is none.
    pub(super) fn lane(&mut self, account: AccountId, endpoint: EndpointId) -> &mut Lane<Outgoing> {
        self.lanes.entry(endpoint).or_insert_with(|| {
            self.accounts.entry(account).or_default().insert(endpoint);
            Lane::new(account, self.window_max)
        })
    }

    /// The endpoint's lane, if there is one, with this node's part of its limits as it is now.
    pub(super) fn seen(
        &mut self,
        endpoint: EndpointId,
        now: Timestamp,
    ) -> Option<&mut Lane<Outgoing>> {
        let lane = self.lanes.get_mut(&endpoint)?;
        if lane.is_limited() {
            let known = Some(&self.nodes).filter(|nodes| nodes.knows(Clock::System.now()));
            lane.see(endpoint, known, now);
        }
        Some(lane)
    }

    /// Something waits in the store, due at `due`.
    pub(super) fn waits(
        &mut self,
        (account, endpoint): (AccountId, EndpointId),
        due: Timestamp,
        now: Timestamp,
    ) {
        let lane = self.lane(account, endpoint);
        if lane.claiming {
            lane.spilled_meanwhile =
                Some(lane.spilled_meanwhile.map_or(due, |known| known.min(due)));
        } else if lane.due.is_none_or(|known| due < known) {
            lane.due = Some(due);
            self.place(endpoint, now);
        }
    }

    /// Puts the lane where it belongs now among those that have something due.
    pub(super) fn place(&mut self, endpoint: EndpointId, now: Timestamp) {
        let Some(lane) = self.seen(endpoint, now) else {
            return;
        };
        if !lane.has_place() {
            return;
        }
        let (account, from) = (lane.account, lane.place);
        let to = lane.turn_at(now).map_or(Place::Nowhere, Place::Later);
        let to = self.rota.put((account, endpoint), from, to);
        if let Some(lane) = self.lanes.get_mut(&endpoint) {
            lane.place = to;
        }
        if from != to {
            self.wake.notify_one();
        }
    }

    /// A request has ended.
    pub(super) fn leave(
        &mut self,
        endpoint: EndpointId,
        said: (Feeling, i64),
        now: Timestamp,
    ) -> Vec<Outgoing> {
        let real_now = Clock::System.now();
        let Some(lane) = self.seen(endpoint, now) else {
            return Vec::new();
        };
        let before = lane.is_broken();
        let next = lane.leave(said, Moment { now, real_now });
        let after = lane.is_broken();
        if lane.has_place() {
            self.place(endpoint, now);
        }
        if before != after && !self.closed {
            circuits_open(if after { 1.0 } else { -1.0 });
            if after {
                metrics::counter!("throwbar_circuits_opened_total").increment(1);
            }
        }
        next
    }

    pub(super) fn forget(&mut self, endpoint: EndpointId, now: Timestamp) {
        let Some(lane) = self.lanes.get_mut(&endpoint) else {
            return;
        };
        if !lane.is_forgettable(now) {
            return;
        }
        let account = lane.account;
        self.lanes.remove(&endpoint);
        if let Some(lanes) = self.accounts.get_mut(&account) {
            lanes.remove(&endpoint);
            if lanes.is_empty() {
                self.accounts.remove(&account);
            }
        }
    }
}
