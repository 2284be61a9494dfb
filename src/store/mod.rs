//! Floor 2: everything SQL, on SQLite and on PostgreSQL.
//!
//! A method is one fact and one transaction; no transaction is open while a plugin or the
//! network runs. What belongs to an account is read and written with the account: as an argument, or
//! with each row that is written. Three kinds of methods are not bounded by one, because they come
//! before it or go over all of them:
//!
//! - who is asking: [`Store::api_key_by_hash`] finds out which account a key is for, and
//!   [`Store::has_operator_key`] whether there is a key of none;
//! - the operator's: accounts themselves, operator keys, and the seals that prove the master key;
//! - a node's own: its life and those of others, the batches it writes, and what it takes over from
//!   the inbox and the due deliveries of everybody.
//!
//! What differs between the engines is in `backend.rs`; everything else is one body of SQL for both.
//!
//! Every writing transaction of a node begins by reading the incarnation that it writes for
//! `FOR SHARE` (the fence): once somebody has declared it dead, it writes nothing more.
//!
//! Length: half of it is the list of what the room lets out.

mod accept;
mod account;
mod account_connection;
mod addressee;
mod api_key;
mod applied;
mod attempt;
mod attempt_log;
mod automation;
mod backend;
mod batch;
mod body;
mod claim;
mod claim_order;
mod compact;
mod consequence;
mod dead_letter;
mod delivery;
mod due_schedule;
mod endpoint;
mod endpoint_secret;
mod engine;
mod error;
mod event;
mod event_key;
mod event_schema;
mod event_type;
mod event_violation;
mod flow;
mod hint;
mod history;
mod inbox;
mod incarnation;
mod job;
mod key_pair;
mod lock;
mod made;
mod mail;
mod mail_facts;
mod mail_matter;
mod mark;
mod occurrence;
mod operational;
mod order;
mod own_schedule;
mod page;
mod past;
mod pause;
mod plan;
mod plugin;
mod postgres;
mod publication;
mod readers;
mod receiver;
mod receiver_request;
mod record;
mod refusal;
mod reminder;
mod reply;
mod rerun;
mod retention;
mod revisions;
mod row;
mod rulebook;
mod run;
mod scan;
mod schedule;
mod seal;
mod snapshot;
mod source;
mod source_secret;
mod sqlite;
mod standing;
mod tally;
mod test_event;
mod values;
mod variable;
mod version;
mod whole;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwapOption;

pub use accept::{Accepted, KeyOf, NewEvent, NewKey};
pub use account::{Account, NewAccount, Switch};
pub use account_connection::AccountConnectionRow;
pub use api_key::{ApiKey, NewApiKey};
pub use applied::{Applied, NewestVersion};
pub use attempt::{Attempt, AttemptFilter, OutcomeFilter};
pub use attempt_log::{AttemptWalk, LoggedAttempt};
pub use automation::{Automation, NewAutomation, Shelf};
pub use batch::{Batch, BatchOutcome};
pub use body::StoredBody;
pub use claim::{Claim, ClaimRequest, ClaimedDelivery, DueEndpoint};
pub use consequence::{Consequences, Health, NewDeadLetter, NewEmission};
pub use dead_letter::{
    DeadLetter, DeadLetterFilter, LetterInputs, LetterOutcome, LetterRun, LetterState,
};
pub use delivery::{Delivery, DeliveryFilter};
pub use due_schedule::{Advance, DueSchedule};
pub use endpoint::{
    Endpoint, EndpointChange, EndpointState, NewEndpoint, SettingsChange, SubscriptionChange,
};
pub use endpoint_secret::EndpointSecret;
pub use engine::EngineError;
pub use error::Error;
pub use event::{Event, EventFilter, EventHead};
pub use event_schema::{EventTypeVersion, EventTypeVersionHead, SchemaInForce};
pub use event_type::{EventTypeEntry, EventTypeWrite};
pub use event_violation::EventViolations;
pub use flow::{
    ClaimedWaits, DueAccount, Fate, FlowRecord, Gated, NewAsk, Wait, WaitKey, WaitingVersion,
};
pub use hint::{Hint, Listener};
pub use history::LiveVersion;
pub use inbox::InboxEvent;
pub use incarnation::Life;
pub use job::{Hold, JobDifference, JobFindings, JobRow, Missed, MissedSpan, NewJob, Recovered};
pub use key_pair::{KeyPairAddition, KeyPairRemoval, KeyPairRow, NewKeyPair};
pub use made::MadeEvent;
pub use mail::{Mail, MailFate, MailFilter, MailState};
pub use mail_facts::{LastAnswer, MailFacts};
pub use occurrence::{LEDGER_MS, NewOccurrence, OccurrenceEntry, OccurrenceKey, OpenOccurrence};
pub use operational::Topic;
pub use page::{Cursor, Page, Span};
pub use past::PastEvent;
pub use pause::Pause;
pub use plan::{NewBody, NewDelivery, NewPlan, SetAside};
pub use plugin::{NewPluginVersion, Plugin, PluginVersion};
pub use publication::{LiveSpan, Publication};
pub use receiver::Receiver;
pub use receiver_request::ReceiverRequest;
pub use record::{EndpointMark, NewAttempt, NewRecord, Tells};
pub use refusal::{NewRefusals, SourceRefusal};
pub use reminder::DueReminder;
pub use reply::StoredReply;
pub use rerun::NewRerun;
pub use retention::{Phase, Swept};
pub use rulebook::{NamedRule, Resettled, RuleKind, Rulebook};
pub use run::Asked;
pub use schedule::Schedule;
pub use seal::{Sealed, SealedName, SealedPlace};
pub use snapshot::{PublishedAutomation, SnapshotRows};
pub use source::{NewSource, Source};
pub use source_secret::SourceSecret;
pub use standing::AutomationStanding;
pub use tally::{LastAttempt, TallyRow};
pub use test_event::NewTestEvent;
pub use variable::{Removal, Variable, VariableUser};
pub use version::{
    Author, Authorship, AutomationChange, AutomationVersion, StateChange, VersionHead,
};
pub use whole::Whole;
use whole::lent;

use crate::model::{AccountId, IncarnationId};
use backend::{Backend, On, Tx};
use hint::Others;
use revisions::Revisions;
use row::Record;
use values::Value;

/// The database, and whose life its writes belong to.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Backend,
    /// `None`: no life was ever begun here, and nothing is fenced.
    own: Arc<ArcSwapOption<Own>>,
    revisions: Revisions,
    others: Others,
    /// How much of flow control each account has.
    flow: flow::Counts,
    /// Whether mails are made of what is told.
    mailing: Arc<AtomicBool>,
}

/// The life of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    /// What the process writes belongs to it.
    Life(IncarnationId),
    /// It has ended in good order.
    Ended,
}

impl Store {
    /// Opens `sqlite:PATH` (made if missing) or `postgres://…` and brings its schema up to date.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Ok(Self::over(Backend::open(url).await?))
    }

    /// The same for a node: on SQLite it holds the file, to which no other node then does anything, from
    /// before anything in it is touched until the last clone of the store is dropped.
    pub async fn open_to_serve(url: &str) -> Result<Self, Error> {
        Ok(Self::over(Backend::open_to_serve(url).await?))
    }

    fn over(backend: Backend) -> Self {
        let others = Others::of(&backend);
        Self {
            backend,
            own: Arc::default(),
            revisions: Revisions::new(others.clone()),
            others,
            flow: flow::Counts::default(),
            mailing: Arc::default(),
        }
    }

    /// The same database over connections of its own, for what users ask: however many ask, nobody else
    /// waits for a connection, and what takes longer than `patience` is ended
    /// ([`Error::TooSlow`]).
    #[must_use]
    pub fn for_doors(&self, patience: Duration) -> Self {
        Self {
            backend: self.backend.apart(patience),
            own: self.own.clone(),
            revisions: self.revisions.clone(),
            others: self.others.clone(),
            flow: self.flow.clone(),
            mailing: self.mailing.clone(),
        }
    }

    /// Whether several nodes can share this database.
    pub fn is_shared(&self) -> bool {
        matches!(self.backend, Backend::Postgres(_))
    }

    /// Reads one row, to see that the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        let sql = "SELECT CAST(1 AS BIGINT)";
        self.fetch::<(i64,)>(sql, Vec::new()).await.map(drop)
    }

    /// Has `listener` called with each account whose revision this process raises, and the revision,
    /// as soon as that is durable and before whoever asked for the change has an answer. It replaces
    /// the one before.
    pub fn on_revision(&self, listener: impl Fn(AccountId, i64) + Send + Sync + 'static) {
        self.revisions.tell(Box::new(listener));
    }

    /// Begins a writing transaction behind the fence of the process's own life; within a [`Whole`] that
    /// has written already, it goes on with that.
    async fn begin(&self) -> Result<Tx, Error> {
        let whole = Whole::current();
        if let Some(open) = lent(whole.as_ref())? {
            return Ok(open.within(whole));
        }
        let mut tx = self.begin_unfenced().await?.within(whole);
        let own = self.own.load().as_deref().copied();
        if let Some(Own::Life(id)) = own
            && self.is_shared()
        {
            self.fence(&mut tx, id).await?;
        }
        Ok(tx)
    }

    /// Begins a writing transaction on `holder`'s behalf, which must live: one life of a process
    /// never writes behind the fence of another.
    async fn begin_as(&self, holder: IncarnationId) -> Result<Tx, Error> {
        let mut tx = self.begin_unfenced().await?;
        self.fence_holder(&mut tx, holder).await?;
        Ok(tx)
    }

    /// Refuses a holder that does not live. Where no life was ever begun, nobody has one to lose.
    async fn fence_holder(&self, tx: &mut Tx, holder: IncarnationId) -> Result<(), Error> {
        if self.own.load().is_some() {
            self.fence(tx, holder).await?;
        }
        Ok(())
    }

    /// Whose inbox it is that what the process makes belongs in; nobody's, where no life goes on: the next one
    /// takes over what is there.
    fn own_holder(&self) -> IncarnationId {
        match self.own.load().as_deref() {
            Some(Own::Life(id)) => *id,
            Some(Own::Ended) | None => IncarnationId::from_uuid(uuid::Uuid::nil()),
        }
    }

    async fn begin_unfenced(&self) -> Result<Tx, Error> {
        Ok(self.tx(self.backend.begin().await?))
    }

    /// Begins a reading transaction: all that it reads was true at one moment.
    async fn begin_reading(&self) -> Result<Tx, Error> {
        Ok(self.tx(self.backend.begin_reading().await?))
    }

    fn tx(&self, on: On) -> Tx {
        Tx::new(on, self.revisions.clone(), self.mails_made())
    }

    /// Whoever ends the life waits for this transaction; after that, it is refused.
    async fn fence(&self, tx: &mut Tx, life: IncarnationId) -> Result<(), Error> {
        let sql = format!(
            "SELECT TRUE FROM incarnations WHERE id = $1 AND ended_at_ms IS NULL {}",
            self.backend.for_share()
        );
        let alive: Vec<(bool,)> = tx.fetch(&sql, values::args![life]).await?;
        if alive.is_empty() {
            return Err(Error::Fenced);
        }
        Ok(())
    }

    async fn fetch<T: Record>(&self, sql: &str, args: Vec<Value>) -> Result<Vec<T>, Error> {
        let whole = Whole::current();
        let Some(open) = lent(whole.as_ref())? else {
            return self.backend.fetch(sql, args).await;
        };
        let mut open = open.within(whole);
        let found = open.fetch(sql, args).await?;
        open.commit().await?;
        Ok(found)
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
