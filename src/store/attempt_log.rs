//! Attempts across deliveries.

use std::fmt::Write as _;

use super::row::record;
use super::values::args;
use super::{Error, Store};
use crate::model::limits::SCANNED_ROWS_MAX;
use crate::model::{AccountId, AttemptId, DeliveryId, EndpointId, EventId, Timestamp};

/// Which attempts are wanted.
#[derive(Debug, Clone, Default)]
pub struct AttemptWalk {
    /// Only those at this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Only those that began then or later.
    pub since: Option<Timestamp>,
    /// Only those that began before.
    pub until: Option<Timestamp>,
}

/// An attempt, and what it was for.
#[derive(Debug, Clone)]
pub struct LoggedAttempt {
    /// Its id.
    pub id: AttemptId,
    /// Its delivery.
    pub delivery: DeliveryId,
    /// Where it went.
    pub endpoint: EndpointId,
    /// Its event.
    pub event: EventId,
    /// The event's type, while the event is kept.
    pub event_type: Option<String>,
    /// Its number within the delivery, from 1.
    pub no: i64,
    /// The answer's status code, if there was an answer.
    pub status_code: Option<i64>,
    /// Why there was none.
    pub error_class: Option<String>,
    /// A sentence about a failure.
    pub message: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: i64,
}

record!(LoggedAttempt {
    id: "id",
    delivery: "delivery_id",
    endpoint: "endpoint_id",
    event: "event_id",
    event_type: "type",
    no: "no",
    status_code: "status_code",
    error_class: "error_class",
    message: "message",
    started_at: "started_at_ms",
    duration_ms: "duration_ms",
});

impl Store {
    /// The attempts of the last [`SCANNED_ROWS_MAX`] deliveries, of an endpoint's or of all, that were made before the
    /// walk's end; as many attempts at most, newest first.
    pub async fn logged_attempts(
        &self,
        account: AccountId,
        walk: &AttemptWalk,
    ) -> Result<Vec<LoggedAttempt>, Error> {
        let mut arguments = args![account];
        let mut within = "account_id = $1".to_owned();
        let mut through = String::new();
        if let Some(endpoint) = walk.endpoint {
            through = self.backend.through("deliveries_by_endpoint");
            arguments.push(endpoint.into());
            let _ = write!(within, " AND endpoint_id = ${}", arguments.len());
        }
        if let Some(until) = walk.until {
            // No delivery is attempted before it is made, and its id begins with when its event came.
            arguments.push(DeliveryId::from_uuid(EventId::first_at(until).uuid()).into());
            let _ = write!(within, " AND id < ${}", arguments.len());
        }
        let mut began = String::new();
        for (time, sign) in [(walk.since, ">="), (walk.until, "<")] {
            if let Some(time) = time {
                arguments.push(time.into());
                let _ = write!(began, " AND a.started_at_ms {sign} ${}", arguments.len());
            }
        }
        let sql = format!(
            "SELECT a.id, a.delivery_id, d.endpoint_id, d.event_id, e.type, a.no, a.status_code, a.error_class,
               a.message, a.started_at_ms, a.duration_ms
             FROM (SELECT id, endpoint_id, event_id FROM deliveries {through} WHERE {within}
                   ORDER BY id DESC LIMIT {SCANNED_ROWS_MAX}) AS d
             JOIN attempts a ON a.account_id = $1 AND a.delivery_id = d.id
             LEFT JOIN events e ON e.account_id = $1 AND e.id = d.event_id
             WHERE a.account_id = $1{began} ORDER BY a.id DESC LIMIT {SCANNED_ROWS_MAX}"
        );
        self.fetch(&sql, arguments).await
    }
}
