//! The threads on which plugins run. Accounts take turns, and one account never has all threads:
//! another's plugins run however long its own ones loop. Events without plugins never come here.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::model::AccountId;

/// Something to be run for an account.
type Run = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    waiting: HashMap<AccountId, VecDeque<Run>>,
    /// Accounts with something waiting, the next one in front.
    turns: VecDeque<AccountId>,
    running: HashMap<AccountId, usize>,
    closed: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    per_account_max: usize,
}

/// The threads. They end when it is dropped, after what they run.
pub(super) struct Workers(Arc<Shared>);

impl Workers {
    /// Starts `threads` of them, at least two.
    pub(super) fn start(threads: usize) -> std::io::Result<Self> {
        let threads = threads.max(2);
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            per_account_max: threads - 1,
        });
        for no in 0..threads {
            let shared = shared.clone();
            std::thread::Builder::new()
                .name(format!("plugins-{no}"))
                .spawn(move || work(&shared))?;
        }
        Ok(Self(shared))
    }

    /// Has `run` run when the account's turn comes; never, once they are closed.
    pub(super) fn submit(&self, account: AccountId, run: Run) {
        let mut state = self.0.lock();
        if state.closed {
            drop(state);
            return;
        }
        let queue = state.waiting.entry(account).or_default();
        queue.push_back(run);
        if queue.len() == 1 {
            state.turns.push_back(account);
        }
        self.0.changed.notify_one();
    }
}

impl Workers {
    /// Lets the threads end after what they run now; what waits is let go.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        state.turns.clear();
        drop(state);
        self.0.changed.notify_all();
        // Without the lock: what is let go may hold the last of a node, and with it these threads.
        drop(waiting);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next run of an account that has a thread left.
    fn next(&mut self, per_account_max: usize) -> Option<(AccountId, Run)> {
        let place = self.turns.iter().position(|account| {
            self.running
                .get(account)
                .is_none_or(|count| *count < per_account_max)
        })?;
        let account = self.turns.remove(place)?;
        let queue = self.waiting.get_mut(&account)?;
        let run = queue.pop_front()?;
        if queue.is_empty() {
            self.waiting.remove(&account);
        } else {
            self.turns.push_back(account);
        }
        *self.running.entry(account).or_default() += 1;
        Some((account, run))
    }

    fn done(&mut self, account: AccountId) {
        if let Some(count) = self.running.get_mut(&account) {
            *count -= 1;
            if *count == 0 {
                self.running.remove(&account);
            }
        }
    }
}

fn work(shared: &Shared) {
    let mut state = shared.lock();
    loop {
        if let Some((account, run)) = state.next(shared.per_account_max) {
            drop(state);
            // A panic would take the thread, and with it its share of the machine.
            let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err();
            if broken {
                tracing::error!(account.id = %account, "a plugin thread's run broke off");
            }
            state = shared.lock();
            state.done(account);
            // Another run of this account may have waited for the thread.
            shared.changed.notify_one();
        } else if state.closed {
            return;
        } else {
            state = shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn what_waits_is_let_go_when_they_are_closed() {
        let workers = Workers::start(2).expect("threads");
        let account = AccountId::mint(Timestamp::from_ms(1));
        let (open, gate) = mpsc::channel::<()>();
        workers.submit(account, Box::new(move || assert!(gate.recv().is_err())));
        let (said, heard) = mpsc::channel::<()>();
        for _ in 0..2 {
            let said = said.clone();
            workers.submit(account, Box::new(move || said.send(()).expect("heard")));
        }
        workers.close();
        workers.submit(account, Box::new(move || said.send(()).expect("heard")));
        assert_eq!(heard.recv(), Err(mpsc::RecvError), "nobody can say it");
        drop(open);
    }

    #[test]
    fn one_account_never_has_all_threads() {
        let workers = Workers::start(2).expect("threads");
        let [loud, calm] = std::array::from_fn(|_| AccountId::mint(Timestamp::from_ms(1)));
        let (open, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        for _ in 0..8 {
            let gate = gate.clone();
            workers.submit(
                loud,
                Box::new(move || drop(gate.lock().map(|gate| gate.recv()))),
            );
        }
        let (said, heard) = mpsc::channel();
        workers.submit(
            calm,
            Box::new(move || said.send("ran").expect("somebody listens")),
        );
        assert_eq!(heard.recv(), Ok("ran"), "while the other's runs block");
        drop(open);
    }
}
