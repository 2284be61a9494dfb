//! Permits bound what is between acceptance and plan, in events and in bytes, for the account
//! before the server: one account's flood is refused while others are served. Slow endpoints never
//! use them up: a planned event gives its permit back, and its deliveries wait in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::busy::{Busy, Held};
pub(super) use super::slot_share::{Ask, Way};
use crate::model::AccountId;

/// How much may be between acceptance and plan.
#[derive(Debug, Clone, Copy)]
pub struct PermitLimits {
    /// Events of the whole server.
    pub events_max: usize,
    /// Bytes of payload of the whole server.
    pub bytes_max: usize,
    /// The part of both that one account may have, in percent.
    pub account_pct: usize,
}

impl Default for PermitLimits {
    fn default() -> Self {
        Self {
            events_max: 8192,
            bytes_max: 64 * 1024 * 1024,
            account_pct: 50,
        }
    }
}

/// Whose share is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The account's.
    Account,
    /// The server's.
    Server,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Use {
    pub(super) events: usize,
    pub(super) bytes: usize,
    pub(super) accepted: usize,
    /// What of it came from the store.
    pub(super) claimed: (usize, usize),
}

#[derive(Debug, Default)]
struct Uses {
    server: Use,
    accounts: HashMap<AccountId, Use>,
    /// Who waits for room, about.
    waiting: usize,
}

/// What is given out.
#[derive(Debug, Clone)]
pub(super) struct Permits {
    limits: PermitLimits,
    uses: Arc<Mutex<Uses>>,
    freed: Arc<Notify>,
    busy: Busy,
}

/// One event's leave to be between acceptance and plan. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Permit {
    permits: Permits,
    account: AccountId,
    bytes: usize,
    accepted: bool,
    way: Way,
    _held: Held,
}

impl Permits {
    pub(super) fn new(limits: PermitLimits, busy: Busy) -> Self {
        Self {
            limits,
            uses: Arc::default(),
            freed: Arc::default(),
            busy,
        }
    }

    /// A permit for one event of `bytes`, or whose share is used up.
    pub(super) fn take(&self, account: AccountId, bytes: usize) -> Result<Permit, Full> {
        let mut uses = self.lock();
        let own = uses.accounts.get(&account).copied().unwrap_or_default();
        let share = |whole: usize| whole * self.limits.account_pct / 100;
        if !fits(
            own,
            bytes,
            share(self.limits.events_max),
            share(self.limits.bytes_max),
        ) {
            return Err(Full::Account);
        }
        if !fits(
            uses.server,
            bytes,
            self.limits.events_max,
            self.limits.bytes_max,
        ) {
            return Err(Full::Server);
        }
        Ok(self.give(&mut uses, account, (bytes, Way::Fresh)))
    }

    /// A permit for a delivery's slot, if the account's share and the server have room for it.
    pub(super) fn take_slot(&self, account: AccountId, ask: Ask) -> Option<Permit> {
        let mut uses = self.lock();
        let own = uses.accounts.get(&account).copied().unwrap_or_default();
        let has_room = ask.has_room(own, uses.server, self.limits);
        has_room.then(|| self.give(&mut uses, account, (ask.bytes, ask.way)))
    }

    /// A permit for what was accepted before: it can't be refused any more.
    pub(super) fn take_over(&self, account: AccountId, bytes: usize) -> Permit {
        let mut permit = self.give(&mut self.lock(), account, (bytes, Way::Fresh));
        permit.accepted();
        permit
    }

    /// Returns when so many bytes more fit into the account's share and the server's: what waits with nothing in
    /// memory may be read then. With nothing of the account's in memory it always may.
    pub(super) async fn until_room(&self, account: AccountId, bytes: usize) {
        loop {
            let freed = self.freed.notified();
            let mut freed = std::pin::pin!(freed);
            // From now on nothing is missed.
            freed.as_mut().enable();
            if self.has_room(account, bytes) {
                return;
            }
            self.lock().waiting += 1;
            freed.await;
            self.lock().waiting -= 1;
        }
    }

    fn has_room(&self, account: AccountId, bytes: usize) -> bool {
        let uses = self.lock();
        let own = uses.accounts.get(&account).map_or(0, |own| own.bytes);
        let share = self.limits.bytes_max * self.limits.account_pct / 100;
        own == 0 || (own + bytes <= share && uses.server.bytes + bytes <= self.limits.bytes_max)
    }

    /// How many of the account's events are accepted and not yet planned.
    pub(super) fn accepted(&self, account: AccountId) -> usize {
        let uses = self.lock();
        uses.accounts.get(&account).map_or(0, |own| own.accepted)
    }

    fn give(&self, uses: &mut Uses, account: AccountId, (bytes, way): (usize, Way)) -> Permit {
        let Uses {
            server, accounts, ..
        } = uses;
        for used in [server, accounts.entry(account).or_default()] {
            used.events += 1;
            used.bytes += bytes;
            if way == Way::Claimed {
                used.claimed.0 += 1;
                used.claimed.1 += bytes;
            }
        }
        Permit {
            permits: self.clone(),
            account,
            bytes,
            accepted: false,
            way,
            _held: self.busy.hold(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Uses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A single event always fits into an empty share, however large it is.
fn fits(used: Use, bytes: usize, events_max: usize, bytes_max: usize) -> bool {
    used.events == 0 || (used.events < events_max && used.bytes + bytes <= bytes_max)
}

impl Permit {
    /// What was made of its event takes so many bytes more, which nobody is refused any more.
    pub(super) fn grow(&mut self, bytes: usize) {
        let mut uses = self.permits.lock();
        uses.server.bytes += bytes;
        if let Some(own) = uses.accounts.get_mut(&self.account) {
            own.bytes += bytes;
        }
        self.bytes += bytes;
    }

    /// What it is for turned out to have so many bytes.
    pub(super) fn weigh(&mut self, bytes: usize) {
        let mut uses = self.permits.lock();
        let Uses {
            server, accounts, ..
        } = &mut *uses;
        for used in [Some(server), accounts.get_mut(&self.account)]
            .into_iter()
            .flatten()
        {
            used.bytes = used.bytes - self.bytes + bytes;
            if self.way == Way::Claimed {
                used.claimed.1 = used.claimed.1 - self.bytes + bytes;
            }
        }
        let waiting = uses.waiting > 0;
        drop(uses);
        self.bytes = bytes;
        if waiting {
            self.permits.freed.notify_waiters();
        }
    }

    /// Its event is durable.
    pub(super) fn accepted(&mut self) {
        let mut uses = self.permits.lock();
        if let Some(own) = uses.accounts.get_mut(&self.account)
            && !std::mem::replace(&mut self.accepted, true)
        {
            own.accepted += 1;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut uses = self.permits.lock();
        let Uses {
            server, accounts, ..
        } = &mut *uses;
        let own = accounts.get_mut(&self.account);
        for used in [Some(server), own].into_iter().flatten() {
            used.events -= 1;
            used.bytes -= self.bytes;
            if self.way == Way::Claimed {
                used.claimed.0 -= 1;
                used.claimed.1 -= self.bytes;
            }
        }
        if let Some(own) = accounts.get_mut(&self.account) {
            own.accepted -= usize::from(self.accepted);
            if own.events == 0 {
                accounts.remove(&self.account);
            }
        }
        if uses.waiting > 0 {
            self.permits.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn an_account_is_refused_before_the_server_is_full() {
        let limits = PermitLimits {
            events_max: 4,
            bytes_max: 1000,
            account_pct: 50,
        };
        let permits = Permits::new(limits, Busy::default());
        let [loud, calm, third] = std::array::from_fn(|_| AccountId::mint(Timestamp::from_ms(1)));
        let held: Vec<_> = (0..2)
            .map(|_| permits.take(loud, 10).expect("room"))
            .collect();
        assert_eq!(
            permits.take(loud, 10).expect_err("its share is used"),
            Full::Account
        );
        let kept = [permits.take(calm, 10), permits.take(calm, 10)].map(|it| it.expect("room"));
        assert_eq!(
            permits.take(third, 10).expect_err("no room left"),
            Full::Server
        );
        drop(held);
        permits.take(loud, 10).expect("given back");
        drop(kept);
        assert!(permits.busy.is_idle());
    }

    #[test]
    fn bytes_count_too_and_a_lone_large_event_fits() {
        let limits = PermitLimits {
            events_max: 100,
            bytes_max: 1000,
            account_pct: 50,
        };
        let permits = Permits::new(limits, Busy::default());
        let account = AccountId::mint(Timestamp::from_ms(1));
        let _large = permits.take(account, 5000).expect("alone");
        assert_eq!(
            permits.take(account, 1).expect_err("no bytes left"),
            Full::Account
        );
    }

    #[tokio::test]
    async fn what_waits_without_bytes_is_let_in_when_they_are_given_back() {
        let limits = PermitLimits {
            events_max: 4,
            bytes_max: 1000,
            account_pct: 50,
        };
        let permits = Permits::new(limits, Busy::default());
        let account = AccountId::mint(Timestamp::from_ms(1));
        let waiting: Vec<_> = (0..9).map(|_| permits.take_over(account, 0)).collect();
        assert!(permits.take(account, 1).is_err(), "they count as events");
        assert!(permits.has_room(account, 5000), "nothing is in memory");
        let read = permits.take_over(account, 400);
        assert!(permits.has_room(account, 100) && !permits.has_room(account, 101));
        let patient = permits.clone();
        let let_in = tokio::spawn(async move { patient.until_room(account, 101).await });
        tokio::task::yield_now().await;
        assert!(!let_in.is_finished());
        drop(read);
        let_in.await.expect("there is room");
        drop(waiting);
        assert!(permits.busy.is_idle());
    }
}
