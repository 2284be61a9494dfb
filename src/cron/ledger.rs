//! What became of an occurrence, and why, in words that do not change.

use crate::model::words;

/// What became of an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It is to run now.
    Due,
    /// It waits for the end of the run before.
    Queued,
    /// It ran: there is an event.
    Fired,
    /// It did not run, as its schedule says.
    Skipped,
    /// It did not run, because nobody was there.
    Missed,
}

words!(Mark {
    Due = "due",
    Queued = "queued",
    Fired = "fired",
    Skipped = "skipped",
    Missed = "missed",
});

/// How an occurrence came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Its time came.
    Scheduled,
    /// Somebody asked for it.
    RunNow,
}

words!(Cause {
    Scheduled = "scheduled",
    RunNow = "run_now",
});

/// Why an occurrence did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The schedule was paused.
    Paused,
    /// The run before was under way.
    Overlap,
    /// The run before was under way, and another one waited already.
    QueueFull,
    /// It was late, and nothing is caught up.
    Late,
    /// It was late, and a later one was due by then.
    Superseded,
    /// It was later than the window for what is caught up.
    OutsideWindow,
    /// The schedule was changed before it ran.
    Changed,
    /// Its event could not be made.
    Refused,
}

words!(Reason {
    Paused = "paused",
    Overlap = "overlap",
    QueueFull = "queue_full",
    Late = "late",
    Superseded = "superseded",
    OutsideWindow = "outside_window",
    Changed = "changed",
    Refused = "refused",
});

impl Reason {
    /// The reason as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Paused => "the schedule was paused",
            Self::Overlap => "the run before was still under way",
            Self::QueueFull => "the run before was still under way, and another one waited already",
            Self::Late => "no node was there at its time, and the schedule catches up nothing",
            Self::Superseded => "no node was there at its time, and a later one was due by then",
            Self::OutsideWindow => {
                "no node was there at its time, and it was older than the window for catching up"
            }
            Self::Changed => "the schedule was changed before it ran",
            Self::Refused => {
                "its event could not be made: another event has its id, or the account is gone"
            }
        }
    }
}
