//! Connections that read a SQLite file: a few at a time, each opened when it is needed first.
//!
//! Readers with a patience end what takes longer, also when nobody waits for it any more.

use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Error;
use super::engine::EngineError;
use super::sqlite::{BUSY_TIMEOUT, STATEMENTS_CACHED_MAX, blocking};

const CACHE_KIB: i64 = 1_000;

#[derive(Debug)]
pub(super) struct Readers {
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    patience: Option<Duration>,
}

impl Readers {
    /// Up to `count` at a time.
    pub(super) fn new(count: usize, patience: Option<Duration>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(count)),
            idle: Mutex::default(),
            patience,
        }
    }

    /// A connection to the file at `path`, as soon as there is a place.
    pub(super) async fn reader(self: &Arc<Self>, path: &Arc<Path>) -> Result<Reader, EngineError> {
        let place = self.places.clone().acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        let known = self.idle().pop();
        let connection = if let Some(connection) = known {
            connection
        } else {
            let path = path.clone();
            blocking(move || open(&path)).await?
        };
        Ok(Reader {
            connection: Some(connection),
            readers: self.clone(),
            _place: place,
        })
    }

    /// Reads from the file at `path`, as soon as there is a place.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        path: &Arc<Path>,
        work: impl FnOnce(&Connection) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, Error> {
        let reader = self.reader(path).await?;
        let interrupt = reader.get_interrupt_handle();
        let reading = blocking(move || {
            let found = work(&reader);
            // Given back by whoever waits, if anybody does: an interrupted connection must not be another's.
            (reader, found)
        });
        let (_reader, found) = match self.patience {
            None => reading.await,
            Some(patience) => detached(within(patience, interrupt, reading)).await,
        };
        Ok(found?)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that reads, given back when it is dropped.
pub(super) struct Reader {
    /// There until then.
    connection: Option<Connection>,
    readers: Arc<Readers>,
    _place: OwnedSemaphorePermit,
}

impl std::ops::Deref for Reader {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is there until the end")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.readers.idle().extend(self.connection.take());
    }
}

/// What a read has found, interrupted if it takes longer than `patience`.
async fn within<T>(
    patience: Duration,
    interrupt: InterruptHandle,
    reading: impl Future<Output = T>,
) -> T {
    let mut reading = pin!(reading);
    loop {
        match tokio::time::timeout(patience, &mut reading).await {
            Ok(read) => return read,
            // Again, should it have waited for a thread until now.
            Err(_elapsed) => interrupt.interrupt(),
        }
    }
}

/// Goes on to its end also when nobody waits for it any more.
async fn detached<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down: nothing is awaited any more.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}

fn open(path: &Path) -> Result<Connection, EngineError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: &str =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n";

    fn number(connection: &Connection, sql: &str) -> Result<i64, EngineError> {
        Ok(connection.query_row(sql, [], |row| row.get(0))?)
    }

    #[tokio::test]
    async fn what_takes_too_long_is_ended_and_its_reader_reads_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let path: Arc<Path> = folder.path().join("x.db").into();
        let readers = Arc::new(Readers::new(1, Some(Duration::from_millis(1))));
        for _ in 0..3 {
            let endless = readers.read(&path, |db| number(db, ENDLESS)).await;
            assert!(matches!(endless, Err(Error::TooSlow(_))), "{endless:?}");
        }
        let one = readers.read(&path, |db| number(db, "SELECT 1")).await;
        assert_eq!(one.expect("it reads on"), 1);
        assert_eq!(readers.idle().len(), 1);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let path: Arc<Path> = folder.path().join("x.db").into();
        let readers = Arc::new(Readers::new(1, Some(Duration::from_millis(1))));
        let (began, started) = tokio::sync::oneshot::channel();
        let endless = readers.read(&path, move |db| {
            began.send(()).ok();
            number(db, ENDLESS)
        });
        tokio::select! {
            biased;
            started = started => started.expect("it began"),
            _ended_already = endless => {}
        }
        let next = readers.read(&path, |db| number(db, "SELECT 1")).await;
        assert_eq!(next.expect("there is a place again"), 1);
    }
}
