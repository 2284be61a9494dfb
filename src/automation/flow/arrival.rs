//! What flow control is decided on, and what a decision is.

use serde::Serialize;
use serde_json::Value;

use super::rules::Ask;
use crate::model::{EventId, Timestamp, words};

/// How long what is known of a debounce or digest outlives its time.
const OPEN_KEPT_MS: i64 = 86_400_000;

/// An event that asks for its turn.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Which event.
    pub event: EventId,
    /// By which version of the automation.
    pub version: i64,
    /// Now.
    pub now: Timestamp,
    /// What it asks for.
    pub ask: &'a Ask,
}

/// What is known of the keys that an event asks with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// Who has the dedupe's key.
    pub taken: Option<Taken>,
    /// What of a limit is used.
    pub used: Option<Used>,
    /// The debounce or digest of the key that waits.
    pub open: Option<Open>,
}

/// A key that an event has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Which one.
    pub by: EventId,
    /// When.
    pub at: Timestamp,
}

/// A limit's windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// When the present window began.
    pub since: Timestamp,
    /// How many events have a place in it and in those that follow.
    pub events: i64,
}

/// A debounce or a digest that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Whose output it will be: of a digest the first event's, of a debounce the last one's.
    pub event: EventId,
    /// By which version of the automation.
    pub version: i64,
    /// When its first event came.
    pub since: Timestamp,
    /// When it goes on.
    pub due_at: Timestamp,
    /// How many events have come.
    pub events: i64,
    /// How many bytes those of a digest have.
    pub bytes: i64,
}

/// What flow control says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowVerdict {
    /// It goes on.
    Fired,
    /// Another one had its key.
    Deduped,
    /// It goes on unless another comes; or one has come.
    Debounced,
    /// It is collected.
    Digested,
    /// Too many of its key have come: it goes on later, or not.
    RateLimited,
    /// It goes on later.
    Delayed,
    /// There is no room for it, or it would wait for too long.
    LimitExceeded,
}

words!(FlowVerdict {
    Fired = "fired",
    Deduped = "deduped",
    Debounced = "debounced",
    Digested = "digested",
    RateLimited = "rate_limited",
    Delayed = "delayed",
    LimitExceeded = "limit_exceeded",
});

/// What was decided, and what follows.
#[derive(Debug, Clone)]
pub struct Decision {
    /// In a word.
    pub verdict: FlowVerdict,
    /// In a sentence with the values that decided.
    pub why: String,
    /// Step by step.
    pub traces: Vec<Trace>,
    /// What becomes of the event.
    pub moves: Move,
    /// Who has the dedupe's key from now on, and until when.
    pub taken: Option<(Taken, Timestamp)>,
    /// What of the limit is used from now on, and until when that matters.
    pub used: Option<(Used, Timestamp)>,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Nothing.
    Stop,
    /// It goes on now.
    Go,
    /// It waits by itself until then.
    Wait(Timestamp),
    /// It waits in the place of the one that waited, if one did.
    Replace(Option<EventId>, Open),
    /// It begins a digest; the one that waited, if one did, goes on now.
    Begin(Option<EventId>, Open),
    /// It joins a digest.
    Join(Open),
}

/// One step of a decision, as it is kept: the same fields as any step of an evaluation.
#[derive(Debug, Clone, Serialize)]
pub struct Trace {
    /// `flow`.
    pub kind: &'static str,
    /// Which rule.
    pub what: &'static str,
    /// `passed`, `waits` or `stopped`.
    pub outcome: &'static str,
    /// One sentence.
    pub why: String,
    /// The values that decided.
    pub detail: Value,
}

impl Open {
    /// Until when it matters that it waits, or has waited: what is late has not gone on by its time.
    pub fn kept_until(&self) -> Timestamp {
        self.due_at.plus_ms(OPEN_KEPT_MS)
    }
}

impl Move {
    /// What waits because of it, if something does.
    pub fn open(&self) -> Option<&Open> {
        match self {
            Self::Replace(_, open) | Self::Begin(_, open) | Self::Join(open) => Some(open),
            Self::Stop | Self::Go | Self::Wait(_) => None,
        }
    }

    /// Whether something more waits than before.
    pub fn adds_wait(&self) -> bool {
        matches!(
            self,
            Self::Wait(_) | Self::Replace(None, _) | Self::Begin(..)
        )
    }
}
