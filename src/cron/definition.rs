//! What a schedule is, as it is kept: what it runs by, and what is done with runs that overlap, were
//! missed, or would all come at once.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Calendar, DstPolicy, Error, Interval, Mark, Occurrence, Pattern, Precision, Reason, Timing,
};
use crate::model::Timestamp;

/// What is done with an occurrence while the run before is still under way: its event waits to be
/// evaluated, or a delivery of it is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It runs beside it.
    #[default]
    Allow,
    /// It is skipped.
    Skip,
    /// It waits for its end; while one waits, further ones are skipped.
    QueueOne,
}

/// What of a schedule is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnderWay {
    /// Occurrences that are due and have no event yet, and last events that are not settled.
    pub runs: i64,
    /// Occurrences that wait for those.
    pub queued: i64,
}

impl Overlap {
    /// What becomes of an occurrence that is to run while so much is under way; or why it does not.
    pub fn decide(self, under_way: UnderWay) -> Result<Mark, Reason> {
        match self {
            _ if under_way.runs == 0 && under_way.queued == 0 => Ok(Mark::Due),
            Self::Allow => Ok(Mark::Due),
            Self::Skip => Err(Reason::Overlap),
            Self::QueueOne if under_way.queued > 0 => Err(Reason::QueueFull),
            Self::QueueOne => Ok(Mark::Queued),
        }
    }
}

/// What is done with occurrences whose time passed while nobody was there to run them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are missed.
    None,
    /// The latest of them runs.
    #[default]
    Latest,
    /// All of them run.
    All,
}

/// So many seconds, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Every {
    /// How many seconds lie between two runs: 1 to 31622400 (366 days).
    pub every_s: i64,
    /// What the runs are counted from, itself one of them, RFC 3339; when the schedule is made, if left out: the
    /// first run is one interval later then.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
}

/// A schedule, but for its name and the payload of its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// Set unless there is an interval.
    pub cron: Option<String>,
    /// Whether the pattern has six fields.
    pub seconds: bool,
    /// The zone's name.
    pub timezone: String,
    /// What is done where the clocks change.
    pub dst: DstPolicy,
    /// Set unless there is a pattern.
    pub interval: Option<Every>,
    /// What is done while the run before is under way.
    pub overlap: Overlap,
    /// What is done with missed runs.
    pub catch_up: CatchUp,
    /// How old a missed run may be to be caught up.
    pub catch_up_window_s: i64,
    /// Over how long schedules are spread: each has a slot of its own in it.
    pub spread_s: i64,
    /// No run before it.
    pub start_at: Option<Timestamp>,
    /// No run after it.
    pub end_at: Option<Timestamp>,
}

impl Definition {
    /// What it runs by.
    pub fn timing(&self) -> Result<Timing, Error> {
        match (&self.cron, &self.interval) {
            (Some(cron), None) => {
                let precision = if self.seconds {
                    Precision::Seconds
                } else {
                    Precision::Minutes
                };
                Ok(Timing::Calendar(Calendar {
                    pattern: Pattern::parse(cron, precision)?,
                    zone: self.timezone.parse()?,
                    policy: self.dst,
                }))
            }
            (None, Some(every)) => {
                let from = every.from.unwrap_or(Timestamp::from_ms(0));
                Interval::new(every.every_s, from).map(Timing::Interval)
            }
            _ => Err(Error::NotOne),
        }
    }

    /// The first occurrence after an instant that is neither before the start nor after the end.
    pub fn next_after(&self, timing: &Timing, instant: Timestamp) -> Option<Occurrence> {
        let begin = self.start_at.map(|start| start.plus_ms(-1));
        let after = begin.map_or(instant, |begin| begin.max(instant));
        timing
            .next_after(after)
            .filter(|next| self.end_at.is_none_or(|end| next.at <= end))
    }

    /// The occurrences after an instant that are not after another, `until`.
    pub fn between(
        &self,
        timing: &Timing,
        (after, until): (Timestamp, Timestamp),
    ) -> impl Iterator<Item = Occurrence> {
        let first = self.next_after(timing, after);
        std::iter::successors(first, |last| self.next_after(timing, last.at))
            .take_while(move |next| next.at <= until)
    }

    /// Whether two schedules have the same occurrences, whatever is done with them.
    pub fn runs_like(&self, other: &Self) -> bool {
        let of = |definition: &Self| Self {
            overlap: self.overlap,
            catch_up: self.catch_up,
            catch_up_window_s: self.catch_up_window_s,
            spread_s: self.spread_s,
            ..definition.clone()
        };
        of(self) == of(other)
    }

    /// How long after its time an occurrence of the schedule with this id runs: always as long.
    pub fn slot_ms(&self, id: Uuid) -> i64 {
        let spread_ms = self.spread_s.saturating_mul(1000).max(1);
        let (_, random) = id.as_u64_pair();
        (random % spread_ms.unsigned_abs()) as i64
    }
}
