//! A value of JSON or YAML. Members keep their order, and numbers the digits that they were written with.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{DEPTH_MAX, Error};

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number as JSON writes it.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// An object's members, in their order.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The value of a JSON text.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let raw = serde_json::from_str(json).map_err(|error| wrong(&error))?;
        Self::of(raw, 0)
    }

    fn of(raw: &RawValue, depth: usize) -> Result<Self, Error> {
        let text = raw.get();
        if depth > DEPTH_MAX {
            return Err(Error::Json(format!("it nests deeper than {DEPTH_MAX}")));
        }
        Ok(match text.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text).map_err(|error| wrong(&error))?;
                let within = |(name, raw)| Ok((name, Self::of(raw, depth + 1)?));
                Self::Map(members.into_iter().map(within).collect::<Result<_, _>>()?)
            }
            Some(b'[') => {
                let entries: Vec<&RawValue> =
                    serde_json::from_str(text).map_err(|error| wrong(&error))?;
                let within = |raw| Self::of(raw, depth + 1);
                Self::List(entries.into_iter().map(within).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Self::Text(serde_json::from_str(text).map_err(|error| wrong(&error))?),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'n') => Self::Null,
            _ => Self::Number(text.to_owned()),
        })
    }

    /// The same as JSON, without white space.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        self.put_json(&mut json);
        json
    }

    fn put_json(&self, json: &mut String) {
        match self {
            Self::Null => json.push_str("null"),
            Self::Bool(true) => json.push_str("true"),
            Self::Bool(false) => json.push_str("false"),
            Self::Number(digits) => json.push_str(digits),
            Self::Text(text) => json.push_str(&quoted(text)),
            Self::List(entries) => {
                json.push('[');
                for (place, entry) in entries.iter().enumerate() {
                    if place > 0 {
                        json.push(',');
                    }
                    entry.put_json(json);
                }
                json.push(']');
            }
            Self::Map(members) => {
                json.push('{');
                for (place, (name, value)) in members.iter().enumerate() {
                    if place > 0 {
                        json.push(',');
                    }
                    json.push_str(&quoted(name));
                    json.push(':');
                    value.put_json(json);
                }
                json.push('}');
            }
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a list; none of anything else.
    pub fn entries_mut(&mut self) -> &mut [Self] {
        match self {
            Self::List(entries) => entries,
            _ => &mut [],
        }
    }

    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(members) = self else {
            return None;
        };
        let mut found = members.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        let Self::Map(members) = self else {
            return None;
        };
        let mut found = members.iter_mut().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value)
    }

    /// Takes the member of this name out.
    pub fn take(&mut self, name: &str) -> Option<Self> {
        let Self::Map(members) = self else {
            return None;
        };
        let place = members.iter().position(|(known, _)| known == name)?;
        Some(members.remove(place).1)
    }

    /// Gives the member of this name a value, at its place or at the end.
    pub fn set(&mut self, name: &str, value: Self) {
        if let Some(known) = self.get_mut(name) {
            *known = value;
        } else if let Self::Map(members) = self {
            members.push((name.to_owned(), value));
        }
    }

    /// Takes the member out, if it has this value.
    pub fn leave_out(&mut self, name: &str, usual: &Self) {
        if self.get(name).is_some_and(|value| value.is_same(usual)) {
            self.take(name);
        }
    }

    /// Whether both say the same, whatever order their members are in.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Map(own), Self::Map(others)) => {
                let is_there = |(name, value): &(String, Self)| {
                    other.get(name).is_some_and(|other| value.is_same(other))
                };
                own.len() == others.len() && own.iter().all(is_there)
            }
            (Self::List(own), Self::List(others)) => {
                let mut pairs = own.iter().zip(others);
                own.len() == others.len() && pairs.all(|(one, other)| one.is_same(other))
            }
            _ => self == other,
        }
    }

    /// The same with these members first, in this order.
    #[must_use]
    pub fn ordered(mut self, first: &[&str]) -> Self {
        let mut members = Vec::new();
        for name in first {
            if let Some(value) = self.take(name) {
                members.push(((*name).to_owned(), value));
            }
        }
        match self {
            Self::Map(others) => {
                members.extend(others);
                Self::Map(members)
            }
            other => other,
        }
    }
}

/// A text as JSON has it. Escaped is, too, what YAML does not take as it is.
pub(super) fn quoted(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 2);
    for letter in Value::from(text).to_string().chars() {
        if is_unprintable(letter) {
            let digits = hex::encode((u32::from(letter) as u16).to_be_bytes());
            written.push_str("\\u");
            written.push_str(&digits);
        } else {
            written.push(letter);
        }
    }
    written
}

/// Whether YAML does not take it as it is, or a reader might not see it. All of these are of the first plane.
pub(super) fn is_unprintable(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

fn wrong(error: &serde_json::Error) -> Error {
    Error::Json(error.to_string())
}

/// An object's members in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
