//! The events that automations make of one event, as far as they have grown: their ids are derived like a
//! delivery's, and what may descend from each is its share of what may descend from the event.

use std::sync::Arc;

use bytes::Bytes;

use super::evaluate::AcceptedEvent;
use super::evaluation::Outputs;
use super::snapshot::Compiled;
use crate::automation::EventType;
use crate::model::{AutomationId, Cause, EmissionOrigin, EventId, Link};
use crate::store::NewEmission;

/// What is made so far.
#[derive(Debug, Default)]
pub(super) struct Emissions(Vec<Emission>);

#[derive(Debug)]
struct Emission {
    id: EventId,
    automation: AutomationId,
    event_type: EventType,
    payload: Bytes,
}

impl Emissions {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Why what the automation would make of these outputs is too much, if it is.
    pub(super) fn refusal(
        &self,
        automation: &Compiled,
        event: &AcceptedEvent,
        outputs: &Outputs,
    ) -> Option<String> {
        if automation.emits.is_empty() || outputs.len() == 0 {
            return None;
        }
        let events = outputs.len() * automation.emits.len();
        Cause::allowance(event.cause.as_deref()).refusal(events, self.len())
    }

    /// Adds one event of the automation's type at `place.0` with the payload of the output at `place.1`. Its id.
    pub(super) fn add(
        &mut self,
        event: EventId,
        automation: &Compiled,
        place: (u16, u16),
        payload: &Bytes,
    ) -> EventId {
        let id = EventId::derive(&EmissionOrigin {
            event,
            automation: automation.id,
            action_no: place.0,
            output_no: place.1,
        });
        self.0.push(Emission {
            id,
            automation: automation.id,
            event_type: automation.emits[usize::from(place.0)].clone(),
            payload: payload.clone(),
        });
        id
    }

    /// All of them, with their cause.
    pub(super) fn finish(self, event: &AcceptedEvent) -> Vec<NewEmission> {
        let before = event.cause.as_deref();
        let share = Cause::allowance(before).share(self.len());
        let mut causes: Option<(AutomationId, Arc<Cause>)> = None;
        let mut made = Vec::with_capacity(self.len());
        for emission in self.0 {
            let automation = emission.automation;
            let known = causes.take().filter(|(of, _)| *of == automation);
            let (_, cause) = causes.insert(known.unwrap_or_else(|| {
                let link = Link {
                    event: event.id,
                    automation,
                };
                let mut cause = Cause::next(before, link, share);
                if event.is_operational() {
                    cause = cause.of_operational();
                }
                (automation, Arc::new(cause))
            }));
            made.push(NewEmission {
                id: emission.id,
                event_type: emission.event_type,
                payload: emission.payload,
                cause: cause.clone(),
            });
        }
        made
    }
}
