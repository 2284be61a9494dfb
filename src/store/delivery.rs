//! Reading deliveries, and making a delivery again.

use std::fmt::Write as _;

use super::page::{Cursor, Page, Span};
use super::row::record;
use super::scan::{Scan, Term};
use super::values::args;
use super::{Error, Store};
use crate::model::{
    AccountId, AutomationId, DeliveryId, EndpointId, EventId, IncarnationId, JobId, Timestamp,
};

/// One body that must reach one endpoint.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Its event.
    pub event: EventId,
    /// Because of which automation.
    pub automation: AutomationId,
    /// Where to.
    pub endpoint: EndpointId,
    /// What the receiver knows it by.
    pub webhook_id: String,
    /// The delivery that this one repeats.
    pub resend_of: Option<DeliveryId>,
    /// The re-run that made it, or the one that it repeats.
    pub rerun: Option<JobId>,
    /// The state's word.
    pub state: String,
    /// When the next attempt may begin, if it waits.
    pub due_at: Option<Timestamp>,
    /// Which life is at it, if it is claimed.
    pub holder: Option<IncarnationId>,
    /// Why it was given up, if it was.
    pub failure: Option<String>,
    /// How many attempts were counted.
    pub attempts_made: i64,
    /// When it was planned.
    pub created_at: Timestamp,
    /// When it was delivered or given up.
    pub settled_at: Option<Timestamp>,
    /// Set if it is of a test.
    pub test: Option<i64>,
}

record!(Delivery {
    id: "id",
    event: "event_id",
    automation: "automation_id",
    endpoint: "endpoint_id",
    webhook_id: "webhook_id",
    resend_of: "resend_of",
    rerun: "rerun_id",
    state: "state",
    due_at: "due_at_ms",
    holder: "holder",
    failure: "failure",
    attempts_made: "attempts_made",
    created_at: "created_at_ms",
    settled_at: "settled_at_ms",
    test: "test",
});

/// Which deliveries are wanted.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only of this event.
    pub event: Option<EventId>,
    /// Only to this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Only in this state.
    pub state: Option<String>,
    /// Only those that were given up for this reason.
    pub failure: Option<String>,
    /// Only because of this automation.
    pub automation: Option<AutomationId>,
    /// Only of events of this type.
    pub event_type: Option<String>,
    /// Only those whose event came then; of one that was sent again, that were made then.
    pub span: Span,
}

impl DeliveryFilter {
    /// What no index leads to.
    fn terms(&self) -> Vec<Term> {
        let texts = [
            ("state = {}", &self.state),
            ("failure = {}", &self.failure),
            (
                "(SELECT e.type FROM events e WHERE e.account_id = $1 AND e.id = walked.event_id) = {}",
                &self.event_type,
            ),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(says, text)| Some(Term::with(says, text.as_deref()?)));
        let automation = self
            .automation
            .map(|id| Term::with("automation_id = {}", id));
        texts.chain(automation).collect()
    }
}

const COLUMNS: &str = "id, event_id, automation_id, endpoint_id, webhook_id, resend_of, rerun_id, state, due_at_ms, \
     holder, failure, attempts_made, created_at_ms, settled_at_ms, test";

/// The deliveries of one event: those it was planned with by the time in their ids, resent ones by their index.
const OF_EVENT: &str = "(SELECT * FROM deliveries
       WHERE account_id = $1 AND id BETWEEN $5 AND $6 AND event_id = $4 AND resend_of IS NULL
     UNION ALL SELECT * FROM deliveries
       WHERE account_id = $1 AND event_id = $4 AND resend_of IS NOT NULL) AS of_event";

impl Store {
    /// The delivery with this id.
    pub async fn delivery(
        &self,
        account: AccountId,
        id: DeliveryId,
    ) -> Result<Option<Delivery>, Error> {
        self.fetch_optional(
            &format!("SELECT {COLUMNS} FROM deliveries WHERE account_id = $1 AND id = $2"),
            args![account, id],
        )
        .await
    }

    /// A page of the account's deliveries, newest first. Indexes lead to those of an event, to an endpoint and of a
    /// span; of what else is asked for, at most [`SCANNED_ROWS_MAX`](crate::model::limits::SCANNED_ROWS_MAX) of
    /// those are looked at, so a page may be short, or empty, and have a next one.
    pub async fn deliveries(
        &self,
        account: AccountId,
        filter: &DeliveryFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Delivery>, Error> {
        let (before, first_of_span) = filter.span.ends(after);
        let mut arguments = args![account, before, first_of_span];
        let from = match filter.event {
            None => "deliveries",
            Some(event) => {
                let (first, last) = DeliveryId::range_of(event);
                arguments.extend(args![event, first, last]);
                OF_EVENT
            }
        };
        let mut within = format!("FROM {from} WHERE account_id = $1 AND id < $2 AND id >= $3");
        if let Some(endpoint) = filter.endpoint {
            arguments.push(endpoint.into());
            let _ = write!(within, " AND endpoint_id = ${}", arguments.len());
        }
        let scan = Scan {
            columns: COLUMNS,
            within,
            arguments,
            keep: filter.terms(),
        };
        self.scan(scan, limit, |row: &Delivery| row.id.uuid()).await
    }

    /// Makes a delivery again under a new id: same body, same envelope, same `webhook_id`, due now.
    /// Whether there was one to repeat.
    pub async fn resend(
        &self,
        account: AccountId,
        first: DeliveryId,
        again: DeliveryId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let made = self
            .execute(
                "INSERT INTO deliveries (account_id, id, event_id, automation_id, endpoint_id, output_no,
                   envelope, webhook_id, rerun_id, resend_of, state, due_at_ms, attempts_made, created_at_ms, test)
                 SELECT account_id, $3, event_id, automation_id, endpoint_id, output_no, envelope, webhook_id,
                   rerun_id, COALESCE(resend_of, id), 'pending', $4, 0, $4, test
                 FROM deliveries WHERE account_id = $1 AND id = $2",
                args![account, first, again, now],
            )
            .await?;
        Ok(made > 0)
    }
}
