//! `automation rerun`: what follows from past events, sent once more.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Value, json};

use super::client::{ApiClient, ApiOptions, Body};
use super::{job, paint};
use crate::model::{AutomationId, EventId, Timestamp};

/// Longest sentence on one line.
const SHOWN_CHARS_MAX: usize = 200;

/// Which events are run again, and how.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("which").required(true).args(["events", "since"])),
    after_help = "What comes of it is sent, marked as a re-run, behind everything else.\n\n\
    Exit codes: 0, all went well; 1, not one event was run again; 3, something is wrong with some.\n\n\
    Examples:\n  \
    throwbar automation rerun aut_… --event evt_… --as it_ran\n  \
    throwbar automation rerun aut_… --since 2026-05-04T10:30:00Z --until 2026-05-04T12:00:00Z --as current"
)]
pub(super) struct RerunOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Which: aut_…
    #[arg(value_name = "ID")]
    id: AutomationId,
    /// An event: evt_…; repeat it for more.
    #[arg(long = "event", value_name = "ID")]
    events: Vec<EventId>,
    /// Events that came at this time or later, RFC 3339.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Events that came before this time, RFC 3339 [default: now].
    #[arg(long, value_name = "TIME", requires = "since")]
    until: Option<Timestamp>,
    /// it_ran: each by the version that it met, with the plugins that ran then; current: by the version that is
    /// published now.
    #[arg(long = "as", value_name = "HOW", value_parser = ["it_ran", "current"])]
    how: String,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) async fn run(options: &RerunOptions) -> anyhow::Result<ExitCode> {
    let client = ApiClient::open(&options.client)?;
    let path = format!("/v1/automations/{}/rerun", options.id);
    let given = client.post(&path, Body::of(&asked(options))).await?;
    let job = job::ended(&client, job::id_of(&given)?).await?;
    let mut out = std::io::stdout();
    if options.json {
        writeln!(out, "{job}")?;
    } else {
        tell(&mut out, &job)?;
    }
    job::came_to_its_end(&job)?;
    let result = &job["result"];
    if job::events(&result["verdicts"]) == 0 {
        bail!("not one event was run again: {}", job::why_none(&job));
    }
    let is_well = problems(result).next().is_none() && result["missing"] == 0;
    Ok(if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(super::EXIT_NO)
    })
}

/// What is asked for.
fn asked(options: &RerunOptions) -> Value {
    let mut asked = json!({ "as": options.how });
    if !options.events.is_empty() {
        asked["events"] = json!(options.events);
    }
    for (name, at) in [("since", options.since), ("until", options.until)] {
        if let Some(at) = at {
            asked[name] = json!(at);
        }
    }
    asked
}

fn problems(result: &Value) -> impl Iterator<Item = &Value> {
    result["problems"].as_array().into_iter().flatten()
}

/// Tells the result to a person.
pub(super) fn tell(out: &mut impl Write, job: &Value) -> std::io::Result<()> {
    let result = &job["result"];
    let by = match result["version"].as_i64() {
        Some(version) => format!("by version {version}"),
        None => "by the version that each met".to_owned(),
    };
    let events = paint::counted(job::events(&result["verdicts"]), "event");
    let verdicts = job::verdicts(&result["verdicts"]);
    let verdicts = if verdicts.is_empty() {
        String::new()
    } else {
        format!(": {verdicts}")
    };
    writeln!(out, "{events} run again {by}{verdicts}")?;
    let count = |field: &str| result[field].as_u64().unwrap_or(0);
    match count("deliveries") {
        0 => writeln!(out, "  no deliveries were made")?,
        1 => writeln!(out, "  1 delivery was made")?,
        made => writeln!(out, "  {} deliveries were made", paint::thousands(made))?,
    }
    match count("not_run") {
        0 => {}
        1 => writeln!(out, "  1 event was passed over")?,
        passed => writeln!(
            out,
            "  {} were passed over",
            paint::counted(passed, "event")
        )?,
    }
    job::tell_left_out(out, result)?;
    for problem in problems(result) {
        let text = |field: &str| problem[field].as_str().unwrap_or_default();
        let summary = paint::cut(text("summary"), SHOWN_CHARS_MAX);
        let (mark, event) = (paint::bad("✗"), text("event"));
        writeln!(out, "{mark} {event}  {}: {summary}", text("verdict"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_told_in_a_few_lines() {
        let job = json!({"result": {
            "as": "current", "version": 3, "verdicts": {"fired": 1200, "plugin_error": 1}, "deliveries": 1200,
            "not_run": 2, "missing": 1, "truncated": false,
            "problems": [{"event": "evt_1", "verdict": "plugin_error", "summary": "no\nfield"}],
        }});
        let mut out = Vec::new();
        tell(&mut out, &job).expect("memory takes it");
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "1,201 events run again by version 3: 1,200 fired, 1 plugin_error\n\
             \x20 1,200 deliveries were made\n\
             \x20 2 events were passed over\n\
             ! 1 event is passed over: it is not kept any more\n\
             ✗ evt_1  plugin_error: no field\n"
        );
    }
}
