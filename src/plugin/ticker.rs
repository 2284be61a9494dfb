//! The thread that moves the engine's epoch on, every [`TICK_MS`]; runs end at an epoch. It lives
//! as long as its owner and a tick longer at most.

use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the epoch moves.
pub(super) const TICK_MS: u64 = 10;

/// Owns the thread.
pub(super) struct Ticker {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub fn start(engine: wasmtime::Engine) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::sync_channel::<()>(0);
        let thread = std::thread::Builder::new()
            .name("plugin-ticker".into())
            .spawn(move || {
                while stopped.recv_timeout(Duration::from_millis(TICK_MS))
                    == Err(RecvTimeoutError::Timeout)
                {
                    engine.increment_epoch();
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The ticks after which `ms` have passed for sure: the first one may come at once.
    pub fn ticks(ms: u64) -> u64 {
        ms.div_ceil(TICK_MS).saturating_add(1)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It ends at once, and it cannot have panicked: it only counts.
            let _ = thread.join();
        }
    }
}
