//! `automation`: what can be done with automations.

use std::process::ExitCode;

use super::{backtest, code, kept_test, past_rerun, trial, version};

/// What can be done with automations.
#[derive(Debug, clap::Subcommand)]
pub(super) enum AutomationCommand {
    /// Try an automation in a file on an event, sending and storing nothing.
    Test(trial::TestOptions),
    /// Compare a draft with the published version on past events, sending nothing.
    Backtest(backtest::BacktestOptions),
    /// Run past events again: what follows from them is sent once more, marked as such.
    Rerun(past_rerun::RerunOptions),
    /// Write the account, or one automation with what it needs, as a file for a repository.
    Export(code::ExportOptions),
    /// Say what applying a file would do, and what somebody has changed since it was applied.
    Plan(code::PlanOptions),
    /// Apply a file: all of it, or nothing.
    Apply(code::ApplyOptions),
    /// List an automation's versions, newest first.
    Versions(version::OneOptions),
    /// Run the tests that are kept with a version, sending and storing nothing.
    RunTests(kept_test::RunTestsOptions),
    /// Publish a version, the newest if none is named.
    Publish(version::PublishOptions),
    /// Publish an earlier version again, the one that was live before if none is named.
    Rollback(version::RollbackOptions),
}

/// Does it.
pub(super) async fn run(command: &AutomationCommand) -> anyhow::Result<ExitCode> {
    match command {
        AutomationCommand::Test(options) => return trial::run(options).await,
        AutomationCommand::Backtest(options) => return backtest::run(options).await,
        AutomationCommand::Rerun(options) => return past_rerun::run(options).await,
        AutomationCommand::RunTests(options) => return kept_test::run(options).await,
        AutomationCommand::Export(options) => code::export(options).await,
        AutomationCommand::Plan(options) => return code::plan(options).await,
        AutomationCommand::Apply(options) => return code::apply(options).await,
        AutomationCommand::Versions(options) => version::list(options).await,
        AutomationCommand::Publish(options) => version::publish(options).await,
        AutomationCommand::Rollback(options) => version::roll_back(options).await,
    }?;
    Ok(ExitCode::SUCCESS)
}
