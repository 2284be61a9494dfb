//! The failure policies by name. Policies that are not built are refused by name.

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::model::words;

/// S0: "If all attempts to a specific endpoint fail for a period of 5 days".
const FIVE_DAYS_MS: i64 = 5 * 24 * 60 * 60 * 1_000;
/// How much of a wrong name is shown again.
const SHOWN_CHARS_MAX: usize = 80;

/// When an endpoint that keeps failing is disabled. HTTP 410 disables under every policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum FailurePolicy {
    /// At a failed attempt, when the first failure since the last success is five days old.
    #[default]
    FiveDays,
    /// Not for failing, however long.
    Never,
}

/// Why the name of a failure policy was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A policy that is planned.
    #[error("the failure policy '{0}' is not built yet; supported are five-days and never")]
    NotBuilt(String),
    /// A policy that nobody planned.
    #[error("there is no failure policy '{0}'; supported are five-days and never")]
    Unknown(String),
}

words!(FailurePolicy {
    FiveDays = "five-days",
    Never = "never",
});

impl FailurePolicy {
    /// For how long an endpoint may fail without one success before it is disabled; `None`: for ever.
    pub const fn patience_ms(self) -> Option<i64> {
        match self {
            Self::FiveDays => Some(FIVE_DAYS_MS),
            Self::Never => None,
        }
    }
}

impl std::str::FromStr for FailurePolicy {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self, Error> {
        match (Self::from_word(name), name) {
            (Some(policy), _) => Ok(policy),
            (None, "ladder") => Err(Error::NotBuilt(name.to_owned())),
            (None, _) => Err(Error::Unknown(name.chars().take(SHOWN_CHARS_MAX).collect())),
        }
    }
}

impl TryFrom<String> for FailurePolicy {
    type Error = Error;
    fn try_from(name: String) -> Result<Self, Error> {
        name.parse()
    }
}

impl From<FailurePolicy> for &'static str {
    fn from(policy: FailurePolicy) -> Self {
        policy.as_str()
    }
}

impl PartialSchema for FailurePolicy {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(Self::ALL.iter().map(|policy| policy.as_str())))
            .description(Some(
                "When an endpoint that keeps failing is disabled; HTTP 410 disables under each",
            ))
            .into()
    }
}

impl ToSchema for FailurePolicy {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_by_name_and_no_others() {
        for name in ["five-days", "never"] {
            let text = format!("\"{name}\"");
            let policy: FailurePolicy = serde_json::from_str(&text).expect(name);
            assert_eq!(serde_json::to_string(&policy).expect("plain"), text);
        }
        for (text, wanted) in [
            (
                r#""ladder""#,
                "'ladder' is not built yet; supported are five-days and never",
            ),
            (
                r#""six-days""#,
                "no failure policy 'six-days'; supported are",
            ),
            ("5", "expected a string"),
        ] {
            let error = serde_json::from_str::<FailurePolicy>(text)
                .expect_err(text)
                .to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        assert_eq!(FailurePolicy::default(), FailurePolicy::FiveDays);
    }

    #[test]
    fn the_schema_names_them() {
        let schema = serde_json::to_value(FailurePolicy::schema()).expect("plain");
        assert_eq!(schema["enum"], serde_json::json!(["five-days", "never"]));
    }
}
