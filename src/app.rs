//! Assembles everything, starts it, and owns the shutdown.
//!
//! An incarnation that ends (its database was lost, or another node took over) is followed by a
//! new one in the same process; the doors answer 503 meanwhile.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::api;
use crate::config::{self, Config};
use crate::model::Clock;
use crate::outbound::{self, Client, EgressGuard};
use crate::pipeline::components::Components;
use crate::pipeline::{Limits, Parts, Pipeline};
use crate::plugin::{self, Engine};
use crate::service::{self, FirstStart, Rules, Service};
use crate::store::{self, Store};
use crate::telemetry;
use crate::vault::{self, MasterKey, Vault, random};

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting can't be used.
    #[error("a setting can't be used")]
    Config(#[source] config::Error),
    /// The data directory or a file in it can't be used.
    #[error("{path} can't be used")]
    Data {
        /// Which.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The master key can't be read.
    #[error("the master key can't be used")]
    MasterKey(#[source] vault::Error),
    /// The database can't be used.
    #[error("the database can't be used")]
    Store(#[source] store::Error),
    /// The plugin engine does not start.
    #[error("the plugin engine does not start")]
    Plugins(#[source] plugin::Error),
    /// The way out can't be set up.
    #[error("the HTTP client can't be set up")]
    Client(#[source] outbound::Error),
    /// The first key or account can't be made.
    #[error("the first start's set-up failed")]
    SetUp(#[source] service::Error),
    /// The address can't be listened on.
    #[error("can't listen on {address}")]
    Listen {
        /// Which.
        address: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Figures can't be kept.
    #[error("telemetry can't be set up")]
    Telemetry(#[source] telemetry::Error),
}

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
}

impl App {
    /// Opens the database, brings it up to date, takes over what is left there, and listens.
    pub async fn start(config: &Config) -> Result<Self, Error> {
        make_folder(config)?;
        let store = Store::open(&config.database_url())
            .await
            .map_err(Error::Store)?;
        let vault = Arc::new(open_vault(config)?);
        let engine = Engine::new(&plugin::Settings {
            payload_bytes_max: config.payload_bytes_max,
            ..plugin::Settings::default()
        })
        .map_err(Error::Plugins)?;
        let components = Components::new(engine, store.clone());
        let guard = EgressGuard::new(config.egress_allow().map_err(Error::Config)?);
        let client = Client::new(outbound::Settings {
            guard: guard.clone(),
            ..outbound::Settings::default()
        })
        .map_err(Error::Client)?;
        let parts = Parts {
            store: store.clone(),
            vault: vault.clone(),
            components: components.clone(),
            client,
            clock: Clock::System,
            limits: limits(config),
        };
        let service = Service::new(service::Parts {
            store,
            vault,
            components,
            clock: Clock::System,
            guard,
            rules: Rules::new(config.https_only, config.payload_bytes_max),
        });
        let first_start = service
            .set_up(config.bootstrap_key.as_deref())
            .await
            .map_err(Error::SetUp)?;
        let pipeline = Pipeline::start(parts.clone()).await.map_err(Error::Store)?;
        let listening = |cause| Error::Listen {
            address: config.listen.clone(),
            cause,
        };
        let listener = TcpListener::bind(&config.listen).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        Ok(Self {
            service,
            parts,
            pipeline,
            listener,
            address,
            first_start,
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
        let upkeep = figures.clone();
        let render: Arc<dyn Fn() -> String + Send + Sync> = Arc::new(move || {
            upkeep.run_upkeep();
            figures.render()
        });
        let router = api::router(self.service.clone(), render);
        let (stopping, stopped) = tokio::sync::watch::channel(false);
        tokio::spawn(async move {
            stop.await;
            stopping.send_replace(true);
        });
        let lives = tokio::spawn(live(
            self.service.clone(),
            self.parts,
            self.pipeline,
            stopped.clone(),
        ));
        let listener = self.listener.tap_io(|stream| {
            // Answers are small and complete: waiting for more to send only delays them.
            let _best_effort = stream.set_nodelay(true);
        });
        let served = axum::serve(listener, router)
            .with_graceful_shutdown(wait(stopped))
            .await;
        let address = self.address.to_string();
        served.map_err(|cause| Error::Listen { address, cause })?;
        // A panic there has been logged; what was in hand is taken over by the next start.
        let _ = lives.await;
        Ok(())
    }
}

async fn wait(mut stopped: tokio::sync::watch::Receiver<bool>) {
    let _gone = stopped.wait_for(|stopped| *stopped).await;
}

/// One incarnation after the other, until told to stop.
async fn live(
    service: Service,
    parts: Parts,
    first: Pipeline,
    stopped: tokio::sync::watch::Receiver<bool>,
) {
    let mut pipeline = Some(first);
    loop {
        if let Some(alive) = pipeline.take() {
            service.attach(Some(alive.clone()));
            tokio::select! {
                () = alive.ended() => service.attach(None),
                () = wait(stopped.clone()) => {
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

fn make_folder(config: &Config) -> Result<(), Error> {
    std::fs::create_dir_all(&config.data).map_err(|cause| Error::Data {
        path: config.data.display().to_string(),
        cause,
    })
}

/// The configured master key; else the one in the data directory, made on the first start.
fn open_vault(config: &Config) -> Result<Vault, Error> {
    if let Some(text) = &config.master_key {
        return Vault::from_text(text).map_err(Error::MasterKey);
    }
    let path = config.data.join("master.key");
    let failed = |cause| Error::Data {
        path: path.display().to_string(),
        cause,
    };
    if !path.exists() {
        let key = MasterKey::from_random(random::bytes().map_err(Error::MasterKey)?);
        write_private(&path, &key.text()).map_err(failed)?;
        if config.database_url().starts_with("postgres") {
            tracing::warn!(path = %path.display(), "made a master key; other nodes on this database need the same one");
        }
    }
    Vault::from_file_content(&std::fs::read(&path).map_err(failed)?).map_err(Error::MasterKey)
}

/// Writes a new file that only its owner can read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
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
