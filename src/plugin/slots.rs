//! Room for as many runs at a time as the instance pool holds. Who comes when it is full waits, at
//! most as long as the runs before it may take: a full pool is nobody's fault, so it is no error.

use std::sync::{Condvar, Mutex, PoisonError};

/// The free places of the pool.
pub(super) struct Slots {
    free: Mutex<u32>,
    freed: Condvar,
}

/// One place; free again when dropped.
pub(super) struct Slot<'a>(&'a Slots);

impl Slots {
    pub fn new(count: u32) -> Self {
        Self {
            free: Mutex::new(count),
            freed: Condvar::new(),
        }
    }

    /// Waits for a place. Blocks the thread.
    pub fn take(&self) -> Slot<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .freed
            .wait_while(free, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Slot(self)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
