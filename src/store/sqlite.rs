//! The embedded engine: one connection that writes, a few that read, all on threads where they may
//! block.
//!
//! A transaction either runs *elsewhere*, each statement a trip to a blocking thread, so that a door's
//! write never holds up who else is served; or *here*, on a thread that may block, where a whole batch of
//! statements needs no trip at all (a trip costs about 50 µs, a row about 3).

mod migrations;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use migrations::MIGRATIONS;

use super::Error;
use super::engine::EngineError;
use super::lock::Lock;
use super::readers::{Reader, Readers};
use super::row::{Record, Row};
use super::values::{Rows, Shape, Value};

/// Readers of the pipeline's.
const READERS_MAX: usize = 4;
/// Readers of the doors'.
const DOOR_READERS_MAX: usize = 6;
pub(super) const STATEMENTS_CACHED_MAX: usize = 128;
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const WRITER_CACHE_KIB: i64 = 8_000;
/// Pages in the log before it is worked into the file.
const CHECKPOINT_PAGES: i64 = 4_000;
const LOG_BYTES_KEPT: i64 = 64 * 1024 * 1024;

/// One database file. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Sqlite {
    path: Arc<Path>,
    lock: Lock,
    writer: Arc<tokio::sync::Mutex<Connection>>,
    /// Of the doors: one of their writes at a time stands in the line before the pipeline's.
    line: Option<Arc<Semaphore>>,
    readers: Arc<Readers>,
}

impl Sqlite {
    /// Opens the file, made if it is missing, and brings its schema up to this program's.
    pub(super) async fn open(path: PathBuf, lock: Lock) -> Result<Self, Error> {
        let path: Arc<Path> = path.into();
        let opened = path.clone();
        let writer = blocking(move || open_writer(&opened)).await?;
        Ok(Self {
            path,
            lock,
            writer: Arc::new(tokio::sync::Mutex::new(writer)),
            line: None,
            readers: Arc::new(Readers::new(READERS_MAX, None)),
        })
    }

    /// The right to be the only node at the file.
    pub(super) fn lock(&self) -> Result<Arc<File>, Error> {
        self.lock.of_life(&self.path)
    }

    /// Waits for its turn to write.
    pub(super) async fn turn(&self) -> Turn {
        let place = match &self.line {
            Some(line) => line.clone().acquire_owned().await.ok(),
            None => None,
        };
        Turn::Write(self.writer.clone().lock_owned().await, place)
    }

    /// Waits for its turn to read several things as of one moment.
    pub(super) async fn reading_turn(&self) -> Result<Turn, EngineError> {
        self.readers.reader(&self.path).await.map(Turn::Read)
    }

    /// Reads outside any transaction.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, Error> {
        self.readers.read(&self.path, work).await
    }

    /// The same file for the doors: over readers of their own, none of which reads for longer than
    /// `patience`, and with a line of their own for who writes.
    pub(super) fn apart(&self, patience: Duration) -> Self {
        Self {
            line: Some(Arc::new(Semaphore::new(1))),
            readers: Arc::new(Readers::new(DOOR_READERS_MAX, Some(patience))),
            ..self.clone()
        }
    }
}

/// The right to a connection, until it is dropped. A transaction that is open then is rolled back.
pub(super) enum Turn {
    Write(
        OwnedMutexGuard<Connection>,
        #[expect(
            dead_code,
            reason = "held for the place in the line, which ends with it"
        )]
        Option<OwnedSemaphorePermit>,
    ),
    Read(Reader),
}

impl Turn {
    fn opening(&self) -> &'static str {
        match self {
            Self::Write(..) => "BEGIN IMMEDIATE",
            Self::Read(_) => "BEGIN",
        }
    }
}

impl std::ops::Deref for Turn {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Write(connection, _) => connection,
            Self::Read(reader) => reader,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // After a full disk SQLite has rolled back by itself.
        if !self.is_autocommit()
            && let Err(error) = self.execute_batch("ROLLBACK")
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a transaction can't be rolled back"
            );
        }
    }
}

/// A transaction.
pub(super) struct SqliteTx {
    /// Empty while a statement runs elsewhere.
    turn: Option<Turn>,
    here: bool,
}

impl SqliteTx {
    /// Begins a transaction whose statements run on blocking threads.
    pub(super) async fn begin(turn: Turn) -> Result<Self, EngineError> {
        let opening = turn.opening();
        let mut tx = Self {
            turn: Some(turn),
            here: false,
        };
        tx.on(move |connection| execute(connection, opening, &[]))
            .await?;
        Ok(tx)
    }

    /// Begins a transaction that runs on this thread, which may block.
    pub(super) fn begin_here(turn: Turn) -> Result<Self, EngineError> {
        execute(&turn, turn.opening(), &[])?;
        Ok(Self {
            turn: Some(turn),
            here: true,
        })
    }

    /// Runs `work` on the connection.
    pub(super) async fn on<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Connection) -> T + Send + 'static,
    ) -> T {
        let turn = self.turn.take().expect("no statement runs elsewhere");
        let (turn, done) = if self.here {
            let done = work(&turn);
            (turn, done)
        } else {
            // Whoever waits may go away: then the turn ends when the statement does.
            blocking(move || {
                let done = work(&turn);
                (turn, done)
            })
            .await
        };
        self.turn = Some(turn);
        done
    }

    /// Makes it durable.
    pub(super) async fn commit(mut self) -> Result<(), EngineError> {
        self.on(|connection| execute(connection, "COMMIT", &[]))
            .await
            .map(drop)
    }
}

/// Runs on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down: nothing is awaited any more.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}

/// Arguments are numbered `$1` everywhere; SQLite takes that for a name and numbers them `?1`.
pub(super) fn dialect(sql: &str) -> String {
    sql.replace('$', "?")
}

/// Runs a statement; the count of rows it changed.
pub(super) fn execute(
    connection: &Connection,
    sql: &str,
    args: &[Value],
) -> Result<u64, EngineError> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, args)?;
    Ok(statement.raw_execute()? as u64)
}

/// Runs a query; the rows it returns.
pub(super) fn fetch<T: Record>(
    connection: &Connection,
    sql: &str,
    args: &[Value],
) -> Result<Vec<T>, EngineError> {
    let mut found = Vec::new();
    fetch_into(connection, sql, args, &mut found)?;
    Ok(found)
}

/// Does it with each row.
pub(super) fn execute_rows(
    connection: &Connection,
    rows: &Rows,
    shape: Shape,
) -> Result<(), EngineError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(&rows.sqlite(shape))?;
    for row in rows.iter() {
        bind(&mut statement, row)?;
        statement.raw_execute()?;
    }
    Ok(())
}

/// Does it with each row; the rows that come back.
pub(super) fn fetch_rows<T: Record>(
    connection: &Connection,
    rows: &Rows,
    shape: Shape,
) -> Result<Vec<T>, EngineError> {
    let mut found = Vec::new();
    let sql = rows.sqlite(shape);
    for row in rows.iter() {
        fetch_into(connection, &sql, row, &mut found)?;
    }
    Ok(found)
}

fn fetch_into<T: Record>(
    connection: &Connection,
    sql: &str,
    args: &[Value],
    found: &mut Vec<T>,
) -> Result<(), EngineError> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, args)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        found.push(T::read(&Row::Sqlite(row))?);
    }
    Ok(())
}

fn bind(statement: &mut rusqlite::CachedStatement<'_>, args: &[Value]) -> Result<(), EngineError> {
    for (place, value) in args.iter().enumerate() {
        statement.raw_bind_parameter(place + 1, value)?;
    }
    Ok(())
}

fn open_writer(path: &Path) -> Result<Connection, Error> {
    let failed = |cause: EngineError| Error::Open {
        name: path.display().to_string(),
        cause,
    };
    make_private(path).map_err(|error| failed(error.into()))?;
    let connection = (|| {
        let connection = Connection::open(path).map_err(without_path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", false)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        Ok::<_, rusqlite::Error>(connection)
    })()
    .map_err(|error: rusqlite::Error| failed(error.into()))?;
    migrate(&connection)?;
    Ok(connection)
}

/// The same error without its message, which names the file once more.
fn without_path(error: rusqlite::Error) -> rusqlite::Error {
    match error {
        rusqlite::Error::SqliteFailure(code, _) => rusqlite::Error::SqliteFailure(code, None),
        other => other,
    }
}

/// Makes the file, if there is none, so that only its owner can read it; what SQLite puts beside it
/// gets the same rights.
fn make_private(path: &Path) -> Result<(), std::io::Error> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Takes the steps that the file has not taken yet, each whole or not at all.
fn migrate(connection: &Connection) -> Result<(), Error> {
    let failed = |error: rusqlite::Error| Error::Migrate(Box::new(error));
    loop {
        // Two programs may open a new file at the same moment: the second finds the step taken.
        connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(failed)?;
        let taken = version(connection).map_err(failed)?;
        let stepped = match MIGRATIONS.get(taken..) {
            None => Err(Error::NewerSchema),
            Some([]) => Ok(false),
            Some([step, ..]) => connection
                .execute_batch(step)
                .and_then(|()| connection.pragma_update(None, "user_version", (taken + 1) as i64))
                .map(|()| true)
                .map_err(failed),
        };
        let end = if matches!(stepped, Ok(true)) {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        connection.execute_batch(end).map_err(failed)?;
        if !stepped? {
            return Ok(());
        }
    }
}

fn version(connection: &Connection) -> Result<usize, rusqlite::Error> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}
