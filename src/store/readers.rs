//! Connections that read a SQLite file: a few at a time, each opened when it is needed first.
//!
//! Readers with a patience end what takes longer, and what nobody waits for any more.

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
    pub(super) async fn turn(self: &Arc<Self>, path: &Arc<Path>) -> Result<Reader, EngineError> {
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
        let reader = self.turn(path).await?;
        let limit = self.patience.map(|patience| {
            let interrupt = Interrupt(Some(reader.get_interrupt_handle()));
            (patience, interrupt)
        });
        let reading = blocking(move || {
            let found = work(&reader);
            (reader, found)
        });
        // An interrupted connection comes back here before others get it: none is interrupted for another.
        let (_reader, found) = match limit {
            None => reading.await,
            Some((patience, interrupt)) => within(patience, interrupt, reading).await,
        };
        Ok(found?)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that reads, given back when it is dropped: also when nobody waits for it any more.
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
    mut interrupt: Interrupt,
    reading: impl Future<Output = T>,
) -> T {
    let mut reading = pin!(reading);
    loop {
        match tokio::time::timeout(patience, &mut reading).await {
            Ok(read) => {
                interrupt.0 = None;
                return read;
            }
            // Again, should it have waited for a thread until now.
            Err(_elapsed) => interrupt.now(),
        }
    }
}

/// Ends a read when it is dropped, unless the read is over.
struct Interrupt(Option<InterruptHandle>);

impl Interrupt {
    fn now(&self) {
        if let Some(handle) = &self.0 {
            handle.interrupt();
        }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.now();
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
        let readers = Arc::try_unwrap(readers).expect("all readers are back");
        let readers = Arc::new(Readers {
            patience: None,
            ..readers
        });
        let one = readers.read(&path, |db| number(db, "SELECT 1")).await;
        assert_eq!(one.expect("it reads on"), 1);
        assert!(readers.idle().is_empty() || readers.idle().len() == 1);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let path: Arc<Path> = folder.path().join("x.db").into();
        let readers = Arc::new(Readers::new(1, Some(Duration::from_hours(1))));
        let (began, started) = tokio::sync::oneshot::channel();
        let endless = readers.read(&path, move |db| {
            began.send(()).ok();
            // As often as it is asked to end before it begins.
            loop {
                number(db, ENDLESS)?;
            }
            #[expect(unreachable_code, reason = "says what is read")]
            Ok(())
        });
        tokio::select! {
            ended = endless => panic!("{ended:?}"),
            started = started => started.expect("it began"),
        }
        let next = readers.read(&path, |db| number(db, "SELECT 1")).await;
        assert_eq!(next.expect("there is a place again"), 1);
    }
}
