//! `automation export`, `plan` and `apply`: what an account has, as a file that lives in a repository.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::client::{ApiClient, ApiOptions, Body};
use super::{EXIT_NO, EXIT_TO_DO, backtest, code_plan, job, paint};

/// What is written, and where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Nothing secret is in the file. Examples:\n  \
    throwbar automation export --out throwbar.yaml\n  \
    throwbar automation export --automation 'Big deals'")]
pub(super) struct ExportOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Where to [default: standard output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The name or the id of an automation: it alone, with what it needs [default: everything].
    #[arg(long, value_name = "AUTOMATION")]
    automation: Option<String>,
    /// JSON in place of YAML.
    #[arg(long)]
    json: bool,
}

/// Which file, and how it is compared.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Nothing is written. Exit codes: 0, it was planned; with --exit-code 2, there is something to do.\n\n\
    Examples:\n  \
    throwbar automation plan throwbar.yaml\n  \
    throwbar automation plan throwbar.yaml --prune --backtest 1000 --exit-code"
)]
pub(super) struct PlanOptions {
    #[command(flatten)]
    client: ApiOptions,
    #[command(flatten)]
    file: FileOptions,
    /// Compare each changed automation with its published version on the last so many events.
    #[arg(long, value_name = "COUNT")]
    backtest: Option<u64>,
    /// Exit with 2 if there is something to do.
    #[arg(long)]
    exit_code: bool,
}

/// Which file, and whether it is asked for.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The plan is shown first, and exactly that is done, or nothing. Exit codes: 0, it was applied; 3, you said no.\n\n\
    Examples:\n  \
    throwbar automation apply throwbar.yaml\n  \
    throwbar automation apply throwbar.yaml --prune --yes"
)]
pub(super) struct ApplyOptions {
    #[command(flatten)]
    client: ApiOptions,
    #[command(flatten)]
    file: FileOptions,
    /// Don't ask. Where there is no terminal it is needed.
    #[arg(long)]
    yes: bool,
}

/// A file, and what becomes of what it has not.
#[derive(Debug, clap::Args)]
struct FileOptions {
    /// YAML or JSON; - reads standard input.
    #[arg(value_name = "FILE")]
    file: String,
    /// Remove what an earlier file had and this one has no more.
    #[arg(long)]
    prune: bool,
    /// Publish automations although their tests fail, for this reason.
    #[arg(long = "override", value_name = "REASON")]
    override_reason: Option<String>,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

impl FileOptions {
    fn read(&self) -> anyhow::Result<String> {
        if self.file == "-" {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.context("standard input can't be read")?;
            return Ok(text);
        }
        let name = &self.file;
        std::fs::read_to_string(name).with_context(|| format!("{name} can't be read"))
    }

    /// The query of a request, with more parameters.
    fn query(&self, more: &[(&str, String)]) -> String {
        let mut query = Serializer::new(String::new());
        if self.prune {
            query.append_pair("prune", "true");
        }
        if let Some(reason) = &self.override_reason {
            query.append_pair("override", reason);
        }
        for (name, value) in more {
            query.append_pair(name, value);
        }
        query.finish()
    }
}

/// Writes the file.
pub(super) async fn export(options: &ExportOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let mut query = Serializer::new(String::new());
    if let Some(automation) = &options.automation {
        query.append_pair("automation", automation);
    }
    if options.json {
        query.append_pair("format", "json");
    }
    let path = format!("/v1/automations/export?{}", query.finish());
    let text = client.text(&path).await?;
    let Some(out) = &options.out else {
        std::io::stdout().write_all(text.as_bytes())?;
        return Ok(());
    };
    let shown = out.display();
    std::fs::write(out, text).with_context(|| format!("{shown} can't be written"))?;
    writeln!(std::io::stdout(), "{} {shown}", paint::good("✓"))?;
    Ok(())
}

/// Says what would be done.
pub(super) async fn plan(options: &PlanOptions) -> anyhow::Result<ExitCode> {
    let client = ApiClient::open(&options.client)?;
    let text = options.file.read()?;
    let events = options
        .backtest
        .map(|events| ("backtest", events.to_string()));
    let query = options.file.query(events.as_slice());
    let path = format!("/v1/automations/plan?{query}");
    let plan = client.post(&path, Body::yaml(text)).await?;
    let mut out = std::io::stdout();
    if options.file.json {
        writeln!(out, "{plan}")?;
    } else {
        code_plan::tell(&mut out, &plan)?;
        compare(&client, &plan).await?;
    }
    let is_to_do = plan["changes"].as_u64() != Some(0);
    Ok(if options.exit_code && is_to_do {
        ExitCode::from(EXIT_TO_DO)
    } else {
        ExitCode::SUCCESS
    })
}

/// Waits for the jobs of a plan, and tells what came of them.
async fn compare(client: &ApiClient, plan: &Value) -> anyhow::Result<()> {
    for step in plan["steps"].as_array().into_iter().flatten() {
        let Some(id) = step["backtest"].as_str() else {
            continue;
        };
        let name = step["name"].as_str().unwrap_or_default();
        let job = job::ended(client, id).await?;
        let mut out = std::io::stdout();
        writeln!(
            out,
            "\n{} on past events:",
            paint::strong(&paint::cut(name, 80))
        )?;
        backtest::tell(&mut out, &job)?;
        job::came_to_its_end(&job)?;
        writeln!(out, "  event by event: GET /v1/jobs/{id}/differences")?;
    }
    Ok(())
}

/// Shows what would be done, asks, and does that.
pub(super) async fn apply(options: &ApplyOptions) -> anyhow::Result<ExitCode> {
    let file = &options.file;
    let can_ask = std::io::stdin().is_terminal() && file.file != "-" && !file.json;
    if !options.yes && !can_ask {
        bail!("there is no terminal to ask at: look at it with `automation plan`, and add --yes");
    }
    let client = ApiClient::open(&options.client)?;
    let text = file.read()?;
    let path = format!("/v1/automations/plan?{}", file.query(&[]));
    let plan = client.post(&path, Body::yaml(text.clone())).await?;
    let mut out = std::io::stdout();
    if !file.json {
        code_plan::tell(&mut out, &plan)?;
    }
    let is_to_do = plan["changes"].as_u64() != Some(0);
    if is_to_do && !options.yes && !agreed()? {
        writeln!(out, "nothing was applied")?;
        return Ok(ExitCode::from(EXIT_NO));
    }
    let id = plan["plan"].as_str().unwrap_or_default().to_owned();
    let path = format!("/v1/automations/apply?{}", file.query(&[("plan", id)]));
    let done = client.post(&path, Body::yaml(text)).await?;
    if file.json {
        writeln!(out, "{done}")?;
    } else if is_to_do {
        let summary = done["summary"].as_str().unwrap_or_default();
        writeln!(out, "{} {summary}", paint::good("✓"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether somebody at the terminal says yes.
fn agreed() -> anyhow::Result<bool> {
    let mut out = std::io::stdout();
    write!(out, "\n{} [y/N] ", paint::strong("Apply this?"))?;
    out.flush()?;
    let mut said = String::new();
    std::io::stdin().read_line(&mut said)?;
    Ok(matches!(
        said.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}
