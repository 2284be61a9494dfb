//! What a plugin returns is checked here before it goes on: it becomes the body and the headers of
//! requests that are sent in the user's name.

use http::{HeaderName, HeaderValue};
use serde::de::IgnoredAny;

use super::limits::{HEADER_BYTES_MAX, HEADERS_MAX, Limit};
use super::run::{Outcome, Output, RunError};
use crate::automation::EventType;
use crate::model::header::is_signature;
use crate::model::limits::{OUTPUTS_MAX, PAYLOAD_DEPTH_MAX};

/// Headers that a plugin may set, besides those that begin with [`HEADER_PREFIXES`].
const HEADERS_ALLOWED: &[&str] = &[
    "accept",
    "accept-language",
    "content-language",
    "content-type",
    "idempotency-key",
    "traceparent",
    "tracestate",
];
/// Names that belong to applications.
const HEADER_PREFIXES: &[&str] = &["ce-", "x-"];
/// Among those, what proxies, this server or a signature scheme says, and receivers believe.
const HEADER_PREFIXES_DENIED: &[&str] = &[
    "x-forwarded-",
    "x-http-method",
    "x-original-",
    "x-real-ip",
    "x-throwbar-",
    "x-webhook-",
];

/// An output as it left the sandbox.
pub(super) struct RawOutput {
    pub data: String,
    pub event_type: Option<String>,
    pub headers: Vec<(String, String)>,
}

/// Checks all outputs of a run, whose payloads may have `payload_bytes_max` bytes each.
pub(super) fn check(
    outputs: Vec<RawOutput>,
    payload_bytes_max: usize,
) -> Result<Outcome, RunError> {
    if outputs.len() > OUTPUTS_MAX {
        return Err(RunError::LimitExceeded(Limit::Outputs {
            count: outputs.len(),
        }));
    }
    outputs
        .into_iter()
        .enumerate()
        .map(|(no, output)| check_one(no, output, payload_bytes_max))
        .collect::<Result<_, _>>()
        .map(Outcome::Emit)
}

fn check_one(no: usize, raw: RawOutput, bytes_max: usize) -> Result<Output, RunError> {
    let bytes = raw.data.len();
    if bytes > bytes_max {
        return Err(RunError::LimitExceeded(Limit::OutputBytes {
            no,
            bytes,
            bytes_max,
        }));
    }
    let bad = |why: String| RunError::BadOutput {
        why: format!("output {no} (from 0): {why}"),
    };
    // Depth first: the parser recurses.
    if depth(&raw.data) > PAYLOAD_DEPTH_MAX {
        return Err(bad(format!(
            "its JSON is nested deeper than {PAYLOAD_DEPTH_MAX}"
        )));
    }
    serde_json::from_str::<IgnoredAny>(&raw.data)
        .map_err(|error| bad(format!("its data is not JSON: {error}")))?;
    if let Some(event_type) = &raw.event_type {
        event_type
            .parse::<EventType>()
            .map_err(|error| bad(format!("its event type is not one: {error}")))?;
    }
    let count = raw.headers.len();
    let bytes = raw
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if count > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(RunError::LimitExceeded(Limit::Headers { no, count, bytes }));
    }
    let mut headers: Vec<(String, String)> = Vec::with_capacity(count);
    for (name, value) in raw.headers {
        let name = header_name(&name).map_err(bad)?;
        if HeaderValue::from_str(&value).is_err() || !value.is_ascii() {
            return Err(bad(format!(
                "the value of header '{name}' has characters that headers cannot have"
            )));
        }
        if headers.iter().any(|(other, _)| *other == name) {
            return Err(bad(format!("it has the header '{name}' twice")));
        }
        headers.push((name, value));
    }
    Ok(Output {
        data: raw.data.into(),
        event_type: raw.event_type,
        headers,
    })
}

fn header_name(name: &str) -> Result<String, String> {
    let shown: String = name
        .chars()
        .take(80)
        .flat_map(char::escape_default)
        .collect();
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("'{shown}' is not the name of a header"))?;
    let name = name.as_str();
    let of_applications = HEADER_PREFIXES
        .iter()
        .any(|prefix| name.starts_with(prefix))
        && !HEADER_PREFIXES_DENIED
            .iter()
            .any(|prefix| name.starts_with(prefix))
        && !is_signature(name);
    if of_applications || HEADERS_ALLOWED.contains(&name) {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "plugins may not set the header '{shown}'; they may set {}, and names that begin with \
             'x-' or 'ce-' unless proxies, signatures or this server use them",
            HEADERS_ALLOWED.join(", ")
        ))
    }
}

/// How deep arrays and objects nest, in text that need not be JSON.
fn depth(json: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b'}' | b']' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_header(name: &str, value: &str) -> Result<Outcome, RunError> {
        let output = RawOutput {
            data: "1".into(),
            event_type: None,
            headers: vec![(name.into(), value.into())],
        };
        check(vec![output], 1)
    }

    #[test]
    fn only_headers_of_the_list_pass() {
        for name in [
            "Content-Type",
            "X-Team",
            "ce-type",
            "traceparent",
            "Idempotency-Key",
        ] {
            let Ok(Outcome::Emit(outputs)) = with_header(name, "a b\tc") else {
                panic!("{name} is refused");
            };
            assert_eq!(
                outputs[0].headers,
                [(name.to_ascii_lowercase(), "a b\tc".to_owned())]
            );
        }
        for name in [
            "Host",
            "content-length",
            "Content-Encoding",
            "Transfer-Encoding",
            "Connection",
            "TE",
            "Upgrade",
            "Expect",
            "Trailer",
            "Keep-Alive",
            "Proxy-Authorization",
            "Authorization",
            "Cookie",
            "Forwarded",
            "User-Agent",
            "webhook-id",
            "webhook-signature",
            "svix-id",
            "svix-signature",
            "x-forwarded-for",
            "X-Hub-Signature-256",
            "X-Shop-Hmac-Sha256",
            "x-webhook-event",
            "x-real-ip",
            "x-throwbar-id",
            "",
            " x-a",
            "x a",
            "x-ä",
            "x-a:b",
            "x-a\r\nhost",
            "x-a\0",
        ] {
            assert!(
                matches!(with_header(name, "1"), Err(RunError::BadOutput { .. })),
                "{name}"
            );
        }
        for value in ["a\r\nhost: evil", "a\nb", "a\0", "ä", "\u{7f}"] {
            assert!(
                matches!(with_header("x-a", value), Err(RunError::BadOutput { .. })),
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_payload_is_one_json_value() {
        for (data, fits) in [
            ("null", true),
            (" {\"a\":[1e400,\"\\ud800\"]} ", true),
            ("\"[[[\\\"[[\"", true),
            ("", false),
            ("{", false),
            ("1 2", false),
            ("{'a':1}", false),
            ("NaN", false),
            ("\"\u{0}\"", false),
        ] {
            let outputs = vec![RawOutput {
                data: data.into(),
                event_type: None,
                headers: vec![],
            }];
            assert_eq!(check(outputs, 100).is_ok(), fits, "{data}");
        }
    }

    #[test]
    fn depth_does_not_count_what_strings_hold() {
        for (json, expected) in [
            ("1", 0),
            ("[]", 1),
            ("{\"a\":[{}]}", 3),
            ("[\"[[\\\"[[\",[]]", 2),
            ("]]][[", 2),
        ] {
            assert_eq!(depth(json), expected, "{json}");
        }
    }

    #[test]
    fn an_event_type_is_a_name() {
        for (event_type, fits) in [
            ("deal.won", true),
            ("a-b_C.9", true),
            ("", false),
            ("a..b", false),
            ("deal.*", false),
        ] {
            let outputs = vec![RawOutput {
                data: "1".into(),
                event_type: Some(event_type.into()),
                headers: vec![],
            }];
            assert_eq!(check(outputs, 1).is_ok(), fits, "{event_type}");
        }
    }
}
