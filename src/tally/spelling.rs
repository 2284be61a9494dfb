//! How the alert of a success rate is written: a word, or an object.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::{ATTEMPTS_MAX, Error, SuccessRateAlert, Threshold, WINDOW_S_MAX, WINDOW_S_MIN};

const ACCOUNT: &str = "account";
const OFF: &str = "off";
/// The window of an alert that names none, in seconds.
const WINDOW_S_DEFAULT: i64 = 3_600;
/// The fewest attempts of one that names no number.
const MIN_ATTEMPTS_DEFAULT: i64 = 20;
/// How much of a wrong word is shown again.
const SHOWN_CHARS_MAX: usize = 80;

/// An alert as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spelled {
    below: f64,
    #[serde(default = "usual_window_s")]
    window_s: i64,
    #[serde(default = "usual_min_attempts")]
    min_attempts: i64,
}

fn usual_window_s() -> i64 {
    WINDOW_S_DEFAULT
}

fn usual_min_attempts() -> i64 {
    MIN_ATTEMPTS_DEFAULT
}

impl SuccessRateAlert {
    /// Whether it says nothing of its own, as settings do in which nobody has said anything.
    pub fn is_account(&self) -> bool {
        *self == Self::Account
    }
}

impl std::str::FromStr for SuccessRateAlert {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            ACCOUNT => Ok(Self::Account),
            OFF => Ok(Self::Off),
            _ => Err(Error::Unknown(word.chars().take(SHOWN_CHARS_MAX).collect())),
        }
    }
}

impl Serialize for SuccessRateAlert {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Account => serializer.serialize_str(ACCOUNT),
            Self::Off => serializer.serialize_str(OFF),
            Self::When(threshold) => Spelled {
                below: threshold.below(),
                window_s: threshold.window_s(),
                min_attempts: threshold.min_attempts(),
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SuccessRateAlert {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrObject)
    }
}

/// Written by hand because an untagged enum would answer every mistake with "did not match any variant".
struct WordOrObject;

impl<'de> Visitor<'de> for WordOrObject {
    type Value = SuccessRateAlert;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("account, off, or an object with below, window_s and min_attempts")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<SuccessRateAlert, E> {
        word.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SuccessRateAlert, A::Error> {
        let spelled = Spelled::deserialize(MapAccessDeserializer::new(map))?;
        Threshold::new(spelled.below, spelled.window_s, spelled.min_attempts)
            .map(SuccessRateAlert::When)
            .map_err(de::Error::custom)
    }
}

impl PartialSchema for SuccessRateAlert {
    fn schema() -> RefOr<Schema> {
        let word = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some([ACCOUNT, OFF]))
            .description(Some("As the account says (`account`), or never (`off`)"));
        let below = ObjectBuilder::new()
            .schema_type(Type::Number)
            .exclusive_minimum(Some(0.0))
            .maximum(Some(1.0))
            .description(Some("A success rate below this is told"));
        let window = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(WINDOW_S_MIN))
            .maximum(Some(WINDOW_S_MAX))
            .description(Some("Over so many seconds; 3600, if left out"));
        let attempts = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(ATTEMPTS_MAX))
            .description(Some("Of so many attempts at least; 20, if left out"));
        let threshold = ObjectBuilder::new()
            .property("below", below)
            .required("below")
            .property("window_s", window)
            .property("min_attempts", attempts)
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        OneOfBuilder::new()
            .item(word)
            .item(threshold)
            .description(Some(
                "Whether it is told, by an operational event, that too few of an endpoint's attempts succeed",
            ))
            .into()
    }
}

impl ToSchema for SuccessRateAlert {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_as_users_write_them_and_no_others() {
        for (text, shown) in [
            (r#""account""#, r#""account""#),
            (r#""off""#, r#""off""#),
            (
                r#"{"below":0.5}"#,
                r#"{"below":0.5,"window_s":3600,"min_attempts":20}"#,
            ),
            (
                r#"{"min_attempts":1,"window_s":60,"below":1}"#,
                r#"{"below":1.0,"window_s":60,"min_attempts":1}"#,
            ),
        ] {
            let alert: SuccessRateAlert = serde_json::from_str(text).expect(text);
            assert_eq!(serde_json::to_string(&alert).expect("plain"), shown);
        }
        for (text, wanted) in [
            (r#""on""#, "'on' is no alert"),
            (r#"{"below":95}"#, "below is 95"),
            (r#"{"below":0.9,"window_s":1}"#, "window_s is 1"),
            (r#"{"below":0.9,"hours":1}"#, "unknown field `hours`"),
            ("{}", "missing field `below`"),
            ("5", "account, off, or an object"),
        ] {
            let error = serde_json::from_str::<SuccessRateAlert>(text)
                .expect_err(text)
                .to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
