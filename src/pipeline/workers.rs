//! The threads for what may take long: plugins, and conditions of many automations or on large payloads.
//! Accounts take turns, and one account never has all threads: another's plugins run however long its own
//! ones loop. What can't be done in one turn goes on in its account's next one. Events that are soon
//! evaluated never come here.
//!
//! What nobody waits for is done quietly: one turn at a time on all threads together, and none begins while
//! anything else could; but for a small share of the time, so that whoever keeps the threads at work for ever does not
//! keep that from its end.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::{AccountId, Stopwatch};

/// For so long, over all threads, what somebody waits for comes before a quiet turn.
const AWAITED_FIRST: Duration = Duration::from_millis(500);
/// And for so many times as long as the quiet turn before has taken.
const AWAITED_SHARES: u32 = 9;

/// Something to be run for an account, turn by turn.
pub(super) trait Run: Send {
    /// Runs for one turn. What comes back has more to do.
    fn turn(self: Box<Self>) -> Option<Box<dyn Run>>;
}

#[derive(Default)]
struct State {
    waiting: HashMap<AccountId, VecDeque<Box<dyn Run>>>,
    /// Accounts with something waiting, the next one in front.
    turns: VecDeque<AccountId>,
    running: HashMap<AccountId, usize>,
    /// What nobody waits for, the next one in front.
    quiet: VecDeque<(AccountId, Box<dyn Run>)>,
    /// A turn of those is under way.
    quiet_runs: bool,
    /// How long the last of them took.
    quiet_took: Duration,
    /// How long all other turns took since it began.
    awaited_took: Duration,
    /// No turn begins.
    paused: bool,
    closed: bool,
}

/// A turn that begins.
struct Turn {
    account: AccountId,
    run: Box<dyn Run>,
    pace: Pace,
}

/// Before what a turn comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Somebody waits for it.
    Awaited,
    /// It comes after everything else.
    Quiet,
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
    pub(super) fn submit(&self, account: AccountId, run: Box<dyn Run>) {
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

    /// Has `run` run, turn by turn, while nothing else could, or in the small share of the time that is for that;
    /// never, once they are closed. Those of all accounts take turns.
    pub(super) fn submit_quietly(&self, account: AccountId, run: Box<dyn Run>) {
        let mut state = self.0.lock();
        if state.closed {
            drop(state);
            return;
        }
        state.quiet.push_back((account, run));
        self.0.changed.notify_one();
    }

    /// Lets no turn begin until they [go on](Self::go_on).
    pub(super) fn pause(&self) {
        self.0.lock().paused = true;
    }

    /// Ends a pause.
    pub(super) fn go_on(&self) {
        if std::mem::take(&mut self.0.lock().paused) {
            self.0.changed.notify_all();
        }
    }

    /// Lets the threads end after what they run now; what waits is let go.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        let quiet = std::mem::take(&mut state.quiet);
        state.turns.clear();
        drop(state);
        self.0.changed.notify_all();
        // Without the lock: what is let go may hold the last of a node, and with it these threads.
        drop((waiting, quiet));
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
    /// The next turn: of an account that has a thread left, or else a quiet one; that one first, if it has waited
    /// for its share.
    fn next(&mut self, per_account_max: usize) -> Option<Turn> {
        if self.paused {
            return None;
        }
        let first = AWAITED_FIRST.max(self.quiet_took * AWAITED_SHARES);
        if self.awaited_took >= first
            && let Some(turn) = self.next_quiet()
        {
            return Some(turn);
        }
        self.next_awaited(per_account_max)
            .or_else(|| self.next_quiet())
    }

    fn next_awaited(&mut self, per_account_max: usize) -> Option<Turn> {
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
        Some(Turn {
            account,
            run,
            pace: Pace::Awaited,
        })
    }

    /// An account's own turns don't wait for it: it is not counted.
    fn next_quiet(&mut self) -> Option<Turn> {
        if self.quiet_runs {
            return None;
        }
        let (account, run) = self.quiet.pop_front()?;
        self.quiet_runs = true;
        self.awaited_took = Duration::ZERO;
        Some(Turn {
            account,
            run,
            pace: Pace::Quiet,
        })
    }

    /// A turn of the account has ended, that took so long.
    fn done(&mut self, account: AccountId, pace: Pace, took: Duration) {
        if pace == Pace::Quiet {
            self.quiet_runs = false;
            self.quiet_took = took;
            return;
        }
        self.awaited_took += took;
        if let Some(count) = self.running.get_mut(&account) {
            *count -= 1;
            if *count == 0 {
                self.running.remove(&account);
            }
        }
    }

    /// What a turn has left comes before what the account has besides, so that little is midway; and
    /// after the other accounts.
    fn put_back(&mut self, account: AccountId, run: Box<dyn Run>, pace: Pace) {
        if pace == Pace::Quiet {
            self.quiet.push_back((account, run));
            return;
        }
        let queue = self.waiting.entry(account).or_default();
        queue.push_front(run);
        if queue.len() == 1 {
            self.turns.push_back(account);
        }
    }
}

fn work(shared: &Shared) {
    let mut state = shared.lock();
    loop {
        if let Some(Turn { account, run, pace }) = state.next(shared.per_account_max) {
            drop(state);
            // A panic would take the thread, and with it its share of the machine.
            let stopwatch = Stopwatch::start();
            let turn = std::panic::AssertUnwindSafe(|| run.turn());
            let left = std::panic::catch_unwind(turn).unwrap_or_else(|_| {
                tracing::error!(account.id = %account, "a plugin thread's run broke off");
                None
            });
            state = shared.lock();
            state.done(account, pace, stopwatch.elapsed());
            match left {
                None => {}
                Some(run) if !state.closed => state.put_back(account, run, pace),
                Some(run) => {
                    // Without the lock, as in `close`.
                    drop(state);
                    drop(run);
                    state = shared.lock();
                }
            }
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
mod tests;
