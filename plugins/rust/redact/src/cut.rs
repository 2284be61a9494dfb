//! Takes fields out of JSON text without reading the rest into values: every byte outside the
//! fields that are meant stays as it was, with its spacing, escapes, duplicate members and numbers
//! of any length. A name is compared after its escapes are resolved, so `"\u0065mail"` is `email`.
//!
//! The text is taken to be valid JSON, as the host promises; of text that is not, either a
//! [`Malformed`] or some text comes out, never a panic.

use std::borrow::Cow;

use crate::pointer::{Action, Place, Rules};

/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 512;

/// The text is not JSON, or too deep.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where it was noticed, in bytes from the beginning.
    pub at: usize,
}

/// The text without the fields that `rules` removes, and with `mask` (JSON text) in place of
/// those that it masks.
pub fn cut(json: &str, rules: &Rules, mask: &str) -> Result<String, Malformed> {
    let mut cutter = Cutter {
        json,
        at: 0,
        out: String::with_capacity(json.len()),
        rules,
        mask,
    };
    cutter.copy_space();
    cutter.value(&rules.start(), 0)?;
    let rest = cutter.at;
    cutter.out.push_str(&json[rest..]);
    Ok(cutter.out)
}

struct Cutter<'a> {
    json: &'a str,
    at: usize,
    out: String,
    rules: &'a Rules,
    mask: &'a str,
}

impl<'a> Cutter<'a> {
    /// Copies the value that begins here, and looks inside if a pointer leads there.
    fn value(&mut self, places: &[Place], depth: usize) -> Result<(), Malformed> {
        if depth > DEPTH_MAX {
            return Err(self.malformed());
        }
        match self.peek() {
            Some(b'{') if !places.is_empty() => self.inside(b'}', places, depth),
            Some(b'[') if !places.is_empty() => self.inside(b']', places, depth),
            _ => {
                let from = self.at;
                self.skip_value()?;
                self.out.push_str(&self.json[from..self.at]);
                Ok(())
            }
        }
    }

    /// Copies an object or an array up to `close`, without what is removed from it.
    fn inside(&mut self, close: u8, places: &[Place], depth: usize) -> Result<(), Malformed> {
        self.copy_byte();
        let mut kept = false;
        let mut index = 0_usize;
        loop {
            let lead = self.at;
            self.skip_space();
            if self.peek() == Some(close) {
                self.out.push_str(&self.json[lead..self.at]);
                self.copy_byte();
                return Ok(());
            }
            let name = if close == b'}' {
                self.name()?
            } else {
                Cow::Owned(index.to_string())
            };
            let (action, deeper) = self.rules.step(places, &name);
            let removed = action == Some(Action::Remove);
            if removed {
                self.skip_value()?;
            } else {
                if kept {
                    self.out.push(',');
                }
                kept = true;
                self.out.push_str(&self.json[lead..self.at]);
                if action == Some(Action::Mask) {
                    self.skip_value()?;
                    self.out.push_str(self.mask);
                } else {
                    self.value(&deeper, depth + 1)?;
                }
            }
            let trail = self.at;
            self.skip_space();
            match self.peek() {
                Some(b',') => {
                    if !removed {
                        self.out.push_str(&self.json[trail..self.at]);
                    }
                    self.at += 1;
                }
                Some(byte) if byte == close => self.at = trail,
                _ => return Err(self.malformed()),
            }
            index += 1;
        }
    }

    /// Reads a member's name and goes on to its value.
    fn name(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let from = self.at;
        self.skip_string()?;
        let name = resolve(&self.json[from + 1..self.at - 1]);
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.malformed());
        }
        self.at += 1;
        self.skip_space();
        Ok(name)
    }

    fn skip_value(&mut self) -> Result<(), Malformed> {
        let mut open = 0_usize;
        loop {
            match self.peek() {
                None => return Err(self.malformed()),
                Some(b'"') => self.skip_string()?,
                Some(b'{' | b'[') => {
                    open += 1;
                    self.at += 1;
                }
                Some(b'}' | b']') if open > 0 => {
                    open -= 1;
                    self.at += 1;
                }
                Some(b',' | b':' | b' ' | b'\t' | b'\n' | b'\r') if open > 0 => self.at += 1,
                Some(byte) if is_scalar(byte) => {
                    while self.peek().is_some_and(is_scalar) {
                        self.at += 1;
                    }
                }
                Some(_) => return Err(self.malformed()),
            }
            if open == 0 {
                return Ok(());
            }
        }
    }

    fn skip_string(&mut self) -> Result<(), Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.malformed());
        }
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(self.malformed()),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
            }
        }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn copy_space(&mut self) {
        let from = self.at;
        self.skip_space();
        self.out.push_str(&self.json[from..self.at]);
    }

    fn copy_byte(&mut self) {
        self.out.push_str(&self.json[self.at..=self.at]);
        self.at += 1;
    }

    fn peek(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }

    fn malformed(&self) -> Malformed {
        Malformed { at: self.at }
    }
}

fn is_scalar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

/// A string's text without its quotes, with its escapes resolved. Half a surrogate pair becomes
/// U+FFFD; no pointer can name it anyway.
fn resolve(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut units = Vec::with_capacity(raw.len());
    let mut chars = raw.chars();
    let mut pair = [0; 2];
    while let Some(char) = chars.next() {
        let char = if char == '\\' {
            chars.next().unwrap_or('\\')
        } else {
            units.extend_from_slice(char.encode_utf16(&mut pair));
            continue;
        };
        let unit = match char {
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'u' => {
                let digits: String = chars.by_ref().take(4).collect();
                u16::from_str_radix(&digits, 16).unwrap_or(0xFFFD)
            }
            other => {
                units.extend_from_slice(other.encode_utf16(&mut pair));
                continue;
            }
        };
        units.push(unit);
    }
    Cow::Owned(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(remove: &[&str], mask: &[&str]) -> Rules {
        let mut rules = Rules::default();
        for pointer in remove {
            rules.add(pointer, Action::Remove).expect("pointer");
        }
        for pointer in mask {
            rules.add(pointer, Action::Mask).expect("pointer");
        }
        rules
    }

    #[test]
    fn only_the_fields_that_are_meant_change() {
        for (json, remove, mask, expected) in [
            (r#"{"a":1,"b":2}"#, &["/b"][..], &[][..], r#"{"a":1}"#),
            (r#"{"a":1,"b":2}"#, &["/a"], &[], r#"{"b":2}"#),
            (r#"{"a":1}"#, &["/a"], &[], "{}"),
            (r#"{"a":1,"a":2,"b":3}"#, &["/a"], &[], r#"{"b":3}"#),
            (
                r#"{"a":{"b":[1,2,3]}}"#,
                &["/a/b/1"],
                &[],
                r#"{"a":{"b":[1,3]}}"#,
            ),
            (
                r#"{"a":[{"k":1,"x":2},{"k":3}]}"#,
                &["/a/*/k"],
                &[],
                r#"{"a":[{"x":2},{}]}"#,
            ),
            (
                r#"{"k":1,"a":[{"k":{"k":2}},3]}"#,
                &["/**/k"],
                &[],
                r#"{"a":[{},3]}"#,
            ),
            (
                r#"{"a":{"x":{"b":1}},"b":2}"#,
                &["/a/**/b"],
                &[],
                r#"{"a":{"x":{}},"b":2}"#,
            ),
            (
                r#"{"a":"x","b":[{}]}"#,
                &[],
                &["/a", "/b"],
                r#"{"a":"*","b":"*"}"#,
            ),
            (r#"{"a":1}"#, &["/a"], &["/a"], "{}"),
            (
                r#"{"a/b":1,"m~n":2,"c":3}"#,
                &["/a~1b", "/m~0n"],
                &[],
                r#"{"c":3}"#,
            ),
            (
                r#"{"\u0065m\u0061il":1,"c":3}"#,
                &["/email"],
                &[],
                r#"{"c":3}"#,
            ),
            (r#"{"\ud83d\ude00":1,"c":3}"#, &["/😀"], &[], r#"{"c":3}"#),
            (r#"{"":1,"c":3}"#, &["/"], &[], r#"{"c":3}"#),
            (
                r#"{"a\"}":1,"c":"}]{\\"}"#,
                &["/a\"}"],
                &[],
                r#"{"c":"}]{\\"}"#,
            ),
            ("[1,2]", &["/x", "/7"], &[], "[1,2]"),
            ("7", &["/x"], &[], "7"),
        ] {
            assert_eq!(
                cut(json, &rules(remove, mask), "\"*\"").as_deref(),
                Ok(expected),
                "{json}"
            );
        }
    }

    #[test]
    fn every_other_byte_stays() {
        let json = " { \"n\" : 1.50e+007 ,\r\n\t\"big\":123456789012345678901234567890, \"d\":1,\"d\":2,\
                    \"e\":\"\\u0041\\/\\ud800\", \"o\" : [ ] , \"s\":\"x\" } ";
        assert_eq!(
            cut(json, &rules(&["/none", "/o/x"], &[]), "0").as_deref(),
            Ok(json)
        );
        assert_eq!(
            cut(json, &rules(&[], &["/s"]), "0"),
            Ok(json.replace("\"x\"", "0"))
        );
    }

    #[test]
    fn what_is_not_json_is_an_error_or_text_but_never_a_panic() {
        for json in [
            "", "{", "[", "{\"a", "{\"a\"}", "[1", "[1 2]", "{\"a\":", "\"\\", "}", "{\"a\\",
        ] {
            assert!(cut(json, &rules(&["/a"], &[]), "0").is_err(), "{json}");
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(cut(&deep, &rules(&["/**/a"], &[]), "0").is_err());
        assert_eq!(cut(&deep, &rules(&["/a"], &[]), "0"), Ok(deep));
    }

    #[test]
    fn a_pointer_must_name_a_field() {
        for pointer in ["", "a", "/a~", "/a~2", "/**", "/a/**"] {
            assert!(
                Rules::default().add(pointer, Action::Remove).is_err(),
                "{pointer}"
            );
        }
    }
}
