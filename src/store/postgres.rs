//! The shared engine: pools of connections to one server.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Transaction};

use super::Error;
use super::engine::EngineError;
use super::row::{Record, Row};
use super::values::{ColumnValues, Rows, Shape, Value};
use crate::unbroken::unbroken;

/// Connections of the pipeline's.
const CONNECTIONS_MAX: u32 = 12;
/// Connections of the doors'.
const DOOR_CONNECTIONS_MAX: u32 = 8;
const STATEMENTS_CACHED_MAX: usize = 256;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// What every connection asks of the server. It must notice a node that vanished, whose locks are its
/// life, and one that stopped in the middle of a transaction, whose rows others wait for.
const SESSION: [(&str, &str); 5] = [
    ("tcp_keepalives_idle", "2"),
    ("tcp_keepalives_interval", "1"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "5000"),
    ("idle_in_transaction_session_timeout", "15000"),
];

/// One database of a server. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Postgres {
    pub(super) pool: PgPool,
    /// For connections beside the pool.
    pub(super) options: Box<PgConnectOptions>,
}

impl Postgres {
    /// Connects, and brings the schema up to this program's.
    pub(super) async fn open(url: &str) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| failed("at this URL", error))?
            .application_name("throwbar")
            .statement_cache_capacity(STATEMENTS_CACHED_MAX)
            .options(SESSION);
        let pool = pool(CONNECTIONS_MAX)
            .connect_with(options.clone())
            .await
            .map_err(|error| failed(&name_of(&options), error))?;
        sqlx::migrate!("migrations/postgres")
            .run(&pool)
            .await
            .map_err(|error| match error {
                sqlx::migrate::MigrateError::VersionMissing(_) => Error::NewerSchema,
                error => Error::Migrate(Box::new(error)),
            })?;
        Ok(Self {
            pool,
            options: Box::new(options),
        })
    }

    /// Begins a transaction, with this statement rather than a bare `BEGIN`. sqlx gives a connection
    /// whose `BEGIN` is under way back to the pool as if nothing had begun: whoever had it next would
    /// write into a transaction that nobody commits.
    pub(super) async fn begin(
        &self,
        with: Option<&'static str>,
    ) -> Result<Transaction<'static, sqlx::Postgres>, EngineError> {
        let pool = self.pool.clone();
        let begun = unbroken(async move {
            match with {
                Some(statement) => pool.begin_with(statement).await,
                None => pool.begin().await,
            }
        });
        Ok(begun.await?)
    }

    /// The same database over a pool of its own, made as it is needed.
    pub(super) fn apart(&self, patience: Duration) -> Self {
        let patience_ms = patience.as_millis().to_string();
        let options = self.options.clone();
        let options = options.options([("statement_timeout", patience_ms)]);
        Self {
            pool: pool(DOOR_CONNECTIONS_MAX).connect_lazy_with(options),
            options: self.options.clone(),
        }
    }
}

fn pool(connections_max: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
}

fn failed(name: &str, error: sqlx::Error) -> Error {
    Error::Open {
        name: name.to_owned(),
        cause: error.into(),
    }
}

/// The database as the operator knows it, without anything secret.
fn name_of(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or("of the user's name");
    format!(
        "{database} at {}:{}",
        options.get_host(),
        options.get_port()
    )
}

/// A connection or a pool, to run statements on.
pub(super) trait Runs<'c>: sqlx::Executor<'c, Database = sqlx::Postgres> {}
impl<'c, E: sqlx::Executor<'c, Database = sqlx::Postgres>> Runs<'c> for E {}

/// Runs a statement; the count of rows it changed.
pub(super) async fn execute<'c>(
    on: impl Runs<'c>,
    sql: &str,
    args: Vec<Value>,
) -> Result<u64, EngineError> {
    Ok(query(sql, args).execute(on).await?.rows_affected())
}

/// Runs a query; the rows it returns.
pub(super) async fn fetch<'c, T: Record>(
    on: impl Runs<'c>,
    sql: &str,
    args: Vec<Value>,
) -> Result<Vec<T>, EngineError> {
    read(query(sql, args), on).await
}

/// Does it with the rows.
pub(super) async fn execute_rows<'c>(
    on: impl Runs<'c>,
    rows: Rows,
    shape: Shape,
) -> Result<(), EngineError> {
    if !rows.is_empty() {
        over_rows(rows, shape).execute(on).await?;
    }
    Ok(())
}

/// Does it with the rows; the rows that come back.
pub(super) async fn fetch_rows<'c, T: Record>(
    on: impl Runs<'c>,
    rows: Rows,
    shape: Shape,
) -> Result<Vec<T>, EngineError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    read(over_rows(rows, shape), on).await
}

type Asked = Query<'static, sqlx::Postgres, PgArguments>;

async fn read<'c, T: Record>(query: Asked, on: impl Runs<'c>) -> Result<Vec<T>, EngineError> {
    let rows = query.fetch_all(on).await?;
    rows.iter()
        .map(|row| T::read(&Row::Postgres(row)))
        .collect()
}

fn query(sql: &str, args: Vec<Value>) -> Asked {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
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

fn over_rows(rows: Rows, shape: Shape) -> Asked {
    let mut query = sqlx::query(AssertSqlSafe(rows.postgres(shape)));
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
