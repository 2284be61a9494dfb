//! `dead-letter`: what automations failed at, and running it again.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::client::{ApiClient, ApiOptions, Body};
use super::{listing, paint};
use crate::model::{AutomationId, DeadLetterId, Timestamp};

/// What can be done with dead letters.
#[derive(Debug, clap::Subcommand)]
pub(super) enum DeadLetterCommand {
    /// List what automations failed at, the newest event first.
    List(ListOptions),
    /// Run it again with what is published now.
    Rerun(RerunOptions),
}

/// Which ones are listed.
#[derive(Debug, clap::Args)]
pub(super) struct ListOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Only of this automation: aut_…
    #[arg(long, value_name = "ID")]
    automation: Option<AutomationId>,
    /// Only of events that were accepted then or later, RFC 3339.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only of events that were accepted before, RFC 3339.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// How it failed: condition_error, flow_error, plugin_error, limit_exceeded or evaluation_error.
    #[arg(long, value_name = "WORD")]
    reason: Option<String>,
    /// open, rerun or all [default: open].
    #[arg(long, value_name = "WORD")]
    state: Option<String>,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Which ones are run again.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("which").required(true).args(["ids", "automation"])),
    after_help = "Exit codes: 0, none failed again; 3, some did, or were not run.\n\n\
    Examples:\n  \
    throwbar dead-letter rerun ltr_0198c1f0a3b27c4d8e5f60718293a4b5\n  \
    throwbar dead-letter rerun --automation aut_0198c1f0a3b27c4d8e5f60718293a4b5 --since 2026-05-04T10:30:00Z"
)]
pub(super) struct RerunOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Which: ltr_…
    #[arg(value_name = "ID")]
    ids: Vec<DeadLetterId>,
    /// All open ones of this automation: aut_…
    #[arg(long, value_name = "ID")]
    automation: Option<AutomationId>,
    /// Of that automation only those of events that were accepted then or later, RFC 3339.
    #[arg(
        long,
        value_name = "TIME",
        requires = "automation",
        conflicts_with = "ids"
    )]
    since: Option<Timestamp>,
    /// Of that automation only those of events that were accepted before, RFC 3339.
    #[arg(
        long,
        value_name = "TIME",
        requires = "automation",
        conflicts_with = "ids"
    )]
    until: Option<Timestamp>,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) async fn run(command: &DeadLetterCommand) -> anyhow::Result<ExitCode> {
    match command {
        DeadLetterCommand::List(options) => list(options).await.map(|()| ExitCode::SUCCESS),
        DeadLetterCommand::Rerun(options) => rerun(options).await,
    }
}

async fn list(options: &ListOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let said: fn(&Value) -> String = if options.json { Value::to_string } else { line };
    listing::tell(&client, &path(options), said).await
}

/// The path with its query.
fn path(options: &ListOptions) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::from("/v1/dead-letters?"));
    query.append_pair("limit", "250");
    for (name, value) in [
        ("automation", options.automation.map(|id| id.to_string())),
        ("since", options.since.map(|at| at.to_string())),
        ("until", options.until.map(|at| at.to_string())),
        ("reason", options.reason.clone()),
        ("state", options.state.clone()),
    ] {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    query.finish()
}

async fn rerun(options: &RerunOptions) -> anyhow::Result<ExitCode> {
    let client = ApiClient::open(&options.client)?;
    let mut out = std::io::stdout();
    let mut left: Vec<String> = options.ids.iter().map(ToString::to_string).collect();
    let mut exit = ExitCode::SUCCESS;
    loop {
        let body = request(options, &left);
        let answer = client
            .post("/v1/dead-letters/rerun", Body::of(&body))
            .await?;
        if options.json {
            writeln!(out, "{answer}")?;
        } else {
            for letter in answer["data"].as_array().into_iter().flatten() {
                writeln!(out, "{}", ran(letter))?;
            }
        }
        let count = |field: &str| answer[field].as_u64().unwrap_or(0);
        if count("failed") + count("not_run") > 0 {
            exit = ExitCode::from(super::EXIT_NO);
        }
        let done = answer["data"].as_array().map_or(0, Vec::len);
        left.drain(..done.min(left.len()));
        // What fails again comes last; where all fail, there is nothing to go on for.
        let goes_on = if options.ids.is_empty() {
            count("rerun") > 0
        } else {
            done > 0 && !left.is_empty()
        };
        if count("left") == 0 || !goes_on {
            return Ok(exit);
        }
    }
}

/// What is asked for.
fn request(options: &RerunOptions, ids: &[String]) -> Value {
    let Some(automation) = options.automation else {
        return json!({ "ids": ids });
    };
    let mut request = json!({ "automation": automation });
    for (name, at) in [("since", options.since), ("until", options.until)] {
        if let Some(at) = at {
            request[name] = json!(at);
        }
    }
    request
}

fn line(letter: &Value) -> String {
    let word = |field: &str| letter[field].as_str().unwrap_or_default();
    let line = format!(
        "{}  {}  {}  {:>3}×  {}  {}",
        word("id"),
        word("failed_at"),
        paint::column(word("reason"), 16),
        letter["failures"].to_string(),
        paint::column(word("state"), 5),
        paint::cut(word("summary"), 100)
    );
    line.trim_end().to_owned()
}

/// What became of one that was run again.
fn ran(letter: &Value) -> String {
    let word = |field: &str| letter[field].as_str().unwrap_or_default();
    let mark = match word("result") {
        "rerun" => paint::good("✓"),
        "already_rerun" => paint::warn("–"),
        _ => paint::bad("✗"),
    };
    let what = letter["verdict"].as_str().unwrap_or_else(|| word("result"));
    format!(
        "{mark} {}  {what}: {}",
        word("id"),
        paint::cut(word("summary"), 100)
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::Arguments;
    use super::*;

    #[test]
    fn letters_are_named_one_way() {
        for (line, fine) in [
            ("dead-letter list --reason plugin_error --json", true),
            ("dead-letter list --since 2026-01-01T00:00:00Z", true),
            ("dead-letter rerun", false),
            ("dead-letter rerun --since 2026-01-01T00:00:00Z", false),
            (
                "dead-letter rerun ltr_0198c1f0a3b27c4d8e5f60718293a4b5 --until 2026-01-01T00:00:00Z",
                false,
            ),
            (
                "dead-letter rerun ltr_0198c1f0a3b27c4d8e5f60718293a4b5",
                true,
            ),
            (
                "dead-letter rerun --automation aut_0198c1f0a3b27c4d8e5f60718293a4b5 --since 2026-01-01T00:00:00Z",
                true,
            ),
            (
                "dead-letter rerun ltr_0198c1f0a3b27c4d8e5f60718293a4b5 --automation aut_0198c1f0a3b27c4d8e5f60718293a4b5",
                false,
            ),
        ] {
            let words = std::iter::once("throwbar").chain(line.split(' '));
            assert_eq!(Arguments::try_parse_from(words).is_ok(), fine, "{line}");
        }
    }

    #[test]
    fn a_letter_is_one_line() {
        let letter = json!({
            "id": "ltr_1", "failed_at": "2026-01-01T00:00:00.000Z", "reason": "plugin_error", "failures": 2,
            "state": "open", "summary": "redact@1.0.0: no\nsuch field",
        });
        assert_eq!(
            line(&letter),
            "ltr_1  2026-01-01T00:00:00.000Z  plugin_error        2×  open   redact@1.0.0: no such field"
        );
        for (result, verdict, told) in [
            ("rerun", json!("fired"), "✓ ltr_1  fired: well"),
            (
                "failed",
                json!("plugin_error"),
                "✗ ltr_1  plugin_error: well",
            ),
            ("not_run", Value::Null, "✗ ltr_1  not_run: well"),
            ("already_rerun", Value::Null, "– ltr_1  already_rerun: well"),
        ] {
            let letter =
                json!({"id": "ltr_1", "result": result, "verdict": verdict, "summary": "well"});
            assert_eq!(ran(&letter), told);
        }
    }
}
