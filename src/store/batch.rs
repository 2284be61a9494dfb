//! The writer's transaction: what was recorded, planned and accepted since the last one, in that
//! order, in one commit.

use std::sync::Arc;
use std::time::Duration;

use super::accept::{self, Accepted, NewEvent};
use super::backend::{Backend, On, Tx};
use super::claim::{Claim, ClaimRequest};
use super::consequence;
use super::flow::Gated;
use super::order;
use super::plan::{self, NewPlan, SetAside};
use super::record::{self, NewRecord};
use super::sqlite::{SqliteTx, blocking};
use super::{EngineError, Error, Store};
use crate::model::{AccountId, EndpointId, IncarnationId};

/// How long a database on another machine may take for one commit.
const COMMIT_PATIENCE: Duration = Duration::from_secs(10);

/// What one commit of the writer holds.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// First.
    pub records: Vec<Arc<NewRecord>>,
    /// Second.
    pub plans: Vec<Arc<NewPlan>>,
    /// Plans that could not be stored.
    pub aside: Vec<SetAside>,
    /// Third.
    pub accepts: Vec<Arc<NewEvent>>,
    /// Last.
    pub claims: Vec<ClaimRequest>,
}

/// What came of a batch: one outcome an accept and one a claim, in their order.
#[derive(Debug, Default)]
pub struct BatchOutcome {
    /// Of the accepts.
    pub accepted: Vec<Accepted>,
    /// Of the claims.
    pub claims: Vec<Claim>,
    /// What flow control has said of the plans' events; of those on which it had decided before, nothing.
    pub gated: Vec<Gated>,
    /// Endpoints that were disabled by it.
    pub disabled: Vec<(AccountId, EndpointId, &'static str)>,
    /// Endpoints at which a delivery that was behind another is first, and due.
    pub released: Vec<(AccountId, EndpointId)>,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.plans.is_empty()
            && self.aside.is_empty()
            && self.accepts.is_empty()
            && self.claims.is_empty()
    }
}

impl Store {
    /// Writes the batch in one transaction: all of it or nothing. `holder` must live.
    pub async fn write(&self, holder: IncarnationId, batch: &Batch) -> Result<BatchOutcome, Error> {
        match &self.backend {
            Backend::Sqlite(sqlite) => {
                let turn = sqlite.turn().await;
                let (store, runtime) = (self.clone(), tokio::runtime::Handle::current());
                let batch = batch.clone();
                blocking(move || {
                    let tx = SqliteTx::begin_here(turn).map_err(Error::Unavailable)?;
                    let tx = store.tx(On::Sqlite(tx));
                    runtime.block_on(store.write_all(tx, holder, &batch))
                })
                .await
            }
            Backend::Postgres(_) => {
                let written = async {
                    self.write_all(self.begin_unfenced().await?, holder, batch)
                        .await
                };
                // A line to the database that has gone silent must not keep who waits for an answer.
                tokio::time::timeout(COMMIT_PATIENCE, written)
                    .await
                    .unwrap_or_else(|_| Err(Error::OutcomeUnknown(EngineError::silence())))
            }
        }
    }

    async fn write_all(
        &self,
        mut tx: Tx,
        holder: IncarnationId,
        batch: &Batch,
    ) -> Result<BatchOutcome, Error> {
        self.fence_holder(&mut tx, holder).await?;
        let queues = order::lock(&mut tx, batch).await?;
        let disabled = record::write(&mut tx, holder, &batch.records).await?;
        plan::write(&mut tx, holder, &batch.plans, &batch.aside).await?;
        let (gated, refused) = self.gate(&mut tx, holder, &batch.plans).await?;
        // Behind the gate on all nodes: rows of failures are locked after keys.
        consequence::write(&mut tx, holder, &batch.plans, &refused).await?;
        let released = order::release(&mut tx, queues).await?;
        let accepted = accept::write(&mut tx, holder, &batch.accepts).await?;
        let mut claims = Vec::with_capacity(batch.claims.len());
        for request in &batch.claims {
            claims.push(self.claim(&mut tx, holder, request).await?);
        }
        tx.commit().await?;
        Ok(BatchOutcome {
            accepted,
            claims,
            gated,
            disabled,
            released,
        })
    }
}
