//! From evaluations to what is written: verdicts, bodies and deliveries. It grows by one evaluation at a
//! time, and only as large as the plan of one event may be: an automation whose outputs don't fit any more
//! gets a verdict that says so, and one whose steps don't fit is kept without them. Pure.

use std::sync::Arc;

use bytes::Bytes;

use super::emission::Emissions;
use super::evaluate::AcceptedEvent;
use super::evaluation::{BreakingPoint, Evaluation, Output, Outputs};
use super::kept_variables::KeptVariables;
use super::snapshot::Compiled;
use super::standing::Current;
use super::step::Step;
use super::verdict::Verdict;
use crate::model::limits::{
    BODY_BYTES_PER_EVENT_MAX, DELIVERIES_PER_EVENT_MAX, TRACE_BYTES_PER_EVENT_MAX,
};
use crate::model::{
    AccountId, AutomationId, DeadLetterId, DeliveryId, DeliveryOrigin, EndpointId, EventId,
    OrderKey, Origin, Timestamp, counted,
};
use crate::store::{Consequences, Health, NewAsk, NewBody, NewDeadLetter, NewDelivery, NewPlan};

/// What a delivery counts: its row, and its place in memory until that is written. So do an event that is made
/// and a dead letter.
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
    /// Whether a transform has made the payload.
    pub(super) is_made: bool,
    /// What its event tells of its way in; or why that can't be read.
    pub(super) origin: Result<Option<Arc<Origin>>, String>,
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
    emissions: Emissions,
    consequences: Consequences,
    body_bytes: usize,
    /// The variables that are kept with verdicts.
    variables: KeptVariables,
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
            emissions: Emissions::default(),
            consequences: Consequences::default(),
            body_bytes: 0,
            variables: KeptVariables::default(),
            trace_bytes: 0,
        }
    }

    /// What it takes so far.
    pub(super) fn bytes(&self) -> usize {
        let made = self.emissions.len() + self.consequences.emissions.len();
        let rows = self.deliveries.len() + made + self.consequences.letters.len();
        self.verdicts.len() + self.body_bytes + rows * DELIVERY_BYTES
    }

    /// Adds what follows from the automation, with bodies as the endpoints of `current` want them, and keeps
    /// its verdict. What became of it in the end.
    pub(super) fn add(
        &mut self,
        automation: &Compiled,
        event: &AcceptedEvent,
        current: &Current,
        evaluation: Evaluation,
    ) -> Verdict {
        let mut evaluation = self.follow(automation, event, current, evaluation);
        if let Some(ask) = evaluation.ask.take() {
            self.asks.push(NewAsk {
                automation: automation.id,
                version: automation.version,
                ask: *ask,
                precedence: event.precedence(),
                in_order: automation.order.is_some(),
                alert_after: (!event.is_operational()).then_some(automation.alert_after),
            });
        }
        let verdict = evaluation.verdict;
        if verdict.is_failure() {
            self.keep_letter(automation, event, &evaluation);
        }
        self.variables.keep(automation, event, &mut evaluation);
        self.keep_verdict(evaluation);
        verdict
    }

    /// Adds what follows from the automation and nothing else. The evaluation as it is in the end.
    pub(super) fn follow(
        &mut self,
        automation: &Compiled,
        event: &AcceptedEvent,
        current: &Current,
        mut evaluation: Evaluation,
    ) -> Evaluation {
        if let Some(why) = self.refusal(automation, event, &evaluation.outputs) {
            evaluation.ends(Verdict::LimitExceeded, why);
        }
        let order = evaluation.order;
        match std::mem::take(&mut evaluation.outputs) {
            Outputs::None => {}
            Outputs::Payload => {
                if !automation.endpoints.is_empty() {
                    let whole = || Arc::new(content(event, None));
                    let content = self.payload.get_or_insert_with(whole).clone();
                    self.deliver(automation, current, &content, (None, order));
                }
                self.emit(automation, &[&event.payload], &mut evaluation);
            }
            Outputs::Transformed(outputs) => {
                for (output_no, output) in (0..).zip(&outputs) {
                    self.body_bytes += output.bytes();
                    if !automation.endpoints.is_empty() {
                        let content = Arc::new(content(event, Some(output)));
                        self.keep_body(automation, output_no, &content);
                        self.deliver(automation, current, &content, (Some(output_no), order));
                    }
                }
                let payloads: Vec<&Bytes> = outputs.iter().map(|output| &output.content).collect();
                self.emit(automation, &payloads, &mut evaluation);
            }
        }
        evaluation
    }

    /// Notes how an automation fares.
    pub(super) fn fares(&mut self, automation: AutomationId, health: Health) {
        self.consequences.health.push((automation, health));
    }

    /// Nothing more is added: what is made of the event gets its cause.
    pub(super) fn close(&mut self, event: &AcceptedEvent) {
        let emissions = std::mem::take(&mut self.emissions);
        self.consequences.emissions = emissions.finish(event);
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
                consequences: self.consequences,
            },
            contents: self.contents,
        }
    }

    /// Why these outputs are too much, if they are.
    fn refusal(
        &self,
        automation: &Compiled,
        event: &AcceptedEvent,
        outputs: &Outputs,
    ) -> Option<String> {
        if let Some(why) = self.emissions.refusal(automation, event, outputs) {
            return Some(format!("it is not followed: {why}"));
        }
        let before = self.deliveries.len();
        let deliveries = outputs.len() * automation.endpoints.len();
        if before + deliveries > DELIVERIES_PER_EVENT_MAX {
            return Some(format!(
                "it is not followed: that would be {deliveries} deliveries, after {before} of other automations, and an event has {DELIVERIES_PER_EVENT_MAX} at most"
            ));
        }
        let copies = automation.emits.len();
        let emitted = match outputs {
            Outputs::Payload => event.payload.len() * copies,
            outputs => outputs.bytes() * copies,
        };
        let (before, bytes) = (self.body_bytes, outputs.bytes() + emitted);
        (before + bytes > BODY_BYTES_PER_EVENT_MAX).then(|| {
            format!(
                "it is not followed: its outputs have {bytes} bytes, after {before} of other automations, and those of an event have {BODY_BYTES_PER_EVENT_MAX} at most"
            )
        })
    }

    /// One event of each of the automation's types of each output.
    fn emit(&mut self, automation: &Compiled, payloads: &[&Bytes], evaluation: &mut Evaluation) {
        for (action_no, event_type) in (0..).zip(&automation.emits) {
            let mut ids = Vec::with_capacity(payloads.len());
            for (output_no, payload) in (0..).zip(payloads) {
                self.body_bytes += payload.len();
                let place = (action_no, output_no);
                ids.push(self.emissions.add(self.event, automation, place, payload));
            }
            evaluation.step(Step {
                kind: "emit".to_owned(),
                what: event_type.to_string(),
                digest: None,
                outcome: "emitted".to_owned(),
                why: format!("{} made of it", counted(ids.len(), "event")),
                detail: serde_json::json!({ "events": ids }),
            });
        }
    }

    /// What the automation failed at: exactly what went into what failed, as long as there is room for it.
    fn keep_letter(
        &mut self,
        automation: &Compiled,
        event: &AcceptedEvent,
        evaluation: &Evaluation,
    ) {
        let BreakingPoint { place, input } = match evaluation.broke_at.clone() {
            Some(point) if evaluation.verdict == Verdict::PluginError => point,
            _ => BreakingPoint {
                place: usize::MAX,
                input: None,
            },
        };
        let bytes = input.as_ref().map_or(0, Bytes::len);
        self.body_bytes += evaluation.carried.as_ref().map_or(0, Bytes::len);
        let fits = self.body_bytes + bytes <= BODY_BYTES_PER_EVENT_MAX;
        self.body_bytes += if fits { bytes } else { 0 };
        self.consequences.letters.push(NewDeadLetter {
            id: DeadLetterId::derive(event.id, event.accepted_at(), automation.id),
            automation: automation.id,
            version: automation.version,
            verdict: evaluation.verdict.as_str(),
            summary: evaluation.failure().to_owned(),
            place: u16::try_from(place).ok(),
            input: input.filter(|_| fits),
            carried: evaluation.carried.clone(),
        });
        if evaluation.misconfigured {
            self.consequences.misconfigured.push(automation.id);
        }
        if !event.is_operational() {
            let alert_after = automation.alert_after;
            self.fares(automation.id, Health::Failed { alert_after });
        }
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
        is_made: output.is_some(),
        origin: Ok(event.origin.clone()),
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
