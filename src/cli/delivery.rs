//! `delivery`: what goes to endpoints, listed, looked at, and sent again.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::Value;

use super::client::{ApiClient, ApiOptions, Body};
use super::{listing, paint};
use crate::model::{DeliveryId, EndpointId, EventId};

/// Longest sentence on one line.
const SHOWN_CHARS_MAX: usize = 100;

/// What can be done with deliveries.
#[derive(Debug, clap::Subcommand)]
pub(super) enum DeliveryCommand {
    /// List them, newest first.
    List(ListOptions),
    /// Tell how one stands, and what came of each attempt.
    Show(ShowOptions),
    /// Send some again, whatever became of them: same body, same webhook-id, a whole retry policy.
    Resend(ResendOptions),
}

/// Which ones are listed.
#[derive(Debug, clap::Args)]
pub(super) struct ListOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Only of this event: evt_…
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,
    /// Only to this endpoint: ep_…
    #[arg(long, value_name = "ID")]
    endpoint: Option<EndpointId>,
    /// Only in this state.
    #[arg(long, value_name = "WORD", value_parser = ["pending", "claimed", "delivered", "failed", "held", "cancelled"])]
    state: Option<String>,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Which one is told of.
#[derive(Debug, clap::Args)]
pub(super) struct ShowOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Which: dlv_…
    #[arg(value_name = "ID")]
    id: DeliveryId,
    /// Tell it in JSON: the delivery, with its attempts.
    #[arg(long)]
    json: bool,
}

/// Which ones are sent again.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What was missed at an endpoint is sent by `throwbar recover`, however much it is.\n\n\
    Exit codes: 0, all will be sent; 1, one was refused, and those after it were not asked for.\n\n\
    Example:\n  \
    throwbar delivery resend dlv_0198c1f0a3b27c4d8e5f60718293a4b5"
)]
pub(super) struct ResendOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Which: dlv_…
    #[arg(value_name = "ID", required = true)]
    ids: Vec<DeliveryId>,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) async fn run(command: &DeliveryCommand) -> anyhow::Result<ExitCode> {
    match command {
        DeliveryCommand::List(options) => list(options).await,
        DeliveryCommand::Show(options) => show(options).await,
        DeliveryCommand::Resend(options) => resend(options).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

async fn list(options: &ListOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let said: fn(&Value) -> String = if options.json { Value::to_string } else { line };
    listing::tell(&client, &path(options), said).await
}

/// The path with its query.
fn path(options: &ListOptions) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::from("/v1/deliveries?"));
    query.append_pair("limit", "250");
    for (name, value) in [
        ("event", options.event.map(|id| id.to_string())),
        ("endpoint", options.endpoint.map(|id| id.to_string())),
        ("state", options.state.clone()),
    ] {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    query.finish()
}

async fn show(options: &ShowOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let path = format!("/v1/deliveries/{}", options.id);
    let mut delivery = client.get(&path).await?;
    let mut attempts = client.get(&format!("{path}/attempts")).await?;
    let mut out = std::io::stdout();
    if options.json {
        delivery["attempts"] = attempts["data"].take();
        return Ok(writeln!(out, "{delivery}")?);
    }
    writeln!(out, "{}", line(&delivery))?;
    for attempt in attempts["data"].as_array().into_iter().flatten() {
        writeln!(out, "  {}", attempted(attempt))?;
    }
    Ok(())
}

async fn resend(options: &ResendOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let mut out = std::io::stdout();
    for id in &options.ids {
        let path = format!("/v1/deliveries/{id}/resend");
        let resent = client.post(&path, Body::empty()).await?;
        if options.json {
            writeln!(out, "{resent}")?;
        } else {
            let again = text(&resent, "id");
            writeln!(out, "{} {id} is sent again as {again}", paint::good("✓"))?;
        }
    }
    Ok(())
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn line(delivery: &Value) -> String {
    let line = format!(
        "{}  {}  {}  {:>3}×  {}  {}  {}",
        text(delivery, "id"),
        text(delivery, "created_at"),
        paint::column(text(delivery, "state"), 9),
        delivery["attempts_made"].to_string(),
        text(delivery, "endpoint"),
        text(delivery, "event"),
        text(delivery, "failure")
    );
    line.trim_end().to_owned()
}

/// What came of an attempt.
pub(super) fn attempted(attempt: &Value) -> String {
    let status = attempt["status_code"].as_u64();
    let mark = if status.is_some_and(|status| (200..300).contains(&status)) {
        paint::good("✓")
    } else {
        paint::bad("✗")
    };
    let came = status.map_or_else(
        || text(attempt, "error_class").to_owned(),
        |status| status.to_string(),
    );
    let line = format!(
        "{mark} {}  {}  {came}  {} ms  {}",
        attempt["no"],
        text(attempt, "at"),
        attempt["duration_ms"],
        paint::cut(text(attempt, "message"), SHOWN_CHARS_MAX)
    );
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_delivery_is_one_line_and_so_is_an_attempt() {
        let delivery = json!({
            "id": "dlv_1", "created_at": "2026-01-01T00:00:00.000Z", "state": "failed", "attempts_made": 3,
            "endpoint": "ep_1", "event": "evt_1", "failure": "exhausted",
        });
        assert_eq!(
            line(&delivery),
            "dlv_1  2026-01-01T00:00:00.000Z  failed       3×  ep_1  evt_1  exhausted"
        );
        let attempt = |status: Value, class: Value, message: Value| {
            json!({
                "no": 1, "at": "2026-01-01T00:00:00.000Z", "status_code": status, "error_class": class,
                "duration_ms": 7, "message": message,
            })
        };
        for (attempt, told) in [
            (
                attempt(json!(204), Value::Null, Value::Null),
                "✓ 1  2026-01-01T00:00:00.000Z  204  7 ms",
            ),
            (
                attempt(Value::Null, json!("connect"), json!("nobody\nlistens")),
                "✗ 1  2026-01-01T00:00:00.000Z  connect  7 ms  nobody listens",
            ),
        ] {
            assert_eq!(attempted(&attempt), told);
        }
    }
}
