//! `verify`: is this delivery genuine, and if not, why? Told step by step.
//!
//! Nothing is sent anywhere; the secret stays on this machine.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::value::RawValue;

use super::paint;
use super::text_or_file;
use crate::envelope;
use crate::model::Clock;
use crate::signing::{self, Check, Finding, Outcome, Report, Scheme, TOLERANCE_S_DEFAULT, Variant};

/// Largest body that is read.
const BODY_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// What is to be checked.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Give the headers as they came and the body byte for byte.\n\
    Exit codes: 0, the signature is genuine; 3, it is not.\n\n\
    Example:\n  throwbar verify --secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw \\\n    \
    --header 'webhook-id: evt_…' --header 'webhook-timestamp: 1767225600' \\\n    \
    --header 'webhook-signature: v1,…' --body delivery.json"
)]
pub(super) struct VerifyOptions {
    /// The endpoint's secret (whsec_… or a text), the account's key (tbk_…), or the public half of a key pair
    /// (PEM or whpk_…); @FILE reads it from a file.
    #[arg(
        long,
        value_name = "SECRET",
        env = "THROWBAR_SECRET",
        hide_env_values = true
    )]
    secret: String,
    /// A header of the delivery, as 'name: value'. Repeat it for each.
    #[arg(
        long = "header",
        short = 'H',
        value_name = "NAME: VALUE",
        required = true
    )]
    headers: Vec<String>,
    /// The body: a file, or - for standard input.
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// standard, standard-ed25519, body-hmac, event-header, rsa, github or stripe [default: by what the key looks
    /// like: standard, body-hmac for tbk_, standard-ed25519 for whpk_, rsa for PEM].
    #[arg(long, value_name = "SCHEME")]
    scheme: Option<String>,
    /// The header that body-hmac is in [default: X-Signature], or rsa [default: X-SiqSignature].
    #[arg(long, value_name = "NAME")]
    signature_header: Option<String>,
    /// How old or how far ahead the signed time may be; a recorded delivery needs more.
    #[arg(long, value_name = "SECONDS", default_value_t = TOLERANCE_S_DEFAULT)]
    tolerance: u32,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Checks, tells, and answers with the exit code.
pub(super) fn verify(options: &VerifyOptions) -> anyhow::Result<ExitCode> {
    let secret = text_or_file(&options.secret).context("the secret can't be read")?;
    let headers = read_headers(&options.headers)?;
    let scheme = choose_scheme(options, &secret)?;
    let body = read_body(&options.body)?;
    let compact = compact(&body);
    let variants: Vec<Variant<'_>> = compact
        .iter()
        .map(|body| Variant {
            words: "when it is serialised compactly",
            body,
        })
        .collect();
    let report = signing::verify(&Check {
        scheme: &scheme,
        secret: &secret,
        headers: &headers,
        body: &body,
        now: Clock::System.now(),
        tolerance_s: options.tolerance,
        also_try: &variants,
    });
    let mut out = std::io::stdout();
    let told = if options.json {
        as_json(&scheme, &report)
    } else {
        as_text(&scheme, &report)
    };
    writeln!(out, "{told}")?;
    Ok(if report.is_genuine() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(super::EXIT_NO)
    })
}

fn read_headers(lines: &[String]) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            bail!("--header '{line}' has no colon: expected 'name: value'");
        };
        let name: HeaderName = name
            .trim()
            .parse()
            .with_context(|| format!("--header '{line}': its name is wrong"))?;
        let value: HeaderValue = value
            .trim()
            .parse()
            .with_context(|| format!("--header '{line}': its value is wrong"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn choose_scheme(options: &VerifyOptions, secret: &str) -> anyhow::Result<Scheme> {
    let word = match &options.scheme {
        Some(word) => word.as_str(),
        None => Scheme::of_secret(secret).as_str(),
    };
    Ok(Scheme::from_words(
        word,
        options.signature_header.as_deref(),
    )?)
}

fn read_body(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    let source: Box<dyn std::io::Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(
            std::fs::File::open(path)
                .with_context(|| format!("{} can't be read", path.display()))?,
        )
    };
    source
        .take(BODY_BYTES_MAX + 1)
        .read_to_end(&mut body)
        .with_context(|| format!("{} can't be read", path.display()))?;
    if body.len() as u64 > BODY_BYTES_MAX {
        bail!(
            "the body is larger than {} MiB",
            BODY_BYTES_MAX / 1024 / 1024
        );
    }
    Ok(body)
}

/// The same JSON without the white space between its parts, if it is JSON.
fn compact(body: &[u8]) -> Option<Bytes> {
    serde_json::from_slice::<&RawValue>(body).ok()?;
    Some(envelope::compact(&Bytes::copy_from_slice(body)))
}

fn as_text(scheme: &Scheme, report: &Report) -> String {
    let mut text = format!("{} {}\n", paint::faint("scheme   "), scheme.as_str());
    for finding in &report.findings {
        text += &line(finding);
    }
    text += &if report.is_genuine() {
        paint::good("genuine: a receiver may trust it")
    } else {
        paint::bad("not genuine: a receiver must refuse it")
    };
    text
}

fn line(finding: &Finding) -> String {
    let mark = match finding.outcome {
        Outcome::Passed => paint::good("✓"),
        Outcome::Failed => paint::bad("✗"),
        Outcome::Hint => paint::warn("→"),
    };
    let step = paint::faint(&format!("{:<9}", finding.step.as_str()));
    format!("{step} {mark} {}\n", finding.text)
}

fn as_json(scheme: &Scheme, report: &Report) -> String {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            serde_json::json!({
                "step": finding.step.as_str(), "outcome": finding.outcome.as_str(), "text": finding.text,
            })
        })
        .collect();
    serde_json::json!({ "genuine": report.is_genuine(), "scheme": scheme.as_str(), "findings": findings }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_has_a_compact_form() {
        for (body, wanted) in [
            (r#"{ "b" : 1.50 }"#, Some(r#"{"b":1.50}"#)),
            ("\t[ ]\n", Some("[]")),
            ("{\"a\": ", None),
            ("plain words", None),
        ] {
            let compact = compact(body.as_bytes());
            assert_eq!(compact.as_deref(), wanted.map(str::as_bytes), "{body}");
        }
    }

    #[test]
    fn headers_are_read_as_curl_writes_them() {
        let lines = ["webhook-id: evt_1", "X-Signature:abc", "x-note: a: b"].map(str::to_owned);
        let headers = read_headers(&lines).expect("headers");
        assert_eq!(headers["webhook-id"], "evt_1");
        assert_eq!(headers["x-signature"], "abc");
        assert_eq!(headers["x-note"], "a: b");
        for wrong in ["no colon", "a b: c", ": empty"] {
            let error = read_headers(&[wrong.to_owned()]).expect_err(wrong);
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_genuine_body_and_a_reprinted_one_are_told_apart_with_the_reason() {
        let key = "tbk_8f2c0d5e7a914b36";
        let scheme = Scheme::of_secret(key);
        let body = br#"{"a":1}"#;
        let keys = signing::AccountKey::parse(key)
            .expect("a key")
            .signing_key()
            .into();
        let mut headers = HeaderMap::new();
        let message = signing::Message {
            id: &signing::MessageId::parse("evt_1").expect("an id"),
            at: Clock::System.now(),
            event_type: &HeaderValue::from_static("deal.won"),
            body,
        };
        signing::sign(&scheme, &keys, &message, &mut headers).expect("keys that fit");
        for (body, genuine) in [(&body[..], true), (b"{ \"a\": 1 }", false)] {
            let compact = compact(body).expect("JSON");
            let report = signing::verify(&Check {
                scheme: &scheme,
                secret: key,
                headers: &headers,
                body,
                now: message.at,
                tolerance_s: TOLERANCE_S_DEFAULT,
                also_try: &[Variant {
                    words: "when it is serialised compactly",
                    body: &compact,
                }],
            });
            assert_eq!(report.is_genuine(), genuine);
            let told = as_text(&scheme, &report);
            assert_eq!(told.contains("serialised compactly"), !genuine, "{told}");
            assert_eq!(told.contains("not genuine"), !genuine, "{told}");
        }
    }
}
