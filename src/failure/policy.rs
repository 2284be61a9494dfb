//! The failure policies: how each is written, and told in words.

use std::fmt;
use std::num::NonZeroU32;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

const FIVE_DAYS: &str = "five-days";
const LADDER: &str = "ladder";
const NEVER: &str = "never";
const CONSECUTIVE: &str = "consecutive";
const EXAMPLE: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");
const NAMES: [&str; 3] = [FIVE_DAYS, LADDER, NEVER];
/// Most failed attempts in a row that a policy may wait for.
pub const CONSECUTIVE_MAX: u32 = 10_000;
/// How much of a wrong name is shown again.
const SHOWN_CHARS_MAX: usize = 80;

/// When an endpoint that keeps failing is disabled. HTTP 410 disables under every policy.
///
/// Written as a name or as `{"consecutive": n}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailurePolicy {
    /// At a failed attempt, when the first failure since the last success is five days old.
    #[default]
    FiveDays,
    /// After two warnings, an hour or more apart.
    Ladder,
    /// At this many failed attempts in a row, [`CONSECUTIVE_MAX`] at most.
    Consecutive(NonZeroU32),
    /// Not for failing, however long.
    Never,
}

/// Why a failure policy was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name that no policy has.
    #[error(
        "there is no failure policy '{0}'; there are five-days, ladder, never and {{\"consecutive\":n}}"
    )]
    Unknown(String),
    /// No attempts, or too many.
    #[error("consecutive is {0}; it must be 1 to {CONSECUTIVE_MAX} failed attempts")]
    Count(i64),
}

/// The policy that has a number, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    consecutive: i64,
}

impl FailurePolicy {
    /// Disables at the `count`th failed attempt in a row: 1 to [`CONSECUTIVE_MAX`].
    pub fn consecutive(count: i64) -> Result<Self, Error> {
        u32::try_from(count)
            .ok()
            .filter(|count| *count <= CONSECUTIVE_MAX)
            .and_then(NonZeroU32::new)
            .map(Self::Consecutive)
            .ok_or(Error::Count(count))
    }

    /// One of each kind; the number stands for any.
    pub const EACH: [Self; 4] = [
        Self::FiveDays,
        Self::Ladder,
        Self::Consecutive(EXAMPLE),
        Self::Never,
    ];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FiveDays => FIVE_DAYS,
            Self::Ladder => LADDER,
            Self::Consecutive(_) => CONSECUTIVE,
            Self::Never => NEVER,
        }
    }

    /// What an endpoint that fails must expect, as a sentence.
    pub fn words(self) -> String {
        let words = match self {
            Self::FiveDays => {
                "disabled at a failed attempt when the first failure since the last success is 5 days old or more"
            }
            Self::Ladder => {
                "of failed attempts since the last success: a warning at the second or a later one, if that success \
                 is over an hour ago; another at the third or a later one, an hour or more after the first warning; \
                 disabled at the fourth or a later one, an hour or more after the second"
            }
            Self::Consecutive(count) if count.get() == 1 => "disabled at the first failed attempt",
            Self::Consecutive(count) => &format!("disabled at {count} failed attempts in a row"),
            Self::Never => "not disabled for failing, however long",
        };
        format!("{words}; at once by HTTP 410")
    }
}

impl std::str::FromStr for FailurePolicy {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            FIVE_DAYS => Ok(Self::FiveDays),
            LADDER => Ok(Self::Ladder),
            NEVER => Ok(Self::Never),
            _ => Err(Error::Unknown(name.chars().take(SHOWN_CHARS_MAX).collect())),
        }
    }
}

impl Serialize for FailurePolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::FiveDays | Self::Ladder | Self::Never => serializer.serialize_str(self.name()),
            Self::Consecutive(count) => Counted {
                consecutive: count.get().into(),
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for FailurePolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrObject)
    }
}

/// Written by hand because an untagged enum would answer every mistake with "did not match any variant".
struct NameOrObject;

impl<'de> Visitor<'de> for NameOrObject {
    type Value = FailurePolicy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a failure policy or an object with consecutive")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<FailurePolicy, E> {
        name.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FailurePolicy, A::Error> {
        let counted = Counted::deserialize(MapAccessDeserializer::new(map))?;
        FailurePolicy::consecutive(counted.consecutive).map_err(de::Error::custom)
    }
}

impl PartialSchema for FailurePolicy {
    fn schema() -> RefOr<Schema> {
        let named = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(NAMES))
            .description(Some("A policy by its name"));
        let count = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(CONSECUTIVE_MAX))
            .description(Some("Failed attempts in a row"));
        let counted = ObjectBuilder::new()
            .property("consecutive", count)
            .required("consecutive")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        OneOfBuilder::new()
            .item(named)
            .item(counted)
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
    fn policies_as_users_write_them_and_no_others() {
        for text in [
            r#""five-days""#,
            r#""ladder""#,
            r#""never""#,
            r#"{"consecutive":1}"#,
            r#"{"consecutive":10000}"#,
        ] {
            let policy: FailurePolicy = serde_json::from_str(text).expect(text);
            assert_eq!(serde_json::to_string(&policy).expect("plain"), text);
        }
        for (text, wanted) in [
            (
                r#""six-days""#,
                "no failure policy 'six-days'; there are five-days, ladder, never and",
            ),
            (r#"{"consecutive":0}"#, "consecutive is 0"),
            (r#"{"consecutive":10001}"#, "consecutive is 10001"),
            (r#"{"consecutive":4294967297}"#, "consecutive is 4294967297"),
            (r#"{"failures":2}"#, "unknown field `failures`"),
            ("{}", "missing field `consecutive`"),
            ("5", "the name of a failure policy or an object"),
        ] {
            let error = serde_json::from_str::<FailurePolicy>(text)
                .expect_err(text)
                .to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        assert_eq!(FailurePolicy::default(), FailurePolicy::FiveDays);
    }

    #[test]
    fn a_policy_in_words() {
        let counted = |count| FailurePolicy::consecutive(count).expect("within bounds");
        for (policy, words) in [
            (FailurePolicy::FiveDays, "5 days old"),
            (FailurePolicy::Ladder, "warning at the second"),
            (counted(7), "disabled at 7 failed attempts in a row"),
            (counted(1), "disabled at the first failed attempt;"),
            (FailurePolicy::Never, "not disabled for failing"),
        ] {
            let told = policy.words();
            assert!(told.contains(words), "{told}");
            assert!(told.ends_with("; at once by HTTP 410"), "{told}");
        }
    }

    #[test]
    fn the_schema_offers_names_and_an_object() {
        let schema = serde_json::to_value(FailurePolicy::schema()).expect("plain");
        let written =
            FailurePolicy::EACH.map(|policy| serde_json::to_value(policy).expect("plain"));
        let names: Vec<_> = written
            .into_iter()
            .filter(serde_json::Value::is_string)
            .collect();
        assert_eq!(schema["oneOf"][0]["enum"], serde_json::json!(names));
        let required = &schema["oneOf"][1]["required"];
        assert_eq!(*required, serde_json::json!(["consecutive"]));
    }
}
