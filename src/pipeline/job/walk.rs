//! The way through the events of a job: counted first, then walked from the oldest, a bounded number at a
//! time.

use super::Error;
use super::work::Work;
use crate::model::limits::JOB_EVENTS_MAX;
use crate::model::{EventId, Reach};
use crate::store::PastEvent;

/// Ids that are read at a time to count them.
const COUNTED_AT_ONCE_MAX: usize = 5_000;

/// A way, once it is counted.
pub(super) enum Walk<'a> {
    /// All events before this one.
    Along(EventId),
    /// These, in the order in which they came.
    Over(&'a [EventId]),
}

/// What a step brings.
pub(super) struct Stride {
    /// In the order in which they came.
    pub(super) events: Vec<PastEvent>,
    /// Everything up to here is done with them.
    pub(super) last: EventId,
    /// How many that is, those counted in that are not there any more.
    pub(super) count: i64,
}

/// Before the first event.
pub(super) enum Counted<'a> {
    /// The way, and whether older events were left out.
    Way(Walk<'a>, Truncated),
    /// The node stops, or the job is called off.
    Stopped,
}

/// Whether older events were left out, because there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truncated {
    No,
    Yes,
    /// It was counted before, by this life or another.
    Known,
}

/// Finds out where the way begins and how long it is, unless that is known.
pub(super) async fn begin<'a>(work: &mut Work, reach: &'a Reach) -> Result<Counted<'a>, Error> {
    let (from, before, most) = match reach {
        Reach::Chosen(ids) => {
            work.row.total = Some(ids.len() as i64);
            return Ok(Counted::Way(Walk::Over(ids), Truncated::No));
        }
        Reach::Newest { events, before } => {
            (EventId::from_uuid(uuid::Uuid::nil()), *before, *events)
        }
        Reach::Window { from, before } => (*from, *before, JOB_EVENTS_MAX),
    };
    if work.row.total.is_some() {
        return Ok(Counted::Way(Walk::Along(before), Truncated::Known));
    }
    let most = most.min(JOB_EVENTS_MAX);
    let (mut first, mut count, mut is_all) = (before, 0, false);
    while count < most && !is_all {
        if work.stop.is_cancelled() {
            return Ok(Counted::Stopped);
        }
        let limit = COUNTED_AT_ONCE_MAX.min(most - count);
        let ids = work
            .node
            .store
            .event_ids(work.row.account, (from, first), limit)
            .await?;
        is_all = ids.len() < limit;
        count += ids.len();
        first = ids.last().copied().unwrap_or(first);
    }
    let is_window = matches!(reach, Reach::Window { .. });
    let more = is_window && !is_all && has_more(work, (from, first)).await?;
    work.row.total = Some(count as i64);
    work.row.cursor = Some(first.before());
    let truncated = if more { Truncated::Yes } else { Truncated::No };
    Ok(Counted::Way(Walk::Along(before), truncated))
}

async fn has_more(work: &Work, between: (EventId, EventId)) -> Result<bool, Error> {
    let store = &work.node.store;
    let found = store.event_ids(work.row.account, between, 1).await?;
    Ok(!found.is_empty())
}

impl Walk<'_> {
    /// The next `limit` events at most; `None` at the end.
    pub(super) async fn step(&self, work: &Work, limit: usize) -> Result<Option<Stride>, Error> {
        let (store, account) = (&work.node.store, work.row.account);
        let nil = EventId::from_uuid(uuid::Uuid::nil());
        let after = work.row.cursor.unwrap_or(nil);
        match self {
            Self::Along(before) => {
                let events = store.past_events(account, (after, *before), limit).await?;
                let count = events.len() as i64;
                let last = events.last().map(|event| event.id);
                Ok(last.map(|last| Stride {
                    events,
                    last,
                    count,
                }))
            }
            Self::Over(ids) => {
                let begin = ids.partition_point(|id| *id <= after);
                let next = &ids[begin..ids.len().min(begin + limit)];
                let Some(last) = next.last().copied() else {
                    return Ok(None);
                };
                Ok(Some(Stride {
                    events: store.past_events_of(account, next).await?,
                    last,
                    count: next.len() as i64,
                }))
            }
        }
    }
}
