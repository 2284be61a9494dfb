//! Flow control as it is written and stored with an automation's version.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// When an event that meets the condition goes on, and whether it does: `dedupe` first, then at most one of
/// `debounce`, `digest`, `rate_limit` and `delay`; and in which order what goes on is delivered. docs/flow.md
/// tells more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Only the first event of a key goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe: Option<Dedupe>,
    /// Only the last event of a key goes on, once no other has come for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debounce: Option<Debounce>,
    /// Events of a key are collected, and go on together as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Only so many events of a key go on in a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Events go on later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Delay>,
    /// What goes on is delivered in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// Deliveries of a key to an endpoint leave one after the other, in the order in which their events were
/// evaluated: the next one once the one before is delivered or has failed for good. Others are not held up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Which deliveries keep their order, in CEL: 4096 bytes at most. Of a digest, `event.data` is its body.
    /// Automations whose keys have the same value share an order.
    #[schema(example = "event.data.deal")]
    pub key: String,
}

impl Flow {
    /// The expressions that it has.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        let keys = [
            self.dedupe.as_ref().map(|it| it.key.as_str()),
            self.debounce.as_ref().and_then(|it| it.key.as_deref()),
            self.digest.as_ref().and_then(|it| it.key.as_deref()),
            self.rate_limit.as_ref().and_then(|it| it.key.as_deref()),
            self.delay.as_ref().and_then(|it| it.until.as_deref()),
            self.order.as_ref().map(|it| it.key.as_str()),
        ];
        keys.into_iter().flatten()
    }
}

/// Only the first event of a key goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dedupe {
    /// What makes events the same, in CEL: 4096 bytes at most. Its value has 512 at most.
    #[schema(example = "event.data.id")]
    pub key: String,
    /// How long after the first one others are dropped: 1 to 2592000000 (30 days).
    #[schema(example = 86_400_000, minimum = 1, maximum = 2_592_000_000_i64)]
    pub window_ms: i64,
}

/// Only the last event of a key goes on, once no other has come for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Debounce {
    /// Which events belong together, in CEL; all of the automation's, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "event.data.deal")]
    pub key: Option<String>,
    /// How long no other may have come: 1 to 2592000000 (30 days).
    #[schema(example = 30_000, minimum = 1, maximum = 2_592_000_000_i64)]
    pub period_ms: i64,
    /// How long after the first one the last one goes on although others come: at least the period; ten periods
    /// (30 days at most), if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 300_000, minimum = 1, maximum = 2_592_000_000_i64)]
    pub longest_ms: Option<i64>,
}

/// Events of a key are collected, and go on together as one: when there are enough of them, or when it is time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// Which events belong together, in CEL; all of the automation's, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "event.data.owner")]
    pub key: Option<String>,
    /// How long after its first event a digest goes at the latest: 1 to 2592000000 (30 days).
    #[schema(example = 3_600_000, minimum = 1, maximum = 2_592_000_000_i64)]
    pub period_ms: i64,
    /// With how many events it goes at once: 1 to 1000; 1000, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 100, minimum = 1, maximum = 1000)]
    pub count: Option<i64>,
    /// How many bytes its events may have together in its body: 1 to 262144; 262144, if left out. One that does
    /// not fit begins the next digest; a single one may have more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 100_000, minimum = 1, maximum = 262_144)]
    pub bytes: Option<i64>,
}

/// Only so many events of a key go on in a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Which events are counted together, in CEL; all of the automation's, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "event.data.contact")]
    pub key: Option<String>,
    /// How many go on in a window: 1 to 1000000.
    #[schema(example = 5, minimum = 1, maximum = 1_000_000)]
    pub count: i64,
    /// How long a window is: 1 to 2592000000 (30 days). The first one begins with a key's first event.
    #[schema(example = 60_000, minimum = 1, maximum = 2_592_000_000_i64)]
    pub window_ms: i64,
    /// What becomes of the others.
    pub over: Over,
}

/// What becomes of events over a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// They go on in a later window, in their order.
    Delay,
    /// They do not go on.
    Drop,
}

/// Events go on later: after a time, or at a time. One of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// How long after it was accepted an event goes on: 1 to 2592000000 (30 days).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 600_000, minimum = 1, maximum = 2_592_000_000_i64)]
    pub for_ms: Option<i64>,
    /// When it goes on, in CEL: a time, or a text such as 2026-05-04T10:30:00Z, at most 30 days ahead. If it is
    /// over, the event goes on at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "event.data.remind_at")]
    pub until: Option<String>,
}
