//! Checking the schemes whose key is a text: hexadecimal HMAC of the body, with the time before it or without.

use http::HeaderName;
use subtle::ConstantTimeEq;

use super::key::SigningKey;
use super::report::{Report, Step};
use super::sign::{EVENT, EVENT_SIGNATURE, EVENT_TIMESTAMP, GITHUB, STRIPE};
use super::verify::{Check, check_timestamp, read_header};
use super::{SignatureHeader, hints};
use crate::model::counted;

/// Digits in a header of the sender's choice.
pub(super) fn verify_body(check: &Check<'_>, header: &SignatureHeader, report: &mut Report) {
    let digits = Digits {
        name: header.name(),
        spelling: header.as_str(),
        prefix: "",
    };
    verify_digits(check, &digits, report);
}

pub(super) fn verify_github(check: &Check<'_>, report: &mut Report) {
    let digits = Digits {
        name: &GITHUB,
        spelling: "X-Hub-Signature-256",
        prefix: "sha256=",
    };
    verify_digits(check, &digits, report);
}

pub(super) fn verify_event(check: &Check<'_>, report: &mut Report) {
    for name in [&EVENT, &EVENT_TIMESTAMP] {
        if read_header(check.headers, name, report).is_none() {
            return;
        }
    }
    let digits = Digits {
        name: &EVENT_SIGNATURE,
        spelling: "X-Webhook-Signature",
        prefix: "",
    };
    verify_digits(check, &digits, report);
}

/// One header with hexadecimal digits over the body.
struct Digits<'a> {
    name: &'a HeaderName,
    /// As people write it.
    spelling: &'a str,
    /// What stands before the digits.
    prefix: &'a str,
}

/// The key that the text of the secret is.
fn text_key(check: &Check<'_>, report: &mut Report) -> Option<SigningKey> {
    if check.secret.is_empty() {
        report.failed(Step::Secret, "The key is empty.");
        return None;
    }
    let bytes = counted(check.secret.len(), "byte");
    report.passed(Step::Secret, format!("The key's text is used: {bytes}."));
    Some(SigningKey::from_bytes(check.secret.as_bytes()))
}

pub(super) fn verify_stripe(check: &Check<'_>, report: &mut Report) {
    let Some(text) = read_header(check.headers, &STRIPE, report) else {
        return hints::on_missing_headers(check.headers, report);
    };
    let parts: Vec<(&str, &str)> = text
        .split(',')
        .filter_map(|part| part.trim().split_once('='))
        .collect();
    let values = |wanted: &str| {
        let found = parts.iter().filter(move |(name, _)| *name == wanted);
        found.map(|(_, value)| *value).collect::<Vec<_>>()
    };
    let (times, signatures) = (values("t"), values("v1"));
    let [time] = times[..] else {
        let text = "The header stripe-signature does not have one time, t=….";
        return report.failed(Step::Headers, text);
    };
    report.passed(Step::Headers, "Stripe-Signature is there.");
    check_timestamp(check, time, report);
    let Some(key) = text_key(check, report) else {
        return;
    };
    let mac = |body: &[u8]| hex::encode(key.mac(&[time.as_bytes(), b".", body]));
    let expected = mac(check.body);
    let is_it = |sent: &&str| bool::from(sent.as_bytes().ct_eq(expected.as_bytes()));
    match signatures.iter().position(is_it) {
        Some(_) if signatures.len() == 1 => {
            report.passed(Step::Signature, "The signature matches.");
        }
        Some(place) => {
            let text = format!("Signature {} of {} matches.", place + 1, signatures.len());
            report.passed(Step::Signature, text);
        }
        None => {
            let text = format!(
                "None of {} matches. For this time and these {} of body it would be v1={expected}",
                counted(signatures.len(), "signature"),
                counted(check.body.len(), "byte")
            );
            report.failed(Step::Signature, text);
            hints::on_body(check, report, |body| {
                signatures.contains(&mac(body).as_str())
            });
        }
    }
}

fn verify_digits(check: &Check<'_>, header: &Digits<'_>, report: &mut Report) {
    let Digits {
        name,
        spelling,
        prefix,
    } = *header;
    let Some(sent) = read_header(check.headers, name, report) else {
        return hints::on_missing_headers(check.headers, report);
    };
    report.passed(Step::Headers, format!("{spelling} is there."));
    report.hint(
        Step::Timestamp,
        "This scheme signs no time: a repeated message looks genuine.",
    );
    let Some(key) = text_key(check, report) else {
        return;
    };
    let expected = format!("{prefix}{}", hex::encode(key.mac(&[check.body])));
    if bool::from(sent.as_bytes().ct_eq(expected.as_bytes())) {
        return report.passed(Step::Signature, "The signature matches.");
    }
    let text = format!(
        "The signature does not match. For these {} of body it would be {expected}",
        counted(check.body.len(), "byte")
    );
    report.failed(Step::Signature, text);
    hints::on_digits(check, (sent, prefix), report);
}
