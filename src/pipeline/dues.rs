//! When what waits for its time is due, account by account: who is due gets a turn, one at a time for each
//! account and a few at a time in all, so that nobody's outputs keep others' waiting. What is in a turn is
//! bounded, and in memory only until its plans are written.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::busy::{Busy, Held};
use crate::model::{AccountId, Timestamp};

/// Most accounts that have their turn at the same moment.
const TURNS_MAX: usize = 8;

#[derive(Debug, Default)]
struct State {
    /// Accounts without a turn, by due time.
    order: BTreeSet<(Timestamp, AccountId)>,
    due: HashMap<AccountId, Timestamp>,
    /// Accounts that have their turn, and what was heard of them meanwhile.
    turns: HashMap<AccountId, Option<Timestamp>>,
}

/// The due times that this node knows. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Dues {
    state: Arc<Mutex<State>>,
    wake: Arc<Notify>,
    busy: Busy,
}

/// An account's turn: until the last of what it has brought is planned or let go.
#[derive(Debug)]
pub(super) struct DueTurn {
    dues: Dues,
    pub(super) account: AccountId,
    next: Mutex<Option<Timestamp>>,
    _held: Held,
}

impl Dues {
    pub(super) fn new(busy: Busy) -> Self {
        Self {
            state: Arc::default(),
            wake: Arc::default(),
            busy,
        }
    }

    /// Something of the account waits in the store until `due`. Call it after the commit.
    pub(super) fn waits(&self, account: AccountId, due: Timestamp) {
        self.lock().waits(account, due);
        self.wake.notify_one();
    }

    /// A turn for the account that has been due for longest, if there is one and a place is free.
    pub(super) fn turn(&self, now: Timestamp) -> Option<DueTurn> {
        let mut state = self.lock();
        if state.turns.len() >= TURNS_MAX {
            return None;
        }
        let first = *state.order.first().filter(|(due, _)| *due <= now)?;
        let account = first.1;
        state.order.remove(&first);
        state.due.remove(&account);
        state.turns.insert(account, None);
        Some(DueTurn {
            dues: self.clone(),
            account,
            next: Mutex::default(),
            _held: self.busy.hold(),
        })
    }

    /// When the next turn can begin; `None`, if something must happen first.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let state = self.lock();
        if state.turns.len() >= TURNS_MAX {
            return None;
        }
        state.order.first().map(|(due, _)| *due)
    }

    /// Whether nothing is due by `now`, as far as is known.
    pub(super) fn nothing_due(&self, now: Timestamp) -> bool {
        let state = self.lock();
        state.turns.is_empty() && state.order.first().is_none_or(|(due, _)| *due > now)
    }

    /// Returns after something changed that may make a turn possible.
    pub(super) async fn changed(&self) {
        self.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn waits(&mut self, account: AccountId, due: Timestamp) {
        if let Some(heard) = self.turns.get_mut(&account) {
            *heard = Some(heard.map_or(due, |known| known.min(due)));
            return;
        }
        let known = self.due.get(&account).copied();
        if known.is_some_and(|known| known <= due) {
            return;
        }
        if let Some(known) = known {
            self.order.remove(&(known, account));
        }
        self.due.insert(account, due);
        self.order.insert((due, account));
    }
}

impl DueTurn {
    /// More of the account waits until then.
    pub(super) fn then(&self, next: Option<Timestamp>) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

impl Drop for DueTurn {
    fn drop(&mut self) {
        let next = *self.next.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.dues.lock();
        let heard = state.turns.remove(&self.account).flatten();
        for due in [next, heard].into_iter().flatten() {
            state.waits(self.account, due);
        }
        drop(state);
        self.dues.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000);

    #[test]
    fn an_account_has_one_turn_at_a_time_and_nothing_is_forgotten() {
        let dues = Dues::new(Busy::default());
        let (one, other) = (AccountId::mint(NOW), AccountId::mint(NOW));
        dues.waits(one, NOW.plus_ms(5));
        dues.waits(one, NOW);
        dues.waits(one, NOW.plus_ms(9));
        assert_eq!(dues.next(), Some(NOW), "the earliest counts");
        let turn = dues.turn(NOW).expect("a turn");
        dues.waits(one, NOW);
        assert!(dues.turn(NOW).is_none() && !dues.nothing_due(NOW));
        dues.waits(other, NOW);
        assert_eq!(dues.turn(NOW).expect("the other's").account, other);
        turn.then(Some(NOW.plus_ms(7)));
        drop(turn);
        let turn = dues.turn(NOW).expect("what was heard meanwhile");
        turn.then(Some(NOW.plus_ms(7)));
        drop(turn);
        assert!(dues.nothing_due(NOW) && dues.busy.is_idle());
        assert_eq!(dues.next(), Some(NOW.plus_ms(7)));
    }

    #[test]
    fn a_few_accounts_have_their_turn_the_others_wait() {
        let dues = Dues::new(Busy::default());
        for _ in 0..=TURNS_MAX {
            dues.waits(AccountId::mint(NOW), NOW);
        }
        let mut turns: Vec<_> = std::iter::from_fn(|| dues.turn(NOW)).collect();
        assert_eq!((turns.len(), dues.next()), (TURNS_MAX, None));
        turns.pop();
        assert_eq!(dues.next(), Some(NOW));
    }
}
