//! Deliveries that an endpoint's own subscription did not make, because there was none for it then: which there are,
//! and making them after all.

use super::JobRow;
use crate::model::{AccountId, DeliveryId, EndpointId, EventId};
use crate::store::backend::Tx;
use crate::store::values::{Columns, Kind, Rows, Shape, values};
use crate::store::{Error, NewDelivery, Store};

const EVENT_COLUMNS: Columns = &[("account_id", Kind::Uuid), ("event_id", Kind::Uuid)];

const UNPLANNED_SQL: &str = "
    SELECT i.event_id FROM v
    JOIN inbox i ON i.account_id = v.account_id AND i.event_id = v.event_id
    WHERE i.set_aside IS NULL";

const OWN_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("endpoint_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("first_id", Kind::Uuid),
    ("last_id", Kind::Uuid),
    ("webhook_id", Kind::Text),
];

/// The receiver knows by the event's own id what a subscription has made; a derived id begins with the event's time.
const OWN_SQL: &str = "
    SELECT d.event_id FROM v
    JOIN deliveries d ON d.account_id = v.account_id AND d.endpoint_id = v.endpoint_id
      AND d.id >= v.first_id AND d.id <= v.last_id AND d.event_id = v.event_id
      AND d.webhook_id = v.webhook_id";

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
];

/// Writes what is made after all. What is there by now is left alone.
pub(super) async fn write_made(
    tx: &mut Tx,
    job: &JobRow,
    made: Vec<(EventId, NewDelivery)>,
) -> Result<(), Error> {
    let mut rows = Rows::new(DELIVERY_COLUMNS, made.len());
    for (event, delivery) in made {
        rows.push(values![
            job.account,
            delivery.id,
            event,
            delivery.automation,
            delivery.endpoint,
            delivery.envelope.as_str(),
            delivery.webhook_id,
            "pending",
            delivery.due_at,
            delivery.due_at
        ]);
    }
    let shape = Shape::Insert {
        into: "deliveries",
        tail: "ON CONFLICT DO NOTHING",
    };
    tx.execute_rows(rows, shape).await
}

impl Store {
    /// Which of these events are still to be evaluated; one that was set aside is not.
    pub async fn unplanned(
        &self,
        account: AccountId,
        events: &[EventId],
    ) -> Result<Vec<EventId>, Error> {
        let mut rows = Rows::new(EVENT_COLUMNS, events.len());
        for event in events {
            rows.push(values![account, *event]);
        }
        let found = self.backend.fetch_rows(rows, Shape::Query(UNPLANNED_SQL));
        let found: Vec<(EventId,)> = found.await?;
        Ok(found.into_iter().map(|row| row.0).collect())
    }

    /// Of which of these events a subscription of the endpoint's own has made a delivery to it, today's or an
    /// earlier one.
    pub async fn own_deliveries(
        &self,
        account: AccountId,
        endpoint: EndpointId,
        events: &[EventId],
    ) -> Result<Vec<EventId>, Error> {
        let mut rows = Rows::new(OWN_COLUMNS, events.len());
        for event in events {
            let (first, last) = DeliveryId::range_of(*event);
            rows.push(values![
                account,
                endpoint,
                *event,
                first,
                last,
                event.to_string()
            ]);
        }
        let found = self.backend.fetch_rows(rows, Shape::Query(OWN_SQL));
        let found: Vec<(EventId,)> = found.await?;
        Ok(found.into_iter().map(|row| row.0).collect())
    }
}
