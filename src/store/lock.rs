//! The lock beside a SQLite file: one process serves it.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use super::Error;

/// The lock of one file: held for as long as the store is there, or taken by each life anew.
#[derive(Debug, Clone, Default)]
pub(super) struct Lock(Option<Arc<File>>);

impl Lock {
    /// Takes it for as long as the store is there. [`Error::InUse`] if another process has it.
    pub(super) fn held(database: &Path) -> Result<Self, Error> {
        Ok(Self(Some(Arc::new(lock(database)?))))
    }

    /// The lock that is held already, or else one for a life.
    pub(super) fn of_life(&self, database: &Path) -> Result<Arc<File>, Error> {
        match &self.0 {
            Some(held) => Ok(held.clone()),
            None => lock(database).map(Arc::new),
        }
    }
}

fn lock(database: &Path) -> Result<File, Error> {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::Lock)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse {
            path: database.display().to_string(),
        }),
        Err(TryLockError::Error(error)) => Err(Error::Lock(error)),
    }
}
