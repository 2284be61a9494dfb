//! A write and its answer in one commit.
//!
//! Within a [`Whole`] the store's methods are called as ever, and their transactions are one: what
//! one of them commits, the next ones build on and read, and nobody else sees before the whole is
//! ended with its answer ([`Store::finish_reply`]) or for its own sake ([`Store::in_one`]). If it is never
//! ended, or the process dies, nothing was written. A transaction that is left without a commit takes what came before it along,
//! and then nothing more can be written: a whole never loses a part.
//!
//! A whole keeps other writers waiting from its first write to its end, so nothing that takes long
//! comes between them. What shall only follow once it is durable goes through
//! [`Store::once_durable`].

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use super::backend::Tx;
use super::{Error, Store};

tokio::task_local! {
    static CURRENT: Whole;
}

type Sequel = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A piece of work that is written with its answer or not at all. Clones are the same.
#[derive(Clone, Default)]
pub struct Whole(Arc<Mutex<Parts>>);

#[derive(Default)]
struct Parts {
    written: Written,
    sequels: Vec<Sequel>,
}

/// What was written so far.
#[derive(Default)]
enum Written {
    #[default]
    Nothing,
    /// It waits for more, and for the answer.
    Open(Box<Tx>),
    /// A method builds on it, or has broken off.
    Lent,
}

impl Whole {
    /// Does the work as one whole.
    pub async fn of<T>(&self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), work).await
    }

    /// The one that this work is a part of.
    pub(super) fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// What was written so far, to build on as a part or to end it; `None` if nothing was.
    pub(super) fn lend(&self) -> Result<Option<Tx>, Error> {
        let mut parts = self.lock();
        match std::mem::replace(&mut parts.written, Written::Lent) {
            Written::Nothing => {
                parts.written = Written::Nothing;
                Ok(None)
            }
            Written::Open(tx) => Ok(Some(*tx)),
            Written::Lent => Err(Error::Raced),
        }
    }

    /// Keeps what a method has written. A whole is one thing after the other.
    pub(super) fn keep(&self, tx: Tx) -> Result<(), Error> {
        let mut parts = self.lock();
        if matches!(parts.written, Written::Open(_)) {
            parts.written = Written::Lent;
            return Err(Error::Raced);
        }
        // Without its way back: one that nobody ends goes with its whole.
        parts.written = Written::Open(Box::new(tx.within(None)));
        Ok(())
    }

    /// Gives up what was written.
    pub(super) fn forget(&self) {
        let forgotten = std::mem::take(&mut *self.lock());
        drop(forgotten);
    }

    /// Lets follow what waited for it to be durable.
    pub(super) async fn follow(&self) {
        let sequels = std::mem::take(&mut self.lock().sequels);
        for sequel in sequels {
            sequel.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a whole has written so far, to be read and built on.
pub(super) fn lent(whole: Option<&Whole>) -> Result<Option<Tx>, Error> {
    whole.map_or(Ok(None), Whole::lend)
}

impl Store {
    /// Does the work as one whole, which is durable when it has come to a good end; otherwise nothing of it was
    /// written. Within a whole it is a part of that, and ends with it.
    pub async fn in_one<T, E: From<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if Whole::current().is_some() {
            return work.await;
        }
        let whole = Whole::default();
        let done = whole.of(work).await;
        if done.is_err() {
            whole.forget();
            return done;
        }
        if let Some(written) = whole.lend()? {
            written.commit().await?;
        }
        whole.follow().await;
        done
    }

    /// Does something that must not come before what was written is durable: now, or once the whole is
    /// ended of which this work is a part.
    pub async fn once_durable(&self, sequel: impl Future<Output = ()> + Send + 'static) {
        match Whole::current() {
            Some(whole) => whole.lock().sequels.push(Box::pin(sequel)),
            None => sequel.await,
        }
    }
}

impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Whole").finish_non_exhaustive()
    }
}
