//! The claimer brings back what waits in the store: retries, and what found no free place. It
//! sleeps until the next due time or a wake-up. Wake-ups are hints: with all of them lost, the
//! slow look over the index finds what is due, only later.

use std::sync::Arc;

use super::attempt::Outgoing;
use super::limited::Stated;
use super::node::Node;
use super::plan::Content;
use super::queue::ClaimEntry;
use super::snapshot;
use super::standing::Standing;
use super::turns::Turn;
use crate::model::{AccountId, Timestamp};
use crate::store::{self, Claim, ClaimRequest, ClaimedDelivery, StoredBody};

/// Endpoints claimed for at a time.
const TURNS_MAX: usize = 64;
/// Endpoints in one page of the look over the index.
const LOOK_PAGE: usize = 500;
/// How often the index is looked over: other nodes' wake-ups don't come here.
const LOOK_SHARED_MS: i64 = 5_000;
const LOOK_ALONE_MS: i64 = 60_000;
/// What a delivery of a test says beside what all say.
const TEST_HEADER: &str = "throwbar-test";

/// Looks over the index, so that every lane knows when its first delivery is due.
pub(super) async fn look(node: &Node) -> Result<(), store::Error> {
    let mut after = None;
    loop {
        let page = node.store.due_endpoints(after, LOOK_PAGE).await?;
        for due in &page {
            let at = due.due_at;
            node.lanes.looks_again(due.account, due.endpoint, at);
        }
        match page.last() {
            Some(last) if page.len() == LOOK_PAGE => after = Some((last.account, last.endpoint)),
            _ => return Ok(()),
        }
    }
}

/// Claims until the incarnation ends.
pub(super) async fn run(node: Arc<Node>) {
    let look_ms = if node.store.is_shared() {
        LOOK_SHARED_MS
    } else {
        LOOK_ALONE_MS
    };
    let mut look_at = node.clock.now().plus_ms(look_ms);
    loop {
        if node.is_closing() {
            return;
        }
        let now = node.clock.now();
        if now >= look_at {
            if let Err(error) = look(&node).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "can't look for what is due"
                );
            }
            node.lanes.forget_idle();
            look_at = now.plus_ms(look_ms);
        }
        for turn in node.lanes.turns(now, TURNS_MAX) {
            take(&node, turn, now);
        }
        let until = node
            .lanes
            .next_turn(now)
            .map_or(look_at, |due| due.min(look_at));
        tokio::select! {
            () = node.lanes.changed() => {}
            () = node.clock.sleep_until(until) => {}
        }
    }
}

/// Claims for one endpoint, and sends what it brings.
fn take(node: &Arc<Node>, mut turn: Turn, now: Timestamp) {
    let node = node.clone();
    node.clone().spawn(async move {
        let Some(stated) = stated(&node, &turn).await else {
            return node.lanes.end_turn(turn, Some(now));
        };
        let first = node.lanes.admit(&mut turn, stated);
        if turn.slots.is_empty() {
            let due = turn.due;
            return node.lanes.end_turn(turn, Some(due));
        }
        let request = ClaimRequest {
            account: turn.account,
            endpoint: turn.endpoint,
            now,
            limit: turn.slots.len(),
            first,
        };
        let (reply, answer) = tokio::sync::oneshot::channel();
        node.queue.claim(ClaimEntry { request, reply });
        match answer.await {
            Ok(Some(claim)) => bring(&node, turn, claim).await,
            // The store did not answer: the turn comes again.
            _ => node.lanes.end_turn(turn, Some(now)),
        }
    });
}

/// What the endpoint states of how much it bears, as far as this node has seen. `None`, if that can't be read at the
/// moment.
async fn stated(node: &Node, turn: &Turn) -> Option<Stated> {
    if let Some(current) = node.snapshots.follow(turn.account).current() {
        return Some(current.stated(turn.endpoint));
    }
    match load_stated(node, turn).await {
        Ok(stated) => Some(stated),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, account.id = %turn.account, "an endpoint's limits can't be read");
            node.pause().await;
            None
        }
    }
}

async fn load_stated(node: &Node, turn: &Turn) -> Result<Stated, LoadError> {
    let account = node.store.account(turn.account).await;
    let Some(account) = account.map_err(LoadError::Account)? else {
        // The gate says what becomes of what is left of it.
        return Ok(Stated::default());
    };
    let load = node.snapshots.standing(turn.account, account.revision);
    Ok(load.await?.last_loaded().stated(turn.endpoint))
}

async fn bring(node: &Arc<Node>, mut turn: Turn, claim: Claim) {
    metrics::counter!("throwbar_deliveries_claimed_total").increment(claim.deliveries.len() as u64);
    let account = turn.account;
    let mut slots = std::mem::take(&mut turn.slots);
    slots.truncate(claim.deliveries.len());
    let endpoint = turn.endpoint;
    node.lanes.end_turn(turn, claim.next_due);
    if claim.deliveries.is_empty() {
        return;
    }
    let loaded = load(node, account, &claim).await;
    let stops = loaded.is_none();
    let (standing, bodies) = loaded.unwrap_or_else(|| {
        let nothing = claim.deliveries.iter().map(|_| None);
        (node.snapshots.follow(account), nothing.collect())
    });
    for ((delivery, body), mut slot) in claim.deliveries.into_iter().zip(bodies).zip(slots) {
        slot.weigh(body.as_ref().map_or(0, |body| body.content.len()));
        let content = body.map(|body| content(&delivery, body));
        let outgoing = Outgoing {
            account,
            delivery: delivery.id,
            endpoint,
            webhook_id: delivery.webhook_id,
            envelope: delivery.envelope,
            attempts_made: u16::try_from(delivery.attempts_made).unwrap_or(u16::MAX),
            content,
            test: delivery.test,
            standing: standing.clone(),
            order: delivery.order,
            slot,
        };
        if stops {
            node.hand_back(outgoing);
        } else {
            node.send(outgoing);
        }
    }
}

/// Why claimed deliveries could not be prepared.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("the account's settings can't be loaded")]
    Snapshot(#[from] snapshot::Error),
    #[error("the account can't be read")]
    Account(#[source] store::Error),
    #[error("the bodies can't be read")]
    Bodies(#[from] store::Error),
}

/// How the account stands, and what each delivery carries.
type Loaded = (Arc<Standing>, Vec<Option<StoredBody>>);

/// Loads what the claimed deliveries need, again and again until it can be read: nobody else can bring
/// them back, and while they wait they keep their slots, so that no more of them come than there are of
/// those. `None` once the node stops.
async fn load(node: &Node, account: AccountId, claim: &Claim) -> Option<Loaded> {
    loop {
        match try_load(node, account, claim).await {
            Ok(loaded) => return Some(loaded),
            Err(_) if node.is_closing() => return None,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    account.id = %account,
                    "claimed deliveries can't be read at the moment"
                );
                node.pause().await;
            }
        }
    }
}

async fn try_load(node: &Node, account: AccountId, claim: &Claim) -> Result<Loaded, LoadError> {
    let standing = node.snapshots.standing(account, claim.revision).await?;
    let bodies = node.store.bodies(account, &claim.deliveries).await?;
    Ok((standing, bodies))
}

/// What a delivery carries; that of a test has a header by which whoever gets it knows it, which no scheme signs.
pub(super) fn content(delivery: &ClaimedDelivery, mut body: StoredBody) -> Arc<Content> {
    if delivery.test
        && let Ok(headers) = &mut body.headers
    {
        headers.push((TEST_HEADER.to_owned(), "true".to_owned()));
    }
    Arc::new(Content {
        event_type: body.event_type,
        occurred_at: body.occurred_at,
        payload: body.content,
        is_made: body.is_made,
        origin: body.origin,
        headers: body.headers,
    })
}
