//! Claiming what is due. A claim is the one gate that a waiting delivery passes: to an enabled
//! endpoint it goes on, at a disabled one it is held, for a removed one it is cancelled, and so is
//! what was held there.

use super::backend::Tx;
use super::engine::EngineError;
use super::row::{Record, Row, record};
use super::values::args;
use super::{Error, Store};
use crate::envelope::{self, Envelope};
use crate::model::{
    AccountId, AutomationId, DeliveryId, EndpointId, EventId, IncarnationId, JobId, OrderKey,
    Timestamp,
};

/// A wish to take what is due at one endpoint.
#[derive(Debug, Clone, Copy)]
pub struct ClaimRequest {
    /// Whose.
    pub account: AccountId,
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// What is due by then.
    pub now: Timestamp,
    /// How many at most.
    pub limit: usize,
    /// How many of those are first attempts before all others, if so many are due.
    pub first: usize,
}

/// What a claim brought.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Now claimed, in the order of their ids, which begin with the time of their event.
    pub deliveries: Vec<ClaimedDelivery>,
    /// When the next of this endpoint is due.
    pub next_due: Option<Timestamp>,
    /// The account's revision, so that the newest settings are used.
    pub revision: i64,
    /// How many were held or cancelled instead.
    pub kept_back: u64,
}

impl Claim {
    /// Nothing is taken, and it is soon tried again.
    fn not_now(request: &ClaimRequest, revision: i64) -> Self {
        Self {
            deliveries: Vec::new(),
            next_due: Some(request.now),
            revision,
            kept_back: 0,
        }
    }
}

/// A delivery taken by this node.
#[derive(Debug, Clone)]
pub struct ClaimedDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Its event.
    pub event: EventId,
    /// Because of which automation.
    pub automation: AutomationId,
    /// The re-run that made it, if one did.
    pub rerun: Option<JobId>,
    /// Which output; `None`: the event's payload.
    pub output_no: Option<i64>,
    /// How the body is wrapped; or why that can't be read, which must not stop its neighbours.
    pub envelope: Result<Envelope, envelope::Error>,
    /// What the receiver knows it by.
    pub webhook_id: String,
    /// How many attempts were counted.
    pub attempts_made: i64,
    /// What it keeps its order with.
    pub order: Option<OrderKey>,
    /// Whether it is of a test.
    pub test: bool,
}

impl Record for ClaimedDelivery {
    fn read(row: &Row<'_>) -> Result<Self, EngineError> {
        let envelope: String = row.get("envelope")?;
        Ok(Self {
            id: row.get("id")?,
            event: row.get("event_id")?,
            automation: row.get("automation_id")?,
            rerun: row.get("rerun_id")?,
            output_no: row.get("output_no")?,
            envelope: envelope.parse(),
            webhook_id: row.get("webhook_id")?,
            attempts_made: row.get("attempts_made")?,
            order: row.get("order_key")?,
            test: row.get::<Option<i64>>("test")?.is_some(),
        })
    }
}

/// An endpoint at which something is or will be due.
#[derive(Debug, Clone, Copy)]
pub struct DueEndpoint {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub endpoint: EndpointId,
    /// When the first is due.
    pub due_at: Timestamp,
}

record!(DueEndpoint {
    account: "account_id",
    endpoint: "endpoint_id",
    due_at: "due_at_ms",
});

/// How many deliveries one claim holds or cancels at most.
const KEPT_BACK_MAX: usize = 1000;

/// What is due at one endpoint.
pub(super) const DUE_SQL: &str = "
    SELECT id FROM deliveries
    WHERE account_id = $1 AND endpoint_id = $2 AND state = 'pending' AND due_at_ms <= $3
    ORDER BY due_at_ms LIMIT $4";

/// What is held at one endpoint.
const HELD_SQL: &str = "
    SELECT id FROM deliveries
    WHERE account_id = $1 AND endpoint_id = $2 AND state = 'held' ORDER BY id LIMIT $3";

/// Removed endpoints at which something is held, in the order of their ids.
const HELD_AT_REMOVED_SQL: &str = "
    SELECT e.account_id, e.id FROM endpoints e
    WHERE e.deleted_at_ms IS NOT NULL AND (e.account_id, e.id) > ($1, $2)
      AND EXISTS (SELECT 1 FROM deliveries d
        WHERE d.account_id = e.account_id AND d.endpoint_id = e.id AND d.state = 'held')
    ORDER BY e.account_id, e.id LIMIT $3";

enum Gate {
    Open,
    Hold,
    Cancel,
}

impl Store {
    pub(super) async fn claim(
        &self,
        tx: &mut Tx,
        holder: IncarnationId,
        request: &ClaimRequest,
    ) -> Result<Claim, Error> {
        let (mut gate, mut revision) = gate_of(tx, request).await?;
        if matches!(gate, Gate::Hold) {
            if !self.stands_still(tx, request.account).await? {
                return Ok(Claim::not_now(request, revision));
            }
            (gate, revision) = gate_of(tx, request).await?;
        }
        let mut more_held = false;
        let (deliveries, kept_back) = match gate {
            Gate::Open => {
                let mut taken = self.take_due(tx, holder, request).await?;
                // RETURNING promises no order; ids begin with the event's time.
                taken.sort_by_key(|delivery| delivery.id);
                if taken.iter().any(|delivery| delivery.order.is_some()) {
                    self.recover(tx, (request.account, request.endpoint))
                        .await?;
                }
                (taken, 0)
            }
            Gate::Hold => {
                let many = ClaimRequest {
                    limit: KEPT_BACK_MAX,
                    ..*request
                };
                (Vec::new(), self.keep_back(tx, &many, "held").await?)
            }
            Gate::Cancel => {
                let all = ClaimRequest {
                    now: Timestamp::from_ms(i64::MAX),
                    limit: KEPT_BACK_MAX,
                    ..*request
                };
                let held = self.cancel_held(tx, request).await?;
                more_held = held == KEPT_BACK_MAX as u64;
                let due = self.keep_back(tx, &all, "cancelled").await?;
                (Vec::new(), held + due)
            }
        };
        let next: Vec<(Option<Timestamp>,)> = tx
            .fetch(
                "SELECT MIN(due_at_ms) FROM deliveries
                 WHERE account_id = $1 AND endpoint_id = $2 AND state = 'pending'",
                args![request.account, request.endpoint],
            )
            .await?;
        let next_due = if more_held {
            Some(request.now)
        } else {
            next.first().and_then(|row| row.0)
        };
        Ok(Claim {
            deliveries,
            next_due,
            revision,
            kept_back,
        })
    }

    /// Whether nobody switches the account or one of its endpoints on before the transaction ends. What is held
    /// beside that would be held for ever.
    async fn stands_still(&self, tx: &mut Tx, account: AccountId) -> Result<bool, Error> {
        let sql = format!(
            "SELECT revision FROM accounts WHERE id = $1 {}",
            self.backend.for_share_at_once()
        );
        let locked: Vec<(i64,)> = tx.fetch(&sql, args![account]).await?;
        Ok(!locked.is_empty())
    }

    async fn keep_back(
        &self,
        tx: &mut Tx,
        request: &ClaimRequest,
        state: &str,
    ) -> Result<u64, Error> {
        let sql = format!(
            "UPDATE deliveries SET state = $5, due_at_ms = NULL WHERE account_id = $1 AND id {}",
            self.backend.one_of(DUE_SQL)
        );
        tx.execute(
            &sql,
            args![
                request.account,
                request.endpoint,
                request.now,
                request.limit,
                state
            ],
        )
        .await
    }

    async fn cancel_held(&self, tx: &mut Tx, request: &ClaimRequest) -> Result<u64, Error> {
        let sql = format!(
            "UPDATE deliveries SET state = 'cancelled' WHERE account_id = $1 AND id {}",
            self.backend.one_of(HELD_SQL)
        );
        let which = args![request.account, request.endpoint, KEPT_BACK_MAX];
        tx.execute(&sql, which).await
    }

    /// Up to `limit` removed endpoints at which something is still held, in the order of their ids after
    /// `after`: whoever removed them did not come to cancel it. A claim does.
    pub async fn held_at_removed(
        &self,
        after: Option<(AccountId, EndpointId)>,
        limit: usize,
    ) -> Result<Vec<(AccountId, EndpointId)>, Error> {
        let (account, endpoint) = after.unwrap_or_else(first_endpoint);
        self.fetch(HELD_AT_REMOVED_SQL, args![account, endpoint, limit])
            .await
    }

    /// Up to `limit` endpoints with something pending, each with its first due time, in the order
    /// of their ids after `after`. One index seek an endpoint, however long their backlogs are.
    pub async fn due_endpoints(
        &self,
        after: Option<(AccountId, EndpointId)>,
        limit: usize,
    ) -> Result<Vec<DueEndpoint>, Error> {
        let (account, endpoint) = after.unwrap_or_else(first_endpoint);
        self.fetch(DUE_ENDPOINTS_SQL, args![account, endpoint, limit])
            .await
    }

    /// The plan of the look for due endpoints, for the test that pins it.
    pub async fn explain_due_endpoints(&self) -> Result<String, Error> {
        let (account, endpoint) = first_endpoint();
        self.backend
            .explain(DUE_ENDPOINTS_SQL, args![account, endpoint, 500_usize])
            .await
    }
}

/// What every endpoint comes after.
fn first_endpoint() -> (AccountId, EndpointId) {
    let nil = uuid::Uuid::nil();
    (AccountId::from_uuid(nil), EndpointId::from_uuid(nil))
}

async fn gate_of(tx: &mut Tx, request: &ClaimRequest) -> Result<(Gate, i64), Error> {
    let found: Vec<(String, Option<i64>, bool, i64)> = tx
        .fetch(
            "SELECT e.state, e.deleted_at_ms, a.enabled, a.revision FROM endpoints e
             JOIN accounts a ON a.id = e.account_id WHERE e.account_id = $1 AND e.id = $2",
            args![request.account, request.endpoint],
        )
        .await?;
    Ok(match found.first() {
        None => (Gate::Cancel, 0),
        Some((_, Some(_deleted), _, revision)) => (Gate::Cancel, *revision),
        Some((state, None, true, revision)) if state == "enabled" => (Gate::Open, *revision),
        Some((_, _, _, revision)) => (Gate::Hold, *revision),
    })
}

/// A loose index scan: from each endpoint found it seeks the next one. Account and id are sought one by one:
/// PostgreSQL looks no pair up in an index, and would try the pair on all that is pending, for each endpoint.
const DUE_ENDPOINTS_SQL: &str = "
    WITH RECURSIVE due (account_id, endpoint_id, due_at_ms) AS (
      SELECT * FROM (
        SELECT account_id, endpoint_id, due_at_ms FROM deliveries
        WHERE state = 'pending' AND (account_id, endpoint_id) > ($1, $2)
        ORDER BY account_id, endpoint_id, due_at_ms LIMIT 1) AS first
      UNION ALL
      SELECT n.account_id, n.endpoint_id, n.due_at_ms FROM due
      JOIN deliveries n ON n.state = 'pending'
        AND n.account_id = (
          SELECT p.account_id FROM deliveries p
          WHERE p.state = 'pending' AND (p.account_id, p.endpoint_id) > (due.account_id, due.endpoint_id)
          ORDER BY p.account_id, p.endpoint_id, p.due_at_ms LIMIT 1)
        AND n.id = (
          SELECT p.id FROM deliveries p
          WHERE p.state = 'pending' AND (p.account_id, p.endpoint_id) > (due.account_id, due.endpoint_id)
          ORDER BY p.account_id, p.endpoint_id, p.due_at_ms LIMIT 1)
    )
    SELECT account_id, endpoint_id, due_at_ms FROM due LIMIT $3";
