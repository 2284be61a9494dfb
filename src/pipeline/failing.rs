//! Which automations of an account have failed and not worked since, as far as this node knows: its own errors,
//! what was loaded with the account, and what other nodes have told. Only of these is it written that they work.
//! Errors are noted once they are durable, so that what is written afterwards ends them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Pipeline;
use crate::model::{AccountId, AutomationId};

/// The automations. Asking costs next to nothing while there are none.
#[derive(Debug, Default)]
pub(super) struct FailingAutomations {
    any: AtomicBool,
    which: Mutex<HashSet<AutomationId>>,
    /// Those that this node is switching off.
    pausing: Mutex<HashSet<AutomationId>>,
}

impl FailingAutomations {
    /// These have failed.
    pub(super) fn note(&self, automations: &[AutomationId]) {
        if automations.is_empty() {
            return;
        }
        let mut which = self.lock();
        which.extend(automations);
        self.any.store(true, Ordering::SeqCst);
    }

    /// This one works. Whether it has failed before.
    pub(super) fn works(&self, automation: AutomationId) -> bool {
        if !self.any.load(Ordering::Relaxed) {
            return false;
        }
        let mut which = self.lock();
        let before = which.remove(&automation);
        if which.is_empty() {
            self.any.store(false, Ordering::SeqCst);
        }
        before
    }

    /// This one is to be switched off. Whether that is not under way yet.
    pub(super) fn begins_pause(&self, automation: AutomationId) -> bool {
        self.pausing().insert(automation)
    }

    /// That is done.
    pub(super) fn ends_pause(&self, automation: AutomationId) {
        self.pausing().remove(&automation);
    }

    fn pausing(&self) -> MutexGuard<'_, HashSet<AutomationId>> {
        self.pausing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<AutomationId>> {
        self.which.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipeline {
    /// Another node has told that an automation of the account is failing.
    pub fn note_failing(&self, account: AccountId, automation: AutomationId) {
        let standing = self.node.snapshots.follow(account);
        standing.failing.note(&[automation]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn it_is_told_once_that_an_automation_works_again() {
        let failing = FailingAutomations::default();
        let [one, other] = std::array::from_fn(|_| AutomationId::mint(Timestamp::from_ms(1)));
        assert!(!failing.works(one));
        failing.note(&[one, one, other]);
        assert!(failing.works(one) && !failing.works(one));
        assert!(failing.works(other) && !failing.works(other));
        failing.note(&[one]);
        assert!(failing.works(one));
    }
}
