//! In what order a claim takes what is due: the longest due first, but a part of it first attempts before all others. A
//! storm of retries or of what is recovered leaves room for what is fresh, and fresh deliveries leave room for those.

use super::backend::Tx;
use super::claim::{ClaimRequest, ClaimedDelivery, DUE_SQL};
use super::values::args;
use super::{Error, Store};
use crate::model::IncarnationId;

/// What is due at one endpoint and is no retry, and nothing that is sent once more.
const FIRST_SQL: &str = "
    SELECT id FROM deliveries
    WHERE account_id = $1 AND endpoint_id = $2 AND state = 'pending' AND due_at_ms <= $3
      AND attempts_made = 0 AND resend_of IS NULL AND rerun_id IS NULL
    ORDER BY due_at_ms LIMIT $4";

impl Store {
    /// Takes what is due, in no order.
    pub(super) async fn take_due(
        &self,
        tx: &mut Tx,
        holder: IncarnationId,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedDelivery>, Error> {
        let first = request.first.min(request.limit);
        let others = request.limit - first;
        let mut taken = self.take(tx, holder, (DUE_SQL, request, others)).await?;
        if taken.len() < others {
            // That was all.
            return Ok(taken);
        }
        taken.extend(self.take(tx, holder, (FIRST_SQL, request, first)).await?);
        let left = request.limit - taken.len();
        taken.extend(self.take(tx, holder, (DUE_SQL, request, left)).await?);
        Ok(taken)
    }

    async fn take(
        &self,
        tx: &mut Tx,
        holder: IncarnationId,
        (select, request, limit): (&str, &ClaimRequest, usize),
    ) -> Result<Vec<ClaimedDelivery>, Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let which = args![
            request.account,
            request.endpoint,
            request.now,
            limit,
            holder
        ];
        tx.fetch(&self.take_sql(select), which).await
    }

    fn take_sql(&self, select: &str) -> String {
        format!(
            "UPDATE deliveries SET state = 'claimed', holder = $5, due_at_ms = NULL
             WHERE account_id = $1 AND id {}
             RETURNING id, event_id, automation_id, rerun_id, output_no, envelope, webhook_id,
               attempts_made, order_key, test",
            self.backend.one_of(select)
        )
    }

    /// The plans of the claim's statements, for the test that pins them: of what is due, and of first attempts.
    pub async fn explain_claim(&self, request: &ClaimRequest) -> Result<[String; 2], Error> {
        let holder = IncarnationId::from_uuid(uuid::Uuid::nil());
        let mut plans = [const { String::new() }; 2];
        for (plan, select) in plans.iter_mut().zip([DUE_SQL, FIRST_SQL]) {
            let (account, endpoint) = (request.account, request.endpoint);
            let which = args![account, endpoint, request.now, request.limit, holder];
            *plan = self.backend.explain(&self.take_sql(select), which).await?;
        }
        Ok(plans)
    }
}
