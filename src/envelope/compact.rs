//! JSON without insignificant white space, all else kept as it is.

use bytes::Bytes;

/// The same JSON without white space between its tokens. Order and repetition of keys, escapes
/// and the spelling of numbers stay. The very same bytes, not a copy, if there is none.
///
/// `json` must be valid JSON; what comes out for anything else is not JSON either.
pub fn compact(json: &Bytes) -> Bytes {
    let Some(first) = Outside::new(json, 0).find_space() else {
        return json.clone();
    };
    let mut kept = Vec::with_capacity(json.len() - 1);
    kept.extend_from_slice(&json[..first]);
    let mut rest = Outside::new(json, first);
    loop {
        rest.skip_spaces();
        let from = rest.at;
        let Some(until) = rest.find_space() else {
            kept.extend_from_slice(&json[from..]);
            return kept.into();
        };
        kept.extend_from_slice(&json[from..until]);
    }
}

/// A place outside of any string.
struct Outside<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Outside<'a> {
    const fn new(json: &'a [u8], at: usize) -> Self {
        Self { json, at }
    }

    /// Goes on to the next white space outside of strings.
    fn find_space(&mut self) -> Option<usize> {
        while let Some(&byte) = self.json.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => return Some(self.at),
                b'"' => self.skip_string(),
                _ => self.at += 1,
            }
        }
        None
    }

    fn skip_spaces(&mut self) {
        while matches!(self.json.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// From a quotation mark to behind the one that ends the string.
    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(&byte) = self.json.get(self.at) {
            self.at += match byte {
                b'\\' => 2,
                _ => 1,
            };
            if byte == b'"' {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn only_space_between_tokens_goes() {
        for (json, wanted) in [
            ("{ }", "{}"),
            (" \t\r\n[1 , 2]\n", "[1,2]"),
            (
                "{\n  \"b\": 1.0,\n  \"a\": [ true, null ]\n}",
                r#"{"b":1.0,"a":[true,null]}"#,
            ),
            (r#"{"a b" : " c  d "}"#, r#"{"a b":" c  d "}"#),
            (r#"["\" ", "\\" , "\\\" "]"#, r#"["\" ","\\","\\\" "]"#),
            (r#"{"k": 1, "k": 2}"#, r#"{"k":1,"k":2}"#),
            (
                r#"[1e5, 1E+05, -0, 10000000000000000000000]"#,
                "[1e5,1E+05,-0,10000000000000000000000]",
            ),
            (r#"["\u0000 \u00e9 é"] "#, r#"["\u0000 \u00e9 é"]"#),
            ("  5  ", "5"),
        ] {
            assert_eq!(
                compact(&Bytes::from_static(json.as_bytes())),
                wanted,
                "{json}"
            );
        }
    }

    #[test]
    fn what_is_compact_is_not_copied() {
        let json = Bytes::from_static(br#"{"a":"b c","d":[1,2]}"#);
        assert_eq!(compact(&json).as_ptr(), json.as_ptr());
    }

    #[test]
    fn bytes_that_are_no_json_do_no_harm() {
        for junk in ["", "\"", "\"\\", " \"\\", "\\ \" ", "{ \"a"] {
            assert!(compact(&Bytes::from_static(junk.as_bytes())).len() <= junk.len());
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn pretty_json_becomes_what_it_was(value in any_json()) {
            let pretty = serde_json::to_vec_pretty(&value).expect("plain");
            let plain = serde_json::to_vec(&value).expect("plain");
            prop_assert_eq!(compact(&Bytes::from(pretty)), plain);
        }
    }
}
