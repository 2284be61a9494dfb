//! Profiles: how deliveries look and what happens when they fail, ready-made, and what an endpoint
//! may override of them.

use std::collections::BTreeMap;

use http::HeaderName;

use super::signature::{self, SignatureRequest};
use super::{Error, Subscribe, check, subscribe};
use crate::envelope::Envelope;
use crate::failure::FailurePolicy;
use crate::model::Timestamp;
use crate::model::header::{OF_THE_CONNECTION, is_signature};
use crate::model::limits::{HEADER_VALUE_BYTES_MAX, HEADERS_PER_ENDPOINT_MAX};
use crate::outbound::{UrlRule, UrlRules};
use crate::pipeline::{DeliveryMethod, EndpointSettings};
use crate::retry::RetryPolicy;
use crate::signing::{OwnSecret, Scheme, SignatureHeader};

/// The profile of an endpoint that names none.
pub(super) const STANDARD: &str = "standard";
/// The profile of a bare URL in an automation.
pub(super) const ACCOUNT_SIGNED: &str = "account-signed";
/// The profile whose events tell their type and time beside the payload, and in headers.
const EVENT_ENVELOPE: &str = "event-envelope";
/// The profile whose deliveries are signed with an RSA key pair.
const RSA_SIGNED: &str = "rsa-signed";
/// Time for one attempt when none is named.
const TIMEOUT_MS_DEFAULT: u64 = 15_000;
/// That of `rsa-signed`: S3.
const TIMEOUT_MS_RSA_SIGNED: u64 = 10_000;
/// Shortest time-out: less is a mistake.
const TIMEOUT_MS_MIN: u64 = 10;
/// Longest time-out: a slot is held as long.
const TIMEOUT_MS_MAX: u64 = 60_000;
/// Headers that say what the body is, or by which way it came.
const HEADERS_TAKEN: [&str; 11] = [
    "accept-encoding",
    "content-digest",
    "content-encoding",
    "content-range",
    "content-type",
    "date",
    "forwarded",
    "http2-settings",
    "trailers",
    "via",
    "x-real-ip",
];
/// Beginnings of names that this server, proxies and signature schemes use.
const HEADER_PREFIXES_TAKEN: [&str; 9] = [
    "proxy-",
    "svix-",
    "throwbar-",
    "webhook-",
    "x-forwarded-",
    "x-http-method",
    "x-original-",
    "x-throwbar-",
    "x-webhook-",
];
/// What an endpoint overrides of its profile.
#[derive(Clone, Default)]
pub(super) struct Overrides {
    pub(super) profile: Option<String>,
    pub(super) subscribe: Option<Subscribe>,
    pub(super) signatures: Option<Vec<SignatureRequest>>,
    pub(super) envelope: Option<Envelope>,
    pub(super) retry_policy: Option<RetryPolicy>,
    pub(super) failure_policy: Option<FailurePolicy>,
    pub(super) timeout_ms: Option<u64>,
    pub(super) headers: Option<BTreeMap<String, String>>,
    pub(super) method: Option<DeliveryMethod>,
    pub(super) http: Option<UrlRule>,
    pub(super) explicit_port: Option<UrlRule>,
}

/// The ready-made profile with this name, subscribed to everything.
pub(super) fn ready_made(name: &str) -> Result<EndpointSettings, Error> {
    let by_rsa =
        || Scheme::from_words("rsa", None).map_err(|error| Error::field("/profile", error));
    let (envelope, signature, retry_policy) = match name {
        STANDARD => (Envelope::Raw, Scheme::Standard, RetryPolicy::EightStep),
        EVENT_ENVELOPE => (Envelope::Event, Scheme::EventHeader, RetryPolicy::EightStep),
        RSA_SIGNED => (Envelope::Raw, by_rsa()?, RetryPolicy::ThreeStep),
        ACCOUNT_SIGNED => {
            let scheme = Scheme::BodyHmac {
                header: SignatureHeader::default(),
            };
            (Envelope::Compact, scheme, RetryPolicy::ThreeStep)
        }
        _ => {
            let shown: String = name.chars().take(80).collect();
            let why = format!(
                "there is no profile '{shown}': take standard, event-envelope, account-signed or rsa-signed"
            );
            return Err(Error::field("/profile", why));
        }
    };
    let usual = UrlRules::default();
    Ok(EndpointSettings {
        profile: name.to_owned(),
        envelope,
        signatures: vec![signature],
        retry_policy,
        failure_policy: if name == RSA_SIGNED {
            FailurePolicy::Ladder
        } else {
            FailurePolicy::FiveDays
        },
        timeout_ms: if name == RSA_SIGNED {
            TIMEOUT_MS_RSA_SIGNED
        } else {
            TIMEOUT_MS_DEFAULT
        },
        subscribe: Subscribe::All.stored(),
        headers: BTreeMap::new(),
        method: DeliveryMethod::default(),
        http: usual.http,
        explicit_port: usual.explicit_port,
    })
}

impl Overrides {
    /// The settings that follow from `known` ones (or the profile's own, if one is named), and the
    /// secret that was given with them.
    pub(super) fn apply(
        self,
        known: Option<EndpointSettings>,
    ) -> Result<(EndpointSettings, Option<OwnSecret>), Error> {
        let mut settings = match (&self.profile, known) {
            (Some(name), Some(known)) => EndpointSettings {
                subscribe: known.subscribe,
                headers: known.headers,
                ..ready_made(name)?
            },
            (Some(name), None) => ready_made(name)?,
            (None, Some(known)) => known,
            (None, None) => ready_made(STANDARD)?,
        };
        if let Some(subscribe) = self.subscribe {
            if let Subscribe::To(patterns) = &subscribe {
                subscribe::patterns(patterns, "/subscribe")?;
            }
            settings.subscribe = subscribe.stored();
        }
        let mut secret = None;
        if let Some(signatures) = self.signatures {
            (settings.signatures, secret) = signature::schemes(&signatures)?;
        }
        settings.envelope = self.envelope.unwrap_or(settings.envelope);
        settings.retry_policy = self.retry_policy.unwrap_or(settings.retry_policy);
        settings.failure_policy = self.failure_policy.unwrap_or(settings.failure_policy);
        if let Some(timeout_ms) = self.timeout_ms {
            if !(TIMEOUT_MS_MIN..=TIMEOUT_MS_MAX).contains(&timeout_ms) {
                let why = format!(
                    "timeout_ms is {timeout_ms}: it must be {TIMEOUT_MS_MIN} to {TIMEOUT_MS_MAX}"
                );
                return Err(Error::field("/timeout_ms", why));
            }
            settings.timeout_ms = timeout_ms;
        }
        if let Some(headers) = self.headers {
            settings.headers = own_headers(headers)?;
        }
        settings.method = self.method.unwrap_or(settings.method);
        settings.http = self.http.unwrap_or(settings.http);
        settings.explicit_port = self.explicit_port.unwrap_or(settings.explicit_port);
        Ok((settings, secret))
    }
}

/// Headers that an endpoint may have for its own. What their values refer to is looked up elsewhere.
fn own_headers(headers: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Error> {
    if headers.len() > HEADERS_PER_ENDPOINT_MAX {
        let why = format!(
            "there are {} headers: {HEADERS_PER_ENDPOINT_MAX} at most",
            headers.len()
        );
        return Err(Error::field("/headers", why));
    }
    let mut named = BTreeMap::new();
    for (spelled, value) in headers {
        let at = format!("/headers/{}", check::escaped(&spelled));
        let name = HeaderName::try_from(&spelled).map_err(|_| {
            Error::field(
                &at,
                "this is not the name of a header: use ASCII letters, digits and -",
            )
        })?;
        let name = name.as_str();
        let is_taken = OF_THE_CONNECTION.contains(&name)
            || HEADERS_TAKEN.contains(&name)
            || HEADER_PREFIXES_TAKEN
                .iter()
                .any(|prefix| name.starts_with(prefix))
            || is_signature(name);
        if is_taken {
            let why = "this header has another use, for the connection, the body or a signature: choose another";
            return Err(Error::field(&at, why));
        }
        if value.len() > HEADER_VALUE_BYTES_MAX {
            let why = format!(
                "the value has {} bytes: {HEADER_VALUE_BYTES_MAX} at most",
                value.len()
            );
            return Err(Error::field(&at, why));
        }
        if named.insert(name.to_owned(), value).is_some() {
            return Err(Error::field(
                &at,
                "this header stands there twice: remove one",
            ));
        }
    }
    Ok(named)
}

/// When an endpoint that does not fail counts as having succeeded last: now, where nobody has kept it until now.
pub(super) fn assumed_success(
    known: &EndpointSettings,
    settings: &EndpointSettings,
    now: Timestamp,
) -> Option<Timestamp> {
    let asks = |settings: &EndpointSettings| settings.failure_policy.asks_for_success();
    (asks(settings) && !asks(known)).then_some(now)
}

/// Whether nothing is delivered without a secret of the endpoint's own.
pub(super) fn needs_secret(settings: &EndpointSettings) -> bool {
    settings.signatures.iter().any(Scheme::needs_own_secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(scheme: &str, header: Option<&str>, secret: Option<&str>) -> SignatureRequest {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        SignatureRequest {
            scheme: scheme.to_owned(),
            header: owned(header),
            secret: owned(secret),
        }
    }

    #[test]
    fn an_endpoint_with_nothing_but_a_url_is_standard() {
        let (settings, secret) = Overrides::default().apply(None).expect("defaults");
        let shown = serde_json::to_value(&settings).expect("plain");
        assert_eq!(
            shown,
            serde_json::json!({
                "profile": "standard", "envelope": "raw", "signatures": [{"scheme": "standard"}],
                "retry_policy": "eight-step", "failure_policy": "five-days", "timeout_ms": 15000,
                "subscribe": ["*"],
            })
        );
        assert!(secret.is_none() && needs_secret(&settings));
        let bare = ready_made(ACCOUNT_SIGNED).expect("ready-made");
        assert_eq!(bare.retry_policy, RetryPolicy::ThreeStep);
        assert_eq!(bare.envelope, Envelope::Compact);
        assert!(!needs_secret(&bare));
    }

    #[test]
    fn a_part_is_overridden_alone_and_a_new_profile_keeps_the_subscription() {
        let none = Overrides {
            subscribe: Some(Subscribe::None),
            ..Overrides::default()
        };
        let (known, _) = none.apply(None).expect("valid");
        let faster = Overrides {
            timeout_ms: Some(500),
            ..Overrides::default()
        };
        let (faster, _) = faster.apply(Some(known.clone())).expect("valid");
        assert_eq!(
            faster,
            EndpointSettings {
                timeout_ms: 500,
                ..known
            }
        );
        let other = Overrides {
            profile: Some(ACCOUNT_SIGNED.to_owned()),
            ..Overrides::default()
        };
        let (other, _) = other.apply(Some(faster)).expect("valid");
        assert_eq!((other.timeout_ms, other.subscribe), (15_000, None));
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "one table of cases")]
    fn what_is_wrong_is_told_with_its_place() {
        let whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = |signatures| Overrides {
            signatures: Some(signatures),
            ..Overrides::default()
        };
        let profile = |name: &str| Overrides {
            profile: Some(name.to_owned()),
            ..Overrides::default()
        };
        let headed = |name: &str, value: &str| Overrides {
            headers: Some([(name.to_owned(), value.to_owned())].into()),
            ..Overrides::default()
        };
        for (overrides, at, words) in [
            (
                headed("Content-Type", "a"),
                "/headers/Content-Type",
                "another use",
            ),
            (
                headed("webhook-id", "a"),
                "/headers/webhook-id",
                "another use",
            ),
            (
                headed("X-HTTP-Method-Override", "DELETE"),
                "/headers/X-HTTP-Method-Override",
                "another use",
            ),
            (headed("Via", "1.1 a"), "/headers/Via", "another use"),
            (
                headed("X-Hub-Signature", "a"),
                "/headers/X-Hub-Signature",
                "another use",
            ),
            (headed("a/b", "a"), "/headers/a~1b", "not the name"),
            (profile("nope"), "/profile", "no profile 'nope'"),
            (
                Overrides {
                    timeout_ms: Some(0),
                    ..Overrides::default()
                },
                "/timeout_ms",
                "timeout_ms is 0",
            ),
            (signed(vec![]), "/signatures", "give 1 to 4"),
            (
                signed(vec![signature("rsa", None, Some("x"))]),
                "/signatures/0/secret",
                "leave the secret out",
            ),
            (
                signed(vec![signature("body-hmac", Some("Host"), None)]),
                "/signatures/0/header",
                "another use",
            ),
            (
                signed(vec![signature("standard", None, Some("x"))]),
                "/signatures/0/secret",
                "whsec_",
            ),
            (
                signed(vec![signature("body-hmac", None, Some(whsec))]),
                "/signatures/0/secret",
                "leave the secret out",
            ),
            (
                signed(vec![
                    signature("standard", None, None),
                    signature("standard", None, None),
                ]),
                "/signatures/1",
                "twice",
            ),
        ] {
            let error = overrides.apply(None).expect_err(words);
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(
                error.place().map(ToString::to_string).as_deref(),
                Some(at),
                "{error}"
            );
        }
    }
}
