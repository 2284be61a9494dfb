//! `endpoint`: examples are sent to one, and what comes of them is told.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{ApiClient, ApiOptions, Body};
use super::{EXIT_NO, delivery, paint};
use crate::model::{Clock, EndpointId};

/// How often a delivery is looked at.
const LOOK_MS: i64 = 200;
/// Longest payload that is shown.
const SHOWN_CHARS_MAX: usize = 2_000;

/// What can be done with endpoints.
#[derive(Debug, clap::Subcommand)]
pub(super) enum EndpointCommand {
    /// Send examples of events to one, signed as always, and tell what comes of the first attempt.
    Test(TestOptions),
}

/// What is sent.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The examples are those of the event types, or are made from their schemas. They are marked as tests: no \
    automation looks at them.\n\n\
    Exit codes: 0, all of them arrived; 1, it was refused; 3, one did not arrive with its first attempt.\n\n\
    Examples:\n  \
    throwbar endpoint test ep_…\n  \
    throwbar endpoint test ep_… --type deal.won"
)]
pub(super) struct TestOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Which endpoint: ep_…
    #[arg(value_name = "ENDPOINT")]
    endpoint: EndpointId,
    /// An example of this event type [default: of every one that the endpoint subscribes to].
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// How long to wait for the first attempts.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// Tell it in JSON, one line for each.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) async fn run(command: &EndpointCommand) -> anyhow::Result<ExitCode> {
    match command {
        EndpointCommand::Test(options) => test(options).await,
    }
}

async fn test(options: &TestOptions) -> anyhow::Result<ExitCode> {
    let client = ApiClient::open(&options.client)?;
    let path = format!("/v1/endpoints/{}/test", options.endpoint);
    let asked = match &options.event_type {
        Some(name) => json!({ "type": name }),
        None => json!({}),
    };
    let sent = client.post(&path, Body::of(&asked)).await?;
    let real = Clock::System;
    let patience = i64::try_from(Duration::from_secs(options.wait).as_millis());
    let until = real.now().plus_ms(patience.unwrap_or(i64::MAX / 2));
    let mut out = std::io::stdout();
    let mut all_arrived = true;
    for test in sent["data"].as_array().into_iter().flatten() {
        let path = format!("/v1/deliveries/{}", text(test, "delivery"));
        let mut attempts = client.get(&format!("{path}/attempts")).await?;
        while attempts["data"][0].is_null() && real.now() < until {
            real.sleep_until(real.now().plus_ms(LOOK_MS)).await;
            attempts = client.get(&format!("{path}/attempts")).await?;
        }
        let delivery = client.get(&path).await?;
        let event = format!("/v1/events/{}", text(test, "event"));
        let event = client.get(&event).await?;
        all_arrived &= delivery["state"] == "delivered";
        let whole = json!({
            "test": test, "data": event["data"], "attempts": attempts["data"], "state": delivery["state"],
        });
        if options.json {
            writeln!(out, "{whole}")?;
        } else {
            tell(&mut out, &whole)?;
        }
    }
    for left_out in sent["left_out"].as_array().into_iter().flatten() {
        if options.json {
            writeln!(out, "{}", json!({ "left_out": left_out }))?;
        } else {
            let (event_type, why) = (text(left_out, "type"), text(left_out, "why"));
            writeln!(out, "{} {event_type}: {why}", paint::warn("→"))?;
        }
    }
    Ok(if all_arrived {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_NO)
    })
}

/// Tells one to a person: what was sent, each attempt, and how it stands.
fn tell(out: &mut impl Write, whole: &Value) -> std::io::Result<()> {
    let test = &whole["test"];
    let from = match text(test, "made_from") {
        "example" => "its example",
        "schema" => "made from its schema",
        _ => "a plain sample: it has neither example nor schema",
    };
    writeln!(
        out,
        "{}  {}",
        paint::strong(text(test, "type")),
        paint::faint(&format!("{from}, {}", text(test, "delivery")))
    )?;
    let payload = serde_json::to_string_pretty(&whole["data"]).unwrap_or_default();
    let cut: String = payload.chars().take(SHOWN_CHARS_MAX).collect();
    for line in cut.lines() {
        writeln!(out, "  {line}")?;
    }
    if cut.len() < payload.len() {
        writeln!(out, "  …")?;
    }
    let mut any = false;
    for attempt in whole["attempts"].as_array().into_iter().flatten() {
        any = true;
        writeln!(out, "  {}", delivery::attempted(attempt))?;
        if let Some(answer) = attempt["response"].as_str() {
            writeln!(out, "    {}", paint::cut(answer, 200))?;
        }
    }
    match text(whole, "state") {
        "delivered" => Ok(()),
        "pending" if any => writeln!(
            out,
            "  it is tried again as the endpoint's retry policy says"
        ),
        state => writeln!(out, "  {}", paint::bad(state)),
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_told_with_its_payload_and_what_came_of_it() {
        let attempt = json!({
            "no": 1, "at": "2026-01-01T00:00:00.000Z", "status_code": 500, "error_class": null, "duration_ms": 7,
            "message": null, "response": "no\nroom",
        });
        let whole = json!({
            "test": {"type": "deal.won", "made_from": "schema", "delivery": "dlv_1"}, "data": {"a": 1},
            "attempts": [attempt], "state": "pending",
        });
        let mut out = Vec::new();
        tell(&mut out, &whole).expect("memory takes it");
        let told = String::from_utf8(out).expect("text");
        for part in [
            "deal.won",
            "made from its schema",
            "    \"a\": 1",
            "500  7 ms",
            "no room",
            "tried again",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
