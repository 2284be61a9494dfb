//! Checking what a key pair has signed: with its public half, PEM or `whpk_` and base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::SignatureHeader;
use super::hints;
use super::key_pair::KeyKind;
use super::public_key::PublicKey;
use super::report::{Report, Step};
use super::verify::{Check, check_timestamp, find_headers, read_header};
use crate::model::counted;

/// Base64 of SHA256withRSA over the body, in this header.
pub(super) fn verify_rsa(check: &Check<'_>, header: &SignatureHeader, report: &mut Report) {
    let Some(sent) = read_header(check.headers, header.name(), report) else {
        return hints::on_missing_headers(check.headers, report);
    };
    report.passed(Step::Headers, format!("{header} is there."));
    report.hint(
        Step::Timestamp,
        "This scheme signs no time: a repeated message looks genuine.",
    );
    let Some(key) = public_key(check, KeyKind::Rsa, report) else {
        return;
    };
    let Ok(signature) = STANDARD.decode(sent) else {
        let text = format!("What {header} holds is not base64.");
        return report.failed(Step::Signature, text);
    };
    if key.verifies(check.body, &signature) {
        return report.passed(Step::Signature, "The signature matches.");
    }
    tell_mismatch(check, report);
    hints::on_body(check, report, |body| key.verifies(body, &signature));
}

/// The `v1a` signatures of Standard Webhooks.
pub(super) fn verify_standard(check: &Check<'_>, report: &mut Report) {
    let Some(presented) = find_headers(check.headers, report) else {
        return;
    };
    check_timestamp(check, presented.timestamp, report);
    let Some(key) = public_key(check, KeyKind::Ed25519, report) else {
        return;
    };
    let signatures: Vec<Vec<u8>> = presented
        .signature
        .split_ascii_whitespace()
        .filter_map(|entry| STANDARD.decode(entry.strip_prefix("v1a,")?).ok())
        .collect();
    if signatures.is_empty() {
        let text = "The signature header holds no 'v1a,' signature in base64.";
        return report.failed(Step::Signature, text);
    }
    let matches = |body: &[u8]| {
        let signed = presented.signed(body).concat();
        signatures.iter().position(|it| key.verifies(&signed, it))
    };
    match matches(check.body) {
        Some(_) if signatures.len() == 1 => {
            report.passed(Step::Signature, "The signature matches.");
        }
        Some(place) => {
            let text = format!("Signature {} of {} matches.", place + 1, signatures.len());
            report.passed(Step::Signature, text);
        }
        None => {
            tell_mismatch(check, report);
            hints::on_body(check, report, |body| matches(body).is_some());
        }
    }
}

fn public_key(check: &Check<'_>, kind: KeyKind, report: &mut Report) -> Option<PublicKey> {
    match PublicKey::parse(kind, check.secret) {
        Ok(key) => {
            report.passed(
                Step::Secret,
                format!("The public key can be read: {}.", kind.as_str()),
            );
            Some(key)
        }
        Err(error) => {
            report.failed(Step::Secret, format!("{error}."));
            None
        }
    }
}

fn tell_mismatch(check: &Check<'_>, report: &mut Report) {
    let bytes = counted(check.body.len(), "byte");
    let text = format!(
        "The signature does not match this public key and these {bytes} of body: one of the two is not what was \
         signed with."
    );
    report.failed(Step::Signature, text);
}
