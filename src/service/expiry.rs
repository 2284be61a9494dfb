//! What has expired goes: answers to writes with an idempotency key, the keys of events, the keys of flow
//! control, what that has held for too long, what came to receivers, and occurrences that have been on the ledger of a
//! schedule for 30 days.
//!
//! Bounded: one small transaction at a time, with a pause after it in which the events that wait are
//! written. Any number of nodes may do it at once: none waits for a row that another has in hand.

use std::convert::Infallible;

use super::{Error, Service};
use crate::model::limits::{FLOW_WAIT_MS_MAX, RECEIVED_MS_MAX};

/// Rows that go in one transaction, of each kind. Their keys are anywhere in the table, so each row is a page
/// to write: 100 take SQLite 2 ms of a processor, and 9 ms on a disk that is busy with other things.
const ROWS_MAX: usize = 100;
/// The pause after it, while there is more: with it at most 4,000 rows of each kind go in a second.
const PAUSE_MS: i64 = 25;
/// How long until it is seen whether more has expired.
const LOOK_MS: i64 = 60_000;

impl Service {
    /// Forgets what has expired, for as long as it is let.
    pub async fn forget_expired(&self) -> Infallible {
        let clock = &self.inner.clock;
        loop {
            let more = self.forget_some().await.unwrap_or_else(|error| {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what has expired can't be forgotten"
                );
                false
            });
            let pause_ms = if more { PAUSE_MS } else { LOOK_MS };
            clock.sleep_until(clock.now().plus_ms(pause_ms)).await;
        }
    }

    /// Whether there may be more.
    async fn forget_some(&self) -> Result<bool, Error> {
        let (store, now) = (&self.inner.store, self.inner.clock.now());
        let replies = store.forget_replies(now, ROWS_MAX).await?;
        let keys = store.forget_event_keys(now, ROWS_MAX).await?;
        let flow_keys = store.forget_flow_keys(now, ROWS_MAX).await?;
        let held_before = now.plus_ms(-FLOW_WAIT_MS_MAX);
        let held = store.give_up_held(held_before, ROWS_MAX).await?;
        let occurrences = store.forget_occurrences(now, ROWS_MAX).await?;
        let tallies = store.forget_tallies(now, ROWS_MAX).await?;
        let received_before = now.plus_ms(-RECEIVED_MS_MAX);
        let received = store.forget_received(received_before, ROWS_MAX).await?;
        let gone = [
            replies,
            keys,
            flow_keys,
            held,
            occurrences,
            received,
            tallies,
        ];
        Ok(gone.iter().any(|rows| *rows >= ROWS_MAX as u64))
    }
}
