//! Lookups under way: one for each name at a time, shared by all who ask, a bounded number for each
//! party, and a bounded number overall.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::Shared;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::model::Shares;

/// Lookups that run at the same time. Each holds a thread until the system's resolver gives up,
/// long after the endpoint's time-out.
const LOOKUPS_MAX: usize = 64;
/// Lookups of one party that run at the same time: its slow names leave room for others'.
const LOOKUPS_PER_PARTY_MAX: usize = 16;

/// What a lookup has found.
pub(super) type Found = Result<Arc<[IpAddr]>, Arc<io::Error>>;
type SharedLookup = Shared<Pin<Box<dyn Future<Output = Found> + Send>>>;

/// Asks the operating system.
pub(super) async fn ask(host: String) -> Found {
    let found = tokio::net::lookup_host((host.as_str(), 0)).await;
    found
        .map(|found| found.map(|address| address.ip()).collect())
        .map_err(Arc::new)
}

/// What is being looked up.
#[derive(Debug, Clone)]
pub(super) struct Lookups {
    running: Arc<Mutex<HashMap<String, SharedLookup>>>,
    all: Arc<Semaphore>,
    parties: Arc<Shares<Uuid>>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            running: Arc::default(),
            all: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            parties: Arc::new(Shares::new(LOOKUPS_PER_PARTY_MAX)),
        }
    }
}

impl Lookups {
    /// What the lookup that runs for this name finds, or else one by `ask`, once it may begin.
    pub(super) async fn addresses<F>(
        &self,
        party: Uuid,
        host: &str,
        ask: impl FnOnce(String) -> F,
    ) -> Found
    where
        F: Future<Output = Found> + Send + 'static,
    {
        let running = lock(&self.running).get(host).cloned();
        if let Some(lookup) = running {
            return lookup.await;
        }
        // Only what runs is joined: nobody waits in another party's queue.
        let closed = |e| Arc::new(io::Error::other(e));
        let own = self.parties.of(party).acquire_owned().await;
        let all = Arc::clone(&self.all).acquire_owned().await;
        let permits = (own.map_err(closed)?, all.map_err(closed)?);
        let lookup = {
            let mut running = lock(&self.running);
            if let Some(lookup) = running.get(host) {
                lookup.clone()
            } else {
                let lookup = self.begin(host, ask(host.to_owned()), permits);
                running.insert(host.to_owned(), lookup.clone());
                lookup
            }
        };
        lookup.await
    }

    /// Runs on its own, because a lookup can't be stopped: whoever asked may give up, the permits
    /// and the place in `running` are returned only when the thread is free again.
    fn begin<F>(&self, host: &str, ask: F, permits: Permits) -> SharedLookup
    where
        F: Future<Output = Found> + Send + 'static,
    {
        let ended = Ended {
            running: Arc::clone(&self.running),
            host: host.to_owned(),
            _permits: permits,
        };
        let lookup = tokio::spawn(async move {
            let _ended = ended;
            ask.await
        });
        let outcome = async {
            lookup
                .await
                .unwrap_or_else(|e| Err(Arc::new(io::Error::other(e))))
        };
        let outcome: Pin<Box<dyn Future<Output = Found> + Send>> = Box::pin(outcome);
        outcome.shared()
    }

    /// Takes all that a party may look up at a time.
    #[cfg(test)]
    pub(super) async fn use_up(&self, party: Uuid) -> OwnedSemaphorePermit {
        let share = self.parties.of(party);
        let taken = share.acquire_many_owned(LOOKUPS_PER_PARTY_MAX as u32);
        taken.await.expect("the semaphore is never closed")
    }
}

type Permits = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// Takes a lookup out of `running` when it is over, also by a panic.
struct Ended {
    running: Arc<Mutex<HashMap<String, SharedLookup>>>,
    host: String,
    _permits: Permits,
}

impl Drop for Ended {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.host);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_systems_lookups_are_shared_and_leave_nothing_behind() {
        let lookups = Lookups::default();
        let find = || lookups.addresses(Uuid::nil(), "localhost", ask);
        let (one, other) = tokio::join!(find(), find());
        let (one, other) = (one.expect("in every hosts file"), other.expect("the same"));
        assert!(Arc::ptr_eq(&one, &other));
        assert!(one.iter().all(IpAddr::is_loopback), "{one:?}");
        assert!(lock(&lookups.running).is_empty());
        assert_eq!(lookups.all.available_permits(), LOOKUPS_MAX);
    }

    #[tokio::test]
    async fn a_party_s_slow_names_leave_room_for_others() {
        let lookups = Lookups::default();
        let [loud, calm] = [1, 2].map(Uuid::from_u128);
        let slow = |_host: String| std::future::pending();
        let answer: Arc<[IpAddr]> = Arc::new([]);
        let fast = |_host: String| std::future::ready(Ok(answer.clone()));
        for no in 0..LOOKUPS_PER_PARTY_MAX {
            let host = format!("{no}.slow.test");
            let asked = lookups.addresses(loud, &host, slow).now_or_never();
            assert!(
                asked.is_none(),
                "whoever asked gives up, the lookup does not"
            );
        }
        // Its further ones wait, and nobody waits with them.
        let mut waits = Box::pin(lookups.addresses(loud, "receiver.test", fast));
        assert!((&mut waits).now_or_never().is_none());
        let found = lookups.addresses(calm, "receiver.test", fast).await;
        found.expect("it is found");
        assert!(waits.now_or_never().is_none());
        let left = lookups.all.available_permits();
        assert_eq!(left, LOOKUPS_MAX - LOOKUPS_PER_PARTY_MAX);
    }
}
