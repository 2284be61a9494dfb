//! `serve`, `migrate` and `config`: the operator's commands.

use std::io::Write as _;
use std::process::ExitCode;

use super::ServerOptions;
use crate::app::{App, asked_to_stop, make_folder};
use crate::config::Config;
use crate::store::Store;
use crate::telemetry::{self, LogFormat};

/// The settings of a running server that are set most often.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    server: ServerOptions,
    /// The address to serve on; port 0 picks a free one [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// From where deliveries leave, for receivers to know: addresses and CIDR ranges, with commas between them.
    #[arg(long, value_name = "ADDRESSES")]
    egress_addresses: Option<String>,
    /// How long a stop waits for what is under way, before it is handed back [default: 20000].
    #[arg(long, value_name = "MS")]
    shutdown_ms: Option<u64>,
    /// What is logged [default: info].
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How log lines look.
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
}

impl ServeOptions {
    /// The settings that these flags leave in force.
    pub(super) fn load(&self, environment: Vec<(String, String)>) -> anyhow::Result<Config> {
        self.server.load_with(
            environment,
            [
                ("listen", self.listen.clone()),
                ("egress_addresses", self.egress_addresses.clone()),
                ("shutdown_ms", self.shutdown_ms.map(|ms| ms.to_string())),
                ("log", self.log.clone()),
                (
                    "log_format",
                    self.log_format
                        .map(|format| format!("{format:?}").to_lowercase()),
                ),
            ],
        )
    }
}

/// Runs the server until it is asked to stop.
pub(super) async fn serve(config: &Config) -> anyhow::Result<ExitCode> {
    telemetry::log(&config.log, config.log_format)?;
    // From here on a signal ends it in good order, however early it comes.
    let stop = asked_to_stop();
    let app = App::start(config).await?;
    let mut out = std::io::stdout();
    if let Some(key) = app.first_start().operator_key() {
        writeln!(out, "operator key (shown this once): {key}")?;
    }
    writeln!(out, "listening on http://{}", app.address())?;
    out.flush()?;
    app.serve(stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// Brings the schema up to date.
pub(super) async fn migrate(config: &Config) -> anyhow::Result<ExitCode> {
    make_folder(&config.data)?;
    Store::open(&config.database_url()).await?;
    writeln!(std::io::stdout(), "the schema is up to date")?;
    Ok(ExitCode::SUCCESS)
}

/// Shows what is in force.
pub(super) fn show(config: &Config) -> anyhow::Result<ExitCode> {
    let text = serde_json::to_string_pretty(&config.without_secrets())?;
    writeln!(std::io::stdout(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}
