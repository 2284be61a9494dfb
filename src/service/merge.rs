//! Changes that are laid over what is there: read, merged, and written only if nobody else wrote
//! meanwhile. If somebody did, what they wrote is read, and the change is laid over that: one after the other of an
//! account's, so that however many come at once, each has its turn.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Error, Service};
use crate::model::{AccountId, Clock};
use crate::store;

/// How often a change is laid over what is there. Each time that it has to be done again, another
/// change of the same thing was kept.
const MERGES_MAX: u32 = 50;
/// Changes of one account that are laid over what is there again, at a time.
pub(super) const AGAIN_MAX: usize = 1;
/// How long one waits for that.
const LINE_MS: i64 = 10_000;

/// How often a change was laid over what is there.
#[derive(Debug, Default)]
pub(super) struct Merges {
    made: u32,
    /// Where those wait who were overtaken; `None`: nowhere.
    line: Option<(Clock, Arc<Semaphore>)>,
    turn: Option<OwnedSemaphorePermit>,
}

impl Merges {
    /// Whether to do it again: somebody else was faster. Whoever asks has no transaction open, and nothing that
    /// others need for theirs.
    pub(super) async fn go_on<T>(&mut self, merged: &Result<T, Error>) -> bool {
        self.made += 1;
        let overtaken = matches!(merged, Err(Error::Store(store::Error::Raced)));
        if !overtaken || self.made >= MERGES_MAX {
            return false;
        }
        if self.turn.is_none()
            && let Some((clock, line)) = &self.line
        {
            let until = clock.now().plus_ms(LINE_MS);
            self.turn = tokio::select! {
                biased;
                turn = line.clone().acquire_owned() => turn.ok(),
                () = clock.sleep_until(until) => return false,
            };
        }
        true
    }
}

impl Service {
    /// For a change in this account.
    pub(super) fn merges(&self, account: AccountId) -> Merges {
        Merges {
            line: Some((self.inner.clock.clone(), self.inner.merging.of(account))),
            ..Merges::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::model::{ManualClock, Timestamp};

    fn overtaken() -> Result<(), Error> {
        Err(Error::Store(store::Error::Raced))
    }

    #[tokio::test]
    async fn only_who_was_overtaken_goes_on_and_not_for_ever() {
        let mut merges = Merges::default();
        assert!(merges.go_on(&overtaken()).await);
        assert!(!merges.go_on(&Ok(())).await);
        let gone = Err::<(), _>(Error::NotFound("endpoint"));
        assert!(!merges.go_on(&gone).await);
        let mut rounds = 0;
        while merges.go_on(&overtaken()).await {
            rounds += 1;
        }
        assert!(rounds < MERGES_MAX);
    }

    #[tokio::test]
    async fn who_was_overtaken_waits_in_line_and_not_for_ever() {
        let hand = ManualClock::new(Timestamp::from_ms(0));
        let line = Arc::new(Semaphore::new(AGAIN_MAX));
        let merges = || Merges {
            line: Some((Clock::Manual(hand.clone()), line.clone())),
            ..Merges::default()
        };
        let (mut first, mut second, mut third) = (merges(), merges(), merges());
        assert!(first.go_on(&overtaken()).await);
        assert!(first.go_on(&overtaken()).await, "it has its turn");
        let raced = overtaken();
        {
            let mut waits = Box::pin(second.go_on(&raced));
            assert!((&mut waits).now_or_never().is_none());
            drop(first);
            assert!(waits.await);
        }
        let mut waits = Box::pin(third.go_on(&raced));
        assert!((&mut waits).now_or_never().is_none());
        hand.advance(Duration::from_millis(LINE_MS as u64));
        assert!(!waits.await);
    }
}
