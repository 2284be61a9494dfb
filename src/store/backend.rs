//! The two engines, and all that differs between their SQL. Everything above writes one body of SQL.
//!
//! | | SQLite | PostgreSQL |
//! | --- | --- | --- |
//! | writers | one connection, `BEGIN IMMEDIATE` | a pool; the fence orders them |
//! | many rows | one prepared statement, row by row | `UNNEST` |
//! | taking turns on rows | nobody else is there | `FOR UPDATE SKIP LOCKED` |
//! | taking turns on a queue | nobody else is there | an advisory lock of the transaction |
//! | who asks too much | interrupted | `statement_timeout` |
//! | whose life | a lock on the file | a session's advisory lock |

use std::path::PathBuf;
use std::time::Duration;

use sqlx::Transaction;

use super::Error;
use super::lock::Lock;
use super::made::MadeEvent;
use super::mail_matter::Mailing;
use super::postgres::{self, Postgres};
use super::revisions::Revisions;
use super::row::Record;
use super::sqlite::{self, Sqlite, SqliteTx};
use super::values::{Kind, Rows, Shape, Value};
use super::whole::Whole;
use crate::model::{AccountId, AutomationId};
use crate::unbroken::unbroken;

/// Connections to one database.
#[derive(Debug, Clone)]
pub(super) enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// A transaction on either engine. Dropped without a commit, it is rolled back.
pub(super) struct Tx {
    on: On,
    /// The revisions that it raises: told once they are durable.
    raised: Vec<(AccountId, i64)>,
    /// The events that it makes, likewise.
    made: Vec<MadeEvent>,
    /// The automations that it tells are failing, likewise.
    alerted: Vec<(AccountId, AutomationId)>,
    revisions: Revisions,
    /// Whether mails are made of what it tells.
    pub(super) mailing: Mailing,
    /// What it is a part of: then that is durable with its answer.
    whole: Option<Whole>,
}

/// What a transaction runs on.
pub(super) enum On {
    Sqlite(SqliteTx),
    Postgres(Transaction<'static, sqlx::Postgres>),
}

/// Where a database is.
enum Place<'a> {
    File(PathBuf),
    Server(&'a str),
}

impl<'a> Place<'a> {
    fn of(url: &'a str) -> Result<Self, Error> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            return Ok(Self::File(path.strip_prefix("//").unwrap_or(path).into()));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Server(url));
        }
        Err(Error::Scheme)
    }
}

impl Backend {
    /// Opens `sqlite:PATH` (made if missing), `postgres://…` or `postgresql://…`, and brings the
    /// schema up to this program's version. A newer schema is refused.
    pub(super) async fn open(url: &str) -> Result<Self, Error> {
        match Place::of(url)? {
            Place::File(path) => Sqlite::open(path, Lock::default()).await.map(Self::Sqlite),
            Place::Server(url) => Postgres::open(url).await.map(Self::Postgres),
        }
    }

    /// The same, and keeps other nodes away from a file before it is touched.
    pub(super) async fn open_to_serve(url: &str) -> Result<Self, Error> {
        match Place::of(url)? {
            Place::File(path) => {
                let lock = Lock::held(&path)?;
                Sqlite::open(path, lock).await.map(Self::Sqlite)
            }
            Place::Server(_) => Self::open(url).await,
        }
    }

    /// The same database over connections of its own, which are kept busy no longer than `patience` at
    /// a time.
    pub(super) fn apart(&self, patience: Duration) -> Self {
        match self {
            Self::Sqlite(sqlite) => Self::Sqlite(sqlite.apart(patience)),
            Self::Postgres(postgres) => Self::Postgres(postgres.apart(patience)),
        }
    }

    /// Begins a writing transaction, without a fence.
    pub(super) async fn begin(&self) -> Result<On, Error> {
        match self {
            Self::Sqlite(sqlite) => SqliteTx::begin(sqlite.turn().await).await.map(On::Sqlite),
            Self::Postgres(postgres) => postgres.begin(None).await.map(On::Postgres),
        }
        .map_err(Error::Unavailable)
    }

    /// Begins a reading transaction: all that it reads was true at one moment.
    pub(super) async fn begin_reading(&self) -> Result<On, Error> {
        Ok(match self {
            Self::Sqlite(sqlite) => {
                On::Sqlite(SqliteTx::begin(sqlite.reading_turn().await?).await?)
            }
            Self::Postgres(postgres) => On::Postgres(postgres.begin(Some(READING)).await?),
        })
    }

    /// Reads all rows of `sql` outside any transaction.
    pub(super) async fn fetch<T: Record>(
        &self,
        sql: &str,
        args: Vec<Value>,
    ) -> Result<Vec<T>, Error> {
        match self {
            Self::Sqlite(sqlite) => {
                let sql = sqlite::dialect(sql);
                sqlite
                    .read(move |connection| sqlite::fetch(connection, &sql, &args))
                    .await
            }
            Self::Postgres(postgres) => Ok(postgres::fetch(&postgres.pool, sql, args).await?),
        }
    }

    /// Does it with the rows outside any transaction; the rows that come back.
    pub(super) async fn fetch_rows<T: Record>(
        &self,
        rows: Rows,
        shape: Shape,
    ) -> Result<Vec<T>, Error> {
        match self {
            Self::Sqlite(sqlite) => {
                sqlite
                    .read(move |connection| sqlite::fetch_rows(connection, &rows, shape))
                    .await
            }
            Self::Postgres(postgres) => {
                Ok(postgres::fetch_rows(&postgres.pool, rows, shape).await?)
            }
        }
    }

    /// Deletes up to `$2` rows of a table that have expired by `$1`, the oldest first, and none that
    /// another node has in hand. `key`: the columns of its primary key.
    pub(super) fn delete_expired(&self, table: &str, key: &str) -> String {
        let oldest =
            format!("FROM {table} WHERE expires_at_ms <= $1 ORDER BY expires_at_ms LIMIT $2");
        match self {
            Self::Sqlite(_) => {
                format!("DELETE FROM {table} WHERE ({key}) IN (SELECT {key} {oldest})")
            }
            Self::Postgres(_) => format!(
                "DELETE FROM {table} WHERE expires_at_ms <= $1
                   AND ctid = ANY (ARRAY (SELECT ctid {oldest} FOR UPDATE SKIP LOCKED))"
            ),
        }
    }

    /// The steps of the plan that the engine makes for `sql`, for tests that pin it.
    pub(super) async fn explain(&self, sql: &str, args: Vec<Value>) -> Result<String, Error> {
        let lines: Vec<String> = match self {
            Self::Sqlite(_) => {
                let steps: Vec<(i64, i64, i64, String)> = self
                    .fetch(&format!("EXPLAIN QUERY PLAN {sql}"), args)
                    .await?;
                steps.into_iter().map(|step| step.3).collect()
            }
            Self::Postgres(_) => {
                let steps: Vec<(String,)> = self.fetch(&format!("EXPLAIN {sql}"), args).await?;
                steps.into_iter().map(|step| step.0).collect()
            }
        };
        Ok(lines.join("\n"))
    }

    /// What a statement ends with that keeps others from changing what it reads.
    pub(super) fn for_share(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => "FOR SHARE",
        }
    }

    /// The same without waiting for whoever changes it just now: then it reads nothing.
    pub(super) fn for_share_at_once(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => "FOR SHARE SKIP LOCKED",
        }
    }

    /// What a statement that takes rows to itself ends with, so that nodes don't wait for each other.
    pub(super) fn skip_locked(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// By which index a table is read. Only SQLite is told: it knows nothing of how many rows there are.
    pub(super) fn through(&self, index: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("INDEXED BY {index}"),
            Self::Postgres(_) => String::new(),
        }
    }

    /// The rows of a table that `which` says (a condition, an order and a limit), taken to itself without
    /// waiting for those that another node has in hand. `key`: the columns of its primary key.
    pub(super) fn picked(&self, table: &str, key: &str, which: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("({key}) IN (SELECT {key} FROM {table} WHERE {which})"),
            Self::Postgres(_) => format!(
                "ctid = ANY (ARRAY (SELECT ctid FROM {table} WHERE {which} FOR UPDATE SKIP LOCKED))"
            ),
        }
    }

    /// The same, but waits for what another node has in hand: nothing is passed over.
    pub(super) fn picked_in_turn(&self, table: &str, key: &str, which: &str) -> String {
        match self {
            Self::Sqlite(_) => self.picked(table, key, which),
            Self::Postgres(_) => {
                format!("ctid = ANY (ARRAY (SELECT ctid FROM {table} WHERE {which} FOR UPDATE))")
            }
        }
    }

    /// `… is one of what this selects`, with the selected rows taken to itself. PostgreSQL may run a
    /// bare subquery again and take more than its limit, and it joins rows picked beforehand with
    /// whatever its statistics favour, up to the whole table; an array it makes once and looks up
    /// in the index.
    pub(super) fn one_of(&self, select: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("IN ({select})"),
            Self::Postgres(_) => format!("= ANY (ARRAY ({select} {}))", self.skip_locked()),
        }
    }
}

/// One moment for the whole of a transaction.
const READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

impl Tx {
    /// A transaction that was begun; `revisions` is told of what it raises.
    pub(super) fn new(on: On, revisions: Revisions, mailing: Mailing) -> Self {
        Self {
            on,
            mailing,
            raised: Vec::new(),
            made: Vec::new(),
            alerted: Vec::new(),
            revisions,
            whole: None,
        }
    }

    /// The same as a part of a whole, or of none.
    pub(super) fn within(self, whole: Option<Whole>) -> Self {
        Self { whole, ..self }
    }

    /// Remembers that the transaction raises the account's revision.
    pub(super) fn raises(&mut self, account: AccountId, revision: i64) {
        self.raised.push((account, revision));
    }

    /// Remembers the events that the transaction makes.
    pub(super) fn made(&mut self, events: Vec<MadeEvent>) {
        self.made.extend(events);
    }

    /// Remembers that the transaction tells that an automation is failing.
    pub(super) fn alerts_of(&mut self, account: AccountId, automation: AutomationId) {
        self.alerted.push((account, automation));
    }

    /// Makes it durable, and tells of the revisions that it has raised and the events that it has made. A part of a whole is handed to that.
    pub(super) async fn commit(self) -> Result<(), Error> {
        if let Some(whole) = self.whole.clone() {
            return whole.keep(self);
        }
        unbroken(self.commit_and_tell()).await
    }

    async fn commit_and_tell(self) -> Result<(), Error> {
        let committed = match self.on {
            On::Sqlite(tx) => tx.commit().await,
            On::Postgres(tx) => tx.commit().await.map_err(Into::into),
        };
        committed.map_err(|error| match Error::from(error) {
            Error::Unavailable(error) if !error.is_answer() => Error::OutcomeUnknown(error),
            other => other,
        })?;
        for (account, revision) in self.raised {
            self.revisions.reached(account, revision);
        }
        if !self.made.is_empty() {
            self.revisions.made(self.made);
        }
        for (account, automation) in self.alerted {
            self.revisions.alerted(account, automation);
        }
        Ok(())
    }

    /// Undoes all of it, and lets go of what it has locked before this returns.
    pub(super) async fn undo(self) -> Result<(), Error> {
        if let On::Postgres(tx) = self.on {
            tx.rollback().await?;
        }
        Ok(())
    }

    /// Runs `sql`; the count of rows it changed.
    pub(super) async fn execute(&mut self, sql: &str, args: Vec<Value>) -> Result<u64, Error> {
        Ok(match &mut self.on {
            On::Sqlite(tx) => {
                let sql = sqlite::dialect(sql);
                tx.on(move |connection| sqlite::execute(connection, &sql, &args))
                    .await?
            }
            On::Postgres(tx) => postgres::execute(&mut **tx, sql, args).await?,
        })
    }

    /// Runs `sql`; the rows it returns.
    pub(super) async fn fetch<T: Record>(
        &mut self,
        sql: &str,
        args: Vec<Value>,
    ) -> Result<Vec<T>, Error> {
        Ok(match &mut self.on {
            On::Sqlite(tx) => {
                let sql = sqlite::dialect(sql);
                tx.on(move |connection| sqlite::fetch(connection, &sql, &args))
                    .await?
            }
            On::Postgres(tx) => postgres::fetch(&mut **tx, sql, args).await?,
        })
    }

    /// Takes these locks, in this order, until the end of the transaction. In SQLite nobody else writes.
    pub(super) async fn lock(&mut self, names: Vec<i64>) -> Result<(), Error> {
        if let On::Postgres(tx) = &mut self.on {
            let mut rows = Rows::new(&[("name", Kind::Int)], names.len());
            for name in names {
                rows.push([name.into()]);
            }
            let taken = Shape::Query("SELECT COUNT(pg_advisory_xact_lock(name)) FROM v");
            let _: Vec<(i64,)> = postgres::fetch_rows(&mut **tx, rows, taken).await?;
        }
        Ok(())
    }

    /// Does it with the rows.
    pub(super) async fn execute_rows(&mut self, rows: Rows, shape: Shape) -> Result<(), Error> {
        match &mut self.on {
            On::Sqlite(tx) => {
                tx.on(move |connection| sqlite::execute_rows(connection, &rows, shape))
                    .await?;
            }
            On::Postgres(tx) => postgres::execute_rows(&mut **tx, rows, shape).await?,
        }
        Ok(())
    }

    /// Does it with the rows; the rows that come back.
    pub(super) async fn fetch_rows<T: Record>(
        &mut self,
        rows: Rows,
        shape: Shape,
    ) -> Result<Vec<T>, Error> {
        Ok(match &mut self.on {
            On::Sqlite(tx) => {
                tx.on(move |connection| sqlite::fetch_rows(connection, &rows, shape))
                    .await?
            }
            On::Postgres(tx) => postgres::fetch_rows(&mut **tx, rows, shape).await?,
        })
    }
}
