//! Floor 0: the nouns. Ids, time, states and limits that every other room speaks of.
//!
//! Nothing here does anything: no I/O, no policy, no SQL.

mod clock;
mod count;
mod delivery;
mod errand;
pub mod header;
mod id;
pub mod limits;
mod origin;
mod shares;
mod stopwatch;
mod words;

pub use clock::{Clock, ManualClock, Timestamp};
pub use count::counted;
pub use delivery::{AttemptResult, DeliveryState, Failure, Refusal};
pub use errand::{
    Backtest, BacktestTally, Candidate, Errand, ErrandState, Reach, Rerun, RerunBy, RerunProblem,
    RerunTally,
};
pub use id::{
    AccountId, ApiKeyId, AttemptId, AutomationId, DeliveryId, DeliveryOrigin, EndpointId, ErrandId,
    EventId, IdError, IncarnationId, PluginId, RefusalId, ScheduleId, SecretId, SourceId,
};
pub use origin::Origin;
pub use shares::Shares;
pub use stopwatch::Stopwatch;
pub(crate) use words::words;
