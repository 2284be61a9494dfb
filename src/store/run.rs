//! Runs of a schedule: what is under way of it, and one that is asked for.

use super::occurrence::{NewOccurrence, insert};
use super::schedule::Schedule;
use super::values::args;
use super::{Error, Store, Tx};
use crate::cron::{Cause, Mark, Overlap, Reason, UnderWay};
use crate::model::{AccountId, DeliveryId, EventId, ScheduleId, Timestamp};

/// Runs that are asked for within one second.
const PER_SECOND_MAX: usize = 999;
const SECOND_MS: i64 = 1000;

/// What came of asking for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It is on the ledger, due or queued.
    Opened(NewOccurrence),
    /// The run before stands in its way.
    Refused(Reason),
    /// As many wait to become events as may.
    Full,
}

impl Store {
    /// What of a schedule is under way: its last event counts while it waits to be evaluated or a delivery of
    /// it waits or is being attempted.
    pub async fn schedule_under_way(
        &self,
        account: AccountId,
        schedule: ScheduleId,
    ) -> Result<UnderWay, Error> {
        let mut tx = self.begin_reading().await?;
        let found = under_way(&mut tx, (account, schedule)).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// How many occurrences of an account are due and have no event yet; counted no further than `count_max`.
    pub async fn unfired(&self, account: AccountId, count_max: usize) -> Result<usize, Error> {
        let found: Option<(i64,)> = self
            .fetch_optional(UNFIRED_SQL, args![account, count_max])
            .await?;
        Ok(found.map_or(0, |row| row.0 as usize))
    }

    /// Puts a run that is asked for on the ledger, as the schedule's overlap lets it. [`Error::Raced`] if the
    /// schedule stands differently by now.
    pub async fn run_schedule(
        &self,
        from: &Schedule,
        (nominal, overlap): (String, Overlap),
        unfired_max: usize,
        now: Timestamp,
    ) -> Result<Asked, Error> {
        let which = (from.account, from.id);
        let mut tx = self.begin().await?;
        // Whoever else asks, and whoever puts an occurrence on the ledger, does it before or after this.
        let changed = tx
            .execute(
                "UPDATE schedules SET runs_asked = runs_asked + 1
                 WHERE account_id = $1 AND id = $2 AND definition = $3 AND paused = $4",
                args![from.account, from.id, from.definition.as_str(), from.paused],
            )
            .await?;
        if changed == 0 {
            return Err(Error::Raced);
        }
        let waiting: Vec<(i64,)> = tx
            .fetch(UNFIRED_SQL, args![from.account, unfired_max])
            .await?;
        if waiting.iter().any(|row| row.0 as usize >= unfired_max) {
            return Ok(Asked::Full);
        }
        let mark = match overlap {
            Overlap::Allow => Mark::Due,
            _ => match overlap.decide(under_way(&mut tx, which).await?) {
                Ok(mark) => mark,
                Err(reason) => return Ok(Asked::Refused(reason)),
            },
        };
        let opened = NewOccurrence {
            at: free(&mut tx, which, now).await?,
            nominal,
            cause: Cause::RunNow,
            mark,
            reason: None,
        };
        insert(&mut tx, which, std::slice::from_ref(&opened), now).await?;
        tx.commit().await?;
        Ok(Asked::Opened(opened))
    }
}

const UNFIRED_SQL: &str = "SELECT COUNT(*) FROM (
       SELECT 1 FROM occurrences WHERE account_id = $1 AND settled_at_ms IS NULL AND state = 'due' LIMIT $2
     ) AS unfired";

/// The first millisecond from now on at which the schedule has no occurrence, and never will have one that
/// its timing makes: those are at whole seconds.
async fn free(
    tx: &mut Tx,
    (account, schedule): (AccountId, ScheduleId),
    now: Timestamp,
) -> Result<Timestamp, Error> {
    let until = now.plus_ms(2 * SECOND_MS);
    let taken: Vec<(Timestamp,)> = tx
        .fetch(
            "SELECT at_ms FROM occurrences
             WHERE account_id = $1 AND schedule_id = $2 AND at_ms >= $3 AND at_ms < $4 ORDER BY at_ms",
            args![account, schedule, now, until],
        )
        .await?;
    let mut at = now;
    let mut taken = taken.into_iter().map(|row| row.0).peekable();
    for _ in 0..2 * PER_SECOND_MAX {
        let is_taken = taken.next_if_eq(&at).is_some();
        if !is_taken && at.as_ms() % SECOND_MS != 0 {
            return Ok(at);
        }
        at = at.plus_ms(1);
    }
    Err(Error::Raced)
}

async fn under_way(
    tx: &mut Tx,
    (account, schedule): (AccountId, ScheduleId),
) -> Result<UnderWay, Error> {
    let open: Vec<(String,)> = tx
        .fetch(
            "SELECT state FROM occurrences
             WHERE account_id = $1 AND schedule_id = $2 AND settled_at_ms IS NULL",
            args![account, schedule],
        )
        .await?;
    let last: Vec<(Option<EventId>,)> = tx
        .fetch(
            "SELECT event_id FROM occurrences
             WHERE account_id = $1 AND schedule_id = $2 AND state = 'fired' ORDER BY at_ms DESC LIMIT 1",
            args![account, schedule],
        )
        .await?;
    let queued = open
        .iter()
        .filter(|row| row.0 == Mark::Queued.as_str())
        .count();
    let mut runs = open.len() - queued;
    if let Some((Some(event),)) = last.first()
        && is_event_under_way(tx, account, *event).await?
    {
        runs += 1;
    }
    Ok(UnderWay {
        runs: runs as i64,
        queued: queued as i64,
    })
}

async fn is_event_under_way(
    tx: &mut Tx,
    account: AccountId,
    event: EventId,
) -> Result<bool, Error> {
    let waiting: Vec<(EventId,)> = tx
        .fetch(
            "SELECT event_id FROM inbox WHERE account_id = $1 AND event_id = $2 AND set_aside IS NULL",
            args![account, event],
        )
        .await?;
    if !waiting.is_empty() {
        return Ok(true);
    }
    let (first, last) = DeliveryId::range_of(event);
    let unsettled: Vec<(DeliveryId,)> = tx
        .fetch(
            "SELECT id FROM deliveries WHERE account_id = $1 AND id BETWEEN $2 AND $3 AND event_id = $4
               AND (state = 'pending' OR state = 'claimed') LIMIT 1",
            args![account, first, last, event],
        )
        .await?;
    Ok(!unsettled.is_empty())
}
