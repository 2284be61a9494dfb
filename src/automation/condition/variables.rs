//! What `vars.name` stands for in a condition: an account's plain variables. A secret one is known by name
//! only, so that no answer can quote it.

use std::collections::BTreeMap;

use super::value::Value;

/// The variables that a condition may ask for.
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
        self.known.insert(name.to_owned(), Known::Plain(value));
        true
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
