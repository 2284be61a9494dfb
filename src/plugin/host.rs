//! The host's side of one run: the log with its budget, the meter, and the verdict on a run that
//! broke off.

use wasmtime::{PoolConcurrencyLimitError, Trap};

use super::engine::Settings;
use super::limits::{LOG_BYTES_MAX, LOG_LINE_OVERHEAD_BYTES, Limit, Meter, STACK_BYTES_MAX};
use super::run::{LogLevel, LogLine, RunError};

/// How much of a plugin's last words a verdict repeats.
const LAST_WORDS_CHARS_MAX: usize = 500;

/// What the engine keeps beside an instance.
pub(super) struct Host {
    pub meter: Meter,
    pub log: Vec<LogLine>,
    pub log_bytes: usize,
    /// Payload of one output, at most.
    pub payload_bytes_max: usize,
}

/// Ends a run that logs too much: copying a flood would cost the server more than the plugin.
#[derive(Debug, thiserror::Error)]
#[error("the log is full")]
struct LogFull;

impl Host {
    pub fn new(settings: &Settings) -> Self {
        Self {
            meter: Meter::new(settings.memory_bytes_max),
            log: Vec::new(),
            log_bytes: 0,
            payload_bytes_max: settings.payload_bytes_max,
        }
    }

    /// Takes a line, or ends the run.
    pub fn write(&mut self, level: LogLevel, message: String) -> wasmtime::Result<()> {
        let bytes = self.log_bytes + message.len() + LOG_LINE_OVERHEAD_BYTES;
        if bytes > LOG_BYTES_MAX {
            return Err(LogFull.into());
        }
        self.log_bytes = bytes;
        self.log.push(LogLine { level, message });
        Ok(())
    }

    /// What a run that broke off died of.
    pub fn verdict(&self, error: &wasmtime::Error, settings: &Settings) -> RunError {
        if error.is::<LogFull>() {
            return RunError::LimitExceeded(Limit::Log {
                bytes_max: LOG_BYTES_MAX,
            });
        }
        if error.is::<PoolConcurrencyLimitError>() || error.is::<std::io::Error>() {
            return RunError::Host(error.root_cause().to_string());
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => {
                return RunError::LimitExceeded(Limit::Fuel {
                    fuel_max: settings.fuel_max,
                });
            }
            Some(Trap::Interrupt) => {
                return RunError::LimitExceeded(Limit::Time {
                    ms_max: settings.run_ms_max,
                });
            }
            Some(Trap::StackOverflow) => {
                return RunError::LimitExceeded(Limit::Stack {
                    bytes_max: STACK_BYTES_MAX,
                });
            }
            _ => {}
        }
        // After a refused allocation most guests give up with a bare trap.
        if let Some(limit) = self.meter.refused {
            return RunError::LimitExceeded(limit);
        }
        let cause = error.root_cause().to_string();
        // The engine keeps the type of this error to itself; a test holds it to its words.
        if cause.contains("fuel allocated for hostcalls has been exhausted") {
            return RunError::LimitExceeded(Limit::ReturnBytes {
                bytes_max: settings.return_bytes_max(),
            });
        }
        RunError::Trapped {
            message: self.account(error.downcast_ref::<Trap>(), &cause),
        }
    }

    fn account(&self, trap: Option<&Trap>, cause: &str) -> String {
        let mut account = cause
            .strip_prefix("wasm trap: ")
            .unwrap_or(cause)
            .to_owned();
        if trap == Some(&Trap::MemoryOutOfBounds) {
            account.push_str(
                " (where a stack lies in memory, this is also what too deep a recursion ends in)",
            );
        }
        if let Some(line) = self.log.last().filter(|line| line.level == LogLevel::Error) {
            account.push_str("; its last words: ");
            account.extend(line.message.chars().take(LAST_WORDS_CHARS_MAX));
        }
        account
    }
}
