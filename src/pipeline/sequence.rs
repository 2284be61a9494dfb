//! Events of which deliveries may keep an order are evaluated one after the other, as this node has taken them: one
//! that is soon evaluated does not overtake one that takes long. Account by account, and only where an automation
//! keeps an order; whether one does is known once the account is loaded, so that what comes before that is
//! evaluated so, too. Between nodes there is no such sequence.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use super::course::{STEPS_AT_ONCE_MAX, Unplanned};
use super::node::Node;
use crate::model::AccountId;

/// What waits for the one before it, account by account. Who is here has somebody who goes on with it.
#[derive(Debug, Default)]
pub(super) struct Sequences(Mutex<HashMap<AccountId, VecDeque<Unplanned>>>);

impl Sequences {
    /// Puts it behind what its account has here. Whether somebody must begin with it.
    fn push(&self, unplanned: Unplanned) -> bool {
        let mut waiting = self.lock();
        let is_first = !waiting.contains_key(&unplanned.account);
        let queue = waiting.entry(unplanned.account).or_default();
        queue.push_back(unplanned);
        is_first
    }

    /// The next one; after the last one nobody goes on.
    fn pop(&self, account: AccountId) -> Option<Unplanned> {
        let mut waiting = self.lock();
        let next = waiting.get_mut(&account)?.pop_front();
        if next.is_none() {
            waiting.remove(&account);
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, VecDeque<Unplanned>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// Takes out those that go one after the other, in their order.
    pub(super) fn in_sequence(&self, events: &mut Vec<Unplanned>) -> Vec<Unplanned> {
        let may_keep_order = |unplanned: &mut Unplanned| {
            // A suspect has its own place, which others wait for.
            unplanned.alone.is_none() && {
                let current = self.snapshots.follow(unplanned.account).last_loaded();
                current.keeps_order || current.revision < unplanned.revision
            }
        };
        events.extract_if(.., may_keep_order).collect()
    }

    /// Evaluates each once the one before it is planned.
    pub(super) fn evaluate_in_sequence(self: &Arc<Self>, events: Vec<Unplanned>) {
        for unplanned in events {
            let account = unplanned.account;
            if self.sequences.push(unplanned) {
                let node = self.clone();
                self.spawn(async move { go_on(&node, account).await });
            }
        }
    }
}

async fn go_on(node: &Arc<Node>, account: AccountId) {
    let place = Arc::new(Semaphore::new(1));
    let mut steps = 0;
    while let Some(unplanned) = node.sequences.pop(account) {
        let turn = place.clone().acquire_owned().await;
        let turn = turn.expect("the semaphore is never closed");
        let Some(snapshot) = node.snapshot_for(&unplanned).await else {
            continue;
        };
        let keeps_order = snapshot.keeps_order(&unplanned.event.event_type);
        let alone = keeps_order.then_some(turn);
        steps += node.evaluate_one(Unplanned { alone, ..unplanned }, snapshot);
        if steps > STEPS_AT_ONCE_MAX {
            steps = 0;
            tokio::task::yield_now().await;
        }
    }
}
