//! What is called to jobs from outside: that there may be a new one, that one is called off, that the node
//! stops.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::model::JobId;
use crate::pipeline::busy::{Busy, Held};

/// The calls.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Calls {
    /// Called off when the node stops.
    all: CancellationToken,
    state: Mutex<State>,
    called: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Somebody has called and is not answered.
    waiting: Option<Held>,
    /// Those that this node is at.
    running: HashMap<JobId, CancellationToken>,
}

impl Calls {
    /// There may be a job to begin with. The node is busy until it has looked.
    pub(in crate::pipeline) fn call(&self, busy: &Busy) {
        if self.all.is_cancelled() {
            return;
        }
        let before = self.lock().waiting.replace(busy.hold());
        drop(before);
        self.called.notify_one();
    }

    /// A job was called off: if this node is at it, it stops.
    pub(in crate::pipeline) fn call_off(&self, id: JobId) {
        if let Some(stop) = self.lock().running.get(&id) {
            stop.cancel();
        }
    }

    /// The node stops: every job is let go as far as it has come.
    pub(in crate::pipeline) fn stop(&self) {
        self.all.cancel();
        let waiting = self.lock().waiting.take();
        drop(waiting);
        self.called.notify_one();
    }

    /// Returns after a call.
    pub(super) async fn called(&self) {
        self.called.notified().await;
    }

    /// Answers who has called, once what comes back is dropped.
    pub(super) fn answer(&self) -> Option<Held> {
        self.lock().waiting.take()
    }

    /// The node begins with a job. What is cancelled when it must stop.
    pub(super) fn begin(&self, id: JobId) -> CancellationToken {
        let stop = self.all.child_token();
        self.lock().running.insert(id, stop.clone());
        stop
    }

    /// The node is not at it any more.
    pub(super) fn end(&self, id: JobId) {
        self.lock().running.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn a_call_keeps_the_node_busy_until_it_is_answered() {
        let (calls, busy) = (Calls::default(), Busy::default());
        calls.call(&busy);
        calls.call(&busy);
        let held = calls.answer();
        assert!(held.is_some() && calls.answer().is_none());
        assert!(!busy.is_idle());
        drop(held);
        assert!(busy.is_idle());
        calls.call(&busy);
        calls.stop();
        calls.call(&busy);
        assert!(busy.is_idle(), "nobody is waited for any more");
    }

    #[test]
    fn one_is_called_off_and_a_stop_is_for_all() {
        let calls = Calls::default();
        let [one, other] = std::array::from_fn(|_| JobId::mint(Timestamp::from_ms(1)));
        let (first, second) = (calls.begin(one), calls.begin(other));
        calls.call_off(one);
        assert!(first.is_cancelled() && !second.is_cancelled());
        calls.end(one);
        calls.stop();
        assert!(second.is_cancelled());
        assert!(calls.begin(one).is_cancelled());
    }
}
