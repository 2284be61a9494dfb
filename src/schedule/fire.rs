//! Open occurrences become events. Done twice, by whichever nodes, it makes one event: the event's client
//! id is made of the occurrence's key.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{Error, Scheduler};
use crate::automation::EventType;
use crate::cron::{Definition, Mark, Reason};
use crate::model::{EventId, Timestamp};
use crate::pipeline::{AcceptError, Pipeline};
use crate::store::{NewEvent, NewKey, OccurrenceKey, OpenOccurrence};

/// Occurrences that are accepted in one commit.
const OCCURRENCES_AT_ONCE_MAX: usize = 100;

/// What an event of a schedule carries.
#[derive(Serialize)]
struct Payload<'a> {
    schedule: String,
    name: &'a str,
    /// The time on the wall.
    nominal: &'a str,
    timezone: Option<&'a str>,
    /// The same as an instant.
    scheduled_at: Timestamp,
    /// When the event was made.
    actual_at: Timestamp,
    data: Option<&'a RawValue>,
}

impl Scheduler {
    /// Makes events of all occurrences that are to run now.
    pub(super) async fn fire(&self, pipeline: &Pipeline) -> Result<(), Error> {
        let mut after = None;
        loop {
            let open = self
                .store
                .open_occurrences(after, OCCURRENCES_AT_ONCE_MAX)
                .await?;
            let Some(last) = open.last() else {
                return Ok(());
            };
            after = Some(key(last));
            let mut keys = Vec::with_capacity(open.len());
            let mut events = Vec::with_capacity(open.len());
            for one in &open {
                if one.state == Mark::Queued.as_str() && self.must_wait(one).await? {
                    continue;
                }
                match event(one, self.clock.now()) {
                    Some(event) => {
                        keys.push(key(one));
                        events.push(event);
                    }
                    None => self.miss(key(one)).await?,
                }
            }
            if events.is_empty() {
                continue;
            }
            let outcomes = pipeline.accept(events).await;
            for (key, outcome) in keys.into_iter().zip(outcomes) {
                let now = self.clock.now();
                match outcome {
                    Ok(accepted) => {
                        self.store.fire_occurrence(key, accepted.event, now).await?;
                    }
                    Err(AcceptError::Busy(_) | AcceptError::Unavailable) => {
                        tracing::debug!(schedule.id = %key.schedule, "an occurrence waits for the next round");
                    }
                    Err(
                        AcceptError::Conflict { .. }
                        | AcceptError::NoAccount
                        | AcceptError::Refused,
                    ) => self.miss(key).await?,
                }
            }
        }
    }

    async fn must_wait(&self, one: &OpenOccurrence) -> Result<bool, Error> {
        let under_way = self
            .store
            .schedule_under_way(one.account, one.schedule)
            .await?;
        Ok(under_way.runs > 0)
    }

    async fn miss(&self, key: OccurrenceKey) -> Result<(), Error> {
        tracing::warn!(schedule.id = %key.schedule, "an occurrence can't become an event");
        let now = self.clock.now();
        Ok(self
            .store
            .miss_occurrence(key, Reason::Refused, now)
            .await?)
    }
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
        origin: None,
        // Not of the payload: a second try has another actual time and is the same event.
        body_hash: Sha256::digest(name.as_bytes()).into(),
        violations: None,
        keys: vec![NewKey {
            kind: "id",
            key: name,
            expires_at: None,
        }],
    })
}
