//! Sending what a job has made, and waiting until it has left: nothing more is made before. While that takes long
//! the job is put off, and whoever takes it next looks again before anything else.

use std::time::Duration;

use serde::Serialize;

use super::Error;
use super::work::{End, Work};
use crate::model::{Clock, JobWait, RecoveryTally, RerunTally, Stopwatch};

/// How often it is looked whether what waits at an endpoint has left.
const LOOK_MS: i64 = 50;
/// For how long that keeps a place from others.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// For how long it is put off then: half as long as it has waited, within these bounds.
const PUT_OFF_MS: (i64, i64) = (1_000, 30_000);

/// What a job has come to that sends something.
pub(super) trait Sends: Serialize {
    /// What it waits for.
    fn waits(&mut self) -> &mut Option<JobWait>;
}

impl Sends for RerunTally {
    fn waits(&mut self) -> &mut Option<JobWait> {
        &mut self.waits
    }
}

impl Sends for RecoveryTally {
    fn waits(&mut self) -> &mut Option<JobWait> {
        &mut self.waits
    }
}

/// Has sent what was saved, and returns when nothing that is due waits at its endpoints; with how the job is left, if
/// it must stop before, or if that takes longer than `patience`.
pub(super) async fn send(
    work: &mut Work,
    tally: &mut impl Sends,
    patience: Duration,
) -> Result<Option<End>, Error> {
    let Some(mut waits) = tally.waits().take() else {
        return Ok(None);
    };
    let (node, account) = (work.node.clone(), work.row.account);
    for endpoint in &waits.endpoints {
        node.lanes.waits(account, *endpoint, node.clock.now());
    }
    let stopwatch = Stopwatch::start();
    while let Some(endpoint) = waits.endpoints.first().copied() {
        let now = node.clock.now();
        if !node.store.has_due(account, endpoint, now).await? {
            waits.endpoints.remove(&endpoint);
            continue;
        }
        if stopwatch.elapsed() >= patience {
            let until = now.plus_ms(put_off_ms(now.ms_since(waits.since)));
            *tally.waits() = Some(waits);
            work.keep(tally)?;
            return Ok(Some(End::Waits(until)));
        }
        // How long a receiver takes is a matter of real time.
        let real = Clock::System;
        tokio::select! {
            () = real.sleep_until(real.now().plus_ms(LOOK_MS)) => {}
            () = work.stop.cancelled() => return Ok(Some(End::Stopped)),
        }
    }
    Ok(work.stop.is_cancelled().then_some(End::Stopped))
}

/// For how long a job is put off that has waited so long.
fn put_off_ms(waited_ms: i64) -> i64 {
    let (least, most) = PUT_OFF_MS;
    (waited_ms / 2).clamp(least, most)
}
