//! Running dead letters again: "the plugin is mended, run these 37 again", in one call, with the version of their
//! automation that is published now. Everything is run first and written then, in one transaction: of a call that
//! is broken off nothing was done, and one that is made again finds what is done.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::automation::flow;
use crate::model::limits::LETTERS_RERUN_MAX;
use crate::model::{AccountId, AutomationId, DeadLetterId, EndpointId, EventId, Timestamp};
use crate::pipeline::LetterRerun;
use crate::service::absence::unmet_by;
use crate::service::principal::{MayWrite, Principal};
use crate::service::{Error, Service, check};
use crate::store::{
    self, DeadLetterFilter, LetterOutcome, LetterRun, LetterState, PublishedAutomation,
};

/// How long one call runs letters; what it has not come to is told.
const RUNS_MS: i64 = 20_000;
/// How long one letter may take.
const RUN_MS: i64 = 30_000;
/// What the outcomes of one call may take in memory, about.
const OUTCOMES_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Which dead letters are run again: `ids`, or the open ones of an `automation`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LetterRerunRequest {
    /// Their ids: 1 to 1000.
    pub ids: Option<Vec<String>>,
    /// The id of the automation whose open letters are run, those first that have failed longest ago: up to 1000 in
    /// one call.
    pub automation: Option<String>,
    /// Of those only the ones whose event was accepted then or later, RFC 3339.
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// Of those only the ones whose event was accepted before, RFC 3339.
    #[schema(format = DateTime)]
    pub until: Option<String>,
}

/// What became of the letters.
#[derive(Debug, Serialize, ToSchema)]
pub struct LetterRerunsView {
    /// One entry for each letter that was looked at, in the order in which they were run.
    pub data: Vec<LetterRerunView>,
    /// How many were run and did not fail.
    pub rerun: usize,
    /// How many failed again.
    pub failed: usize,
    /// How many were not run: `summary` says why.
    pub not_run: usize,
    /// How many more there are at least that there was no time or room for: send the same again.
    pub left: usize,
}

/// What became of one letter.
#[derive(Debug, Serialize, ToSchema)]
pub struct LetterRerunView {
    /// The dead letter's id.
    #[schema(value_type = String)]
    pub id: DeadLetterId,
    /// The id of its event.
    #[schema(value_type = Option<String>)]
    pub event: Option<EventId>,
    /// What became of it.
    pub result: LetterRerunState,
    /// The number of the version that was run; null, if none was.
    pub version: Option<i64>,
    /// The verdict, such as `fired`; null, if it was not run.
    pub verdict: Option<&'static str>,
    /// A sentence.
    pub summary: String,
}

/// What became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterRerunState {
    /// It was run and did not fail: what follows is on its way.
    Rerun,
    /// It failed again, and stays.
    Failed,
    /// It was run before, with success, or by somebody else just now.
    AlreadyRerun,
    /// It was not run.
    NotRun,
}

/// A letter that is run, and how that ended.
struct Ran {
    view: LetterRerunView,
    run: Option<LetterRun>,
}

/// An automation's published version; or why it is not run.
type Runnable = Result<PublishedAutomation, String>;

impl Service {
    /// Runs dead letters again with what is published now.
    pub async fn rerun_letters(
        &self,
        who: &Principal<MayWrite>,
        request: LetterRerunRequest,
    ) -> Result<LetterRerunsView, Error> {
        let account = who.account();
        let wanted = self.wanted_letters(account, request).await?;
        let turn = self.trial_turn(account).await?;
        let clock = &self.inner.clock;
        let until = clock.now().plus_ms(RUNS_MS);
        let mut known: HashMap<AutomationId, Runnable> = HashMap::new();
        let mut ran = Vec::with_capacity(wanted.len());
        let (mut left, mut bytes) = (0, 0);
        for (place, (id, letter)) in wanted.into_iter().enumerate() {
            let is_full = place >= LETTERS_RERUN_MAX || bytes > OUTCOMES_BYTES_MAX;
            if is_full || clock.now() > until {
                left += 1;
                continue;
            }
            let (one, took) = match letter {
                Some(letter) => self.run_letter(account, letter, &mut known).await?,
                None => (
                    not_run(id, None, "there is no such dead letter".to_owned()),
                    0,
                ),
            };
            bytes += took;
            ran.push(one);
        }
        drop(turn);
        let hidden = self.hidden(account).await?;
        let mut view = self.keep_runs(account, ran).await?;
        for one in &mut view.data {
            hidden.hide(&mut one.summary);
        }
        view.left = left;
        Ok(view)
    }

    /// The letters that are named.
    async fn wanted_letters(
        &self,
        account: AccountId,
        request: LetterRerunRequest,
    ) -> Result<Vec<(DeadLetterId, Option<store::DeadLetter>)>, Error> {
        let store = &self.inner.store;
        match (request.ids, request.automation) {
            (Some(ids), None) if request.since.is_none() && request.until.is_none() => {
                if !(1..=LETTERS_RERUN_MAX).contains(&ids.len()) {
                    let why = format!(
                        "there are {} ids: 1 to {LETTERS_RERUN_MAX} in one call",
                        ids.len()
                    );
                    return Err(Error::field("/ids", why));
                }
                let mut wanted = Vec::with_capacity(ids.len());
                let mut named = BTreeSet::new();
                for (place, text) in ids.iter().enumerate() {
                    let id: DeadLetterId = text
                        .parse()
                        .map_err(|error| Error::field(format!("/ids/{place}"), error))?;
                    if named.insert(id) {
                        wanted.push((id, store.dead_letter(account, id).await?));
                    }
                }
                Ok(wanted)
            }
            (None, Some(automation)) => {
                let automation = check::id(&automation, "automation")
                    .map_err(|_| Error::field("/automation", "there is no such automation"))?;
                let filter = DeadLetterFilter {
                    automation: Some(automation),
                    state: Some(LetterState::Open),
                    verdict: None,
                    since: time(request.since.as_deref(), "/since")?,
                    until: time(request.until.as_deref(), "/until")?,
                };
                let found = store
                    .oldest_letters(account, &filter, LETTERS_RERUN_MAX + 1)
                    .await?;
                Ok(found.into_iter().map(|row| (row.id, Some(row))).collect())
            }
            _ => {
                let why = "which dead letters are run again? give ids alone, or automation, and since and until if you like";
                Err(Error::field("", why))
            }
        }
    }

    /// Runs one letter, as far as what would be written, and what that takes in memory.
    async fn run_letter(
        &self,
        account: AccountId,
        letter: store::DeadLetter,
        known: &mut HashMap<AutomationId, Runnable>,
    ) -> Result<(Ran, usize), Error> {
        let (id, of) = (letter.id, Some(letter.event));
        if letter.state != LetterState::Open.as_str() {
            return Ok((already(id, of), 0));
        }
        let rerun = match self.prepared(account, letter, known).await? {
            Ok(rerun) => rerun,
            Err(why) => return Ok((not_run(id, of, why), 0)),
        };
        let version = rerun.automation.version;
        let pipeline = self.pipeline().ok_or(Error::Unavailable)?;
        let clock = &self.inner.clock;
        let overdue = clock.now().plus_ms(RUN_MS);
        let done = tokio::select! {
            biased;
            done = pipeline.run_again(rerun) => done,
            () = clock.sleep_until(overdue) => {
                let why = format!("it had no verdict after {} seconds", RUN_MS / 1000);
                return Ok((not_run(id, of, why), 0));
            }
        };
        let done = match done {
            Ok(done) => done,
            Err(error) => return Ok((not_run(id, of, format!("{error}: try again")), 0)),
        };
        let (verdict, summary) = (done.explained.verdict.as_str(), done.explained.summary);
        let ran = Ran {
            view: LetterRerunView {
                id,
                event: of,
                result: match done.outcome {
                    LetterOutcome::Settled(_) => LetterRerunState::Rerun,
                    LetterOutcome::Failed { .. } => LetterRerunState::Failed,
                },
                version: Some(version),
                verdict: Some(verdict),
                summary: summary.clone(),
            },
            run: Some(LetterRun {
                letter: id,
                version,
                verdict,
                summary,
                outcome: done.outcome,
            }),
        };
        Ok((ran, done.bytes))
    }

    /// What is run of a letter; or why it is not.
    async fn prepared(
        &self,
        account: AccountId,
        letter: store::DeadLetter,
        known: &mut HashMap<AutomationId, Runnable>,
    ) -> Result<Result<LetterRerun, String>, Error> {
        let store = &self.inner.store;
        let runnable = if let Some(known) = known.get(&letter.automation) {
            known.clone()
        } else {
            let read = self.runnable(account, letter.automation).await?;
            known.insert(letter.automation, read.clone());
            read
        };
        let automation = match runnable {
            Ok(automation) => automation,
            Err(why) => return Ok(Err(why)),
        };
        let event = store.event(account, letter.event).await?;
        let Some(event) = event.filter(store::Event::has_payload) else {
            return Ok(Err("the event is no longer kept".to_owned()));
        };
        let mut event = self.accepted(account, event).await?;
        if let Some(why) = unmet_by(&automation.definition, &event.event_type) {
            return Ok(Err(why));
        }
        let kept = store.letter_inputs(account, letter.id).await?;
        if let Some(carried) = &kept.carried {
            let events = flow::events_of(carried);
            let cause = store.joined_cause(account, &events).await?;
            event.cause = cause.map(Arc::new);
        }
        Ok(Ok(LetterRerun {
            account,
            automation,
            event,
            carried: kept.carried.map(Into::into),
            now: self.inner.clock.now(),
        }))
    }

    /// The published version of an automation; or why it is not run.
    async fn runnable(
        &self,
        account: AccountId,
        automation: AutomationId,
    ) -> Result<Runnable, Error> {
        let store = &self.inner.store;
        let Some(row) = store.automation(account, automation).await? else {
            return Ok(Err("its automation was removed".to_owned()));
        };
        let (true, Some(version)) = (row.enabled, row.published_version) else {
            return Ok(Err(
                "its automation is switched off: switch it on first".to_owned()
            ));
        };
        let saved = store.automation_version(account, automation, version);
        let definition = saved.await?.ok_or(Error::NoSuchVersion)?.definition;
        Ok(Ok(PublishedAutomation {
            id: automation,
            name: row.name,
            owner_endpoint: row.owner_endpoint,
            version,
            definition,
        }))
    }

    /// Writes what came of the runs, and sends what follows on its way.
    async fn keep_runs(
        &self,
        account: AccountId,
        mut ran: Vec<Ran>,
    ) -> Result<LetterRerunsView, Error> {
        let runs: Vec<LetterRun> = ran.iter_mut().filter_map(|one| one.run.take()).collect();
        let now = self.inner.clock.now();
        let written = if runs.is_empty() {
            Vec::new()
        } else {
            self.inner.store.write_reruns(account, &runs, now).await?
        };
        let mut endpoints: BTreeSet<EndpointId> = BTreeSet::new();
        let mut lost: BTreeSet<DeadLetterId> = BTreeSet::new();
        for (run, written) in runs.iter().zip(written) {
            if !written {
                lost.insert(run.letter);
            } else if let LetterOutcome::Settled(plan) = &run.outcome {
                endpoints.extend(plan.deliveries.iter().map(|delivery| delivery.endpoint));
            }
        }
        for endpoint in endpoints {
            self.wake(account, endpoint).await;
        }
        let view = |one: Ran| {
            if lost.contains(&one.view.id) {
                already(one.view.id, one.view.event).view
            } else {
                one.view
            }
        };
        let data: Vec<LetterRerunView> = ran.into_iter().map(view).collect();
        let count = |wanted: &[LetterRerunState]| {
            let such = data.iter().filter(|one| wanted.contains(&one.result));
            such.count()
        };
        Ok(LetterRerunsView {
            rerun: count(&[LetterRerunState::Rerun]),
            failed: count(&[LetterRerunState::Failed]),
            not_run: count(&[LetterRerunState::NotRun, LetterRerunState::AlreadyRerun]),
            left: 0,
            data,
        })
    }
}

fn not_run(id: DeadLetterId, event: Option<EventId>, why: String) -> Ran {
    Ran {
        view: LetterRerunView {
            id,
            event,
            result: LetterRerunState::NotRun,
            version: None,
            verdict: None,
            summary: why,
        },
        run: None,
    }
}

fn already(id: DeadLetterId, event: Option<EventId>) -> Ran {
    let mut ran = not_run(id, event, "it was run again already".to_owned());
    ran.view.result = LetterRerunState::AlreadyRerun;
    ran
}

fn time(text: Option<&str>, pointer: &str) -> Result<Option<Timestamp>, Error> {
    let read = text.map(str::parse).transpose();
    read.map_err(|error| Error::field(pointer, error))
}
