//! What `vars.name` stands for in a condition: an account's plain variables. A secret one is known by name
//! only, so that no answer can quote it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::value::Value;

/// The variables that a condition may ask for. As JSON an object of the plain ones and their values.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    known: BTreeMap<String, Known>,
    others: Others,
}

#[derive(Debug, Clone)]
enum Known {
    Plain(Value<'static>),
    Secret,
}

/// What is said of a name that is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Others {
    /// There is no such variable.
    #[default]
    Missing,
    /// Its value does not matter.
    Unasked,
}

/// What a name stands for.
pub(super) enum Found {
    Plain(Value<'static>),
    Secret,
    Missing,
}

impl Variables {
    /// Any name will do, and has no value: for whoever looks at what a condition says, and never evaluates
    /// it.
    pub fn unasked() -> Self {
        Self {
            others: Others::Unasked,
            ..Self::default()
        }
    }

    /// Adds one with this value: text, a number of 64 bits, or true or false. Whether it is one of those.
    pub fn add_plain(&mut self, name: &str, value: &serde_json::Value) -> bool {
        let value = match value {
            serde_json::Value::String(text) => Value::Text(text.clone().into()),
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(number) => {
                match (number.as_i64(), number.as_u64(), number.as_f64()) {
                    (Some(whole), ..) => Value::Int(whole),
                    (None, Some(whole), _) => Value::Uint(whole),
                    (None, None, Some(real)) => Value::Double(real),
                    (None, None, None) => return false,
                }
            }
            _ => return false,
        };
        self.add(name, value);
        true
    }

    pub(super) fn add(&mut self, name: &str, value: Value<'static>) {
        self.known.insert(name.to_owned(), Known::Plain(value));
    }

    /// Adds those of `others` that it does not know.
    pub fn join(&mut self, others: Self) {
        for (name, known) in others.known {
            self.known.entry(name).or_insert(known);
        }
    }

    /// Those that have none of these names.
    #[must_use]
    pub fn without(&self, names: &BTreeSet<String>) -> Self {
        let known = self.known.iter();
        let others = known.filter(|(name, _)| !names.contains(*name));
        Self {
            known: others
                .map(|(name, known)| (name.clone(), known.clone()))
                .collect(),
            others: self.others,
        }
    }

    /// What their names and values take, about.
    pub fn bytes(&self) -> usize {
        let known = self.known.iter();
        known
            .map(|(name, known)| match known {
                Known::Plain(Value::Text(text)) => name.len() + text.len(),
                _ => name.len() + size_of::<u64>(),
            })
            .sum()
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Adds the name of one that no condition may ask for.
    pub fn add_secret(&mut self, name: &str) {
        self.known.insert(name.to_owned(), Known::Secret);
    }

    pub(super) fn find(&self, name: &str) -> Found {
        match (self.known.get(name), self.others) {
            (Some(Known::Plain(value)), _) => Found::Plain(value.clone()),
            (Some(Known::Secret), _) => Found::Secret,
            (None, Others::Unasked) => Found::Plain(Value::Null),
            (None, Others::Missing) => Found::Missing,
        }
    }
}

impl Serialize for Variables {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.known.iter().filter_map(|(name, known)| match known {
            Known::Plain(Value::Text(text)) => Some((name, serde_json::Value::from(&**text))),
            Known::Plain(Value::Bool(value)) => Some((name, (*value).into())),
            Known::Plain(Value::Int(number)) => Some((name, (*number).into())),
            Known::Plain(Value::Uint(number)) => Some((name, (*number).into())),
            Known::Plain(Value::Double(number)) => Some((name, (*number).into())),
            Known::Plain(_) | Known::Secret => None,
        }))
    }
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut variables = Self::default();
        for (name, value) in BTreeMap::<String, serde_json::Value>::deserialize(deserializer)? {
            variables.add_plain(&name, &value);
        }
        Ok(variables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_they_stand_for_is_kept_exactly() {
        let kept = r#"{"a":"ü","b":true,"c":-5,"d":18446744073709551615,"e":0.1,"f":5.0}"#;
        let read: Variables = serde_json::from_str(kept).expect("variables");
        assert_eq!(serde_json::to_string(&read).expect("JSON"), kept);
        let mut more = read.clone();
        more.add_secret("g");
        assert_eq!(
            serde_json::to_string(&more).expect("JSON"),
            kept,
            "no secret"
        );
    }
}
