//! Floor 4: from the clock to events. A loop that looks which schedules are due, puts their occurrences
//! on the ledger and has the pipeline accept an event for each that is to run.
//!
//! # What holds
//!
//! - An occurrence has one row, unique on its schedule and its nominal time, whichever node writes it: of
//!   several nodes on one database one moves the schedule's cursor, and the others find it moved.
//! - The row is there before the event, and the event's client id is made of the row's key. Whoever dies
//!   between the two, and whoever does it again, makes one event.
//! - Each occurrence is on the ledger, also one that was skipped or missed, with the reason.
//! - What is late after a downtime is decided by the schedule's policy and nothing else.
//! - However many are due or late, each account has the same part of a pass, and what the pipeline does not
//!   take yet holds up the account whose it is.

mod fire;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::convert::Infallible;

use tokio::sync::Notify;

use crate::cron::{self, UnderWay};
use crate::model::{AccountId, Clock, Timestamp};
use crate::pipeline::Pipeline;
use crate::store::{self, DueSchedule, Store};

/// How long a schedule that another node has made may be unknown, and how soon what could not be done is
/// tried again.
const LOOK_MS: i64 = 1_000;
/// How long until what the pipeline has no room for is offered again.
const ROOM_MS: i64 = 100;
/// Schedules that are read at a time.
const SCHEDULES_AT_ONCE_MAX: usize = 100;
/// Occurrences that one account puts on the ledger in one pass.
const OCCURRENCES_PER_PASS_MAX: usize = 500;
/// Occurrences of one account that wait to become events, beyond which it puts no more on the ledger.
const UNFIRED_MAX: usize = 1_000;

/// Why a round was not finished, or one schedule was passed over. What was done stays.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store could not.
    #[error("schedules can't be read or moved on")]
    Store(#[from] store::Error),
    /// What is stored of a schedule is no definition.
    #[error("the schedule's definition can't be read")]
    Definition(#[from] serde_json::Error),
    /// What is stored of a schedule is nothing that one can run by.
    #[error("the schedule's timing can't be used")]
    Timing(#[from] cron::Error),
}

impl Error {
    /// Whether it is of one schedule, and says nothing of the next.
    fn is_of_one(&self) -> bool {
        match self {
            Self::Definition(_) | Self::Timing(_) => true,
            Self::Store(error) => matches!(
                error,
                store::Error::Refused(_) | store::Error::Corrupt { .. } | store::Error::Raced
            ),
        }
    }
}

/// The loop's hands: the database and the clock.
#[derive(Debug, Clone)]
pub struct Scheduler {
    store: Store,
    clock: Clock,
}

/// What one account has put on the ledger in a pass, or may not.
#[derive(Debug, Clone, Copy)]
struct Share {
    left: usize,
}

impl Scheduler {
    /// Over this database, by this clock.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Makes events of what is due, round after round, for as long as it is let; when `bell` rings, at once.
    /// May be dropped at any point.
    pub async fn go_on(&self, pipeline: &Pipeline, bell: &Notify) -> Infallible {
        loop {
            let next = match self.round(pipeline).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a round of the schedules was not finished"
                    );
                    None
                }
            };
            let now = self.clock.now();
            let look_at = now.plus_ms(LOOK_MS);
            let wake_at = match next {
                None => look_at,
                // It could not be put on the ledger: there is no room.
                Some(next) if next <= now => now.plus_ms(ROOM_MS),
                Some(next) => next.min(look_at),
            };
            tokio::select! {
                () = self.clock.sleep_until(wake_at) => {}
                () = bell.notified() => {}
            }
        }
    }

    /// Puts what is due on the ledger and makes events of what is to run, as far as there is room. When the
    /// next one is due.
    pub async fn round(&self, pipeline: &Pipeline) -> Result<Option<Timestamp>, Error> {
        loop {
            let moved = self.pass(self.clock.now()).await?;
            let fired = self.fire(pipeline).await?;
            if moved + fired == 0 {
                return Ok(self.store.next_due().await?);
            }
        }
    }

    /// Puts what is due on the ledger, of each account a part. How many schedules were moved on.
    async fn pass(&self, now: Timestamp) -> Result<usize, Error> {
        let mut shares = HashMap::new();
        let mut moved = 0;
        let mut last: Option<DueSchedule> = None;
        loop {
            let due = self
                .store
                .due_schedules(now, last.as_ref(), SCHEDULES_AT_ONCE_MAX)
                .await?;
            if due.is_empty() {
                return Ok(moved);
            }
            for schedule in &due {
                let share = match shares.get(&schedule.account) {
                    Some(share) => *share,
                    None => self.share(schedule.account).await?,
                };
                let done = self.advance(schedule, (now, share.left)).await;
                let (is_moved, occurrences) = match done {
                    Err(error) if error.is_of_one() => {
                        passed_over(schedule, &error);
                        (false, 0)
                    }
                    done => done?,
                };
                moved += usize::from(is_moved);
                let left = share.left.saturating_sub(occurrences);
                shares.insert(schedule.account, Share { left });
            }
            last = due.into_iter().next_back();
        }
    }

    /// What an account may put on the ledger now: nothing, while too much of it waits to become events.
    async fn share(&self, account: AccountId) -> Result<Share, Error> {
        let unfired = self.store.unfired(account, UNFIRED_MAX).await?;
        let left = if unfired < UNFIRED_MAX {
            OCCURRENCES_PER_PASS_MAX
        } else {
            0
        };
        Ok(Share { left })
    }

    /// Puts the due occurrences of one schedule on the ledger, no more than `count_max`. Whether it was moved
    /// on, and how many they were.
    async fn advance(
        &self,
        schedule: &DueSchedule,
        (now, count_max): (Timestamp, usize),
    ) -> Result<(bool, usize), Error> {
        if count_max == 0 {
            return Ok((false, 0));
        }
        let advance = match plan::read(schedule) {
            Ok(read) => {
                let under_way = if read.minds_overlap() {
                    let (account, id) = (schedule.account, schedule.id);
                    self.store.schedule_under_way(account, id).await?
                } else {
                    UnderWay::default()
                };
                plan::advance(schedule, &read, under_way, (now, count_max))
            }
            Err(error) => {
                tracing::error!(
                    schedule.id = %schedule.id,
                    error = &error as &dyn std::error::Error,
                    "a schedule can't be read: it runs no more until it is changed"
                );
                plan::halt(schedule)
            }
        };
        // Where it stands differently by now, another node has done this, or a user has changed it.
        let moved = self.store.advance_schedule(schedule, &advance, now).await?;
        Ok((moved, advance.occurrences.len()))
    }
}

fn passed_over(schedule: &DueSchedule, error: &Error) {
    tracing::warn!(
        schedule.id = %schedule.id,
        error = error as &dyn std::error::Error,
        "a schedule was passed over"
    );
}
