//! Turns at what is dear: to read a list or export it, which costs the database more than anything else that can be
//! asked, to upload a component, to make a key pair, to have schemas compiled, to try an automation, to have
//! a plugin make an event of a request, and to ping a URL. A few are at it at a time, fewer for one account, and of those
//! that would have to wait for long none is let in. So one account is not what another waits for, and
//! who asks again and again comes after those who have waited meanwhile.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Error, Service};
use crate::model::{AccountId, Clock, Shares};
use crate::pipeline::Full;

/// How many there may be of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct TurnLimits {
    /// At a time.
    pub(super) all_max: usize,
    /// Of one account at a time.
    pub(super) account_max: usize,
    /// Of one account, those that wait counted in.
    pub(super) account_waiting_max: usize,
    /// How long to wait for a turn.
    pub(super) wait_ms: i64,
}

/// Lists: fewer than the doors have connections, since what is no list needs one.
pub(super) const LISTS: TurnLimits = TurnLimits {
    all_max: 4,
    account_max: 2,
    account_waiting_max: 32,
    wait_ms: 10_000,
};

/// Components that are read, or wait to be compiled.
pub(super) const UPLOADS: TurnLimits = TurnLimits {
    all_max: 2,
    account_max: 1,
    account_waiting_max: 4,
    wait_ms: 10_000,
};

/// Key pairs that are made: an RSA one takes some tenths of a second.
pub(super) const KEY_PAIRS: TurnLimits = TurnLimits {
    all_max: 2,
    account_max: 1,
    account_waiting_max: 32,
    wait_ms: 10_000,
};

/// Key sets, which anybody may ask for.
pub(super) const KEY_SETS: TurnLimits = TurnLimits {
    all_max: 2,
    account_max: 1,
    account_waiting_max: 16,
    wait_ms: 5_000,
};

/// Automations that are tried.
pub(super) const TRIALS: TurnLimits = TurnLimits {
    all_max: 4,
    account_max: 1,
    account_waiting_max: 8,
    wait_ms: 10_000,
};

/// Schemas of event types that are compiled to be saved: one document may have many.
pub(super) const SCHEMAS: TurnLimits = TurnLimits {
    all_max: 2,
    account_max: 1,
    account_waiting_max: 64,
    wait_ms: 10_000,
};

/// Requests to sources of which plugins make events: more than there are threads for them, so that none of those
/// waits for the next.
pub(super) const MAPPINGS: TurnLimits = TurnLimits {
    all_max: 32,
    account_max: 4,
    account_waiting_max: 32,
    wait_ms: 5_000,
};

/// Exports: each has a page of rows in memory for as long as whoever reads it takes.
pub(super) const EXPORTS: TurnLimits = TurnLimits {
    all_max: 8,
    account_max: 1,
    account_waiting_max: 4,
    wait_ms: 10_000,
};

/// URLs that are pinged: each may take ten seconds.
pub(super) const VALIDATIONS: TurnLimits = TurnLimits {
    all_max: 16,
    account_max: 2,
    account_waiting_max: 8,
    wait_ms: 10_000,
};

/// Who is at it.
#[derive(Debug)]
pub(super) struct Turns {
    limits: TurnLimits,
    all: Arc<Semaphore>,
    accounts: Shares<AccountId>,
    waiting: Shares<AccountId>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
    _waiting: OwnedSemaphorePermit,
}

impl Turns {
    pub(super) fn new(limits: TurnLimits) -> Self {
        Self {
            limits,
            all: Arc::new(Semaphore::new(limits.all_max)),
            accounts: Shares::new(limits.account_max),
            waiting: Shares::new(limits.account_waiting_max),
        }
    }

    /// Waits for a turn. If too many of the account wait already, or for too long: who has them all.
    pub(super) async fn turn(&self, clock: &Clock, account: AccountId) -> Result<Turn, Full> {
        let open = "the semaphore is never closed";
        let waiting = self.waiting.of(account).try_acquire_owned();
        let waiting = waiting.map_err(|_| Full::Account)?;
        let until = clock.now().plus_ms(self.limits.wait_ms);
        let own = tokio::select! {
            biased;
            own = self.accounts.of(account).acquire_owned() => own.expect(open),
            () = clock.sleep_until(until) => return Err(Full::Account),
        };
        let all = tokio::select! {
            biased;
            all = self.all.clone().acquire_owned() => all.expect(open),
            () = clock.sleep_until(until) => return Err(Full::Server),
        };
        Ok(Turn {
            _all: all,
            _own: own,
            _waiting: waiting,
        })
    }
}

impl Service {
    /// Waits for a turn to read a list of this account's.
    pub(super) async fn list_turn(&self, account: AccountId) -> Result<Turn, Error> {
        let turn = self.inner.lists.turn(&self.inner.clock, account).await;
        turn.map_err(|_full| Error::Crowded)
    }

    /// Waits for a turn to export something of this account's.
    pub(super) async fn export_turn(&self, account: AccountId) -> Result<Turn, Error> {
        let turn = self.inner.exports.turn(&self.inner.clock, account).await;
        turn.map_err(|_full| Error::Crowded)
    }

    /// Waits for a turn to have a key pair made.
    pub(super) async fn key_pair_turn(&self, account: AccountId) -> Result<Turn, Error> {
        let turn = self.inner.key_pairs.turn(&self.inner.clock, account).await;
        turn.map_err(Error::MakingKeys)
    }

    /// Waits for a turn to read the key set of an account, apart from what its owner reads.
    pub(super) async fn key_set_turn(&self, account: AccountId) -> Result<Turn, Error> {
        let turn = self.inner.key_sets.turn(&self.inner.clock, account).await;
        turn.map_err(|_full| Error::Crowded)
    }

    /// Waits for a turn to have schemas of this account's compiled.
    pub(super) async fn schema_turn(&self, account: AccountId) -> Result<Turn, Error> {
        let turn = self.inner.schemas.turn(&self.inner.clock, account).await;
        turn.map_err(Error::NoRoom)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::model::{ManualClock, Timestamp};

    fn account(no: u128) -> AccountId {
        AccountId::from_uuid(uuid::Uuid::from_u128(no))
    }

    #[tokio::test]
    async fn an_account_waits_for_its_own_turns_and_not_for_ever() {
        let all = [
            LISTS,
            EXPORTS,
            UPLOADS,
            KEY_PAIRS,
            KEY_SETS,
            TRIALS,
            SCHEMAS,
            MAPPINGS,
            VALIDATIONS,
        ];
        for limits in all {
            let hand = ManualClock::new(Timestamp::from_ms(0));
            let (clock, turns) = (Clock::Manual(hand.clone()), Turns::new(limits));
            let mut taken = Vec::new();
            for _ in 0..limits.account_max {
                taken.push(turns.turn(&clock, account(1)).await.expect("a turn"));
            }
            let mut waiting: Vec<_> = (limits.account_max..limits.account_waiting_max)
                .map(|_| Box::pin(turns.turn(&clock, account(1))))
                .collect();
            for waits in &mut waiting {
                assert!(waits.now_or_never().is_none());
            }
            let too_many = turns.turn(&clock, account(1)).now_or_never();
            assert!(matches!(too_many, Some(Err(Full::Account))));
            let other = turns.turn(&clock, account(2)).now_or_never();
            other.expect("it does not wait").expect("a turn");

            taken.pop();
            let next = waiting.remove(0).await.expect("it was waited for");
            hand.advance(Duration::from_millis(limits.wait_ms as u64));
            assert!(matches!(waiting.remove(0).await, Err(Full::Account)));
            drop((taken, next));
        }
    }

    #[tokio::test]
    async fn all_accounts_together_have_their_bound() {
        let hand = ManualClock::new(Timestamp::from_ms(0));
        let (clock, turns) = (Clock::Manual(hand.clone()), Turns::new(LISTS));
        let mut taken = Vec::new();
        for no in 0..LISTS.all_max as u128 {
            taken.push(turns.turn(&clock, account(no)).await.expect("a turn"));
        }
        let mut late = Box::pin(turns.turn(&clock, account(99)));
        assert!((&mut late).now_or_never().is_none());
        hand.advance(Duration::from_millis(LISTS.wait_ms as u64));
        assert!(matches!(late.await, Err(Full::Server)));
        taken.pop();
        let turn = turns.turn(&clock, account(99)).now_or_never();
        turn.expect("it does not wait").expect("a turn");
    }

    #[tokio::test]
    async fn who_comes_again_comes_after_those_who_wait() {
        let (clock, turns) = (Clock::System, Turns::new(UPLOADS));
        let [loud, other, calm] = [1, 2, 3].map(account);
        let first = turns.turn(&clock, loud).await.expect("a turn");
        let _second = turns.turn(&clock, other).await.expect("a turn");
        let mut again = Box::pin(turns.turn(&clock, loud));
        assert!((&mut again).now_or_never().is_none());
        let mut waits = Box::pin(turns.turn(&clock, calm));
        assert!((&mut waits).now_or_never().is_none());
        drop(first);
        assert!(
            (&mut again).now_or_never().is_none(),
            "though it came first"
        );
        waits.await.expect("its turn");
        again.await.expect("then its turn");
    }
}
