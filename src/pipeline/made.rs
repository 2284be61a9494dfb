//! Events that were made here, by automations and by the product itself: durable, and in this node's inbox. They
//! go on to evaluation like any accepted event, without being read back.
//!
//! Nobody can refuse them any more, so nobody waits for a permit with something in hand. What there is no room for
//! gives its payload back to the store and waits as an id, with a permit that counts as an event: new ones of the
//! account are refused meanwhile. What is in memory never waits for it, so its turn comes.

use std::sync::Arc;

use super::course::Unplanned;
use super::crash::crash_point;
use super::evaluate::AcceptedEvent;
use super::node::Node;
use super::permit::Permit;
use super::takeover;
use crate::store::{InboxEvent, MadeEvent};

/// An event that waits for room, and what its payload takes.
struct Waiting {
    row: InboxEvent,
    bytes: usize,
    /// It counts, and the node is busy.
    permit: Permit,
}

/// From now on the node takes in what this process makes.
pub(super) fn follow(node: &Arc<Node>) {
    // Weak: the store outlives the incarnation.
    let weak = Arc::downgrade(node);
    node.store.on_made(move |made| {
        if let Some(node) = weak.upgrade() {
            take_in(&node, made);
        }
    });
}

fn take_in(node: &Arc<Node>, made: Vec<MadeEvent>) {
    let mut unplanned = Vec::with_capacity(made.len());
    let mut waiting = Vec::new();
    for event in made {
        // What another life has in its inbox is its own, or its heir's.
        if event.holder != node.holder {
            continue;
        }
        metrics::counter!("throwbar_events_made_total").increment(1);
        let bytes = event.payload.len();
        match node.permits.take(event.account, bytes) {
            Ok(mut permit) => {
                permit.accepted();
                unplanned.push(ready(event, permit));
            }
            Err(_) => waiting.push(Waiting {
                row: InboxEvent::new(event.account, event.id, event.revision),
                bytes,
                permit: node.permits.take_over(event.account, 0),
            }),
        }
    }
    crash_point("made-not-evaluated");
    node.evaluate(unplanned);
    if !waiting.is_empty() {
        let waits = let_wait(node.clone(), waiting);
        node.spawn(waits);
    }
}

fn ready(event: MadeEvent, permit: Permit) -> Unplanned {
    Unplanned {
        account: event.account,
        revision: event.revision,
        event: AcceptedEvent {
            id: event.id,
            event_type: event.event_type,
            occurred_at: event.occurred_at,
            payload: event.payload,
            origin: None,
            cause: event.cause,
        },
        permit,
        alone: None,
    }
}

/// Reads them back one after the other, each when there is room.
async fn let_wait(node: Arc<Node>, waiting: Vec<Waiting>) {
    for one in waiting {
        node.permits.until_room(one.row.account, one.bytes).await;
        let unplanned = loop {
            match takeover::read_back(&node, &one.row).await {
                Ok(unplanned) => break unplanned,
                // Whether the database is lost for good is the writer's to say.
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        event.id = %one.row.event,
                        "an event is evaluated later"
                    );
                    node.pause().await;
                }
            }
        };
        drop(one.permit);
        node.evaluate(unplanned.into_iter().collect());
    }
}
