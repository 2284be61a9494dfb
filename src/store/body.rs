//! The bodies of deliveries that this node does not have in memory.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::rerun::maker;
use super::row::record;
use super::values::{Columns, Kind, Rows, Shape, values};
use super::{ClaimedDelivery, Error, Store};
use crate::model::{AccountId, AutomationId, EventId, Origin, Timestamp};

/// What a delivery carries, before its envelope.
#[derive(Debug, Clone)]
pub struct StoredBody {
    /// The event type it is sent under.
    pub event_type: String,
    /// The event's own time.
    pub occurred_at: Timestamp,
    /// JSON text.
    pub content: Bytes,
    /// Whether a transform has made it.
    pub is_made: bool,
    /// What its event tells of its way in; or why that can't be read.
    pub origin: Result<Option<Arc<Origin>>, String>,
    /// Extra headers; or why they can't be read, which must not stop its neighbours.
    pub headers: Result<Vec<(String, String)>, String>,
}

struct BodyRow {
    event_id: EventId,
    automation_id: Option<AutomationId>,
    output_no: Option<i64>,
    r#type: String,
    occurred_at_ms: Timestamp,
    content: Vec<u8>,
    origin: Option<String>,
    headers: Option<String>,
}

record!(BodyRow {
    event_id: "event_id",
    automation_id: "automation_id",
    output_no: "output_no",
    r#type: "type",
    occurred_at_ms: "occurred_at_ms",
    content: "content",
    origin: "origin",
    headers: "headers",
});

/// How bodies are written.
pub(super) const BODY_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("output_no", Kind::Int),
    ("type", Kind::Text),
    ("headers", Kind::Text),
    ("content", Kind::Bytes),
];

/// Which body: the event's payload, or an output of an automation's transforms.
type Key = (EventId, Option<(AutomationId, i64)>);

const PAYLOAD_COLUMNS: Columns = &[("account_id", Kind::Uuid), ("event_id", Kind::Uuid)];

const PAYLOADS_SQL: &str = "
    SELECT e.id AS event_id, NULL AS automation_id, NULL AS output_no, e.type, e.occurred_at_ms,
      e.payload AS content, e.origin, NULL AS headers
    FROM v JOIN events e ON e.account_id = v.account_id AND e.id = v.event_id
    WHERE LENGTH(e.payload) > 0";

const OUTPUT_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("automation_id", Kind::Uuid),
    ("output_no", Kind::Int),
];

const OUTPUTS_SQL: &str = "
    SELECT b.event_id, b.automation_id, b.output_no, b.type, e.occurred_at_ms, b.content, e.origin,
      b.headers
    FROM v JOIN bodies b ON b.account_id = v.account_id AND b.event_id = v.event_id
      AND b.automation_id = v.automation_id AND b.output_no = v.output_no
    JOIN events e ON e.account_id = b.account_id AND e.id = b.event_id";

impl Store {
    /// The body of each delivery, in their order; `None` where the payload has expired.
    pub async fn bodies(
        &self,
        account: AccountId,
        deliveries: &[ClaimedDelivery],
    ) -> Result<Vec<Option<StoredBody>>, Error> {
        let mut keys: Vec<Key> = deliveries.iter().map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut payloads = Rows::new(PAYLOAD_COLUMNS, keys.len());
        let mut outputs = Rows::new(OUTPUT_COLUMNS, 0);
        for (event, output) in keys {
            match output {
                None => payloads.push(values![account, event]),
                Some((automation, no)) => outputs.push(values![account, event, automation, no]),
            }
        }
        let mut found: HashMap<Key, StoredBody> = HashMap::with_capacity(deliveries.len());
        for (rows, sql) in [(payloads, PAYLOADS_SQL), (outputs, OUTPUTS_SQL)] {
            let rows: Vec<BodyRow> = self.backend.fetch_rows(rows, Shape::Query(sql)).await?;
            found.extend(rows.into_iter().map(BodyRow::into_entry));
        }
        Ok(deliveries
            .iter()
            .map(|delivery| found.get(&key(delivery)).cloned())
            .collect())
    }
}

fn key(delivery: &ClaimedDelivery) -> Key {
    let made_by = delivery.rerun.map_or(delivery.automation, maker);
    (delivery.event, delivery.output_no.map(|no| (made_by, no)))
}

impl BodyRow {
    fn into_entry(self) -> (Key, StoredBody) {
        let output = self.automation_id.zip(self.output_no);
        let body = StoredBody {
            event_type: self.r#type,
            occurred_at: self.occurred_at_ms,
            content: self.content.into(),
            is_made: output.is_some(),
            origin: match self.origin.as_deref().map(Origin::parse).transpose() {
                Ok(origin) => Ok(origin.map(Arc::new)),
                Err(error) => Err(error.to_string()),
            },
            headers: self.headers.map_or(Ok(Vec::new()), |text| {
                serde_json::from_str(&text).map_err(|error| error.to_string())
            }),
        };
        ((self.event_id, output), body)
    }
}
