//! Planning: the verdicts, the bodies and the deliveries of an event; its inbox row goes. Planning
//! the same event twice changes nothing.

use std::sync::Arc;

use bytes::Bytes;

use super::backend::Tx;
use super::body::BODY_COLUMNS;
use super::flow::NewAsk;
use super::values::{Columns, Kind, Rows, Shape, Value, args, values};
use super::{Consequences, Error, flow, order};
use crate::envelope::Envelope;
use crate::model::{
    AccountId, AutomationId, DeliveryId, EndpointId, EventId, IncarnationId, OrderKey, Timestamp,
};

/// Everything that follows from one event.
#[derive(Debug, Clone)]
pub struct NewPlan {
    /// Whose.
    pub account: AccountId,
    /// The event.
    pub event: EventId,
    /// As of which revision it was evaluated.
    pub revision: i64,
    /// The packed evaluations, JSON.
    pub verdicts: Bytes,
    /// When.
    pub evaluated_at: Timestamp,
    /// Bodies that differ from the payload.
    pub bodies: Vec<NewBody>,
    /// What must be delivered.
    pub deliveries: Vec<NewDelivery>,
    /// What else follows.
    pub consequences: Consequences,
    /// What its automations' flow control is asked for.
    pub asks: Vec<NewAsk>,
    /// Set if it is the plan of what has waited of this automation. Then the event was evaluated before, and
    /// `verdicts` has what came of this.
    pub late: Option<AutomationId>,
}

/// What a chain of transforms put out.
#[derive(Debug, Clone)]
pub struct NewBody {
    /// Whose transforms.
    pub automation: AutomationId,
    /// The output's place.
    pub output_no: u16,
    /// The event type it is sent under.
    pub event_type: String,
    /// Extra headers, a JSON array of pairs. [`StoredBody`](super::StoredBody) has them as pairs again.
    pub headers: Option<String>,
    /// JSON text.
    pub content: Bytes,
}

/// A delivery to be born: `claimed` by the writer's node, or `pending`.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Derived from its origin.
    pub id: DeliveryId,
    /// Because of which automation.
    pub automation: AutomationId,
    /// Where to.
    pub endpoint: EndpointId,
    /// Which output; `None`: the event's own payload.
    pub output_no: Option<u16>,
    /// How the body is wrapped.
    pub envelope: Envelope,
    /// What the receiver knows it by.
    pub webhook_id: String,
    /// `None`: the endpoint has a free slot, and it is claimed at once. One that keeps an order never is.
    pub due_at: Option<Timestamp>,
    /// What it keeps its order with.
    pub order: Option<OrderKey>,
}

/// An event whose plan can't be stored, put aside so that it blocks nothing and isn't lost.
#[derive(Debug, Clone)]
pub struct SetAside {
    /// Whose.
    pub account: AccountId,
    /// The event.
    pub event: EventId,
    /// A sentence for the operator.
    pub why: String,
}

const EVALUATION_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("revision", Kind::Int),
    ("verdicts", Kind::Bytes),
    ("evaluated_at_ms", Kind::Int),
];

const DELIVERY_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("endpoint_id", Kind::Uuid),
    ("output_no", Kind::Int),
    ("envelope", Kind::Text),
    ("webhook_id", Kind::Text),
    ("state", Kind::Text),
    ("due_at_ms", Kind::Int),
    ("holder", Kind::Uuid),
    ("created_at_ms", Kind::Int),
];

const EVENT_REF_COLUMNS: Columns = &[("account_id", Kind::Uuid), ("event_id", Kind::Uuid)];

pub(super) async fn write(
    tx: &mut Tx,
    holder: IncarnationId,
    all: &[Arc<NewPlan>],
    aside: &[SetAside],
) -> Result<(), Error> {
    if all.is_empty() && aside.is_empty() {
        return Ok(());
    }
    let mut plans: Vec<&NewPlan> = all.iter().map(Arc::as_ref).collect();
    plans.sort_by_key(|plan| (plan.account, plan.event));
    let mut evaluations = Rows::new(EVALUATION_COLUMNS, plans.len());
    let mut done = Rows::new(EVENT_REF_COLUMNS, plans.len());
    for plan in &plans {
        if plan.late.is_none() {
            evaluations.push(values![
                plan.account,
                plan.event,
                plan.revision,
                plan.verdicts.clone(),
                plan.evaluated_at
            ]);
            done.push(values![plan.account, plan.event]);
        }
    }
    tx.execute_rows(evaluations, insert_into("evaluations"))
        .await?;
    write_outputs(tx, holder, &plans).await?;
    tx.execute_rows(done, Shape::Delete { from: "inbox" })
        .await?;
    flow::write(tx, all).await?;
    order::insert(tx, all).await?;
    for aside in aside {
        tx.execute(
            "UPDATE inbox SET set_aside = $3 WHERE account_id = $1 AND event_id = $2",
            args![aside.account, aside.event, aside.why.as_str()],
        )
        .await?;
    }
    Ok(())
}

/// Writes the bodies of plans, and the deliveries that keep no order.
pub(super) async fn write_outputs(
    tx: &mut Tx,
    holder: IncarnationId,
    plans: &[&NewPlan],
) -> Result<(), Error> {
    let mut bodies = Rows::new(BODY_COLUMNS, 0);
    let mut deliveries = Rows::new(DELIVERY_COLUMNS, plans.len());
    for plan in plans {
        for body in &plan.bodies {
            bodies.push(values![
                plan.account,
                plan.event,
                body.automation,
                i64::from(body.output_no),
                body.event_type.clone(),
                body.headers.clone(),
                body.content.clone()
            ]);
        }
        for delivery in &plan.deliveries {
            if delivery.order.is_none() {
                deliveries.push(delivery_row(plan, delivery, holder));
            }
        }
    }
    tx.execute_rows(bodies, insert_into("bodies")).await?;
    tx.execute_rows(deliveries, insert_into("deliveries")).await
}

fn insert_into(table: &'static str) -> Shape {
    Shape::Insert {
        into: table,
        tail: "ON CONFLICT DO NOTHING",
    }
}

fn delivery_row(plan: &NewPlan, delivery: &NewDelivery, holder: IncarnationId) -> [Value; 12] {
    let (state, holder) = match delivery.due_at {
        None => ("claimed", Some(holder)),
        Some(_) => ("pending", None),
    };
    values![
        plan.account,
        delivery.id,
        plan.event,
        delivery.automation,
        delivery.endpoint,
        delivery.output_no.map(i64::from),
        delivery.envelope.as_str(),
        delivery.webhook_id.clone(),
        state,
        delivery.due_at,
        holder,
        plan.evaluated_at
    ]
}
