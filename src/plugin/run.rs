//! What goes into a run and what comes out of it, in the host's own types.

use bytes::Bytes;
use serde::Serialize;

use super::limits::Limit;

/// Everything a run depends on besides the component.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What happened.
    pub event: &'a Event<'a>,
    /// Where the run happens, with the step's configuration.
    pub context: &'a Context<'a>,
}

/// An event in the text form that plugins see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The event's id, in text.
    pub id: &'a str,
    /// The event's type.
    pub event_type: &'a str,
    /// When it happened, as its sender said, else when it was accepted: RFC 3339, UTC, milliseconds.
    pub timestamp: &'a str,
    /// By which way it came in, such as `api`.
    pub source: &'a str,
    /// The payload: valid JSON, which the caller has checked.
    pub data: &'a str,
}

/// Where a run happens. Holds nothing that differs from run to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context<'a> {
    /// The automation's id, in text.
    pub automation: &'a str,
    /// The automation's version, from 1.
    pub automation_version: u32,
    /// The transform's place in the automation, from 0.
    pub step: u32,
    /// The step's configuration: JSON that [`Component::check_config`](super::Component::check_config)
    /// has let through.
    pub config: &'a str,
}

/// All there is to say about one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What the plugin decided, or why it did not.
    pub result: Result<Outcome, RunError>,
    /// What the run used, beside what it may use.
    pub usage: Usage,
    /// What it logged, in order; of a failed run what it logged before.
    pub log: Vec<LogLine>,
}

/// What a plugin decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Go on with these, at most `OUTPUTS_MAX`; none sends nothing.
    Emit(Vec<Output>),
    /// Send nothing, for this reason.
    Drop(String),
}

/// One payload that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Valid JSON within the limits of a payload.
    pub data: Bytes,
    /// Another event type, if the plugin gave one.
    pub event_type: Option<String>,
    /// Headers for the delivery: lower-case names of the allow-list, each once, valid values.
    pub headers: Vec<(String, String)>,
}

/// Why there is no outcome. The text is for the plugin's author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The plugin says that the event is not for it.
    #[error("the plugin refused the event: {0}")]
    InvalidEvent(String),
    /// The plugin says that its configuration makes no sense.
    #[error("the plugin refused its configuration: {0}")]
    InvalidConfig(String),
    /// The plugin says that it failed.
    #[error("the plugin failed: {0}")]
    Failed(String),
    /// The plugin met a limit.
    #[error("the plugin {0}")]
    LimitExceeded(Limit),
    /// The plugin broke off.
    #[error("the plugin broke off: {message}")]
    Trapped {
        /// What the sandbox saw, with the plugin's last words if it logged an error.
        message: String,
    },
    /// The plugin returned what must not go on.
    #[error("the plugin's output cannot be used: {why}")]
    BadOutput {
        /// Which output and why.
        why: String,
    },
    /// The server could not make room for the run; the plugin is not to blame.
    #[error("the server could not run the plugin: {0}")]
    Host(String),
}

impl RunError {
    /// The word for logs, filters and the explanation of a verdict.
    pub fn word(&self) -> &'static str {
        match self {
            Self::InvalidEvent(_) => "invalid_event",
            Self::InvalidConfig(_) => "invalid_config",
            Self::Failed(_) => "failed",
            Self::LimitExceeded(_) => "limit_exceeded",
            Self::Trapped { .. } => "trapped",
            Self::BadOutput { .. } => "bad_output",
            Self::Host(_) => "host",
        }
    }
}

/// What a run used, beside what it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Usage {
    /// Fuel burnt: about one unit for each instruction. The same for the same run.
    pub fuel: u64,
    /// Fuel there was.
    pub fuel_max: u64,
    /// The most linear memory that the instance had.
    pub memory_bytes: usize,
    /// The most it may have.
    pub memory_bytes_max: usize,
    /// Payload bytes of all outputs.
    pub output_bytes: usize,
    /// The most that all outputs may have.
    pub output_bytes_max: usize,
    /// Bytes of the log, each line with its overhead.
    pub log_bytes: usize,
    /// The most there may be.
    pub log_bytes_max: usize,
    /// Wall-clock time from the instantiation to the answer, in microseconds. Differs from run to run.
    pub duration_us: u64,
    /// When the backstop would have ended it.
    pub duration_us_max: u64,
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// For somebody who looks for a mistake.
    Debug,
    /// Worth knowing.
    Info,
    /// Odd, but the run goes on.
    Warn,
    /// Why the run fails.
    Error,
}

/// One line that a plugin logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// What it says, as the plugin wrote it: any text.
    pub message: String,
}
