//! Floor 0: the nouns. Ids, time, states and limits that every other room speaks of.
//!
//! Nothing here does anything: no I/O, no policy, no SQL.

mod cause;
mod clock;
mod count;
mod delivery;
mod derived_id;
pub mod header;
mod id;
mod job;
pub mod limits;
mod made_id;
mod order;
mod origin;
mod precedence;
mod recovery;
mod retention;
mod shares;
mod stopwatch;
mod words;

pub use cause::{Allowance, Branch, Cause, Link, Member};
pub use clock::{Clock, ManualClock, Timestamp};
pub use count::counted;
pub use delivery::{AttemptResult, DeliveryState, Failure, Refusal};
pub use id::{
    AccountId, ApiKeyId, AttemptId, AutomationId, DeadLetterId, DeliveryId, DeliveryOrigin,
    EndpointId, EventId, IdError, IncarnationId, JobId, KeyPairId, MailId, PluginId, ReceiverId,
    ReceiverRequestId, RefusalId, ScheduleId, SecretId, SourceId,
};
pub use job::{
    Backtest, BacktestTally, Job, JobState, JobSubject, JobWait, PinnedVersion, Reach, Rerun,
    RerunBy, RerunProblem, RerunTally,
};
pub use made_id::EmissionOrigin;
pub use order::{BEHIND, OrderKey};
pub use origin::{MappedBy, Origin};
pub use precedence::Precedence;
pub use recovery::{MissedState, Recovery, RecoveryTally};
pub use retention::{Retention, RetentionError};
pub use shares::Shares;
pub use stopwatch::Stopwatch;
pub(crate) use words::words;
