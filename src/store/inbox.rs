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
    /// How many lives have ended over it.
    pub takeovers: i64,
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
    /// Takes up to `limit` inbox rows of an ended life into `holder`'s.
    pub async fn take_over_inbox(
        &self,
        ended: IncarnationId,
        holder: IncarnationId,
        limit: usize,
    ) -> Result<Vec<InboxEvent>, Error> {
        let mut tx = self.begin().await?;
        let sql = format!(
            "WITH picked AS (
               SELECT account_id, event_id FROM inbox WHERE holder = $1 AND set_aside IS NULL
               ORDER BY account_id, event_id LIMIT $3 {})
             UPDATE inbox SET holder = $2, takeovers = takeovers + 1
             WHERE (account_id, event_id) IN (SELECT account_id, event_id FROM picked)
             RETURNING account_id, event_id, revision, takeovers",
            self.backend.skip_locked()
        );
        let taken = tx.fetch(&sql, args![ended, holder, limit]).await?;
        tx.commit().await?;
        Ok(taken)
    }

    /// Makes up to `limit` deliveries claimed by an ended life due now, each with an attempt that
    /// says so. The endpoints they go to.
    pub async fn release_claims(
        &self,
        ended: IncarnationId,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(AccountId, EndpointId)>, Error> {
        let mut tx = self.begin().await?;
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
                started_at: now,
                duration_ms: 0,
            };
            rows.push(attempt_row(delivery.account_id, delivery.id, &attempt));
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
