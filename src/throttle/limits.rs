//! What an endpoint states: how many requests at once, and how many in a time.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most requests at once that can be stated.
pub const CONCURRENCY_MAX: u32 = 1_000;
/// Most requests a second that can be stated.
pub const PER_SECOND_MAX: u32 = 10_000;
/// Most requests a minute that can be stated.
pub const PER_MINUTE_MAX: u32 = 600_000;

/// What an endpoint bears: no more requests than that are made, of all nodes together. What is over it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointLimits {
    /// Most requests at once, 1 to 1000; null: as many as it keeps up with.
    #[serde(default)]
    #[schema(example = 4)]
    pub concurrency: Option<u32>,
    /// Most requests in a time; null: as many as come.
    #[serde(default)]
    pub rate: Option<Rate>,
}

/// Most requests in a time: in any second, in any minute, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// In any second, 1 to 10000.
    #[serde(default)]
    #[schema(example = 10)]
    pub per_second: Option<u32>,
    /// In any minute, 1 to 600000.
    #[serde(default)]
    pub per_minute: Option<u32>,
}

/// A limit that can't be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct OutOfBounds {
    /// Which, as a JSON pointer within the limits.
    pub at: &'static str,
    /// What is wrong with it, and what to do.
    pub why: String,
}

impl EndpointLimits {
    /// Whether nothing is stated.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Sees that each is within its bounds.
    pub fn check(&self) -> Result<(), OutOfBounds> {
        within("/concurrency", self.concurrency, CONCURRENCY_MAX)?;
        let Some(rate) = self.rate else {
            return Ok(());
        };
        if rate.per_second.is_none() && rate.per_minute.is_none() {
            return Err(OutOfBounds {
                at: "/rate",
                why: "a rate says per_second, per_minute or both: give one, or leave the rate out"
                    .to_owned(),
            });
        }
        within("/rate/per_second", rate.per_second, PER_SECOND_MAX)?;
        within("/rate/per_minute", rate.per_minute, PER_MINUTE_MAX)
    }
}

fn within(at: &'static str, given: Option<u32>, most: u32) -> Result<(), OutOfBounds> {
    match given {
        Some(given) if !(1..=most).contains(&given) => Err(OutOfBounds {
            at,
            why: format!(
                "this is {given}: give 1 to {most}, or leave it out, which means no limit"
            ),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<(), &'static str> {
        let limits: EndpointLimits = serde_json::from_str(text).expect("limits");
        limits.check().map_err(|error| error.at)
    }

    #[test]
    fn each_limit_has_its_bounds() {
        for (text, wrong) in [
            ("{}", None),
            (r#"{"concurrency":1,"rate":{"per_second":1}}"#, None),
            (
                r#"{"concurrency":1000,"rate":{"per_second":10000,"per_minute":600000}}"#,
                None,
            ),
            (r#"{"concurrency":0}"#, Some("/concurrency")),
            (r#"{"concurrency":1001}"#, Some("/concurrency")),
            (r#"{"rate":{}}"#, Some("/rate")),
            (r#"{"rate":{"per_second":0}}"#, Some("/rate/per_second")),
            (
                r#"{"rate":{"per_second":1,"per_minute":600001}}"#,
                Some("/rate/per_minute"),
            ),
        ] {
            assert_eq!(checked(text).err(), wrong, "{text}");
        }
        assert!(EndpointLimits::default().is_none());
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        for text in [r#"{"rate":{"per_hour":1}}"#, r#"{"parallel":1}"#] {
            assert!(
                serde_json::from_str::<EndpointLimits>(text).is_err(),
                "{text}"
            );
        }
    }
}
