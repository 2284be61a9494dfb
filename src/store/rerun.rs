//! What a re-run makes: deliveries that are marked with it, and their bodies. Those stand under the re-run's id
//! in place of the automation's, so that what the automation has made of the event before stays as it is.

use super::backend::Tx;
use super::body::BODY_COLUMNS;
use super::job::JobRow;
use super::values::{Columns, Kind, Rows, Shape, args, values};
use super::{Error, NewBody, NewDelivery, Store};
use crate::model::{AccountId, AutomationId, EndpointId, EventId, JobId, Timestamp};

/// What follows from one past event once more.
#[derive(Debug, Clone)]
pub struct NewRerun {
    /// The event.
    pub event: EventId,
    /// When.
    pub evaluated_at: Timestamp,
    /// Bodies that differ from the payload.
    pub bodies: Vec<NewBody>,
    /// What must be delivered, under the ids of their own. All of them wait.
    pub deliveries: Vec<NewDelivery>,
}

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
    ("created_at_ms", Kind::Int),
    ("rerun_id", Kind::Uuid),
];

/// Whose outputs a re-run's bodies are, as far as the table of bodies knows.
pub(super) fn maker(rerun: JobId) -> AutomationId {
    AutomationId::from_uuid(rerun.uuid())
}

pub(super) async fn write_reruns(
    tx: &mut Tx,
    job: &JobRow,
    reruns: Vec<NewRerun>,
) -> Result<(), Error> {
    let mut bodies = Rows::new(BODY_COLUMNS, 0);
    let mut deliveries = Rows::new(DELIVERY_COLUMNS, reruns.len());
    for rerun in reruns {
        for body in rerun.bodies {
            bodies.push(values![
                job.account,
                rerun.event,
                maker(job.id),
                i64::from(body.output_no),
                body.event_type,
                body.headers,
                body.content
            ]);
        }
        for delivery in rerun.deliveries {
            deliveries.push(values![
                job.account,
                delivery.id,
                rerun.event,
                delivery.automation,
                delivery.endpoint,
                delivery.output_no.map(i64::from),
                delivery.envelope.as_str(),
                delivery.webhook_id,
                "pending",
                rerun.evaluated_at,
                rerun.evaluated_at,
                job.id
            ]);
        }
    }
    for (rows, into) in [(bodies, "bodies"), (deliveries, "deliveries")] {
        let shape = Shape::Insert {
            into,
            tail: "ON CONFLICT DO NOTHING",
        };
        tx.execute_rows(rows, shape).await?;
    }
    Ok(())
}

impl Store {
    /// Whether something waits at an endpoint that is due by now.
    pub async fn has_due(
        &self,
        account: AccountId,
        endpoint: EndpointId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let found: Option<(i64,)> = self
            .fetch_optional(
                "SELECT due_at_ms FROM deliveries
                 WHERE account_id = $1 AND endpoint_id = $2 AND state = 'pending' AND due_at_ms <= $3 LIMIT 1",
                args![account, endpoint, now],
            )
            .await?;
        Ok(found.is_some())
    }
}
