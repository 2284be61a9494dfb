//! `automation test`: what an automation in a file would make of an event, told step by step, down to the
//! signed requests.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::Value;
use serde_json::value::RawValue;

use super::client::{ApiClient, ApiOptions, Body};
use super::paint;

/// Longest text from a payload or a plugin on one line.
const SHOWN_CHARS_MAX: usize = 400;

/// What is tried, and where.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The automation is as POST /v1/automations takes it; the event is a sample, {\"type\":\"deal.won\",\"data\":{…}}, \
    or one that came, {\"id\":\"evt_…\"}. Exit codes: 0, it fires; 3, it does not.\n\n\
    Examples:\n  \
    throwbar automation test --file automation.json --event event.json\n  \
    throwbar automation test --file automation.json --event event.json --json | jq .requests"
)]
pub(super) struct TestOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// The automation: JSON.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// The event: JSON.
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) async fn run(options: &TestOptions) -> anyhow::Result<ExitCode> {
    let (automation, event) = (read(&options.file)?, read(&options.event)?);
    let client = ApiClient::open(&options.client)?;
    // Texts as they are in the files: a payload is no value that may be written differently.
    let trial = format!(
        r#"{{"automation":{},"event":{}}}"#,
        automation.get(),
        event.get()
    );
    let answer = client
        .post("/v1/automations/test", Body::json(trial))
        .await?;
    let mut out = std::io::stdout();
    if options.json {
        writeln!(out, "{answer}")?;
    } else {
        tell(&mut out, &answer)?;
    }
    Ok(if answer["verdict"] == "fired" {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(super::EXIT_NO)
    })
}

fn read(path: &Path) -> anyhow::Result<Box<RawValue>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{shown} can't be read"))?;
    serde_json::from_str(&text).with_context(|| format!("{shown} is not JSON"))
}

/// The text of a field; nothing, if there is none.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value[field].as_array().into_iter().flatten()
}

/// Tells a trial to a person.
fn tell(out: &mut impl Write, answer: &Value) -> std::io::Result<()> {
    let verdict = text(answer, "verdict");
    let (mark, painted) = match verdict {
        "fired" => (paint::good("✓"), paint::good(verdict)),
        "filtered" | "not_subscribed" | "plugin_dropped" => {
            (paint::warn("–"), paint::warn(verdict))
        }
        _ => (paint::bad("✗"), paint::bad(verdict)),
    };
    writeln!(out, "{mark} {painted}: {}", shown(text(answer, "summary")))?;
    for (no, step) in (1..).zip(list(answer, "steps")) {
        tell_step(out, no, step)?;
    }
    for request in list(answer, "requests") {
        tell_request(out, request)?;
    }
    Ok(())
}

fn tell_step(out: &mut impl Write, no: usize, step: &Value) -> std::io::Result<()> {
    let what = paint::strong(&shown(text(step, "what")));
    let (kind, outcome) = (text(step, "kind"), text(step, "outcome"));
    writeln!(out, "\n{no}. {kind} {what}: {outcome}")?;
    let why = text(step, "why");
    if !why.is_empty() {
        writeln!(out, "   {}", shown(why))?;
    }
    let detail = &step["detail"];
    let mut side = |mark: &str, body: &Value| {
        let cut = text(body, "cut");
        let cut = if cut.is_empty() {
            String::new()
        } else {
            paint::faint(&format!(" ({cut})"))
        };
        writeln!(out, "   {mark} {}{cut}", shown(text(body, "body")))
    };
    if detail["input"].is_object() {
        side(&paint::bad("-"), &detail["input"])?;
    }
    for output in list(detail, "outputs") {
        side(&paint::good("+"), output)?;
    }
    for line in list(detail, "log") {
        let (level, message) = (text(line, "level"), shown(text(line, "message")));
        writeln!(out, "   {}", paint::faint(&format!("{level}: {message}")))?;
    }
    if let (Some(fuel), Some(us)) = (
        detail["usage"]["fuel"].as_u64(),
        detail["usage"]["duration_us"].as_u64(),
    ) {
        let used = format!(
            "{} fuel, {} µs",
            paint::thousands(fuel),
            paint::thousands(us)
        );
        writeln!(out, "   {}", paint::faint(&used))?;
    }
    Ok(())
}

fn tell_request(out: &mut impl Write, request: &Value) -> std::io::Result<()> {
    writeln!(
        out,
        "\n→ {} {}",
        shown(text(request, "method")),
        paint::link(&shown(text(request, "url")))
    )?;
    let held = text(request, "held");
    if !held.is_empty() {
        writeln!(out, "  {}", paint::warn(&shown(held)))?;
    }
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        let value = shown(value.as_str().unwrap_or_default());
        writeln!(out, "  {}: {value}", paint::faint(name))?;
    }
    writeln!(out, "\n  {}", shown(text(request, "body")))?;
    let cut = text(request, "cut");
    if !cut.is_empty() {
        writeln!(out, "  {}", paint::faint(cut))?;
    }
    Ok(())
}

/// A text from elsewhere on one line.
fn shown(text: &str) -> String {
    paint::cut(text, SHOWN_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(answer: &Value) -> String {
        let mut out = Vec::new();
        tell(&mut out, answer).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_trial_is_told_step_by_step() {
        let detail = json!({
            "usage": {"fuel": 12345, "duration_us": 80},
            "log": [{"level": "info", "message": "one\nline"}],
            "input": {"body": "{\"a\":1}", "cut": "these are the first 7 of 9 bytes"},
            "outputs": [{"body": "{}"}],
        });
        let answer = json!({
            "verdict": "fired", "summary": "the event's type matched",
            "steps": [
                {"kind": "condition", "what": "event.data.a > 0", "outcome": "true", "why": "it holds", "detail": []},
                {"kind": "transform", "what": "redact@1.0.0", "outcome": "emitted", "why": "1 output(s)", "detail": detail},
            ],
            "requests": [{
                "method": "PUT", "url": "https://a.example/", "headers": {"x-signature": "00ff"}, "body": "{}",
                "held": "it would be held",
            }],
        });
        let wanted = "✓ fired: the event's type matched\n\
            \n1. condition event.data.a > 0: true\n   it holds\n\
            \n2. transform redact@1.0.0: emitted\n   1 output(s)\n   - {\"a\":1} (these are the first 7 of 9 bytes)\n   + {}\n   info: one line\n   12,345 fuel, 80 µs\n\
            \n→ PUT https://a.example/\n  it would be held\n  x-signature: 00ff\n\n  {}\n";
        assert_eq!(told(&answer), wanted);
    }

    #[test]
    fn what_does_not_fire_has_a_mark_of_its_own() {
        for (verdict, mark) in [("filtered", "–"), ("plugin_error", "✗")] {
            let answer = json!({"verdict": verdict, "summary": "s", "steps": [], "requests": []});
            assert_eq!(told(&answer), format!("{mark} {verdict}: s\n"));
        }
    }
}
