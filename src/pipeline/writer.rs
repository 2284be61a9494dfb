//! The one writer of a node. It awaits nothing but the database: it commits what has come since
//! the last commit, then hands each thing on to where it goes next, so that a client that hangs up
//! changes nothing.
//!
//! A batch that the database refuses is cut in halves until the row is found that it refuses: one
//! poisoned row never fails its neighbours. Who asked for it is told, or the event is set aside; what
//! nobody could be told of ends the incarnation, and is taken over.
//!
//! A database that does not answer ends the incarnation if it is shared; an embedded one is tried
//! again, with intake refused meanwhile and nothing that was acknowledged let go.

use std::collections::HashMap;
use std::sync::Arc;

use super::course::Unplanned;
use super::crash::crash_point;
use super::late::{self, GoesOn};
use super::node::Node;
use super::pausing;
use super::queue::{AcceptEntry, Entries, PlanEntry};
use super::{AcceptError, Acknowledged};
use crate::model::{AccountId, Clock, DeliveryState};
use crate::pipeline::attempt::{Attempted, Outgoing};
use crate::pipeline::evaluate::AcceptedEvent;
use crate::store::{self, Accepted, Batch, BatchOutcome, Health, NewRecord, SetAside};

/// How long an embedded database that has no room is left alone.
const PAUSE_MS: i64 = 200;

/// Writes until the incarnation ends.
pub(super) async fn run(node: Arc<Node>) {
    loop {
        let entries = node.queue.next(|account| node.room(account)).await;
        node.let_workers_go_on();
        let mut let_in: HashMap<AccountId, u32> = HashMap::new();
        for accept in &entries.accepts {
            *let_in.entry(accept.event.account).or_default() += 1;
        }
        for (account, events) in let_in {
            node.lanes.let_come(account, events);
        }
        if let Err(error) = write(&node, entries).await {
            node.end(&error);
            return;
        }
    }
}

async fn write(node: &Arc<Node>, entries: Entries) -> Result<(), store::Error> {
    // Halves that are still to be written, the first on top.
    let mut stack = vec![entries];
    while let Some(mut entries) = stack.pop() {
        let batch = batch(&entries);
        metrics::histogram!("throwbar_batch_entries").record(entries.len() as f64);
        crash_before_commit(&entries);
        match node.store.write(node.holder, &batch).await {
            Ok(outcome) => {
                crash_after_commit(&entries, &outcome);
                drop(batch);
                hand_on(node, entries, outcome);
            }
            Err(store::Error::Raced) => stack.push(entries),
            Err(error @ (store::Error::Refused(_) | store::Error::Corrupt { .. })) => {
                if entries.len() > 1 {
                    let rest = entries.split_off();
                    stack.push(rest);
                    stack.push(entries);
                } else if !poisoned(node, entries, &error) {
                    return Err(give_up(stack, error));
                }
            }
            Err(error) if node.store.is_shared() => {
                stack.push(entries);
                return Err(give_up(stack, error));
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the database can't be written"
                );
                stack.push(entries);
                while let Some(entries) = stack.pop() {
                    node.queue.put_back(refuse(entries));
                }
                // The disk's time, not the product's.
                let real = Clock::System;
                real.sleep_until(real.now().plus_ms(PAUSE_MS)).await;
            }
        }
    }
    Ok(())
}

/// What is in the batch is not on disk yet: nobody may have been told of it.
fn crash_before_commit(batch: &Entries) {
    for (nothing, point) in [
        (batch.accepts.is_empty(), "accept-not-committed"),
        (batch.plans.is_empty(), "plan-not-committed"),
        (batch.records.is_empty(), "record-not-committed"),
        (has_no_late(batch), "late-not-committed"),
    ] {
        if !nothing {
            crash_point(point);
        }
    }
}

/// What is in the batch is on disk, and nobody has been told of it.
fn crash_after_commit(batch: &Entries, outcome: &BatchOutcome) {
    let claimed_nothing = outcome
        .claims
        .iter()
        .all(|claim| claim.deliveries.is_empty());
    for (nothing, point) in [
        (batch.accepts.is_empty(), "committed-then-disconnected"),
        (batch.plans.is_empty(), "planned-not-handed-on"),
        (batch.records.is_empty(), "recorded-not-freed"),
        (claimed_nothing, "claimed-not-sent"),
        (has_no_late(batch), "late-not-handed-on"),
    ] {
        if !nothing {
            crash_point(point);
        }
    }
}

fn has_no_late(batch: &Entries) -> bool {
    batch.plans.iter().all(|plan| plan.rows.late.is_none())
}

/// The rows of the entries, shared with them.
fn batch(entries: &Entries) -> Batch {
    Batch {
        records: entries
            .records
            .iter()
            .map(|made| made.record.clone())
            .collect(),
        plans: entries.plans.iter().map(|plan| plan.rows.clone()).collect(),
        aside: entries
            .aside
            .iter()
            .map(|entry| entry.aside.clone())
            .collect(),
        accepts: entries
            .accepts
            .iter()
            .map(|accept| accept.event.clone())
            .collect(),
        claims: entries.claims.iter().map(|claim| claim.request).collect(),
    }
}

/// Tells everybody who waits that it did not happen; what nobody waits for is given back.
fn refuse(entries: Entries) -> Entries {
    for accept in entries.accepts {
        let _ = accept.reply.send(Err(AcceptError::Unavailable));
    }
    for claim in entries.claims {
        let _ = claim.reply.send(None);
    }
    Entries {
        records: entries.records,
        plans: entries.plans,
        aside: entries.aside,
        ..Entries::default()
    }
}

/// Refuses what was not written; the incarnation ends because of `error`.
fn give_up(stack: Vec<Entries>, error: store::Error) -> store::Error {
    for entries in stack {
        refuse(entries);
    }
    error
}

/// Does what can be done with the one entry that the database refuses. Whether that was anything: if
/// not, it is still in the store as it was, and only another incarnation can come back to it.
fn poisoned(node: &Arc<Node>, entries: Entries, error: &store::Error) -> bool {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "the database refuses a row; its neighbours are written"
    );
    for accept in entries.accepts {
        let _ = accept.reply.send(Err(AcceptError::Refused));
    }
    for claim in entries.claims {
        let (node, reply) = (node.clone(), claim.reply);
        // Not at once: it would be asked again as quickly as it is refused.
        node.clone().spawn(async move {
            node.pause().await;
            let _ = reply.send(None);
        });
    }
    let mut helped = true;
    for entry in entries.aside {
        let SetAside { account, event, .. } = entry.aside;
        tracing::error!(account.id = %account, event.id = %event, "an event can't be set aside");
        helped = false;
    }
    for plan in entries.plans {
        if plan.rows.late.is_some() {
            helped &= late::poisoned(node, plan);
            continue;
        }
        node.queue.set_aside(SetAside {
            account: plan.rows.account,
            event: plan.rows.event,
            why: "its plan can't be stored".to_owned(),
        });
    }
    for mut made in entries.records {
        // Without what the receiver said there is nothing left that could be refused.
        if let Some(attempt) = &mut Arc::make_mut(&mut made.record).attempt
            && (attempt.response.take().is_some() | attempt.message.take().is_some())
        {
            node.queue.record(made);
        } else {
            let NewRecord {
                account, delivery, ..
            } = &*made.record;
            tracing::error!(account.id = %account, delivery.id = %delivery, "an attempt can't be recorded");
            helped = false;
        }
    }
    helped
}

fn hand_on(node: &Arc<Node>, entries: Entries, outcome: BatchOutcome) {
    for (account, endpoint, why) in outcome.disabled {
        tracing::warn!(account.id = %account, endpoint.id = %endpoint, why, "an endpoint was disabled");
        metrics::counter!("throwbar_endpoints_disabled_total", "why" => why).increment(1);
        // What waits there is held at its next turn.
        node.lanes.waits(account, endpoint, node.clock.now());
    }
    for (account, endpoint) in outcome.released {
        node.lanes.waits(account, endpoint, node.clock.now());
    }
    for made in entries.records {
        recorded(node, made);
    }
    let goes_on = late::gated(node, &outcome.gated);
    for plan in entries.plans {
        planned(node, plan, &goes_on);
    }
    let mut unplanned = Vec::with_capacity(entries.accepts.len());
    for (accept, outcome) in entries.accepts.into_iter().zip(outcome.accepted) {
        unplanned.extend(accepted(accept, outcome));
    }
    if !unplanned.is_empty() {
        crash_point("accepted-not-planned");
        node.evaluate(unplanned);
    }
    for (entry, claim) in entries.claims.into_iter().zip(outcome.claims) {
        let _ = entry.reply.send(Some(claim));
    }
}

fn recorded(node: &Arc<Node>, made: Attempted) {
    let record = &made.record;
    if let DeliveryState::Pending { due_at } = record.next {
        node.lanes.waits(record.account, record.endpoint, due_at);
    }
    let word = match record.next {
        DeliveryState::Delivered { .. } => "delivered",
        DeliveryState::Failed { .. } => "failed",
        DeliveryState::Pending { .. } => "retried",
        _ => "kept_back",
    };
    metrics::counter!("throwbar_deliveries_total", "outcome" => word).increment(1);
    drop(made.slot);
}

fn planned(node: &Arc<Node>, plan: PlanEntry, goes_on: &GoesOn) {
    let PlanEntry {
        rows,
        contents,
        slots,
        bytes: _,
        standing,
        permit,
        gate,
        turn,
    } = plan;
    // The commit has let go of them.
    let rows = Arc::unwrap_or_clone(rows);
    for (automation, health) in &rows.consequences.health {
        if matches!(health, Health::Failed { .. }) {
            standing.failing.note(&[*automation]);
        }
    }
    pausing::pause(node, &standing, &rows);
    if let Some(gate) = gate {
        late::go_on(node, rows.account, (*gate, standing.clone()), goes_on);
    }
    for ((delivery, content), slot) in rows.deliveries.into_iter().zip(contents).zip(slots) {
        match (slot, delivery.due_at) {
            (Some(slot), _) => node.send(Outgoing {
                account: rows.account,
                delivery: delivery.id,
                endpoint: delivery.endpoint,
                webhook_id: delivery.webhook_id,
                envelope: Ok(delivery.envelope),
                attempts_made: 0,
                content: Some(content),
                standing: standing.clone(),
                order: None,
                test: false,
                slot,
            }),
            (None, due_at) => {
                let due_at = due_at.unwrap_or(rows.evaluated_at);
                node.lanes.waits(rows.account, delivery.endpoint, due_at);
            }
        }
    }
    drop((permit, turn));
}

fn accepted(entry: AcceptEntry, outcome: Accepted) -> Option<Unplanned> {
    let AcceptEntry {
        event,
        mut permit,
        reply,
    } = entry;
    let event = Arc::unwrap_or_clone(event);
    let (answer, unplanned) = match outcome {
        Accepted::New { revision } => {
            permit.accepted();
            let unplanned = Unplanned {
                account: event.account,
                revision,
                event: AcceptedEvent {
                    id: event.id,
                    event_type: event.event_type,
                    occurred_at: event.occurred_at,
                    payload: event.payload,
                    cause: None,
                    origin: event.origin,
                },
                permit,
                alone: None,
            };
            metrics::counter!("throwbar_events_accepted_total").increment(1);
            (
                Ok(Acknowledged {
                    event: event.id,
                    repeat: false,
                }),
                Some(unplanned),
            )
        }
        Accepted::Same { event } => (
            Ok(Acknowledged {
                event,
                repeat: true,
            }),
            None,
        ),
        Accepted::Conflict { event } => (Err(AcceptError::Conflict { event }), None),
        Accepted::NoAccount => (Err(AcceptError::NoAccount), None),
    };
    // Whoever asked may have gone; the event goes on all the same.
    let _ = reply.send(answer);
    unplanned
}
