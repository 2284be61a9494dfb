//! The bodies of deliveries that this node does not have in memory.

use std::collections::HashMap;

use bytes::Bytes;

use super::values::args;
use super::{ClaimedDelivery, Error, Store};
use crate::model::{AccountId, AutomationId, EventId, Timestamp};

/// What a delivery carries, before its envelope.
#[derive(Debug, Clone)]
pub struct StoredBody {
    /// The event type it is sent under.
    pub event_type: String,
    /// The event's own time.
    pub occurred_at: Timestamp,
    /// JSON text.
    pub content: Bytes,
    /// Extra headers, a JSON array of pairs.
    pub headers: Option<String>,
}

#[derive(sqlx::FromRow)]
struct BodyRow {
    r#type: String,
    occurred_at_ms: Timestamp,
    content: Vec<u8>,
    headers: Option<String>,
}

impl Store {
    /// The body of each delivery, in their order; `None` where the payload has expired.
    pub async fn bodies(
        &self,
        account: AccountId,
        deliveries: &[ClaimedDelivery],
    ) -> Result<Vec<Option<StoredBody>>, Error> {
        let mut known: HashMap<(EventId, Option<(AutomationId, i64)>), Option<StoredBody>> =
            HashMap::new();
        let mut bodies = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let output = delivery.output_no.map(|no| (delivery.automation, no));
            let key = (delivery.event, output);
            if !known.contains_key(&key) {
                known.insert(key, self.body(account, delivery.event, output).await?);
            }
            bodies.push(known.get(&key).cloned().flatten());
        }
        Ok(bodies)
    }

    async fn body(
        &self,
        account: AccountId,
        event: EventId,
        output: Option<(AutomationId, i64)>,
    ) -> Result<Option<StoredBody>, Error> {
        let row: Option<BodyRow> = match output {
            None => {
                self.fetch_optional(
                    "SELECT type, occurred_at_ms, payload AS content, CAST(NULL AS TEXT) AS headers
                     FROM events WHERE account_id = $1 AND id = $2",
                    args![account, event],
                )
                .await?
            }
            Some((automation, output_no)) => {
                self.fetch_optional(
                    "SELECT b.type, e.occurred_at_ms, b.content, b.headers FROM bodies b
                     JOIN events e ON e.account_id = b.account_id AND e.id = b.event_id
                     WHERE b.account_id = $1 AND b.event_id = $2 AND b.automation_id = $3 AND b.output_no = $4",
                    args![account, event, automation, output_no],
                )
                .await?
            }
        };
        Ok(row.map(|row| StoredBody {
            event_type: row.r#type,
            occurred_at: row.occurred_at_ms,
            content: row.content.into(),
            headers: row.headers,
        }))
    }
}
