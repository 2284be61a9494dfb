//! JSON in one spelling, so that what says the same has the same digest, and what two texts differ in.
//!
//! In the one spelling an object's members stand in the order of their names' bytes, with no white space
//! between, and text is escaped only where it must be. Numbers stay as they were written: a reader may
//! tell `1` from `1.0`. Of two members with one name both stay, in their order. What is nested deeper
//! than [`DEPTH_MAX`] stays as it is.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

/// Deepest nesting that is looked into. Everything that is stored nests less.
const DEPTH_MAX: usize = 160;
/// Most differences that are shown.
const DIFFERENCES_MAX: usize = 1000;
const PREFIX: &str = "sha256:";

/// SHA-256 of a definition in its one spelling. In text `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefinitionDigest([u8; 32]);

impl DefinitionDigest {
    /// The digest of this text, which is in its one spelling already.
    pub fn of(canonical: &str) -> Self {
        Self(Sha256::digest(canonical).into())
    }

    /// The digest with these 32 bytes, as the store keeps it.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for DefinitionDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", hex::encode(self.0))
    }
}

impl Serialize for DefinitionDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One place at which two texts differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// JSON pointer (RFC 6901).
    pub pointer: String,
    /// JSON; `None`: nothing was there.
    pub before: Option<String>,
    /// JSON; `None`: nothing is there.
    pub after: Option<String>,
}

/// What two texts differ in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// In the order of the one spelling.
    pub shown: Vec<Difference>,
    /// How many more there are.
    pub left_out: usize,
}

/// JSON in its one spelling.
pub fn canonical(json: &str) -> Result<String, serde_json::Error> {
    let mut text = String::with_capacity(json.len());
    Node::read(json)?.write(&mut text);
    Ok(text)
}

/// What has to change for `before` to become `after`, field by field. Lists are compared place by place.
pub fn differences(before: &str, after: &str) -> Result<Differences, serde_json::Error> {
    let mut found = Differences::default();
    let (before, after) = (Node::read(before)?, Node::read(after)?);
    found.compare("", Some(&before), Some(&after));
    Ok(found)
}

/// A value, with its members sorted.
#[derive(Debug, PartialEq)]
enum Node<'a> {
    Object(Vec<(String, Node<'a>)>),
    Array(Vec<Node<'a>>),
    /// As it is written.
    Written(Cow<'a, str>),
}

impl<'a> Node<'a> {
    fn read(json: &'a str) -> Result<Self, serde_json::Error> {
        Ok(Self::of(serde_json::from_str(json)?, 0))
    }

    /// What can't be taken apart, such as half a surrogate pair in a name, stays as it is written.
    fn of(raw: &'a RawValue, depth: usize) -> Self {
        let text = raw.get();
        let apart = match text.as_bytes().first() {
            Some(b'{') if depth < DEPTH_MAX => {
                serde_json::from_str(text).map(|Members(members)| Self::object(members, depth))
            }
            Some(b'[') if depth < DEPTH_MAX => {
                let within = |elements: Vec<&'a RawValue>| {
                    let nodes = elements.into_iter().map(|raw| Self::of(raw, depth + 1));
                    Self::Array(nodes.collect())
                };
                serde_json::from_str(text).map(within)
            }
            Some(b'"') => serde_json::from_str(text)
                .map(|text: String| Self::Written(Value::from(text).to_string().into())),
            _ => Ok(Self::Written(text.into())),
        };
        apart.unwrap_or(Self::Written(text.into()))
    }

    fn object(members: Vec<(String, &'a RawValue)>, depth: usize) -> Self {
        let mut nodes: Vec<_> = members
            .into_iter()
            .map(|(name, raw)| (name, Self::of(raw, depth + 1)))
            .collect();
        nodes.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self::Object(nodes)
    }

    fn write(&self, text: &mut String) {
        match self {
            Self::Written(written) => text.push_str(written),
            Self::Array(nodes) => {
                for (place, node) in nodes.iter().enumerate() {
                    text.push(if place == 0 { '[' } else { ',' });
                    node.write(text);
                }
                text.push_str(if nodes.is_empty() { "[]" } else { "]" });
            }
            Self::Object(members) => {
                for (place, (name, node)) in members.iter().enumerate() {
                    text.push(if place == 0 { '{' } else { ',' });
                    text.push_str(&Value::from(name.as_str()).to_string());
                    text.push(':');
                    node.write(text);
                }
                text.push_str(if members.is_empty() { "{}" } else { "}" });
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }
}

/// An object's members as they come.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Gather;

        impl<'de> Visitor<'de> for Gather {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Gather)
    }
}

impl Differences {
    fn compare(&mut self, at: &str, before: Option<&Node<'_>>, after: Option<&Node<'_>>) {
        match (before, after) {
            (Some(Node::Object(before)), Some(Node::Object(after))) => {
                self.members(at, before, after);
            }
            (Some(Node::Array(before)), Some(Node::Array(after))) => {
                for place in 0..before.len().max(after.len()) {
                    self.compare(
                        &format!("{at}/{place}"),
                        before.get(place),
                        after.get(place),
                    );
                }
            }
            (before, after) if before == after => {}
            _ if self.shown.len() >= DIFFERENCES_MAX => self.left_out += 1,
            (before, after) => self.shown.push(Difference {
                pointer: at.to_owned(),
                before: before.map(Node::text),
                after: after.map(Node::text),
            }),
        }
    }

    /// Both are sorted by name.
    fn members(&mut self, at: &str, before: &[(String, Node<'_>)], after: &[(String, Node<'_>)]) {
        let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => return,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((one, _)), Some((other, _))) => one.cmp(other),
            };
            let gone = before.next_if(|_| order != Ordering::Greater);
            let come = after.next_if(|_| order != Ordering::Less);
            let name = gone.or(come).map_or("", |(name, _)| name.as_str());
            let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            self.compare(&at, gone.map(|(_, node)| node), come.map(|(_, node)| node));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_says_the_same_is_spelled_the_same() {
        for (json, spelled) in [
            (
                r#" { "b" : [ 1 , {"z":null,"a":true} ], "a" : "x" } "#,
                r#"{"a":"x","b":[1,{"a":true,"z":null}]}"#,
            ),
            ("{}", "{}"),
            (r"[ [ ] , { } ]", "[[],{}]"),
            // A reader may tell them apart, and no number loses a digit.
            (
                "[1.0, 1, 1e400, 12345678901234567890123]",
                "[1.0,1,1e400,12345678901234567890123]",
            ),
            (r#""\u0041\/\n\u0000ä""#, "\"A/\\n\\u0000ä\""),
            (r#"{"a":2,"a":1}"#, r#"{"a":2,"a":1}"#),
            (r#"{"\u0062":1,"a":2}"#, r#"{"a":2,"b":1}"#),
            // Half a pair of surrogates is no text, and is carried all the same.
            (r#"{"b":"\ud800","a":1}"#, r#"{"a":1,"b":"\ud800"}"#),
        ] {
            assert_eq!(canonical(json).expect("JSON"), spelled);
            assert_eq!(canonical(spelled).expect("JSON"), spelled);
        }
        assert!(canonical("{").is_err() && canonical("1 2").is_err());
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert_eq!(canonical(&deep).expect("JSON"), deep);
    }

    #[test]
    fn a_digest_is_that_of_the_text() {
        let digest = DefinitionDigest::of("abc");
        assert_eq!(
            digest.to_string(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(DefinitionDigest::from_bytes(*digest.as_bytes()), digest);
    }

    fn told(before: &str, after: &str) -> Vec<String> {
        let found = differences(before, after).expect("JSON");
        let word = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
        let line =
            |one: Difference| format!("{} {} {}", one.pointer, word(one.before), word(one.after));
        found.shown.into_iter().map(line).collect()
    }

    #[test]
    fn differences_are_told_field_by_field() {
        let cases: [(&str, &str, &[&str]); 7] = [
            (r#"{"a":1,"b":2}"#, r#"{"b":2, "a":1}"#, &[]),
            (
                r#"{"a":1,"b":{"c":[1,2],"d":0}}"#,
                r#"{"b":{"c":[1,3,4]},"e":null}"#,
                &[
                    "/a 1 -",
                    "/b/c/1 2 3",
                    "/b/c/2 - 4",
                    "/b/d 0 -",
                    "/e - null",
                ],
            ),
            (r#"{"a":[1]}"#, r#"{"a":{"0":1}}"#, &[r#"/a [1] {"0":1}"#]),
            (
                r#"{"a/b":{"~":1}}"#,
                r#"{"a/b":{"~":2}}"#,
                &["/a~1b/~0 1 2"],
            ),
            ("{}", r#"{"a":{"b":1}}"#, &[r#"/a - {"b":1}"#]),
            (
                "[12345678901234567890123]",
                "[12345678901234567890124]",
                &["/0 12345678901234567890123 12345678901234567890124"],
            ),
            ("1", r#""1""#, &[r#" 1 "1""#]),
        ];
        for (before, after, expected) in cases {
            assert_eq!(told(before, after), expected, "{before} to {after}");
        }
    }

    #[test]
    fn differences_are_bounded() {
        let zeros = format!("[{}0]", "0,".repeat(DIFFERENCES_MAX + 1));
        let found = differences(&zeros, &zeros.replace('0', "1")).expect("JSON");
        assert_eq!((found.shown.len(), found.left_out), (DIFFERENCES_MAX, 2));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((".{0,4}", inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_one_spelling_says_the_same(one in value()) {
            let spelled = canonical(&format!("{one:#}")).expect("JSON");
            let read: Value = serde_json::from_str(&spelled).expect("JSON");
            prop_assert_eq!(&canonical(&spelled).expect("JSON"), &spelled);
            prop_assert_eq!(read, one);
        }

        #[test]
        fn only_what_differs_differs(one in value(), other in value()) {
            let (one, other) = (one.to_string(), other.to_string());
            let found = differences(&one, &other).expect("JSON");
            let same = canonical(&one).expect("JSON") == canonical(&other).expect("JSON");
            prop_assert_eq!(found == Differences::default(), same);
        }
    }
}
