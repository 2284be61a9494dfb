//! A policy as an endpoint or a profile has it: written out, or by the name of one of the account's own.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::Error;
use crate::failure::FailurePolicy;
use crate::retry::RetryPolicy;
use crate::store::RuleKind;

/// A kind of policy.
pub trait Policy: Clone + PartialEq + Serialize + DeserializeOwned + PartialSchema {
    /// Which kind.
    const KIND: RuleKind;
    /// One of them, in a sentence.
    const NOUN: &'static str;
    /// What the schema of a reference to one is called.
    const REF: &'static str;
    /// The ready-made ones, in a sentence.
    const READY_MADE: &'static str;
    /// The names of the ready-made ones, and those that no policy of an account's own may have.
    const RESERVED: &'static [&'static str];

    /// The ready-made one of this name.
    fn ready_made(name: &str) -> Option<Self>;
}

impl Policy for RetryPolicy {
    const KIND: RuleKind = RuleKind::RetryPolicy;
    const NOUN: &'static str = "retry policy";
    const REF: &'static str = "RetryPolicyRef";
    const READY_MADE: &'static str = "eight-step, three-step";
    const RESERVED: &'static [&'static str] = &["eight-step", "three-step", "preview"];

    fn ready_made(name: &str) -> Option<Self> {
        Self::preset(name).ok()
    }
}

impl Policy for FailurePolicy {
    const KIND: RuleKind = RuleKind::FailurePolicy;
    const NOUN: &'static str = "failure policy";
    const REF: &'static str = "FailurePolicyRef";
    const READY_MADE: &'static str = "five-days, ladder, never";
    const RESERVED: &'static [&'static str] = &["five-days", "ladder", "never", "consecutive"];

    fn ready_made(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// A policy, or the name of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyRef<P> {
    /// One of the account's own.
    Named(String),
    /// Written out, or ready-made.
    Written(P),
}

/// A retry policy, or the name of one.
pub type RetryPolicyRef = PolicyRef<RetryPolicy>;
/// A failure policy, or the name of one.
pub type FailurePolicyRef = PolicyRef<FailurePolicy>;

impl<P: Policy> PolicyRef<P> {
    /// The policy, by its name if it has one.
    pub(super) fn of(name: Option<&String>, policy: &P) -> Self {
        match name {
            Some(name) => Self::Named(name.clone()),
            None => Self::Written(policy.clone()),
        }
    }
}

impl<P: Policy> Serialize for PolicyRef<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Named(name) => serializer.serialize_str(name),
            Self::Written(policy) => policy.serialize(serializer),
        }
    }
}

impl<'de, P: Policy> Deserialize<'de> for PolicyRef<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrObject(PhantomData))
    }
}

/// Written by hand because an untagged enum would answer every mistake with "did not match any variant".
struct NameOrObject<P>(PhantomData<P>);

impl<'de, P: Policy> Visitor<'de> for NameOrObject<P> {
    type Value = PolicyRef<P>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name of a {} or an object", P::NOUN)
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<PolicyRef<P>, E> {
        let named = || PolicyRef::Named(name.to_owned());
        Ok(P::ready_made(name).map_or_else(named, PolicyRef::Written))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PolicyRef<P>, A::Error> {
        P::deserialize(MapAccessDeserializer::new(map)).map(PolicyRef::Written)
    }
}

impl<P: Policy> PartialSchema for PolicyRef<P> {
    fn schema() -> RefOr<Schema> {
        let named = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("The name of one of the account's own"));
        let says = format!("A {}, or the name of one of the account's own", P::NOUN);
        OneOfBuilder::new()
            .item(P::schema())
            .item(named)
            .description(Some(says))
            .into()
    }
}

impl<P: Policy> ToSchema for PolicyRef<P> {
    fn name() -> Cow<'static, str> {
        P::REF.into()
    }
}

/// That there is no policy of this name.
pub(super) fn unknown<P: Policy>(name: &str, at: &str) -> Error {
    let shown: String = name.chars().take(80).collect();
    let why = format!(
        "there is no {} '{shown}': take {}, one of the account's own, or write one out",
        P::NOUN,
        P::READY_MADE
    );
    Error::field(at, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_ready_made_is_one_of_the_account_s_own() {
        for (text, named) in [
            (r#""nightly""#, true),
            (r#""eight-step""#, false),
            (r#"{"delays_ms":[200]}"#, false),
        ] {
            let read: RetryPolicyRef = serde_json::from_str(text).expect(text);
            assert_eq!(matches!(read, PolicyRef::Named(_)), named, "{text}");
            assert_eq!(serde_json::to_string(&read).expect("plain"), text);
        }
        for (text, wanted) in [
            ("5", "the name of a failure policy or an object"),
            (r#"{"consecutive":0}"#, "consecutive is 0"),
        ] {
            let error = serde_json::from_str::<FailurePolicyRef>(text).expect_err(text);
            assert!(error.to_string().contains(wanted), "{error}");
        }
    }
}
