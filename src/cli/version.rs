//! `automation versions`, `publish` and `rollback`: which version of an automation is live, and which was.

use std::io::Write as _;

use serde_json::{Value, json};

use super::client::{ApiClient, ApiOptions, Body};
use super::{listing, paint};
use crate::model::AutomationId;

/// Of which automation.
#[derive(Debug, clap::Args)]
pub(super) struct OneOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Which: aut_…
    #[arg(value_name = "ID")]
    id: AutomationId,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Which version is published.
#[derive(Debug, clap::Args)]
pub(super) struct PublishOptions {
    #[command(flatten)]
    one: OneOptions,
    /// The version's number.
    #[arg(value_name = "VERSION")]
    number: Option<i64>,
    /// Publish it although its tests fail; why, is written down.
    #[arg(long = "override", value_name = "REASON")]
    overriding: Option<String>,
}

/// Which version is published again.
#[derive(Debug, clap::Args)]
pub(super) struct RollbackOptions {
    #[command(flatten)]
    one: OneOptions,
    /// The version's number.
    #[arg(value_name = "VERSION")]
    number: Option<i64>,
}

/// Lists the versions.
pub(super) async fn list(options: &OneOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let said: fn(&Value) -> String = if options.json { Value::to_string } else { line };
    let versions = format!("/v1/automations/{}/versions", options.id);
    listing::tell(&client, &versions, said).await
}

/// Publishes a version.
pub(super) async fn publish(options: &PublishOptions) -> anyhow::Result<()> {
    let mut wanted = json!({});
    if let Some(version) = options.number {
        wanted["version"] = json!(version);
    }
    if let Some(reason) = &options.overriding {
        wanted["override"] = json!({ "reason": reason });
    }
    put_live(&options.one, "publish", &wanted).await
}

/// Publishes one again that was live before.
pub(super) async fn roll_back(options: &RollbackOptions) -> anyhow::Result<()> {
    let wanted = options.number;
    let wanted = wanted.map_or_else(|| json!({}), |version| json!({ "to": version }));
    put_live(&options.one, "rollback", &wanted).await
}

async fn put_live(options: &OneOptions, step: &str, wanted: &Value) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let path = format!("/v1/automations/{}/{step}", options.id);
    let answer = client.post(&path, Body::of(wanted)).await?;
    let mut out = std::io::stdout();
    if options.json {
        return Ok(writeln!(out, "{answer}")?);
    }
    for sentence in told(&answer) {
        writeln!(out, "{sentence}")?;
    }
    Ok(())
}

/// What has changed, as sentences.
fn told(answer: &Value) -> Vec<String> {
    let summary = answer["summary"].as_str().unwrap_or_default();
    let mut told = vec![format!("{} {summary}", paint::good("✓"))];
    let removed = answer["removed_endpoints"].as_array();
    for endpoint in removed.into_iter().flatten().filter_map(Value::as_str) {
        let mark = paint::warn("!");
        told.push(format!(
            "{mark} {endpoint} was removed: nothing is delivered there"
        ));
    }
    told
}

fn line(version: &Value) -> String {
    let word = |pointer: &str| version.pointer(pointer).and_then(Value::as_str);
    let published = if version["published"] == true {
        "published"
    } else {
        ""
    };
    let number = version["version"].to_string();
    let line = format!(
        "{number:>4}  {:<24}  {}  {}  {}",
        word("/created_at").unwrap_or_default(),
        paint::column(published, 9),
        paint::column(word("/author/name").unwrap_or("-"), 20),
        paint::cut(word("/note").unwrap_or_default(), 60)
    );
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_one_line() {
        let version = json!({
            "version": 12, "published": true, "created_at": "2026-01-01T00:00:00.000Z",
            "author": {"id": "key_1", "name": "billing"}, "note": "two\nlines",
        });
        assert_eq!(
            line(&version),
            "  12  2026-01-01T00:00:00.000Z  published  billing               two lines"
        );
        let bare = json!({"version": 1, "published": false, "created_at": "", "author": null, "note": null});
        assert_eq!(
            line(&bare).split_whitespace().collect::<Vec<_>>(),
            ["1", "-"]
        );
    }

    #[test]
    fn what_is_not_delivered_any_more_is_told() {
        let answer = json!({"summary": "version 2 is published", "removed_endpoints": ["ep_1"]});
        let told = told(&answer);
        assert_eq!(told[0], "✓ version 2 is published");
        assert!(told[1].contains("ep_1 was removed"), "{}", told[1]);
    }
}
