//! Dead letters: what automations failed at, until it is run again with success or discarded. What a run of them
//! makes is written with the letter's new state in one transaction, and only while the letter is open: whoever is
//! stopped, or asks again, makes nothing twice.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use super::consequence::emitted;
use super::made;
use super::page::{Cursor, Page, start};
use super::plan::{self, NewPlan};
use super::row::record;
use super::scan::{Scan, Term};
use super::values::{Value, args};
use super::{Batch, Error, Store, order};
use crate::model::{AccountId, AutomationId, DeadLetterId, EventId, Timestamp, words};

/// Where a dead letter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterState {
    /// Nothing was done about it, or nothing that helped.
    Open,
    /// It was run again, and the automation did not fail.
    Rerun,
}

words!(LetterState {
    Open = "open",
    Rerun = "rerun",
});

/// What an automation failed at, without what went into it.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Its id.
    pub id: DeadLetterId,
    /// Which event.
    pub event: EventId,
    /// Which automation.
    pub automation: AutomationId,
    /// Which version failed last.
    pub version: i64,
    /// How: a verdict's word.
    pub verdict: String,
    /// A sentence.
    pub summary: String,
    /// Of a transform: its place, from 0.
    pub place: Option<i64>,
    /// How often it failed.
    pub failures: i64,
    /// The word of a [`LetterState`].
    pub state: String,
    /// The version that did not fail, if it was run again with success.
    pub rerun_version: Option<i64>,
    /// Its verdict's word.
    pub rerun_verdict: Option<String>,
    /// Its sentence.
    pub rerun_summary: Option<String>,
    /// When.
    pub rerun_at: Option<Timestamp>,
    /// When it failed first.
    pub created_at: Timestamp,
    /// When it failed last.
    pub failed_at: Timestamp,
}

record!(DeadLetter {
    id: "id",
    event: "event_id",
    automation: "automation_id",
    version: "version",
    verdict: "verdict",
    summary: "summary",
    place: "place",
    failures: "failures",
    state: "state",
    rerun_version: "rerun_version",
    rerun_verdict: "rerun_verdict",
    rerun_summary: "rerun_summary",
    rerun_at: "rerun_at_ms",
    created_at: "created_at_ms",
    failed_at: "failed_at_ms",
});

/// What went into what failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterInputs {
    /// Into the transform that failed; `None`: what the automation was given.
    pub transform: Option<Vec<u8>>,
    /// What the automation was given in the place of the event's payload, if something: a digest.
    pub carried: Option<Vec<u8>>,
}

record!(LetterInputs {
    transform: "input",
    carried: "carried",
});

/// Which dead letters are wanted.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    /// Only of this automation.
    pub automation: Option<AutomationId>,
    /// Only in this state.
    pub state: Option<LetterState>,
    /// Only with this verdict.
    pub verdict: Option<String>,
    /// Only of events that were accepted then or later.
    pub since: Option<Timestamp>,
    /// Only of events that were accepted before.
    pub until: Option<Timestamp>,
}

/// A letter that was run again.
#[derive(Debug, Clone)]
pub struct LetterRun {
    /// Which one.
    pub letter: DeadLetterId,
    /// By which version.
    pub version: i64,
    /// What became of it: the verdict's word.
    pub verdict: &'static str,
    /// A sentence.
    pub summary: String,
    /// What follows.
    pub outcome: LetterOutcome,
}

/// What follows from running a letter again.
#[derive(Debug, Clone)]
pub enum LetterOutcome {
    /// The automation did not fail: what it makes. Its verdicts are not written.
    Settled(Arc<NewPlan>),
    /// It failed again.
    Failed {
        /// Of a transform: its place, from 0.
        place: Option<u16>,
        /// What went into it; `None`: the event's payload.
        input: Option<Bytes>,
    },
}

const COLUMNS: &str = "id, event_id, automation_id, version, verdict, summary, place, failures, state, \
     rerun_version, rerun_verdict, rerun_summary, rerun_at_ms, created_at_ms, failed_at_ms";

impl Store {
    /// The dead letter with this id.
    pub async fn dead_letter(
        &self,
        account: AccountId,
        id: DeadLetterId,
    ) -> Result<Option<DeadLetter>, Error> {
        self.fetch_optional(
            &format!("SELECT {COLUMNS} FROM dead_letters WHERE account_id = $1 AND id = $2"),
            args![account, id],
        )
        .await
    }

    /// What went into what failed, exactly; nothing of it, if there is no such letter.
    pub async fn letter_inputs(
        &self,
        account: AccountId,
        id: DeadLetterId,
    ) -> Result<LetterInputs, Error> {
        let found = self
            .fetch_optional(
                "SELECT input, carried FROM dead_letters WHERE account_id = $1 AND id = $2",
                args![account, id],
            )
            .await?;
        Ok(found.unwrap_or_default())
    }

    /// A page of the account's dead letters, newest event first. Of those with one verdict at most
    /// [`SCANNED_ROWS_MAX`](crate::model::limits::SCANNED_ROWS_MAX) are looked at, so a page may be short, or
    /// empty, and have a next one.
    pub async fn dead_letters(
        &self,
        account: AccountId,
        filter: &DeadLetterFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<DeadLetter>, Error> {
        let (within, arguments) = such(account, filter, start(after));
        let scan = Scan {
            columns: COLUMNS,
            within,
            arguments,
            keep: filter
                .verdict
                .iter()
                .map(|verdict| Term::with("verdict = {}", verdict.as_str()))
                .collect(),
        };
        self.scan(scan, limit, |row: &DeadLetter| row.id.uuid())
            .await
    }

    /// Up to `limit` of the account's dead letters, whatever their verdicts: those first that have failed longest
    /// ago.
    pub async fn oldest_letters(
        &self,
        account: AccountId,
        filter: &DeadLetterFilter,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, Error> {
        let (within, arguments) = such(account, filter, start(None));
        let sql = format!("SELECT {COLUMNS} {within} ORDER BY failed_at_ms, id LIMIT {limit}");
        self.fetch(&sql, arguments).await
    }

    /// Discards a dead letter. Whether there was one.
    pub async fn discard_letter(
        &self,
        account: AccountId,
        id: DeadLetterId,
    ) -> Result<bool, Error> {
        let gone = self
            .execute(
                "DELETE FROM dead_letters WHERE account_id = $1 AND id = $2",
                args![account, id],
            )
            .await?;
        Ok(gone > 0)
    }

    /// Writes what came of running letters again: all of it or nothing. For each whether it was written: not, if
    /// the letter is not open any more.
    pub async fn write_reruns(
        &self,
        account: AccountId,
        runs: &[LetterRun],
        now: Timestamp,
    ) -> Result<Vec<bool>, Error> {
        let mut tx = self.begin().await?;
        let holder = self.own_holder();
        let settled = runs.iter().filter_map(LetterRun::plan).cloned();
        let batch = Batch {
            plans: settled.collect(),
            ..Batch::default()
        };
        let queues = order::lock(&mut tx, &batch).await?;
        // In the order of their ids, so that two of these can't wait for each other.
        let mut by_id: Vec<usize> = (0..runs.len()).collect();
        by_id.sort_by_key(|place| runs[*place].letter);
        let mut written = vec![false; runs.len()];
        let mut made = Vec::new();
        for place in by_id {
            let run = &runs[place];
            written[place] = settle(&mut tx, account, run, now).await? > 0;
            if written[place] {
                made.extend(run.plan().cloned());
            }
        }
        let plans: Vec<&NewPlan> = made.iter().map(Arc::as_ref).collect();
        plan::write_outputs(&mut tx, holder, &plans).await?;
        order::insert(&mut tx, &made).await?;
        order::release(&mut tx, queues).await?;
        let events = |plan: &&NewPlan| {
            let made: Vec<_> = emitted(account, now, &plan.consequences).collect();
            made
        };
        let made = plans.iter().flat_map(events).collect();
        made::write(&mut tx, holder, made).await?;
        tx.commit().await?;
        Ok(written)
    }
}

/// The letters before `end` that the filter lets through, but for their verdicts.
fn such(account: AccountId, filter: &DeadLetterFilter, end: Cursor) -> (String, Vec<Value>) {
    let before = filter.until.map(DeadLetterId::first_at);
    let end = end.min(before.map_or(Cursor::max(), DeadLetterId::uuid));
    let first = DeadLetterId::first_at(filter.since.unwrap_or(Timestamp::from_ms(0)));
    let mut arguments = args![account, end, first];
    let mut within = "FROM dead_letters WHERE account_id = $1 AND id < $2 AND id >= $3".to_owned();
    if let Some(automation) = filter.automation {
        arguments.push(automation.into());
        let _ = write!(within, " AND automation_id = ${}", arguments.len());
    }
    if let Some(state) = filter.state {
        let _ = write!(within, " AND state = '{}'", state.as_str());
    }
    (within, arguments)
}

impl LetterRun {
    /// What the automation makes, if it did not fail.
    fn plan(&self) -> Option<&Arc<NewPlan>> {
        match &self.outcome {
            LetterOutcome::Settled(plan) => Some(plan),
            LetterOutcome::Failed { .. } => None,
        }
    }
}

/// Writes the letter's new state, if it is open. How many rows that changed.
async fn settle(
    tx: &mut super::Tx,
    account: AccountId,
    run: &LetterRun,
    now: Timestamp,
) -> Result<u64, Error> {
    let (version, summary) = (run.version, run.summary.as_str());
    match &run.outcome {
        LetterOutcome::Settled(_) => {
            tx.execute(
                "UPDATE dead_letters SET state = 'rerun', rerun_version = $3, rerun_verdict = $4,
                   rerun_summary = $5, rerun_at_ms = $6
                 WHERE account_id = $1 AND id = $2 AND state = 'open'",
                args![account, run.letter, version, run.verdict, summary, now],
            )
            .await
        }
        LetterOutcome::Failed { place, input } => {
            tx.execute(
                "UPDATE dead_letters SET failures = failures + 1, version = $3, verdict = $4, summary = $5,
                   failed_at_ms = $6, place = $7, input = $8
                 WHERE account_id = $1 AND id = $2 AND state = 'open'",
                args![
                    account,
                    run.letter,
                    version,
                    run.verdict,
                    summary,
                    now,
                    place.map(i64::from),
                    input.clone()
                ],
            )
            .await
        }
    }
}
