//! A recovery: what was missed at an endpoint is sent after all, oldest event first, a burst at a time. What was
//! given up is made again under ids that are derived from the job's, with a whole retry policy before it; what was
//! held goes on. A burst is written with how far the job has come, and the next one comes neither before its time
//! nor while something that is due waits at the endpoint: what comes in now is not kept waiting. It is slow on
//! purpose, so after a while it goes to the end of the line of jobs.
//!
//! What was sent again by somebody, and is delivered or on its way, is passed over. So a recovery that is asked for
//! again does what the first one has left.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Error;
use super::send::{PATIENCE, send};
use super::work::{End, Work};
use crate::automation::{EventType, Pattern};
use crate::model::{
    DeliveryId, EndpointId, Failure, JobWait, MissedState, Recovery, RecoveryTally, Stopwatch,
    Timestamp,
};
use crate::store::{Missed, MissedSpan, Recovered};

/// Ids that are read at a time to count them.
const COUNTED_AT_ONCE_MAX: usize = 5_000;
/// Deliveries that are looked at at a time, where most are passed over.
const LOOKED_AT_ONCE_MAX: usize = 1_000;
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
        let missed = missed(work, asked, tally.reached, look).await?;
        if missed.is_empty() {
            work.keep(&tally)?;
            return Ok(End::Done);
        }
        let chosen = choose(&wanted, tally.clone(), missed, burst);
        if chosen.recovered.is_empty() {
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
    work.row.total = Some(count);
    Ok(true)
}

/// The next of all states, in the order of their ids: as many as are looked at together.
async fn missed(
    work: &Work,
    asked: &Recovery,
    after: Option<DeliveryId>,
    limit: usize,
) -> Result<Vec<(MissedState, Missed)>, Error> {
    let span = MissedSpan::of(asked, after);
    let mut all = Vec::new();
    for state in &asked.states {
        let found = work
            .node
            .store
            .missed(work.row.account, &span, *state, limit);
        all.extend(found.await?.into_iter().map(|missed| (*state, missed)));
    }
    all.sort_by_key(|(_, missed)| missed.id);
    all.truncate(limit);
    Ok(all)
}

/// What of it is asked for.
struct Wanted {
    /// Any, if there is none.
    patterns: Vec<Pattern>,
}

impl Wanted {
    fn of(asked: &Recovery) -> Self {
        let patterns = asked.event_types.iter();
        Self {
            // They were read before they were stored.
            patterns: patterns.filter_map(|text| text.parse().ok()).collect(),
        }
    }

    fn has(&self, missed: &Missed) -> bool {
        let event_type: Option<EventType> = missed
            .event_type
            .as_deref()
            .and_then(|name| name.parse().ok());
        self.patterns.is_empty()
            || event_type.is_some_and(|name| self.patterns.iter().any(|one| one.matches(&name)))
    }
}

/// What follows from a look.
#[derive(Debug, PartialEq)]
struct Chosen {
    /// What is sent.
    recovered: Vec<(DeliveryId, MissedState)>,
    /// What the recovery has come to with it.
    tally: RecoveryTally,
    looked_at: i64,
}

/// Chooses a burst at most; what comes after it is looked at again.
fn choose(
    wanted: &Wanted,
    mut tally: RecoveryTally,
    missed: Vec<(MissedState, Missed)>,
    burst: usize,
) -> Chosen {
    let (mut recovered, mut looked_at) = (Vec::new(), 0);
    for (state, missed) in missed {
        if recovered.len() == burst {
            break;
        }
        looked_at += 1;
        tally.reached = Some(missed.id);
        if !wanted.has(&missed) {
            continue;
        }
        if missed.repeated {
            tally.repeated += 1;
        } else if missed.failure.as_deref() == Some(Failure::Expired.as_str()) {
            tally.expired += 1;
        } else if let Some(held) = missed.held {
            // Another one beside it would be sent twice.
            tally.released += 1;
            recovered.push((held, MissedState::Held));
        } else {
            match state {
                MissedState::Failed => tally.resent += 1,
                MissedState::Held => tally.released += 1,
            }
            recovered.push((missed.id, state));
        }
    }
    Chosen {
        recovered,
        tally,
        looked_at,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EventId;

    fn missed(no: i64, event_type: &str, failure: Option<&str>) -> Missed {
        let (id, _) = DeliveryId::range_of(EventId::first_at(Timestamp::from_ms(no)));
        Missed {
            id,
            event_type: Some(event_type.to_owned()),
            failure: failure.map(str::to_owned),
            repeated: false,
            held: None,
        }
    }

    fn repeated(missed: Missed) -> Missed {
        Missed {
            repeated: true,
            ..missed
        }
    }

    #[test]
    fn a_burst_is_what_is_wanted_and_was_not_repeated() {
        let wanted = Wanted {
            patterns: vec!["deal.*".parse().expect("a pattern")],
        };
        let (failed, held) = (MissedState::Failed, MissedState::Held);
        let all = [
            (failed, missed(1, "deal.won", Some("exhausted"))),
            (failed, missed(2, "call.ended", Some("gone"))),
            (failed, repeated(missed(3, "deal.won", Some("gone")))),
            (failed, missed(4, "deal.won", Some("expired"))),
            (held, missed(5, "deal.lost", None)),
            (failed, missed(6, "deal.won", Some("gone"))),
        ];
        let id = |place: usize| all[place].1.id;
        for (burst, recovered, looked_at) in [
            (1, vec![(id(0), failed)], 1),
            (2, vec![(id(0), failed), (id(4), held)], 5),
            (9, vec![(id(0), failed), (id(4), held), (id(5), failed)], 6),
        ] {
            let chosen = choose(&wanted, RecoveryTally::default(), all.to_vec(), burst);
            assert_eq!(
                (&chosen.recovered, chosen.looked_at),
                (&recovered, looked_at)
            );
            let tally = chosen.tally;
            assert_eq!(tally.reached, Some(id(looked_at as usize - 1)));
            assert_eq!(tally.resent + tally.released, recovered.len() as u64);
            let passed_over = if looked_at > 4 { (1, 1) } else { (0, 0) };
            assert_eq!((tally.repeated, tally.expired), passed_over);
        }
        let any = Wanted {
            patterns: Vec::new(),
        };
        let chosen = choose(&any, RecoveryTally::default(), all.to_vec(), 9);
        assert_eq!(chosen.recovered.len(), 4);
    }

    #[test]
    fn a_repeat_that_is_held_goes_on_instead_of_another_one() {
        let wanted = Wanted {
            patterns: Vec::new(),
        };
        let held = missed(2, "deal.won", None).id;
        let failed = Missed {
            held: Some(held),
            ..missed(1, "deal.won", Some("gone"))
        };
        let all = vec![(MissedState::Failed, failed)];
        let chosen = choose(&wanted, RecoveryTally::default(), all, 9);
        assert_eq!(chosen.recovered, [(held, MissedState::Held)]);
        assert_eq!((chosen.tally.released, chosen.tally.resent), (1, 0));
    }
}
