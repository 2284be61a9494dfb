//! A payload, walked over value by value as it is read: nothing of it is kept.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Term, words};

/// A walk that looks for terms.
pub(super) struct Walk<'q> {
    terms: &'q [Term],
    /// Of each term, whether it was found.
    found: Vec<bool>,
    /// The names of the members that lead to where it is.
    path: Vec<String>,
}

impl<'q> Walk<'q> {
    /// Whether the JSON has all of the terms.
    pub(super) fn of(terms: &'q [Term], json: &[u8]) -> bool {
        let mut walk = Self {
            terms,
            found: vec![false; terms.len()],
            path: Vec::new(),
        };
        let mut read = serde_json::Deserializer::from_slice(json);
        walk.value().deserialize(&mut read).is_ok() && walk.found.iter().all(|found| *found)
    }

    fn value(&mut self) -> Value<'_, 'q> {
        Value(self)
    }

    fn look(&mut self, text: &str) {
        let words = words(text);
        for (term, found) in self.terms.iter().zip(&mut self.found) {
            *found = *found || term.is_in(&self.path, &words);
        }
    }
}

/// The value that comes next.
struct Value<'w, 'q>(&'w mut Walk<'q>);

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, read: D) -> Result<(), D::Error> {
        read.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.look(text);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.look(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.look(&value.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.0.look(&value.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.look(&value.to_string());
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        while values.next_element_seed(self.0.value())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            self.0.path.push(name);
            members.next_value_seed(self.0.value())?;
            self.0.path.pop();
        }
        Ok(())
    }
}
