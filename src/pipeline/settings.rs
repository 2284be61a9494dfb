//! What an endpoint's settings are, as they are stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::connection::{Auth, OwnCertificate, ProxySettings};
use super::follows::Follows;
use super::limited::Stated;
use crate::envelope::Envelope;
use crate::failure::FailurePolicy;
use crate::outbound::{Method, UrlRule, UrlRules};
use crate::retry::RetryPolicy;
use crate::signing::Scheme;
use crate::tally::SuccessRateAlert;
use crate::throttle::EndpointLimits;

/// The HTTP method of an endpoint's deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DeliveryMethod {
    /// The usual one.
    #[default]
    Post,
    /// For receivers that take nothing else.
    Put,
}

impl From<DeliveryMethod> for Method {
    fn from(method: DeliveryMethod) -> Self {
        match method {
            DeliveryMethod::Post => Self::Post,
            DeliveryMethod::Put => Self::Put,
        }
    }
}

/// How deliveries to one endpoint look, and what happens when they fail. Written and read as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSettings {
    /// The profile that the other fields were filled from.
    pub profile: String,
    /// How the body is wrapped.
    pub envelope: Envelope,
    /// How it is signed; every one of them.
    pub signatures: Vec<Scheme>,
    /// When it is tried again.
    pub retry_policy: RetryPolicy,
    /// When the endpoint is given up.
    pub failure_policy: FailurePolicy,
    /// Time for one whole attempt.
    pub timeout_ms: u64,
    /// Which event types its own subscription names, as they were written; `None`: it has none.
    pub subscribe: Option<Vec<String>>,
    /// Headers of its own, with references to variables in their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The method of its requests. This and what follows is written down only where it is not usual: settings
    /// that were stored before there was a choice are read, and stay as they are.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub method: DeliveryMethod,
    /// What becomes of a URL that is not `https://`.
    #[serde(default = "usual_http", skip_serializing_if = "is_usual_http")]
    pub http: UrlRule,
    /// What becomes of a URL in which a port is written out.
    #[serde(default = "usual_port", skip_serializing_if = "is_usual_port")]
    pub explicit_port: UrlRule,
    /// Whom mails about it go to, beside the account's owner; `None`: whose key has made or changed it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Vec<String>>,
    /// How many requests it gets.
    #[serde(default, skip_serializing_if = "EndpointLimits::is_none")]
    pub limits: EndpointLimits,
    /// When it is told that too few of its attempts succeed.
    #[serde(default, skip_serializing_if = "SuccessRateAlert::is_account")]
    pub success_rate_alert: SuccessRateAlert,
    /// What its deliveries prove themselves with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Its client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<OwnCertificate>,
    /// Its proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxySettings>,
    /// What of it is its own, and what goes by a name.
    #[serde(default, skip_serializing_if = "Follows::is_unknown")]
    pub follows: Follows,
}

impl EndpointSettings {
    /// What is asked of the endpoint's URL.
    pub fn url_rules(&self) -> UrlRules {
        UrlRules {
            http: self.http,
            explicit_port: self.explicit_port,
        }
    }

    /// What it states of how much it bears.
    pub(super) fn stated(&self) -> Stated {
        Stated {
            limits: self.limits,
            timeout_ms: i64::try_from(self.timeout_ms).unwrap_or(i64::MAX),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_usual(method: &DeliveryMethod) -> bool {
    *method == DeliveryMethod::default()
}

fn usual_http() -> UrlRule {
    UrlRules::default().http
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_usual_http(rule: &UrlRule) -> bool {
    *rule == usual_http()
}

fn usual_port() -> UrlRule {
    UrlRules::default().explicit_port
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_usual_port(rule: &UrlRule) -> bool {
    *rule == usual_port()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_from_before_there_was_a_choice_are_read_and_stay_as_they_are() {
        let stored = r#"{"profile":"standard","envelope":"raw","signatures":[{"scheme":"standard"}],"retry_policy":"eight-step","failure_policy":"five-days","timeout_ms":15000,"subscribe":["*"]}"#;
        let mut settings: EndpointSettings = serde_json::from_str(stored).expect("settings");
        assert_eq!(settings.method, DeliveryMethod::Post);
        assert_eq!(settings.url_rules(), UrlRules::default());
        assert_eq!(serde_json::to_string(&settings).expect("plain"), stored);

        settings.method = DeliveryMethod::Put;
        settings.http = UrlRule::Refused;
        settings.explicit_port = UrlRule::Warned;
        let text = serde_json::to_string(&settings).expect("plain");
        let chosen = r#","method":"PUT","http":"refused","explicit_port":"warned"}"#;
        assert!(text.ends_with(chosen), "{text}");
        let read: EndpointSettings = serde_json::from_str(&text).expect("settings");
        assert_eq!(read, settings);
    }
}
