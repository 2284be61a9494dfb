//! A payload as conditions read it: one pass over the bytes, strings borrowed from them wherever
//! they carry no escape, objects sorted by key for lookups in logarithmic time.
//!
//! Not `serde_json::Value`: that one copies every string, and this tree is read once or a few
//! times and thrown away. Of a repeated key the last one counts, as in every JavaScript receiver.
//! It has at most [`VALUES_MAX`] values: in memory a value takes tens of times the two bytes that it has in a
//! list of digits, and an evaluation must not take longer than it takes for texts of the same length.
//! A whole number is an `Int` where it fits into 64 bits with a sign, a `Uint` where it fits
//! without, and else a `Double`, which [`super::value`] treats as inexact.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};

/// Most values of one payload, lists and objects among them.
pub(super) const VALUES_MAX: usize = 30_000;

/// One JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    /// Sorted by key, each key once.
    Object(Vec<Entry<'a>>),
}

/// One key of an object with its value.
pub(super) type Entry<'a> = (Cow<'a, str>, Json<'a>);

/// The value of `key` among the sorted `entries`.
pub(super) fn look_up<'j, 'a>(entries: &'j [Entry<'a>], key: &str) -> Option<&'j Json<'a>> {
    // Among few, keys of other lengths are passed by fastest.
    if entries.len() <= 16 {
        let found = entries.iter().find(|(name, _)| name.as_ref() == key);
        return found.map(|(_, value)| value);
    }
    let found = entries
        .binary_search_by(|(name, _)| name.as_ref().cmp(key))
        .ok()?;
    Some(&entries[found].1)
}

/// A string that borrows the input if it can. (`Cow`'s own implementation never borrows.)
struct Text<'a>(Cow<'a, str>);

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

/// Reads a value, as long as there are values left to be read.
#[derive(Clone, Copy)]
struct Reader<'c> {
    left: &'c Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        let Some(left) = self.left.get().checked_sub(1) else {
            let why =
                format!("it has more than {VALUES_MAX} values, the most that are looked into");
            return Err(D::Error::custom(why));
        };
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(i64::try_from(number).map_or(Json::Uint(number), Json::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json<'de>, E> {
        Ok(Json::Double(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element_seed(self)? {
            list.push(entry);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut object: Vec<Entry<'de>> = Vec::new();
        while let Some(Text(key)) = entries.next_key()? {
            object.push((key, entries.next_value_seed(self)?));
        }
        // Stable, so that of a repeated key the last one comes last; it is the one kept.
        object.sort_by(|left, right| left.0.cmp(&right.0));
        object.dedup_by(|later, kept| {
            let repeated = later.0 == kept.0;
            if repeated {
                std::mem::swap(later, kept);
            }
            repeated
        });
        Ok(Json::Object(object))
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let left = &Cell::new(VALUES_MAX);
        Reader { left }.deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json<'_> {
        serde_json::from_str(text).expect("valid JSON")
    }

    #[test]
    fn so_many_values_are_read_and_not_one_more() {
        // The list is a value, too.
        let list = |entries: usize| format!("[{}0]", "0,".repeat(entries - 1));
        let most = list(VALUES_MAX - 1);
        assert!(matches!(json(&most), Json::List(read) if read.len() == VALUES_MAX - 1));
        let text = list(VALUES_MAX);
        let error = serde_json::from_str::<Json<'_>>(&text).expect_err("too many");
        assert!(
            error.to_string().contains("more than 30000 values"),
            "{error}"
        );
    }

    #[test]
    fn numbers_keep_their_kind() {
        let cases = [
            ("0", Json::Int(0)),
            ("-9223372036854775808", Json::Int(i64::MIN)),
            ("9223372036854775807", Json::Int(i64::MAX)),
            ("9223372036854775808", Json::Uint(1 << 63)),
            ("18446744073709551615", Json::Uint(u64::MAX)),
            (
                "18446744073709551616",
                Json::Double(18_446_744_073_709_551_616.0),
            ),
            ("1.0", Json::Double(1.0)),
            ("1e3", Json::Double(1000.0)),
        ];
        for (text, expected) in cases {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn of_a_repeated_key_the_last_one_counts() {
        let Json::Object(entries) = json(r#"{"b":1,"a":2,"b":3,"a":4,"b":5}"#) else {
            panic!("an object");
        };
        assert_eq!(entries.len(), 2);
        assert_eq!(look_up(&entries, "a"), Some(&Json::Int(4)));
        assert_eq!(look_up(&entries, "b"), Some(&Json::Int(5)));
        assert_eq!(look_up(&entries, "c"), None);
    }

    #[test]
    fn plain_strings_are_borrowed_and_escaped_ones_are_read() {
        assert!(matches!(
            json(r#""Grüße""#),
            Json::Text(Cow::Borrowed("Grüße"))
        ));
        assert_eq!(json(r#""a\u0000\n""#), Json::Text("a\0\n".into()));
    }
}
