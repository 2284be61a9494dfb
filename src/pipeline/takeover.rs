//! Taking over from lives that have ended: their inbox is evaluated again, as of the revisions it
//! was stamped with, and what they had claimed is due again: deliveries with an attempt that says why, and
//! what waited for its time.
//!
//! # An event that kills
//!
//! That a life ended says little about the events that it had accepted: mostly somebody killed it. So
//! the first takeover of an event is only noted. Taken over a second time it is suspect, and from then
//! on it is evaluated alone: no other suspect is at that moment, and a commit of its own has counted
//! before that its evaluation begins. Whoever takes over next knows of which one suspect the life may have
//! died. An event that was counted three times is set aside, and all others go on, however quickly
//! lives end one after the other.
//!
//! One that was set aside stays in the inbox. An operator who has mended the cause brings it back with
//! `UPDATE inbox SET set_aside = NULL, takeovers = 0 WHERE event_id = …`: the next start of a node, after
//! that of the one that set it aside, finds that nobody alive holds it.

use std::sync::Arc;

use super::course::Unplanned;
use super::crash::crash_point;
use super::evaluate::AcceptedEvent;
use super::made;
use super::node::Node;
use crate::model::{IncarnationId, Origin};
use crate::store::{self, InboxEvent, Life, SetAside};

/// Rows taken in one transaction.
const SWEEP_ROWS: usize = 256;
/// How many lives may end while an event is evaluated alone before it is set aside.
const DEATHS_MAX: i64 = 3;
/// Endpoints in one page of those that were removed and still hold something.
const REMOVED_PAGE: usize = 500;

/// Takes in what this process makes from now on, and takes over what is there at the beginning of a
/// life: from who has ended, from who never was, and at endpoints whose removal somebody did not live
/// to finish.
pub(super) async fn begin(node: &Arc<Node>, life: &mut Life) -> Result<(), store::Error> {
    made::follow(node);
    sweep(node, life).await?;
    for unknown in node.store.find_ownerless().await? {
        tracing::warn!(incarnation.id = %unknown, "taking over from an incarnation that nobody knows");
        take_over(node, unknown).await?;
    }
    finish_removals(node).await
}

/// Declares dead who is dead, and takes over what all ended lives have left.
pub(super) async fn sweep(node: &Arc<Node>, life: &mut Life) -> Result<(), store::Error> {
    node.store.check_life(life).await?;
    let ended = node.store.find_ended(life, node.clock.now()).await?;
    for ended in &ended {
        tracing::warn!(incarnation.id = %ended, "taking over from an incarnation that has ended");
        take_over(node, *ended).await?;
        node.store.forget_life(*ended).await?;
    }
    if ended.is_empty() {
        return Ok(());
    }
    finish_removals(node).await
}

async fn take_over(node: &Arc<Node>, ended: IncarnationId) -> Result<(), store::Error> {
    let _held = node.busy.hold();
    sweep_inbox(node, ended).await?;
    sweep_claims(node, ended).await?;
    sweep_waits(node, ended).await
}

/// Gives a turn to every removed endpoint at which something is still held: the gate cancels it.
async fn finish_removals(node: &Node) -> Result<(), store::Error> {
    let mut after = None;
    loop {
        let page = node.store.held_at_removed(after, REMOVED_PAGE).await?;
        let now = node.clock.now();
        for (account, endpoint) in &page {
            node.lanes.waits(*account, *endpoint, now);
        }
        after = page.last().copied();
        if page.len() < REMOVED_PAGE {
            return Ok(());
        }
    }
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
        let (suspects, others): (Vec<_>, Vec<_>) =
            taken.into_iter().partition(|row| row.deaths().is_some());
        let mut unplanned = Vec::with_capacity(others.len());
        for row in &others {
            unplanned.extend(revive(node, row).await?);
        }
        node.evaluate(unplanned);
        evaluate_alone(node, suspects);
    }
}

/// Evaluates suspects one after the other.
fn evaluate_alone(node: &Arc<Node>, suspects: Vec<InboxEvent>) {
    if suspects.is_empty() {
        return;
    }
    let held = node.busy.hold();
    let node = node.clone();
    node.clone().spawn(async move {
        for row in suspects {
            let place = node.suspects.clone().acquire_owned().await;
            let alone = place.expect("the semaphore is never closed");
            loop {
                match revive_alone(&node, &row).await {
                    Ok(Some(unplanned)) => {
                        node.evaluate(vec![Unplanned {
                            alone: Some(alone),
                            ..unplanned
                        }]);
                        break;
                    }
                    Ok(None) => break,
                    Err(error) if node.store.is_shared() => return node.end(&error),
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, event.id = %row.event, "an event is evaluated later");
                        node.pause().await;
                    }
                }
            }
        }
        drop(held);
    });
}

/// The event of a suspect's inbox row, counted as under evaluation.
async fn revive_alone(
    node: &Arc<Node>,
    row: &InboxEvent,
) -> Result<Option<Unplanned>, store::Error> {
    let Some(unplanned) = revive(node, row).await? else {
        return Ok(None);
    };
    let begun = node
        .store
        .begin_alone(row.account, row.event, node.holder)
        .await?;
    Ok(begun.then_some(unplanned))
}

/// The event of an inbox row, ready to be evaluated again; `None` if it is set aside.
async fn revive(node: &Arc<Node>, row: &InboxEvent) -> Result<Option<Unplanned>, store::Error> {
    if row.deaths() >= Some(DEATHS_MAX) {
        set_aside(node, row, "its evaluation ended a node three times");
        return Ok(None);
    }
    read_back(node, row).await
}

fn set_aside(node: &Node, row: &InboxEvent, why: &str) {
    tracing::error!(account.id = %row.account, event.id = %row.event, why, "an event is set aside");
    node.queue.set_aside(SetAside {
        account: row.account,
        event: row.event,
        why: why.to_owned(),
    });
}

/// The event of an inbox row as it is stored, with a permit that nobody refuses; `None` if it is set aside.
pub(super) async fn read_back(
    node: &Arc<Node>,
    row: &InboxEvent,
) -> Result<Option<Unplanned>, store::Error> {
    let Some(event) = node.store.event(row.account, row.event).await? else {
        set_aside(node, row, "its payload is missing");
        return Ok(None);
    };
    let Ok(event_type) = event.r#type.parse() else {
        set_aside(node, row, "its type is not a valid event type");
        return Ok(None);
    };
    let Ok(origin) = event.origin.as_deref().map(Origin::parse).transpose() else {
        set_aside(node, row, "what is stored of its way in can't be read");
        return Ok(None);
    };
    let cause = match node.store.cause(row.account, row.event).await {
        Ok(cause) => cause.map(Arc::new),
        Err(store::Error::Corrupt { .. }) => {
            set_aside(node, row, "what is stored of its cause can't be read");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let permit = node.permits.take_over(row.account, event.payload.len());
    Ok(Some(Unplanned {
        account: row.account,
        revision: row.revision,
        event: AcceptedEvent {
            id: event.id,
            event_type,
            occurred_at: event.occurred_at,
            payload: event.payload.into(),
            cause,
            origin: origin.map(Arc::new),
        },
        permit,
        alone: None,
    }))
}

async fn sweep_waits(node: &Arc<Node>, ended: IncarnationId) -> Result<(), store::Error> {
    loop {
        let released = node
            .store
            .release_waits(ended, node.holder, SWEEP_ROWS)
            .await?;
        if released.is_empty() {
            return Ok(());
        }
        let now = node.clock.now();
        for account in released {
            node.dues.waits(account, now);
        }
    }
}

async fn sweep_claims(node: &Arc<Node>, ended: IncarnationId) -> Result<(), store::Error> {
    loop {
        let now = node.clock.now();
        let released = node
            .store
            .release_claims(ended, node.holder, now, SWEEP_ROWS)
            .await?;
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
