//! From a host name to addresses that may be dialled.
//!
//! Guarantees: the HTTP client, which takes its addresses from here, gets vetted ones only, and
//! every new connection asks again, so a name that changes its mind between two attempts is
//! judged twice. Of a mixed answer the forbidden addresses are dropped and the rest is dialled:
//! what is dialled is vetted either way, and an endpoint that also has a private address for
//! machines inside its own network is an honest case. If nothing is left the answer is
//! [`Error::Forbidden`]. Nothing is cached: connections are kept alive, so lookups are rare.
//!
//! A host that is written as an address never comes here; `client` shows it to the guard.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use hyper_util::client::legacy::connect::dns::Name;
use uuid::Uuid;

use super::guard::{EgressGuard, Refused, Vetted};
use super::lookup::{Found, Lookups, ask};

/// Addresses of one answer that are dialled.
const ADDRESSES_MAX: usize = 16;

/// Why a name can't be dialled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lookup failed.
    #[error("the host name '{host}' could not be resolved")]
    Lookup {
        /// The name.
        host: String,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The name exists, without an address.
    #[error("the host name '{host}' has no address")]
    NoAddress {
        /// The name.
        host: String,
    },
    /// The guard refuses every address.
    #[error("'{host}' resolves to an address that deliveries must not reach")]
    Forbidden {
        /// The name.
        host: String,
        /// The first of them.
        #[source]
        source: Refused,
    },
}

/// Where names are looked up.
#[derive(Debug, Clone)]
pub enum Resolver {
    /// The operating system's resolver.
    System(SystemResolver),
    /// A test's script.
    Scripted(ScriptedResolver),
}

impl Default for Resolver {
    fn default() -> Self {
        Self::System(SystemResolver::default())
    }
}

impl Resolver {
    async fn addresses(&self, party: Uuid, host: &str) -> Found {
        match self {
            Self::System(system) => system.0.addresses(party, host, ask).await,
            Self::Scripted(script) => script.addresses(host),
        }
    }
}

tokio::task_local! {
    static PARTY: Uuid;
}

/// Does something for a party: what is looked up for it counts as its own.
pub(super) async fn on_behalf_of<T>(party: Uuid, work: impl Future<Output = T>) -> T {
    PARTY.scope(party, work).await
}

/// For whom this is done. A connection is begun by the request that needs it, in the same task.
pub(super) fn party() -> Uuid {
    PARTY.try_with(|party| *party).unwrap_or_default()
}

/// The operating system's resolver: one lookup per name at a time, shared by all who ask, and a
/// bounded number for each party and overall.
#[derive(Debug, Clone, Default)]
pub struct SystemResolver(Lookups);

#[cfg(test)]
impl SystemResolver {
    /// Takes all that a party may look up at a time.
    pub(super) async fn use_up(&self, party: Uuid) -> tokio::sync::OwnedSemaphorePermit {
        self.0.use_up(party).await
    }
}

type Script = HashMap<String, VecDeque<Arc<[IpAddr]>>>;

/// Answers from a script, for tests. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ScriptedResolver(Arc<Mutex<Script>>);

impl ScriptedResolver {
    /// Adds an answer for `host`. Answers are given in order, the last one for ever; a host
    /// without any can't be resolved.
    pub fn answer(&self, host: &str, addresses: &[IpAddr]) {
        lock(&self.0)
            .entry(host.to_owned())
            .or_default()
            .push_back(addresses.into());
    }

    fn addresses(&self, host: &str) -> Found {
        let mut script = lock(&self.0);
        let Some(answers) = script.get_mut(host) else {
            return Err(Arc::new(io::Error::new(
                io::ErrorKind::NotFound,
                "no such name",
            )));
        };
        let next = if answers.len() > 1 {
            answers.pop_front()
        } else {
            answers.front().cloned()
        };
        Ok(next.unwrap_or_default())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the HTTP client dials by: a resolver behind the guard.
#[derive(Debug, Clone)]
pub(super) struct VettedResolver {
    pub resolver: Resolver,
    pub guard: EgressGuard,
}

impl VettedResolver {
    pub(super) async fn vetted(&self, party: Uuid, host: &str) -> Result<Vec<Vetted>, Error> {
        let found = self
            .resolver
            .addresses(party, host)
            .await
            .map_err(|source| Error::Lookup {
                host: host.to_owned(),
                source,
            })?;
        let mut vetted = Vec::with_capacity(found.len());
        let mut first_refused = None;
        for &address in found.iter() {
            match self.guard.vet(address) {
                Ok(address) => vetted.push(address),
                Err(refused) => first_refused = first_refused.or(Some(refused)),
            }
        }
        vetted.truncate(ADDRESSES_MAX);
        match first_refused {
            _ if !vetted.is_empty() => Ok(vetted),
            Some(source) => Err(Error::Forbidden {
                host: host.to_owned(),
                source,
            }),
            None => Err(Error::NoAddress {
                host: host.to_owned(),
            }),
        }
    }
}

impl tower::Service<Name> for VettedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (resolver, party) = (self.clone(), party());
        Box::pin(async move {
            let vetted = resolver.vetted(party, name.as_str()).await?;
            // Port 0 stands for the URL's.
            let dialled: Vec<SocketAddr> = vetted
                .into_iter()
                .map(|vetted| SocketAddr::new(vetted.address(), 0))
                .collect();
            Ok(dialled.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripted(answers: &[&[&str]]) -> VettedResolver {
        let script = ScriptedResolver::default();
        for answer in answers {
            let addresses: Vec<IpAddr> = answer
                .iter()
                .map(|text| text.parse().expect("an address"))
                .collect();
            script.answer("receiver.test", &addresses);
        }
        VettedResolver {
            resolver: Resolver::Scripted(script),
            guard: EgressGuard::default(),
        }
    }

    async fn ask(resolver: &VettedResolver) -> Result<Vec<String>, Error> {
        let vetted = resolver.vetted(Uuid::nil(), "receiver.test").await?;
        Ok(vetted
            .into_iter()
            .map(|vetted| vetted.address().to_string())
            .collect())
    }

    #[tokio::test]
    async fn of_a_mixed_answer_only_the_public_part_is_dialled() {
        let resolver = scripted(&[&["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1"]]);
        assert_eq!(
            ask(&resolver).await.expect("some left"),
            ["8.8.8.8", "2606:4700::1"]
        );
    }

    #[tokio::test]
    async fn a_name_is_judged_at_every_dial() {
        let resolver = scripted(&[&["8.8.8.8"], &["127.0.0.1"]]);
        assert!(ask(&resolver).await.is_ok());
        for _ in 0..2 {
            let error = ask(&resolver).await.expect_err("rebound");
            assert!(matches!(error, Error::Forbidden { .. }), "{error:?}");
        }
    }

    #[tokio::test]
    async fn no_name_and_no_address_are_told_apart() {
        let error = ask(&scripted(&[])).await.expect_err("unknown");
        assert!(matches!(error, Error::Lookup { .. }), "{error:?}");
        let error = ask(&scripted(&[&[]])).await.expect_err("empty");
        assert!(matches!(error, Error::NoAddress { .. }), "{error:?}");
    }
}
