//! So many at a time for each of many: accounts, and others of whom nobody shall take it all.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// Shares after which those that are not in use are looked for.
const KEPT_MIN: usize = 1_000;

/// A semaphore for each, as long as somebody holds or awaits something of it.
#[derive(Debug)]
pub struct Shares<K> {
    each: usize,
    known: Mutex<Known<K>>,
}

#[derive(Debug)]
struct Known<K> {
    shares: HashMap<K, Arc<Semaphore>>,
    /// How many there may be before those that are not in use are forgotten.
    count_max: usize,
}

impl<K: Eq + Hash> Shares<K> {
    /// So many at a time for each.
    pub fn new(each: usize) -> Self {
        let known = Known {
            shares: HashMap::new(),
            count_max: KEPT_MIN,
        };
        Self {
            each,
            known: Mutex::new(known),
        }
    }

    /// The share of this one.
    pub fn of(&self, whose: K) -> Arc<Semaphore> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.shares.len() >= known.count_max {
            known.shares.retain(|_, share| Arc::strong_count(share) > 1);
            known.count_max = KEPT_MIN.max(2 * known.shares.len());
        }
        let new = || Arc::new(Semaphore::new(self.each));
        known.shares.entry(whose).or_insert_with(new).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_for_as_long_as_it_is_in_use() {
        let shares = Shares::new(1);
        let first = shares.of(0).try_acquire_owned().expect("it is free");
        for other in 1..5 * KEPT_MIN {
            assert_eq!(shares.of(other).available_permits(), 1);
        }
        assert_eq!(shares.of(0).available_permits(), 0, "it is in use");
        let known = shares.known.lock().expect("unbroken").shares.len();
        assert!(known <= KEPT_MIN, "{known}");
        drop(first);
        assert_eq!(shares.of(0).available_permits(), 1);
    }

    #[test]
    fn many_in_use_are_all_kept() {
        let shares = Shares::new(1);
        let take = |no| shares.of(no).try_acquire_owned().expect("it is free");
        let taken: Vec<_> = (0..3 * KEPT_MIN).map(take).collect();
        assert!((0..3 * KEPT_MIN).all(|no| shares.of(no).available_permits() == 0));
        drop(taken);
    }
}
