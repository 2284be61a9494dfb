//! Arguments and rows that both engines understand: one [`Value`] to bind, one [`Rows`] to bind
//! many at once.
//!
//! A many-row statement is written once, over a table expression `v` that holds the rows:
//!
//! ```sql
//! WITH v (account_id, id) AS (…) INSERT INTO t SELECT * FROM v
//! ```
//!
//! What stands in the parentheses is the only difference: `UNNEST` of one array a column in
//! PostgreSQL, `VALUES` of chunks in SQLite. Chunks are filled up with rows of NULLs to a power
//! of two, so that few distinct statements are ever prepared; every statement therefore says
//! `WHERE v.account_id IS NOT NULL`.

use std::fmt::Write as _;

use bytes::Bytes;
use uuid::Uuid;

use crate::model::Timestamp;

/// One argument. `None` is NULL of that type.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Uuid(Option<Uuid>),
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Bytes>),
    Bool(bool),
}

/// The type of a column of [`Rows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Uuid,
    Int,
    Text,
    Bytes,
}

impl Kind {
    fn null(self) -> Value {
        match self {
            Self::Uuid => Value::Uuid(None),
            Self::Int => Value::Int(None),
            Self::Text => Value::Text(None),
            Self::Bytes => Value::Bytes(None),
        }
    }

    fn postgres_array(self) -> &'static str {
        match self {
            Self::Uuid => "uuid[]",
            Self::Int => "bigint[]",
            Self::Text => "text[]",
            Self::Bytes => "bytea[]",
        }
    }
}

macro_rules! from {
    ($($type:ty => |$value:ident| $made:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self { $made }
        }
    )*};
}

from! {
    Uuid => |value| Self::Uuid(Some(value));
    Option<Uuid> => |value| Self::Uuid(value);
    i64 => |value| Self::Int(Some(value));
    Option<i64> => |value| Self::Int(value);
    usize => |value| Self::Int(Some(value as i64));
    Timestamp => |value| Self::Int(Some(value.as_ms()));
    Option<Timestamp> => |value| Self::Int(value.map(Timestamp::as_ms));
    &str => |value| Self::Text(Some(value.to_owned()));
    String => |value| Self::Text(Some(value));
    Option<String> => |value| Self::Text(value);
    Option<&str> => |value| Self::Text(value.map(str::to_owned));
    Bytes => |value| Self::Bytes(Some(value));
    Option<Bytes> => |value| Self::Bytes(value);
    Vec<u8> => |value| Self::Bytes(Some(value.into()));
    [u8; 32] => |value| Self::Bytes(Some(Bytes::copy_from_slice(&value)));
    bool => |value| Self::Bool(value);
}

macro_rules! from_ids {
    ($($id:ident),*) => {$(
        impl From<crate::model::$id> for Value {
            fn from(id: crate::model::$id) -> Self { Self::Uuid(Some(id.uuid())) }
        }
        impl From<Option<crate::model::$id>> for Value {
            fn from(id: Option<crate::model::$id>) -> Self { Self::Uuid(id.map(crate::model::$id::uuid)) }
        }
    )*};
}

from_ids!(
    AccountId,
    ApiKeyId,
    AttemptId,
    AutomationId,
    DeliveryId,
    EndpointId,
    EventId,
    IncarnationId,
    PluginId,
    SecretId
);

/// The arguments of a statement, in order.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::values::Value::from($value)),*] };
}
pub(super) use args;

/// The name and type of each column of [`Rows`]; the first must never be NULL.
pub(super) type Columns = &'static [(&'static str, Kind)];

/// Rows to be bound to one statement.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) columns: Columns,
    pub(super) values: Vec<Value>,
}

/// Rows that one SQLite statement binds: more pays little and prepares larger statements.
const SQLITE_CHUNK_ROWS: usize = 64;

impl Rows {
    pub(super) fn new(columns: Columns, capacity: usize) -> Self {
        Self {
            columns,
            values: Vec::with_capacity(columns.len() * capacity),
        }
    }

    /// Adds a row; `row` has one value a column.
    pub(super) fn push(&mut self, row: Vec<Value>) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.values.extend(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// `v (a, b) AS (SELECT * FROM UNNEST($1::uuid[], $2::text[]))`
    pub(super) fn postgres_with(&self) -> String {
        let mut sql = self.with_head();
        sql.push_str("SELECT * FROM UNNEST(");
        for (place, (_, kind)) in self.columns.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let _ = write!(sql, "{comma}${}::{}", place + 1, kind.postgres_array());
        }
        sql.push_str(")) ");
        sql
    }

    /// `v (a, b) AS (VALUES (?, ?), (?, ?))` with `rows` rows.
    pub(super) fn sqlite_with(&self, rows: usize) -> String {
        let mut sql = self.with_head();
        sql.push_str("VALUES ");
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            for place in 0..self.columns.len() {
                sql.push_str(if place == 0 { "?" } else { ", ?" });
            }
            sql.push(')');
        }
        sql.push_str(") ");
        sql
    }

    fn with_head(&self) -> String {
        let mut sql = String::with_capacity(256);
        sql.push_str("WITH v (");
        for (place, (name, _)) in self.columns.iter().enumerate() {
            sql.push_str(if place == 0 { "" } else { ", " });
            sql.push_str(name);
        }
        sql.push_str(") AS (");
        sql
    }

    /// The rows cut into chunks, each filled up to a power of two of rows.
    pub(super) fn sqlite_chunks(self) -> Vec<(usize, Vec<Value>)> {
        let width = self.columns.len();
        let mut chunks = Vec::new();
        let mut values = self.values.into_iter();
        while values.len() > 0 {
            let taken = (values.len() / width).min(SQLITE_CHUNK_ROWS);
            let rows = taken.next_power_of_two();
            let mut chunk: Vec<Value> = values.by_ref().take(taken * width).collect();
            for _ in taken..rows {
                chunk.extend(self.columns.iter().map(|(_, kind)| kind.null()));
            }
            chunks.push((rows, chunk));
        }
        chunks
    }

    /// The rows turned into one vector a column, in column order.
    pub(super) fn postgres_columns(self) -> Vec<ColumnValues> {
        let width = self.columns.len();
        let height = self.values.len() / width;
        let mut columns: Vec<ColumnValues> = self
            .columns
            .iter()
            .map(|(_, kind)| ColumnValues::new(*kind, height))
            .collect();
        for (place, value) in self.values.into_iter().enumerate() {
            columns[place % width].push(value);
        }
        columns
    }
}

/// One column of many rows.
pub(super) enum ColumnValues {
    Uuid(Vec<Option<Uuid>>),
    Int(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl ColumnValues {
    fn new(kind: Kind, height: usize) -> Self {
        match kind {
            Kind::Uuid => Self::Uuid(Vec::with_capacity(height)),
            Kind::Int => Self::Int(Vec::with_capacity(height)),
            Kind::Text => Self::Text(Vec::with_capacity(height)),
            Kind::Bytes => Self::Bytes(Vec::with_capacity(height)),
        }
    }

    fn push(&mut self, value: Value) {
        match (self, value) {
            (Self::Uuid(column), Value::Uuid(value)) => column.push(value),
            (Self::Int(column), Value::Int(value)) => column.push(value),
            (Self::Int(column), Value::Bool(value)) => column.push(Some(i64::from(value))),
            (Self::Text(column), Value::Text(value)) => column.push(value),
            (Self::Bytes(column), Value::Bytes(value)) => column.push(value.map(Into::into)),
            (_, value) => unreachable!("a value of another type than its column: {value:?}"),
        }
    }
}
