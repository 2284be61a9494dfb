//! How a retry policy is written and told: in JSON a preset's name or an object, in the API
//! description a choice of the two, for a person a sentence.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type,
};
use utoipa::{PartialSchema, ToSchema};

use super::policy::DELAY_MS_MAX;
use super::{Error, RetryPolicy};
use crate::model::limits::RETRY_DELAYS_MAX;

const EIGHT_STEP: &str = "eight-step";
const THREE_STEP: &str = "three-step";
/// How much of a wrong name is shown again.
const SHOWN_CHARS_MAX: usize = 80;

/// A policy of a user's own, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnSpelling {
    delays_ms: Vec<i64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    jitter_pct: i64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl RetryPolicy {
    /// The ready-made policy with this name.
    pub fn preset(name: &str) -> Result<Self, Error> {
        match name {
            EIGHT_STEP => Ok(Self::EightStep),
            THREE_STEP => Ok(Self::ThreeStep),
            _ => Err(Error::UnknownPreset(
                name.chars().take(SHOWN_CHARS_MAX).collect(),
            )),
        }
    }

    /// The policy in words: "at once, then after 10 s, 100 s".
    pub fn preview(&self) -> String {
        let delays: Vec<_> = self.delays().map(in_words).collect();
        let mut text = "at once".to_owned();
        if delays.is_empty() {
            text.push_str(", never again");
        } else {
            text.push_str(", then after ");
            text.push_str(&delays.join(", "));
        }
        if self.jitter_pct() > 0 {
            text.push_str(&format!("; each up to {} % later", self.jitter_pct()));
        }
        text
    }
}

/// A duration in the largest unit that it is a whole number of; 100 s stays 100 s.
fn in_words(ms: i64) -> String {
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "min"),
        (1_000, "s"),
    ];
    units
        .iter()
        .find(|(unit_ms, _)| ms > 0 && ms % unit_ms == 0)
        .map_or_else(
            || format!("{ms} ms"),
            |(unit_ms, unit)| format!("{} {unit}", ms / unit_ms),
        )
}

impl Serialize for RetryPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::EightStep => serializer.serialize_str(EIGHT_STEP),
            Self::ThreeStep => serializer.serialize_str(THREE_STEP),
            Self::Own(_) => OwnSpelling {
                delays_ms: self.delays().collect(),
                jitter_pct: i64::from(self.jitter_pct()),
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for RetryPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrObject)
    }
}

/// Written by hand because an untagged enum would answer every mistake with "did not match any
/// variant".
struct NameOrObject;

impl<'de> Visitor<'de> for NameOrObject {
    type Value = RetryPolicy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a retry policy or an object with delays_ms")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<RetryPolicy, E> {
        RetryPolicy::preset(name).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RetryPolicy, A::Error> {
        let own = OwnSpelling::deserialize(MapAccessDeserializer::new(map))?;
        RetryPolicy::own(own.delays_ms, own.jitter_pct).map_err(de::Error::custom)
    }
}

impl PartialSchema for RetryPolicy {
    fn schema() -> RefOr<Schema> {
        let preset = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some([EIGHT_STEP, THREE_STEP]))
            .description(Some("A ready-made policy"));
        let delay = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0))
            .maximum(Some(DELAY_MS_MAX as f64));
        let delays = ArrayBuilder::new()
            .items(delay)
            .max_items(Some(RETRY_DELAYS_MAX))
            .description(Some("Milliseconds from a failure to the attempt after it"));
        let jitter = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0))
            .maximum(Some(100))
            .description(Some(
                "By how many percent at most each delay is lengthened at random",
            ));
        let own = ObjectBuilder::new()
            .property("delays_ms", delays)
            .property("jitter_pct", jitter)
            .required("delays_ms")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .description(Some("n delays make n + 1 attempts, the first at once"));
        OneOfBuilder::new()
            .item(preset)
            .item(own)
            .description(Some("When a failed delivery is tried again"))
            .into()
    }
}

impl ToSchema for RetryPolicy {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_as_users_write_them() {
        for text in [
            r#""eight-step""#,
            r#""three-step""#,
            r#"{"delays_ms":[200,400]}"#,
            r#"{"delays_ms":[200,400],"jitter_pct":10}"#,
            r#"{"delays_ms":[]}"#,
        ] {
            let policy: RetryPolicy = serde_json::from_str(text).expect(text);
            assert_eq!(serde_json::to_string(&policy).expect("plain"), text);
        }
    }

    #[test]
    fn mistakes_are_told_with_what_is_right() {
        for (text, wanted) in [
            (
                r#""nine-step""#,
                "no retry policy 'nine-step'; there are eight-step, three-step",
            ),
            (r#"{"delays_ms":[1],"factor":2}"#, "unknown field `factor`"),
            (r#"{"jitter_pct":5}"#, "missing field `delays_ms`"),
            (
                r#"{"delays_ms":[1],"delays_ms":[2]}"#,
                "duplicate field `delays_ms`",
            ),
            (r#"{"delays_ms":[1.5]}"#, "floating point"),
            (r#"{"delays_ms":[-5]}"#, "delays_ms[0] is -5"),
            (r#"{"delays_ms":[2592000000]}"#, "less than 2592000000"),
            (r#"{"delays_ms":[1],"jitter_pct":300}"#, "jitter_pct is 300"),
            ("5", "the name of a retry policy or an object"),
            ("[200,400]", "the name of a retry policy or an object"),
            ("null", "the name of a retry policy or an object"),
        ] {
            let error = serde_json::from_str::<RetryPolicy>(text)
                .expect_err(text)
                .to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn a_policy_in_words() {
        let own = |delays_ms: &[i64], jitter| {
            RetryPolicy::own(delays_ms.to_vec(), jitter).expect("valid")
        };
        for (policy, words) in [
            (
                RetryPolicy::EightStep,
                "at once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h",
            ),
            (RetryPolicy::ThreeStep, "at once, then after 10 s, 100 s"),
            (own(&[], 0), "at once, never again"),
            (
                own(&[0, 1_500, 5_400_000, 172_800_000], 20),
                "at once, then after 0 ms, 1500 ms, 90 min, 2 d; each up to 20 % later",
            ),
        ] {
            assert_eq!(policy.preview(), words);
        }
    }

    #[test]
    fn the_schema_offers_names_and_an_object() {
        let schema = serde_json::to_value(RetryPolicy::schema()).expect("plain");
        assert_eq!(
            schema["oneOf"][0]["enum"],
            serde_json::json!([EIGHT_STEP, THREE_STEP])
        );
        assert_eq!(
            schema["oneOf"][1]["required"],
            serde_json::json!(["delays_ms"])
        );
        assert_eq!(schema["oneOf"][1]["additionalProperties"], false);
    }
}
