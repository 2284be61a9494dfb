//! Taking events: each is answered once it is durable, or refused.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Pipeline;
use super::permit::Full;
use super::queue::AcceptEntry;
use crate::model::EventId;
use crate::store::NewEvent;

/// An event that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    /// Its id: the first one's, if it came before.
    pub event: EventId,
    /// Whether it came before.
    pub repeat: bool,
}

/// Why an event was not accepted. Nothing of it was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// Too much is on its way: try again in a moment.
    #[error("too many events are waiting to be evaluated")]
    Busy(Full),
    /// Another event has the same id or idempotency key.
    #[error("the event {event} has this id or idempotency key and another body")]
    Conflict {
        /// The first one.
        event: EventId,
    },
    /// There is no such account.
    #[error("there is no such account")]
    NoAccount,
    /// The database does not answer, or the node is stopping.
    #[error("events can't be stored at the moment")]
    Unavailable,
    /// The database refuses this event.
    #[error("the database refuses this event")]
    Refused,
}

impl Pipeline {
    /// Takes events; each is answered once it is durable, or refused. All go into one commit as far
    /// as they fit.
    pub async fn accept(&self, events: Vec<NewEvent>) -> Vec<Result<Acknowledged, AcceptError>> {
        let node = &self.node;
        if node.is_closing() {
            return events
                .iter()
                .map(|_| Err(AcceptError::Unavailable))
                .collect();
        }
        let mut entries = Vec::with_capacity(events.len());
        let mut answers = Vec::with_capacity(events.len());
        for event in events {
            match node.permits.take(event.account, event.payload.len()) {
                Ok(permit) => {
                    let (reply, answer) = oneshot::channel();
                    entries.push(AcceptEntry {
                        event: Arc::new(event),
                        permit,
                        reply,
                    });
                    answers.push(Ok(answer));
                }
                Err(full) => {
                    metrics::counter!("throwbar_events_pushed_back_total").increment(1);
                    answers.push(Err(AcceptError::Busy(full)));
                }
            }
        }
        node.queue.accept(entries);
        let mut ended = node.ended.subscribe();
        let mut outcomes = Vec::with_capacity(answers.len());
        for answer in answers {
            outcomes.push(match answer {
                Err(refused) => Err(refused),
                // What still waits when the incarnation ends is never answered.
                Ok(answer) => tokio::select! {
                    answer = answer => answer.unwrap_or(Err(AcceptError::Unavailable)),
                    _ = ended.wait_for(|ended| *ended) => Err(AcceptError::Unavailable),
                },
            });
        }
        outcomes
    }
}
