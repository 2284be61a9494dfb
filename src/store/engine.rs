//! What an engine says when it does not do what it was asked, and what can be done about it.

use super::Error;

/// An engine's own error.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum EngineError {
    /// SQLite's.
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL's, or its client's.
    Postgres(#[from] sqlx::Error),
    /// The machine's, about the database's file.
    File(#[from] std::io::Error),
}

impl EngineError {
    /// What a database that does not answer says.
    pub(super) fn silence() -> Self {
        Self::Postgres(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))
    }

    /// Whether a unique key stood in the way.
    pub(super) fn is_taken(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error().is_some_and(|error| {
                matches!(
                    error.extended_code,
                    rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
                        | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                )
            }),
            Self::Postgres(sqlx::Error::Database(error)) => error.is_unique_violation(),
            Self::Postgres(_) | Self::File(_) => false,
        }
    }

    /// Whether the engine answered at all: then what it refused did not happen.
    pub(super) fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::Sqlite(_) | Self::Postgres(sqlx::Error::Database(_))
        )
    }
}

/// What can be done about an error.
enum Remedy {
    /// Try again: somebody else was in the way.
    Again,
    /// Leave the row out.
    LeaveOut,
    /// Ask for less.
    Less,
    /// Wait.
    Wait,
}

impl<E: Into<EngineError>> From<E> for Error {
    /// Sorts an engine's error by what can be done about it.
    fn from(error: E) -> Self {
        let error = error.into();
        let remedy = match &error {
            EngineError::Sqlite(error) => of_sqlite(error),
            EngineError::Postgres(error) => of_postgres(error),
            EngineError::File(_) => Remedy::Wait,
        };
        match remedy {
            Remedy::Again => Self::Raced,
            Remedy::LeaveOut => Self::Refused(error),
            Remedy::Less => Self::TooSlow(error),
            Remedy::Wait => Self::Unavailable(error),
        }
    }
}

fn of_sqlite(error: &rusqlite::Error) -> Remedy {
    use rusqlite::ErrorCode::{ConstraintViolation, OperationInterrupted, TooBig, TypeMismatch};
    match error.sqlite_error_code() {
        Some(OperationInterrupted) => Remedy::Less,
        // None: not the engine's own, but a value that can't be bound or read back.
        Some(ConstraintViolation | TooBig | TypeMismatch) | None => Remedy::LeaveOut,
        Some(_) => Remedy::Wait,
    }
}

fn of_postgres(error: &sqlx::Error) -> Remedy {
    match error {
        sqlx::Error::Database(error) => match error.code().as_deref() {
            // It was rolled back for another transaction's sake: deadlock, serialisation.
            Some(code) if code.starts_with("40") => Remedy::Again,
            // The statement was cancelled: its time was over.
            Some("57014") => Remedy::Less,
            // Data exceptions and integrity violations.
            Some(code) if code.starts_with("22") || code.starts_with("23") => Remedy::LeaveOut,
            _ => Remedy::Wait,
        },
        sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
            Remedy::LeaveOut
        }
        _ => Remedy::Wait,
    }
}
