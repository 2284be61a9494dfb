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

mod fire;
mod plan;
#[cfg(test)]
mod tests;

use std::convert::Infallible;

use crate::cron;
use crate::model::{Clock, Timestamp};
use crate::pipeline::Pipeline;
use crate::store::{self, Schedule, Store};

/// How long a schedule that another node has made may be unknown, and how soon what could not be done is
/// tried again.
const LOOK_MS: i64 = 1_000;
/// Schedules that are read at a time.
const SCHEDULES_AT_ONCE_MAX: usize = 100;

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

/// The loop's hands: the database and the clock.
#[derive(Debug, Clone)]
pub struct Scheduler {
    store: Store,
    clock: Clock,
}

impl Scheduler {
    /// Over this database, by this clock.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Makes events of what is due, round after round, for as long as it is let. May be dropped at any point.
    pub async fn go_on(&self, pipeline: &Pipeline) -> Infallible {
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
            let look_at = self.clock.now().plus_ms(LOOK_MS);
            let wake_at = next.map_or(look_at, |next| next.min(look_at));
            self.clock.sleep_until(wake_at).await;
        }
    }

    /// Puts what is due on the ledger and makes events of what is to run. When the next one is due.
    pub async fn round(&self, pipeline: &Pipeline) -> Result<Option<Timestamp>, Error> {
        loop {
            let now = self.clock.now();
            let due = self.store.due_schedules(now, SCHEDULES_AT_ONCE_MAX).await?;
            let is_all = due.is_empty();
            for schedule in due {
                self.advance(&schedule, now).await?;
            }
            self.fire(pipeline).await?;
            if is_all {
                return Ok(self.store.next_due().await?);
            }
        }
    }

    /// Puts the due occurrences of one schedule on the ledger.
    async fn advance(&self, schedule: &Schedule, now: Timestamp) -> Result<(), Error> {
        let advance = match plan::read(schedule) {
            Ok(read) => {
                let under_way = self
                    .store
                    .schedule_under_way(schedule.account, schedule.id)
                    .await?;
                plan::advance(schedule, &read, under_way, now)
            }
            Err(error) => {
                tracing::error!(
                    schedule.id = %schedule.id,
                    error = &error as &dyn std::error::Error,
                    "a schedule can't be read: it runs no more until it is changed"
                );
                plan::halt(schedule, now)
            }
        };
        // Where it stands differently by now, another node has done this, or a user has changed it.
        self.store.advance_schedule(schedule, &advance, now).await?;
        Ok(())
    }
}
