//! Checking a signature and saying, step by step, what was found: for a person who wonders why
//! a receiver refuses. A receiver needs less; it stops at the first thing that is wrong.
//!
//! Pure: the time is handed in, nothing is read or printed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use subtle::ConstantTimeEq;

use super::Scheme;
use super::hints;
use super::key::{EndpointSecret, SigningKey};
use super::report::{Report, Step};
use super::sign::{FAMILIES, Family};
use super::{verify_pair, verify_text};
use crate::model::{Timestamp, counted};

/// How far a signed time may be from now, either way, unless said otherwise: what the Standard
/// Webhooks libraries allow.
pub const TOLERANCE_S_DEFAULT: u32 = 300;
/// A number of seconds that no clock shows before the year 5138: more is milliseconds.
const SECONDS_PLAUSIBLE_MAX: i64 = 100_000_000_000;

/// What is to be checked.
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    /// The scheme that the sender is expected to use.
    pub scheme: &'a Scheme,
    /// The secret or key, as text; of a scheme that signs with a key pair its public half.
    pub secret: &'a str,
    /// The headers as they came.
    pub headers: &'a HeaderMap,
    /// The body as it came.
    pub body: &'a [u8],
    /// The time now.
    pub now: Timestamp,
    /// How far the signed time may be from now.
    pub tolerance_s: u32,
    /// Other spellings of the body, tried only to explain a signature that does not match.
    pub also_try: &'a [Variant<'a>],
}

/// Another spelling of the body.
#[derive(Debug, Clone, Copy)]
pub struct Variant<'a> {
    /// Completes "the signature matches …", such as "when it is serialised compactly".
    pub words: &'a str,
    /// That body.
    pub body: &'a [u8],
}

/// Looks at headers, time, secret and signature, in this order.
pub fn verify(check: &Check<'_>) -> Report {
    let mut report = Report::default();
    let into = &mut report;
    match check.scheme {
        Scheme::Standard => verify_standard(check, into),
        Scheme::StandardEd25519 => verify_pair::verify_standard(check, into),
        Scheme::Rsa { header } => verify_pair::verify_rsa(check, header, into),
        Scheme::Stripe => verify_text::verify_stripe(check, into),
        Scheme::BodyHmac { header } => verify_text::verify_body(check, header, into),
        Scheme::Github => verify_text::verify_github(check, into),
        Scheme::EventHeader => verify_text::verify_event(check, into),
    }
    report
}

/// The three values of one family, as text.
pub(super) struct Presented<'a> {
    pub(super) id: &'a str,
    pub(super) timestamp: &'a str,
    pub(super) signature: &'a str,
}

impl Presented<'_> {
    /// The signature that belongs here if `body` is the body and `key` the key.
    pub(super) fn mac(&self, key: &SigningKey, body: &[u8]) -> [u8; 32] {
        key.mac(&self.signed(body))
    }

    /// What is signed if `body` is the body.
    pub(super) fn signed<'a>(&'a self, body: &'a [u8]) -> [&'a [u8]; 5] {
        [
            self.id.as_bytes(),
            b".",
            self.timestamp.as_bytes(),
            b".",
            body,
        ]
    }

    /// The `v1` signatures among what was sent, without their version.
    pub(super) fn signatures_v1(&self) -> Vec<&str> {
        self.signature
            .split_ascii_whitespace()
            .filter_map(|entry| entry.strip_prefix("v1,"))
            .collect()
    }

    /// Which of the `v1` signatures, from 1, is this one.
    pub(super) fn position_of(&self, mac: [u8; 32]) -> Option<usize> {
        let expected = STANDARD.encode(mac);
        let is_it = |sent: &&str| bool::from(sent.as_bytes().ct_eq(expected.as_bytes()));
        self.signatures_v1()
            .iter()
            .position(is_it)
            .map(|place| place + 1)
    }
}

fn verify_standard(check: &Check<'_>, report: &mut Report) {
    let Some(presented) = find_headers(check.headers, report) else {
        return;
    };
    check_timestamp(check, presented.timestamp, report);
    let secret = match EndpointSecret::parse(check.secret) {
        Ok(secret) => secret,
        Err(error) => {
            report.failed(Step::Secret, format!("{error}."));
            hints::on_endpoint_secret(check.secret, report);
            return;
        }
    };
    let decoded = format!(
        "The secret decodes to a key of {} bytes.",
        secret.bytes_len()
    );
    report.passed(Step::Secret, decoded);
    let expected = presented.mac(&secret.signing_key(), check.body);
    let count = presented.signatures_v1().len();
    if let Some(place) = presented.position_of(expected) {
        let text = match count {
            1 => "The signature matches.".to_owned(),
            count => format!("Signature {place} of {count} matches."),
        };
        return report.passed(Step::Signature, text);
    }
    if count == 0 {
        let versions: Vec<_> = presented
            .signature
            .split_ascii_whitespace()
            .map(|entry| entry.split_once(',').map_or("none", |(version, _)| version))
            .collect();
        let text = format!(
            "The signature header holds no 'v1,' signature; the versions there are: {}.",
            versions.join(", ")
        );
        report.failed(Step::Signature, text);
    } else {
        let none = match count {
            1 => "The signature does not match".to_owned(),
            count => format!("None of {count} signatures matches"),
        };
        let text = format!(
            "{none}. For id, timestamp and these {} of body it would be v1,{}",
            counted(check.body.len(), "byte"),
            STANDARD.encode(expected)
        );
        report.failed(Step::Signature, text);
    }
    hints::on_standard(check, &presented, &secret, report);
}

/// The first family of headers that has a signature, if it is whole.
pub(super) fn find_headers<'a>(
    headers: &'a HeaderMap,
    report: &mut Report,
) -> Option<Presented<'a>> {
    let Some(family) = FAMILIES
        .iter()
        .find(|family| headers.contains_key(&family.signature))
    else {
        let text = "There is neither a webhook-signature nor a svix-signature header.";
        report.failed(Step::Headers, text);
        hints::on_missing_headers(headers, report);
        return None;
    };
    let presented = Presented {
        id: read_header(headers, &family.id, report)?,
        timestamp: read_header(headers, &family.timestamp, report)?,
        signature: read_header(headers, &family.signature, report)?,
    };
    let Family {
        id,
        timestamp,
        signature,
    } = family;
    report.passed(
        Step::Headers,
        format!("{id}, {timestamp} and {signature} are there."),
    );
    Some(presented)
}

/// Refuses what another family of headers says beside the one that is signed, unless it says the same: who takes
/// it for what was signed would take what anybody may have added.
pub(super) fn check_unsigned(headers: &HeaderMap, presented: &Presented<'_>, report: &mut Report) {
    for family in &FAMILIES {
        let names = [
            (&family.id, presented.id),
            (&family.timestamp, presented.timestamp),
        ];
        for (name, signed) in names {
            let mut values = headers.get_all(name).iter();
            let differs = values.any(|value| value != signed);
            if differs || headers.get_all(name).iter().count() > 1 {
                let text = format!(
                    "The header {name} is not signed, and says something else than what is."
                );
                report.failed(Step::Headers, text);
            }
        }
    }
}

/// The value of a header that must be there once.
pub(super) fn read_header<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    report: &mut Report,
) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let problem = match (values.next(), values.next()) {
        (None, _) => "is missing",
        (Some(_), Some(_)) => "is there more than once",
        (Some(value), None) => match value.to_str() {
            Ok(text) if !text.is_empty() => return Some(text),
            Ok(_) => "is empty",
            Err(_) => "is not visible ASCII",
        },
    };
    report.failed(Step::Headers, format!("The header {name} {problem}."));
    None
}

pub(super) fn check_timestamp(check: &Check<'_>, text: &str, report: &mut Report) {
    let step = Step::Timestamp;
    let Ok(signed_s) = text.parse::<i64>() else {
        return report.failed(
            step,
            format!("'{text}' is not a number of seconds since 1970."),
        );
    };
    if signed_s > SECONDS_PLAUSIBLE_MAX {
        report.failed(
            step,
            format!("{signed_s} s after 1970 is thousands of years away."),
        );
        return report.hint(
            step,
            "The sender gave milliseconds; it must be whole seconds.",
        );
    }
    let age_s = check.now.as_s().saturating_sub(signed_s);
    let signed_at = Timestamp::from_ms(signed_s.saturating_mul(1000));
    let within = format!("{} s are allowed", check.tolerance_s);
    if age_s > i64::from(check.tolerance_s) {
        report.failed(
            step,
            format!("Signed {age_s} s ago, at {signed_at}; {within}."),
        );
        report.hint(
            step,
            "A recorded message is old: check it with a greater tolerance.",
        );
    } else if age_s < -i64::from(check.tolerance_s) {
        let ahead_s = age_s.saturating_neg();
        report.failed(
            step,
            format!("Signed {ahead_s} s ahead, at {signed_at}; {within}."),
        );
        report.hint(step, "One of the two clocks is wrong.");
    } else {
        report.passed(
            step,
            format!(
                "Signed at {signed_at}, {} s from now; {within}.",
                age_s.abs()
            ),
        );
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
