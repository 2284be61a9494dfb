//! Events that were acknowledged and not yet planned, and taking them over from the dead.

use super::record::{NewAttempt, attempt_row, attempt_rows, insert_attempts};
use super::row::record;
use super::values::args;
use super::{Error, Store};
use crate::model::{AccountId, DeliveryId, EndpointId, EventId, IncarnationId, Timestamp};
use crate::model::{AttemptId, AttemptResult};

/// An event in the inbox of a life that has ended, now in ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEvent {
    /// Whose.
    pub account: AccountId,
    /// Which event.
    pub event: EventId,
    /// As of which revision it is to be evaluated.
    pub revision: i64,
    /// 0: never taken over; 1: once; 2: again, which makes it suspect; one more for each time that its
    /// evaluation alone was begun.
    takeovers: i64,
}

/// From so many takeovers on an event is suspect.
const SUSPECT: i64 = 2;

impl InboxEvent {
    /// One that nobody has taken over.
    pub fn new(account: AccountId, event: EventId, revision: i64) -> Self {
        Self {
            account,
            event,
            revision,
            takeovers: 0,
        }
    }

    /// How many lives have ended while it was evaluated alone; `None`: it is not suspect.
    pub fn deaths(&self) -> Option<i64> {
        (self.takeovers >= SUSPECT).then(|| self.takeovers - SUSPECT)
    }
}

record!(InboxEvent {
    account: "account_id",
    event: "event_id",
    revision: "revision",
    takeovers: "takeovers",
});

/// A delivery that was claimed by a life that has ended, due again now.
#[derive(Debug, Clone)]
struct Interrupted {
    account_id: AccountId,
    id: DeliveryId,
    endpoint_id: EndpointId,
    attempts_made: i64,
}

record!(Interrupted {
    account_id: "account_id",
    id: "id",
    endpoint_id: "endpoint_id",
    attempts_made: "attempts_made",
});

impl Store {
    /// Takes up to `limit` inbox rows of an ended life into `holder`'s, which must live. Being taken over
    /// is noted twice: it says little about an event, and nothing more the third time.
    pub async fn take_over_inbox(
        &self,
        ended: IncarnationId,
        holder: IncarnationId,
        limit: usize,
    ) -> Result<Vec<InboxEvent>, Error> {
        let mut tx = self.begin_as(holder).await?;
        let sql = format!(
            "WITH picked AS (
               SELECT account_id, event_id FROM inbox WHERE holder = $1 AND set_aside IS NULL
               ORDER BY account_id, event_id LIMIT $3 {})
             UPDATE inbox SET holder = $2,
               takeovers = CASE WHEN takeovers < {SUSPECT} THEN takeovers + 1 ELSE takeovers END
             WHERE (account_id, event_id) IN (SELECT account_id, event_id FROM picked)
             RETURNING account_id, event_id, revision, takeovers",
            self.backend.skip_locked()
        );
        let mut taken: Vec<InboxEvent> = tx.fetch(&sql, args![ended, holder, limit]).await?;
        tx.commit().await?;
        // RETURNING promises no order.
        taken.sort_by_key(|row| (row.account, row.event));
        Ok(taken)
    }

    /// Counts that `holder` begins to evaluate an event alone: if it dies of it, the next one knows.
    /// Whether the event still waits for it.
    pub async fn begin_alone(
        &self,
        account: AccountId,
        event: EventId,
        holder: IncarnationId,
    ) -> Result<bool, Error> {
        let mut tx = self.begin_as(holder).await?;
        let begun = tx
            .execute(
                "UPDATE inbox SET takeovers = takeovers + 1
                 WHERE account_id = $1 AND event_id = $2 AND holder = $3 AND set_aside IS NULL",
                args![account, event, holder],
            )
            .await?;
        tx.commit().await?;
        Ok(begun > 0)
    }

    /// Makes up to `limit` deliveries claimed by an ended life due now, each with an attempt that
    /// says so, on behalf of `heir`, which must live. The endpoints they go to.
    pub async fn release_claims(
        &self,
        ended: IncarnationId,
        heir: IncarnationId,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(AccountId, EndpointId)>, Error> {
        let mut tx = self.begin_as(heir).await?;
        let sql = format!(
            "WITH picked AS (
               SELECT account_id, id FROM deliveries WHERE holder = $1 AND state = 'claimed'
               ORDER BY account_id, id LIMIT $3 {})
             UPDATE deliveries SET state = 'pending', due_at_ms = $2, holder = NULL
             WHERE (account_id, id) IN (SELECT account_id, id FROM picked)
             RETURNING account_id, id, endpoint_id, attempts_made",
            self.backend.skip_locked()
        );
        let released: Vec<Interrupted> = tx.fetch(&sql, args![ended, now, limit]).await?;
        let mut rows = attempt_rows(released.len());
        for delivery in &released {
            let attempt = NewAttempt {
                id: AttemptId::mint(now),
                no: u16::try_from(delivery.attempts_made)
                    .unwrap_or(u16::MAX)
                    .saturating_add(1),
                result: AttemptResult::Interrupted,
                message: Some("the node ended before an answer was on record".to_owned()),
                response: None,
                trace: None,
                started_at: now,
                duration_ms: 0,
            };
            let to = (delivery.account_id, delivery.endpoint_id);
            rows.push(attempt_row(to, delivery.id, &attempt));
        }
        insert_attempts(&mut tx, rows).await?;
        tx.commit().await?;
        Ok(released
            .into_iter()
            .map(|row| (row.account_id, row.endpoint_id))
            .collect())
    }

    /// How many events wait to be planned, set-aside ones not counted.
    pub async fn inbox_len(&self) -> Result<i64, Error> {
        let count: Option<(i64,)> = self
            .fetch_optional(
                "SELECT COUNT(*) FROM inbox WHERE set_aside IS NULL",
                Vec::new(),
            )
            .await?;
        Ok(count.map_or(0, |row| row.0))
    }
}
