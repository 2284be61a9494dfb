//! Reading attempts: those of one delivery, and of an account by their time, and what a delivery carries.

use std::fmt::Write as _;

use super::page::{Cursor, Page, Span};
use super::row::record;
use super::scan::{Scan, Term};
use super::values::{Value, args};
use super::{ClaimedDelivery, Error, Store};
use crate::model::{AccountId, AttemptId, DeliveryId, EndpointId, Timestamp};

/// One HTTP request, and what came back.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// For which delivery.
    pub delivery: DeliveryId,
    /// Where to; `None`: the delivery is not kept any more.
    pub endpoint: Option<EndpointId>,
    /// Its number within the delivery, from 1.
    pub no: i64,
    /// The answer's status code, if there was an answer.
    pub status_code: Option<i64>,
    /// Why there was none.
    pub error_class: Option<String>,
    /// A sentence about a failure.
    pub message: Option<String>,
    /// The beginning of the answer's body.
    pub response: Option<Vec<u8>>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: i64,
    /// What left and what came back besides, JSON; `None`: no request was made.
    pub trace: Option<Vec<u8>>,
}

record!(Attempt {
    id: "id",
    delivery: "delivery_id",
    endpoint: "endpoint_id",
    no: "no",
    status_code: "status_code",
    error_class: "error_class",
    message: "message",
    response: "response",
    started_at: "started_at_ms",
    duration_ms: "duration_ms",
    trace: "trace",
});

/// Which attempts are wanted.
#[derive(Debug, Clone, Default)]
pub struct AttemptFilter {
    /// Only for this delivery.
    pub delivery: Option<DeliveryId>,
    /// Only at this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Only those that came to this.
    pub outcome: Option<OutcomeFilter>,
    /// Only those without an answer, for this reason.
    pub error_class: Option<String>,
    /// Only of events of this type.
    pub event_type: Option<String>,
    /// Only those that began then.
    pub span: Span,
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeFilter {
    /// An answer of 2xx.
    Success,
    /// Anything else.
    Failed,
    /// An answer with a status from the first to the second.
    Status(u16, u16),
}

const COLUMNS: &str = "id, delivery_id, endpoint_id, no, status_code, error_class, message, response, started_at_ms, \
     duration_ms, trace";

/// As the indexes of what has failed say it.
const FAILED: &str = "COALESCE(status_code, 0) NOT BETWEEN 200 AND 299";

impl AttemptFilter {
    /// Whether nothing that succeeded is wanted.
    fn is_of_failures(&self) -> bool {
        let failures = match self.outcome {
            Some(OutcomeFilter::Failed) => true,
            Some(OutcomeFilter::Status(first, last)) => last < 200 || first > 299,
            Some(OutcomeFilter::Success) | None => false,
        };
        failures || self.error_class.is_some()
    }

    /// The index that leads to them.
    fn index(&self) -> &'static str {
        match (self.is_of_failures(), self.endpoint) {
            (true, Some(_)) => "attempts_failed_there",
            (true, None) => "attempts_failed",
            (false, _) => "attempts_by_time",
        }
    }

    /// What the index does not answer.
    fn terms(&self) -> Vec<Term> {
        let mut terms = Vec::new();
        match self.outcome {
            Some(OutcomeFilter::Success) => {
                terms.push(Term::plain("status_code BETWEEN 200 AND 299"));
            }
            Some(OutcomeFilter::Status(first, last)) => {
                terms.push(Term::with("status_code >= {}", i64::from(first)));
                terms.push(Term::with("status_code <= {}", i64::from(last)));
            }
            Some(OutcomeFilter::Failed) | None => {}
        }
        if let Some(class) = &self.error_class {
            terms.push(Term::with("error_class = {}", class.as_str()));
        }
        if let Some(name) = &self.event_type {
            let of_type = "(SELECT e.type FROM deliveries d
               JOIN events e ON e.account_id = d.account_id AND e.id = d.event_id
               WHERE d.account_id = $1 AND d.id = walked.delivery_id) = {}";
            terms.push(Term::with(of_type, name.as_str()));
        }
        if let Some(endpoint) = self.endpoint
            && !self.is_of_failures()
        {
            terms.push(Term::with("endpoint_id = {}", endpoint));
        }
        terms
    }
}

impl Store {
    /// The attempts of a delivery, oldest first.
    pub async fn attempts(
        &self,
        account: AccountId,
        delivery: DeliveryId,
    ) -> Result<Vec<Attempt>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM attempts WHERE account_id = $1 AND delivery_id = $2 ORDER BY id"
        );
        self.fetch(&sql, args![account, delivery]).await
    }

    /// The attempt with this id.
    pub async fn attempt(
        &self,
        account: AccountId,
        id: AttemptId,
    ) -> Result<Option<Attempt>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM attempts WHERE account_id = $1 AND id = $2");
        self.fetch_optional(&sql, args![account, id]).await
    }

    /// A page of the account's attempts, newest first. An index leads to those of an account and to those of an
    /// endpoint that have failed; of what else is asked for, at most
    /// [`SCANNED_ROWS_MAX`](crate::model::limits::SCANNED_ROWS_MAX) of those are looked at, so a page may be
    /// short, or empty, and have a next one.
    pub async fn attempts_of(
        &self,
        account: AccountId,
        filter: &AttemptFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Attempt>, Error> {
        let (within, arguments) = self.such_attempts(account, filter, after);
        let scan = Scan {
            columns: COLUMNS,
            within,
            arguments,
            keep: filter.terms(),
        };
        self.scan(scan, limit, |row: &Attempt| row.id.uuid()).await
    }

    /// How the engine goes about a page of them, for tests that pin it.
    pub async fn explain_attempts(
        &self,
        account: AccountId,
        filter: &AttemptFilter,
    ) -> Result<String, Error> {
        let (within, arguments) = self.such_attempts(account, filter, None);
        let sql = format!("SELECT {COLUMNS} {within} ORDER BY id DESC LIMIT 51");
        self.backend.explain(&sql, arguments).await
    }

    /// What one index or the delivery's own rows lead to.
    fn such_attempts(
        &self,
        account: AccountId,
        filter: &AttemptFilter,
        after: Option<Cursor>,
    ) -> (String, Vec<Value>) {
        let (before, first) = filter.span.ends(after);
        let mut arguments = args![account, before, first];
        let through = match filter.delivery {
            Some(_) => String::new(),
            None => self.backend.through(filter.index()),
        };
        let mut within =
            format!("FROM attempts {through} WHERE account_id = $1 AND id < $2 AND id >= $3");
        if let Some(delivery) = filter.delivery {
            arguments.push(delivery.into());
            let _ = write!(within, " AND delivery_id = ${}", arguments.len());
        }
        if filter.is_of_failures() {
            let _ = write!(within, " AND {FAILED}");
            if let Some(endpoint) = filter.endpoint {
                arguments.push(endpoint.into());
                let _ = write!(within, " AND endpoint_id = ${}", arguments.len());
            }
        }
        (within, arguments)
    }

    /// What is needed to make a delivery's request again, and where it goes.
    pub async fn delivery_parts(
        &self,
        account: AccountId,
        id: DeliveryId,
    ) -> Result<Option<ClaimedDelivery>, Error> {
        self.fetch_optional(
            "SELECT id, event_id, automation_id, rerun_id, output_no, envelope, webhook_id, attempts_made, order_key,
               test
             FROM deliveries WHERE account_id = $1 AND id = $2",
            args![account, id],
        )
        .await
    }
}
