//! A backtest: of each event what the draft says now, beside what the published version says now. Nothing is
//! sent. What they don't say alike is kept, the first so many of it. Flow control and the order of deliveries are no
//! part of what is compared: they hold among events as they come in.

use std::sync::Arc;

use super::compare::{Said, Which, told};
use super::slice::{Evaluated, Subject, Versions, evaluate_slice, ready};
use super::walk::{self, Counted, Truncated};
use super::work::{End, UNSAVED_EVENTS_MAX, Work};
use super::{Error, SnapshotError};
use crate::automation::{Action, Definition};
use crate::model::{Backtest, BacktestTally, EventId, PinnedVersion};
use crate::pipeline::secret::Secrets;
use crate::pipeline::snapshot::Compiled;
use crate::store::{JobDifference, PastEvent, PublishedAutomation};

/// Events that are read at a time.
const EVENTS_AT_ONCE_MAX: usize = 250;
/// Events that a life may have looked at without having saved that.
const SUSPECTS_MAX: i64 = UNSAVED_EVENTS_MAX + EVENTS_AT_ONCE_MAX as i64;
/// Most differences that are kept of one backtest.
const LISTED_MAX: u64 = 5_000;
/// Most bytes of them.
const LISTED_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// A version that takes part.
struct Side {
    version: Arc<Compiled>,
    targets: Vec<String>,
}

/// The two that are compared. Shared with the thread that compares.
struct Sides {
    published: Option<Side>,
    draft: Side,
    /// What their configurations have that nobody may see.
    secrets: Secrets,
}

/// What came of one event.
struct Compared {
    event: EventId,
    /// The verdicts; `None`: it is not kept any more.
    verdicts: Option<[&'static str; 2]>,
    difference: Difference,
}

/// Whether the two say something different.
enum Difference {
    /// They don't.
    None,
    /// They do, and there is no room to tell what.
    Untold,
    /// They do: JSON.
    Told(Vec<u8>),
}

/// A version that is asked for, ready to run.
pub(super) async fn compile(
    work: &Work,
    name: &str,
    pinned: &PinnedVersion,
) -> Result<Arc<Compiled>, SnapshotError> {
    let row = PublishedAutomation {
        id: work.automation(),
        name: name.to_owned(),
        owner_endpoint: None,
        version: pinned.version,
        definition: pinned.definition.clone(),
    };
    let snapshots = &work.node.snapshots;
    snapshots.compile_apart(work.row.account, &row, None).await
}

/// Where a version's outputs go: bare URLs, ids of endpoints, and types of events that are made of them.
fn targets(definition: &str) -> Vec<String> {
    let Ok(definition) = serde_json::from_str::<Definition>(definition) else {
        return Vec::new();
    };
    let target = |action: Action| match action {
        Action::Webhook { endpoint, url } => url.unwrap_or_else(|| endpoint.to_string()),
        Action::Emit { event_type } => event_type.to_string(),
    };
    definition.actions.into_iter().map(target).collect()
}

async fn side(work: &Work, name: &str, pinned: &PinnedVersion) -> Result<Side, SnapshotError> {
    Ok(Side {
        version: compile(work, name, pinned).await?,
        targets: targets(&pinned.definition),
    })
}

/// Goes on with a backtest.
pub(super) async fn run(work: &mut Work, asked: &Backtest) -> Result<End, Error> {
    let mut tally: BacktestTally = work.tally()?;
    let way = match walk::begin(work, &asked.reach).await? {
        Counted::Stopped => return Ok(End::Stopped),
        Counted::Way(way, truncated) => {
            tally.truncated |= truncated == Truncated::Yes;
            way
        }
    };
    let published = match &asked.published {
        Some(pinned) => Some(side(work, &asked.name, pinned).await?),
        None => None,
    };
    let draft = side(work, &asked.name, &asked.draft).await?;
    let mut secrets = Secrets::default();
    for side in published.iter().chain([&draft]) {
        secrets.join(&side.version.secrets);
    }
    let sides = Arc::new(Sides {
        published,
        draft,
        secrets,
    });
    if let Some(end) = work.begin(&tally, SUSPECTS_MAX).await? {
        return Ok(end);
    }
    while let Some(stride) = way.step(work, work.at_once(EVENTS_AT_ONCE_MAX)).await? {
        let done = work.row.done;
        if let Some(end) = go(work, &sides, &mut tally, stride.events).await? {
            return Ok(end);
        }
        work.row.done = done;
        work.reached(stride.last, stride.count);
        work.keep(&tally)?;
    }
    work.keep(&tally)?;
    Ok(End::Done)
}

impl Sides {
    fn versions(&self, event: &PastEvent) -> Versions {
        let Ok(event_type) = event.r#type.parse() else {
            return [None, None];
        };
        let published = self.published.as_ref();
        [published, Some(&self.draft)].map(|side| {
            let version = side.map(|side| &side.version);
            version
                .filter(|version| version.meets(&event_type))
                .cloned()
        })
    }
}

/// Compares what the versions say of these events.
async fn go(
    work: &mut Work,
    sides: &Arc<Sides>,
    tally: &mut BacktestTally,
    events: Vec<PastEvent>,
) -> Result<Option<End>, Error> {
    let events = events.into_iter();
    let mut events = events
        .map(|event| {
            let versions = sides.versions(&event);
            (event, versions)
        })
        .peekable();
    while events.peek().is_some() {
        let mut ahead = ready(work, &mut events).await?;
        while !ahead.is_empty() {
            let Some(slice) = evaluate_slice(work, ahead).await? else {
                work.keep(tally)?;
                return Ok(Some(End::Stopped));
            };
            ahead = slice.left;
            take(work, sides, tally, slice.evaluated).await?;
            if let Some(end) = work.spend(slice.spent) {
                work.keep(tally)?;
                return Ok(Some(end));
            }
            if let Some(end) = work.save_in_time(tally).await? {
                return Ok(Some(end));
            }
        }
    }
    Ok(None)
}

/// Takes what was looked at into the tally. The comparison is made where it may take long.
async fn take(
    work: &mut Work,
    sides: &Arc<Sides>,
    tally: &mut BacktestTally,
    evaluated: Vec<Evaluated>,
) -> Result<(), Error> {
    let room = LISTED_MAX.saturating_sub(tally.listed) as usize;
    let room = if tally.listed_bytes < LISTED_BYTES_MAX {
        room
    } else {
        0
    };
    let sides = sides.clone();
    for one in apart(move || compare_all(&sides, evaluated, room)).await? {
        work.reached(one.event, 1);
        let Some([published, draft]) = one.verdicts else {
            tally.missing += 1;
            continue;
        };
        *tally.published.entry(published.to_owned()).or_default() += 1;
        *tally.draft.entry(draft.to_owned()).or_default() += 1;
        if published != draft {
            let moved = tally.moves.entry(published.to_owned()).or_default();
            *moved.entry(draft.to_owned()).or_default() += 1;
        }
        if matches!(one.difference, Difference::None) {
            continue;
        }
        tally.differing += 1;
        if let Difference::Told(content) = one.difference
            && tally.listed_bytes < LISTED_BYTES_MAX
        {
            tally.listed += 1;
            tally.listed_bytes += content.len() as u64;
            work.findings.differences.push(JobDifference {
                event: one.event,
                content,
            });
        }
    }
    Ok(())
}

/// Does what may take long where nobody waits.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down: nothing is awaited any more.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}

fn compare_all(
    sides: &Sides,
    evaluated: Vec<Evaluated>,
    room: usize,
) -> Result<Vec<Compared>, serde_json::Error> {
    let mut told_of = 0;
    let mut compared = Vec::with_capacity(evaluated.len());
    for one in evaluated {
        let one = compare(sides, one, Room::from(told_of < room))?;
        told_of += usize::from(matches!(one.difference, Difference::Told(_)));
        compared.push(one);
    }
    Ok(compared)
}

/// One event. What differs is told if there is room for it.
fn compare(sides: &Sides, evaluated: Evaluated, room: Room) -> Result<Compared, serde_json::Error> {
    let Evaluated {
        subject,
        evaluations,
    } = evaluated;
    let Subject {
        id,
        event,
        versions,
    } = subject;
    let Some(event) = event else {
        return Ok(Compared {
            event: id,
            verdicts: None,
            difference: Difference::None,
        });
    };
    let [published, draft] = evaluations;
    let said = |side: &Side, evaluation| match evaluation {
        Some(evaluation) => Said::by(evaluation, &event.payload, &side.targets),
        None => Said::nothing(),
    };
    let published = match &sides.published {
        Some(side) => said(side, published),
        None => Said::unpublished(),
    };
    let draft = said(&sides.draft, draft);
    let verdicts = Some([published.verdict, draft.verdict]);
    let difference = if published.is_like(&draft) {
        Difference::None
    } else if room == Room::Some {
        let which = Which {
            secrets: &sides.secrets,
            event: id,
            event_type: event.event_type.as_str().to_owned(),
            occurred_at: event.occurred_at,
        };
        let [looked, drafted] = &versions;
        let published = published.tell(looked.as_ref(), &event);
        let draft = draft.tell(drafted.as_ref(), &event);
        Difference::Told(told(&which, &published, &draft)?)
    } else {
        Difference::Untold
    };
    Ok(Compared {
        event: id,
        verdicts,
        difference,
    })
}

/// Whether there is room on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    None,
    Some,
}

impl From<bool> for Room {
    fn from(is_room: bool) -> Self {
        if is_room { Self::Some } else { Self::None }
    }
}
