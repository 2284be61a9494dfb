//! Turns to read lists. A list costs the database more than anything else that can be asked: a few are read
//! at a time, fewer for one account, and of those that would have to wait for long none is let in. So
//! one account's lists are not what another's wait for, and what is no list waits for none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Error, Service};
use crate::model::{AccountId, Clock};

/// Lists that are read at a time: fewer than the doors have connections, since what is no list needs one.
const READ_MAX: usize = 4;
/// Lists of one account that are read at a time.
const READ_PER_ACCOUNT_MAX: usize = 2;
/// Lists of one account that are read or wait.
const WAITING_PER_ACCOUNT_MAX: usize = 32;
/// How long to wait for a turn.
const WAIT_MS: i64 = 10_000;
/// Accounts after which those that read nothing are forgotten.
const ACCOUNTS_KEPT_MAX: usize = 1_000;

/// Who reads.
#[derive(Debug)]
pub(super) struct Turns {
    all: Arc<Semaphore>,
    accounts: Mutex<HashMap<AccountId, Own>>,
}

/// One account's.
#[derive(Debug, Clone)]
struct Own {
    room: Arc<Semaphore>,
    reading: Arc<Semaphore>,
}

/// The turn to read a list, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _all: OwnedSemaphorePermit,
    _reading: OwnedSemaphorePermit,
    _room: OwnedSemaphorePermit,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(READ_MAX)),
            accounts: Mutex::default(),
        }
    }
}

impl Turns {
    /// Waits for a turn. [`Error::Crowded`] if too many of the account wait already, or for too long.
    pub(super) async fn turn(&self, clock: &Clock, account: AccountId) -> Result<Turn, Error> {
        let own = self.own(account);
        let room = own.room.try_acquire_owned().map_err(|_| Error::Crowded)?;
        let turn = async {
            let open = "the semaphore is never closed";
            Turn {
                _reading: own.reading.acquire_owned().await.expect(open),
                _all: self.all.clone().acquire_owned().await.expect(open),
                _room: room,
            }
        };
        tokio::select! {
            biased;
            turn = turn => Ok(turn),
            () = clock.sleep_until(clock.now().plus_ms(WAIT_MS)) => Err(Error::Crowded),
        }
    }

    fn own(&self, account: AccountId) -> Own {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() > ACCOUNTS_KEPT_MAX {
            let reads = |own: &Own| own.room.available_permits() < WAITING_PER_ACCOUNT_MAX;
            accounts.retain(|_, own| reads(own));
        }
        let new = || Own {
            room: Arc::new(Semaphore::new(WAITING_PER_ACCOUNT_MAX)),
            reading: Arc::new(Semaphore::new(READ_PER_ACCOUNT_MAX)),
        };
        accounts.entry(account).or_insert_with(new).clone()
    }
}

impl Service {
    /// Waits for a turn to read a list of this account's.
    pub(super) async fn list_turn(&self, account: AccountId) -> Result<Turn, Error> {
        self.inner.turns.turn(&self.inner.clock, account).await
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
    async fn an_account_waits_for_its_own_lists_and_not_for_ever() {
        let hand = ManualClock::new(Timestamp::from_ms(0));
        let (clock, turns) = (Clock::Manual(hand.clone()), Turns::default());
        let mut taken = Vec::new();
        for _ in 0..READ_PER_ACCOUNT_MAX {
            taken.push(turns.turn(&clock, account(1)).await.expect("a turn"));
        }
        let mut waiting: Vec<_> = (READ_PER_ACCOUNT_MAX..WAITING_PER_ACCOUNT_MAX)
            .map(|_| Box::pin(turns.turn(&clock, account(1))))
            .collect();
        for waits in &mut waiting {
            assert!(waits.now_or_never().is_none());
        }
        let too_many = turns.turn(&clock, account(1)).now_or_never();
        assert!(matches!(too_many, Some(Err(Error::Crowded))));
        let other = turns.turn(&clock, account(2)).now_or_never();
        other.expect("it does not wait").expect("a turn");

        taken.pop();
        let next = waiting.remove(0).await.expect("it was waited for");
        hand.advance(Duration::from_millis(WAIT_MS as u64));
        assert!(matches!(waiting.remove(0).await, Err(Error::Crowded)));
        drop((taken, next));
    }

    #[tokio::test]
    async fn all_accounts_together_leave_connections_to_others() {
        let (clock, turns) = (Clock::System, Turns::default());
        let mut taken = Vec::new();
        for no in 0..READ_MAX as u128 {
            taken.push(turns.turn(&clock, account(no)).await.expect("a turn"));
        }
        assert!(turns.turn(&clock, account(99)).now_or_never().is_none());
        taken.pop();
        let turn = turns.turn(&clock, account(99)).now_or_never();
        turn.expect("it does not wait").expect("a turn");
    }

    #[test]
    fn accounts_that_read_nothing_are_forgotten() {
        let turns = Turns::default();
        for no in 0..3 * ACCOUNTS_KEPT_MAX as u128 {
            turns.own(account(no));
        }
        assert!(turns.accounts.lock().expect("unbroken").len() <= ACCOUNTS_KEPT_MAX + 1);
    }
}
