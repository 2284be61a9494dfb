//! Why a signature does not match: the mistakes that people make, tried one by one. A hint is
//! given only if the signature matches once the mistake is undone, so a hint is never a guess
//! in the dark. None of this makes a message genuine.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use super::key::{EndpointSecret, SigningKey};
use super::report::{Report, Step};
use super::verify::{Check, Presented};
use crate::model::header::is_signature;

/// Longest list of header names in a hint.
const NAMES_SHOWN_MAX: usize = 8;

/// The headers that look like a signature, when the expected one is missing.
pub(super) fn on_missing_headers(headers: &HeaderMap, report: &mut Report) {
    let names: Vec<_> = headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| is_signature(name))
        .take(NAMES_SHOWN_MAX)
        .collect();
    if names.is_empty() {
        report.hint(
            Step::Headers,
            "No header looks like a signature: was the message signed?",
        );
    } else {
        let text = format!(
            "These look like signatures of another scheme: {}.",
            names.join(", ")
        );
        report.hint(Step::Headers, text);
    }
}

/// What may have happened to an endpoint secret that can't be used.
pub(super) fn on_endpoint_secret(text: &str, report: &mut Report) {
    let bare = text.trim();
    if bare != text && EndpointSecret::parse(bare).is_ok() {
        let text = "It can be used once the white space around it is gone.";
        report.hint(Step::Secret, text);
    } else if bare.starts_with("tbk_") {
        let text = "This is an account key: it verifies the scheme body-hmac, not standard.";
        report.hint(Step::Secret, text);
    } else if EndpointSecret::parse(&format!("whsec_{bare}")).is_ok() {
        report.hint(Step::Secret, "It can be used with 'whsec_' before it.");
    }
}

pub(super) fn on_standard(
    check: &Check<'_>,
    presented: &Presented<'_>,
    secret: &EndpointSecret,
    report: &mut Report,
) {
    let key = secret.signing_key();
    on_body(check, report, |body| {
        presented.position_of(presented.mac(&key, body)).is_some()
    });

    let encoded = check.secret.strip_prefix("whsec_").unwrap_or(check.secret);
    for (text, words) in [
        (check.secret, "the secret's text was used as the key"),
        (encoded, "the base64 text of the secret was used as the key"),
    ] {
        let key = SigningKey::from_bytes(text.as_bytes());
        if presented
            .position_of(presented.mac(&key, check.body))
            .is_some()
        {
            let text = format!("It matches if {words}; what follows whsec_ must be decoded first.");
            report.hint(Step::Signature, text);
        }
    }
    let mac = presented.mac(&key, check.body);
    let hexadecimal = hex::encode(mac);
    if presented
        .signature
        .to_ascii_lowercase()
        .contains(&hexadecimal)
    {
        report.hint(
            Step::Signature,
            "It is right but hexadecimal; the scheme says base64.",
        );
    } else if presented.position_of(mac).is_none()
        && presented.signature.contains(&STANDARD.encode(mac))
    {
        report.hint(Step::Signature, "It is right but lacks 'v1,' before it.");
    }
    if presented.position_of(key.mac(&[check.body])).is_some() {
        let text = "It matches the body alone; 'id.timestamp.body' must be signed.";
        report.hint(Step::Signature, text);
    }
}

/// Of hexadecimal digits over the body, `prefix` before them.
pub(super) fn on_digits(check: &Check<'_>, (sent, prefix): (&str, &str), report: &mut Report) {
    let key = SigningKey::from_bytes(check.secret.as_bytes());
    let Some(sent) = sent.strip_prefix(prefix) else {
        if sent == hex::encode(key.mac(&[check.body])) {
            let text = format!("It is right but lacks '{prefix}' before it.");
            report.hint(Step::Signature, text);
        }
        return;
    };
    on_body(check, report, |body| hex::encode(key.mac(&[body])) == sent);

    let mac = key.mac(&[check.body]);
    let expected = hex::encode(mac);
    let lower = sent.trim().to_ascii_lowercase();
    if sent.trim() == STANDARD.encode(mac) {
        report.hint(
            Step::Signature,
            "It is right but base64; the scheme says hexadecimal.",
        );
    } else if lower == expected {
        report.hint(
            Step::Signature,
            "It is right but not in plain lowercase digits.",
        );
    } else if lower
        .strip_prefix("sha256=")
        .is_some_and(|digits| digits == expected)
    {
        report.hint(
            Step::Signature,
            "It is right but for the 'sha256=' before it.",
        );
    }
    let bare = check.secret.trim();
    if bare != check.secret
        && hex::encode(SigningKey::from_bytes(bare.as_bytes()).mac(&[check.body])) == sent
    {
        report.hint(
            Step::Signature,
            "It matches without the white space around the key.",
        );
    }
}

/// Tries other spellings of the body.
pub(super) fn on_body(check: &Check<'_>, report: &mut Report, is_match: impl Fn(&[u8]) -> bool) {
    let given = check
        .also_try
        .iter()
        .map(|other| (other.words, Cow::Borrowed(other.body)));
    for (words, body) in usual_changes(check.body).into_iter().chain(given) {
        if *body != *check.body && is_match(&body) {
            let text = format!(
                "The body's bytes differ from what was signed: the signature matches {words}. \
                 Verify the raw body, before anything parses or prints it."
            );
            report.hint(Step::Signature, text);
        }
    }
}

/// What editors, shells and frameworks do to a body.
fn usual_changes(body: &[u8]) -> Vec<(&'static str, Cow<'_, [u8]>)> {
    let without_end = body
        .strip_suffix(b"\n")
        .map(|rest| rest.strip_suffix(b"\r").unwrap_or(rest));
    let mut changes: Vec<(&'static str, Cow<'_, [u8]>)> = vec![
        ("with a newline at the end", [body, b"\n"].concat().into()),
        (
            "with its line ends as \\n",
            without_carriage_returns(body).into(),
        ),
    ];
    if let Some(rest) = without_end {
        changes.push(("without the newline at the end", rest.into()));
    }
    if let Some(rest) = body.strip_prefix(b"\xef\xbb\xbf") {
        changes.push(("without the byte order mark at the beginning", rest.into()));
    }
    changes
}

fn without_carriage_returns(body: &[u8]) -> Vec<u8> {
    let mut unix = Vec::with_capacity(body.len());
    for (place, byte) in body.iter().enumerate() {
        if *byte != b'\r' || body.get(place + 1) != Some(&b'\n') {
            unix.push(*byte);
        }
    }
    unix
}
