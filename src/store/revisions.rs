//! Who is told of the revisions that this process commits, and of the events that it makes: whatever way a change
//! comes, the pipeline of the same process knows of it before whoever asked for it has an answer.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::hint::{Hint, Others};
use super::made::MadeEvent;
use crate::model::{AccountId, AutomationId};

/// What is called with an account and the revision that it has reached.
type Listener = Box<dyn Fn(AccountId, i64) + Send + Sync>;

/// What is called with the events that were made.
type MadeListener = Box<dyn Fn(Vec<MadeEvent>) + Send + Sync>;

/// The one who is told, and the other nodes. Clones are the same.
#[derive(Clone)]
pub(super) struct Revisions {
    listener: Arc<ArcSwapOption<Listener>>,
    made: Arc<ArcSwapOption<MadeListener>>,
    others: Others,
}

impl Revisions {
    pub(super) fn new(others: Others) -> Self {
        Self {
            listener: Arc::default(),
            made: Arc::default(),
            others,
        }
    }

    /// From now on `listener` is told, and nobody else.
    pub(super) fn tell(&self, listener: Listener) {
        self.listener.store(Some(Arc::new(listener)));
    }

    /// From now on `listener` is told of the events that are made, and nobody else.
    pub(super) fn tell_made(&self, listener: MadeListener) {
        self.made.store(Some(Arc::new(listener)));
    }

    /// These events were made, durably.
    pub(super) fn made(&self, events: Vec<MadeEvent>) {
        if let Some(listener) = &*self.made.load() {
            listener(events);
        }
    }

    /// It was told that an automation is failing, durably.
    pub(super) fn alerted(&self, account: AccountId, automation: AutomationId) {
        self.others.tell(Hint::Failing(account, automation));
    }

    /// By this process the account has reached this revision, durably.
    pub(super) fn reached(&self, account: AccountId, revision: i64) {
        self.heard(account, revision);
        self.others.tell(Hint::Revision(account, revision));
    }

    /// By some process it has.
    pub(super) fn heard(&self, account: AccountId, revision: i64) {
        if let Some(listener) = &*self.listener.load() {
            listener(account, revision);
        }
    }
}

impl std::fmt::Debug for Revisions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Revisions").finish_non_exhaustive()
    }
}
