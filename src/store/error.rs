//! Why the store could not. The engine's own error is the source.

use super::EngineError;

/// What the store could not do. The engine's own error is the source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not be opened.
    #[error("the database {name} can't be opened")]
    Open {
        /// Which: its file, or its server and its name there.
        name: String,
        /// Why.
        #[source]
        cause: EngineError,
    },
    /// The URL is of no engine that is known.
    #[error("the database URL must begin with sqlite: or postgres://")]
    Scheme,
    /// The schema could not be brought up to date.
    #[error("the database's schema can't be brought to this program's version")]
    Migrate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A newer program has changed the schema.
    #[error(
        "the database's schema is of a newer version: run that version of the program, or a later one"
    )]
    NewerSchema,
    /// Another process uses the same SQLite file.
    #[error("another process is serving {path}: stop it, or give this one another data directory")]
    InUse {
        /// The database file.
        path: String,
    },
    /// The lock file of the SQLite database could not be used.
    #[error("the lock beside the database file can't be taken")]
    Lock(#[source] std::io::Error),
    /// This node was declared dead; it writes nothing more.
    #[error("this incarnation has ended: another node has taken over its work")]
    Fenced,
    /// Another node wanted the same rows at the same moment: nothing was written, trying again will.
    #[error("another node wanted the same rows at the same moment")]
    Raced,
    /// The engine refuses a value or a row, whatever else is in the batch.
    #[error("the database refuses a row")]
    Refused(#[source] EngineError),
    /// The database does not answer, or has no room.
    #[error("the database is not available")]
    Unavailable(#[source] EngineError),
    /// The account has as many of them as it may have.
    #[error("the account has {count_max} {what}, as many as it may have")]
    TooMany {
        /// What.
        what: &'static str,
        /// How many there may be.
        count_max: usize,
    },
    /// It took longer than whoever asked may keep the database busy; nothing was written.
    #[error("the database was told to give up after a while")]
    TooSlow(#[source] EngineError),
    /// The connection was lost in a commit: it may or may not have happened.
    #[error("the outcome of a commit is unknown")]
    OutcomeUnknown(#[source] EngineError),
    /// What is stored can't be read back.
    #[error("{what} in the database can't be read: {why}")]
    Corrupt {
        /// Which thing.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl Error {
    /// Whether a unique key stood in the way.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Refused(error) if error.is_taken())
    }
}
