//! A recovery: what was missed at an endpoint is sent after all, oldest event first, a burst at a time. What was
//! given up is made again under ids that are derived from the job's, with a whole retry policy before it; what was
//! held goes on. A burst is written with how far the job has come, and the next one comes neither before its time
//! nor while something that is due waits at the endpoint: what comes in now is not kept waiting. It is slow on
//! purpose, so after a while it goes to the end of the line of jobs. Events that the endpoint had not subscribed to
//! come last, oldest first, too ([`unsubscribed`]).
//!
//! What was sent again by somebody, and is delivered or on its way, is passed over. So a recovery that is asked for
//! again does what the first one has left.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Error;
use super::missed::{Chosen, Wanted, choose, missed};
use super::send::{PATIENCE, send};
use super::unsubscribed::{self, Next};
use super::work::{End, Work};
use crate::automation::EventType;
use crate::model::{
    DeliveryId, EndpointId, JobWait, MissedState, Recovery, RecoveryTally, Stopwatch, Timestamp,
};
use crate::store::{MissedSpan, Recovered};

/// Ids that are read at a time to count them.
const COUNTED_AT_ONCE_MAX: usize = 5_000;
/// Deliveries that are looked at at a time, where most are passed over.
const LOOKED_AT_ONCE_MAX: usize = 1_000;
/// How soon it is looked again whether an event is evaluated that it has come to.
const UNPLANNED_MS: i64 = 1_000;
/// So late a burst may come without moving those after it.
const LATE_MS_MAX: i64 = 1_000;
/// For how long it keeps its place from other jobs.
const STINT: Duration = Duration::from_secs(10);

/// Goes on with a recovery.
pub(super) async fn run(work: &mut Work, asked: &Recovery) -> Result<End, Error> {
    let mut tally: RecoveryTally = work.tally()?;
    if let Some(end) = send(work, &mut tally, Duration::ZERO).await? {
        return Ok(end);
    }
    if !count(work, asked).await? {
        return Ok(End::Stopped);
    }
    let wanted = Wanted::of(asked);
    let (burst, apart_ms) = asked.burst();
    let (stint, mut look) = (Stopwatch::start(), burst);
    loop {
        let chosen = match next(work, asked, &wanted, &tally, (look, burst)).await? {
            Found::Burst(chosen) => chosen,
            Found::Nothing => {
                work.keep(&tally)?;
                return Ok(End::Done);
            }
            Found::Unplanned => {
                work.keep(&tally)?;
                return Ok(End::Waits(work.node.clock.now().plus_ms(UNPLANNED_MS)));
            }
        };
        if chosen.is_empty() {
            look = (look * 2).min(LOOKED_AT_ONCE_MAX);
            tally = come_to(work, chosen)?;
            if let Some(end) = work.save_in_time(&tally).await? {
                return Ok(end);
            }
            continue;
        }
        look = burst;
        let Some(due_at) = turn(work, tally.next_at).await else {
            return Ok(End::Stopped);
        };
        if let Some(end) = cut_short(work, asked.endpoint).await? {
            return Ok(end);
        }
        // All of it in one commit with how far it has come.
        let due = |(delivery, state): &(DeliveryId, MissedState)| Recovered {
            delivery: *delivery,
            state: *state,
            due_at,
        };
        work.findings.recovered = chosen.recovered.iter().map(due).collect();
        work.findings.made.clone_from(&chosen.made);
        for (_, delivery) in &mut work.findings.made {
            delivery.due_at = Some(due_at);
        }
        tally = come_to(work, chosen)?;
        tally.next_at = Some(due_at.plus_ms(apart_ms));
        tally.waits = Some(JobWait {
            endpoints: BTreeSet::from([asked.endpoint]),
            since: work.node.clock.now(),
        });
        if let Some(end) = work.save(&tally).await? {
            return Ok(end);
        }
        if let Some(end) = send(work, &mut tally, PATIENCE).await? {
            return Ok(end);
        }
        if stint.elapsed() >= STINT {
            work.keep(&tally)?;
            return Ok(End::Waits(work.node.clock.now()));
        }
    }
}

/// Counts what it has to look at, unless that is known. Whether it goes on.
async fn count(work: &mut Work, asked: &Recovery) -> Result<bool, Error> {
    if work.row.total.is_some() {
        return Ok(true);
    }
    let (store, account) = (&work.node.store, work.row.account);
    let mut count = 0;
    for state in &asked.states {
        let mut after = None;
        loop {
            if work.stop.is_cancelled() {
                return Ok(false);
            }
            let span = MissedSpan::of(asked, after);
            let ids = store.missed_ids(account, &span, *state, COUNTED_AT_ONCE_MAX);
            let ids = ids.await?;
            count += ids.len() as i64;
            if ids.len() < COUNTED_AT_ONCE_MAX {
                break;
            }
            after = ids.last().copied();
        }
    }
    if asked.unsubscribed {
        let Some(events) = count_events(work, asked).await? else {
            return Ok(false);
        };
        count += events;
    }
    work.row.total = Some(count);
    Ok(true)
}

/// How many events there are in its time; `None`: it must stop.
async fn count_events(work: &Work, asked: &Recovery) -> Result<Option<i64>, Error> {
    let (mut count, mut first) = (0, asked.before);
    while !work.stop.is_cancelled() {
        let (store, account) = (&work.node.store, work.row.account);
        let ids = store.event_ids(account, (asked.from, first), COUNTED_AT_ONCE_MAX);
        let ids = ids.await?;
        count += ids.len() as i64;
        match ids.last() {
            Some(last) if ids.len() == COUNTED_AT_ONCE_MAX => first = *last,
            _ => return Ok(Some(count)),
        }
    }
    Ok(None)
}

/// What comes next of a recovery.
enum Found {
    Burst(Chosen),
    /// It has come to its end.
    Nothing,
    /// The next event is still to be evaluated.
    Unplanned,
}

/// Looks at the next `look` at most, for a burst.
async fn next(
    work: &Work,
    asked: &Recovery,
    wanted: &Wanted,
    tally: &RecoveryTally,
    (look, burst): (usize, usize),
) -> Result<Found, Error> {
    let missed = missed(work, asked, tally.reached, look).await?;
    if !missed.is_empty() {
        let chosen = choose(wanted, tally.clone(), missed, burst);
        return Ok(Found::Burst(chosen));
    }
    if !asked.unsubscribed {
        return Ok(Found::Nothing);
    }
    let meets = |event_type: &EventType| wanted.meets(event_type);
    let found = unsubscribed::next(work, asked, tally, meets, (look, burst)).await?;
    Ok(match found {
        Next::Nothing => Found::Nothing,
        Next::Unplanned => Found::Unplanned,
        Next::Some(made, look) => Found::Burst(Chosen {
            recovered: Vec::new(),
            tally: RecoveryTally {
                made: tally.made + made.len() as u64,
                expired: tally.expired + look.expired,
                reached_event: look.reached,
                ..tally.clone()
            },
            made,
            looked_at: look.looked_at,
        }),
    })
}

/// Takes over what was chosen; it is not saved yet.
fn come_to(work: &mut Work, chosen: Chosen) -> Result<RecoveryTally, Error> {
    work.row.done += chosen.looked_at;
    // What was given up since it was counted.
    work.row.total = work.row.total.max(Some(work.row.done));
    work.keep(&chosen.tally)?;
    Ok(chosen.tally)
}

/// Waits for the next burst's time, which it returns; `None`: the job must stop.
async fn turn(work: &Work, next_at: Option<Timestamp>) -> Option<Timestamp> {
    let clock = &work.node.clock;
    let now = clock.now();
    // One that comes a little late does not move those after it.
    let at = next_at
        .filter(|at| now.ms_since(*at) < LATE_MS_MAX)
        .unwrap_or(now);
    tokio::select! {
        biased;
        () = work.stop.cancelled() => None,
        () = clock.sleep_until(at) => Some(at),
    }
}

/// Why it goes no further, if nothing leaves for its endpoint.
async fn cut_short(work: &Work, endpoint: EndpointId) -> Result<Option<End>, Error> {
    let (store, account) = (&work.node.store, work.row.account);
    let is_on = store.account(account).await?.is_some_and(|row| row.enabled);
    let why = match store.endpoint(account, endpoint).await? {
        None => "its endpoint was removed",
        Some(row) if row.state != "enabled" => {
            "its endpoint is switched off: switch it on, and recover what is left"
        }
        Some(_) if !is_on => {
            "the account's integration is switched off: switch it on, and recover what is left"
        }
        Some(_) => return Ok(None),
    };
    Ok(Some(End::Failed(why.to_owned())))
}
