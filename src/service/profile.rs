//! Profiles: how deliveries look and what happens when they fail, ready-made, and what an endpoint
//! may override of them.

use std::collections::BTreeMap;

use super::policy_ref::{FailurePolicyRef, RetryPolicyRef};
use super::rulebook::Rulebook;
use super::signature::{self, SignatureRequest};
use super::{Error, Subscribe, check, own_headers, subscribe};
use crate::envelope::Envelope;
use crate::failure::FailurePolicy;
use crate::model::Timestamp;
use crate::outbound::{UrlRule, UrlRules};
use crate::pipeline::{
    Auth, DeliveryMethod, EndpointSettings, Follows, OwnCertificate, Part, ProxySettings,
};
use crate::retry::RetryPolicy;
use crate::signing::{OwnSecret, Scheme, SignatureHeader};
use crate::tally::SuccessRateAlert;
use crate::throttle::EndpointLimits;

/// The profile of an endpoint that names none.
pub(super) const STANDARD: &str = "standard";
/// The profile of a bare URL in an automation.
pub(super) const ACCOUNT_SIGNED: &str = "account-signed";
/// The profile whose events tell their type and time beside the payload, and in headers.
pub(super) const EVENT_ENVELOPE: &str = "event-envelope";
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
/// What an endpoint overrides of its profile.
#[expect(clippy::option_option, reason = "left out and null are told apart")]
#[derive(Clone, Default)]
pub(super) struct Overrides {
    pub(super) profile: Option<String>,
    pub(super) subscribe: Option<Subscribe>,
    pub(super) signatures: Option<Vec<SignatureRequest>>,
    pub(super) envelope: Option<Envelope>,
    pub(super) retry_policy: Option<RetryPolicyRef>,
    pub(super) failure_policy: Option<FailurePolicyRef>,
    pub(super) timeout_ms: Option<u64>,
    pub(super) headers: Option<BTreeMap<String, String>>,
    pub(super) method: Option<DeliveryMethod>,
    pub(super) http: Option<UrlRule>,
    pub(super) explicit_port: Option<UrlRule>,
    #[expect(clippy::option_option, reason = "left out and null are told apart")]
    pub(super) notify: Option<Option<Vec<String>>>,
    pub(super) limits: Option<EndpointLimits>,
    pub(super) success_rate_alert: Option<SuccessRateAlert>,
    pub(super) auth: Option<Option<Auth>>,
    pub(super) client_certificate: Option<Option<OwnCertificate>>,
    pub(super) proxy: Option<Option<ProxySettings>>,
    /// The parts that are its own besides those that are given; `None`: those that are.
    pub(super) own_parts: Option<Vec<Part>>,
}

/// The names of the ready-made ones.
pub(super) const READY_MADE: [&str; 4] = [STANDARD, EVENT_ENVELOPE, ACCOUNT_SIGNED, RSA_SIGNED];

/// The ready-made profile with this name, subscribed to everything.
pub(super) fn ready_made(name: &str) -> Option<EndpointSettings> {
    let (envelope, signature, retry_policy) = match name {
        STANDARD => (Envelope::Raw, Scheme::Standard, RetryPolicy::EightStep),
        EVENT_ENVELOPE => (Envelope::Event, Scheme::EventHeader, RetryPolicy::EightStep),
        RSA_SIGNED => {
            let scheme = Scheme::from_words("rsa", None).expect("its usual header is a header");
            (Envelope::Raw, scheme, RetryPolicy::ThreeStep)
        }
        ACCOUNT_SIGNED => {
            let scheme = Scheme::BodyHmac {
                header: SignatureHeader::default(),
            };
            (Envelope::Compact, scheme, RetryPolicy::ThreeStep)
        }
        _ => return None,
    };
    let usual = UrlRules::default();
    Some(EndpointSettings {
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
        notify: None,
        limits: EndpointLimits::default(),
        success_rate_alert: SuccessRateAlert::default(),
        auth: None,
        client_certificate: None,
        proxy: None,
        follows: Follows {
            overrides: Some([].into()),
            ..Follows::default()
        },
    })
}

/// The profile of an endpoint of which nothing is said.
pub(super) fn standard() -> EndpointSettings {
    ready_made(STANDARD).expect("it is one of the ready-made ones")
}

impl Overrides {
    /// The settings that follow from `known` ones (or the profile's, if one is named), and the secret that was given
    /// with them. What is given is the endpoint's own from then on, and stays what it is when the profile changes.
    pub(super) fn apply(
        self,
        known: Option<EndpointSettings>,
        book: &Rulebook,
    ) -> Result<(EndpointSettings, Option<OwnSecret>), Error> {
        let mut settings = match (&self.profile, known) {
            (Some(name), known) => switched(book.profile(name, "/profile")?, known),
            (None, Some(known)) => known,
            (None, None) => book.profile(&book.default_profile, "/profile")?,
        };
        if let Some(own) = &self.own_parts {
            settings.follows.overrides = Some(own.iter().copied().collect());
        }
        if let Some(subscribe) = &self.subscribe {
            if let Subscribe::To(patterns) = subscribe {
                subscribe::patterns(patterns, "/subscribe")?;
            }
            settings.subscribe = subscribe.clone().stored();
        }
        self.lay_beside(&mut settings)?;
        let secret = self.lay_over(&mut settings, book)?;
        book.settle(&mut settings)?;
        own_headers::check_beside(&settings.headers, &settings.signatures)?;
        Ok((settings, secret))
    }

    /// What no profile says.
    fn lay_beside(&self, settings: &mut EndpointSettings) -> Result<(), Error> {
        if let Some(notify) = &self.notify {
            check::notified(notify.as_deref().unwrap_or_default())?;
            settings.notify.clone_from(notify);
        }
        if let Some(limits) = self.limits {
            let within = limits.check();
            within.map_err(|error| Error::field(format!("/limits{}", error.at), error.why))?;
            settings.limits = limits;
        }
        if let Some(alert) = self.success_rate_alert {
            settings.success_rate_alert = alert;
        }
        if let Some(auth) = &self.auth {
            settings.auth.clone_from(auth);
        }
        if let Some(certificate) = &self.client_certificate {
            settings.client_certificate.clone_from(certificate);
        }
        if let Some(proxy) = &self.proxy {
            settings.proxy.clone_from(proxy);
        }
        Ok(())
    }

    fn lay_over(
        self,
        settings: &mut EndpointSettings,
        book: &Rulebook,
    ) -> Result<Option<OwnSecret>, Error> {
        let mut secret = None;
        if let Some(signatures) = self.signatures {
            (settings.signatures, secret) = signature::schemes(&signatures)?;
            settings.own(Part::Signatures);
        }
        if let Some(policy) = self.retry_policy {
            (settings.retry_policy, settings.follows.retry_policy) =
                book.retry_policy(policy, "/retry_policy")?;
            settings.own(Part::RetryPolicy);
        }
        if let Some(policy) = self.failure_policy {
            (settings.failure_policy, settings.follows.failure_policy) =
                book.failure_policy(policy, "/failure_policy")?;
            settings.own(Part::FailurePolicy);
        }
        if let Some(timeout_ms) = self.timeout_ms {
            if !(TIMEOUT_MS_MIN..=TIMEOUT_MS_MAX).contains(&timeout_ms) {
                let why = format!(
                    "timeout_ms is {timeout_ms}: it must be {TIMEOUT_MS_MIN} to {TIMEOUT_MS_MAX}"
                );
                return Err(Error::field("/timeout_ms", why));
            }
            settings.timeout_ms = timeout_ms;
            settings.own(Part::TimeoutMs);
        }
        if let Some(headers) = self.headers {
            settings.headers = own_headers::checked(headers)?;
            settings.own(Part::Headers);
        }
        if let Some(envelope) = self.envelope {
            settings.envelope = envelope;
            settings.own(Part::Envelope);
        }
        if let Some(method) = self.method {
            settings.method = method;
            settings.own(Part::Method);
        }
        if let Some(rule) = self.http {
            settings.http = rule;
            settings.own(Part::Http);
        }
        if let Some(rule) = self.explicit_port {
            settings.explicit_port = rule;
            settings.own(Part::ExplicitPort);
        }
        Ok(secret)
    }
}

/// The profile's settings with what it does not replace of those that were there: the subscription, headers of one's
/// own, and what no profile says.
fn switched(mut to: EndpointSettings, known: Option<EndpointSettings>) -> EndpointSettings {
    if let Some(known) = known {
        if known.has_own(Part::Headers) {
            to.take(Part::Headers, &known);
            to.own(Part::Headers);
        }
        to = EndpointSettings {
            subscribe: known.subscribe,
            notify: known.notify,
            limits: known.limits,
            success_rate_alert: known.success_rate_alert,
            auth: known.auth,
            client_certificate: known.client_certificate,
            proxy: known.proxy,
            ..to
        };
    }
    to
}

/// Settings that were stored before it was written down what of them is their own: whatever is not as their profile
/// has it.
pub(super) fn with_overrides(mut settings: EndpointSettings) -> EndpointSettings {
    if settings.follows.overrides.is_some() {
        return settings;
    }
    let usual = ready_made(&settings.profile);
    let differs = |part: &Part| {
        usual.as_ref().is_none_or(|usual| {
            let mut taken = settings.clone();
            taken.take(*part, usual);
            taken != settings
        })
    };
    let own = Part::ALL.into_iter().filter(differs).collect();
    settings.follows.overrides = Some(own);
    settings
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
#[path = "profile_tests.rs"]
mod tests;
