//! Whatever strangers send is read or refused, and nothing breaks: property tests of what reads it. They run with 256
//! cases; `PROPTEST_CASES=1000000 tests/run whatever` tries as many as it says, and those that are beside the code, too.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use throwbar::model::Timestamp;
use throwbar::outbound::{RetryAfter, Target};
use throwbar::signing::{Check, OwnSecret, Scheme, verify};

/// Texts in which what matters to a reader is likelier than by chance.
fn texts(alphabet: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![alphabet, "\\PC{0,120}", "[ -~]{0,200}"]
}

/// Bytes that may be the value of a header.
fn values() -> impl Strategy<Value = HeaderValue> {
    let byte = prop_oneof![32_u8..127, 128_u8..=255, Just(b'\t')];
    prop::collection::vec(byte, 0..200)
        .prop_map(|bytes| HeaderValue::from_bytes(&bytes).expect("no control characters"))
}

/// Such texts as the value of a header.
fn headers_like(alphabet: &'static str) -> impl Strategy<Value = HeaderValue> {
    texts(alphabet)
        .prop_map(|text| HeaderValue::from_bytes(text.as_bytes()).expect("no control characters"))
}

const SCHEMES: [&str; 7] = [
    "standard",
    "standard-ed25519",
    "body-hmac",
    "event-header",
    "rsa",
    "github",
    "stripe",
];

/// The headers that signatures are in.
const SIGNED: [&str; 13] = [
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "svix-id",
    "svix-timestamp",
    "svix-signature",
    "x-signature",
    "x-webhook-event",
    "x-webhook-timestamp",
    "x-webhook-signature",
    "x-siqsignature",
    "x-hub-signature-256",
    "stripe-signature",
];

proptest! {
    #[test]
    fn whatever_retry_after_says_it_is_no_wait_into_the_past(
        value in prop_oneof![
            values(),
            headers_like("[0-9]{0,30}"),
            headers_like("(Sun|Mon|Sunday), [0-9]{1,2}[ -][A-Z][a-z]{2}[ -][0-9]{2,4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"),
        ],
        now_ms in any::<i64>(),
    ) {
        if let Some(after) = RetryAfter::parse(&value) {
            prop_assert!(after.wait_ms(Timestamp::from_ms(now_ms)) >= 0);
        }
    }

    #[test]
    fn whatever_a_url_says_it_is_refused_or_stays_the_same_when_it_is_read_again(
        text in prop_oneof![
            texts("https?://[a-z0-9.:@\\[\\]%/?#_-]{0,60}"),
            texts("https?://([0-9a-fx]{1,10}\\.){0,3}[0-9a-fx]{1,12}(:[0-9]{0,6})?/"),
            texts("https?://\\PC{0,40}"),
        ],
    ) {
        if let Ok(target) = Target::parse(&text) {
            let again = Target::parse(target.as_str());
            prop_assert_eq!(again.as_ref().ok().map(Target::as_str), Some(target.as_str()));
            prop_assert!(!target.host().is_empty());
            let url = url::Url::parse(target.as_str()).expect("a URL");
            prop_assert!(url.username().is_empty() && url.password().is_none());
        }
    }

    #[test]
    fn whatever_is_signed_how_it_is_verified_or_told_why_not(
        scheme in prop::sample::select(SCHEMES.to_vec()),
        secret in texts("whsec_[A-Za-z0-9+/]{0,44}={0,2}"),
        sent in prop::collection::vec(
            (
                prop::sample::select(SIGNED.to_vec()),
                prop_oneof![
                    values(),
                    headers_like("(v1,|v1a,|t=|sha256=|v1=)?[A-Za-z0-9+/=,]{0,100}"),
                    headers_like("-?[0-9]{1,20}"),
                ],
            ),
            0..8,
        ),
        body in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let scheme = Scheme::from_words(scheme, None).expect("a scheme");
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(HeaderName::from_static(name), value);
        }
        let report = verify(&Check {
            scheme: &scheme,
            secret: &secret,
            headers: &headers,
            body: &body,
            now: Timestamp::from_ms(1_790_000_000_000),
            tolerance_s: 300,
            also_try: &[],
        });
        prop_assert!(!report.is_genuine(), "nobody has signed it");
    }

    #[test]
    fn whatever_is_a_secret_comes_back_as_it_was_given(text in texts("whsec_[A-Za-z0-9+/]{0,44}={0,2}")) {
        for scheme in SCHEMES {
            let scheme = Scheme::from_words(scheme, None).expect("a scheme");
            let Ok(secret) = OwnSecret::parse(&text, std::slice::from_ref(&scheme)) else { continue };
            let stored = OwnSecret::stored(&secret.text());
            prop_assert_eq!(stored.map(|stored| stored.text().to_string()), Ok(secret.text().to_string()));
        }
    }
}
