//! Endpoints: where deliveries go. An endpoint's own subscription is an automation that it owns; a
//! bare URL of an automation is an endpoint that the automation owns.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::principal::{MayRead, MayWrite, Principal};
use super::profile::{self, Overrides, SignatureRequest};
use super::{Error, Listed, PageRequest, Schemes, Service, Subscribe, check, subscribe};
use crate::automation::{Action, Definition, Trigger};
use crate::envelope::Envelope;
use crate::failure::FailurePolicy;
use crate::model::{AccountId, AutomationId, EndpointId, SecretId, Timestamp};
use crate::outbound::Target;
use crate::pipeline::EndpointSettings;
use crate::retry::RetryPolicy;
use crate::signing::{EndpointSecret, Scheme};
use crate::store::{self, EndpointChange, EndpointState, Publication, SubscriptionChange};
use crate::vault::random;

/// Deliveries cancelled in one transaction when an endpoint goes.
const CANCEL_CHUNK: usize = 1000;

/// An endpoint to be made. What is left out comes from the profile.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEndpoint {
    /// Where requests are sent.
    #[schema(example = "https://example.com/hook")]
    pub url: String,
    /// For people; the URL's host, if left out.
    pub name: Option<String>,
    /// What its own subscription names; all, if left out.
    pub subscribe: Option<Subscribe>,
    /// How deliveries are signed.
    pub signatures: Option<Vec<SignatureRequest>>,
    /// How the body is wrapped.
    pub envelope: Option<Envelope>,
    /// When a failed delivery is tried again.
    pub retry_policy: Option<RetryPolicy>,
    /// When the endpoint is given up.
    pub failure_policy: Option<FailurePolicy>,
    /// `standard` (if left out) or `account-signed`.
    pub profile: Option<String>,
    /// Time for one whole attempt, 10 to 60000.
    pub timeout_ms: Option<u64>,
}

/// What is changed of an endpoint; what is left out stays. A profile that is named replaces all that
/// came from the old one, but not the subscription.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointPatch {
    /// Where requests are sent.
    pub url: Option<String>,
    /// For people.
    pub name: Option<String>,
    /// What its own subscription names.
    pub subscribe: Option<Subscribe>,
    /// How deliveries are signed, without secrets: those are rotated.
    pub signatures: Option<Vec<SignatureRequest>>,
    /// How the body is wrapped.
    pub envelope: Option<Envelope>,
    /// When a failed delivery is tried again.
    pub retry_policy: Option<RetryPolicy>,
    /// When the endpoint is given up.
    pub failure_policy: Option<FailurePolicy>,
    /// `standard` or `account-signed`.
    pub profile: Option<String>,
    /// Time for one whole attempt, 10 to 60000.
    pub timeout_ms: Option<u64>,
}

/// An endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointView {
    /// Its id.
    #[schema(value_type = String, example = "ep_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: EndpointId,
    /// For people.
    pub name: String,
    /// Where requests are sent.
    pub url: String,
    /// The profile that its settings began with.
    pub profile: String,
    /// What its own subscription names.
    pub subscribe: Subscribe,
    /// How deliveries are signed.
    pub signatures: Vec<Scheme>,
    /// How the body is wrapped.
    pub envelope: Envelope,
    /// When a failed delivery is tried again.
    pub retry_policy: RetryPolicy,
    /// The same in words.
    pub retry_schedule: String,
    /// When the endpoint is given up.
    pub failure_policy: FailurePolicy,
    /// Time for one whole attempt.
    pub timeout_ms: u64,
    /// `enabled` or `disabled`.
    pub state: String,
    /// `gone` (it answered 410), `failing` or `by_user`, if it is disabled.
    pub disabled_why: Option<String>,
    /// The first failure since the last success.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// The automation whose bare URL it is.
    #[schema(value_type = Option<String>)]
    pub automation: Option<AutomationId>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
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
            url: row.url,
            subscribe: Subscribe::of_stored(settings.subscribe.as_deref()),
            profile: settings.profile,
            signatures: settings.signatures,
            envelope: settings.envelope,
            retry_schedule: settings.retry_policy.preview(),
            retry_policy: settings.retry_policy,
            failure_policy: settings.failure_policy,
            timeout_ms: settings.timeout_ms,
            state: row.state,
            disabled_why: row.disabled_why,
            failing_since: row.failing_since,
            automation: row.owner_automation,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn stored_settings(row: &store::Endpoint) -> Result<EndpointSettings, Error> {
    serde_json::from_str(&row.settings)
        .map_err(|error| Error::unreadable("the endpoint's settings", error))
}

fn settings_text(settings: &EndpointSettings) -> Result<String, Error> {
    serde_json::to_string(settings)
        .map_err(|error| Error::unreadable("the endpoint's settings", error))
}

impl Service {
    /// Makes an endpoint with its secret and its subscription.
    pub async fn create_endpoint(
        &self,
        who: &Principal<MayWrite>,
        new: NewEndpoint,
    ) -> Result<NewEndpointView, Error> {
        let target = self.admit(&new.url, "/url")?;
        let name = new.name.unwrap_or_else(|| target.host().to_owned());
        check::name(&name, "/name")?;
        let overrides = Overrides {
            profile: new.profile,
            subscribe: new.subscribe,
            signatures: new.signatures,
            envelope: new.envelope,
            retry_policy: new.retry_policy,
            failure_policy: new.failure_policy,
            timeout_ms: new.timeout_ms,
        };
        let (settings, given) = overrides.apply(None)?;
        let now = self.inner.clock.now();
        let id = EndpointId::mint(now);
        let secret = match given {
            None if profile::needs_secret(&settings) => {
                Some(EndpointSecret::from_random(random::bytes()?))
            }
            given => given,
        };
        let mut secrets = Vec::new();
        if let Some(secret) = &secret {
            let secret_id = SecretId::mint(now);
            secrets.push((
                secret_id,
                self.seal_secret(who.account(), secret_id, secret)?,
            ));
        }
        let row = store::NewEndpoint {
            id,
            subscription: subscription(id, &name, &settings, now)?,
            name,
            url: target.as_str().to_owned(),
            settings: settings_text(&settings)?,
            owner_automation: None,
            state: EndpointState::Enabled,
            secrets,
            created_at: now,
        };
        self.inner
            .store
            .create_endpoint(who.account(), &row)
            .await?;
        let endpoint = self.endpoint_row(who.account(), id).await?.try_into()?;
        Ok(NewEndpointView {
            endpoint,
            secret: secret.map(|secret| secret.text().to_string()),
        })
    }

    /// The endpoint that an automation's bare URL becomes.
    pub(super) fn owned_endpoint(
        &self,
        automation: AutomationId,
        target: &Target,
        now: Timestamp,
    ) -> Result<store::NewEndpoint, Error> {
        let settings = EndpointSettings {
            subscribe: None,
            ..profile::ready_made(profile::ACCOUNT_SIGNED)?
        };
        Ok(store::NewEndpoint {
            id: EndpointId::mint(now),
            name: target.host().to_owned(),
            url: target.as_str().to_owned(),
            settings: settings_text(&settings)?,
            owner_automation: Some(automation),
            state: EndpointState::Enabled,
            secrets: Vec::new(),
            subscription: None,
            created_at: now,
        })
    }

    /// A URL that may be saved.
    pub(super) fn admit(&self, url: &str, pointer: &str) -> Result<Target, Error> {
        let target =
            Target::admit(url, &self.inner.guard).map_err(|error| Error::field(pointer, error))?;
        if self.inner.rules.schemes == Schemes::HttpsOnly && !target.is_https() {
            return Err(Error::field(
                pointer,
                "this server sends to https:// URLs only: use one",
            ));
        }
        Ok(target)
    }

    /// A page of the account's endpoints.
    pub async fn endpoints(
        &self,
        who: &Principal<MayRead>,
        page: &PageRequest,
    ) -> Result<Listed<EndpointView>, Error> {
        let rows = self
            .inner
            .store
            .endpoints(who.account(), page.after()?, page.limit()?)
            .await?;
        Listed::try_of(rows, EndpointView::try_from)
    }

    /// The endpoint with this id.
    pub async fn endpoint(
        &self,
        who: &Principal<MayRead>,
        id: &str,
    ) -> Result<EndpointView, Error> {
        self.endpoint_row(who.account(), check::id(id, "endpoint")?)
            .await?
            .try_into()
    }

    async fn endpoint_row(
        &self,
        account: AccountId,
        id: EndpointId,
    ) -> Result<store::Endpoint, Error> {
        self.inner
            .store
            .endpoint(account, id)
            .await?
            .ok_or(Error::NotFound("endpoint"))
    }

    /// Changes an endpoint.
    pub async fn change_endpoint(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        patch: EndpointPatch,
    ) -> Result<EndpointView, Error> {
        let row = self
            .endpoint_row(who.account(), check::id(id, "endpoint")?)
            .await?;
        if row.owner_automation.is_some() && (patch.url.is_some() || patch.subscribe.is_some()) {
            return Err(owned());
        }
        if let Some(name) = &patch.name {
            check::name(name, "/name")?;
        }
        let given = patch
            .url
            .as_ref()
            .map(|url| self.admit(url, "/url"))
            .transpose()?;
        let known = stored_settings(&row)?;
        let (settings, secret) = Overrides {
            profile: patch.profile,
            subscribe: patch.subscribe,
            signatures: patch.signatures,
            envelope: patch.envelope,
            retry_policy: patch.retry_policy,
            failure_policy: patch.failure_policy,
            timeout_ms: patch.timeout_ms,
        }
        .apply(Some(known.clone()))?;
        if secret.is_some() {
            let why =
                "a secret is not changed but rotated: POST it to the endpoint's /secrets/rotate";
            return Err(Error::field("/signatures", why));
        }
        let now = self.inner.clock.now();
        if profile::needs_secret(&settings) && !profile::needs_secret(&known) {
            self.see_to_secret(who.account(), row.id).await?;
        }
        let name = patch.name.as_deref().unwrap_or(&row.name);
        let subscription = if settings.subscribe == known.subscribe {
            None
        } else {
            let begin = subscription(row.id, name, &settings, now)?.map(SubscriptionChange::Begin);
            Some(begin.unwrap_or(SubscriptionChange::End))
        };
        let change = EndpointChange {
            url: given.map(|target| target.as_str().to_owned()),
            settings: Some(settings_text(&settings)?),
            state: None,
            subscription,
            name: patch.name,
        };
        self.apply_change(who.account(), row.id, &change).await
    }

    /// Makes a secret for an endpoint that has none which signs.
    async fn see_to_secret(&self, account: AccountId, endpoint: EndpointId) -> Result<(), Error> {
        let now = self.inner.clock.now();
        let known = self.inner.store.endpoint_secrets(account, endpoint).await?;
        if known.iter().any(|row| row.expires_at.is_none()) {
            return Ok(());
        }
        let secret = EndpointSecret::from_random(random::bytes()?);
        self.add_secret((account, endpoint, SecretId::mint(now)), &secret, now)
            .await
    }

    /// Lets deliveries to an endpoint go out, or holds them.
    pub async fn switch_endpoint(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        switch: Switch,
    ) -> Result<EndpointView, Error> {
        let id = check::id(id, "endpoint")?;
        let state = match switch {
            Switch::On => EndpointState::Enabled,
            Switch::Off => EndpointState::Disabled { why: "by_user" },
        };
        let change = EndpointChange {
            state: Some(state),
            ..EndpointChange::default()
        };
        self.apply_change(who.account(), id, &change).await
    }

    async fn apply_change(
        &self,
        account: AccountId,
        id: EndpointId,
        change: &EndpointChange,
    ) -> Result<EndpointView, Error> {
        let changed = self
            .inner
            .store
            .change_endpoint(account, id, change, self.inner.clock.now())
            .await?;
        changed.ok_or(Error::NotFound("endpoint"))?;
        self.wake(account, id);
        self.endpoint_row(account, id).await?.try_into()
    }

    /// Removes an endpoint; what was still to be delivered to it is cancelled.
    pub async fn delete_endpoint(&self, who: &Principal<MayWrite>, id: &str) -> Result<(), Error> {
        let row = self
            .endpoint_row(who.account(), check::id(id, "endpoint")?)
            .await?;
        if row.owner_automation.is_some() {
            return Err(owned());
        }
        if !self
            .inner
            .store
            .delete_endpoint(who.account(), row.id, self.inner.clock.now())
            .await?
        {
            return Err(Error::NotFound("endpoint"));
        }
        self.cancel_deliveries(who.account(), row.id).await
    }

    /// Cancels what was still to be delivered to a removed endpoint.
    pub(super) async fn cancel_deliveries(
        &self,
        account: AccountId,
        endpoint: EndpointId,
    ) -> Result<(), Error> {
        while self
            .inner
            .store
            .cancel_open(account, endpoint, CANCEL_CHUNK)
            .await?
            > 0
        {}
        self.wake(account, endpoint);
        Ok(())
    }
}

fn owned() -> Error {
    Error::Conflict {
        code: "owned_by_automation",
        why: "this endpoint is a bare URL of an automation: change the automation".to_owned(),
    }
}

/// The automation that runs an endpoint's own subscription, if its settings name one.
fn subscription(
    endpoint: EndpointId,
    name: &str,
    settings: &EndpointSettings,
    now: Timestamp,
) -> Result<Option<store::NewAutomation>, Error> {
    let Some(patterns) = &settings.subscribe else {
        return Ok(None);
    };
    let definition = Definition {
        trigger: Trigger {
            events: subscribe::patterns(patterns, "/subscribe")?,
        },
        condition: None,
        transforms: Vec::new(),
        actions: vec![Action::Webhook {
            endpoint,
            url: None,
        }],
    };
    Ok(Some(store::NewAutomation {
        id: AutomationId::mint(now),
        name: name.to_owned(),
        owner_endpoint: Some(endpoint),
        definition: serde_json::to_string(&definition)
            .map_err(|error| Error::unreadable("the subscription", error))?,
        publication: Publication::Live,
        endpoints: Vec::new(),
        created_at: now,
    }))
}
