//! What became of an automation for an event, in one word.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::automation::flow::FlowVerdict;
use crate::model::words;

/// What became of an automation for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its actions follow.
    Fired,
    /// Its condition says no.
    Filtered,
    /// Its condition can't be said.
    ConditionError,
    /// A plugin dropped every output.
    PluginDropped,
    /// A plugin failed, or went beyond a limit.
    PluginError,
    /// With those before it, it would make more than one event may; or the account has no room for it.
    LimitExceeded,
    /// The event descends from one that it has made.
    LoopRefused,
    /// Another event had its key.
    Deduped,
    /// It goes on unless another event of its key comes; or one has come.
    Debounced,
    /// It is one of a digest.
    Digested,
    /// Too many events of its key have come: it goes on later, or not.
    RateLimited,
    /// It goes on later.
    Delayed,
    /// What its flow control asks can't be said.
    FlowError,
    /// It waited, and its automation was removed, or switched off for too long.
    Cancelled,
    /// The evaluation itself broke off.
    EvaluationError,
}

words!(Verdict {
    Fired = "fired",
    Filtered = "filtered",
    ConditionError = "condition_error",
    PluginDropped = "plugin_dropped",
    PluginError = "plugin_error",
    LimitExceeded = "limit_exceeded",
    LoopRefused = "loop_refused",
    Deduped = "deduped",
    Debounced = "debounced",
    Digested = "digested",
    RateLimited = "rate_limited",
    Delayed = "delayed",
    FlowError = "flow_error",
    Cancelled = "cancelled",
    EvaluationError = "evaluation_error",
});

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Verdict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = Cow::<str>::deserialize(deserializer)?;
        Self::from_word(&word)
            .ok_or_else(|| D::Error::custom(format!("there is no verdict '{word}'")))
    }
}

impl Verdict {
    /// Whether the automation failed: what it failed at is kept as a dead letter, and counted.
    pub const fn is_failure(self) -> bool {
        matches!(
            self,
            Self::ConditionError
                | Self::FlowError
                | Self::PluginError
                | Self::LimitExceeded
                | Self::EvaluationError
        )
    }

    /// Those.
    pub const FAILURES: [Self; 5] = [
        Self::ConditionError,
        Self::FlowError,
        Self::PluginError,
        Self::LimitExceeded,
        Self::EvaluationError,
    ];

    /// Whether the automation did all that it has to do: if it has failed before, it works again. One whose
    /// condition says no has not shown it.
    pub(super) const fn shows_health(self) -> bool {
        matches!(self, Self::Fired | Self::PluginDropped)
    }
}

impl From<FlowVerdict> for Verdict {
    fn from(verdict: FlowVerdict) -> Self {
        match verdict {
            FlowVerdict::Fired => Self::Fired,
            FlowVerdict::Deduped => Self::Deduped,
            FlowVerdict::Debounced => Self::Debounced,
            FlowVerdict::Digested => Self::Digested,
            FlowVerdict::RateLimited => Self::RateLimited,
            FlowVerdict::Delayed => Self::Delayed,
            FlowVerdict::LimitExceeded => Self::LimitExceeded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_kept_as_its_word() {
        for verdict in Verdict::ALL {
            let kept = serde_json::to_string(verdict).expect("JSON");
            assert_eq!(kept, format!("\"{}\"", verdict.as_str()));
            let read: Verdict = serde_json::from_str(&kept).expect("a verdict");
            assert_eq!(read, *verdict);
        }
        assert!(serde_json::from_str::<Verdict>("\"Fired\"").is_err());
    }
}
