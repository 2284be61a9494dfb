//! Jobs: work on what is past beside everything else. Versions are compared on past events ([`backtest`]), these
//! are followed once more ([`rerun`]), or deliveries are sent after all ([`recovery`]).
//!
//! # What holds
//!
//! - A job is a row that says how far it has come. What it makes is written with that, in one commit: whoever
//!   dies over it, another life goes on from there, and nothing is made twice.
//! - Of an account one is under way at a time, whichever node is at it; a node is at a few.
//! - It comes after everything else: its evaluations are the workers' quiet turns, what it reads it reads in
//!   bounded pieces, and what it sends waits until what is there has left.
//! - One that must wait is let go and put off: it keeps no place from others, and its account's next one may come.
//! - It costs a bounded time of evaluation, and one that ends its node again and again at one event is given up.
//! - Whoever calls it off, on whichever node, sees it cancelled at once, and nothing more is made of it.

mod backtest;
mod calls;
mod compare;
mod missed;
mod recovery;
mod rerun;
mod send;
mod slice;
mod unsubscribed;
mod walk;
mod work;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

pub(super) use calls::Calls;
use work::{End, Work};

use super::node::Node;
use super::{Pipeline, SnapshotError, store};
use crate::model::{AccountId, Job, JobId, Timestamp};
use crate::store::JobRow;

/// Jobs that a node is at, at a time.
const JOBS_AT_ONCE_MAX: usize = 2;
/// How often a node looks for what others were given or have left.
const LOOK_SHARED_MS: i64 = 1_000;
const LOOK_ALONE_MS: i64 = 60_000;

/// Why a job was not gone on with.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The store could not.
    #[error("the job can't be read or saved")]
    Store(#[from] store::Error),
    /// A version can't be made ready at the moment.
    #[error("a version can't be made ready at the moment")]
    Snapshot(#[from] SnapshotError),
    /// The sandbox could not run something this time.
    #[error("an event can't be looked at the moment: {0}")]
    NotNow(String),
    /// What is stored of it can't be read, or not written.
    #[error("what is stored of the job can't be read")]
    Tally(#[from] serde_json::Error),
}

impl Pipeline {
    /// A job was given: it is begun as soon as there is a place for it.
    pub fn look_for_jobs(&self) {
        self.node.jobs.call(&self.node.busy);
    }

    /// A job was called off: if this node is at it, it stops, and the account's next one begins.
    pub fn call_off_job(&self, id: JobId) {
        self.node.jobs.call_off(id);
        self.look_for_jobs();
    }
}

/// Looks for jobs and goes on with them, until the incarnation ends.
pub(super) async fn run(node: Arc<Node>) {
    let places = Arc::new(Semaphore::new(JOBS_AT_ONCE_MAX));
    let look_ms = if node.store.is_shared() {
        LOOK_SHARED_MS
    } else {
        LOOK_ALONE_MS
    };
    while !node.is_closing() {
        let held = node.jobs.answer();
        let put_off = take(&node, &places).await.unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "can't look for jobs"
            );
            None
        });
        drop(held);
        let later = node.clock.now().plus_ms(look_ms);
        let until = put_off.map_or(later, |put_off| put_off.min(later));
        tokio::select! {
            () = node.jobs.called() => {}
            () = node.clock.sleep_until(until) => {}
        }
    }
}

/// Takes as many as there are places for. Until when the next one is put off that may be taken then, if there is a
/// place for it: whoever gives his back calls.
async fn take(
    node: &Arc<Node>,
    places: &Arc<Semaphore>,
) -> Result<Option<Timestamp>, store::Error> {
    let free = places.available_permits();
    if free == 0 {
        return Ok(None);
    }
    let (store, now) = (&node.store, node.clock.now());
    if store.has_jobs(now).await? {
        for row in store.take_jobs(node.holder, free, now).await? {
            // Only this loop takes places.
            if let Ok(place) = places.clone().try_acquire_owned() {
                begin(node, row, place);
            }
        }
    }
    store.first_put_off(now).await
}

/// Goes on with it for as long as it is this node's. A panic in it is its end, and not the node's: every other node
/// would end over it, too.
fn begin(node: &Arc<Node>, row: JobRow, place: OwnedSemaphorePermit) {
    let (node, held) = (node.clone(), node.busy.hold());
    let (account, id) = (row.account, row.id);
    let stop = node.jobs.begin(id);
    node.clone().spawn(async move {
        tracing::info!(account.id = %account, job.id = %id, kind = row.kind, "a job begins");
        let going = AssertUnwindSafe(go_on(&node, row, &stop)).catch_unwind();
        if going.await.is_err() {
            give_up(&node, account, id).await;
        }
        node.jobs.end(id);
        drop(place);
        // The account may have another one.
        node.jobs.call(&node.busy);
        drop(held);
    });
}

/// Goes on from where it was saved, again and again while something is missing that comes back.
async fn go_on(node: &Arc<Node>, mut row: JobRow, stop: &CancellationToken) {
    let lives = row.lives;
    loop {
        let (account, id) = (row.account, row.id);
        let mut work = Work::new(node.clone(), row, stop.clone());
        let Err(error) = do_it(&mut work).await else {
            return;
        };
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            account.id = %account,
            job.id = %id,
            "a job waits"
        );
        row = loop {
            tokio::select! {
                () = node.pause() => {}
                () = stop.cancelled() => {}
            }
            match node.store.job(account, id).await {
                Ok(Some(row)) if row.is_open() && row.holder == Some(node.holder) => break row,
                Ok(_) => return,
                // Whoever comes next takes over what this life held.
                Err(_) if stop.is_cancelled() => return,
                Err(_not_now) => {}
            }
        };
        // This life is counted once.
        row.lives = row.lives.min(lives);
    }
}

async fn do_it(work: &mut Work) -> Result<(), Error> {
    if let Some(why) = work.is_deadly() {
        return work.end(End::Failed(why)).await;
    }
    let done = match serde_json::from_str(&work.row.request) {
        Ok(Job::Backtest(asked)) => backtest::run(work, &asked).await,
        Ok(Job::Rerun(asked)) => rerun::run(work, &asked).await,
        Ok(Job::Recovery(asked)) => recovery::run(work, &asked).await,
        Err(error) => Err(Error::Tally(error)),
    };
    let end = match done {
        Err(Error::Tally(error)) => {
            End::Failed(format!("what is stored of it can't be read: {error}"))
        }
        done => done?,
    };
    work.end(end).await
}

/// Ends a job that has broken off.
async fn give_up(node: &Arc<Node>, account: AccountId, id: JobId) {
    tracing::error!(account.id = %account, job.id = %id, "a job broke off");
    let found = node.store.job(account, id).await;
    if let Ok(Some(row)) = found {
        let mut work = Work::new(node.clone(), row, CancellationToken::new());
        let why = "it broke off: this is a defect of the server, which its log describes";
        if let Err(error) = work.end(End::Failed(why.to_owned())).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, job.id = %id, "a job that broke off can't be ended");
        }
    }
}
