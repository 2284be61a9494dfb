//! How an endpoint is written and read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::profile::Overrides;
use super::signature::SignatureRequest;
use super::{Error, Subscribe};
use crate::envelope::Envelope;
use crate::failure::FailurePolicy;
use crate::model::{AutomationId, EndpointId, Timestamp};
use crate::outbound::{Target, UrlRule, UrlRules, UrlWarning};
use crate::pipeline::{DeliveryMethod, EndpointSettings};
use crate::retry::RetryPolicy;
use crate::signing::Scheme;
use crate::store;

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
    pub retry_policy: Option<RetryPolicy>,
    /// When the endpoint is given up.
    pub failure_policy: Option<FailurePolicy>,
    /// Where everything comes from that is left out: `standard` (if this is left out), `event-envelope`,
    /// `account-signed` or `rsa-signed`.
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
    /// Whether the URL is pinged before anything is saved, which is refused if nothing answers. Without it
    /// nothing is sent.
    #[serde(default)]
    pub validate: bool,
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
    pub retry_policy: Option<RetryPolicy>,
    /// When the endpoint is given up.
    pub failure_policy: Option<FailurePolicy>,
    /// Replaces everything but the subscription: `standard`, `event-envelope`, `account-signed` or `rsa-signed`.
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
    /// Whether the URL that the endpoint shall have is pinged before anything is changed, which is refused if nothing
    /// answers. Without it nothing is sent.
    #[serde(default)]
    pub validate: bool,
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
    /// The profile that its settings began with: `standard`, `event-envelope`, `account-signed` or `rsa-signed`.
    pub profile: String,
    /// What its own subscription names.
    pub subscribe: Subscribe,
    /// How deliveries are signed.
    pub signatures: Vec<Scheme>,
    /// How the body is wrapped.
    pub envelope: Envelope,
    /// When a failed delivery is tried again.
    pub retry_policy: RetryPolicy,
    /// When a failed delivery is tried again, as a sentence.
    pub retry_schedule: String,
    /// When the endpoint is given up.
    pub failure_policy: FailurePolicy,
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
            profile: settings.profile,
            signatures: settings.signatures,
            envelope: settings.envelope,
            retry_schedule: settings.retry_policy.preview(),
            retry_policy: settings.retry_policy,
            failure_policy: settings.failure_policy,
            timeout_ms: settings.timeout_ms,
            headers: settings.headers,
            method: settings.method,
            http: settings.http,
            explicit_port: settings.explicit_port,
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
    ($($request:ty),*) => {$(
        impl $request {
            pub(super) fn overrides(&self) -> Overrides {
                Overrides {
                    profile: self.profile.clone(),
                    subscribe: self.subscribe.clone(),
                    signatures: self.signatures.clone(),
                    envelope: self.envelope,
                    retry_policy: self.retry_policy.clone(),
                    failure_policy: self.failure_policy,
                    timeout_ms: self.timeout_ms,
                    headers: self.headers.clone(),
                    method: self.method,
                    http: self.http,
                    explicit_port: self.explicit_port,
                }
            }
        }
    )*};
}

overrides!(NewEndpoint, EndpointPatch);

/// The settings of a stored endpoint.
pub(super) fn stored_settings(row: &store::Endpoint) -> Result<EndpointSettings, Error> {
    serde_json::from_str(&row.settings)
        .map_err(|error| Error::unreadable("the endpoint's settings", error))
}

/// Settings as they are stored.
pub(super) fn settings_text(settings: &EndpointSettings) -> Result<String, Error> {
    serde_json::to_string(settings)
        .map_err(|error| Error::unreadable("the endpoint's settings", error))
}
