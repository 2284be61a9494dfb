//! The ledger of occurrences: one row each, whichever node writes it first.

use super::row::record;
use super::schedule::Schedule;
use super::values::{Columns, Kind, Rows, Shape, args, values};
use super::{Error, Store};
use crate::cron::{Mark, Reason};
use crate::model::{AccountId, DeliveryId, EventId, ScheduleId, Timestamp};

/// An occurrence to be put on the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOccurrence {
    /// Its nominal time, as an instant.
    pub at: Timestamp,
    /// The same on the wall.
    pub nominal: String,
    /// What becomes of it.
    pub mark: Mark,
    /// Set if it does not run.
    pub reason: Option<Reason>,
}

/// An occurrence on the ledger.
#[derive(Debug, Clone)]
pub struct OccurrenceEntry {
    /// Its nominal time, as an instant.
    pub at: Timestamp,
    /// The same on the wall.
    pub nominal: String,
    /// The word of a [`Mark`].
    pub state: String,
    /// The word of a [`Reason`].
    pub reason: Option<String>,
    /// Its event, if it ran.
    pub event: Option<EventId>,
    /// When that was decided; `None`: it has not run yet.
    pub settled_at: Option<Timestamp>,
}

record!(OccurrenceEntry {
    at: "at_ms",
    nominal: "nominal",
    state: "state",
    reason: "reason",
    event: "event_id",
    settled_at: "settled_at_ms",
});

/// An occurrence that is to run, of a schedule as it stands now.
#[derive(Debug, Clone)]
pub struct OpenOccurrence {
    /// Whose.
    pub account: AccountId,
    /// Of which schedule.
    pub schedule: ScheduleId,
    /// Its nominal time, as an instant.
    pub at: Timestamp,
    /// The same on the wall.
    pub nominal: String,
    /// The word of a [`Mark`].
    pub state: String,
    /// The schedule's name.
    pub name: String,
    /// The schedule's definition, JSON.
    pub definition: String,
    /// What its events carry.
    pub payload: Vec<u8>,
}

record!(OpenOccurrence {
    account: "account_id",
    schedule: "schedule_id",
    at: "at_ms",
    nominal: "nominal",
    state: "state",
    name: "name",
    definition: "definition",
    payload: "payload",
});

/// Where an occurrence is on the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OccurrenceKey {
    /// Whose.
    pub account: AccountId,
    /// Of which schedule.
    pub schedule: ScheduleId,
    /// Its nominal time, as an instant.
    pub at: Timestamp,
}

/// How a schedule goes on: what goes on the ledger, and what is next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// In order of their times.
    pub occurrences: Vec<NewOccurrence>,
    /// The schedule's new cursor.
    pub cursor_at: Timestamp,
    /// When its next occurrence runs.
    pub due_at: Option<Timestamp>,
    /// What is older goes off the ledger.
    pub kept_from: Timestamp,
}

/// What of a schedule is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnderWay {
    /// Occurrences that are due and have no event yet, and last events that are not settled.
    pub runs: i64,
    /// Occurrences that wait for those.
    pub queued: i64,
}

const COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("schedule_id", Kind::Uuid),
    ("at_ms", Kind::Int),
    ("nominal", Kind::Text),
    ("state", Kind::Text),
    ("reason", Kind::Text),
    ("settled_at_ms", Kind::Int),
];

const ENTRY: &str = "at_ms, nominal, state, reason, event_id, settled_at_ms";

impl Store {
    /// Puts occurrences of a schedule on the ledger and moves its cursor, if it stands as it was read.
    /// Whether it does: otherwise another node was faster, or a user has changed it.
    pub async fn advance_schedule(
        &self,
        from: &Schedule,
        advance: &Advance,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let changed = tx
            .execute(
                "UPDATE schedules SET cursor_ms = $3, due_at_ms = $4
                 WHERE account_id = $1 AND id = $2 AND cursor_ms = $5 AND definition = $6 AND paused = $7",
                args![
                    from.account,
                    from.id,
                    advance.cursor_at,
                    advance.due_at,
                    from.cursor_at,
                    from.definition.as_str(),
                    from.paused
                ],
            )
            .await?;
        if changed == 0 {
            return Ok(false);
        }
        tx.execute(
            "DELETE FROM occurrences WHERE account_id = $1 AND schedule_id = $2 AND at_ms < $3
               AND settled_at_ms IS NOT NULL",
            args![from.account, from.id, advance.kept_from],
        )
        .await?;
        if !advance.occurrences.is_empty() {
            let mut rows = Rows::new(COLUMNS, advance.occurrences.len());
            for one in &advance.occurrences {
                let open = matches!(one.mark, Mark::Due | Mark::Queued);
                rows.push(values![
                    from.account,
                    from.id,
                    one.at,
                    one.nominal.as_str(),
                    one.mark.as_str(),
                    one.reason.map(Reason::as_str),
                    (!open).then_some(now)
                ]);
            }
            let shape = Shape::Insert {
                into: "occurrences",
                tail: "ON CONFLICT DO NOTHING",
            };
            tx.execute_rows(rows, shape).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// What of a schedule is under way: its last event counts while it waits to be evaluated or a delivery of
    /// it waits or is being attempted.
    pub async fn schedule_under_way(
        &self,
        account: AccountId,
        schedule: ScheduleId,
    ) -> Result<UnderWay, Error> {
        let open: Vec<(String,)> = self
            .fetch(
                "SELECT state FROM occurrences
                 WHERE account_id = $1 AND schedule_id = $2 AND settled_at_ms IS NULL",
                args![account, schedule],
            )
            .await?;
        let last: Option<(Option<EventId>,)> = self
            .fetch_optional(
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
        if let Some((Some(event),)) = last
            && self.is_event_under_way(account, event).await?
        {
            runs += 1;
        }
        Ok(UnderWay {
            runs: runs as i64,
            queued: queued as i64,
        })
    }

    async fn is_event_under_way(&self, account: AccountId, event: EventId) -> Result<bool, Error> {
        let waiting: Option<(EventId,)> = self
            .fetch_optional(
                "SELECT event_id FROM inbox WHERE account_id = $1 AND event_id = $2 AND set_aside IS NULL",
                args![account, event],
            )
            .await?;
        if waiting.is_some() {
            return Ok(true);
        }
        let (first, last) = DeliveryId::range_of(event);
        let unsettled: Option<(DeliveryId,)> = self
            .fetch_optional(
                "SELECT id FROM deliveries WHERE account_id = $1 AND id BETWEEN $2 AND $3 AND event_id = $4
                   AND (state = 'pending' OR state = 'claimed') LIMIT 1",
                args![account, first, last, event],
            )
            .await?;
        Ok(unsettled.is_some())
    }

    /// A node's own: up to `limit` occurrences of all accounts that are to run, after one (in the order of
    /// their keys).
    pub async fn open_occurrences(
        &self,
        after: Option<OccurrenceKey>,
        limit: usize,
    ) -> Result<Vec<OpenOccurrence>, Error> {
        let after = after.unwrap_or(OccurrenceKey {
            account: AccountId::from_uuid(uuid::Uuid::nil()),
            schedule: ScheduleId::from_uuid(uuid::Uuid::nil()),
            at: Timestamp::from_ms(i64::MIN),
        });
        self.fetch(
            "SELECT o.account_id, o.schedule_id, o.at_ms, o.nominal, o.state, s.name, s.definition, s.payload
             FROM occurrences o JOIN schedules s ON s.account_id = o.account_id AND s.id = o.schedule_id
             WHERE o.settled_at_ms IS NULL AND (o.account_id, o.schedule_id, o.at_ms) > ($1, $2, $3)
             ORDER BY o.account_id, o.schedule_id, o.at_ms LIMIT $4",
            args![after.account, after.schedule, after.at, limit],
        )
        .await
    }

    /// An occurrence has become an event.
    pub async fn fire_occurrence(
        &self,
        key: OccurrenceKey,
        event: EventId,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.execute(
            "UPDATE occurrences SET state = 'fired', event_id = $4, settled_at_ms = $5
             WHERE account_id = $1 AND schedule_id = $2 AND at_ms = $3 AND settled_at_ms IS NULL",
            args![key.account, key.schedule, key.at, event, now],
        )
        .await
        .map(drop)
    }

    /// An occurrence can't become an event.
    pub async fn miss_occurrence(
        &self,
        key: OccurrenceKey,
        why: Reason,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.execute(
            "UPDATE occurrences SET state = 'missed', reason = $4, settled_at_ms = $5
             WHERE account_id = $1 AND schedule_id = $2 AND at_ms = $3 AND settled_at_ms IS NULL",
            args![key.account, key.schedule, key.at, why.as_str(), now],
        )
        .await
        .map(drop)
    }

    /// Up to `limit` occurrences of a schedule before a time, newest first.
    pub async fn occurrences(
        &self,
        account: AccountId,
        schedule: ScheduleId,
        before: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<OccurrenceEntry>, Error> {
        let before = before.unwrap_or(Timestamp::from_ms(i64::MAX));
        self.fetch(
            &format!(
                "SELECT {ENTRY} FROM occurrences
                 WHERE account_id = $1 AND schedule_id = $2 AND at_ms < $3 ORDER BY at_ms DESC LIMIT $4"
            ),
            args![account, schedule, before, limit],
        )
        .await
    }
}
