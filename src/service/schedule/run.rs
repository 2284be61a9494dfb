//! Runs of a schedule that are asked for, and the bell that wakes whoever makes events of them.

use std::sync::Arc;

use tokio::sync::Notify;

use super::definition;
use super::shape::OccurrenceView;
use crate::cron::Reason;
use crate::model::AccountId;
use crate::pipeline::Full;
use crate::service::principal::{MayWrite, Principal};
use crate::service::{Error, Service};
use crate::store::{Asked, OccurrenceEntry, Schedule};

/// Occurrences of an account that wait to become events, beyond which none is added.
const UNFIRED_MAX: usize = 1_000;

impl Service {
    /// What rings when a schedule may have something to do at once.
    pub fn bell(&self) -> Arc<Notify> {
        self.inner.bell.clone()
    }

    /// Rings it, as soon as what was written is durable.
    pub(in crate::service) async fn ring(&self) {
        let bell = self.bell();
        let rung = async move { bell.notify_one() };
        self.inner.store.once_durable(rung).await;
    }

    /// Puts a run of a schedule on its ledger, which becomes an event at once, or after the run before; whether
    /// the schedule is paused or not, unless it is that of an automation which stands still.
    pub async fn run_schedule(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
    ) -> Result<OccurrenceView, Error> {
        let mut merges = self.merges(who.account());
        loop {
            let done = self.try_to_run(who.account(), id).await;
            if !merges.go_on(&done).await {
                return done;
            }
        }
    }

    async fn try_to_run(&self, account: AccountId, id: &str) -> Result<OccurrenceView, Error> {
        let row = self.schedule_row(account, id).await?;
        self.check_runs(&row).await?;
        let definition = definition(&row)?;
        let timing = definition
            .timing()
            .map_err(|error| Error::unreadable("the schedule", error))?;
        let now = self.inner.clock.now();
        let wanted = (timing.wall(now).to_string(), definition.overlap);
        let store = &self.inner.store;
        match store.run_schedule(&row, wanted, UNFIRED_MAX, now).await? {
            Asked::Full => Err(Error::Busy(Full::Account)),
            Asked::Refused(reason) => Err(refused(reason)),
            Asked::Opened(opened) => {
                self.ring().await;
                Ok(OccurrenceView::of(OccurrenceEntry {
                    at: opened.at,
                    nominal: opened.nominal,
                    cause: opened.cause.as_str().to_owned(),
                    state: opened.mark.as_str().to_owned(),
                    reason: None,
                    event: None,
                    settled_at: None,
                }))
            }
        }
    }
}

impl Service {
    /// Refuses a run of a schedule that starts nothing now. One that is an automation's own stands still, paused,
    /// whenever nothing would meet its events.
    async fn check_runs(&self, row: &Schedule) -> Result<(), Error> {
        let Some(owner) = row.owner.filter(|_| row.paused) else {
            return Ok(());
        };
        let automation = self.inner.store.automation(row.account, owner).await?;
        let automation = automation.ok_or(Error::NotFound("schedule"))?;
        let (code, why) = if automation.archived_at.is_some() {
            (
                "archived",
                "is archived: POST to its /unarchive, and switch it on",
            )
        } else if !automation.enabled {
            ("disabled", "is switched off: switch it on")
        } else {
            (
                "not_its_trigger",
                "is started by something else by now: publish a version with this trigger",
            )
        };
        Err(Error::Conflict {
            code,
            why: format!(
                "nothing would run: the automation {owner}, whose trigger this schedule was made for, {why}"
            ),
        })
    }
}

fn refused(reason: Reason) -> Error {
    Error::Conflict {
        code: reason.as_str(),
        why: format!(
            "{}: try again when its deliveries are settled, or let the schedule's overlap allow it",
            reason.sentence()
        ),
    }
}
