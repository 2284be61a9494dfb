//! What a file's automations would have said of past events, beside what the published ones say: a job for each
//! that gets a further version.

use super::Section;
use super::decision::Decided;
use super::present::Row;
use super::view::PlanView;
use crate::model::limits::{JOB_EVENTS_MAX, JOBS_OPEN_MAX};
use crate::model::{Backtest, BacktestTally, EventId, Job, JobSubject, PinnedVersion, Reach};
use crate::service::principal::{MayWrite, Principal};
use crate::service::{Error, Place, Service};

impl Service {
    /// Gives the jobs, and tells them with the steps.
    pub(super) async fn compare(
        &self,
        who: &Principal<MayWrite>,
        (decided, view): (&Decided, &mut PlanView),
        events: usize,
    ) -> Result<(), Error> {
        let account = who.account();
        let refused = |why: String| Error::Invalid {
            code: "invalid_parameter",
            at: Place::Query("backtest".to_owned()),
            why,
        };
        if !(1..=JOB_EVENTS_MAX).contains(&events) {
            let why = format!("this is {events}: it must be 1 to {JOB_EVENTS_MAX}");
            return Err(refused(why));
        }
        let further = decided
            .decisions
            .iter()
            .filter(|it| it.further_version().is_some());
        let count = further.count();
        if count > JOBS_OPEN_MAX {
            let why = format!(
                "{count} automations change, and an account has {JOBS_OPEN_MAX} jobs at a time: leave this out, \
                 or plan a file with fewer of them"
            );
            return Err(refused(why));
        }
        let before = EventId::mint(self.inner.clock.now());
        for (decision, step) in decided.decisions.iter().zip(&mut view.steps) {
            let known = decision
                .known
                .map(|place| &decided.present.known[place].row);
            let (Some(version), Some(Row::Automation(row, _))) =
                (decision.further_version(), known)
            else {
                continue;
            };
            debug_assert_eq!(decision.section, Section::Automations);
            let published = match row.published_version {
                Some(version) => Some(PinnedVersion {
                    version,
                    definition: self.saved(account, row.id, version).await?.text,
                }),
                None => None,
            };
            let job = Job::Backtest(Backtest {
                name: row.name.clone(),
                published,
                draft: PinnedVersion {
                    version: row.latest_version + 1,
                    definition: version.definition.clone(),
                },
                saved: false,
                reach: Reach::Newest { events, before },
            });
            let nothing = BacktestTally::default();
            let given = self
                .give(who, JobSubject::Automation(row.id), &job, &nothing)
                .await?;
            step.backtest = Some(given.job);
        }
        Ok(())
    }
}
