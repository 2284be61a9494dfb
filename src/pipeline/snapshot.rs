//! An account's automations as of one of its revisions, ready to be evaluated. A snapshot never
//! changes; a new revision is a new snapshot. Beside it goes how the account stands now, which is
//! of no event's revision (see [`standing`](super::standing)).
//!
//! What can't be read at the moment fails the load: nothing of it is kept, and whoever needs it tries
//! again. Only what will never be there, or is refused, becomes part of a snapshot, as a verdict.

use std::sync::Arc;

use moka::future::Cache;

use super::cache::cache;
pub(super) use super::compiled::{Compiled, Transform};
use super::components::{self, Components};
use super::standing::{Current, Standing, Standings};
use super::variables::{AccountVariables, Filled};
use crate::automation::{Definition, EventType, PatternIndex};
use crate::model::{AccountId, AutomationId};
use crate::plugin::{Component, Digest};
use crate::store::{self, PublishedAutomation, SnapshotRows, Store};
use crate::vault::Vault;

/// Bytes of snapshots in memory, about; one that is needed again is loaded again. Each counts whole, though
/// those of one account share nearly everything.
const SNAPSHOT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Bytes of compiled versions that are kept for the snapshots to come, about.
const COMPILED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of what stands of accounts that were only claimed for, about.
const STANDING_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What a pattern counts besides its text: its place in the index, with that index's own.
const PATTERN_BYTES: usize = 128;

/// Why an account can't be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no such account.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// The store did not answer.
    #[error("the account can't be read")]
    Store(#[source] Arc<store::Error>),
    /// One of its plugins is there and could not be loaded this time.
    #[error("a plugin of the account can't be loaded at the moment")]
    Plugin(#[source] components::Error),
}

/// An account as of a revision.
#[derive(Debug)]
pub(super) struct Snapshot {
    index: PatternIndex<Arc<Compiled>>,
    standing: Arc<Standing>,
    bytes: usize,
}

impl Snapshot {
    /// One of these automations; all else of the account takes so many bytes.
    pub(super) fn of(
        automations: Vec<Arc<Compiled>>,
        standing: Arc<Standing>,
        mut bytes: usize,
    ) -> Self {
        let mut index = PatternIndex::new();
        for automation in automations {
            for pattern in &automation.patterns {
                index.insert(pattern, automation.clone());
                bytes += PATTERN_BYTES + pattern.text_bytes();
            }
            bytes += automation.bytes;
        }
        Self {
            index,
            standing,
            bytes,
        }
    }

    /// The automations whose trigger the event type meets, each once.
    pub(super) fn candidates(&self, event_type: &EventType) -> Vec<Arc<Compiled>> {
        let mut found: Vec<Arc<Compiled>> = self.index.candidates(event_type).cloned().collect();
        if found.len() > 1 {
            found.sort_by_key(|automation| automation.id);
            found.dedup_by_key(|automation| automation.id);
        }
        found
    }

    /// Whether deliveries of an event of the type may keep an order.
    pub(super) fn keeps_order(&self, event_type: &EventType) -> bool {
        let mut candidates = self.index.candidates(event_type);
        candidates.any(|automation| automation.order.is_some())
    }

    /// How the account stands now, not as of the snapshot's revision.
    pub(super) fn standing(&self) -> Arc<Standing> {
        self.standing.clone()
    }
}

/// Loads snapshots and keeps them.
#[derive(Clone)]
pub(super) struct Snapshots {
    store: Store,
    vault: Arc<Vault>,
    components: Components,
    standings: Standings,
    recent: Cache<AccountId, Arc<Standing>>,
    kept: Cache<(AccountId, i64), Arc<Snapshot>>,
    /// By version, and by the variables that went into it, if any did.
    compiled: Cache<(AutomationId, i64, u64), Arc<Compiled>>,
}

impl Snapshots {
    pub(super) fn new(store: Store, vault: Arc<Vault>, components: Components) -> Self {
        let standings = Standings::default();
        standings.follow(&store);
        Self {
            store,
            vault,
            components,
            standings,
            recent: cache(STANDING_BYTES_MAX, |standing: &Arc<Standing>| {
                standing.last_loaded().bytes
            }),
            kept: cache(SNAPSHOT_BYTES_MAX, |snapshot: &Arc<Snapshot>| {
                snapshot.bytes
            }),
            compiled: cache(COMPILED_BYTES_MAX, |version: &Arc<Compiled>| version.bytes),
        }
    }

    /// How the account stands, whether that is loaded or not.
    pub(super) fn follow(&self, account: AccountId) -> Arc<Standing> {
        self.standings.of(account)
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
        // Followed from before it is read, so that nothing is missed meanwhile.
        let standing = self.standings.of(account);
        standing.saw(revision);
        let load = async {
            let loaded = self.load(account, revision).await;
            if let Err(error) = &loaded {
                let error = error as &dyn std::error::Error;
                tracing::warn!(error, account.id = %account, revision, "an account can't be loaded");
            }
            loaded
        };
        self.kept
            .try_get_with((account, revision), load)
            .await
            .map_err(|error| (*error).clone())
    }

    /// How the account stands, as of the newest revision that this node has seen, at least `revision`.
    pub(super) async fn standing(
        &self,
        account: AccountId,
        revision: i64,
    ) -> Result<Arc<Standing>, Error> {
        let standing = self.standings.of(account);
        standing.saw(revision);
        let turn = standing.loading().await;
        if standing.current().is_none() {
            let rows = self.rows(account, revision).await?;
            standing.failing.note(&rows.failing);
            standing.take(Current::of(rows, &self.vault));
            self.recent.insert(account, standing.clone()).await;
        }
        drop(turn);
        Ok(standing)
    }

    async fn rows(&self, account: AccountId, revision: i64) -> Result<SnapshotRows, Error> {
        let rows = self.store.snapshot(account, revision).await;
        rows.map_err(|error| Error::Store(Arc::new(error)))?
            .ok_or(Error::NoAccount(account))
    }

    async fn load(&self, account: AccountId, revision: i64) -> Result<Arc<Snapshot>, Error> {
        let standing = self.standings.of(account);
        let rows = self.rows(account, revision).await?;
        let variables = AccountVariables::of(account, &rows.variables, &self.vault);
        let mut automations = Vec::with_capacity(rows.automations.len());
        for automation in &rows.automations {
            automations.push(self.compile(account, automation, &variables).await?);
        }
        standing.failing.note(&rows.failing);
        let current = Current::of(rows, &self.vault);
        let bytes = current.bytes;
        standing.take(current);
        if let Some(before) = standing.keeps(revision) {
            self.kept.invalidate(&(account, before)).await;
        }
        Ok(Arc::new(Snapshot::of(automations, standing, bytes)))
    }

    async fn compile(
        &self,
        account: AccountId,
        row: &PublishedAutomation,
        variables: &AccountVariables,
    ) -> Result<Arc<Compiled>, Error> {
        let key = (row.id, row.version, variables.mark_of(&row.definition));
        if let Some(known) = self.compiled.get(&key).await {
            return Ok(known);
        }
        let (compiled, complete) = self.make_ready(account, row, variables).await?;
        // What is missing or refused is looked at again with the next snapshot.
        if complete {
            self.compiled.insert(key, compiled.clone()).await;
        }
        Ok(compiled)
    }

    /// A version that accepted what has waited, ready to run, with the variables as they are now.
    pub(super) async fn compile_late(
        &self,
        account: AccountId,
        row: &PublishedAutomation,
    ) -> Result<Arc<Compiled>, Error> {
        let load = AccountVariables::named_in(&row.definition, account, (&self.store, &self.vault));
        let variables = load.await.map_err(|error| Error::Store(Arc::new(error)))?;
        self.compile(account, row, &variables).await
    }

    /// A version that is in no snapshot, ready to run once with these variables, or with those that are stored.
    /// Nothing of it is kept.
    pub(super) async fn compile_apart(
        &self,
        account: AccountId,
        row: &PublishedAutomation,
        variables: Option<AccountVariables>,
    ) -> Result<Arc<Compiled>, Error> {
        let variables = if let Some(variables) = variables {
            variables
        } else {
            let parts = (&self.store, &*self.vault);
            let load = AccountVariables::named_in(&row.definition, account, parts);
            load.await.map_err(|error| Error::Store(Arc::new(error)))?
        };
        let ready = self.make_ready(account, row, &variables).await;
        ready.map(|(compiled, _)| compiled)
    }

    /// The version ready to run, and whether all of it can.
    async fn make_ready(
        &self,
        account: AccountId,
        row: &PublishedAutomation,
        variables: &AccountVariables,
    ) -> Result<(Arc<Compiled>, bool), Error> {
        let definition: Definition = match serde_json::from_str(&row.definition) {
            Ok(definition) => definition,
            Err(error) => {
                tracing::error!(account.id = %account, automation.id = %row.id, %error, "a stored automation can't be read");
                return Ok((
                    Arc::new(Compiled::unreadable(row, error.to_string())),
                    false,
                ));
            }
        };
        let mut transforms = Vec::with_capacity(definition.transforms.len());
        let mut complete = true;
        for transform in &definition.transforms {
            let component = self.component(account, &transform.digest).await?;
            complete &= component.is_ok();
            let (config, component) = match variables.fill_config(transform.config.get()) {
                Ok(config) => (config, component),
                Err(error) => (Filled::nothing(), Err(error.to_string())),
            };
            transforms.push(Transform {
                plugin: transform.plugin.clone(),
                digest: transform.digest.clone(),
                config,
                on_error: transform.on_error,
                component,
            });
        }
        let compiled = Compiled::of(row, definition, transforms, variables);
        Ok((Arc::new(compiled), complete))
    }

    /// The component; or why it never will be one. The outer error is of the moment.
    async fn component(
        &self,
        account: AccountId,
        digest: &str,
    ) -> Result<Result<Component, String>, Error> {
        let digest: Digest = match digest.parse() {
            Ok(digest) => digest,
            Err(error) => return Ok(Err(error.to_string())),
        };
        match self.components.load(account, digest).await {
            Ok(component) => Ok(Ok(component)),
            Err(error) if error.is_lasting() => Ok(Err(error.to_string())),
            Err(error) => Err(Error::Plugin(error)),
        }
    }
}
