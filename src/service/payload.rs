//! What a payload may be, looked at without being parsed: bounds on its size and on its nesting.
//! That it is JSON was seen when its envelope was read.

use super::{Error, Place};
use crate::model::limits::PAYLOAD_DEPTH_MAX;

/// Checks the size and the nesting of a payload.
pub(super) fn check(payload: &[u8], bytes_max: usize) -> Result<(), Error> {
    if payload.len() > bytes_max {
        return Err(Error::TooLarge {
            what: "data",
            bytes_max,
        });
    }
    if nests_within(payload, PAYLOAD_DEPTH_MAX) {
        return Ok(());
    }
    Err(Error::Invalid {
        code: "too_deep",
        at: Place::body("/data"),
        why: format!(
            "data has more than {PAYLOAD_DEPTH_MAX} arrays and objects within one another: flatten it"
        ),
    })
}

/// Whether valid JSON has at most `depth_max` arrays and objects within one another.
fn nests_within(json: &[u8], depth_max: usize) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > depth_max {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_brackets_count() {
        for (json, depth) in [
            ("1", 0),
            (r#""[[[""#, 0),
            (r#""\"[[""#, 0),
            (r#""\\""#, 0),
            ("[]", 1),
            (r#"[{"a":[1]},[[2]]]"#, 3),
            (r#"{"\\":[{"\"[":1}]}"#, 3),
        ] {
            assert!(nests_within(json.as_bytes(), depth), "{json}");
            assert!(
                depth == 0 || !nests_within(json.as_bytes(), depth - 1),
                "{json}"
            );
        }
    }

    #[test]
    fn too_deep_and_too_large_are_told_apart() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(check(nested(PAYLOAD_DEPTH_MAX).as_bytes(), 1000).is_ok());
        let deep = check(nested(PAYLOAD_DEPTH_MAX + 1).as_bytes(), 1000).expect_err("too deep");
        assert_eq!(deep.code(), "too_deep");
        assert_eq!(
            check(b"\"1234\"", 5).expect_err("too large").code(),
            "too_large"
        );
    }
}
