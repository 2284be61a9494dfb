//! Rows that an engine returns, read the same way from both.
//!
//! A type that is read from rows says which column fills which field, once:
//!
//! ```ignore
//! record!(ApiKey { id: "id", account: "account_id" });
//! ```

use rusqlite::types::FromSql;
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row as _, Type};

use super::engine::EngineError;

/// One row.
pub(super) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r PgRow),
}

/// The value of one column.
pub(super) trait Cell: FromSql + for<'r> Decode<'r, Postgres> + Type<Postgres> {}
impl<T> Cell for T where T: FromSql + for<'r> Decode<'r, Postgres> + Type<Postgres> {}

impl Row<'_> {
    /// The column of this name.
    pub(super) fn get<T: Cell>(&self, column: &str) -> Result<T, EngineError> {
        Ok(match self {
            Self::Sqlite(row) => row.get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// The column at this place, from 0.
    pub(super) fn at<T: Cell>(&self, place: usize) -> Result<T, EngineError> {
        Ok(match self {
            Self::Sqlite(row) => row.get(place)?,
            Self::Postgres(row) => row.try_get(place)?,
        })
    }
}

/// What can be read from a row.
pub(super) trait Record: Sized + Send + 'static {
    fn read(row: &Row<'_>) -> Result<Self, EngineError>;
}

/// Says which column fills which field.
macro_rules! record {
    ($type:ident { $($field:ident: $column:literal),* $(,)? }) => {
        impl $crate::store::row::Record for $type {
            fn read(
                row: &$crate::store::row::Row<'_>,
            ) -> Result<Self, $crate::store::engine::EngineError> {
                Ok(Self { $($field: row.get($column)?),* })
            }
        }
    };
}
pub(super) use record;

macro_rules! tuples {
    ($(($($type:ident $place:literal),*);)*) => {$(
        impl<$($type: Cell + Send + 'static),*> Record for ($($type,)*) {
            fn read(row: &Row<'_>) -> Result<Self, EngineError> {
                Ok(($(row.at::<$type>($place)?,)*))
            }
        }
    )*};
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2, D 3);
}
