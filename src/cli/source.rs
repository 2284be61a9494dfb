//! `source`: where others send webhooks to, listed and made.

use std::io::Write as _;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::client::{ApiClient, ApiOptions, Body};
use super::listing::ListOptions;
use super::{paint, text_or_file};

/// Where others send webhooks to.
#[derive(Debug, clap::Subcommand)]
pub(super) enum SourceCommand {
    /// List an account's sources.
    List(ListOptions),
    /// Make a source: a URL whose webhooks become events.
    #[command(after_help = "Examples:\n  \
        throwbar source create --name github --scheme github\n  \
        throwbar source create --name shop --scheme hmac --header X-Shop-Signature --secret @shop.key \\\n    \
        --type '\"shop.\" + body.event' --id body.id\n  \
        throwbar source create --name scanner --scheme none --plugin scans@1.0.0 --config @scans.json")]
    Create(CreateOptions),
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// What it is called, also in conditions: event.source == "source:NAME".
    #[arg(long, value_name = "NAME")]
    name: String,
    /// How its sender proves itself.
    #[arg(long, value_name = "SCHEME", value_parser = ["standard", "github", "stripe", "hmac", "none"])]
    scheme: String,
    /// Of hmac: the header with the signature [default: x-signature].
    #[arg(long, value_name = "NAME")]
    header: Option<String>,
    /// What its sender signs with, as it is or as @FILE [default: a new one].
    #[arg(long, value_name = "SECRET")]
    secret: Option<String>,
    /// What its events' type is: CEL about headers, body and query [default: the usual for the scheme].
    #[arg(long = "type", value_name = "CEL")]
    event_type: Option<String>,
    /// What its sender calls an event: CEL [default: the usual for the scheme].
    #[arg(long, value_name = "CEL")]
    id: Option<String>,
    /// The plugin that makes events of its requests, in place of both.
    #[arg(long, value_name = "NAME@VERSION", conflicts_with_all = ["event_type", "id"])]
    plugin: Option<String>,
    /// The plugin's configuration, JSON, as it is or as @FILE.
    #[arg(long, value_name = "JSON", requires = "plugin")]
    config: Option<String>,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) async fn run(command: &SourceCommand) -> anyhow::Result<()> {
    match command {
        SourceCommand::List(options) => options.tell("/v1/sources", line).await,
        SourceCommand::Create(options) => create(options).await,
    }
}

async fn create(options: &CreateOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let secret = options.secret.as_deref().map(text_or_file).transpose()?;
    let config = options.config.as_deref().map(text_or_file).transpose()?;
    let config = config.map(|text| serde_json::from_str(&text).context("the configuration"));
    let wanted = wanted(options, secret, config.transpose()?);
    let made = client.post("/v1/sources", Body::of(&wanted)).await?;
    let mut out = std::io::stdout();
    if options.json {
        return Ok(writeln!(out, "{made}")?);
    }
    let server = options.client.url.trim_end_matches('/');
    for sentence in told(server, &made) {
        writeln!(out, "{sentence}")?;
    }
    Ok(())
}

fn wanted(options: &CreateOptions, secret: Option<String>, config: Option<Value>) -> Value {
    let given = |fields: &[(&str, Option<&String>)]| -> Map<String, Value> {
        let fields = fields.iter();
        fields
            .filter_map(|(name, value)| Some(((*name).to_owned(), Value::from((*value)?.as_str()))))
            .collect()
    };
    let scheme = Some(&options.scheme);
    let verification = given(&[("scheme", scheme), ("header", options.header.as_ref())]);
    let mut mapping = given(&[
        ("type", options.event_type.as_ref()),
        ("id", options.id.as_ref()),
        ("plugin", options.plugin.as_ref()),
    ]);
    if let Some(config) = config {
        mapping.insert("config".to_owned(), config);
    }
    let mut wanted = json!({ "name": options.name, "verification": verification });
    if !mapping.is_empty() {
        wanted["mapping"] = mapping.into();
    }
    if let Some(secret) = secret {
        wanted["secret"] = secret.into();
    }
    wanted
}

/// What was made, as lines.
fn told(server: &str, made: &Value) -> Vec<String> {
    let url = format!("{server}{}", word(made, "path"));
    let mut told = vec![
        format!(
            "{}  {}",
            word(made, "id"),
            paint::cut(word(made, "name"), 40)
        ),
        format!("send to {}", paint::link(&url)),
    ];
    match made["secret"].as_str() {
        Some(secret) => {
            told.push(paint::faint("signed with this secret, shown this once:"));
            told.push(secret.to_owned());
        }
        None => told.push(paint::faint(
            "nothing is signed: this URL, shown this once, is the secret",
        )),
    }
    told
}

fn line(source: &Value) -> String {
    let scheme = source["verification"]["scheme"]
        .as_str()
        .unwrap_or_default();
    let state = match (source["enabled"].as_bool(), source["refused"].as_i64()) {
        (Some(false), _) => paint::warn("switched off"),
        (_, Some(refused)) if refused > 0 => paint::faint(&format!(
            "{} refused",
            paint::thousands(refused.unsigned_abs())
        )),
        _ => String::new(),
    };
    let line = format!(
        "{}  {}  {}  {state}",
        word(source, "id"),
        paint::column(scheme, 8),
        paint::column(word(source, "name"), 30)
    );
    line.trim_end().to_owned()
}

fn word<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_one_line() {
        for (enabled, refused, state) in [
            (true, 0, ""),
            (true, 1234, "1 234 refused"),
            (false, 1, "switched off"),
        ] {
            let source = json!({
                "id": "src_1", "name": "GitHub", "verification": {"scheme": "github"},
                "enabled": enabled, "refused": refused,
            });
            let words: Vec<_> = ["src_1", "github", "GitHub", state]
                .into_iter()
                .filter(|it| !it.is_empty())
                .collect();
            let line = line(&source);
            let plain: Vec<_> = line
                .split("  ")
                .map(str::trim)
                .filter(|it| !it.is_empty())
                .collect();
            assert_eq!(plain.len(), words.len(), "{line}");
            assert_eq!(plain[..3], words[..3], "{line}");
        }
    }

    #[test]
    fn what_was_made_is_told_once() {
        let made = json!({"id": "src_1", "name": "a", "path": "/in/in_x", "secret": "s3cret"});
        let with = told("http://a.example", &made);
        assert_eq!(with[1], "send to http://a.example/in/in_x");
        assert_eq!(with[3], "s3cret");
        let made = json!({"id": "src_1", "name": "a", "path": "/in/in_x"});
        assert!(told("http://a.example", &made)[2].contains("this URL"));
    }
}
