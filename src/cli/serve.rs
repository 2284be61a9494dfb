//! `serve`, `migrate` and `config`: the operator's commands.

use std::io::Write as _;
use std::process::ExitCode;

use crate::app::{App, asked_to_stop, make_folder};
use crate::config::Config;
use crate::store::Store;
use crate::telemetry;

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
