//! From evaluations to what is written: verdicts, bodies and deliveries. It grows by one evaluation at a
//! time, and only as large as the plan of one event may be: an automation whose outputs don't fit any more
//! gets a verdict that says so, and one whose steps don't fit is kept without them. Pure.

use std::sync::Arc;

use bytes::Bytes;

use super::evaluate::AcceptedEvent;
use super::evaluation::{Evaluation, Output, Outputs, Verdict};
use super::snapshot::Compiled;
use super::standing::Current;
use crate::model::limits::{
    BODY_BYTES_PER_EVENT_MAX, DELIVERIES_PER_EVENT_MAX, TRACE_BYTES_PER_EVENT_MAX,
};
use crate::model::{
    AccountId, DeliveryId, DeliveryOrigin, EndpointId, EventId, OrderKey, Timestamp,
};
use crate::store::{NewAsk, NewBody, NewDelivery, NewPlan};

/// What a delivery counts: its row, and its place in memory until that is written.
const DELIVERY_BYTES: usize = 512;

/// A plan, and for each of its deliveries what would be sent.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) rows: NewPlan,
    /// One for each delivery of `rows`, in order.
    pub(super) contents: Vec<Arc<Content>>,
    /// What all of it takes.
    pub(super) bytes: usize,
}

/// What a delivery carries, before its envelope.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) event_type: String,
    pub(super) occurred_at: Timestamp,
    pub(super) payload: Bytes,
    /// Or why they can't be read.
    pub(super) headers: Result<Vec<(String, String)>, String>,
}

/// A plan as far as it has grown.
#[derive(Debug)]
pub(super) struct Draft {
    event: EventId,
    /// The event's payload, once a delivery carries it.
    payload: Option<Arc<Content>>,
    /// JSON, an array that is still open.
    verdicts: Vec<u8>,
    bodies: Vec<NewBody>,
    deliveries: Vec<NewDelivery>,
    asks: Vec<NewAsk>,
    contents: Vec<Arc<Content>>,
    body_bytes: usize,
    /// What is there of verdicts with steps.
    trace_bytes: usize,
}

impl Draft {
    /// Nothing follows yet.
    pub(super) fn new(event: EventId) -> Self {
        Self {
            event,
            payload: None,
            verdicts: b"[".to_vec(),
            bodies: Vec::new(),
            deliveries: Vec::new(),
            asks: Vec::new(),
            contents: Vec::new(),
            body_bytes: 0,
            trace_bytes: 0,
        }
    }

    /// What it takes so far.
    pub(super) fn bytes(&self) -> usize {
        self.verdicts.len() + self.body_bytes + self.deliveries.len() * DELIVERY_BYTES
    }

    /// Adds what follows from the automation, with bodies as the endpoints of `current` want them. What
    /// became of it in the end.
    pub(super) fn add(
        &mut self,
        automation: &Compiled,
        event: &AcceptedEvent,
        current: &Current,
        mut evaluation: Evaluation,
    ) -> Verdict {
        if let Some(why) = self.refusal(automation, &evaluation.outputs) {
            evaluation.ends(Verdict::LimitExceeded, why);
        }
        let order = evaluation.order;
        match std::mem::take(&mut evaluation.outputs) {
            Outputs::None => {}
            Outputs::Payload => {
                let whole = || Arc::new(content(event, None));
                let content = self.payload.get_or_insert_with(whole).clone();
                self.deliver(automation, current, &content, (None, order));
            }
            Outputs::Transformed(outputs) => {
                for (output_no, output) in (0..).zip(&outputs) {
                    let content = Arc::new(content(event, Some(output)));
                    self.keep_body(automation, output_no, &content);
                    self.body_bytes += output.bytes();
                    self.deliver(automation, current, &content, (Some(output_no), order));
                }
            }
        }
        if let Some(ask) = evaluation.ask.take() {
            self.asks.push(NewAsk {
                automation: automation.id,
                version: automation.version,
                ask: *ask,
            });
        }
        let verdict = evaluation.verdict;
        self.keep_verdict(evaluation);
        verdict
    }

    /// The whole. Its deliveries are not due yet, and nobody's.
    pub(super) fn finish(mut self, account: AccountId, revision: i64, now: Timestamp) -> Plan {
        self.verdicts.push(b']');
        Plan {
            bytes: self.bytes(),
            rows: NewPlan {
                account,
                event: self.event,
                revision,
                verdicts: self.verdicts.into(),
                evaluated_at: now,
                bodies: self.bodies,
                deliveries: self.deliveries,
                asks: self.asks,
                late: None,
            },
            contents: self.contents,
        }
    }

    /// Why these outputs are too much, if they are.
    fn refusal(&self, automation: &Compiled, outputs: &Outputs) -> Option<String> {
        let before = self.deliveries.len();
        let deliveries = outputs.len() * automation.endpoints.len();
        if before + deliveries > DELIVERIES_PER_EVENT_MAX {
            return Some(format!(
                "it is not followed: that would be {deliveries} deliveries, after {before} of other automations, and an event has {DELIVERIES_PER_EVENT_MAX} at most"
            ));
        }
        let (before, bytes) = (self.body_bytes, outputs.bytes());
        (before + bytes > BODY_BYTES_PER_EVENT_MAX).then(|| {
            format!(
                "it is not followed: its outputs have {bytes} bytes, after {before} of other automations, and those of an event have {BODY_BYTES_PER_EVENT_MAX} at most"
            )
        })
    }

    fn keep_verdict(&mut self, mut evaluation: Evaluation) {
        if self.verdicts.len() > 1 {
            self.verdicts.push(b',');
        }
        let begin = self.verdicts.len();
        for shorten in [Evaluation::leave_details_out, Evaluation::leave_steps_out] {
            self.write(&evaluation);
            let bytes = self.verdicts.len() - begin;
            if evaluation.steps.is_empty() {
                return;
            }
            if self.trace_bytes + bytes <= TRACE_BYTES_PER_EVENT_MAX {
                self.trace_bytes += bytes;
                return;
            }
            self.verdicts.truncate(begin);
            shorten(&mut evaluation);
        }
        self.write(&evaluation);
    }

    fn write(&mut self, evaluation: &Evaluation) {
        serde_json::to_writer(&mut self.verdicts, evaluation)
            .expect("texts and numbers are JSON, and memory takes them");
    }

    fn keep_body(&mut self, automation: &Compiled, output_no: u16, content: &Content) {
        let headers = content.headers.as_ref().ok();
        self.bodies.push(NewBody {
            automation: automation.id,
            output_no,
            event_type: content.event_type.clone(),
            headers: headers
                .filter(|headers| !headers.is_empty())
                .map(|headers| serde_json::to_string(headers).expect("texts are JSON")),
            content: content.payload.clone(),
        });
    }

    /// One delivery to each endpoint of the automation.
    fn deliver(
        &mut self,
        automation: &Compiled,
        current: &Current,
        content: &Arc<Content>,
        (output_no, order): (Option<u16>, Option<OrderKey>),
    ) {
        for (action_no, endpoint) in (0..).zip(&automation.endpoints) {
            let id = DeliveryId::derive(&DeliveryOrigin {
                event: self.event,
                automation: automation.id,
                action_no,
                endpoint: *endpoint,
                output_no: output_no.unwrap_or(0),
            });
            self.deliveries.push(NewDelivery {
                id,
                automation: automation.id,
                endpoint: *endpoint,
                output_no,
                envelope: current.envelope(*endpoint),
                webhook_id: webhook_id(automation, self.event, *endpoint, id),
                due_at: None,
                order,
            });
            self.contents.push(content.clone());
        }
    }
}

/// What is sent of an output; of none: of the event as it came.
fn content(event: &AcceptedEvent, output: Option<&Output>) -> Content {
    let own_type = || event.event_type.as_str().to_owned();
    let (event_type, payload, headers) = match output {
        None => (None, &event.payload, Vec::new()),
        Some(output) => (
            output.event_type.clone(),
            &output.content,
            output.headers.clone(),
        ),
    };
    Content {
        event_type: event_type.unwrap_or_else(own_type),
        occurred_at: event.occurred_at,
        payload: payload.clone(),
        headers: Ok(headers),
    }
}

/// The event's id when the endpoint's own subscription made the delivery; else the delivery's: an
/// output or a second automation must not look like a repeat.
fn webhook_id(
    automation: &Compiled,
    event: EventId,
    endpoint: EndpointId,
    id: DeliveryId,
) -> String {
    if automation.owner_endpoint == Some(endpoint) {
        event.to_string()
    } else {
        id.to_string()
    }
}
