//! What an endpoint's own subscription names: `"all"`, `"none"`, or a list of patterns.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::Error;
use crate::automation::Pattern;
use crate::model::limits::PATTERNS_MAX;

/// What an endpoint subscribes to. An empty list is all, as an endpoint made with nothing but a
/// URL gets all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Subscribe {
    /// Every event type, also those added later.
    #[default]
    All,
    /// Nothing: the endpoint gets what automations send to it.
    None,
    /// What these patterns name.
    To(Vec<String>),
}

impl Subscribe {
    /// As the endpoint's settings keep it.
    pub(super) fn stored(&self) -> Option<Vec<String>> {
        match self {
            Self::All => Some(vec!["*".to_owned()]),
            Self::None => None,
            Self::To(patterns) => Some(patterns.clone()),
        }
    }

    pub(super) fn of_stored(stored: Option<&[String]>) -> Self {
        match stored {
            None => Self::None,
            Some([all]) if all == "*" => Self::All,
            Some(patterns) => Self::To(patterns.to_vec()),
        }
    }
}

/// Reads the patterns of a trigger or a subscription; `pointer` is where their list stands.
pub(super) fn patterns(texts: &[String], pointer: &str) -> Result<Vec<Pattern>, Error> {
    if texts.len() > PATTERNS_MAX {
        let why = format!("there are {} patterns: {PATTERNS_MAX} at most", texts.len());
        return Err(Error::field(pointer, why));
    }
    let read = |(place, text): (usize, &String)| {
        let pointer = format!("{pointer}/{place}");
        let read: Pattern = text
            .parse()
            .map_err(|error| Error::field(&*pointer, error))?;
        if let Pattern::Exact(event_type) = &read
            && event_type.is_own_schedule()
        {
            let why = "events of an automation's own schedule are for that automation alone: make a schedule at \
                       /v1/schedules for several";
            return Err(Error::field(pointer, why));
        }
        Ok(read)
    };
    texts.iter().enumerate().map(read).collect()
}

impl Serialize for Subscribe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::None => serializer.serialize_str("none"),
            Self::To(patterns) => patterns.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Subscribe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrList)
    }
}

struct WordOrList;

impl<'de> Visitor<'de> for WordOrList {
    type Value = Subscribe;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"all\", \"none\" or a list of event types and patterns such as deal.*")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Subscribe, E> {
        match word {
            "all" => Ok(Subscribe::All),
            "none" => Ok(Subscribe::None),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Subscribe, A::Error> {
        let mut patterns = Vec::new();
        while let Some(pattern) = seq.next_element()? {
            patterns.push(pattern);
        }
        Ok(if patterns.is_empty() {
            Subscribe::All
        } else {
            Subscribe::To(patterns)
        })
    }
}

impl PartialSchema for Subscribe {
    fn schema() -> RefOr<Schema> {
        let word = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["all", "none"]))
            .description(Some("Every event type, also those added later; or nothing"));
        let list = ArrayBuilder::new()
            .items(ObjectBuilder::new().schema_type(Type::String))
            .max_items(Some(PATTERNS_MAX))
            .examples([json!(["deal.*", "proposal.accepted"])])
            .description(Some("Event types and patterns; an empty list is all"));
        OneOfBuilder::new()
            .item(word)
            .item(list)
            .description(Some("What the endpoint's own subscription names"))
            .into()
    }
}

impl ToSchema for Subscribe {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_as_users_write_them() {
        for (text, subscribe, shown) in [
            (r#""all""#, Subscribe::All, r#""all""#),
            ("[]", Subscribe::All, r#""all""#),
            (r#""none""#, Subscribe::None, r#""none""#),
            (
                r#"["deal.*"]"#,
                Subscribe::To(vec!["deal.*".to_owned()]),
                r#"["deal.*"]"#,
            ),
        ] {
            let read: Subscribe = serde_json::from_str(text).expect(text);
            assert_eq!(read, subscribe);
            let back = Subscribe::of_stored(read.stored().as_deref());
            assert_eq!(serde_json::to_string(&back).expect("plain"), shown);
        }
        for wrong in [r#""deal.*""#, "true", "{}", "[1]"] {
            assert!(serde_json::from_str::<Subscribe>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_pattern_is_named_by_its_place() {
        let texts = ["deal.*".to_owned(), "*.won".to_owned()];
        let error = patterns(&texts, "/subscribe").expect_err("a star in front");
        assert_eq!(
            error.place().map(ToString::to_string).as_deref(),
            Some("/subscribe/1")
        );
        assert!(patterns(&vec!["a".to_owned(); PATTERNS_MAX + 1], "/subscribe").is_err());
    }
}
