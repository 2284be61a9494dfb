//! A re-run: what follows from each event once more, by the version that it met or by the one that is published.
//! Its deliveries have ids of their own, derived from the job's and from the first ones', and are marked with
//! it. They go out behind everything else: none is made while something that is due waits at the endpoints of those
//! before it. What a re-run waits for is saved with what it has made; while that takes long it is put off, and
//! whoever takes it next looks again before anything else.
//!
//! A version with flow control, or one that makes events, follows nothing once more: it is told of each event that
//! it was not run, and why. What failed is no dead letter and counts for nobody's health.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::Error;
use super::backtest::compile;
use super::send::{PATIENCE, send};
use super::slice::{Evaluated, Subject, evaluate_slice, ready};
use super::walk::{self, Counted, Stride, Truncated};
use super::work::{End, Work};
use crate::automation::Definition;
use crate::model::{
    AutomationId, EndpointId, EventId, JobWait, PinnedVersion, Rerun, RerunBy, RerunProblem,
    RerunTally,
};
use crate::pipeline::plan::Draft;
use crate::pipeline::snapshot::Compiled;
use crate::pipeline::standing::Current;
use crate::store::{self, NewDelivery, NewRerun, PastEvent};

/// Events that are followed in one commit, and whose deliveries wait at their endpoints at a time.
const EVENTS_AT_ONCE_MAX: usize = 32;
/// Versions that are kept ready to run.
const VERSIONS_KEPT_MAX: usize = 32;
/// Events that came to nothing because something was wrong, of which it is told.
const PROBLEMS_MAX: usize = 20;

/// Which version an event met.
#[derive(Deserialize)]
struct Met {
    automation: AutomationId,
    version: i64,
}

/// The versions that follow events, ready to run.
struct RerunVersions<'a> {
    asked: &'a Rerun,
    current: Option<RerunVersion>,
    /// By number; `None`: there is no such version.
    earlier: HashMap<i64, Option<RerunVersion>>,
}

/// A version that follows events, or why it does not.
type RerunVersion = Result<Arc<Compiled>, &'static str>;

/// The word for an event that a version does not follow.
const NOT_RUN: &str = "not_run";

/// The version ready to run, if it can follow past events.
async fn rerun_version(
    work: &Work,
    name: &str,
    pinned: &PinnedVersion,
) -> Result<RerunVersion, Error> {
    // What can't be read is no version that follows something: its verdict says so.
    let definition: Option<Definition> = serde_json::from_str(&pinned.definition).ok();
    match definition.and_then(|definition| definition.holds_once()) {
        Some(why) => Ok(Err(why)),
        None => Ok(Ok(compile(work, name, pinned).await?)),
    }
}

/// Goes on with a re-run.
pub(super) async fn run(work: &mut Work, asked: &Rerun) -> Result<End, Error> {
    let mut tally: RerunTally = work.tally()?;
    if let Some(end) = cut_short(work).await? {
        return Ok(end);
    }
    if let Some(end) = send(work, &mut tally, Duration::ZERO).await? {
        return Ok(end);
    }
    let way = match walk::begin(work, &asked.reach).await? {
        Counted::Stopped => return Ok(End::Stopped),
        Counted::Way(way, truncated) => {
            tally.truncated |= truncated == Truncated::Yes;
            way
        }
    };
    let current = match &asked.by {
        RerunBy::ItRan => None,
        RerunBy::Current(pinned) => Some(rerun_version(work, &asked.name, pinned).await?),
    };
    let mut versions = RerunVersions {
        asked,
        current,
        earlier: HashMap::new(),
    };
    if let Some(end) = work.begin(&tally, EVENTS_AT_ONCE_MAX as i64).await? {
        return Ok(end);
    }
    while let Some(stride) = way.step(work, work.at_once(EVENTS_AT_ONCE_MAX)).await? {
        if let Some(end) = go(work, &mut versions, &mut tally, stride).await? {
            return Ok(end);
        }
    }
    work.keep(&tally)?;
    Ok(End::Done)
}

/// Follows these events.
async fn go(
    work: &mut Work,
    versions: &mut RerunVersions<'_>,
    tally: &mut RerunTally,
    stride: Stride,
) -> Result<Option<End>, Error> {
    let current = work.standing().await?;
    let gone = stride.count - stride.events.len() as i64;
    let mut events = Vec::with_capacity(stride.events.len());
    for (event, version) in versions.of(work, stride.events).await? {
        match version {
            Some(Ok(version)) => events.push((event, [Some(version), None])),
            None => tally.not_run += 1,
            Some(Err(why)) => {
                tally.not_run += 1;
                tell(tally, event.id, (NOT_RUN, why));
            }
        }
    }
    tally.missing += gone.unsigned_abs();
    let mut events = events.into_iter().peekable();
    let mut endpoints = BTreeSet::new();
    while events.peek().is_some() {
        let mut ahead = ready(work, &mut events).await?;
        while !ahead.is_empty() {
            let Some(slice) = evaluate_slice(work, ahead).await? else {
                return Ok(Some(abandoned(work)));
            };
            ahead = slice.left;
            for evaluated in slice.evaluated {
                endpoints.extend(run_again(work, tally, &current, evaluated));
            }
            if let Some(end) = work.spend(slice.spent) {
                work.findings = store::JobFindings::default();
                return Ok(Some(end));
            }
        }
    }
    if let Some(end) = cut_short(work).await? {
        work.findings = store::JobFindings::default();
        return Ok(Some(end));
    }
    // All of it in one commit with how far it has come.
    work.reached(stride.last, stride.count);
    tally.waits = (!endpoints.is_empty()).then(|| JobWait {
        endpoints,
        since: work.node.clock.now(),
    });
    if let Some(end) = work.save(tally).await? {
        return Ok(Some(end));
    }
    send(work, tally, PATIENCE).await
}

/// Why it goes no further, if nobody wants any more that its automation makes something.
async fn cut_short(work: &Work) -> Result<Option<End>, Error> {
    let (store, account) = (&work.node.store, work.row.account);
    let row = store.automation(account, work.automation()).await?;
    let why = match row {
        None => "its automation was removed",
        Some(row) if row.archived_at.is_some() => "its automation was archived",
        Some(_) => return Ok(None),
    };
    Ok(Some(End::Failed(why.to_owned())))
}

/// Leaves what was not saved: it is done again.
fn abandoned(work: &mut Work) -> End {
    work.findings = store::JobFindings::default();
    End::Stopped
}

impl RerunVersions<'_> {
    /// The version that follows each event, if one does.
    async fn of(
        &mut self,
        work: &Work,
        events: Vec<PastEvent>,
    ) -> Result<Vec<(PastEvent, Option<RerunVersion>)>, Error> {
        let mut followed = Vec::with_capacity(events.len());
        if let Some(current) = &self.current {
            for event in events {
                let meets = |it: &&RerunVersion| match it {
                    Ok(it) => (event.r#type.parse()).is_ok_and(|event_type| it.meets(&event_type)),
                    Err(_why) => true,
                };
                let chosen = Some(current).filter(meets).cloned();
                followed.push((event, chosen));
            }
            return Ok(followed);
        }
        let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
        let packed = work.node.store.verdicts_of(work.row.account, &ids).await?;
        let mut packed: HashMap<EventId, Vec<u8>> = packed.into_iter().collect();
        for event in events {
            let met = packed.remove(&event.id);
            let met = met.and_then(|packed| met_by(&packed, work.automation()));
            // What is packed may be long, and others wait for this thread.
            tokio::task::yield_now().await;
            let chosen = match met {
                Some(version) => self.earlier(work, version).await?,
                None => None,
            };
            followed.push((event, chosen));
        }
        Ok(followed)
    }

    async fn earlier(&mut self, work: &Work, version: i64) -> Result<Option<RerunVersion>, Error> {
        if let Some(known) = self.earlier.get(&version) {
            return Ok(known.clone());
        }
        let (store, automation) = (&work.node.store, work.automation());
        let row = store.automation_version(work.row.account, automation, version);
        let found = match row.await? {
            None => None,
            Some(row) => {
                let pinned = PinnedVersion {
                    version,
                    definition: row.definition,
                };
                Some(rerun_version(work, &self.asked.name, &pinned).await?)
            }
        };
        if self.earlier.len() >= VERSIONS_KEPT_MAX {
            self.earlier.clear();
        }
        self.earlier.insert(version, found.clone());
        Ok(found)
    }
}

/// The version of the automation that the event met, as far as that is on record.
fn met_by(packed: &[u8], automation: AutomationId) -> Option<i64> {
    let met: Vec<Met> = serde_json::from_slice(packed).ok()?;
    let met = met.into_iter().find(|met| met.automation == automation);
    met.map(|met| met.version)
}

/// Tells of an event that came to nothing because something is wrong, while there is room for it.
fn tell(tally: &mut RerunTally, event: EventId, (verdict, summary): (&str, &str)) {
    if tally.problems.len() < PROBLEMS_MAX {
        tally.problems.push(RerunProblem {
            event,
            verdict: verdict.to_owned(),
            summary: summary.to_owned(),
        });
    }
}

/// What follows from one event. The endpoints that it goes to.
fn run_again(
    work: &mut Work,
    tally: &mut RerunTally,
    current: &Current,
    evaluated: Evaluated,
) -> Vec<EndpointId> {
    let Evaluated {
        subject,
        evaluations,
    } = evaluated;
    let Subject {
        id,
        event,
        versions,
    } = subject;
    let ([Some(version), _], [Some(evaluation), _], Some(event)) = (versions, evaluations, event)
    else {
        tally.missing += 1;
        return Vec::new();
    };
    let now = work.node.clock.now();
    let mut draft = Draft::new(id);
    let evaluation = draft.follow(&version, &event, current, evaluation);
    let verdict = evaluation.verdict;
    *tally
        .verdicts
        .entry(verdict.as_str().to_owned())
        .or_default() += 1;
    if verdict.is_failure() {
        tell(tally, id, (verdict.as_str(), evaluation.failure()));
    }
    let rows = draft.finish(work.row.account, 0, now).rows;
    let job = work.row.id;
    let again = |delivery: NewDelivery| {
        let id = delivery.id.again(job);
        NewDelivery {
            id,
            // It is no repeat.
            webhook_id: id.to_string(),
            ..delivery
        }
    };
    let deliveries: Vec<NewDelivery> = rows.deliveries.into_iter().map(again).collect();
    tally.deliveries += deliveries.len() as u64;
    let endpoints = deliveries
        .iter()
        .map(|delivery| delivery.endpoint)
        .collect();
    if !deliveries.is_empty() {
        work.findings.reruns.push(NewRerun {
            event: id,
            evaluated_at: now,
            bodies: rows.bodies,
            deliveries,
        });
    }
    endpoints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn the_version_that_an_event_met_is_on_record() {
        let [one, other] = [1, 2].map(|ms| AutomationId::mint(Timestamp::from_ms(ms)));
        let packed =
            format!(r#"[{{"automation":"{one}","version":3,"verdict":"fired","summary":"s"}}]"#);
        assert_eq!(met_by(packed.as_bytes(), one), Some(3));
        for (packed, whose) in [(packed.as_str(), other), ("[]", one), ("", one)] {
            assert_eq!(met_by(packed.as_bytes(), whose), None, "{packed}");
        }
    }
}
