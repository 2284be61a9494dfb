//! `event-type`: what is catalogued, documents of event types, and the ready-made catalogues.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::Value;

use super::client::{ApiClient, ApiOptions, Body};
use super::{EXIT_NO, paint};

/// List event types, import a document of them, or install a ready-made catalogue.
#[derive(Debug, clap::Subcommand)]
pub(super) enum EventTypeCommand {
    /// List the event types, by name; or the ready-made catalogues.
    List(ListOptions),
    /// Import event types from an OpenAPI document's webhooks or from a JSON list.
    #[command(
        after_help = "Exit code 3: at least one event type was refused; the others were imported."
    )]
    Import(ImportOptions),
    /// Install a ready-made catalogue: crm, dialer or proposals.
    Install(InstallOptions),
}

#[derive(Debug, clap::Args)]
pub(super) struct ListOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Those that are put away, too.
    #[arg(long)]
    archived: bool,
    /// The ready-made catalogues instead.
    #[arg(long, conflicts_with = "archived")]
    catalogues: bool,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ImportOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// The document; - reads standard input.
    #[arg(value_name = "FILE")]
    file: String,
    /// Only say what would come of it.
    #[arg(long)]
    dry_run: bool,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct InstallOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Which.
    #[arg(value_name = "CATALOGUE")]
    name: String,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) async fn run(command: &EventTypeCommand) -> anyhow::Result<ExitCode> {
    match command {
        EventTypeCommand::List(options) => list(options).await,
        EventTypeCommand::Import(options) => import(options).await,
        EventTypeCommand::Install(options) => install(options).await,
    }
}

async fn list(options: &ListOptions) -> anyhow::Result<ExitCode> {
    let client = ApiClient::open(&options.client)?;
    let all = match (options.catalogues, options.archived) {
        (true, _) => "/v1/event-types/catalogues",
        (false, true) => "/v1/event-types?limit=250&archived=true",
        (false, false) => "/v1/event-types?limit=250",
    };
    let mut path = all.to_owned();
    let mut out = std::io::stdout();
    loop {
        let page = client.get(&path).await?;
        for row in page["data"].as_array().into_iter().flatten() {
            if options.json {
                writeln!(out, "{row}")?;
            } else if options.catalogues {
                writeln!(out, "{}", catalogue(row))?;
            } else {
                writeln!(out, "{}", line(row))?;
            }
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{all}&cursor={cursor}"),
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

async fn import(options: &ImportOptions) -> anyhow::Result<ExitCode> {
    let client = ApiClient::open(&options.client)?;
    let document = document(&options.file)?;
    let path = if options.dry_run {
        "/v1/event-types/import?dry_run=true"
    } else {
        "/v1/event-types/import"
    };
    let report = client.post(path, Body::json(document)).await?;
    tell(&report, options.json.then_some(&report))
}

fn document(file: &str) -> anyhow::Result<Vec<u8>> {
    if file == "-" {
        let mut document = Vec::new();
        std::io::stdin().lock().read_to_end(&mut document)?;
        return Ok(document);
    }
    std::fs::read(file).with_context(|| format!("{file} can't be read"))
}

async fn install(options: &InstallOptions) -> anyhow::Result<ExitCode> {
    let client = ApiClient::open(&options.client)?;
    // A name is one segment of the path, whatever is in it.
    let name: String = url::form_urlencoded::byte_serialize(options.name.as_bytes()).collect();
    let path = format!("/v1/event-types/catalogues/{name}/install");
    let report = client.post(&path, Body::empty()).await?;
    tell(&report, options.json.then_some(&report))
}

/// Tells what came of each, as it is if `json` has it; says no if one was refused.
fn tell(report: &Value, json: Option<&Value>) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    if let Some(json) = json {
        writeln!(out, "{json}")?;
    } else {
        for entry in entries(report) {
            writeln!(out, "{}", told(entry))?;
        }
        writeln!(out, "{}", sum(report))?;
    }
    let refused = entries(report).any(|entry| entry["outcome"] == "refused");
    Ok(ExitCode::from(if refused { EXIT_NO } else { 0 }))
}

fn entries(report: &Value) -> impl Iterator<Item = &Value> {
    report["data"].as_array().into_iter().flatten()
}

/// One event type of a report.
fn told(entry: &Value) -> String {
    let word = |field: &str| entry[field].as_str().unwrap_or_default();
    let mark = match word("outcome") {
        "refused" => paint::bad("✗"),
        "kept" => paint::warn("!"),
        "unchanged" => " ".to_owned(),
        _ => paint::good("✓"),
    };
    let outcome = word("outcome").replace('_', " ");
    let version = match entry["schema_version"].as_i64() {
        Some(version) => format!("version {version}"),
        None => String::new(),
    };
    let why = match (word("pointer"), word("why")) {
        (_, "") => String::new(),
        ("", why) => why.to_owned(),
        (pointer, why) => format!("{pointer}: {why}"),
    };
    let line = format!(
        "{mark} {}  {}  {}  {why}",
        paint::column(&outcome, 11),
        paint::column(word("name"), 28),
        paint::column(&version, 10)
    );
    line.trim_end().to_owned()
}

/// How many of each.
fn sum(report: &Value) -> String {
    let outcomes = [
        "created",
        "new_version",
        "changed",
        "unchanged",
        "kept",
        "refused",
    ];
    let counted: Vec<String> = outcomes
        .iter()
        .map(|outcome| {
            (
                outcome,
                entries(report).filter(|entry| entry["outcome"] == **outcome),
            )
        })
        .map(|(outcome, found)| (outcome, found.count()))
        .filter(|(_, count)| *count > 0)
        .map(|(outcome, count)| format!("{count} {}", outcome.replace('_', " ")))
        .collect();
    let counted = if counted.is_empty() {
        "no event types in it".to_owned()
    } else {
        counted.join(", ")
    };
    if report["dry_run"] == true {
        format!("{counted}; nothing was written")
    } else {
        counted
    }
}

/// An event type in a list.
fn line(row: &Value) -> String {
    let word = |field: &str| row[field].as_str().unwrap_or_default();
    let version = match row["schema_version"].as_i64() {
        Some(version) => format!("v{version}"),
        None => "-".to_owned(),
    };
    let archived = if row["archived"] == true {
        "archived  "
    } else {
        ""
    };
    let line = format!(
        "{}  {}  {}  {}  {archived}{}",
        paint::column(word("name"), 28),
        paint::column(word("group"), 14),
        paint::column(&version, 4),
        paint::column(word("owner"), 12),
        paint::cut(word("description"), 60)
    );
    line.trim_end().to_owned()
}

/// A ready-made catalogue in a list.
fn catalogue(row: &Value) -> String {
    let word = |field: &str| row[field].as_str().unwrap_or_default();
    let count = row["event_types"].as_array().map_or(0, Vec::len);
    format!(
        "{}  {count:>3} event types  {}: {}",
        paint::column(word("name"), 10),
        word("title"),
        word("description")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_type_is_one_line() {
        let row = json!({
            "name": "deal.won", "group": "Deals", "schema_version": 3, "owner": "account",
            "archived": true, "description": "A deal\nwas won.",
        });
        let words = line(&row);
        let words: Vec<_> = words.split_whitespace().collect();
        assert_eq!(
            words,
            [
                "deal.won", "Deals", "v3", "account", "archived", "A", "deal", "was", "won."
            ]
        );
        let bare =
            json!({"name": "a", "group": null, "schema_version": null, "owner": "installation"});
        let words = line(&bare);
        assert_eq!(
            words.split_whitespace().collect::<Vec<_>>(),
            ["a", "-", "installation"]
        );
        let crm = json!({"name": "crm", "title": "CRM", "description": "All of it.", "event_types": ["a", "b"]});
        assert!(catalogue(&crm).contains("2 event types  CRM: All of it."));
    }

    #[test]
    fn a_report_tells_each_and_sums_up() {
        let report = json!({"dry_run": true, "data": [
            {"name": "a", "outcome": "created", "schema_version": 1},
            {"name": "b", "outcome": "new_version", "schema_version": 4},
            {"name": "c", "outcome": "refused", "schema_version": null, "pointer": "/schema/type", "why": "no such type"},
            {"name": "d", "outcome": "created", "schema_version": null},
        ]});
        assert_eq!(
            sum(&report),
            "2 created, 1 new version, 1 refused; nothing was written"
        );
        assert!(told(&report["data"][1]).contains("new version"));
        assert!(told(&report["data"][2]).ends_with("/schema/type: no such type"));
        assert_eq!(
            sum(&json!({"dry_run": false, "data": []})),
            "no event types in it"
        );
        let no = format!("{:?}", tell(&report, None).expect("told"));
        assert_eq!(no, format!("{:?}", ExitCode::from(EXIT_NO)));
    }
}
