//! What the program can be asked to do, one file per command.
//!
//! Exit codes: 0 it worked; 1 it did not, and the reason is on standard error; 2 the command line
//! is wrong; 3 it ran, and the answer is no (`verify`, `demo --once`, `automation test`, `run-tests`, `backtest`,
//! `rerun` and `apply`, `event-type import`, `dead-letter rerun`, `endpoint test`). `automation plan --exit-code` answers 2, too: there
//! is something to do.

mod automation;
mod backtest;
mod client;
mod code;
mod code_plan;
mod compact;
mod dead_letter;
mod delivery;
mod demo;
mod endpoint;
mod event;
mod event_type;
mod export;
mod forward;
mod job;
mod kept_test;
mod key;
mod listen;
mod listing;
mod mail;
mod ndjson;
mod paint;
mod past_rerun;
mod problem;
mod recover;
mod schedule;
mod serve;
mod source;
mod trial;
mod variable;
mod verify;
mod version;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::config::Config;

/// The exit code of a command that failed.
pub const EXIT_FAILED: u8 = 1;
/// The exit code of a plan in which there is something to do, where that is asked for.
pub const EXIT_TO_DO: u8 = 2;
/// The exit code of a command that ran and whose answer is no.
pub const EXIT_NO: u8 = 3;

/// Events come in, automations decide what follows, sandboxed plugins reshape the payload, and signed
/// deliveries leave, are retried and recorded.
#[derive(Debug, Parser)]
#[command(
    name = "throwbar",
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 it worked; 1 it did not; 2 the command line is wrong; 3 the answer is no (verify, demo --once, automation test, run-tests, backtest, rerun and apply, event-type import, dead-letter rerun, endpoint test)."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::ServeOptions),
    /// See everything at once: a server, sample automations, and events that flow.
    Demo(demo::DemoOptions),
    /// Bring the database's schema up to this version, and exit.
    Migrate(ServerOptions),
    /// Give back the room that is free in an embedded database, while no server runs.
    Compact(ServerOptions),
    /// Show the settings that are in force, with secrets hidden.
    Config(ServerOptions),
    /// Send events.
    #[command(subcommand)]
    Event(event::EventCommand),
    /// List event types, import a document of them, or install a ready-made catalogue.
    #[command(subcommand)]
    EventType(event_type::EventTypeCommand),
    /// Try automations, compare drafts on past events, run those again; publish versions; keep all of it as code.
    #[command(subcommand)]
    Automation(automation::AutomationCommand),
    /// Look at work on what is past that goes on by itself, or call it off.
    #[command(subcommand)]
    Job(job::JobCommand),
    /// List what automations failed at, and run it again.
    #[command(subcommand)]
    DeadLetter(dead_letter::DeadLetterCommand),
    /// List what goes to endpoints, and send some of it again.
    #[command(subcommand)]
    Delivery(delivery::DeliveryCommand),
    /// Write events, deliveries or attempts to standard output, one a line.
    Export(export::ExportOptions),
    /// Send examples to an endpoint, and see what comes of them.
    #[command(subcommand)]
    Endpoint(endpoint::EndpointCommand),
    /// Forward deliveries to this machine as they come, for development.
    Listen(listen::ListenOptions),
    /// Send what was missed at an endpoint, however much it is.
    Recover(recover::RecoverOptions),
    /// List schedules, preview them, run one now, pause one, or resume it.
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// List and make sources: URLs that others send webhooks to.
    #[command(subcommand)]
    Source(source::SourceCommand),
    /// Set, list and remove variables and secrets.
    #[command(subcommand)]
    Variable(variable::VariableCommand),
    /// Is a delivery's signature genuine, and if not, why?
    Verify(verify::VerifyOptions),
    /// List mails about endpoints, or see whether mails arrive.
    #[command(subcommand)]
    Mail(mail::MailCommand),
    /// Make, list and revoke keys.
    #[command(subcommand)]
    Key(key::KeyCommand),
}

/// Where settings come from, and where everything is kept: for every command that works on the
/// database or the settings itself.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ServerOptions {
    /// A TOML file with settings.
    #[arg(long, value_name = "FILE", env = "THROWBAR_CONFIG")]
    config: Option<PathBuf>,
    /// Where the embedded database and the master key are kept [default: ./data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// sqlite:PATH or postgres://… [default: SQLite in the data directory].
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

impl ServerOptions {
    fn load(&self, environment: Vec<(String, String)>) -> anyhow::Result<Config> {
        self.load_with(environment, [])
    }

    /// The settings that these flags, and `more` of them, leave in force.
    fn load_with<const N: usize>(
        &self,
        environment: Vec<(String, String)>,
        more: [(&'static str, Option<String>); N],
    ) -> anyhow::Result<Config> {
        let own = [
            (
                "data",
                self.data.as_ref().map(|path| path.display().to_string()),
            ),
            ("database_url", self.database_url.clone()),
        ];
        let given = own.into_iter().chain(more);
        let flags = given.filter_map(|(name, value)| Some((name, value?)));
        Ok(Config::load(
            self.config.as_deref(),
            environment,
            flags.collect(),
        )?)
    }
}

/// How long threads that block are waited for at the end.
const LINGER: Duration = Duration::from_secs(1);

/// Does what was asked, on a runtime of its own: a program around it has nothing to await, and nothing of the
/// library to compile once more.
pub fn run(arguments: Arguments, environment: Vec<(String, String)>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(obey(arguments, environment));
    // Whoever still compiles or looks a name up does it for nobody.
    runtime.shutdown_timeout(LINGER);
    done
}

async fn obey(
    arguments: Arguments,
    environment: Vec<(String, String)>,
) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Serve(options) => serve::serve(&options.load(environment)?).await,
        Command::Migrate(options) => serve::migrate(&options.load(environment)?).await,
        Command::Compact(options) => compact::compact(&options.load(environment)?).await,
        Command::Config(options) => serve::show(&options.load(environment)?),
        Command::Demo(options) => demo::demo(&options).await,
        Command::Event(command) => event::run(&command).await,
        Command::EventType(command) => event_type::run(&command).await,
        Command::Automation(command) => automation::run(&command).await,
        Command::Job(command) => job::run(&command).await,
        Command::DeadLetter(command) => dead_letter::run(&command).await,
        Command::Delivery(command) => delivery::run(&command).await,
        Command::Export(options) => export::run(&options).await,
        Command::Endpoint(command) => endpoint::run(&command).await,
        Command::Listen(options) => listen::run(&options).await,
        Command::Recover(options) => recover::run(&options).await,
        Command::Schedule(command) => {
            schedule::run(&command).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Source(command) => source::run(&command).await.map(|()| ExitCode::SUCCESS),
        Command::Variable(command) => variable::run(&command).await,
        Command::Verify(options) => verify::verify(&options),
        Command::Mail(command) => mail::run(&command, environment).await,
        Command::Key(command) => key::run(&command, environment).await,
    }
}

/// A value that was given as it is, or as `@FILE`: that file's text without the newline at its end.
fn text_or_file(given: &str) -> anyhow::Result<String> {
    let Some(path) = given.strip_prefix('@') else {
        return Ok(given.to_owned());
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("{path} can't be read"))?;
    let end = if text.ends_with("\r\n") { "\r\n" } else { "\n" };
    Ok(text.strip_suffix(end).unwrap_or(&text).to_owned())
}

#[cfg(test)]
mod tests;
