//! Looks at past events with one version or two, on the workers' threads, in quiet turns. It is the same
//! [`evaluate`] as for events that come in, and within the same limits.
//!
//! What flow control remembers of the time is not there any more, so nobody can say what it would have let go
//! on. A version with flow control is asked for its keys, which may be a verdict, and then looked at as if the
//! event had gone on alone: with a digest of that one event, if it collects. That is the most that can follow,
//! and both versions are looked at in the same way.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Error;
use super::work::Work;
use crate::automation::flow::Ask;
use crate::model::{Cause, Clock, EventId, Origin, Stopwatch};
use crate::pipeline::chain::Chain;
use crate::pipeline::evaluate::{AcceptedEvent, Reached, evaluate, evaluate_late};
use crate::pipeline::evaluation::Evaluation;
use crate::pipeline::late::Carries;
use crate::pipeline::snapshot::Compiled;
use crate::pipeline::verdict::Verdict;
use crate::pipeline::workers::Run;
use crate::plugin::Engine;
use crate::store::PastEvent;

/// How long one turn may take before others have theirs. One run of a plugin may take longer.
const TURN: Duration = Duration::from_millis(5);
/// How long turns go on before what they have brought is taken: so far a job comes between two saves.
const SLICE: Duration = Duration::from_millis(500);
/// How often it is looked at meanwhile whether the job was called off.
const MINE_LOOK_MS: i64 = 1_000;
/// Bytes of payloads and outputs that are in memory at a time, about.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// The versions whose trigger an event meets: the published one and the draft, or one alone.
pub(super) type Versions = [Option<Arc<Compiled>>; 2];

/// An event, and the versions that look at it.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) id: EventId,
    /// `None`: it is not kept any more. Without a version the payload is left out.
    pub(super) event: Option<AcceptedEvent>,
    pub(super) versions: Versions,
}

/// What they said of it.
#[derive(Debug)]
pub(super) struct Evaluated {
    pub(super) subject: Subject,
    pub(super) evaluations: [Option<Evaluation>; 2],
}

/// What a number of turns has brought.
#[derive(Debug)]
pub(super) struct Slice {
    /// In the order of the subjects.
    pub(super) evaluated: Vec<Evaluated>,
    /// What nobody has come to.
    pub(super) left: VecDeque<Subject>,
    /// How long it took.
    pub(super) spent: Duration,
    /// What could not be done this time.
    not_now: Option<String>,
}

/// Evaluates, for a while. `None`: the job must stop, or is not this node's any more.
pub(super) async fn evaluate_slice(
    work: &Work,
    subjects: VecDeque<Subject>,
) -> Result<Option<Slice>, Error> {
    let node = &work.node;
    let (reply, mut answer) = oneshot::channel();
    let turns = SliceTurns {
        ahead: subjects,
        in_progress: None,
        evaluated: Vec::new(),
        bytes: 0,
        spent: Duration::ZERO,
        engine: node.components.engine().clone(),
        reply,
    };
    node.workers
        .submit_quietly(work.row.account, Box::new(turns));
    let slice = loop {
        // How long others' turns take is a matter of real time.
        let real = Clock::System;
        tokio::select! {
            biased;
            () = work.stop.cancelled() => return Ok(None),
            // What waits when the node stops is let go, and its sender with it.
            slice = &mut answer => match slice {
                Ok(slice) => break slice,
                Err(_gone) => return Ok(None),
            },
            // Another node may have called it off.
            () = real.sleep_until(real.now().plus_ms(MINE_LOOK_MS)) => {
                if !work.is_mine().await? {
                    return Ok(None);
                }
            }
        }
    };
    match slice.not_now {
        // What was looked at before is looked at again.
        Some(why) => Err(Error::NotNow(why)),
        None => Ok(Some(slice)),
    }
}

/// Gets the next events ready to be looked at: as many of them as there is room for.
pub(super) async fn ready(
    work: &Work,
    events: &mut std::iter::Peekable<impl Iterator<Item = (PastEvent, Versions)>>,
) -> Result<VecDeque<Subject>, Error> {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    let fits = |bytes: usize, event: &PastEvent, versions: &Versions| {
        bytes == 0 || bytes + weight(event, versions) <= BYTES_MAX
    };
    while let Some((event, versions)) =
        events.next_if(|(event, versions)| fits(bytes, event, versions))
    {
        bytes += weight(&event, &versions);
        taken.push((event, versions));
    }
    let read = taken.iter().filter(|(_, versions)| is_read(versions));
    let read: Vec<_> = read.map(|(event, _)| event.id).collect();
    let found = work.node.store.payloads(work.row.account, &read).await?;
    let mut found: HashMap<EventId, Vec<u8>> = found.into_iter().collect();
    let subject = |(event, versions): (PastEvent, Versions)| {
        let payload = if is_read(&versions) {
            found.remove(&event.id)
        } else {
            Some(Vec::new())
        };
        let event_type = event.r#type.parse().ok();
        let origin = event.origin.as_deref().map(Origin::parse).transpose();
        let cause = event.cause.as_deref().map(Cause::parse).transpose();
        // What can't be read of it is as if it were not there.
        let around = origin.ok().zip(cause.ok());
        let known = payload.zip(around);
        Subject {
            id: event.id,
            event: known
                .zip(event_type)
                .map(|((payload, (origin, cause)), event_type)| AcceptedEvent {
                    id: event.id,
                    event_type,
                    occurred_at: event.occurred_at,
                    payload: payload.into(),
                    cause: cause.map(Arc::new),
                    origin: origin.map(Arc::new),
                }),
            versions,
        }
    };
    Ok(taken.into_iter().map(subject).collect())
}

fn is_read(versions: &Versions) -> bool {
    versions.iter().any(Option::is_some)
}

/// What reading it takes. An event that no version looks at is not read.
fn weight(event: &PastEvent, versions: &Versions) -> usize {
    if is_read(versions) {
        usize::try_from(event.payload_bytes).unwrap_or(0) + 1
    } else {
        0
    }
}

/// The evaluations on the workers' threads, as far as they have come.
struct SliceTurns {
    ahead: VecDeque<Subject>,
    in_progress: Option<InProgress>,
    evaluated: Vec<Evaluated>,
    /// What that takes, about.
    bytes: usize,
    spent: Duration,
    engine: Engine,
    reply: oneshot::Sender<Slice>,
}

/// One event on its way.
struct InProgress {
    subject: Subject,
    evaluations: [Option<Evaluation>; 2],
    chain: Option<Chain>,
    /// Of the version that looks at it, once its flow control was asked.
    released: Option<Released>,
}

/// An event that flow control is taken to have let go on.
struct Released {
    event: AcceptedEvent,
    carries: Carries,
}

/// Where a turn has ended.
enum TurnEnd {
    /// There is more to do.
    Midway,
    /// So much is done that it is taken now, or all.
    Enough,
    /// Something could not be done this time.
    NotNow(String),
}

/// How far one event has come.
enum Progress {
    Whole,
    Midway,
    NotNow(String),
}

impl Run for SliceTurns {
    fn turn(mut self: Box<Self>) -> Option<Box<dyn Run>> {
        if self.reply.is_closed() {
            return None;
        }
        let stopwatch = Stopwatch::start();
        let came = self.go_on(&stopwatch);
        self.spent += stopwatch.elapsed();
        let not_now = match came {
            TurnEnd::Midway => return Some(self),
            TurnEnd::Enough => None,
            TurnEnd::NotNow(why) => Some(why),
        };
        let turns = *self;
        // Nobody may be waiting for it any more.
        drop(turns.reply.send(Slice {
            evaluated: turns.evaluated,
            left: turns.ahead,
            spent: turns.spent,
            not_now,
        }));
        None
    }
}

impl SliceTurns {
    fn go_on(&mut self, stopwatch: &Stopwatch) -> TurnEnd {
        loop {
            let begun = self.in_progress.take();
            let Some(mut in_progress) =
                begun.or_else(|| self.ahead.pop_front().map(InProgress::new))
            else {
                return TurnEnd::Enough;
            };
            match in_progress.go_on(&self.engine, stopwatch) {
                Progress::Whole => self.take(in_progress),
                Progress::Midway => {
                    self.in_progress = Some(in_progress);
                    return TurnEnd::Midway;
                }
                Progress::NotNow(why) => return TurnEnd::NotNow(why),
            }
            let elapsed = stopwatch.elapsed();
            if self.spent + elapsed >= SLICE || self.bytes >= BYTES_MAX {
                return TurnEnd::Enough;
            }
            if elapsed >= TURN {
                return TurnEnd::Midway;
            }
        }
    }

    fn take(&mut self, in_progress: InProgress) {
        let InProgress {
            subject,
            evaluations,
            ..
        } = in_progress;
        let made = evaluations.iter().flatten();
        self.bytes += made.map(|it| it.outputs.bytes()).sum::<usize>();
        self.evaluated.push(Evaluated {
            subject,
            evaluations,
        });
    }
}

impl InProgress {
    fn new(subject: Subject) -> Self {
        Self {
            subject,
            evaluations: [None, None],
            chain: None,
            released: None,
        }
    }

    fn go_on(&mut self, engine: &Engine, stopwatch: &Stopwatch) -> Progress {
        let Self {
            subject: Subject {
                event, versions, ..
            },
            evaluations,
            chain,
            released,
        } = self;
        let Some(event) = event else {
            return Progress::Whole;
        };
        let view = event.view();
        for (version, evaluation) in versions.iter().zip(evaluations) {
            let Some(version) = version else { continue };
            while evaluation.is_none() {
                let from = chain.take();
                let reached = match released {
                    Some(it) if from.is_none() => evaluate_late(version, &it.event),
                    Some(it) => evaluate(version, &it.event, &it.event.view(), engine, from),
                    None => evaluate(version, event, &view, engine, from),
                };
                match reached {
                    Reached::Verdict(mut reached) => match (released.take(), reached.ask.take()) {
                        (Some(it), _) => *evaluation = Some(it.settle(reached)),
                        (None, Some(ask)) => {
                            *released = Some(Released::alone(version, event, &ask));
                        }
                        (None, None) => *evaluation = Some(reached),
                    },
                    Reached::Midway(more) => {
                        *chain = Some(more);
                        if stopwatch.elapsed() >= TURN {
                            return Progress::Midway;
                        }
                    }
                    Reached::NotNow { why, .. } => return Progress::NotNow(why),
                }
            }
        }
        Progress::Whole
    }
}

impl Released {
    /// With what the version's flow control was asked for.
    fn alone(version: &Compiled, event: &AcceptedEvent, ask: &Ask) -> Self {
        let mut event = event.clone();
        let carries = Carries::alone(version.id, &mut event, ask);
        Self { event, carries }
    }

    fn settle(&self, mut evaluation: Evaluation) -> Evaluation {
        self.carries.keep(&mut evaluation, &self.event);
        evaluation.is_gated = true;
        if evaluation.verdict == Verdict::Fired {
            let why = "its flow control decides: this follows if the event goes on, and alone";
            evaluation.ends(Verdict::Fired, why.to_owned());
        }
        evaluation
    }
}
