//! Floor 2: everything SQL, on SQLite and on PostgreSQL.
//!
//! A method is one fact and one transaction; no transaction is open while a plugin or the
//! network runs. What belongs to an account is read and written with the account: as an argument, or
//! with each row that is written. Three kinds of methods are not bounded by one, because they come
//! before it or go over all of them:
//!
//! - who is asking: [`Store::api_key_by_hash`] finds out which account a key is for, and
//!   [`Store::has_operator_key`] whether there is a key of none;
//! - the operator's: accounts themselves, by id, by uid, and as a list;
//! - a node's own: its life and those of others, the batches it writes, and what it takes over from
//!   the inbox and the due deliveries of everybody.
//!
//! What differs between the engines is in `backend.rs`; everything else is one body of SQL for both.
//!
//! Every writing transaction of a node begins by reading the node's own incarnation `FOR SHARE`
//! (the fence): once somebody has declared the node dead, it writes nothing more.

mod accept;
mod account;
mod api_key;
mod automation;
mod backend;
mod batch;
mod body;
mod claim;
mod delivery;
mod endpoint;
mod endpoint_secret;
mod engine;
mod event;
mod event_key;
mod event_type;
mod inbox;
mod incarnation;
mod mark;
mod page;
mod plan;
mod plugin;
mod postgres;
mod record;
mod reply;
mod row;
mod snapshot;
mod sqlite;
mod values;

use std::sync::Arc;

use arc_swap::ArcSwapOption;

pub use accept::{Accepted, NewEvent, NewKey};
pub use account::{Account, NewAccount, Switch};
pub use api_key::{ApiKey, NewApiKey};
pub use automation::{Automation, AutomationVersion, NewAutomation, Publication};
pub use batch::{Batch, BatchOutcome};
pub use body::StoredBody;
pub use claim::{Claim, ClaimRequest, ClaimedDelivery, DueEndpoint};
pub use delivery::{Attempt, Delivery, DeliveryFilter};
pub use endpoint::{Endpoint, EndpointChange, EndpointState, NewEndpoint, SubscriptionChange};
pub use endpoint_secret::EndpointSecret;
pub use engine::EngineError;
pub use event::{Event, EventFilter};
pub use event_type::EventTypeEntry;
pub use inbox::InboxEvent;
pub use incarnation::Life;
pub use page::{Cursor, Page};
pub use plan::{NewBody, NewDelivery, NewPlan, SetAside};
pub use plugin::{NewPluginVersion, Plugin, PluginVersion};
pub use record::{EndpointMark, NewAttempt, NewRecord};
pub use reply::StoredReply;
pub use snapshot::{PublishedAutomation, SnapshotRows};

use crate::model::IncarnationId;
use backend::{Backend, Tx};
use row::Record;
use values::Value;

/// What the store could not do. The engine's own error is the source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not be opened.
    #[error("the database can't be opened")]
    Open(#[source] EngineError),
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

/// The database, and whose life its writes belong to.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Backend,
    incarnation: Arc<ArcSwapOption<IncarnationId>>,
}

impl Store {
    /// Opens `sqlite:PATH` (made if missing) or `postgres://…` and brings its schema up to date.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Ok(Self {
            backend: Backend::open(url).await?,
            incarnation: Arc::default(),
        })
    }

    /// Whether several nodes can share this database.
    pub fn is_shared(&self) -> bool {
        matches!(self.backend, Backend::Postgres(_))
    }

    /// Reads one row, to see that the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        self.fetch::<(i64,)>("SELECT CAST(1 AS BIGINT)", Vec::new())
            .await
            .map(drop)
    }

    /// Begins a writing transaction behind the fence.
    async fn begin(&self) -> Result<Tx, Error> {
        let mut tx = self.backend.begin().await?;
        let fenced = self.is_shared();
        if let Some(incarnation) = self.incarnation.load_full().filter(|_| fenced) {
            let alive: Vec<(bool,)> = tx
                .fetch(
                    "SELECT TRUE FROM incarnations WHERE id = $1 AND ended_at_ms IS NULL FOR SHARE",
                    values::args![*incarnation],
                )
                .await?;
            if alive.is_empty() {
                return Err(Error::Fenced);
            }
        }
        Ok(tx)
    }

    async fn fetch<T: Record>(&self, sql: &str, args: Vec<Value>) -> Result<Vec<T>, Error> {
        self.backend.fetch(sql, args).await
    }

    async fn fetch_optional<T: Record>(
        &self,
        sql: &str,
        args: Vec<Value>,
    ) -> Result<Option<T>, Error> {
        Ok(self.fetch(sql, args).await?.into_iter().next())
    }

    /// One statement in a transaction of its own; the count of rows it changed.
    async fn execute(&self, sql: &str, args: Vec<Value>) -> Result<u64, Error> {
        let mut tx = self.begin().await?;
        let changed = tx.execute(sql, args).await?;
        tx.commit().await?;
        Ok(changed)
    }
}
