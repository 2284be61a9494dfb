//! Open occurrences become events. Done twice, by whichever nodes, it makes one event: the event's client
//! id is made of the occurrence's key.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{Error, Scheduler};
use crate::automation::EventType;
use crate::cron::{Cause, Definition, Mark, Reason};
use crate::model::{EventId, Origin, Timestamp};
use crate::pipeline::crash::crash_point;
use crate::pipeline::{AcceptError, Pipeline};
use crate::store::{KeyOf, NewEvent, NewKey, OccurrenceKey, OpenOccurrence};

/// Occurrences that are accepted in one commit.
const OCCURRENCES_AT_ONCE_MAX: usize = 100;

/// What an event of a schedule carries.
#[derive(Serialize)]
struct Payload<'a> {
    schedule: String,
    name: &'a str,
    /// The word of a [`Cause`].
    cause: &'a str,
    /// The time on the wall.
    nominal: &'a str,
    timezone: Option<&'a str>,
    /// The same as an instant.
    scheduled_at: Timestamp,
    /// When the event was made.
    actual_at: Timestamp,
    data: Option<&'a RawValue>,
}

/// What is done with an open occurrence.
enum Looked {
    /// It becomes this event.
    Ready(NewEvent),
    /// It does not run.
    Settled,
    /// The run before is under way.
    Waits,
}

impl Scheduler {
    /// Makes events of all occurrences that are to run now, as far as there is room. How many were settled.
    pub(super) async fn fire(&self, pipeline: &Pipeline) -> Result<usize, Error> {
        let mut after = None;
        let mut settled = 0;
        loop {
            let open = self
                .store
                .open_occurrences(after, OCCURRENCES_AT_ONCE_MAX)
                .await?;
            let Some(last) = open.last() else {
                return Ok(settled);
            };
            after = Some(key(last));
            let mut ready = Vec::with_capacity(open.len());
            for one in &open {
                match self.look_at(one).await? {
                    Looked::Ready(event) => ready.push((key(one), event)),
                    Looked::Settled => settled += 1,
                    Looked::Waits => {}
                }
            }
            if !ready.is_empty() {
                settled += self.accept(pipeline, ready).await?;
            }
        }
    }

    /// Whether an open occurrence becomes an event now.
    async fn look_at(&self, one: &OpenOccurrence) -> Result<Looked, Error> {
        if one.state == Mark::Queued.as_str() {
            if is_called_off(one) {
                let why = (Mark::Skipped, Reason::Paused);
                self.settle(key(one), why).await?;
                return Ok(Looked::Settled);
            }
            if self.must_wait(one).await? {
                return Ok(Looked::Waits);
            }
        }
        if let Some(event) = event(one, self.clock.now()) {
            return Ok(Looked::Ready(event));
        }
        self.refused(key(one)).await?;
        Ok(Looked::Settled)
    }

    /// Offers the events of occurrences to the pipeline. How many occurrences were settled.
    async fn accept(
        &self,
        pipeline: &Pipeline,
        ready: Vec<(OccurrenceKey, NewEvent)>,
    ) -> Result<usize, Error> {
        let (keys, events): (Vec<_>, Vec<_>) = ready.into_iter().unzip();
        crash_point("occurrence-without-event");
        let outcomes = pipeline.accept(events).await;
        crash_point("occurrence-with-event");
        let mut fired = Vec::with_capacity(keys.len());
        let mut refused = 0;
        for (key, outcome) in keys.into_iter().zip(outcomes) {
            match outcome {
                Ok(accepted) => fired.push((key, accepted.event)),
                Err(AcceptError::Busy(_) | AcceptError::Unavailable) => {
                    tracing::debug!(schedule.id = %key.schedule, "an occurrence waits for the next round");
                }
                Err(
                    AcceptError::Conflict { .. } | AcceptError::NoAccount | AcceptError::Refused,
                ) => {
                    self.refused(key).await?;
                    refused += 1;
                }
            }
        }
        self.store
            .fire_occurrences(&fired, self.clock.now())
            .await?;
        Ok(fired.len() + refused)
    }

    async fn must_wait(&self, one: &OpenOccurrence) -> Result<bool, Error> {
        let under_way = self
            .store
            .schedule_under_way(one.account, one.schedule)
            .await?;
        Ok(under_way.runs > 0)
    }

    async fn refused(&self, key: OccurrenceKey) -> Result<(), Error> {
        tracing::warn!(schedule.id = %key.schedule, "an occurrence can't become an event");
        self.settle(key, (Mark::Missed, Reason::Refused)).await
    }

    async fn settle(&self, key: OccurrenceKey, why: (Mark, Reason)) -> Result<(), Error> {
        let now = self.clock.now();
        Ok(self.store.drop_occurrence(key, why, now).await?)
    }
}

/// Whether an occurrence that waits for the run before has been paused with its schedule. Runs that are asked
/// for are made whether it is paused or not.
fn is_called_off(one: &OpenOccurrence) -> bool {
    one.paused && one.cause != Cause::RunNow.as_str()
}

fn key(one: &OpenOccurrence) -> OccurrenceKey {
    OccurrenceKey {
        account: one.account,
        schedule: one.schedule,
        at: one.at,
    }
}

/// The event of an occurrence; `None` if what is stored can't be read.
fn event(one: &OpenOccurrence, now: Timestamp) -> Option<NewEvent> {
    let event_type: EventType = format!("schedule.{}", one.name).parse().ok()?;
    let definition: Definition = serde_json::from_str(&one.definition).ok()?;
    let payload = Payload {
        schedule: one.schedule.to_string(),
        name: &one.name,
        cause: &one.cause,
        nominal: &one.nominal,
        timezone: definition.cron.as_ref().map(|_| &*definition.timezone),
        scheduled_at: one.at,
        actual_at: now,
        data: serde_json::from_slice(&one.payload).ok()?,
    };
    let name = format!("{}@{}", one.schedule, one.at);
    Some(NewEvent {
        account: one.account,
        id: EventId::mint(now),
        event_type,
        occurred_at: one.at,
        payload: Bytes::from(serde_json::to_vec(&payload).ok()?),
        origin: Some(Arc::new(Origin::of_schedule())),
        // Not of the payload: a second try has another actual time and is the same event.
        body_hash: Sha256::digest(name.as_bytes()).into(),
        violations: None,
        keys: vec![NewKey {
            kind: KeyOf::Schedule,
            key: name,
            expires_at: None,
        }],
    })
}
