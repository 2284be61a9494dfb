//! An account as of one of its revisions, ready to be evaluated and delivered with. A snapshot
//! never changes; a new revision is a new snapshot.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use moka::future::Cache;

use super::components::Components;
use super::settings::EndpointSettings;
use crate::automation::{Action, Condition, Definition, EventType, PatternIndex};
use crate::model::{AccountId, AutomationId, EndpointId, Timestamp};
use crate::outbound::Target;
use crate::plugin::{Component, Digest};
use crate::signing::{AccountKey, EndpointSecret, Scheme, SigningKey, SigningKeys};
use crate::store::{self, PublishedAutomation, SnapshotRows, Store};
use crate::vault::Vault;

/// Most snapshots in memory; one that is needed again is loaded again.
const SNAPSHOTS_MAX: u64 = 2_000;
/// Most compiled versions in memory, shared by the snapshots that have them.
const COMPILED_MAX: u64 = 50_000;

/// Why an account can't be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no such account.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// The store did not answer.
    #[error("the account can't be read")]
    Store(#[source] Arc<store::Error>),
}

/// An account as of a revision.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The integration switch.
    pub(super) enabled: bool,
    index: PatternIndex<Arc<Compiled>>,
    endpoints: HashMap<EndpointId, EndpointView>,
}

/// A live automation version, ready to run.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) id: AutomationId,
    pub(super) version: i64,
    /// Set if it is an endpoint's own subscription.
    pub(super) owner_endpoint: Option<EndpointId>,
    pub(super) condition: Option<Result<Condition, String>>,
    pub(super) transforms: Vec<Step>,
    pub(super) endpoints: Vec<EndpointId>,
    patterns: Vec<crate::automation::Pattern>,
}

/// One transform, ready to run; or why it can't be.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) plugin: String,
    pub(super) config: String,
    pub(super) component: Result<Component, String>,
}

/// What an attempt needs to know of an endpoint.
#[derive(Debug)]
pub(super) struct EndpointView {
    pub(super) enabled: bool,
    pub(super) settings: EndpointSettings,
    pub(super) target: Target,
    secrets: Vec<(SigningKey, Option<Timestamp>)>,
    account_key: SigningKeys,
}

impl Snapshot {
    /// The automations whose trigger the event type meets, each once.
    pub(super) fn candidates(&self, event_type: &EventType) -> Vec<Arc<Compiled>> {
        let mut found: Vec<Arc<Compiled>> = self.index.candidates(event_type).cloned().collect();
        if found.len() > 1 {
            found.sort_by_key(|automation| automation.id);
            found.dedup_by_key(|automation| automation.id);
        }
        found
    }

    /// The endpoint, if it was not removed and can be used.
    pub(super) fn endpoint(&self, id: EndpointId) -> Option<&EndpointView> {
        self.endpoints.get(&id)
    }
}

impl Compiled {
    pub(super) fn runs_plugins(&self) -> bool {
        !self.transforms.is_empty()
    }
}

impl EndpointView {
    /// The keys that sign for this scheme now.
    pub(super) fn keys(&self, scheme: &Scheme, now: Timestamp) -> Option<SigningKeys> {
        match scheme {
            Scheme::Standard => {
                let live = self
                    .secrets
                    .iter()
                    .filter(|(_, expires_at)| expires_at.is_none_or(|at| at > now))
                    .map(|(key, _)| key.clone())
                    .collect();
                SigningKeys::new(live).ok()
            }
            Scheme::BodyHmac { .. } => Some(self.account_key.clone()),
        }
    }
}

/// Loads snapshots and keeps them.
#[derive(Clone)]
pub(super) struct Snapshots {
    store: Store,
    vault: Arc<Vault>,
    components: Components,
    kept: Cache<(AccountId, i64), Arc<Snapshot>>,
    compiled: Cache<(AutomationId, i64), Arc<Compiled>>,
    newest: Cache<AccountId, Arc<AtomicI64>>,
}

impl Snapshots {
    pub(super) fn new(store: Store, vault: Arc<Vault>, components: Components) -> Self {
        Self {
            store,
            vault,
            components,
            kept: Cache::new(SNAPSHOTS_MAX),
            compiled: Cache::new(COMPILED_MAX),
            newest: Cache::new(SNAPSHOTS_MAX),
        }
    }

    /// The account as of `revision`, if it is in memory.
    pub(super) async fn get(&self, account: AccountId, revision: i64) -> Option<Arc<Snapshot>> {
        self.kept.get(&(account, revision)).await
    }

    /// The account as of `revision`.
    pub(super) async fn at(
        &self,
        account: AccountId,
        revision: i64,
    ) -> Result<Arc<Snapshot>, Error> {
        self.saw(account, revision).await;
        self.kept
            .try_get_with((account, revision), self.load(account, revision))
            .await
            .map_err(|error| (*error).clone())
    }

    /// The account as of the newest revision that this node has seen, at least `revision`.
    pub(super) async fn newest(
        &self,
        account: AccountId,
        revision: i64,
    ) -> Result<Arc<Snapshot>, Error> {
        let newest = self.saw(account, revision).await;
        self.at(account, newest).await
    }

    /// Remembers that the account has reached `revision`; the newest seen.
    pub(super) async fn saw(&self, account: AccountId, revision: i64) -> i64 {
        let newest = self
            .newest
            .get_with(account, async { Arc::default() })
            .await;
        newest.fetch_max(revision, Ordering::SeqCst).max(revision)
    }

    async fn load(&self, account: AccountId, revision: i64) -> Result<Arc<Snapshot>, Error> {
        let rows = self
            .store
            .snapshot(account, revision)
            .await
            .map_err(|error| Error::Store(Arc::new(error)))?
            .ok_or(Error::NoAccount(account))?;
        let mut index = PatternIndex::new();
        for automation in &rows.automations {
            if let Some(compiled) = self.compile(account, automation).await {
                for pattern in &compiled.patterns {
                    index.insert(pattern, compiled.clone());
                }
            }
        }
        let enabled = rows.account.enabled;
        Ok(Arc::new(Snapshot {
            enabled,
            index,
            endpoints: self.endpoints(rows),
        }))
    }

    async fn compile(
        &self,
        account: AccountId,
        row: &PublishedAutomation,
    ) -> Option<Arc<Compiled>> {
        let key = (row.id, row.version);
        if let Some(known) = self.compiled.get(&key).await {
            return Some(known);
        }
        let definition: Definition = match serde_json::from_str(&row.definition) {
            Ok(definition) => definition,
            Err(error) => {
                tracing::error!(automation.id = %row.id, %error, "a stored automation can't be read");
                return None;
            }
        };
        let mut transforms = Vec::with_capacity(definition.transforms.len());
        let mut complete = true;
        for transform in definition.transforms {
            let component = self.component(account, &transform.digest).await;
            complete &= component.is_ok();
            transforms.push(Step {
                plugin: transform.plugin,
                config: transform.config.get().to_owned(),
                component,
            });
        }
        let compiled = Arc::new(Compiled {
            id: row.id,
            version: row.version,
            owner_endpoint: row.owner_endpoint,
            condition: definition
                .condition
                .map(|source| Condition::parse(&source).map_err(|error| error.to_string())),
            transforms,
            endpoints: definition
                .actions
                .iter()
                .map(|Action::Webhook { endpoint, .. }| *endpoint)
                .collect(),
            patterns: definition.trigger.events,
        });
        // What could not be loaded is tried again with the next snapshot.
        if complete {
            self.compiled.insert(key, compiled.clone()).await;
        }
        Some(compiled)
    }

    async fn component(&self, account: AccountId, digest: &str) -> Result<Component, String> {
        let digest: Digest = digest
            .parse()
            .map_err(|error: crate::plugin::DigestError| error.to_string())?;
        self.components
            .load(account, digest)
            .await
            .map_err(|error| error.to_string())
    }

    fn endpoints(&self, rows: SnapshotRows) -> HashMap<EndpointId, EndpointView> {
        let account = rows.account.id;
        let account_key = match self.account_key(&rows) {
            Ok(key) => key,
            Err(why) => {
                tracing::error!(account.id = %account, %why, "the account's signing key can't be opened");
                return HashMap::new();
            }
        };
        let mut secrets: HashMap<EndpointId, Vec<(SigningKey, Option<Timestamp>)>> = HashMap::new();
        for row in &rows.secrets {
            match self.open_secret(account, row) {
                Ok(key) => secrets
                    .entry(row.endpoint)
                    .or_default()
                    .push((key, row.expires_at)),
                Err(why) => {
                    tracing::error!(endpoint.id = %row.endpoint, %why, "a signing secret can't be opened");
                }
            }
        }
        let mut views = HashMap::with_capacity(rows.endpoints.len());
        for row in rows.endpoints {
            let settings = serde_json::from_str(&row.settings).map_err(|error| error.to_string());
            let target = Target::parse(&row.url).map_err(|error| error.to_string());
            match settings.and_then(|settings| Ok((settings, target?))) {
                Ok((settings, target)) => {
                    let view = EndpointView {
                        enabled: row.state == "enabled",
                        settings,
                        target,
                        secrets: secrets.remove(&row.id).unwrap_or_default(),
                        account_key: account_key.clone(),
                    };
                    views.insert(row.id, view);
                }
                Err(why) => {
                    tracing::error!(endpoint.id = %row.id, %why, "a stored endpoint can't be read");
                }
            }
        }
        views
    }

    fn account_key(&self, rows: &SnapshotRows) -> Result<SigningKeys, String> {
        let context = super::sealing::account_key(rows.account.id);
        let plain = self
            .vault
            .open(&rows.account.signing_key, &context)
            .map_err(|error| error.to_string())?;
        let text = std::str::from_utf8(&plain).map_err(|error| error.to_string())?;
        let key = AccountKey::parse(text).map_err(|error| error.to_string())?;
        Ok(SigningKeys::from(key.signing_key()))
    }

    fn open_secret(
        &self,
        account: AccountId,
        row: &store::EndpointSecret,
    ) -> Result<SigningKey, String> {
        let context = super::sealing::endpoint_secret(account, row.id);
        let plain = self
            .vault
            .open(&row.sealed, &context)
            .map_err(|error| error.to_string())?;
        let text = std::str::from_utf8(&plain).map_err(|error| error.to_string())?;
        Ok(EndpointSecret::parse(text)
            .map_err(|error| error.to_string())?
            .signing_key())
    }
}
