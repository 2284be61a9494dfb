//! Loaded plugins: compiled once a process, whoever uses them. Whether an account may use one is
//! decided by whether the account has it in its own store.

use std::sync::Arc;

use moka::future::Cache;

use crate::model::AccountId;
use crate::plugin::{Component, Digest, Engine};
use crate::store::Store;

/// Most components that stay loaded.
const LOADED_MAX: u64 = 256;

/// Why a component can't be used. Shared by all who waited for the same one.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The account has no component with this digest.
    #[error("the account has no plugin version with the digest {0}")]
    Missing(Digest),
    /// It does not compile, or is refused, on this engine.
    #[error("the plugin can't be loaded")]
    Refused(#[source] Arc<crate::plugin::Error>),
    /// It could not be read.
    #[error("the plugin can't be read")]
    Store(#[source] Arc<crate::store::Error>),
    /// The thread that compiled it died.
    #[error("compiling the plugin broke off")]
    BrokeOff,
}

impl Error {
    /// Whether the same will be said the next time, too: then it is a verdict about the plugin. All else is
    /// of the moment.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Missing(_) => true,
            Self::Refused(error) => !error.is_of_the_server(),
            Self::Store(_) | Self::BrokeOff => false,
        }
    }
}

/// The engine and what it has loaded.
#[derive(Clone)]
pub struct Components {
    engine: Engine,
    store: Store,
    loaded: Cache<Digest, Component>,
}

impl Components {
    /// An empty set.
    pub fn new(engine: Engine, store: Store) -> Self {
        Self {
            engine,
            store,
            loaded: Cache::new(LOADED_MAX),
        }
    }

    /// The engine that runs them.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compiles bytes that were just uploaded, on a thread that may take its time.
    pub async fn compile(&self, wasm: bytes::Bytes) -> Result<Component, Error> {
        let digest = Digest::of(&wasm);
        let engine = self.engine.clone();
        self.loaded
            .try_get_with(digest, async move { compile(engine, wasm).await })
            .await
            .map_err(|error| (*error).clone())
    }

    /// The account's component with this digest.
    pub async fn load(&self, account: AccountId, digest: Digest) -> Result<Component, Error> {
        let wasm = self
            .store
            .component(account, *digest.as_bytes())
            .await
            .map_err(|error| Error::Store(Arc::new(error)))?
            .ok_or(Error::Missing(digest))?;
        self.compile(wasm.into()).await
    }
}

async fn compile(engine: Engine, wasm: bytes::Bytes) -> Result<Component, Error> {
    tokio::task::spawn_blocking(move || engine.compile(&wasm))
        .await
        .map_err(|_| Error::BrokeOff)?
        .map_err(|error| Error::Refused(Arc::new(error)))
}

impl std::fmt::Debug for Components {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Components")
            .field("loaded", &self.loaded.entry_count())
            .finish_non_exhaustive()
    }
}
