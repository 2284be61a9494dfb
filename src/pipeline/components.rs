//! Loaded plugins: compiled once a process, whoever uses them. Whether an account may use one is
//! decided by whether the account has it in its own store.
//!
//! They are bounded by the memory that their code takes; one that had to go is compiled again when it is
//! next asked for. An account has one compiled at a time, so that accounts take turns, however
//! much one of them brings.

use std::sync::Arc;

use moka::future::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::{AccountId, Shares};
use crate::plugin::{Component, Digest, Engine};
use crate::store::Store;

/// Most machine code of all components that stay loaded. One that is in use stays as long as that.
const LOADED_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Components of one account that are compiled, or wait to be, at a time.
const COMPILED_PER_ACCOUNT_MAX: usize = 1;
/// Threads that compile, or wait to, at a time: far fewer than the runtime has for what blocks.
const THREADS_MAX: usize = 4;

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
    pub fn is_lasting(&self) -> bool {
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
    turns: Arc<Shares<AccountId>>,
    threads: Arc<Semaphore>,
}

impl Components {
    /// An empty set.
    pub fn new(engine: Engine, store: Store) -> Self {
        Self::within(engine, store, LOADED_BYTES_MAX)
    }

    fn within(engine: Engine, store: Store, bytes_max: u64) -> Self {
        Self {
            engine,
            store,
            loaded: Cache::builder()
                .max_capacity(bytes_max)
                .weigher(|_, component: &Component| {
                    u32::try_from(component.code_bytes()).unwrap_or(u32::MAX)
                })
                .build(),
            turns: Arc::new(Shares::new(COMPILED_PER_ACCOUNT_MAX)),
            threads: Arc::new(Semaphore::new(THREADS_MAX)),
        }
    }

    /// The engine that runs them.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compiles bytes of this account's that were just uploaded, on a thread that may take its time and in
    /// the account's turn.
    pub async fn compile(
        &self,
        account: AccountId,
        wasm: bytes::Bytes,
    ) -> Result<Component, Error> {
        let digest = Digest::of(&wasm);
        if let Some(loaded) = self.loaded.get(&digest).await {
            return Ok(loaded);
        }
        // Before anybody waits for this one: another account's turn is not waited for.
        let turn = self.turn(account).await;
        let (engine, loaded) = (self.engine.clone(), self.loaded.clone());
        let threads = self.threads.clone();
        // Apart from who asked: if they go away, the turn stays theirs until the thread is free again.
        let compiling = tokio::spawn(async move {
            let _turn = turn;
            let compiled = loaded.try_get_with(digest, async move {
                let _thread = threads.acquire().await;
                compile(engine, wasm).await
            });
            compiled.await.map_err(|error| (*error).clone())
        });
        compiling.await.map_err(|_| Error::BrokeOff)?
    }

    async fn turn(&self, account: AccountId) -> OwnedSemaphorePermit {
        let turn = self.turns.of(account).acquire_owned().await;
        turn.expect("the semaphore is never closed")
    }

    /// The account's component with this digest.
    pub async fn load(&self, account: AccountId, digest: Digest) -> Result<Component, Error> {
        let wasm = self
            .store
            .component(account, *digest.as_bytes())
            .await
            .map_err(|error| Error::Store(Arc::new(error)))?
            .ok_or(Error::Missing(digest))?;
        self.compile(account, wasm.into()).await
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::plugin::Settings;

    fn read(name: &str) -> bytes::Bytes {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/components");
        let wasm = std::fs::read(format!("{folder}/{name}.wasm"));
        wasm.expect("a ready-made component").into()
    }

    fn account(no: u128) -> AccountId {
        AccountId::from_uuid(uuid::Uuid::from_u128(no))
    }

    async fn components(folder: &std::path::Path, bytes_max: u64) -> Components {
        let url = format!("sqlite:{}", folder.join("x.db").display());
        let store = Store::open(&url).await.expect("it opens");
        let engine = Engine::new(&Settings::default()).expect("a sandbox");
        Components::within(engine, store, bytes_max)
    }

    #[tokio::test]
    async fn loaded_code_is_weighed() {
        let folder = tempfile::tempdir().expect("a folder");
        let all = components(folder.path(), LOADED_BYTES_MAX).await;
        let mut bytes = 0;
        for name in ["redact", "chat-message"] {
            let loaded = all.compile(account(1), read(name)).await.expect("it holds");
            assert!(loaded.code_bytes() > read(name).len(), "{name}");
            bytes += loaded.code_bytes() as u64;
        }
        all.loaded.run_pending_tasks().await;
        assert_eq!(all.loaded.weighted_size(), bytes);

        let tight = components(folder.path(), bytes - 1).await;
        for name in ["redact", "chat-message"] {
            tight
                .compile(account(1), read(name))
                .await
                .expect("it holds");
        }
        tight.loaded.run_pending_tasks().await;
        assert_eq!(tight.loaded.entry_count(), 1);
        assert!(tight.loaded.weighted_size() < bytes);
    }

    #[tokio::test]
    async fn who_goes_away_leaves_no_compilation_without_its_turn() {
        let folder = tempfile::tempdir().expect("a folder");
        let components = components(folder.path(), LOADED_BYTES_MAX).await;
        let threads = components.threads.clone();
        let busy = threads.acquire_many(THREADS_MAX as u32).await;
        let asked = Box::pin(components.compile(account(1), read("redact")));
        assert!(asked.now_or_never().is_none(), "and nobody asks any more");
        let turn = components.turns.of(account(1));
        assert!(turn.clone().try_acquire_owned().is_err());
        drop(busy);
        let turn = turn.acquire_owned().await;
        drop(turn.expect("the turn comes back with the thread"));
        let loaded = components.compile(account(1), read("redact"));
        let loaded = loaded.now_or_never().expect("it was compiled all the same");
        loaded.expect("it holds");
    }

    #[tokio::test]
    async fn an_account_waits_for_its_own_turn_to_compile_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let components = components(folder.path(), LOADED_BYTES_MAX).await;
        let (loud, calm) = (account(1), account(2));
        let turn = components.turns.of(loud).try_acquire_owned();
        let turn = turn.expect("nobody compiles");
        let mut waits = Box::pin(components.compile(loud, read("redact")));
        assert!((&mut waits).now_or_never().is_none());
        let compiled = components.compile(calm, read("redact")).await;
        compiled.expect("another account's turn is its own");
        let loaded = components.compile(loud, read("redact")).now_or_never();
        loaded
            .expect("what is loaded takes none")
            .expect("it holds");
        drop(turn);
        waits.await.expect("it holds");
    }
}
