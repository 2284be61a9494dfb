//! The two engines, and all that differs between them. Everything above writes one body of SQL.
//!
//! | | SQLite | PostgreSQL |
//! | --- | --- | --- |
//! | writers | one connection, `BEGIN IMMEDIATE` | a pool; the fence orders them |
//! | many rows | `VALUES` in chunks | `UNNEST` |
//! | taking turns on rows | nobody else is there | `FOR UPDATE SKIP LOCKED` |
//! | whose life | a lock on the file | a session's advisory lock |

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, FromRow, Postgres, Row, Sqlite, Transaction};

use super::Error;
use super::values::{ColumnValues, Rows, Value};

/// A row type that both engines can fill.
pub(super) trait Record:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}
impl<T> Record for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

/// Connections to one database.
#[derive(Debug, Clone)]
pub(super) enum Backend {
    Sqlite {
        write: SqlitePool,
        read: SqlitePool,
        path: PathBuf,
    },
    Postgres {
        pool: PgPool,
        options: Box<PgConnectOptions>,
    },
}

/// A transaction on either engine. Dropped without a commit, it is rolled back.
pub(super) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

const SQLITE_BEGIN: &str = "BEGIN IMMEDIATE";
const SQLITE_READERS_MAX: u32 = 4;
const POSTGRES_CONNECTIONS_MAX: u32 = 16;
const STATEMENTS_CACHED_MAX: usize = 256;

impl Backend {
    /// Opens `sqlite:PATH` (made if missing) or `postgres://…`.
    pub(super) async fn open(url: &str) -> Result<Self, Error> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return Self::open_sqlite(Path::new(path)).await;
        }
        let options = PgConnectOptions::from_str(url)
            .map_err(Error::Open)?
            .application_name("throwbar")
            .statement_cache_capacity(STATEMENTS_CACHED_MAX)
            // The server must notice a node that vanished: its locks are its life.
            .options([
                ("tcp_keepalives_idle", "2"),
                ("tcp_keepalives_interval", "1"),
                ("tcp_keepalives_count", "3"),
                ("tcp_user_timeout", "5000"),
            ]);
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS_MAX)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options.clone())
            .await
            .map_err(Error::Open)?;
        Ok(Self::Postgres {
            pool,
            options: Box::new(options),
        })
    }

    async fn open_sqlite(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(STATEMENTS_CACHED_MAX)
            .pragma("cache_size", "-16000")
            .pragma("temp_store", "memory")
            .pragma("journal_size_limit", "67108864");
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone().pragma("wal_autocheckpoint", "4000"))
            .await
            .map_err(Error::Open)?;
        let read = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS_MAX)
            .connect_lazy_with(
                options
                    .pragma("query_only", "1")
                    .pragma("cache_size", "-2000"),
            );
        Ok(Self::Sqlite {
            write,
            read,
            path: path.to_owned(),
        })
    }

    /// Brings the schema up to this program's version. A newer schema is refused.
    pub(super) async fn migrate(&self) -> Result<(), Error> {
        match self {
            Self::Sqlite { write, .. } => sqlx::migrate!("migrations/sqlite").run(write).await,
            Self::Postgres { pool, .. } => sqlx::migrate!("migrations/postgres").run(pool).await,
        }
        .map_err(Error::Migrate)
    }

    /// Begins a writing transaction, without a fence.
    pub(super) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        Ok(match self {
            Self::Sqlite { write, .. } => Tx::Sqlite(begin_sqlite(write).await?),
            Self::Postgres { pool, .. } => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Reads all rows of `sql` outside any transaction.
    pub(super) async fn fetch<T: Record>(
        &self,
        sql: &str,
        args: Vec<Value>,
    ) -> Result<Vec<T>, sqlx::Error> {
        match self {
            Self::Sqlite { read, .. } => {
                let rows = sqlite_query(sql.to_owned(), args).fetch_all(read).await?;
                rows.iter().map(T::from_row).collect()
            }
            Self::Postgres { pool, .. } => {
                let rows = postgres_query(sql.to_owned(), args).fetch_all(pool).await?;
                rows.iter().map(T::from_row).collect()
            }
        }
    }

    /// Runs `body` over `rows`, which it knows as the table `v`, outside any transaction; the rows
    /// it returns.
    pub(super) async fn fetch_rows<T: Record>(
        &self,
        rows: Rows,
        body: &str,
    ) -> Result<Vec<T>, sqlx::Error> {
        let mut found = Vec::new();
        match self {
            Self::Sqlite { read, .. } => {
                let heads = SqliteHeads::new(&rows);
                for (count, values) in rows.sqlite_chunks() {
                    let query = sqlite_query(heads.statement(count, body), values);
                    for row in query.fetch_all(read).await? {
                        found.push(T::from_row(&row)?);
                    }
                }
            }
            Self::Postgres { .. } if rows.is_empty() => {}
            Self::Postgres { pool, .. } => {
                let sql = rows.postgres_with() + body;
                for row in postgres_rows(sql, rows).fetch_all(pool).await? {
                    found.push(T::from_row(&row)?);
                }
            }
        }
        Ok(found)
    }

    /// The steps of the plan that the engine makes for `sql`, for tests that pin it.
    pub(super) async fn explain(&self, sql: &str, args: Vec<Value>) -> Result<String, sqlx::Error> {
        let mut lines: Vec<String> = Vec::new();
        match self {
            Self::Sqlite { read, .. } => {
                let rows = sqlite_query(format!("EXPLAIN QUERY PLAN {sql}"), args)
                    .fetch_all(read)
                    .await?;
                for row in &rows {
                    lines.push(row.try_get("detail")?);
                }
            }
            Self::Postgres { pool, .. } => {
                let rows = postgres_query(format!("EXPLAIN {sql}"), args)
                    .fetch_all(pool)
                    .await?;
                for row in &rows {
                    lines.push(row.try_get(0)?);
                }
            }
        }
        Ok(lines.join("\n"))
    }

    /// What a statement that takes rows to itself ends with, so that nodes don't wait for each other.
    pub(super) fn skip_locked(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "",
            Self::Postgres { .. } => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// `… is one of what this selects`, with the selected rows taken to itself. PostgreSQL may run a
    /// bare subquery again and take more than its limit, and it joins rows picked beforehand with
    /// whatever its statistics favour, up to the whole table; an array it makes once and looks up
    /// in the index.
    pub(super) fn one_of(&self, select: &str) -> String {
        match self {
            Self::Sqlite { .. } => format!("IN ({select})"),
            Self::Postgres { .. } => format!("= ANY (ARRAY ({select} {}))", self.skip_locked()),
        }
    }
}

impl Tx {
    /// Makes it durable. An error here leaves the outcome unknown.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }

    /// Runs `sql`; the count of rows it changed.
    pub(super) async fn execute(
        &mut self,
        sql: &str,
        args: Vec<Value>,
    ) -> Result<u64, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(tx) => sqlite_query(sql.to_owned(), args)
                .execute(&mut **tx)
                .await?
                .rows_affected(),
            Self::Postgres(tx) => postgres_query(sql.to_owned(), args)
                .execute(&mut **tx)
                .await?
                .rows_affected(),
        })
    }

    /// Runs `sql`; the rows it returns.
    pub(super) async fn fetch<T: Record>(
        &mut self,
        sql: &str,
        args: Vec<Value>,
    ) -> Result<Vec<T>, sqlx::Error> {
        match self {
            Self::Sqlite(tx) => {
                let rows = sqlite_query(sql.to_owned(), args)
                    .fetch_all(&mut **tx)
                    .await?;
                rows.iter().map(T::from_row).collect()
            }
            Self::Postgres(tx) => {
                let rows = postgres_query(sql.to_owned(), args)
                    .fetch_all(&mut **tx)
                    .await?;
                rows.iter().map(T::from_row).collect()
            }
        }
    }

    /// Runs `body` over `rows`, which it knows as the table `v`.
    pub(super) async fn execute_rows(&mut self, rows: Rows, body: &str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(tx) => {
                let heads = SqliteHeads::new(&rows);
                for (count, values) in rows.sqlite_chunks() {
                    sqlite_query(heads.statement(count, body), values)
                        .execute(&mut **tx)
                        .await?;
                }
            }
            Self::Postgres(_) if rows.is_empty() => {}
            Self::Postgres(tx) => {
                let sql = rows.postgres_with() + body;
                postgres_rows(sql, rows).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    /// Runs `body` over `rows`; the rows it returns.
    pub(super) async fn fetch_rows<T: Record>(
        &mut self,
        rows: Rows,
        body: &str,
    ) -> Result<Vec<T>, sqlx::Error> {
        let mut found = Vec::new();
        match self {
            Self::Sqlite(tx) => {
                let heads = SqliteHeads::new(&rows);
                for (count, values) in rows.sqlite_chunks() {
                    let query = sqlite_query(heads.statement(count, body), values);
                    for row in query.fetch_all(&mut **tx).await? {
                        found.push(T::from_row(&row)?);
                    }
                }
            }
            Self::Postgres(_) if rows.is_empty() => {}
            Self::Postgres(tx) => {
                let sql = rows.postgres_with() + body;
                for row in postgres_rows(sql, rows).fetch_all(&mut **tx).await? {
                    found.push(T::from_row(&row)?);
                }
            }
        }
        Ok(found)
    }
}

/// Makes the head of a chunk's statement; a copy of the columns only, so that the rows can go.
struct SqliteHeads(Rows);

impl SqliteHeads {
    fn new(rows: &Rows) -> Self {
        Self(Rows::new(rows.columns, 0))
    }

    fn statement(&self, rows: usize, body: &str) -> String {
        self.0.sqlite_with(rows) + body
    }
}

/// Where SQLite itself has rolled back, as it does on a full disk, the library still counts a
/// transaction on that connection and refuses any further one: then it takes a new connection.
async fn begin_sqlite(write: &SqlitePool) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
    match write.begin_with(SQLITE_BEGIN).await {
        Err(sqlx::Error::InvalidSavePointStatement) => {
            write.acquire().await?.close().await?;
            write.begin_with(SQLITE_BEGIN).await
        }
        begun => begun,
    }
}

fn sqlite_query(sql: String, args: Vec<Value>) -> Query<'static, Sqlite, SqliteArguments> {
    let mut query = sqlx::query::<Sqlite>(AssertSqlSafe(sql));
    for arg in args {
        query = match arg {
            Value::Uuid(value) => query.bind(value),
            Value::Int(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value.map(Vec::from)),
            Value::Bool(value) => query.bind(value),
        };
    }
    query
}

fn postgres_query(sql: String, args: Vec<Value>) -> Query<'static, Postgres, PgArguments> {
    let mut query = sqlx::query::<Postgres>(AssertSqlSafe(sql));
    for arg in args {
        query = match arg {
            Value::Uuid(value) => query.bind(value),
            Value::Int(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value.map(Vec::from)),
            Value::Bool(value) => query.bind(value),
        };
    }
    query
}

fn postgres_rows(sql: String, rows: Rows) -> Query<'static, Postgres, PgArguments> {
    let mut query = sqlx::query::<Postgres>(AssertSqlSafe(sql));
    for column in rows.postgres_columns() {
        query = match column {
            ColumnValues::Uuid(values) => query.bind(values),
            ColumnValues::Int(values) => query.bind(values),
            ColumnValues::Text(values) => query.bind(values),
            ColumnValues::Bytes(values) => query.bind(values),
        };
    }
    query
}
