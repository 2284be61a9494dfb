//! How an endpoint is written and read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::connection::OwnCertificateView;
use super::handshake::ValidationKind;
use super::json::nullable;
use super::policy_ref::{FailurePolicyRef, PolicyRef, RetryPolicyRef};
use super::profile::{Overrides, with_overrides};
use super::signature::SignatureRequest;
use super::{Error, Subscribe};
use crate::envelope::Envelope;
use crate::model::{AutomationId, EndpointId, Timestamp};
use crate::outbound::{Target, UrlRule, UrlRules, UrlWarning};
use crate::pipeline::{
    Auth, DeliveryMethod, EndpointSettings, OwnCertificate, Part, ProxySettings,
};
use crate::signing::Scheme;
use crate::store;
use crate::tally::SuccessRateAlert;
use crate::throttle::EndpointLimits;

/// An endpoint to be made. What is left out comes from the profile.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEndpoint {
    /// Where requests are sent: an `http` or `https` URL of 2048 bytes at most, without a user or a fragment.
    #[schema(example = "https://example.com/hook")]
    pub url: String,
    /// A name by which people recognise it: 1 to 200 bytes, on one line; the URL's host, if left out.
    pub name: Option<String>,
    /// What its own subscription names; all, if left out.
    pub subscribe: Option<Subscribe>,
    /// How deliveries are signed: 1 to 4 schemes.
    pub signatures: Option<Vec<SignatureRequest>>,
    /// How the body is wrapped.
    pub envelope: Option<Envelope>,
    /// When a failed delivery is tried again.
    pub retry_policy: Option<RetryPolicyRef>,
    /// When the endpoint is given up.
    pub failure_policy: Option<FailurePolicyRef>,
    /// Where everything comes from that is left out, now and when the profile changes: `standard`, `event-envelope`,
    /// `account-signed`, `rsa-signed`, or one of the account's own; the account's `default_profile`, if left out.
    pub profile: Option<String>,
    /// The time for one whole attempt in milliseconds, 10 to 60000; 15000, if left out.
    pub timeout_ms: Option<u64>,
    /// Headers of its own, by name: 20 at most, of 4096 bytes each. `{{vars.name}}` in a value stands for a
    /// variable of the account.
    #[schema(example = json!({"Authorization": "Bearer {{vars.crm_token}}"}))]
    pub headers: Option<BTreeMap<String, String>>,
    /// The method of its requests: `POST`, if left out.
    pub method: Option<DeliveryMethod>,
    /// What becomes of a URL that is not `https://`; `warned`, if left out.
    pub http: Option<UrlRule>,
    /// What becomes of a URL in which a port is written out, `:443` included; `allowed`, if left out.
    pub explicit_port: Option<UrlRule>,
    /// The mail addresses that alerts about it go to, beside that of the account's owner: 10 at most. If left
    /// out, or null: that of whose key has made or changed it last.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Vec<String>>, example = json!(["ops@example.com"]))]
    pub notify: Option<Option<Vec<String>>>,
    /// How many requests it gets, of all nodes together; as many as it keeps up with, if left out.
    pub limits: Option<EndpointLimits>,
    /// When it is told that too few of its attempts succeed; as the account says, if left out.
    pub success_rate_alert: Option<SuccessRateAlert>,
    /// What deliveries prove themselves with in the header `Authorization`: `basic`, `bearer` or `oauth2`. Null:
    /// nothing.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Auth>)]
    pub auth: Option<Option<Auth>>,
    /// The certificate that deliveries prove themselves with where a receiver asks for one (mTLS). Null: none.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<OwnCertificate>)]
    pub client_certificate: Option<Option<OwnCertificate>>,
    /// The proxy that deliveries go through. Null: the account's, or else the operator's, if there is one.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<ProxySettings>)]
    pub proxy: Option<Option<ProxySettings>>,
    /// Whether the URL is pinged before anything is saved, which is refused if nothing answers. Without it
    /// nothing is sent.
    #[serde(default)]
    pub validate: bool,
    /// How it is validated, if it is: `ping`, if left out, or `options`.
    #[serde(default)]
    pub validation: ValidationKind,
}

/// What is changed of an endpoint; what is left out stays. A profile that is named replaces all that
/// came from the old one, but not the subscription.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointPatch {
    /// Where requests are sent: an `http` or `https` URL of 2048 bytes at most, without a user or a fragment.
    pub url: Option<String>,
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: Option<String>,
    /// What its own subscription names.
    pub subscribe: Option<Subscribe>,
    /// How deliveries are signed: 1 to 4 schemes, without secrets, which are rotated.
    pub signatures: Option<Vec<SignatureRequest>>,
    /// How the body is wrapped.
    pub envelope: Option<Envelope>,
    /// When a failed delivery is tried again.
    pub retry_policy: Option<RetryPolicyRef>,
    /// When the endpoint is given up.
    pub failure_policy: Option<FailurePolicyRef>,
    /// Replaces everything but the subscription and headers of its own: `standard`, `event-envelope`,
    /// `account-signed`, `rsa-signed`, or one of the account's own.
    pub profile: Option<String>,
    /// The time for one whole attempt in milliseconds, 10 to 60000.
    pub timeout_ms: Option<u64>,
    /// Headers of its own, by name: 20 at most, of 4096 bytes each. `{{vars.name}}` in a value stands for a
    /// variable of the account.
    #[schema(example = json!({"Authorization": "Bearer {{vars.crm_token}}"}))]
    pub headers: Option<BTreeMap<String, String>>,
    /// The method of its requests: `POST` or `PUT`.
    pub method: Option<DeliveryMethod>,
    /// What becomes of a URL that is not `https://`.
    pub http: Option<UrlRule>,
    /// What becomes of a URL in which a port is written out. The usual port is not kept with a URL, so it is not
    /// seen in one that was saved before.
    pub explicit_port: Option<UrlRule>,
    /// The mail addresses that alerts about it go to, beside that of the account's owner: 10 at most. Null: that of
    /// whose key has made or changed it last.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Vec<String>>, example = json!(["ops@example.com"]))]
    pub notify: Option<Option<Vec<String>>>,
    /// How many requests it gets, of all nodes together. Replaces all of its limits: `{}` leaves none.
    pub limits: Option<EndpointLimits>,
    /// When it is told that too few of its attempts succeed.
    pub success_rate_alert: Option<SuccessRateAlert>,
    /// What deliveries prove themselves with in the header `Authorization`: `basic`, `bearer` or `oauth2`. Null:
    /// nothing.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Auth>)]
    pub auth: Option<Option<Auth>>,
    /// The certificate that deliveries prove themselves with where a receiver asks for one (mTLS). Null: none.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<OwnCertificate>)]
    pub client_certificate: Option<Option<OwnCertificate>>,
    /// The proxy that deliveries go through. Null: the account's, or else the operator's, if there is one.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<ProxySettings>)]
    pub proxy: Option<Option<ProxySettings>>,
    /// The parts that are its own, besides those that are given here; all others are from now on the profile's.
    #[schema(example = json!(["timeout_ms"]))]
    pub overrides: Option<Vec<Part>>,
    /// Whether the URL that the endpoint shall have is pinged before anything is changed, which is refused if nothing
    /// answers. Without it nothing is sent.
    #[serde(default)]
    pub validate: bool,
    /// How it is validated, if it is: `ping`, if left out, or `options`.
    #[serde(default)]
    pub validation: ValidationKind,
}

/// An endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointView {
    /// The endpoint's id.
    #[schema(value_type = String, example = "ep_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: EndpointId,
    /// A name by which people recognise it: 1 to 200 bytes, on one line.
    pub name: String,
    /// Where requests are sent.
    pub url: String,
    /// The profile that says all parts but those that are its own.
    pub profile: String,
    /// The parts that are its own, and stay as they are when the profile changes.
    pub overrides: Vec<Part>,
    /// What its own subscription names.
    pub subscribe: Subscribe,
    /// How deliveries are signed.
    pub signatures: Vec<Scheme>,
    /// How the body is wrapped.
    pub envelope: Envelope,
    /// When a failed delivery is tried again.
    pub retry_policy: RetryPolicyRef,
    /// When a failed delivery is tried again, as a sentence.
    pub retry_schedule: String,
    /// When the endpoint is given up.
    pub failure_policy: FailurePolicyRef,
    /// The time for one whole attempt, in milliseconds.
    pub timeout_ms: u64,
    /// Headers of its own, by name in lower case, as they were written.
    pub headers: BTreeMap<String, String>,
    /// The method of its requests.
    pub method: DeliveryMethod,
    /// What becomes of a URL that is not `https://`.
    pub http: UrlRule,
    /// What becomes of a URL in which a port is written out.
    pub explicit_port: UrlRule,
    /// The mail addresses that alerts about it go to, beside that of the account's owner; null: that of whose key has
    /// made or changed it last.
    pub notify: Option<Vec<String>>,
    /// How many requests it gets, of all nodes together.
    pub limits: EndpointLimits,
    /// When it is told that too few of its attempts succeed.
    pub success_rate_alert: SuccessRateAlert,
    /// What its deliveries prove themselves with, secrets as references; null, if nothing.
    pub auth: Option<Auth>,
    /// Its client certificate; null, if it has none.
    pub client_certificate: Option<OwnCertificateView>,
    /// Its own proxy; null, if it has none.
    pub proxy: Option<ProxySettings>,
    /// What is questionable about its URL.
    pub warnings: Vec<UrlWarningView>,
    /// Whether deliveries go out: `enabled`, or `disabled`, and they are held.
    pub state: String,
    /// Why it is disabled: `gone` (it answered 410), `failing` or `by_user`; null, if it is not.
    pub disabled_why: Option<String>,
    /// When it first failed since it last took a delivery, RFC 3339; null, if it does not fail.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// The id of the automation whose bare URL it is; null, if it is none.
    #[schema(value_type = Option<String>)]
    pub automation: Option<AutomationId>,
    /// When it was made, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Something questionable about a URL.
#[derive(Debug, Serialize, ToSchema)]
pub struct UrlWarningView {
    /// A word for programs: `http` or `explicit_port`.
    #[schema(example = "http")]
    pub code: &'static str,
    /// A sentence.
    pub why: &'static str,
}

impl From<UrlWarning> for UrlWarningView {
    fn from(warning: UrlWarning) -> Self {
        Self {
            code: warning.as_str(),
            why: warning.sentence(),
        }
    }
}

impl UrlWarningView {
    /// What is to be warned of at a URL that was saved.
    fn of(url: &str, rules: UrlRules) -> Vec<Self> {
        let judged = Target::parse(url).ok().map(|target| rules.judge(&target));
        let warnings = judged.and_then(Result::ok).unwrap_or_default();
        warnings.into_iter().map(Self::from).collect()
    }
}

impl EndpointPatch {
    /// Whether it says anything that is checked together with how the endpoint is connected.
    pub(super) fn changes_connection(&self) -> bool {
        self.auth.is_some()
            || self.client_certificate.is_some()
            || self.proxy.is_some()
            || self.headers.is_some()
    }
}

/// Whether deliveries to an endpoint go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// They do.
    On,
    /// They are held.
    Off,
}

/// An endpoint that was just made.
#[derive(Serialize, ToSchema)]
pub struct NewEndpointView {
    /// The endpoint.
    #[serde(flatten)]
    pub endpoint: EndpointView,
    /// Its signing secret, if its deliveries are signed with one; shown here and when revealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_…")]
    pub secret: Option<String>,
}

impl TryFrom<store::Endpoint> for EndpointView {
    type Error = Error;

    fn try_from(row: store::Endpoint) -> Result<Self, Error> {
        let settings = stored_settings(&row)?;
        Ok(Self {
            id: row.id,
            name: row.name,
            warnings: UrlWarningView::of(&row.url, settings.url_rules()),
            url: row.url,
            subscribe: Subscribe::of_stored(settings.subscribe.as_deref()),
            overrides: settings.overrides().collect(),
            profile: settings.profile,
            signatures: settings.signatures,
            envelope: settings.envelope,
            retry_schedule: settings.retry_policy.preview(),
            retry_policy: PolicyRef::of(
                settings.follows.retry_policy.as_ref(),
                &settings.retry_policy,
            ),
            failure_policy: PolicyRef::of(
                settings.follows.failure_policy.as_ref(),
                &settings.failure_policy,
            ),
            timeout_ms: settings.timeout_ms,
            headers: settings.headers,
            method: settings.method,
            http: settings.http,
            explicit_port: settings.explicit_port,
            notify: settings.notify,
            limits: settings.limits,
            success_rate_alert: settings.success_rate_alert,
            auth: settings.auth,
            client_certificate: settings.client_certificate.map(OwnCertificateView::from),
            proxy: settings.proxy,
            state: row.state,
            disabled_why: row.disabled_why,
            failing_since: row.failing_since,
            automation: row.owner_automation,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// What each of these requests overrides of a profile.
macro_rules! overrides {
    ($($request:ty: |$this:ident| $own:expr),*) => {$(
        impl $request {
            pub(super) fn overrides(&self) -> Overrides {
                Overrides {
                    profile: self.profile.clone(),
                    subscribe: self.subscribe.clone(),
                    signatures: self.signatures.clone(),
                    envelope: self.envelope,
                    retry_policy: self.retry_policy.clone(),
                    failure_policy: self.failure_policy.clone(),
                    timeout_ms: self.timeout_ms,
                    headers: self.headers.clone(),
                    method: self.method,
                    http: self.http,
                    explicit_port: self.explicit_port,
                    notify: self.notify.clone(),
                    limits: self.limits,
                    success_rate_alert: self.success_rate_alert,
                    auth: self.auth.clone(),
                    client_certificate: self.client_certificate.clone(),
                    proxy: self.proxy.clone(),
                    own_parts: {
                        let $this = self;
                        $own
                    },
                }
            }
        }
    )*};
}

overrides! {
    NewEndpoint: |_new| None,
    EndpointPatch: |patch| patch.overrides.clone()
}

/// The settings of a stored endpoint.
pub(super) fn stored_settings(row: &store::Endpoint) -> Result<EndpointSettings, Error> {
    serde_json::from_str(&row.settings)
        .map(with_overrides)
        .map_err(|error| Error::unreadable("the endpoint's settings", error))
}

/// Settings as they are stored.
pub(super) fn settings_text(settings: &EndpointSettings) -> Result<String, Error> {
    serde_json::to_string(settings)
        .map_err(|error| Error::unreadable("the endpoint's settings", error))
}
