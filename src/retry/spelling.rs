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
use super::rule::{ATTEMPTS_MAX, FACTOR_MAX};
use super::{Error, Exponential, RetryPolicy, Rule};
use crate::model::limits::{FINAL_STATUSES_MAX, RETRY_DELAYS_MAX};

const EIGHT_STEP: &str = "eight-step";
const THREE_STEP: &str = "three-step";
/// How much of a wrong name is shown again.
const SHOWN_CHARS_MAX: usize = 80;

/// A policy of a user's own, as it is written: one of the first three, and what stands beside it. What says nothing
/// is left out.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnSpelling {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preset: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delays_ms: Option<Vec<i64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exponential: Option<Exponential>,
    #[serde(default, skip_serializing_if = "is_zero")]
    jitter_pct: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    final_statuses: Vec<i64>,
}

impl OwnSpelling {
    fn policy(self) -> Result<RetryPolicy, Error> {
        let rule = match (self.preset, self.delays_ms, self.exponential) {
            (Some(name), None, None) => match RetryPolicy::preset(&name)? {
                RetryPolicy::EightStep => Rule::EightStep,
                RetryPolicy::ThreeStep => Rule::ThreeStep,
                RetryPolicy::Own(_) => return Err(Error::NotOne),
            },
            (None, Some(delays_ms), None) => Rule::Delays(delays_ms),
            (None, None, Some(exponential)) => Rule::Exponential(exponential),
            _ => return Err(Error::NotOne),
        };
        RetryPolicy::of(rule, self.jitter_pct, &self.final_statuses)
    }

    fn of(policy: &RetryPolicy, rule: &Rule) -> Self {
        let mut spelled = Self {
            jitter_pct: policy.jitter_pct().into(),
            final_statuses: policy.final_statuses().iter().map(|&s| s.into()).collect(),
            ..Self::default()
        };
        match rule {
            Rule::EightStep => spelled.preset = Some(EIGHT_STEP.to_owned()),
            Rule::ThreeStep => spelled.preset = Some(THREE_STEP.to_owned()),
            Rule::Delays(delays_ms) => spelled.delays_ms = Some(delays_ms.clone()),
            Rule::Exponential(exponential) => spelled.exponential = Some(*exponential),
        }
        spelled
    }
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
        let mut parts = vec![if delays.is_empty() {
            "at once, never again".to_owned()
        } else {
            format!("at once, then after {}", delays.join(", "))
        }];
        if let pct @ 1.. = self.jitter_pct() {
            parts.push(format!("each up to {pct} % later"));
        }
        let finals = self.final_statuses().iter();
        let finals: Vec<_> = finals.map(ToString::to_string).collect();
        match &finals[..] {
            [] => {}
            [one] => parts.push(format!("{one} is final")),
            [most @ .., last] => {
                parts.push(format!("{} and {last} are final", most.join(", ")));
            }
        }
        parts.join("; ")
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
            Self::Own(own) => OwnSpelling::of(self, own.rule()).serialize(serializer),
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
        f.write_str("the name of a retry policy or an object with preset, delays_ms or exponential")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<RetryPolicy, E> {
        RetryPolicy::preset(name).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RetryPolicy, A::Error> {
        let own = OwnSpelling::deserialize(MapAccessDeserializer::new(map))?;
        own.policy().map_err(de::Error::custom)
    }
}

impl PartialSchema for RetryPolicy {
    fn schema() -> RefOr<Schema> {
        let preset = || {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some([EIGHT_STEP, THREE_STEP]))
                .description(Some("A ready-made policy"))
        };
        let delays = ArrayBuilder::new()
            .items(whole(0, DELAY_MS_MAX, None))
            .max_items(Some(RETRY_DELAYS_MAX))
            .description(Some(
                "Milliseconds from a failure to the attempt after it: n delays make n + 1 attempts, the first at \
                 once",
            ));
        OneOfBuilder::new()
            .item(preset())
            .item(own("preset", preset()))
            .item(own("delays_ms", delays))
            .item(own("exponential", exponential()))
            .description(Some(
                "When a failed delivery is tried again, and after which answers it is not",
            ))
            .into()
    }
}

/// The object in which `field` says when the attempts are.
fn own(field: &str, says: impl Into<RefOr<Schema>>) -> ObjectBuilder {
    let statuses = ArrayBuilder::new()
        .items(whole(300, 599, None))
        .max_items(Some(FINAL_STATUSES_MAX))
        .description(Some(
            "Answers after which no further attempt is made: the delivery has failed at once, as `rejected`. 410 \
             always is final and disables the endpoint; 408, 429 and 503 never are",
        ));
    let jitter = "By how many percent at most each delay is lengthened at random";
    ObjectBuilder::new()
        .property(field, says)
        .property("jitter_pct", whole(0, 100, Some(jitter)))
        .property("final_statuses", statuses)
        .required(field)
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

fn exponential() -> ObjectBuilder {
    let (first, cap) = (
        "The delay before the second attempt, in milliseconds",
        "The longest delay, in milliseconds: at least `first_ms`",
    );
    let factor = ObjectBuilder::new()
        .schema_type(Type::Number)
        .minimum(Some(1))
        .maximum(Some(FACTOR_MAX as f64))
        .description(Some(
            "Each further delay is this many times the one before: three decimals at most",
        ));
    let attempts = "How many attempts there are, the first one included";
    ObjectBuilder::new()
        .property("first_ms", whole(1, DELAY_MS_MAX, Some(first)))
        .property("factor", factor)
        .property("cap_ms", whole(1, DELAY_MS_MAX, Some(cap)))
        .property("attempts", whole(1, ATTEMPTS_MAX, Some(attempts)))
        .required("first_ms")
        .required("factor")
        .required("cap_ms")
        .required("attempts")
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .description(Some("Delays that grow up to a longest"))
}

fn whole(least: i64, most: i64, says: Option<&str>) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(least as f64))
        .maximum(Some(most as f64))
        .description(says)
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
            r#"{"delays_ms":[5],"jitter_pct":10,"final_statuses":[404,400]}"#,
            r#"{"preset":"three-step"}"#,
            r#"{"preset":"eight-step","final_statuses":[400]}"#,
            r#"{"exponential":{"first_ms":1000,"factor":2,"cap_ms":60000,"attempts":9}}"#,
            r#"{"exponential":{"first_ms":1,"factor":1.125,"cap_ms":5,"attempts":2},"jitter_pct":100,"final_statuses":[501]}"#,
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
            (
                r#"{"jitter_pct":5}"#,
                "exactly one of preset, delays_ms and exponential",
            ),
            (
                r#"{"delays_ms":[1],"preset":"eight-step"}"#,
                "exactly one of",
            ),
            (r#"{"preset":"nine-step"}"#, "no retry policy 'nine-step'"),
            (
                r#"{"exponential":{"first_ms":1,"factor":0.5,"cap_ms":5,"attempts":2}}"#,
                "exponential.factor is 0.5",
            ),
            (
                r#"{"exponential":{"first_ms":1,"factor":2,"attempts":2}}"#,
                "missing field `cap_ms`",
            ),
            (
                r#"{"exponential":{"first_ms":1,"factor":2,"cap_ms":2592000000,"attempts":51}}"#,
                "less than 2592000000",
            ),
            (r#"{"delays_ms":[],"final_statuses":[429]}"#, "[0] is 429"),
            (r#"{"preset":"eight-step","final_statuses":["4xx"]}"#, "i64"),
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
        let finals =
            |statuses: &[i64]| RetryPolicy::of(Rule::ThreeStep, 0, statuses).expect("valid");
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
            (
                finals(&[404]),
                "at once, then after 10 s, 100 s; 404 is final",
            ),
            (
                finals(&[400, 404, 422]),
                "at once, then after 10 s, 100 s; 400, 404 and 422 are final",
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
        for (place, field) in [(1, "preset"), (2, "delays_ms"), (3, "exponential")] {
            let own = &schema["oneOf"][place];
            assert_eq!(own["required"], serde_json::json!([field]));
            assert_eq!(own["additionalProperties"], false);
        }
    }
}
