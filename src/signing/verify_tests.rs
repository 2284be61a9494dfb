//! What a person is told about a signature, case by case.

use http::HeaderValue;

use super::*;
use crate::signing::{
    AccountKey, KeyPair, KeyPairs, Keys, Message, MessageId, Outcome, OwnSecret, SignsWith, sign,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const KEY: &str = "tbk_8f2c0d5e7a914b36";
const TEXT: &str = "your-secret-key";
const BODY: &[u8] = br#"{"a":1}"#;
const SIGNED_AT: Timestamp = Timestamp::from_ms(1_790_000_000_000);

/// A message as a receiver has it, and what it knows.
struct Received {
    scheme: Scheme,
    secret: String,
    headers: HeaderMap,
    body: Vec<u8>,
    now: Timestamp,
}

impl Received {
    fn genuine(scheme: Scheme) -> Self {
        let (secret, keys) = match scheme.signs_with() {
            SignsWith::OwnSecret => {
                let text = if scheme == Scheme::Standard {
                    SECRET
                } else {
                    TEXT
                };
                let keys = OwnSecret::stored(text).expect("a text").keys();
                let key = keys.of(&scheme).expect("a key").clone();
                (text.to_owned(), Keys::from(key))
            }
            SignsWith::AccountKey => {
                let key = AccountKey::parse(KEY).expect("valid").signing_key();
                (KEY.to_owned(), Keys::from(key))
            }
            SignsWith::KeyPair(kind) => {
                let pair = KeyPair::generate(kind).expect("randomness");
                let public = pair.public().expect("public").pem();
                (public, Keys::Pairs(KeyPairs::new(vec![pair]).expect("one")))
            }
        };
        let id = MessageId::parse("evt_1").expect("valid");
        let message = Message {
            id: &id,
            at: SIGNED_AT,
            event_type: &HeaderValue::from_static("deal.won"),
            body: BODY,
        };
        let mut headers = HeaderMap::new();
        sign(&scheme, &keys, &message, &mut headers).expect("keys that fit");
        let body = BODY.to_vec();
        Self {
            scheme,
            secret,
            headers,
            body,
            now: SIGNED_AT,
        }
    }

    fn standard() -> Self {
        Self::genuine(Scheme::Standard)
    }

    fn body_hmac() -> Self {
        Self::genuine(Scheme::from_words("body-hmac", None).expect("valid"))
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.headers
            .insert(name, HeaderValue::from_str(value).expect("visible"));
    }

    fn without(mut self, prefix: &str) -> Self {
        let keep = |name: &Option<HeaderName>| {
            name.as_ref()
                .is_some_and(|n| !n.as_str().starts_with(prefix))
        };
        self.headers = self
            .headers
            .drain()
            .filter(|(name, _)| keep(name))
            .map(|(name, value)| (name.expect("one value each"), value))
            .collect();
        self
    }

    fn value(&self, name: &str) -> String {
        self.headers[name].to_str().expect("visible").to_owned()
    }

    fn verify(&self) -> Report {
        let compact: Vec<u8> = self
            .body
            .iter()
            .copied()
            .filter(|byte| *byte != b' ')
            .collect();
        let words = "when it is serialised compactly";
        verify(&Check {
            scheme: &self.scheme,
            secret: &self.secret,
            headers: &self.headers,
            body: &self.body,
            now: self.now,
            tolerance_s: TOLERANCE_S_DEFAULT,
            also_try: &[Variant {
                words,
                body: &compact,
            }],
        })
    }

    /// It is refused at this step, and a person reads these words in what follows.
    #[track_caller]
    fn is_refused(&self, step: Step, words: &str) {
        let report = self.verify();
        assert!(!report.is_genuine(), "{report:#?}");
        let failed: Vec<_> = report
            .findings
            .iter()
            .filter(|finding| finding.outcome == Outcome::Failed)
            .map(|finding| finding.step)
            .collect();
        assert_eq!(failed, [step], "{report:#?}");
        let told = report.findings.iter().any(|finding| {
            finding.step == step
                && finding.outcome != Outcome::Passed
                && finding.text.contains(words)
        });
        assert!(told, "nobody said '{words}': {report:#?}");
        let secret = self.secret.trim().trim_start_matches("whsec_");
        assert!(
            secret.is_empty() || !format!("{report:?}").contains(secret),
            "secret shown"
        );
    }
}

#[test]
fn a_genuine_message_passes_every_step_in_order() {
    for received in [
        Received::standard(),
        Received::standard().without("svix-"),
        Received::standard().without("webhook-"),
    ] {
        let report = received.verify();
        assert!(report.is_genuine(), "{report:#?}");
        let steps: Vec<_> = report.findings.iter().map(|finding| finding.step).collect();
        assert_eq!(
            steps,
            [
                Step::Headers,
                Step::Timestamp,
                Step::Secret,
                Step::Signature
            ]
        );
        assert!(
            report
                .findings
                .iter()
                .all(|finding| finding.outcome == Outcome::Passed)
        );
    }
    assert!(Received::body_hmac().verify().is_genuine());
}

#[test]
fn one_matching_signature_among_several_is_enough() {
    let mut received = Received::standard();
    let genuine = received.value("webhook-signature");
    received.set("webhook-signature", &format!("v1a,AAAA v1,BBBB {genuine}"));
    let report = received.verify();
    assert!(report.is_genuine());
    assert_eq!(report.findings[3].text, "Signature 2 of 2 matches.");
}

#[test]
fn missing_and_odd_headers() {
    Received::standard()
        .without("")
        .is_refused(Step::Headers, "was the message signed?");
    Received::standard()
        .without("webhook-id")
        .is_refused(Step::Headers, "webhook-id is missing");
    Received::body_hmac()
        .without("x-")
        .is_refused(Step::Headers, "x-signature is missing");

    let mut other = Received::standard().without("");
    other.set("x-hub-signature-256", "sha256=00");
    other.is_refused(Step::Headers, "another scheme: x-hub-signature-256");

    let mut twice = Received::standard();
    twice
        .headers
        .append("webhook-id", HeaderValue::from_static("evt_2"));
    twice.is_refused(Step::Headers, "more than once");
}

#[test]
fn the_signed_time_must_be_near() {
    for (seconds, words) in [(301, "Signed 301 s ago"), (-301, "Signed 301 s ahead")] {
        let mut received = Received::standard();
        received.now = SIGNED_AT.plus_ms(seconds * 1000);
        received.is_refused(Step::Timestamp, words);
    }
    for seconds in [300, -300] {
        let mut received = Received::standard();
        received.now = SIGNED_AT.plus_ms(seconds * 1000);
        assert!(received.verify().is_genuine(), "{seconds} s away");
    }
}

#[test]
fn a_time_that_is_no_number_or_in_milliseconds_is_named() {
    for (timestamp, words) in [
        ("soon", "'soon' is not a number"),
        ("1790000000000", "The sender gave milliseconds"),
        ("-9223372036854775808", "s ago"),
    ] {
        let mut received = Received::standard();
        received.set("webhook-timestamp", timestamp);
        let report = received.verify();
        assert!(!report.is_genuine());
        assert!(
            report
                .findings
                .iter()
                .any(|finding| finding.text.contains(words)),
            "{report:#?}"
        );
    }
}

#[test]
fn secrets_that_cannot_be_used_come_with_a_remedy() {
    for (secret, words) in [
        (
            format!("{SECRET}\n"),
            "once the white space around it is gone",
        ),
        (
            SECRET.trim_start_matches("whsec_").to_owned(),
            "'whsec_' before it",
        ),
        (KEY.to_owned(), "verifies the scheme body-hmac"),
        ("whsec_AAAA".to_owned(), "decodes to 3 bytes"),
    ] {
        let mut received = Received::standard();
        received.secret = secret;
        received.is_refused(Step::Secret, words);
    }
    let mut received = Received::body_hmac();
    received.secret = String::new();
    received.is_refused(Step::Secret, "empty");
}

#[test]
fn a_changed_body_is_refused_and_a_usual_change_is_named() {
    for (body, words) in [
        (&b"{\"a\":2}"[..], "signature"),
        (b"{\"a\":1}\n", "without the newline at the end"),
        (b"{\"a\":1}\r\n", "without the newline at the end"),
        (b"\xef\xbb\xbf{\"a\":1}", "without the byte order mark"),
        (b"{ \"a\": 1 }", "matches when it is serialised compactly"),
    ] {
        for mut received in [Received::standard(), Received::body_hmac()] {
            received.body = body.to_vec();
            received.is_refused(Step::Signature, words);
        }
    }
    let mut unexplained = Received::standard();
    unexplained.body = b"{\"a\":2}".to_vec();
    let report = unexplained.verify();
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.outcome != Outcome::Hint),
        "{report:#?}"
    );
}

#[test]
fn a_sender_s_usual_mistakes_are_named() {
    let secret = EndpointSecret::parse(SECRET).expect("valid");
    let signed: [&[u8]; 5] = [b"evt_1", b".", b"1790000000", b".", BODY];
    let encoded = SECRET.trim_start_matches("whsec_");
    let base64 = |mac: [u8; 32]| format!("v1,{}", STANDARD.encode(mac));
    let right = secret.signing_key().mac(&signed);
    for (signature, words) in [
        (
            base64(SigningKey::from_bytes(SECRET.as_bytes()).mac(&signed)),
            "the secret's text",
        ),
        (
            base64(SigningKey::from_bytes(encoded.as_bytes()).mac(&signed)),
            "the base64 text",
        ),
        (base64(secret.signing_key().mac(&[BODY])), "the body alone"),
        (format!("v1,{}", hex::encode(right)), "hexadecimal"),
        (STANDARD.encode(right), "lacks 'v1,'"),
        ("v1a,AAAA".to_owned(), "the versions there are: v1a"),
    ] {
        let mut received = Received::standard();
        received.set("webhook-signature", &signature);
        received.is_refused(Step::Signature, words);
    }
    let right = SigningKey::from_bytes(KEY.as_bytes()).mac(&[BODY]);
    for (signature, words) in [
        (hex::encode_upper(right), "lowercase"),
        (format!("sha256={}", hex::encode(right)), "'sha256='"),
        (STANDARD.encode(right), "base64"),
    ] {
        let mut received = Received::body_hmac();
        received.set("x-signature", &signature);
        received.is_refused(Step::Signature, words);
    }
    let mut received = Received::body_hmac();
    received.secret = format!("{KEY}\n");
    received.is_refused(Step::Signature, "white space around the key");
}

#[test]
fn other_styles_are_told_step_by_step_too() {
    for scheme in [Scheme::EventHeader, Scheme::Github, Scheme::Stripe] {
        let genuine = Received::genuine(scheme.clone());
        assert!(genuine.verify().is_genuine(), "{scheme:?}");
        let mut body = Received::genuine(scheme.clone());
        body.body.push(b'\n');
        let mut secret = Received::genuine(scheme.clone());
        secret.secret = "another".to_owned();
        let mut bare = Received::genuine(scheme.clone());
        bare.headers.clear();
        for (received, words) in [
            (body, "without the newline at the end"),
            (secret, "it would be"),
            (bare, "is missing"),
        ] {
            let report = received.verify();
            assert!(!report.is_genuine(), "{scheme:?}");
            let told: Vec<_> = report.findings.iter().map(|it| it.text.clone()).collect();
            let told = told.join(" ");
            assert!(told.contains(words), "{scheme:?}: {told}");
        }
    }
    let mut late = Received::genuine(Scheme::Stripe);
    late.now = SIGNED_AT.plus_ms(301_000);
    assert!(!late.verify().is_genuine());
    let mut prefixless = Received::genuine(Scheme::Github);
    let sent = prefixless.headers["x-hub-signature-256"]
        .to_str()
        .expect("digits");
    let digits = sent.strip_prefix("sha256=").expect("a prefix").to_owned();
    prefixless.set("x-hub-signature-256", &digits);
    let report = prefixless.verify();
    assert!(
        report
            .findings
            .iter()
            .any(|it| it.text.contains("lacks 'sha256='"))
    );
}
