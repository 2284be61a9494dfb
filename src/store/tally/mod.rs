//! How endpoints do, counted by the minute and by the hour.
//!
//! What a batch of attempts comes to is noted in the batch's own transaction: one row, however many attempts and
//! endpoints there are. So nothing that is recorded is ever missing, whatever is killed, and the writer never waits for
//! rows that other nodes write, too. A few seconds later the notes are folded into the tallies of their minutes and
//! hours, by one node at a time, in the transaction that removes the notes: nothing is counted twice. There it is also
//! seen whether a success rate has dropped.

mod fold;
mod note;
mod rate;

pub(super) use note::note;

use super::row::record;
use super::values::{Columns, Kind, Rows, Shape, args, values};
use super::{Error, Store};
use crate::model::{AccountId, AttemptId, DeliveryId, EndpointId, Timestamp};
use crate::tally::{Span, Tally};

/// Whose endpoint.
type Which = (AccountId, EndpointId);
/// Of which endpoint a tally is, and of which time.
type Place = (AccountId, EndpointId, Span, Timestamp);

/// What one batch came to for one endpoint in one minute, as it is noted.
type Noted = (AccountId, EndpointId, i64, Tally);

/// The tally of one minute or hour.
#[derive(Debug, Clone)]
pub struct TallyRow {
    /// Of which endpoint.
    pub endpoint: EndpointId,
    /// When its time began.
    pub from: Timestamp,
    /// What was counted.
    pub tally: Tally,
}

/// One of the last attempts at an endpoint.
#[derive(Debug, Clone)]
pub struct LastAttempt {
    /// Its id.
    pub id: AttemptId,
    /// Its delivery.
    pub delivery: DeliveryId,
    /// The answer's status code, if there was an answer.
    pub status_code: Option<i64>,
    /// Why there was none.
    pub error_class: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: i64,
}

record!(LastAttempt {
    id: "id",
    delivery: "delivery_id",
    status_code: "status_code",
    error_class: "error_class",
    started_at: "started_at_ms",
    duration_ms: "duration_ms",
});

struct Kept {
    account: AccountId,
    endpoint: EndpointId,
    span_ms: i64,
    from: Timestamp,
    tally: String,
}

record!(Kept {
    account: "account_id",
    endpoint: "endpoint_id",
    span_ms: "span_ms",
    from: "from_ms",
    tally: "tally",
});

const PLACE_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("endpoint_id", Kind::Uuid),
    ("span_ms", Kind::Int),
    ("from_ms", Kind::Int),
];

impl Store {
    /// Removes up to `limit` tallies whose time is long past. How many.
    pub async fn forget_tallies(&self, now: Timestamp, limit: usize) -> Result<u64, Error> {
        let key = "account_id, endpoint_id, span_ms, from_ms";
        let sql = self.backend.delete_expired("tallies", key);
        self.execute(&sql, args![now, limit]).await
    }

    /// The tallies of an endpoint since `from`, oldest first: no more than are kept of that span.
    pub async fn tallies(
        &self,
        account: AccountId,
        endpoint: EndpointId,
        (span, from): (Span, Timestamp),
    ) -> Result<Vec<TallyRow>, Error> {
        let rows: Vec<Kept> = self
            .fetch(
                "SELECT account_id, endpoint_id, span_ms, from_ms, tally FROM tallies
                 WHERE account_id = $1 AND endpoint_id = $2 AND span_ms = $3 AND from_ms >= $4
                 ORDER BY from_ms",
                args![account, endpoint, span.ms(), from],
            )
            .await?;
        rows.into_iter().map(Kept::read_back).collect()
    }

    /// The last 20 attempts of the 50 deliveries to an endpoint that were made last, newest first.
    pub async fn last_attempts(
        &self,
        account: AccountId,
        endpoint: EndpointId,
    ) -> Result<Vec<LastAttempt>, Error> {
        self.fetch(
            "SELECT a.id, a.delivery_id, a.status_code, a.error_class, a.started_at_ms, a.duration_ms
             FROM (SELECT id FROM deliveries WHERE account_id = $1 AND endpoint_id = $2
                   ORDER BY id DESC LIMIT 50) AS d
             JOIN attempts a ON a.account_id = $1 AND a.delivery_id = d.id
             ORDER BY a.id DESC LIMIT 20",
            args![account, endpoint],
        )
        .await
    }

    /// The hours of these endpoints since `from`, of each oldest first.
    pub async fn hours(
        &self,
        account: AccountId,
        endpoints: &[EndpointId],
        from: Timestamp,
    ) -> Result<Vec<TallyRow>, Error> {
        const SQL: &str = "SELECT t.account_id, t.endpoint_id, t.span_ms, t.from_ms, t.tally
            FROM v JOIN tallies t ON t.account_id = v.account_id AND t.endpoint_id = v.endpoint_id
              AND t.span_ms = v.span_ms AND t.from_ms >= v.from_ms
            ORDER BY t.endpoint_id, t.from_ms";
        let mut rows = Rows::new(PLACE_COLUMNS, endpoints.len());
        for endpoint in endpoints {
            rows.push(values![account, *endpoint, Span::Hour.ms(), from]);
        }
        let found: Vec<Kept> = self.backend.fetch_rows(rows, Shape::Query(SQL)).await?;
        found.into_iter().map(Kept::read_back).collect()
    }

    /// Has endpoints that say nothing of their own do as this says, JSON; `None`: nothing is told of them.
    pub async fn change_success_rate_alert(
        &self,
        account: AccountId,
        alert: Option<String>,
    ) -> Result<(), Error> {
        self.execute(
            "UPDATE accounts SET success_rate_alert = $2 WHERE id = $1",
            args![account, alert],
        )
        .await
        .map(drop)
    }

    /// When an endpoint's success rate dropped, if it has and is not back.
    pub async fn rate_dropped_at(
        &self,
        account: AccountId,
        endpoint: EndpointId,
    ) -> Result<Option<Timestamp>, Error> {
        let found: Option<(Option<Timestamp>,)> = self
            .fetch_optional(
                "SELECT rate_dropped_at_ms FROM endpoints WHERE account_id = $1 AND id = $2",
                args![account, endpoint],
            )
            .await?;
        Ok(found.and_then(|row| row.0))
    }
}

impl Kept {
    fn read_back(self) -> Result<TallyRow, Error> {
        Ok(TallyRow {
            endpoint: self.endpoint,
            from: self.from,
            tally: serde_json::from_str(&self.tally).map_err(|error| corrupt(&error))?,
        })
    }
}

fn corrupt(error: &serde_json::Error) -> Error {
    Error::Corrupt {
        what: "what was counted of attempts",
        why: error.to_string(),
    }
}
