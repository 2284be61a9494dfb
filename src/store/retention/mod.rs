//! What has been kept for long enough goes: first payloads, later all that is on record of their events. An
//! event and what belongs to it go together, in steps of a bounded number of events, each a short transaction behind
//! the fence.
//!
//! A step is one of a walk over the account's events in the order of their ids, which is that of the primary key
//! and of time. How far the walk has come is written with what has gone, so whoever dies in a step has done nothing
//! and another one goes on there; and the row that says it is locked meanwhile, so of an account one node takes a
//! step at a time, and others pass it by. What is still needed when the walk comes by stays until it begins again,
//! which it does once a day; as does what automations make of old events, whose ids are as old as those.

mod close;
mod log;
mod payloads;
mod rest;

use super::backend::Tx;
use super::row::record;
use super::values::{Columns, Kind, Rows, Shape, Value, args, values};
use super::{Error, Store};
use crate::model::{AccountId, EndpointId, EventId, Timestamp, words};

/// Events that one step looks at in earnest. In SQLite everybody else who writes waits meanwhile: it takes about
/// 10 ms.
const EVENTS_MAX: usize = 200;
/// Events without a payload that a step passes over.
const PASSED_OVER_MAX: usize = 2_000;
/// Deliveries that one step closes or deletes, about.
const DELIVERIES_MAX: usize = 2_000;
/// After how long a walk begins again.
const WALK_MS: i64 = 24 * 60 * 60 * 1_000;

/// What goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// What events say, and what was made of it to be sent.
    Payloads,
    /// Events with everything that is on record of them.
    Log,
}

words!(Phase {
    Payloads = "payloads",
    Log = "log",
});

/// What has gone with one step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Events whose payload has gone.
    pub payloads: u64,
    /// Events that have gone.
    pub events: u64,
    /// Deliveries that have gone with them.
    pub deliveries: u64,
    /// Deliveries that were open and were given up as `expired`.
    pub expired: u64,
    /// Endpoints at which something is due because of that.
    pub due: Vec<EndpointId>,
    /// Whether the next step may find something at once.
    pub more: bool,
}

/// How far a walk has come, and when it began.
#[derive(Debug, Clone, Copy)]
struct Mark {
    reached: EventId,
    since: Timestamp,
}

record!(Mark {
    reached: "reached_id",
    since: "since_ms",
});

/// The events that a step is about, oldest first.
struct Stretch {
    events: Vec<EventId>,
    /// They came before this time.
    before: Timestamp,
    /// Up to here the walk had come before them.
    from: EventId,
    /// Up to here it has come with them.
    reached: EventId,
    more: bool,
}

impl Stretch {
    /// The walk does not come further this time.
    fn stay(&mut self) {
        self.reached = self.from;
        self.more = true;
    }
}

const EVENT_REFS: Columns = &[("account_id", Kind::Uuid), ("event_id", Kind::Uuid)];

/// Those that wait to be evaluated, or of which something waits.
const NEEDED_SQL: &str = "
    SELECT i.event_id FROM v JOIN inbox i ON i.account_id = v.account_id AND i.event_id = v.event_id
      WHERE i.set_aside IS NULL
    UNION SELECT w.event_id FROM v JOIN flow_waits w
      ON w.account_id = v.account_id AND w.event_id = v.event_id
    UNION SELECT f.event_id FROM v JOIN flow_entries f
      ON f.account_id = v.account_id AND f.event_id = v.event_id";

/// The next events, whatever they are.
const NEXT_SQL: &str = "
    SELECT id, occurred_at_ms FROM events WHERE account_id = $1 AND id > $2 AND id < $3
    ORDER BY id LIMIT $4";

/// Those of the next events that have a payload.
const NEXT_WITH_PAYLOAD_SQL: &str = "
    SELECT id, occurred_at_ms FROM (
      SELECT id, occurred_at_ms, LENGTH(payload) AS bytes FROM events
      WHERE account_id = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT $5) AS passed
    WHERE bytes > 0 ORDER BY id LIMIT $4";

/// The last of those that were passed over, if there may be more behind it.
const LAST_PASSED_SQL: &str = "
    SELECT id FROM events WHERE account_id = $1 AND id > $2 AND id < $3
    ORDER BY id LIMIT 1 OFFSET $4";

impl Store {
    /// Takes one step with what came before `before`: lets it go as `phase` says. Nothing, if another node is at it.
    pub async fn sweep(
        &self,
        account: AccountId,
        (phase, before): (Phase, Timestamp),
        now: Timestamp,
    ) -> Result<Swept, Error> {
        let mut tx = self.begin().await?;
        let Some(mark) = self.take_mark(&mut tx, (account, phase), now).await? else {
            return Ok(Swept::default());
        };
        let mut stretch = stretch(&mut tx, account, (phase, before), mark).await?;
        drop_needed(&mut tx, account, &mut stretch.events).await?;
        let mut swept = match phase {
            Phase::Payloads => {
                self.sweep_payloads(&mut tx, account, &mut stretch, now)
                    .await?
            }
            Phase::Log => self.sweep_log(&mut tx, account, &mut stretch, now).await?,
        };
        swept.more = stretch.more;
        tx.execute(
            "UPDATE sweeps SET reached_id = $3, since_ms = $4 WHERE account_id = $1 AND phase = $2",
            args![account, phase.as_str(), stretch.reached, mark.since],
        )
        .await?;
        tx.commit().await?;
        Ok(swept)
    }

    /// Takes the walk to this transaction; begins it, if it is time. `None`: another node has it.
    async fn take_mark(
        &self,
        tx: &mut Tx,
        (account, phase): (AccountId, Phase),
        now: Timestamp,
    ) -> Result<Option<Mark>, Error> {
        let which = || args![account, phase.as_str()];
        let sql = format!(
            "SELECT reached_id, since_ms FROM sweeps WHERE account_id = $1 AND phase = $2 {}",
            self.backend.skip_locked()
        );
        let begun = Mark {
            reached: EventId::from_uuid(uuid::Uuid::nil()),
            since: now,
        };
        let known: Vec<Mark> = tx.fetch(&sql, which()).await?;
        if let Some(known) = known.first() {
            let is_over = now.ms_since(known.since) >= WALK_MS;
            return Ok(Some(if is_over { begun } else { *known }));
        }
        let mut new = which();
        new.extend(args![begun.reached, begun.since]);
        let made = tx.execute(
            "INSERT INTO sweeps (account_id, phase, reached_id, since_ms) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
            new,
        );
        Ok((made.await? > 0).then_some(begun))
    }

    /// When the oldest event of an account came, of those that came in from outside; `None`: it has none.
    pub async fn oldest_event(&self, account: AccountId) -> Result<Option<Timestamp>, Error> {
        let found: Option<(EventId,)> = self
            .fetch_optional(
                "SELECT id FROM events WHERE account_id = $1 ORDER BY id LIMIT 1",
                args![account],
            )
            .await?;
        Ok(found.map(|row| row.0.minted_at()))
    }

    /// The plan that the engine makes for finding the events of a step, for a test that pins it.
    pub async fn explain_sweep(
        &self,
        account: AccountId,
        phase: Phase,
        before: Timestamp,
    ) -> Result<String, Error> {
        let nil = EventId::from_uuid(uuid::Uuid::nil());
        let (sql, args) = next(account, phase, (nil, EventId::first_at(before)));
        self.backend.explain(sql, args).await
    }
}

/// What finds the next events of a walk.
fn next(
    account: AccountId,
    phase: Phase,
    (after, before): (EventId, EventId),
) -> (&'static str, Vec<Value>) {
    let mut args = args![account, after, before, EVENTS_MAX];
    match phase {
        Phase::Payloads => {
            args.extend(args![PASSED_OVER_MAX]);
            (NEXT_WITH_PAYLOAD_SQL, args)
        }
        Phase::Log => (NEXT_SQL, args),
    }
}

/// The events of the next step.
async fn stretch(
    tx: &mut Tx,
    account: AccountId,
    (phase, before): (Phase, Timestamp),
    mark: Mark,
) -> Result<Stretch, Error> {
    let until = EventId::first_at(before);
    let (sql, args) = next(account, phase, (mark.reached, until));
    let found: Vec<(EventId, Timestamp)> = tx.fetch(sql, args).await?;
    let mut reached = found.last().map_or(mark.reached, |last| last.0);
    let mut more = found.len() >= EVENTS_MAX;
    if phase == Phase::Payloads && !more {
        let place = PASSED_OVER_MAX - 1;
        let args = args![account, mark.reached, until, place];
        let passed: Vec<(EventId,)> = tx.fetch(LAST_PASSED_SQL, args).await?;
        if let Some((last,)) = passed.first() {
            (reached, more) = (*last, true);
        }
    }
    // What an automation has made has an id as old as what it was made of, and is as old as its own time.
    let old = found
        .into_iter()
        .filter(|(id, occurred_at)| id.accepted_at(*occurred_at) < before);
    Ok(Stretch {
        events: old.map(|row| row.0).collect(),
        before,
        from: mark.reached,
        reached,
        more,
    })
}

/// Takes out those that are still needed. One that is not needed any more never is again.
async fn drop_needed(
    tx: &mut Tx,
    account: AccountId,
    events: &mut Vec<EventId>,
) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let needed: Vec<(EventId,)> = tx
        .fetch_rows(refs(account, events), Shape::Query(NEEDED_SQL))
        .await?;
    if !needed.is_empty() {
        events.retain(|event| !needed.iter().any(|row| row.0 == *event));
    }
    Ok(())
}

fn refs(account: AccountId, events: &[EventId]) -> Rows {
    let mut rows = Rows::new(EVENT_REFS, events.len());
    for event in events {
        rows.push(values![account, *event]);
    }
    rows
}

/// Deletes what these tables have of the events.
async fn delete_of(
    tx: &mut Tx,
    account: AccountId,
    events: &[EventId],
    tables: &[&'static str],
) -> Result<(), Error> {
    for &from in tables {
        tx.execute_rows(refs(account, events), Shape::Delete { from })
            .await?;
    }
    Ok(())
}
