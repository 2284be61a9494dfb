//! What the program can be asked to do, one file per command.
//!
//! Exit codes: 0 it worked; 1 it did not, and the reason is on standard error; 2 the command line
//! is wrong; 3 it ran, and the answer is no (`verify`, `demo --once`).

mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::telemetry::LogFormat;

/// The exit code of a command that failed.
pub const EXIT_FAILED: u8 = 1;
/// The exit code of a command that ran and whose answer is no.
pub const EXIT_NO: u8 = 3;

/// Events in, automations and sandboxed transforms, signed deliveries out.
#[derive(Debug, Parser)]
#[command(name = "throwbar", version, about, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(ServerOptions),
    /// Bring the database's schema up to this version, and end.
    Migrate(ServerOptions),
    /// Show the settings that are in force, with secrets hidden.
    Config(ServerOptions),
}

/// Where settings come from, and those that are set most often.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ServerOptions {
    /// A TOML file with settings.
    #[arg(long, value_name = "FILE", env = "THROWBAR_CONFIG")]
    config: Option<PathBuf>,
    /// The address to serve on; port 0 picks a free one [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where the embedded database and the master key are kept [default: ./data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// sqlite:PATH or postgres://… [default: SQLite in the data directory].
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// What is logged [default: info].
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How log lines look.
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
}

impl ServerOptions {
    fn load(&self, environment: Vec<(String, String)>) -> anyhow::Result<Config> {
        let mut flags = Vec::new();
        let mut set = |name: &'static str, value: Option<String>| flags.extend(value.map(|value| (name, value)));
        set("listen", self.listen.clone());
        set("data", self.data.as_ref().map(|path| path.display().to_string()));
        set("database_url", self.database_url.clone());
        set("log", self.log.clone());
        set("log_format", self.log_format.map(|format| format!("{format:?}").to_lowercase()));
        Ok(Config::load(self.config.as_deref(), environment, flags)?)
    }
}

/// Does what was asked.
pub async fn run(arguments: Arguments, environment: Vec<(String, String)>) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Serve(options) => serve::serve(&options.load(environment)?).await,
        Command::Migrate(options) => serve::migrate(&options.load(environment)?).await,
        Command::Config(options) => serve::show(&options.load(environment)?),
    }
}
