//! The texts of secret variables, and how they are hidden: the one place through which goes whatever could show
//! one to somebody. What is delivered does not go through here.
//!
//! Every occurrence is hidden, in a text as it is and as JSON writes it, and in JSON however its texts are escaped.
//! Where occurrences overlap, such as of two secrets of which one begins the other, all of them together are. A
//! secret that a plugin has changed (encoded, cut up, hashed), or one that has another value by now, can't be found.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// What stands for a secret where it is not shown.
pub(super) const HIDDEN: &str = "***";
/// The same as a JSON value.
const HIDDEN_JSON: &str = "\"***\"";

/// The shortest beginning of a secret that is hidden at the end of a text.
const BEGINNING_BYTES_MIN: usize = 4;

/// The text of a secret variable. Not shown by `Debug`, and overwritten when dropped.
#[derive(Clone, PartialEq)]
pub(super) struct Secret(Arc<Spellings>);

#[derive(PartialEq)]
struct Spellings {
    text: Zeroizing<String>,
    /// As JSON writes it within a text, if that is another spelling.
    escaped: Option<Zeroizing<String>>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Secret {
    pub(super) fn new(text: &str) -> Self {
        let quoted = Zeroizing::new(Value::from(text).to_string());
        let escaped = &quoted[1..quoted.len() - 1];
        Self(Arc::new(Spellings {
            text: Zeroizing::new(text.to_owned()),
            escaped: (escaped != text).then(|| Zeroizing::new(escaped.to_owned())),
        }))
    }

    pub(super) fn text(&self) -> &str {
        &self.0.text
    }

    fn spellings(&self) -> impl Iterator<Item = &str> {
        let escaped = self.0.escaped.as_deref().map(String::as_str);
        std::iter::once(self.text()).chain(escaped)
    }
}

/// Texts that nobody may see.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<Secret>);

impl Secrets {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, secret: &Secret) {
        if !self.0.contains(secret) {
            self.0.push(secret.clone());
        }
    }

    /// Takes these in, too.
    pub(super) fn join(&mut self, others: &Self) {
        for secret in &others.0 {
            self.add(secret);
        }
    }

    /// Takes them out of a text, also the beginning of one where the text was cut: at its end, or before `…`.
    pub fn hide(&self, text: &mut String) {
        let mut spans = self.spans(text);
        spans.extend(self.beginnings(text));
        for (cut, _) in text.match_indices('…') {
            spans.extend(self.beginnings(&text[..cut]));
        }
        replace(text, spans);
    }

    /// The same with all texts of a value.
    pub fn hide_in(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::String(text) => self.hide(text),
            Value::Array(entries) => entries.iter_mut().for_each(|entry| self.hide_in(entry)),
            Value::Object(members) => members.values_mut().for_each(|member| self.hide_in(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The same with JSON that is whole, of which all else stays as it is written: it is JSON afterwards, too.
    pub fn hide_in_json(&self, json: &mut Box<RawValue>) {
        if let Some(hidden) = self.hidden(json.get()) {
            let hidden = RawValue::from_string(hidden);
            // JSON with other texts in it is JSON.
            *json = hidden.unwrap_or_else(|_| RawValue::NULL.to_owned());
        }
    }

    /// The same with a body that is whole, JSON or not.
    pub(super) fn hide_in_body(&self, body: Bytes) -> Bytes {
        if self.is_empty() {
            return body;
        }
        match self.hidden(&String::from_utf8_lossy(&body)) {
            Some(hidden) => hidden.into(),
            None => body,
        }
    }

    /// The JSON without them; `None`, if none is in it.
    fn hidden(&self, json: &str) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let Some(pieces) = pieces(json) else {
            let mut text = json.to_owned();
            self.hide(&mut text);
            return Some(text);
        };
        let found = self.found_in(json, &pieces);
        if found.is_empty() {
            return None;
        }
        let mut hidden = String::with_capacity(json.len());
        for piece in pieces {
            match piece {
                Piece::Between(between) => found.hide_words(between, &mut hidden),
                Piece::Text(literal) => found.hide_text(literal, &mut hidden),
            }
        }
        if found.spans(&hidden).is_empty() {
            return Some(hidden);
        }
        // One that is JSON itself reaches over several of its texts.
        Some(HIDDEN_JSON.to_owned())
    }

    /// Those that are in the JSON at all: few of many, looked for in one go.
    fn found_in(&self, json: &str, pieces: &[Piece<'_>]) -> Self {
        let mut searched = Zeroizing::new(json.to_owned());
        for piece in pieces {
            if let Piece::Text(literal) = piece
                && literal.contains('\\')
                && let Ok(text) = serde_json::from_str::<String>(literal)
            {
                // No secret has a NUL, so that none is found across two texts.
                searched.push('\0');
                searched.push_str(&text);
            }
        }
        let is_in = |secret: &&Secret| secret.spellings().any(|it| searched.contains(it));
        Self(self.0.iter().filter(is_in).cloned().collect())
    }

    fn hide_text(&self, literal: &str, hidden: &mut String) {
        let Ok(mut text) = serde_json::from_str::<String>(literal) else {
            // Half a surrogate pair is in it.
            let is_clean = self.spans(literal).is_empty();
            return hidden.push_str(if is_clean { literal } else { HIDDEN_JSON });
        };
        let spans = self.spans(&text);
        if spans.is_empty() {
            return hidden.push_str(literal);
        }
        replace(&mut text, spans);
        hidden.push_str(&Value::from(text).to_string());
    }

    /// What stands between texts: a number may be a secret, too.
    fn hide_words(&self, between: &str, hidden: &mut String) {
        let of_word = |letter: char| letter.is_ascii_alphanumeric() || "+-.".contains(letter);
        let mut rest = between;
        while let Some(begin) = rest.find(of_word) {
            let (before, from) = rest.split_at(begin);
            let end = from.find(|letter| !of_word(letter)).unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            hidden.push_str(before);
            let is_clean = self.spans(word).is_empty();
            hidden.push_str(if is_clean { word } else { HIDDEN_JSON });
            rest = after;
        }
        hidden.push_str(rest);
    }

    /// Where they are in a text.
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let spellings = self.0.iter().flat_map(Secret::spellings);
        let found = spellings.flat_map(|spelling| {
            let found = text.match_indices(spelling);
            found.map(|(at, found)| at..at + found.len())
        });
        found.collect()
    }

    /// Where one begins that a cut has left no end.
    fn beginnings(&self, text: &str) -> impl Iterator<Item = Range<usize>> {
        let spellings = self.0.iter().flat_map(Secret::spellings);
        spellings.filter_map(|spelling| {
            let lengths = (BEGINNING_BYTES_MIN..spelling.len().min(text.len() + 1)).rev();
            let mut beginnings = lengths.filter_map(|length| spelling.get(..length));
            let found = beginnings.find(|beginning| text.ends_with(beginning))?;
            Some(text.len() - found.len()..text.len())
        })
    }
}

/// The text with each of these parts hidden; what overlaps is one part.
fn replace(text: &mut String, mut spans: Vec<Range<usize>>) {
    if spans.is_empty() {
        return;
    }
    spans.sort_by_key(|span| (span.start, span.end));
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    for span in spans {
        if span.start >= at {
            shown.push_str(&text[at..span.start]);
            shown.push_str(HIDDEN);
        }
        at = at.max(span.end);
    }
    shown.push_str(&text[at..]);
    *text = shown;
}

/// A piece of JSON.
enum Piece<'j> {
    /// A string, with its quotes.
    Text(&'j str),
    /// What stands before, between or after strings.
    Between(&'j str),
}

/// JSON in its pieces; `None`, if it is none.
fn pieces(json: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = json;
    while let Some(begin) = rest.find('"') {
        let (between, from) = rest.split_at(begin);
        let (literal, after) = from.split_at(string_bytes(from)?);
        pieces.extend([Piece::Between(between), Piece::Text(literal)]);
        rest = after;
    }
    pieces.push(Piece::Between(rest));
    Some(pieces)
}

/// The length of the string that `json` begins with, quotes included.
fn string_bytes(json: &str) -> Option<usize> {
    let mut escaped = false;
    let end = json.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map(|end| end + 2)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets(texts: &[&str]) -> Secrets {
        let mut secrets = Secrets::default();
        for text in texts {
            secrets.add(&Secret::new(text));
        }
        secrets
    }

    #[test]
    fn texts_are_shown_without_secrets() {
        let secret = "s3cret \"token\"";
        let known = secrets(&[secret]);
        let mut said = json!({"why": format!("no {secret}"), "log": [json!({"a": secret}).to_string()], "n": 5});
        known.hide_in(&mut said);
        let shown = json!({"why": "no ***", "log": ["{\"a\":\"***\"}"], "n": 5});
        assert_eq!(said, shown);
        for (cut, hidden) in [
            ("it is s3cr", "it is ***"),
            ("it is s3c", "it is s3c"),
            ("s3cr", "***"),
            ("is \"s3cret…\", s3cret", "is \"***…\", ***"),
        ] {
            let mut text = cut.to_owned();
            known.hide(&mut text);
            assert_eq!(text, hidden);
        }
        assert!(!format!("{known:?}").contains("s3cret"));
    }

    #[test]
    fn nothing_is_left_of_secrets_that_overlap() {
        for known in [
            secrets(&["abcdefgh", "abcdefgh-TAIL-99"]),
            secrets(&["abcdefgh-TAIL-99", "abcdefgh"]),
        ] {
            for (text, hidden) in [
                ("<abcdefgh-TAIL-99>", "<***>"),
                ("<abcdefgh>", "<***>"),
                ("abcdefgh-TAI", "***"),
                ("abcdefghabcdefgh", "******"),
            ] {
                let mut shown = text.to_owned();
                known.hide(&mut shown);
                assert_eq!(shown, hidden, "{text}");
            }
        }
        let mut shown = "<abcdefghijkl>".to_owned();
        secrets(&["abcdefgh", "efghijkl"]).hide(&mut shown);
        assert_eq!(shown, "<***>");
    }

    #[test]
    fn json_stays_json_however_a_secret_is_written_in_it() {
        let known = secrets(&["s3cret/é\"x", "12345678", r#"{"key":"abc"}"#]);
        for (json, shown) in [
            (
                r#" {"a": "Bearer s3cret\/\u00e9\"x", "n":1e999} "#,
                r#" {"a": "Bearer ***", "n":1e999} "#,
            ),
            (r#"{"s3cret/é\"x":[1]}"#, r#"{"***":[1]}"#),
            (
                r#"["{\"in\":\"s3cret/é\\\"x\"}"]"#,
                r#"["{\"in\":\"***\"}"]"#,
            ),
            (
                r#"{"n": 12345678, "m":[-9123456780.5]}"#,
                r#"{"n": "***", "m":["***"]}"#,
            ),
            (r#"["12345678\ud800", "\ud800"]"#, r#"["***", "\ud800"]"#),
            (r#"{"a":{"key":"abc"}}"#, r#""***""#),
            // What is whole has no cut end.
            (r#"["it is s3cret", "a\/b"]"#, r#"["it is s3cret", "a\/b"]"#),
        ] {
            let mut raw = RawValue::from_string(json.trim().to_owned()).expect("JSON");
            known.hide_in_json(&mut raw);
            assert_eq!(raw.get(), shown.trim(), "{json}");
            let body = known.hide_in_body(Bytes::copy_from_slice(json.as_bytes()));
            assert_eq!(body, shown, "{json}");
        }
        let text = known.hide_in_body(Bytes::from_static(b"no JSON: \"12345678"));
        assert_eq!(text, "no JSON: \"***");
    }
}
