//! Assembles everything, starts it, and owns the shutdown.
//!
//! An incarnation that ends (its database was lost, or another node took over) is followed by a
//! new one in the same process; the doors answer 503 meanwhile.
//!
//! Length: each part of the house is put in its place here.

mod error;
mod files;
pub(crate) mod master_key;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use url::Url;

pub use error::Error;

use crate::alert::{Alerts, Smtp};
use crate::api;
use crate::compat;
use crate::config::Config;
use crate::inbound;
use crate::model::Clock;
use crate::outbound::{Client, EgressGuard};
use crate::pipeline::components::Components;
use crate::pipeline::{Limits, Parts, Pipeline};
use crate::plugin::{self, Engine};
use crate::schedule::Scheduler;
use crate::service::{self, FirstStart, Rules, Service};
use crate::store::Store;
use crate::telemetry;

/// How long one statement for a user may keep the database busy.
const DOORS_PATIENCE: Duration = Duration::from_secs(5);
/// How often figures are condensed, so that what is measured between two looks at them does not pile up.
const UPKEEP_MS: i64 = 5_000;
/// How long until a lost database is tried again.
const RESTART_MS: i64 = 250;

/// A server that is set up, listens, and has begun its first incarnation.
pub struct App {
    service: Service,
    parts: Parts,
    pipeline: Pipeline,
    listener: TcpListener,
    address: SocketAddr,
    first_start: FirstStart,
    files_max: u64,
    alerts: Alerts,
}

impl App {
    /// Opens the database, brings it up to date, takes over what is left there, and listens.
    pub async fn start(config: &Config) -> Result<Self, Error> {
        let files_max = files::files_max();
        make_folder(&config.data)?;
        // Before anything is touched: another process may be at work here.
        let store = Store::open_to_serve(&config.database_url())
            .await
            .map_err(Error::Store)?;
        let vault = Arc::new(master_key::open_vault(config, &store).await?);
        let engine = Engine::new(&plugin::Settings {
            payload_bytes_max: config.payload_bytes_max,
            ..plugin::Settings::default()
        })
        .map_err(Error::Plugins)?;
        let components = Components::new(engine, store.clone());
        let guard = EgressGuard::new(config.egress_allow().map_err(Error::Config)?);
        let way_out = config.way_out(&guard).map_err(Error::Config)?;
        let client = Client::new(way_out).map_err(Error::Client)?;
        let parts = Parts {
            store: store.clone(),
            vault: vault.clone(),
            components: components.clone(),
            client,
            clock: Clock::System,
            limits: limits(config),
        };
        let egress_addresses = config.egress_addresses().map_err(Error::Config)?;
        let service = Service::new(service::Parts {
            // Connections of their own: whatever is asked there, the pipeline has its.
            store: store.for_doors(DOORS_PATIENCE),
            vault,
            components,
            clock: Clock::System,
            guard,
            client: parts.client.clone(),
            egress_addresses,
            rules: Rules::new(config.https_only, config.payload_bytes_max)
                .keeping(config.retention().map_err(Error::Config)?),
        });
        let first_start = service
            .set_up(config.bootstrap_key.as_deref())
            .await
            .map_err(Error::SetUp)?;
        let alerts = alerts(config, &store)?;
        let pipeline = Pipeline::start(parts.clone()).await.map_err(Error::Store)?;
        let listening = |cause| Error::Listen {
            address: config.listen.clone(),
            cause,
        };
        let listener = TcpListener::bind(&config.listen).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let public_url = config.public_url().map_err(Error::Config)?;
        service.be_at(public_url.unwrap_or_else(|| usual_url(address)));
        Ok(Self {
            service,
            parts,
            pipeline,
            listener,
            address,
            first_start,
            files_max,
            alerts,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the first start has made, to be shown once.
    pub fn first_start(&self) -> &FirstStart {
        &self.first_start
    }

    /// What its doors call.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Serves until `stop` returns; then takes nothing more, finishes what is under way or hands it
    /// back, and ends.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        let figures = telemetry::metrics().map_err(Error::Telemetry)?;
        let (shown, upkeep) = (figures.clone(), figures);
        let router = doors(self.service.clone(), Arc::new(move || shown.render()));
        let (stopping, stopped) = tokio::sync::watch::channel(false);
        tokio::spawn(async move {
            stop.await;
            stopping.send_replace(true);
        });
        let (hearing, store) = (self.service.clone(), self.parts.store.clone());
        let works = (self.parts, self.alerts);
        let lives = live(self.service, works, self.pipeline, stopped.clone());
        // A panic there has been logged; what was in hand is taken over by the next start.
        let lives = tokio::spawn(lives).map(drop).shared();
        let bounds = api::Bounds::within(self.files_max);
        tokio::select! {
            () = api::serve(self.listener, router, bounds, wait(stopped), lives.clone()) => {}
            never = every(&Clock::System, UPKEEP_MS, || upkeep.run_upkeep()) => match never {},
            never = hear(&hearing, &store) => match never {},
            never = Box::pin(hearing.upkeep()) => match never {},
        }
        lives.await;
        Ok(())
    }
}

/// All doors of the house. `render`: what `/metrics` answers.
pub fn doors(service: Service, render: api::Render) -> axum::Router {
    let beside = inbound::routes(api::refusal).merge(compat::rest::routes(api::refusal));
    api::router(service, render, beside)
}

/// Where a server that listens here is reached from its own machine.
fn usual_url(address: SocketAddr) -> Url {
    let mut reached = address;
    if address.ip().is_unspecified() {
        reached.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Url::parse(&format!("http://{reached}")).expect("an address is a host and a port")
}

/// Passes on what other nodes tell, for as long as it is let.
async fn hear(service: &Service, store: &Store) -> Infallible {
    let real = Clock::System;
    loop {
        match store.listen().await {
            Ok(Some(mut listener)) => {
                while let Ok(hint) = listener.next().await {
                    service.heard(hint).await;
                }
            }
            Ok(None) => std::future::pending().await,
            Err(error) => tracing::debug!(
                error = &error as &dyn std::error::Error,
                "other nodes can't be heard"
            ),
        }
        real.sleep_until(real.now().plus_ms(RESTART_MS)).await;
    }
}

/// Does something again and again.
async fn every(clock: &Clock, ms: i64, mut act: impl FnMut()) -> Infallible {
    loop {
        clock.sleep_until(clock.now().plus_ms(ms)).await;
        act();
    }
}

async fn wait(mut stopped: tokio::sync::watch::Receiver<bool>) {
    let _gone = stopped.wait_for(|stopped| *stopped).await;
}

/// One incarnation after the other, until told to stop.
async fn live(
    service: Service,
    (parts, alerts): (Parts, Alerts),
    first: Pipeline,
    stopped: tokio::sync::watch::Receiver<bool>,
) {
    let scheduler = Scheduler::new(parts.store.clone(), parts.clock.clone());
    let bell = service.bell();
    let mut pipeline = Some(first);
    loop {
        if let Some(alive) = pipeline.take() {
            service.attach(Some(alive.clone()));
            tokio::select! {
                () = alive.ended() => service.attach(None),
                never = scheduler.go_on(&alive, &bell) => match never {},
                () = alerts.go_on(wait(stopped.clone())) => {
                    service.attach(None);
                    if let Err(error) = alive.shut_down().await {
                        tracing::error!(error = &error as &dyn std::error::Error, "the shutdown was not orderly");
                    }
                    return;
                }
            }
        }
        let real = Clock::System;
        tokio::select! {
            () = real.sleep_until(real.now().plus_ms(RESTART_MS)) => {}
            () = wait(stopped.clone()) => return,
        }
        let started = tokio::select! {
            started = Pipeline::start(parts.clone()) => started,
            () = wait(stopped.clone()) => return,
        };
        match started {
            Ok(next) => pipeline = Some(next),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "no new incarnation yet"
                );
            }
        }
    }
}

/// What mails and reminds, with the mail server of the settings.
fn alerts(config: &Config, store: &Store) -> Result<Alerts, Error> {
    let settings = config.smtp().map_err(Error::Config)?;
    let smtp = settings.map(|settings| Smtp::new(&settings).map_err(Error::Smtp));
    Ok(Alerts::new(store.clone(), Clock::System, smtp.transpose()?))
}

fn limits(config: &Config) -> Limits {
    let processors = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
    Limits {
        endpoint_window_max: config.endpoint_window_max,
        plugin_threads: if config.plugin_threads == 0 {
            processors
        } else {
            config.plugin_threads
        },
        shutdown_ms: config.shutdown_ms,
        ..Limits::default()
    }
}

/// Makes the data directory, if there is none, for its owner alone.
pub(crate) fn make_folder(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).map_err(|cause| Error::Data {
        path: path.display().to_string(),
        cause,
    })
}

/// Returns, once awaited, when the process is asked to stop (SIGINT, SIGTERM). It listens from the call
/// on, so that who reads that the server is up can already stop it in good order.
pub fn asked_to_stop() -> impl Future<Output = ()> + Send + 'static {
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    async move {
        let [terminate, interrupt] = signals;
        tokio::select! {
            () = received(terminate) => {}
            () = received(interrupt) => {}
        }
    }
}

/// A signal that can't be listened for never comes: the system does with it what it does.
async fn received(listening: std::io::Result<Signal>) {
    match listening {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ManualClock, Timestamp};

    #[tokio::test]
    async fn figures_are_condensed_though_nobody_looks() {
        let hand = ManualClock::new(Timestamp::from_ms(0));
        let clock = Clock::Manual(hand.clone());
        let (condensed, mut times) = tokio::sync::mpsc::unbounded_channel();
        let upkeep = every(&clock, UPKEEP_MS, move || {
            let _nobody_listens = condensed.send(hand.now());
        });
        let look = async {
            let Clock::Manual(hand) = &clock else { return };
            for round in 1..=3 {
                hand.advance(Duration::from_millis(UPKEEP_MS as u64));
                let at = times.recv().await;
                assert_eq!(at, Some(Timestamp::from_ms(round * UPKEEP_MS)));
            }
        };
        tokio::select! {
            biased;
            never = upkeep => match never {},
            () = look => {}
        }
    }
}
