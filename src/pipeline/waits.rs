//! What waits for its time is claimed when that has come, by whichever node lives, and goes on. It sleeps
//! until the next due time or a wake-up. Wake-ups are hints: with all of them lost, the look over the index
//! finds what is due, only later.
//!
//! What waits goes on with the version that accepted it, whatever was published since. While its automation
//! is switched off or archived it is held, and goes on once that is switched on; if it was removed, or was
//! off for too long, nothing comes of it, and that is on record.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::crash::crash_point;
use super::dues::DueTurn;
use super::evaluate::AcceptedEvent;
use super::late::{Carries, Late};
use super::node::Node;
use super::snapshot::{self, Compiled};
use super::verdict::Verdict;
use crate::automation::flow;
use crate::model::limits::FLOW_WAIT_MS_MAX;
use crate::model::{Cause, Clock, Origin, Timestamp};
use crate::store::{self, Fate, Wait};

/// Waits claimed in one turn of an account.
const CLAIM_MAX: usize = 32;
/// Accounts in one page of the look over the index.
const LOOK_PAGE: usize = 500;
/// How often the index is looked over: what other nodes put there is not heard here.
const LOOK_MS: i64 = 5_000;
/// How long another node's turn is waited for before it is looked at again.
const ELSEWHERE_MS: i64 = 50;
/// How many lives may end while something goes on before nothing comes of it. Not as few as for an event:
/// it is not evaluated alone, and may not be what ends them.
const DEATHS_MAX: i64 = 10;

/// Why what was claimed could not be prepared this time.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("the account can't be loaded")]
    Snapshot(#[from] snapshot::Error),
    #[error("what waits can't be read")]
    Store(#[from] store::Error),
}

/// Looks over the index, so that it is known when the first of each account is due.
pub(super) async fn look(node: &Node) -> Result<(), store::Error> {
    let mut after = None;
    loop {
        let page = node.store.due_waits(after, LOOK_PAGE).await?;
        for due in &page {
            node.dues.waits(due.account, due.due_at);
        }
        match page.last() {
            Some(last) if page.len() == LOOK_PAGE => after = Some(last.account),
            _ => return Ok(()),
        }
    }
}

/// Claims what is due until the incarnation ends.
pub(super) async fn run(node: Arc<Node>) {
    let mut look_at = node.clock.now().plus_ms(LOOK_MS);
    loop {
        if node.is_closing() {
            return;
        }
        let now = node.clock.now();
        if now >= look_at {
            if let Err(error) = look(&node).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "can't look for what waits"
                );
            }
            look_at = now.plus_ms(LOOK_MS);
        }
        while let Some(turn) = node.dues.turn(now) {
            let claimer = node.clone();
            node.spawn(async move { take(&claimer, turn, now).await });
        }
        let until = node.dues.next().map_or(look_at, |due| due.min(look_at));
        tokio::select! {
            () = node.dues.changed() => {}
            () = node.clock.sleep_until(until) => {}
        }
    }
}

/// Claims for one account, and goes on with what that brings.
async fn take(node: &Arc<Node>, turn: DueTurn, now: Timestamp) {
    let claimed = node
        .store
        .claim_waits(node.holder, turn.account, now, CLAIM_MAX);
    let claimed = match claimed.await {
        Ok(claimed) => claimed,
        // What this life may have claimed nobody else can bring back.
        Err(error @ (store::Error::OutcomeUnknown(_) | store::Error::Fenced)) => {
            return node.end(&error);
        }
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                account.id = %turn.account,
                "what is due can't be claimed"
            );
            turn.then(Some(now));
            return node.pause().await;
        }
    };
    turn.then(claimed.next_due);
    if claimed.is_elsewhere {
        // The other node's time, not the product's.
        let real = Clock::System;
        return real.sleep_until(real.now().plus_ms(ELSEWHERE_MS)).await;
    }
    if claimed.waits.is_empty() {
        return;
    }
    crash_point("late-claimed-not-planned");
    let turn = Arc::new(turn);
    let mut versions = HashMap::new();
    let place = Arc::new(Semaphore::new(1));
    for wait in claimed.waits {
        loop {
            match prepare(node, &turn, &wait, &mut versions).await {
                Ok(Some(late)) if late.automation.order.is_some() => {
                    let place = place.clone().acquire_owned().await;
                    let place = Some(place.expect("the semaphore is never closed"));
                    node.go_late(Late { place, ..late });
                }
                Ok(Some(late)) => node.go_late(late),
                Ok(None) => {}
                // Nobody can make anything of it: the others don't wait for that.
                Err(LoadError::Store(error @ store::Error::Corrupt { .. })) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        account.id = %turn.account,
                        event.id = %wait.place.event,
                        "what is due can't be read, and stays where it is"
                    );
                }
                Err(error) if !node.is_closing() => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        account.id = %turn.account,
                        "what is due can't be read at the moment"
                    );
                    node.pause().await;
                    continue;
                }
                // It stays claimed, and is taken over.
                Err(_) => return,
            }
            break;
        }
    }
}

/// The versions of one turn's waits, and what their automations have come to.
type Versions = HashMap<(crate::model::AutomationId, i64), (Arc<Compiled>, Fate)>;

/// What goes on of a wait; `None`, if it is held.
async fn prepare(
    node: &Arc<Node>,
    turn: &Arc<DueTurn>,
    wait: &Wait,
    versions: &mut Versions,
) -> Result<Option<Late>, LoadError> {
    let place = wait.place;
    let key = (place.automation, wait.version);
    let (automation, fate) = if let Some(known) = versions.get(&key) {
        known.clone()
    } else {
        let loaded = load(node, wait).await?;
        versions.insert(key, loaded.clone());
        loaded
    };
    let now = node.clock.now();
    if fate == Fate::Off && !is_old(wait, now) {
        if !node.store.hold_wait(node.holder, place, now).await? {
            turn.then(Some(now));
        }
        return Ok(None);
    }
    if fate == Fate::Live && waits_again(node, wait, &automation).await? {
        return Ok(None);
    }
    let event = node.store.event(place.account, place.event).await?;
    let cause = node.store.cause(place.account, place.event).await?;
    let mut ends = ending(wait, fate, now);
    let event = match event.map(|row| accepted(row, cause)) {
        Some(Ok(event)) => event,
        lost => {
            let why = match lost {
                Some(Err(why)) => why,
                _ => "its payload has expired".to_owned(),
            };
            ends = ends.or(Some((Verdict::EvaluationError, why)));
            nothing(wait)
        }
    };
    let (event, carries) = if wait.is_digest && ends.is_none() {
        (digest(node, wait, event).await?, Carries::Digest)
    } else {
        (event, Carries::Payload)
    };
    let standing = node.snapshots.standing(place.account, 0).await?;
    let permit = node.permits.take_over(place.account, event.payload.len());
    Ok(Some(Late {
        account: place.account,
        automation,
        event,
        carries,
        standing,
        permit,
        turn: Some(turn.clone()),
        place: None,
        ends,
        chain: None,
    }))
}

/// Whether it has missed its place in a limit by now, and waits for another.
async fn waits_again(
    node: &Arc<Node>,
    wait: &Wait,
    automation: &Compiled,
) -> Result<bool, store::Error> {
    let now = node.clock.now();
    let Some(Ok(rules)) = automation.flow.as_ref().filter(|_| wait.is_limited) else {
        return Ok(false);
    };
    let Some(ask) = rules.ask_again(&wait.key, wait.due_at, now) else {
        return Ok(false);
    };
    let later = node.store.ask_again(node.holder, wait, &ask, now).await?;
    if let Some(at) = later {
        node.dues.waits(wait.place.account, at);
    }
    Ok(later.is_some())
}

/// Whether its time came too long ago for it to be held any longer.
fn is_old(wait: &Wait, now: Timestamp) -> bool {
    now.ms_since(wait.due_at) > FLOW_WAIT_MS_MAX
}

/// Why nothing comes of it, if that is so.
fn ending(wait: &Wait, fate: Fate, now: Timestamp) -> Option<(Verdict, String)> {
    let longest = flow::span(FLOW_WAIT_MS_MAX);
    if fate == Fate::Removed {
        let why = "the automation was removed while it waited: nothing is sent";
        return Some((Verdict::Cancelled, why.to_owned()));
    }
    if fate == Fate::Off && is_old(wait, now) {
        let why = format!(
            "the automation was switched off for more than {longest} while it waited: nothing is sent"
        );
        return Some((Verdict::Cancelled, why));
    }
    (wait.takeovers >= DEATHS_MAX).then(|| {
        let why = format!(
            "nodes ended {} times while it went on: nothing is sent",
            wait.takeovers
        );
        (Verdict::EvaluationError, why)
    })
}

async fn load(node: &Node, wait: &Wait) -> Result<(Arc<Compiled>, Fate), LoadError> {
    let place = wait.place;
    let found = node
        .store
        .waiting_version(place.account, place.automation, wait.version)
        .await?;
    let found = found.ok_or(store::Error::Corrupt {
        what: "the version of what waits",
        why: format!("{} has no version {}", place.automation, wait.version),
    })?;
    let automation = node
        .snapshots
        .compile_late(place.account, &found.version)
        .await?;
    Ok((automation, found.fate))
}

fn accepted(row: store::Event, cause: Option<Cause>) -> Result<AcceptedEvent, String> {
    let event_type = row.r#type.parse();
    let origin = row.origin.as_deref().map(Origin::parse).transpose();
    let origin = origin.map_err(|_| "what is stored of its way in can't be read".to_owned())?;
    Ok(AcceptedEvent {
        id: row.id,
        event_type: event_type.map_err(|_| "its type is not a valid event type".to_owned())?,
        occurred_at: row.occurred_at,
        payload: row.payload.into(),
        origin: origin.map(Arc::new),
        cause: cause.map(Arc::new),
    })
}

/// In the place of an event that can't be read: only its id is used.
fn nothing(wait: &Wait) -> AcceptedEvent {
    AcceptedEvent {
        id: wait.place.event,
        event_type: "unknown".parse().expect("a name"),
        occurred_at: wait.place.event.minted_at(),
        payload: bytes::Bytes::new(),
        origin: None,
        cause: None,
    }
}

/// The digest of its events, in the place of the first one's payload. What it makes was led to by all of them.
async fn digest(
    node: &Node,
    wait: &Wait,
    first: AcceptedEvent,
) -> Result<AcceptedEvent, store::Error> {
    let entries = node.store.digest_events(wait.place).await?;
    let body = flow::digest(wait.place.automation, &wait.key, &entries);
    let events: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    let cause = node.store.joined_cause(wait.place.account, &events).await?;
    Ok(AcceptedEvent {
        payload: body,
        cause: cause.map(Arc::new),
        ..first
    })
}
