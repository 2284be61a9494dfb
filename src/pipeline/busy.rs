//! Counts what this node has in its hands, so that a shutdown and a test can wait for nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::Pipeline;

/// The count. Clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Busy(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    held: AtomicUsize,
    idle: Notify,
}

impl Pipeline {
    /// Returns when nothing is in hand and nothing is due: what tests wait for instead of sleeping.
    pub async fn settle(&self) {
        let node = &self.node;
        loop {
            node.busy.idle().await;
            let now = node.clock.now();
            let nothing_due = node.lanes.nothing_due(now) && node.dues.nothing_due(now);
            if nothing_due && node.busy.is_idle() {
                return;
            }
            // Something is due: the claimer holds it as soon as it runs.
            tokio::task::yield_now().await;
        }
    }
}

impl Busy {
    /// Something more is in hand, until the token is dropped.
    pub(super) fn hold(&self) -> Held {
        self.0.held.fetch_add(1, Ordering::SeqCst);
        Held(self.clone())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.0.held.load(Ordering::SeqCst) == 0
    }

    /// Returns once nothing was in hand at some moment.
    pub(super) async fn idle(&self) {
        loop {
            let idle = self.0.idle.notified();
            if self.is_idle() {
                return;
            }
            idle.await;
        }
    }
}

/// Something in hand.
#[derive(Debug)]
pub(super) struct Held(Busy);

impl Drop for Held {
    fn drop(&mut self) {
        if self.0.0.held.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.0.idle.notify_waiters();
        }
    }
}
