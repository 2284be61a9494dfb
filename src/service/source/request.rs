//! A request that came to a source, in the forms in which mappings and plugins look at it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::model::Timestamp;
use crate::model::header::is_signature;
use crate::service::Error;

/// The kind of a body that is no JSON and is taken all the same.
const FORM: &str = "application/x-www-form-urlencoded";

/// A request that came to a source.
#[derive(Debug)]
pub(in crate::service) struct Received {
    pub(in crate::service) headers: HeaderMap,
    /// As it stands in the URL.
    pub(in crate::service) query: String,
    pub(in crate::service) body: Bytes,
    pub(in crate::service) at: Timestamp,
}

/// The payload: JSON as it came; of a form the object that it is; of an empty body `null`.
pub(in crate::service) fn payload(headers: &HeaderMap, body: &Bytes) -> Result<Bytes, String> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    if kind.trim().eq_ignore_ascii_case(FORM) {
        return Ok(form(body).into());
    }
    if body.is_empty() {
        return Ok(Bytes::from_static(b"null"));
    }
    match serde_json::from_slice::<&RawValue>(body) {
        Ok(value) => Ok(body.slice_ref(value.get().as_bytes())),
        Err(error) => Err(format!(
            "the body is neither JSON nor {FORM}, which payloads are made of: {error}"
        )),
    }
}

/// An object of strings, in which what is named more than once is a list of strings: of a form, or of a query.
pub(in crate::service) fn form(text: &[u8]) -> String {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(text) {
        let value = Value::from(value.into_owned());
        match fields.get_mut(&*name) {
            None => drop(fields.insert(name.into_owned(), value)),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Value::Object(fields).to_string()
}

/// An object of those headers that are shown: names in lower case, values of one name joined by commas.
pub(in crate::service) fn headers(headers: &HeaderMap, shown: impl Fn(&str) -> bool) -> String {
    let mut named = Map::new();
    for name in headers.keys().filter(|name| shown(name.as_str())) {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        named.insert(name.to_string(), Value::from(values.join(", ")));
    }
    Value::Object(named).to_string()
}

/// A request as a plugin sees it.
#[derive(Serialize)]
struct Shown<'a> {
    headers: &'a RawValue,
    query: &'a RawValue,
    /// JSON as it came, or of a form the object that it is; null, if it is neither.
    body: Option<&'a RawValue>,
    /// A body that is neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    /// One that is not even text.
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// What proves who sends is no affair of a plugin's.
fn is_for_plugins(header: &str) -> bool {
    const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];
    !CREDENTIALS.contains(&header) && !is_signature(header)
}

impl Received {
    /// It as JSON, for a plugin, whose body has so many bytes and is nested so deep as a payload may be.
    pub(in crate::service) fn for_plugin(&self, bytes_max: usize) -> Result<String, Error> {
        let payload = payload(&self.headers, &self.body);
        if let Ok(payload) = &payload {
            crate::service::payload::check(payload, bytes_max)?;
        }
        let (headers, query) = (
            headers(&self.headers, is_for_plugins),
            form(self.query.as_bytes()),
        );
        let text = std::str::from_utf8(&self.body);
        let (body, text, base64) = match (&payload, text) {
            (Ok(json), _) => {
                let json = serde_json::from_slice::<&RawValue>(json);
                (Some(json.map_err(unreadable)?), None, None)
            }
            (Err(_), Ok(text)) => (None, Some(text), None),
            (Err(_), Err(_)) => (None, None, Some(STANDARD.encode(&self.body))),
        };
        let shown = Shown {
            headers: serde_json::from_str(&headers).map_err(unreadable)?,
            query: serde_json::from_str(&query).map_err(unreadable)?,
            body,
            text,
            base64,
        };
        serde_json::to_string(&shown).map_err(unreadable)
    }
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::unreadable("the request", error)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn shown(kind: &'static str, body: &'static [u8]) -> Value {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", kind),
            ("x-kind", "a"),
            ("authorization", "Bearer s3cret"),
            ("cookie", "s3cret"),
            ("x-hub-signature-256", "s3cret"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let request = Received {
            headers,
            query: "a=1&a=2".to_owned(),
            body: Bytes::from_static(body),
            at: Timestamp::from_ms(0),
        };
        let text = request.for_plugin(MIB).expect("within bounds");
        assert!(!text.contains("s3cret"), "{text}");
        let shown: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            shown["headers"],
            json!({"content-type": kind, "x-kind": "a"})
        );
        assert_eq!(shown["query"], json!({"a": ["1", "2"]}));
        shown
    }

    #[test]
    fn a_plugin_sees_any_body_and_nothing_that_proves_the_sender() {
        let json = "application/json";
        let plain = shown(json, b" {\"n\": 1} ");
        assert_eq!((&plain["body"]["n"], plain.get("text")), (&json!(1), None));
        assert_eq!(shown(FORM, b"a=b+c")["body"], json!({"a": "b c"}));
        assert_eq!(shown(json, b"")["body"], Value::Null);
        let xml = shown("text/xml", b"<a/>");
        assert_eq!((&xml["body"], &xml["text"]), (&Value::Null, &json!("<a/>")));
        let bytes = shown("image/png", b"\xff");
        assert_eq!(
            (bytes.get("text"), &bytes["base64"]),
            (None, &json!("/w=="))
        );
    }

    #[test]
    fn a_body_that_no_payload_may_be_is_not_run() {
        let request = |body: String| Received {
            headers: HeaderMap::new(),
            query: String::new(),
            body: body.into(),
            at: Timestamp::from_ms(0),
        };
        let deep = request("[".repeat(65) + &"]".repeat(65));
        let error = deep.for_plugin(MIB).expect_err("too deep");
        assert_eq!(error.code(), "too_deep");
        let long = request("[1,2]".to_owned());
        assert_eq!(long.for_plugin(4).expect_err("long").code(), "too_large");
    }
}
