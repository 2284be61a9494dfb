//! Test events: each with its evaluation, which is empty, and with its delivery to one endpoint, which is due at
//! once. They never are in an inbox: no automation looks at them.

use bytes::Bytes;

use super::values::{Columns, Kind, Rows, Shape, values};
use super::{Error, Store, account};
use crate::automation::EventType;
use crate::envelope::Envelope;
use crate::model::{
    AccountId, AutomationId, DeliveryId, DeliveryOrigin, EndpointId, EventId, Origin, Timestamp,
};

/// A test event.
#[derive(Debug, Clone)]
pub struct NewTestEvent {
    /// Minted by the caller.
    pub id: EventId,
    /// Its type.
    pub event_type: EventType,
    /// JSON text.
    pub payload: Bytes,
}

impl NewTestEvent {
    /// The id of its delivery to the endpoint.
    pub fn delivery(&self, endpoint: EndpointId) -> DeliveryId {
        DeliveryId::derive(&DeliveryOrigin {
            event: self.id,
            automation: NO_AUTOMATION,
            action_no: 0,
            endpoint,
            output_no: 0,
        })
    }
}

/// What stands where a delivery has its automation.
const NO_AUTOMATION: AutomationId = AutomationId::from_uuid(uuid::Uuid::nil());

const EVENT_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("type", Kind::Text),
    ("occurred_at_ms", Kind::Int),
    ("payload", Kind::Bytes),
    ("origin", Kind::Text),
    ("test", Kind::Int),
];

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
    ("envelope", Kind::Text),
    ("webhook_id", Kind::Text),
    ("state", Kind::Text),
    ("due_at_ms", Kind::Int),
    ("created_at_ms", Kind::Int),
    ("test", Kind::Int),
];

impl Store {
    /// Makes test events, all or none, each with a delivery to the endpoint, in its envelope. The receiver knows it by
    /// the event's id, as what the endpoint's own subscription sends.
    pub async fn create_test_events(
        &self,
        account: AccountId,
        (endpoint, envelope): (EndpointId, Envelope),
        tests: &[NewTestEvent],
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let revisions = account::revisions(&mut tx, std::iter::once(account)).await?;
        let revision = revisions.get(&account).copied().unwrap_or_default();
        let mut events = Rows::new(EVENT_COLUMNS, tests.len());
        let mut evaluations = Rows::new(EVALUATION_COLUMNS, tests.len());
        let mut deliveries = Rows::new(DELIVERY_COLUMNS, tests.len());
        let origin = Origin::of_test().to_text();
        for test in tests {
            events.push(values![
                account,
                test.id,
                test.event_type.as_str(),
                now,
                test.payload.clone(),
                origin.as_str(),
                1_i64
            ]);
            let nobody = Bytes::from_static(b"[]");
            evaluations.push(values![account, test.id, revision, nobody, now]);
            deliveries.push(values![
                account,
                test.delivery(endpoint),
                test.id,
                NO_AUTOMATION,
                endpoint,
                envelope.as_str(),
                test.id.to_string(),
                "pending",
                now,
                now,
                1_i64
            ]);
        }
        for (rows, into) in [
            (events, "events"),
            (evaluations, "evaluations"),
            (deliveries, "deliveries"),
        ] {
            tx.execute_rows(rows, Shape::Insert { into, tail: "" })
                .await?;
        }
        tx.commit().await
    }
}
