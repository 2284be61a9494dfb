//! The ways out: connections that are kept alive, apart for all that are connected differently. What one account has
//! opened with its certificates, no other account's request goes through.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Error;
use super::answer::Problem;
use super::client::Settings;
use super::connection::{Connection, Digest, Special};
use super::deadline::Deadline;
use super::dial::{Detour, Dialler};
use super::guard::EgressGuard;
use super::proxy::Proxy;
use super::resolver::VettedResolver;
use super::tls::Tls;

/// Most bytes of what is kept for unusual ways, about.
const SPECIAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What a way takes, about.
const WAY_BYTES: u32 = 16 * 1024;
/// What it takes that has roots of its own.
const ROOTS_BYTES: u32 = 128 * 1024;
/// How long one is kept that nobody takes.
const SPECIAL_IDLE: Duration = Duration::from_mins(10);

/// A pool of connections that are made one way.
pub(super) type Way = legacy::Client<Deadline<HttpsConnector<Dialler>>, Full<Bytes>>;

/// All of them. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Ways {
    usual: Way,
    /// Each with what it takes, about.
    special: moka::sync::Cache<Digest, (Way, u32)>,
    making: Arc<Making>,
}

/// What a way is made of.
#[derive(Debug)]
struct Making {
    tls: Tls,
    names: VettedResolver,
    proxy: Option<Arc<Detour>>,
    pool_idle_per_host_max: usize,
    pool_idle: Duration,
    connect_timeout: Duration,
}

impl Ways {
    /// The usual one, and room for others.
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        let names = VettedResolver {
            resolver: settings.resolver.clone(),
            guard: settings.guard.clone(),
        };
        let connect_timeout = Duration::from_millis(settings.connect_timeout_ms);
        let operators = settings.proxy.clone().map(|proxy| {
            // The operator has chosen it: a house's own way out is seldom at a public address.
            let all = VettedResolver {
                resolver: settings.resolver.clone(),
                guard: everything(),
            };
            Arc::new(Detour {
                proxy,
                tcp: tcp(all, connect_timeout),
                judge: None,
            })
        });
        let making = Making {
            tls: Tls::new(&settings.extra_roots_pem)?,
            names,
            proxy: operators,
            pool_idle_per_host_max: settings.pool_idle_per_host_max,
            pool_idle: Duration::from_millis(settings.pool_idle_ms),
            connect_timeout,
        };
        let usual = making.way(making.tls.usual()?, making.proxy.clone());
        let special = moka::sync::Cache::builder()
            .max_capacity(SPECIAL_BYTES_MAX)
            .weigher(|_, (_, bytes): &(Way, u32)| *bytes)
            .time_to_idle(SPECIAL_IDLE)
            .build();
        Ok(Self {
            usual,
            special,
            making: Arc::new(making),
        })
    }

    /// The one that this connection takes.
    pub(super) fn of(&self, connection: &Connection) -> Result<Cow<'_, Way>, Problem> {
        let Some((special, digest)) = connection.way() else {
            return Ok(Cow::Borrowed(&self.usual));
        };
        let made = self
            .special
            .try_get_with(digest, || self.making.special(special));
        made.map(|(way, _)| Cow::Owned(way))
            .map_err(|problem| (*problem).clone())
    }
}

impl Making {
    fn special(&self, special: &Special) -> Result<(Way, u32), Problem> {
        let parts = &special.parts;
        let tls = self
            .tls
            .of(parts.authorities.as_deref(), parts.certificate.as_ref())?;
        let own = parts
            .proxy
            .as_ref()
            .map(|proxy| Arc::new(self.detour(proxy)));
        let bytes = match parts.authorities {
            Some(_) => ROOTS_BYTES,
            None => WAY_BYTES,
        };
        Ok((self.way(tls, own.or_else(|| self.proxy.clone())), bytes))
    }

    /// Through a proxy that the guard judges.
    fn detour(&self, proxy: &Proxy) -> Detour {
        Detour {
            proxy: proxy.clone(),
            tcp: tcp(self.names.clone(), self.connect_timeout),
            judge: Some(self.names.guard.clone()),
        }
    }

    fn way(&self, tls: rustls::ClientConfig, detour: Option<Arc<Detour>>) -> Way {
        let dialler = Dialler {
            tcp: tcp(self.names.clone(), self.connect_timeout),
            names: self.names.clone(),
            detour,
        };
        let connector = HttpsConnector::from((dialler, tls));
        legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(self.pool_idle)
            .pool_max_idle_per_host(self.pool_idle_per_host_max)
            .build(Deadline::new(connector, self.connect_timeout))
    }
}

fn tcp(names: VettedResolver, connect_timeout: Duration) -> HttpConnector<VettedResolver> {
    let mut tcp = HttpConnector::new_with_resolver(names);
    // It sees https URLs, too: TLS is laid over it.
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout));
    tcp
}

/// A guard that lets every address through that no other is hidden in.
fn everything() -> EgressGuard {
    let all: [IpNet; 2] = [Ipv4Net::default().into(), Ipv6Net::default().into()];
    EgressGuard::new(all.to_vec())
}
