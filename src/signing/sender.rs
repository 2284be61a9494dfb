//! What a request that comes in must prove: that its sender knows a secret, in the way of the sender's own
//! product. The same look serves the live request and the person who wonders why one is refused.
//!
//! | scheme | header | what is signed |
//! | --- | --- | --- |
//! | `standard` | `webhook-id`, `-timestamp`, `-signature`, or the same under `svix-` | `id.timestamp.body` |
//! | `github` | `X-Hub-Signature-256: sha256=…` | the body |
//! | `stripe` | `Stripe-Signature: t=…,v1=…` | `timestamp.body` |
//! | `hmac` | one that is named: hexadecimal, with or without `sha256=` before it | the body |
//! | `none` | | nothing: the URL is the secret |
//!
//! All are HMAC-SHA256, compared in constant time. No sentence tells the signature that would have been
//! right: who may read what was refused may not sign.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};
use zeroize::Zeroizing;

use super::key::{EndpointSecret, SigningKey};
use super::report::{Report, Step};
use super::verify::{self, Check, TOLERANCE_S_DEFAULT};
use super::{Error, Scheme, hints};
use crate::model::header::OF_THE_CONNECTION;
use crate::model::{Timestamp, counted};

/// Widest tolerance: an hour.
pub(super) const SENDER_TOLERANCE_S_MAX: u32 = 3600;
/// Longest secret of a sender.
const SECRET_BYTES_MAX: usize = 512;
/// Longest name of a header.
const HEADER_BYTES_MAX: usize = 100;
/// How much of a wrong word is shown again.
const SHOWN_CHARS_MAX: usize = 80;

const GITHUB: HeaderName = HeaderName::from_static("x-hub-signature-256");
const STRIPE: HeaderName = HeaderName::from_static("stripe-signature");
const USUAL: HeaderName = HeaderName::from_static("x-signature");
/// What may stand before hexadecimal digits.
const DIGITS_PREFIX: &str = "sha256=";

/// How a sender proves itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Spelling", into = "Spelling")]
pub enum SenderProof {
    /// Standard Webhooks, symmetric (`v1`), under either header family.
    Standard {
        /// How far the signed time may be from now, either way.
        tolerance_s: u32,
    },
    /// GitHub's.
    Github,
    /// Stripe's.
    Stripe {
        /// How far the signed time may be from now, either way.
        tolerance_s: u32,
    },
    /// Hexadecimal HMAC of the body in a header.
    Hmac {
        /// Which header.
        header: HeaderName,
    },
    /// It does not: who knows the URL may send.
    None,
}

/// How requests are verified: a scheme, and what it lets be chosen.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Spelling {
    /// `standard` (Standard Webhooks, also under `svix-` names), `github` (`X-Hub-Signature-256`), `stripe`
    /// (`Stripe-Signature`), `hmac` (hexadecimal HMAC-SHA256 of the body) or `none` (the URL is the secret).
    #[schema(example = "github")]
    scheme: String,
    /// Of `hmac`: the header with the signature; `x-signature`, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    /// Of `standard` and `stripe`: how many seconds the signed time may be from now, 1 to 3600; 300, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tolerance_s: Option<u32>,
}

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, byte for byte.
    pub body: &'a [u8],
    /// When it came.
    pub at: Timestamp,
}

impl SenderProof {
    /// Its name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Standard { .. } => "standard",
            Self::Github => "github",
            Self::Stripe { .. } => "stripe",
            Self::Hmac { .. } => "hmac",
            Self::None => "none",
        }
    }

    /// Whether it has a secret beside the URL.
    pub fn has_secret(&self) -> bool {
        *self != Self::None
    }

    /// The key that a secret is, as this scheme reads it: of `standard` what `whsec_` encodes, of all others
    /// the text itself.
    pub fn key(&self, secret: &str) -> Result<SigningKey, Error> {
        if matches!(self, Self::Standard { .. }) {
            return Ok(EndpointSecret::parse(secret)?.signing_key());
        }
        let fits = (1..=SECRET_BYTES_MAX).contains(&secret.len());
        if !fits || secret.chars().any(char::is_control) {
            return Err(Error::SenderSecret);
        }
        Ok(SigningKey::from_bytes(secret.as_bytes()))
    }

    /// A new secret made of 32 random bytes.
    pub fn make_secret(&self, random: [u8; 32]) -> Zeroizing<String> {
        match self {
            Self::Standard { .. } => EndpointSecret::from_random(random).text(),
            _ => Zeroizing::new(hex::encode(random)),
        }
    }

    /// Looks whether a request is genuine under any of these keys, and says what was found.
    pub fn look(&self, keys: &[SigningKey], sent: &Sent<'_>) -> Report {
        let mut report = Report::default();
        match self {
            Self::Standard { tolerance_s } => look_standard(*tolerance_s, keys, sent, &mut report),
            Self::Github => look_digits(&GITHUB, keys, sent, &mut report),
            Self::Stripe { tolerance_s } => look_stripe(*tolerance_s, keys, sent, &mut report),
            Self::Hmac { header } => look_digits(header, keys, sent, &mut report),
            Self::None => report.passed(
                Step::Signature,
                "No signature is asked for: who knows the URL may send.",
            ),
        }
        report
    }
}

/// What the checks of receivers take, of which only headers and time are looked at here.
fn check<'a>(tolerance_s: u32, sent: &Sent<'a>) -> Check<'a> {
    Check {
        scheme: &Scheme::Standard,
        secret: "",
        headers: sent.headers,
        body: sent.body,
        now: sent.at,
        tolerance_s,
        also_try: &[],
    }
}

fn look_standard(tolerance_s: u32, keys: &[SigningKey], sent: &Sent<'_>, report: &mut Report) {
    let Some(presented) = verify::find_headers(sent.headers, report) else {
        return;
    };
    verify::check_unsigned(sent.headers, &presented, report);
    verify::check_timestamp(&check(tolerance_s, sent), presented.timestamp, report);
    let signatures = presented.signatures_v1().len();
    if signatures == 0 {
        let text = "The signature header holds no 'v1,' signature, which is what is verified.";
        return report.failed(Step::Signature, text);
    }
    let found = keys.iter().any(|key| {
        presented
            .position_of(presented.mac(key, sent.body))
            .is_some()
    });
    conclude(
        found.into(),
        (signatures, keys.len(), sent.body.len()),
        report,
    );
    if !report.is_genuine()
        && is_bare(presented.signature, keys, |key| {
            presented.mac(key, sent.body)
        })
    {
        report.hint(Step::Signature, "It is right but lacks 'v1,' before it.");
    }
}

/// Whether one of the signatures is the right one without what must stand before it.
fn is_bare(text: &str, keys: &[SigningKey], mac: impl Fn(&SigningKey) -> [u8; 32]) -> bool {
    let is_it = |key: &SigningKey| {
        let expected = BASE64.encode(mac(key));
        text.split_ascii_whitespace()
            .any(|sent| bool::from(sent.as_bytes().ct_eq(expected.as_bytes())))
    };
    keys.iter().any(is_it)
}

/// One header with hexadecimal digits over the body.
fn look_digits(name: &HeaderName, keys: &[SigningKey], sent: &Sent<'_>, report: &mut Report) {
    let Some(text) = verify::read_header(sent.headers, name, report) else {
        return hints::on_missing_headers(sent.headers, report);
    };
    report.passed(Step::Headers, format!("{name} is there."));
    let digits = text.trim().strip_prefix(DIGITS_PREFIX);
    let digits = match digits {
        None if *name == GITHUB => {
            let text = format!("The header {name} does not begin with 'sha256='.");
            return report.failed(Step::Signature, text);
        }
        found => found.unwrap_or(text.trim()),
    };
    let Ok(presented) = hex::decode(digits) else {
        let text = format!("What the header {name} holds is not hexadecimal.");
        return report.failed(Step::Signature, text);
    };
    let found = keys
        .iter()
        .any(|key| matches(&presented, key.mac(&[sent.body])));
    conclude(found.into(), (1, keys.len(), sent.body.len()), report);
}

fn look_stripe(tolerance_s: u32, keys: &[SigningKey], sent: &Sent<'_>, report: &mut Report) {
    let Some(text) = verify::read_header(sent.headers, &STRIPE, report) else {
        return hints::on_missing_headers(sent.headers, report);
    };
    let parts = || {
        text.split(',')
            .filter_map(|part| part.trim().split_once('='))
    };
    let mut times = parts()
        .filter(|(name, _)| *name == "t")
        .map(|(_, value)| value);
    let (Some(time), None) = (times.next(), times.next()) else {
        let text = "The header stripe-signature does not have one time, t=….";
        return report.failed(Step::Headers, text);
    };
    report.passed(Step::Headers, format!("{STRIPE} is there."));
    verify::check_timestamp(&check(tolerance_s, sent), time, report);
    let presented: Vec<Vec<u8>> = parts()
        .filter(|(name, _)| *name == "v1")
        .filter_map(|(_, digits)| hex::decode(digits).ok())
        .collect();
    if presented.is_empty() {
        let text = "The header stripe-signature holds no signature v1=… of hexadecimal digits.";
        return report.failed(Step::Signature, text);
    }
    let found = keys.iter().any(|key| {
        let mac = key.mac(&[time.as_bytes(), b".", sent.body]);
        presented.iter().any(|presented| matches(presented, mac))
    });
    conclude(
        found.into(),
        (presented.len(), keys.len(), sent.body.len()),
        report,
    );
}

fn matches(presented: &[u8], mac: [u8; 32]) -> bool {
    presented.ct_eq(&mac).into()
}

/// Whether a signature was found to be right.
#[derive(Clone, Copy)]
enum Found {
    Right,
    None,
}

impl From<bool> for Found {
    fn from(right: bool) -> Self {
        if right { Self::Right } else { Self::None }
    }
}

fn conclude(
    found: Found,
    (signatures, keys, body_bytes): (usize, usize, usize),
    report: &mut Report,
) {
    match found {
        Found::Right => report.passed(Step::Signature, "The signature matches."),
        Found::None if keys == 0 => {
            report.failed(Step::Signature, "The source has no secret to verify with.");
        }
        Found::None => {
            let text = format!(
                "The signature does not match: {} over {} of body, and {}.",
                counted(signatures, "signature"),
                counted(body_bytes, "byte"),
                counted(keys, "secret"),
            );
            report.failed(Step::Signature, text);
        }
    }
}

fn header(text: &str) -> Result<HeaderName, Error> {
    let refused = || Error::HeaderName(text.chars().take(SHOWN_CHARS_MAX).collect());
    let name = HeaderName::try_from(text).map_err(|_| refused())?;
    if text.len() > HEADER_BYTES_MAX || OF_THE_CONNECTION.contains(&name.as_str()) {
        return Err(refused());
    }
    Ok(name)
}

fn tolerance(s: Option<u32>) -> Result<u32, Error> {
    let s = s.unwrap_or(TOLERANCE_S_DEFAULT);
    if (1..=SENDER_TOLERANCE_S_MAX).contains(&s) {
        Ok(s)
    } else {
        Err(Error::SenderTolerance { s })
    }
}

impl TryFrom<Spelling> for SenderProof {
    type Error = Error;

    fn try_from(spelling: Spelling) -> Result<Self, Error> {
        let proof = match spelling.scheme.as_str() {
            "standard" => Self::Standard {
                tolerance_s: tolerance(spelling.tolerance_s)?,
            },
            "github" => Self::Github,
            "stripe" => Self::Stripe {
                tolerance_s: tolerance(spelling.tolerance_s)?,
            },
            "hmac" => Self::Hmac {
                header: spelling.header.as_deref().map_or(Ok(USUAL), header)?,
            },
            "none" => Self::None,
            other => {
                let shown = other.chars().take(SHOWN_CHARS_MAX).collect();
                return Err(Error::SenderUnknown(shown));
            }
        };
        let not_its = |field| Error::NotForSender {
            field,
            scheme: proof.as_str(),
        };
        let is_timed = matches!(proof, Self::Standard { .. } | Self::Stripe { .. });
        if spelling.header.is_some() && !matches!(proof, Self::Hmac { .. }) {
            return Err(not_its("header"));
        }
        if spelling.tolerance_s.is_some() && !is_timed {
            return Err(not_its("tolerance_s"));
        }
        Ok(proof)
    }
}

impl From<SenderProof> for Spelling {
    fn from(proof: SenderProof) -> Self {
        let scheme = proof.as_str().to_owned();
        let (header, tolerance_s) = match proof {
            SenderProof::Hmac { header } => (Some(header.to_string()), None),
            SenderProof::Standard { tolerance_s } | SenderProof::Stripe { tolerance_s } => {
                (None, Some(tolerance_s))
            }
            SenderProof::Github | SenderProof::None => (None, None),
        };
        Self {
            scheme,
            header,
            tolerance_s,
        }
    }
}

impl PartialSchema for SenderProof {
    fn schema() -> RefOr<Schema> {
        Spelling::schema()
    }
}

impl ToSchema for SenderProof {
    fn name() -> std::borrow::Cow<'static, str> {
        "SourceVerification".into()
    }
}

#[cfg(test)]
#[path = "sender_tests.rs"]
mod tests;
