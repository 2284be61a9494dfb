//! Arguments and rows that both engines understand: one [`Value`] to bind, one [`Rows`] to bind
//! many at once.
//!
//! What is done with many rows is a [`Shape`], spelled for each engine: in PostgreSQL one statement over
//! `UNNEST` of one array a column, in SQLite a statement for one row that is run once for each. Both
//! are the plainest that the engine knows: SQLite makes a temporary table for most joins.

use std::fmt::Write as _;
use std::ops::RangeBounds;

use bytes::Bytes;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
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

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Uuid(Some(value)) => ValueRef::Blob(value.as_bytes()),
            Self::Int(Some(value)) => ValueRef::Integer(*value),
            Self::Text(Some(value)) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(Some(value)) => ValueRef::Blob(value),
            Self::Bool(value) => ValueRef::Integer(i64::from(*value)),
            Self::Uuid(None) | Self::Int(None) | Self::Text(None) | Self::Bytes(None) => {
                ValueRef::Null
            }
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
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
    DeadLetterId,
    DeliveryId,
    EndpointId,
    JobId,
    EventId,
    IncarnationId,
    KeyPairId,
    MailId,
    OrderKey,
    PluginId,
    ReceiverId,
    ReceiverRequestId,
    RefusalId,
    ScheduleId,
    SecretId,
    SourceId
);

/// The arguments of a statement, in order.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::values::Value::from($value)),*] };
}
pub(super) use args;

/// The values of one of [`Rows`], in the order of its columns.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::store::values::Value::from($value)),*] };
}
pub(super) use values;

/// The name and type of each column of [`Rows`].
pub(super) type Columns = &'static [(&'static str, Kind)];

/// What is done with each of [`Rows`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// It becomes a row of the table `into`; `tail` ends the statement.
    Insert {
        into: &'static str,
        tail: &'static str,
    },
    /// The row of `table` with the values of its first `key` columns gets those of the others, and what
    /// `set` says, if `only_if` holds of it; both may be empty.
    Update {
        table: &'static str,
        key: usize,
        set: &'static str,
        only_if: &'static str,
    },
    /// The row of `from` with its values goes.
    Delete { from: &'static str },
    /// A query over the rows, which it knows as the table `v`.
    Query(&'static str),
    /// The same; nobody else changes the rows of `of` that it reads until the transaction ends.
    Lock {
        query: &'static str,
        of: &'static str,
    },
}

/// Rows to be bound to one statement.
#[derive(Debug)]
pub(super) struct Rows {
    columns: Columns,
    values: Vec<Value>,
}

impl Rows {
    pub(super) fn new(columns: Columns, capacity: usize) -> Self {
        Self {
            columns,
            values: Vec::with_capacity(columns.len() * capacity),
        }
    }

    /// Adds a row with one value a column.
    pub(super) fn push<const WIDTH: usize>(&mut self, row: [Value; WIDTH]) {
        debug_assert_eq!(WIDTH, self.columns.len());
        self.values.extend(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Row by row.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[Value]> {
        self.values.chunks(self.columns.len())
    }

    /// The statement that does it in PostgreSQL, over all rows.
    pub(super) fn postgres(&self, shape: Shape) -> String {
        let names = self.names();
        let mut unnest = String::with_capacity(512);
        unnest.push_str("UNNEST(");
        for (place, (_, kind)) in self.columns.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let _ = write!(unnest, "{comma}${}::{}", place + 1, kind.postgres_array());
        }
        unnest.push(')');
        match shape {
            Shape::Insert { into, tail } => {
                format!("INSERT INTO {into} ({names}) SELECT * FROM {unnest} {tail}")
            }
            Shape::Update {
                table,
                key,
                set,
                only_if,
            } => {
                let sets = self.each(key.., ", ", |_, name| format!("{name} = v.{name}"), set);
                let same = |_, name| format!("{table}.{name} = v.{name}");
                let found = self.each(..key, " AND ", same, only_if);
                format!("UPDATE {table} SET {sets} FROM {unnest} AS v ({names}) WHERE {found}")
            }
            Shape::Delete { from } => {
                let same = |_, name| format!("{from}.{name} = v.{name}");
                let found = self.each(.., " AND ", same, "");
                format!("DELETE FROM {from} USING {unnest} AS v ({names}) WHERE {found}")
            }
            Shape::Query(body) => format!("WITH v ({names}) AS (SELECT * FROM {unnest}) {body}"),
            Shape::Lock { query, of } => {
                let read = self.postgres(Shape::Query(query));
                format!("{read} FOR NO KEY UPDATE OF {of}")
            }
        }
    }

    /// The statement that does it in SQLite, for one row.
    pub(super) fn sqlite(&self, shape: Shape) -> String {
        let equal = |place, name| format!("{name} = ?{}", place + 1);
        match shape {
            Shape::Insert { into, tail } => {
                let values = self.each(.., ", ", |place, _| format!("?{}", place + 1), "");
                format!(
                    "INSERT INTO {into} ({}) VALUES ({values}) {tail}",
                    self.names()
                )
            }
            Shape::Update {
                table,
                key,
                set,
                only_if,
            } => {
                let sets = self.each(key.., ", ", equal, set);
                let found = self.each(..key, " AND ", equal, only_if);
                format!("UPDATE {table} SET {sets} WHERE {found}")
            }
            Shape::Delete { from } => {
                format!(
                    "DELETE FROM {from} WHERE {}",
                    self.each(.., " AND ", equal, "")
                )
            }
            // Nobody else writes.
            Shape::Query(body) | Shape::Lock { query: body, .. } => {
                let values = self.each(.., ", ", |place, _| format!("?{}", place + 1), "");
                format!("WITH v ({}) AS (VALUES ({values})) {body}", self.names())
            }
        }
    }

    fn names(&self) -> String {
        self.each(.., ", ", |_, name| name.to_owned(), "")
    }

    /// Something for each of these columns, and `last` if it is not empty, joined.
    fn each(
        &self,
        columns: impl RangeBounds<usize>,
        between: &str,
        say: impl Fn(usize, &'static str) -> String,
        last: &str,
    ) -> String {
        let named = self.columns.iter().enumerate();
        let mut said: Vec<String> = named
            .filter(|(place, _)| columns.contains(place))
            .map(|(place, (name, _))| say(place, name))
            .collect();
        if !last.is_empty() {
            said.push(last.to_owned());
        }
        said.join(between)
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
