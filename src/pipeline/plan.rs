//! From evaluations to what is written: verdicts, bodies and deliveries. Pure.

use bytes::Bytes;

use super::evaluate::{AcceptedEvent, Evaluation, Output, Outputs};
use super::snapshot::Compiled;
use super::standing::Current;
use crate::model::{AccountId, DeliveryId, DeliveryOrigin, EndpointId, Timestamp};
use crate::store::{NewBody, NewDelivery, NewPlan};

/// A plan, and for each of its deliveries what would be sent.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) rows: NewPlan,
    /// One for each delivery of `rows`, in order.
    pub(super) contents: Vec<Content>,
}

/// What a delivery carries, before its envelope.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) event_type: String,
    pub(super) occurred_at: Timestamp,
    pub(super) payload: Bytes,
    /// Or why they can't be read.
    pub(super) headers: Result<Vec<(String, String)>, String>,
}

/// Plans what follows from one event, with bodies as the endpoints of `current` want them. Every
/// delivery is planned as waiting, due at `now`.
pub(super) fn plan(
    whose: (AccountId, i64),
    event: &AcceptedEvent,
    current: &Current,
    evaluated: &[(std::sync::Arc<Compiled>, Evaluation)],
    now: Timestamp,
) -> Plan {
    let (account, revision) = whose;
    let verdicts: Vec<&Evaluation> = evaluated.iter().map(|(_, evaluation)| evaluation).collect();
    let mut plan = Plan {
        rows: NewPlan {
            account,
            event: event.id,
            revision,
            verdicts: serde_json::to_vec(&verdicts)
                .expect("texts and numbers are JSON")
                .into(),
            evaluated_at: now,
            bodies: Vec::new(),
            deliveries: Vec::new(),
        },
        contents: Vec::new(),
    };
    for (automation, evaluation) in evaluated {
        match &evaluation.outputs {
            Outputs::None => {}
            Outputs::Payload => plan.deliver(automation, event, current, None),
            Outputs::Transformed(outputs) => {
                for (place, made) in outputs.iter().enumerate() {
                    plan.keep_body(automation, event, (place, made));
                    plan.deliver(automation, event, current, Some((place, made)));
                }
            }
        }
    }
    plan
}

impl Plan {
    fn keep_body(
        &mut self,
        automation: &Compiled,
        event: &AcceptedEvent,
        output: (usize, &Output),
    ) {
        let (place, made) = output;
        self.rows.bodies.push(NewBody {
            automation: automation.id,
            output_no: place as u16,
            event_type: sent_type(event, Some(made)),
            headers: if made.headers.is_empty() {
                None
            } else {
                Some(serde_json::to_string(&made.headers).expect("texts are JSON"))
            },
            content: made.content.clone(),
        });
    }

    fn deliver(
        &mut self,
        automation: &Compiled,
        event: &AcceptedEvent,
        current: &Current,
        output: Option<(usize, &Output)>,
    ) {
        for (action_no, endpoint) in automation.endpoints.iter().enumerate() {
            let id = DeliveryId::derive(&DeliveryOrigin {
                event: event.id,
                automation: automation.id,
                action_no: action_no as u16,
                endpoint: *endpoint,
                output_no: output.map_or(0, |(place, _)| place as u16),
            });
            self.rows.deliveries.push(NewDelivery {
                id,
                automation: automation.id,
                endpoint: *endpoint,
                output_no: output.map(|(place, _)| place as u16),
                envelope: current.envelope(*endpoint),
                webhook_id: webhook_id(automation, event, *endpoint, id),
                due_at: Some(self.rows.evaluated_at),
            });
            let made = output.map(|(_, made)| made);
            self.contents.push(Content {
                event_type: sent_type(event, made),
                occurred_at: event.occurred_at,
                payload: made.map_or_else(|| event.payload.clone(), |made| made.content.clone()),
                headers: Ok(made.map(|made| made.headers.clone()).unwrap_or_default()),
            });
        }
    }
}

/// The event's id when the endpoint's own subscription made the delivery; else the delivery's: an
/// output or a second automation must not look like a repeat.
fn webhook_id(
    automation: &Compiled,
    event: &AcceptedEvent,
    endpoint: EndpointId,
    id: DeliveryId,
) -> String {
    if automation.owner_endpoint == Some(endpoint) {
        event.id.to_string()
    } else {
        id.to_string()
    }
}

fn sent_type(event: &AcceptedEvent, made: Option<&Output>) -> String {
    made.and_then(|made| made.event_type.clone())
        .unwrap_or_else(|| event.event_type.as_str().to_owned())
}
