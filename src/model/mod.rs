//! Floor 0: the nouns. Ids, time, states and limits that every other room speaks of.
//!
//! Nothing here does anything: no I/O, no policy, no SQL.

mod clock;
mod count;
mod delivery;
pub mod header;
mod id;
pub mod limits;
mod origin;
mod order;
mod shares;
mod stopwatch;
mod words;

pub use clock::{Clock, ManualClock, Timestamp};
pub use count::counted;
pub use delivery::{AttemptResult, DeliveryState, Failure, Refusal};
pub use id::{
    AccountId, ApiKeyId, AttemptId, AutomationId, DeliveryId, DeliveryOrigin, EndpointId, EventId,
    IdError, IncarnationId, PluginId, RefusalId, ScheduleId, SecretId, SourceId,
};
pub use origin::Origin;
pub use order::{BEHIND, OrderKey};
pub use shares::Shares;
pub use stopwatch::Stopwatch;
pub(crate) use words::words;
