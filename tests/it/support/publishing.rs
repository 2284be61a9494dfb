//! What the users of a [`TestApp`] publish: accounts, endpoints, automations, plugins.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use serde_json::value::RawValue;
use throwbar::automation::{Action, Definition, OnError, Transform, Trigger};
use throwbar::envelope::Envelope;
use throwbar::failure::FailurePolicy;
use throwbar::model::{AccountId, AutomationId, EndpointId, PluginId, SecretId};
use throwbar::outbound::UrlRule;
use throwbar::pipeline::{DeliveryMethod, EndpointSettings, Follows, sealing};
use throwbar::plugin::Digest;
use throwbar::retry::RetryPolicy;
use throwbar::signing::{AccountKey, Check, EndpointSecret, Scheme, TOLERANCE_S_DEFAULT, verify};
use throwbar::store::{
    EndpointState, NewAccount, NewAutomation, NewEndpoint, NewPluginVersion, Publication,
};
use throwbar::tally::SuccessRateAlert;
use throwbar::throttle::EndpointLimits;

use super::app::TestApp;
use super::receiver::Request;

/// The text of every endpoint's first secret.
pub const SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiBhbGwgdGVzdHMsIDMyIGI=";

/// Settings as most endpoints have them: the payload as it is, signed, never tried again.
pub fn settings() -> EndpointSettings {
    EndpointSettings {
        profile: "default".to_owned(),
        envelope: Envelope::Raw,
        signatures: vec![Scheme::Standard],
        retry_policy: RetryPolicy::own(Vec::new(), 0).expect("within bounds"),
        failure_policy: FailurePolicy::Never,
        timeout_ms: 30_000,
        subscribe: None,
        headers: BTreeMap::new(),
        method: DeliveryMethod::Post,
        http: UrlRule::Warned,
        explicit_port: UrlRule::Allowed,
        notify: None,
        limits: EndpointLimits::default(),
        success_rate_alert: SuccessRateAlert::Account,
        auth: None,
        client_certificate: None,
        proxy: None,
        follows: Follows::default(),
    }
}

/// Settings with this retry policy.
pub fn retrying(policy: RetryPolicy) -> EndpointSettings {
    EndpointSettings {
        retry_policy: policy,
        ..settings()
    }
}

/// An automation that sends what `events` name to these endpoints.
pub fn automation(events: &[&str], endpoints: &[EndpointId]) -> Definition {
    Definition {
        trigger: Trigger {
            events: events
                .iter()
                .map(|text| text.parse().expect("a pattern"))
                .collect(),
            schedule: None,
        },
        condition: None,
        flow: None,
        transforms: Vec::new(),
        actions: endpoints
            .iter()
            .map(|id| Action::Webhook {
                endpoint: *id,
                url: None,
            })
            .collect(),
        alert_after: None,
        tests: Vec::new(),
    }
}

/// One run of an uploaded plugin, with this configuration.
pub fn transform(plugin: &str, digest: Digest, config: &str) -> Transform {
    Transform {
        plugin: plugin.to_owned(),
        digest: digest.to_string(),
        config: RawValue::from_string(config.to_owned()).expect("JSON"),
        on_error: OnError::Fail,
    }
}

/// The bytes of a component of this repository.
pub fn component(path: &str) -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read(path).expect("it is committed").into()
}

impl TestApp {
    /// A further account, and the text of its key.
    pub async fn new_account(&self) -> (AccountId, String) {
        let now = self.clock.now();
        let id = AccountId::mint(now);
        let key = AccountKey::from_random([9; 32]).text().to_string();
        let sealed = self
            .vault
            .seal(key.as_bytes(), &sealing::account_key(id))
            .expect("sealed");
        let new = NewAccount {
            id,
            uid: None,
            name: "an account".to_owned(),
            signing_key: sealed.into(),
            owner_mail: None,
            created_at: now,
        };
        self.store.create_account(&new).await.expect("it is new");
        (id, key)
    }

    /// A secret of an endpoint, sealed.
    pub fn sealed_secret(&self, account: AccountId, text: &str) -> (SecretId, Bytes) {
        let id = SecretId::mint(self.clock.now());
        let sealed = self
            .vault
            .seal(text.as_bytes(), &sealing::endpoint_secret(account, id));
        (id, sealed.expect("sealed").into())
    }

    /// An endpoint of the app's account at `path` of the receiver, without a subscription.
    pub async fn endpoint(&self, path: &str, settings: EndpointSettings) -> EndpointId {
        self.endpoint_of(self.account, &self.receiver.url(path), settings)
            .await
    }

    /// An endpoint of any account at any URL, without a subscription.
    pub async fn endpoint_of(
        &self,
        account: AccountId,
        url: &str,
        settings: EndpointSettings,
    ) -> EndpointId {
        let new = self.new_endpoint(account, url, &settings);
        self.store
            .create_endpoint(account, &new)
            .await
            .expect("it is new");
        new.id
    }

    /// An endpoint at `path` of the receiver that subscribes to these events itself.
    pub async fn subscriber(
        &self,
        path: &str,
        events: &[&str],
        settings: EndpointSettings,
    ) -> EndpointId {
        self.subscriber_of(self.account, path, events, settings)
            .await
    }

    /// The same in any account.
    pub async fn subscriber_of(
        &self,
        account: AccountId,
        path: &str,
        events: &[&str],
        mut settings: EndpointSettings,
    ) -> EndpointId {
        settings.subscribe = Some(events.iter().map(|text| (*text).to_owned()).collect());
        let mut new = self.new_endpoint(account, &self.receiver.url(path), &settings);
        let mut own = self.new_automation(&automation(events, &[new.id]));
        own.owner_endpoint = Some(new.id);
        new.subscription = Some(own);
        self.store
            .create_endpoint(account, &new)
            .await
            .expect("it is new");
        new.id
    }

    fn new_endpoint(
        &self,
        account: AccountId,
        url: &str,
        settings: &EndpointSettings,
    ) -> NewEndpoint {
        NewEndpoint {
            id: EndpointId::mint(self.clock.now()),
            name: "an endpoint".to_owned(),
            url: url.to_owned(),
            settings: serde_json::to_string(settings).expect("plain"),
            owner_automation: None,
            state: EndpointState::Enabled,
            secrets: vec![self.sealed_secret(account, SECRET)],
            key_pairs: Vec::new(),
            subscription: None,
            created_at: self.clock.now(),
        }
    }

    fn new_automation(&self, definition: &Definition) -> NewAutomation {
        NewAutomation {
            id: AutomationId::mint(self.clock.now()),
            name: "an automation".to_owned(),
            owner_endpoint: None,
            definition: serde_json::to_string(definition).expect("plain"),
            publication: Publication::Live,
            endpoints: Vec::new(),
            author: None,
            note: None,
            override_reason: None,
            created_at: self.clock.now(),
        }
    }

    /// Publishes an automation of the app's account.
    pub async fn publish(&self, definition: &Definition) -> AutomationId {
        let new = self.new_automation(definition);
        self.store
            .create_automation(self.account, &new)
            .await
            .expect("it is new");
        new.id
    }

    /// Publishes a further version of an automation.
    pub async fn publish_again(&self, id: AutomationId, definition: &Definition) {
        let new = NewAutomation {
            id,
            ..self.new_automation(definition)
        };
        let known = self.store.automation(self.account, id).await;
        let standing = known.expect("read").expect("it is there").standing();
        let version = self
            .store
            .save_version(self.account, &new, &standing)
            .await
            .expect("written");
        assert!(version.is_some(), "there is such an automation");
    }

    /// Uploads a component of this repository.
    pub async fn upload(&self, name: &str, path: &str) -> Digest {
        let wasm = component(path);
        let digest = Digest::of(&wasm);
        let new = NewPluginVersion {
            id: PluginId::mint(self.clock.now()),
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            digest: *digest.as_bytes(),
            description: "{}".to_owned(),
            wasm,
            created_at: self.clock.now(),
        };
        self.store
            .add_plugin_version(self.account, &new)
            .await
            .expect("it is new");
        digest
    }

    /// Checks that a request carries a good signature of this scheme, made now.
    pub fn assert_signed(&self, request: &Request, scheme: &Scheme, secret: &str) {
        let report = verify(&Check {
            scheme,
            secret,
            headers: &request.headers,
            body: &request.body,
            now: self.clock.now(),
            tolerance_s: TOLERANCE_S_DEFAULT,
            also_try: &[],
        });
        assert!(report.is_genuine(), "{report:?}");
    }
}

/// Another secret's text.
pub fn another_secret() -> String {
    EndpointSecret::from_random([3; 32]).text().to_string()
}
