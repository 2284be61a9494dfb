//! Taking over from lives that have ended: their inbox is evaluated again, as of the revisions it
//! was stamped with, and what they had claimed is due again, with an attempt that says why.

use std::sync::Arc;

use super::crash::crash_point;
use super::evaluate::EvaluatedEvent;
use super::node::Node;
use super::writer::Fresh;
use crate::model::IncarnationId;
use crate::store::{self, InboxEvent, Life, SetAside};

/// Rows taken in one transaction.
const SWEEP_ROWS: usize = 256;
/// How many lives may end over one event before it is put aside.
const TAKEOVERS_MAX: i64 = 3;

/// Declares dead who is dead, and takes over what all ended lives have left.
pub(super) async fn sweep(node: &Arc<Node>, life: &mut Life) -> Result<(), store::Error> {
    node.store.check_life(life).await?;
    for ended in node.store.find_ended(life, node.clock.now()).await? {
        let _held = node.busy.hold();
        tracing::warn!(incarnation.id = %ended, "taking over from an incarnation that has ended");
        sweep_inbox(node, ended).await?;
        sweep_claims(node, ended).await?;
        node.store.forget_life(ended).await?;
    }
    Ok(())
}

async fn sweep_inbox(node: &Arc<Node>, ended: IncarnationId) -> Result<(), store::Error> {
    loop {
        let taken = node
            .store
            .take_over_inbox(ended, node.holder, SWEEP_ROWS)
            .await?;
        if taken.is_empty() {
            return Ok(());
        }
        crash_point("taken-over-not-evaluated");
        metrics::counter!("throwbar_events_taken_over_total").increment(taken.len() as u64);
        let mut fresh = Vec::with_capacity(taken.len());
        for row in taken {
            fresh.extend(revive(node, row).await?);
        }
        node.evaluate(fresh);
    }
}

/// The event of an inbox row, ready to be evaluated again; `None` if it is put aside.
async fn revive(node: &Arc<Node>, row: InboxEvent) -> Result<Option<Fresh>, store::Error> {
    let aside = |why: &str| {
        tracing::error!(account.id = %row.account, event.id = %row.event, why, "an event is set aside");
        node.queue.set_aside(SetAside {
            account: row.account,
            event: row.event,
            why: why.to_owned(),
        });
    };
    if row.takeovers >= TAKEOVERS_MAX {
        aside("its evaluation ended a node three times");
        return Ok(None);
    }
    let Some(event) = node.store.event(row.account, row.event).await? else {
        aside("its payload is missing");
        return Ok(None);
    };
    let Ok(event_type) = event.r#type.parse() else {
        aside("its type is not a valid event type");
        return Ok(None);
    };
    let permit = node.permits.take_over(row.account, event.payload.len());
    Ok(Some(Fresh {
        account: row.account,
        revision: row.revision,
        event: EvaluatedEvent {
            id: event.id,
            event_type,
            occurred_at: event.occurred_at,
            payload: event.payload.into(),
        },
        permit,
    }))
}

async fn sweep_claims(node: &Arc<Node>, ended: IncarnationId) -> Result<(), store::Error> {
    loop {
        let now = node.clock.now();
        let released = node.store.release_claims(ended, now, SWEEP_ROWS).await?;
        if released.is_empty() {
            return Ok(());
        }
        crash_point("released-not-claimed");
        metrics::counter!("throwbar_deliveries_interrupted_total").increment(released.len() as u64);
        for (account, endpoint) in released {
            node.lanes.waits(account, endpoint, now);
        }
    }
}
