//! Work on what is past that goes on beside everything else: what is to be done, and what came of it so far.
//! The API calls one a job.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{AutomationId, EndpointId, EventId, Recovery, Timestamp, words};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It goes on, or waits for its turn.
    Running,
    /// It has come to its end.
    Done,
    /// Somebody has called it off.
    Cancelled,
    /// It can't go on.
    Failed,
}

words!(JobState {
    Running = "running",
    Done = "done",
    Cancelled = "cancelled",
    Failed = "failed",
});

/// What is to be done. Kept as JSON, whole, so that nothing that changes later changes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Two versions are compared.
    Backtest(Backtest),
    /// Events are followed once more.
    Rerun(Rerun),
    /// Deliveries are sent after all.
    Recovery(Recovery),
}

/// What a job is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobSubject {
    /// A backtest or a re-run.
    Automation(AutomationId),
    /// A recovery.
    Endpoint(EndpointId),
}

impl Job {
    /// The word for its kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Backtest(_) => "backtest",
            Self::Rerun(_) => "rerun",
            Self::Recovery(_) => "recovery",
        }
    }
}

/// What a draft would say of past events, beside what the published version says of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backtest {
    /// What the automation is called.
    pub name: String,
    /// The published version; `None`: there was none.
    pub published: Option<PinnedVersion>,
    /// What is compared to it.
    pub draft: PinnedVersion,
    /// Whether the draft is a saved version.
    pub saved: bool,
    /// On which events.
    pub reach: Reach,
}

/// A version of an automation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedVersion {
    /// Its number; of one that is not saved: the one that it would get.
    pub version: i64,
    /// JSON.
    pub definition: String,
}

/// What follows from past events, once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rerun {
    /// What the automation is called.
    pub name: String,
    /// By which version.
    pub by: RerunBy,
    /// Of which events.
    pub reach: Reach,
}

/// Which version decides what follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RerunBy {
    /// Of each event the one that it met.
    ItRan,
    /// The one that was published when the job was given.
    Current(PinnedVersion),
}

/// Which events. They are taken in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// The last ones that came before this one.
    Newest {
        /// How many.
        events: usize,
        /// Not this one, and none after it.
        before: EventId,
    },
    /// Those from this one on and before that one: of very many the last ones.
    Window {
        /// The first.
        from: EventId,
        /// Not this one, and none after it.
        before: EventId,
    },
    /// These.
    Chosen(Vec<EventId>),
}

/// What a backtest has come to so far. Kept as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BacktestTally {
    /// How often the published version came to each verdict.
    pub published: BTreeMap<String, u64>,
    /// How often the draft did.
    pub draft: BTreeMap<String, u64>,
    /// Where the two verdicts differ: how often, by the published version's and the draft's.
    pub moves: BTreeMap<String, BTreeMap<String, u64>>,
    /// Events of which something different would follow.
    pub differing: u64,
    /// How many of those are on the list.
    pub listed: u64,
    /// What the list takes.
    pub listed_bytes: u64,
    /// Events whose payload is not kept any more.
    pub missing: u64,
    /// Whether older events were left out, because there are too many.
    pub truncated: bool,
}

/// What a re-run has come to so far. Kept as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RerunTally {
    /// How often there was each verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// Deliveries that were made.
    pub deliveries: u64,
    /// Events that the automation had not looked at, or whose version follows none once more.
    pub not_run: u64,
    /// Events that are not kept any more.
    pub missing: u64,
    /// Whether older events were left out, because there are too many.
    pub truncated: bool,
    /// The first events that came to nothing because something was wrong.
    pub problems: Vec<RerunProblem>,
    /// What it waits for before it goes on; `None`: nothing.
    pub waits: Option<JobWait>,
}

/// What a job waits for that sends something: that what it has made has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobWait {
    /// Where something that is due may not have left yet.
    pub endpoints: BTreeSet<EndpointId>,
    /// Since when.
    pub since: Timestamp,
}

/// An event that came to nothing because something was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RerunProblem {
    /// Which.
    pub event: EventId,
    /// What became of it.
    pub verdict: String,
    /// One sentence.
    pub summary: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_job_is_read_back_as_it_was_written() {
        let at = Timestamp::from_ms(1_790_000_000_000);
        let before = EventId::mint(at);
        let pinned = PinnedVersion {
            version: 3,
            definition: "{\"a\":\"\\u0000\"}".to_owned(),
        };
        for job in [
            Job::Backtest(Backtest {
                name: "a".to_owned(),
                published: None,
                draft: pinned.clone(),
                saved: false,
                reach: Reach::Newest { events: 7, before },
            }),
            Job::Rerun(Rerun {
                name: "a".to_owned(),
                by: RerunBy::ItRan,
                reach: Reach::Chosen(vec![before]),
            }),
            Job::Rerun(Rerun {
                name: "a".to_owned(),
                by: RerunBy::Current(pinned),
                reach: Reach::Window {
                    from: EventId::first_at(at),
                    before,
                },
            }),
            Job::Recovery(Recovery {
                endpoint: EndpointId::mint(at),
                from: EventId::first_at(at),
                before,
                states: crate::model::MissedState::ALL.to_vec(),
                unsubscribed: true,
                event_types: vec!["deal.*".to_owned()],
                per_second: 7,
            }),
        ] {
            let text = serde_json::to_string(&job).expect("plain");
            assert_eq!(serde_json::from_str::<Job>(&text).expect(&text), job);
        }
    }
}
