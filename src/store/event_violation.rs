//! What of an accepted event's payload does not fit its type's schema. Most events have no row here, and
//! cost nothing.

use super::accept::NewEvent;
use super::backend::Tx;
use super::row::record;
use super::values::{Columns, Kind, Rows, Shape, args, values};
use super::{Error, Store};
use crate::model::{AccountId, EventId};

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventViolations {
    /// The version of the schema that was asked.
    pub schema_version: i64,
    /// A JSON array.
    pub violations: String,
}

record!(EventViolations {
    schema_version: "schema_version",
    violations: "violations",
});

const TABLE: Columns = &[
    ("account_id", Kind::Uuid),
    ("event_id", Kind::Uuid),
    ("schema_version", Kind::Int),
    ("violations", Kind::Text),
];

impl Store {
    /// What of the event's payload did not fit when it was accepted; `None`: it fitted, or nobody asked.
    pub async fn event_violations(
        &self,
        account: AccountId,
        event: EventId,
    ) -> Result<Option<EventViolations>, Error> {
        self.fetch_optional(
            "SELECT schema_version, violations FROM event_violations
             WHERE account_id = $1 AND event_id = $2",
            args![account, event],
        )
        .await
    }
}

/// Keeps what does not fit of these events, each of which has something.
pub(super) async fn write(tx: &mut Tx, marked: &[&NewEvent]) -> Result<(), Error> {
    if marked.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(TABLE, marked.len());
    for event in marked {
        if let Some(found) = &event.violations {
            rows.push(values![
                event.account,
                event.id,
                found.schema_version,
                found.violations.as_str()
            ]);
        }
    }
    let shape = Shape::Insert {
        into: "event_violations",
        tail: "",
    };
    tx.execute_rows(rows, shape).await
}
