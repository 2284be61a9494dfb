//! `automation backtest`: what a draft would say of past events, beside what the published version says.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::client::{ApiClient, ApiOptions, Body};
use super::{job, paint};
use crate::model::AutomationId;

/// Events that are told one by one.
const EVENTS_TOLD_MAX: usize = 10;
/// Changes that are told of one body.
const CHANGES_TOLD_MAX: usize = 5;
/// Longest text from a payload on one line.
const SHOWN_CHARS_MAX: usize = 160;

/// What is compared, and on which events.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A draft is JSON as POST /v1/automations takes it, of which parts may be left out: they are as in the newest \
    version.\n\n\
    Exit codes: 0, nothing differs; 1, not one event was compared; 3, something differs.\n\n\
    Examples:\n  \
    throwbar automation backtest aut_… --file draft.json --events 10000\n  \
    throwbar automation backtest aut_… --draft 4 --since 2026-01-01T00:00:00Z --json"
)]
pub(super) struct BacktestOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Which: aut_…
    #[arg(value_name = "ID")]
    id: AutomationId,
    /// A draft: JSON.
    #[arg(long, value_name = "FILE", conflicts_with = "draft")]
    file: Option<PathBuf>,
    /// A version's number [default: the newest].
    #[arg(long, value_name = "VERSION")]
    draft: Option<i64>,
    /// The last so many events [default: 1000].
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["since", "until"])]
    events: Option<u64>,
    /// Events that came at this time or later, RFC 3339.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Events that came before this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) async fn run(options: &BacktestOptions) -> anyhow::Result<ExitCode> {
    let asked = asked(options)?;
    let client = ApiClient::open(&options.client)?;
    let path = format!("/v1/automations/{}/backtest", options.id);
    let given = client.post(&path, Body::json(asked)).await?;
    let job = job::ended(&client, job::id_of(&given)?).await?;
    let mut out = std::io::stdout();
    if options.json {
        writeln!(out, "{job}")?;
    } else {
        tell(&mut out, &job)?;
        let id = text(&job, "id");
        let listed = format!("/v1/jobs/{id}/differences?limit={EVENTS_TOLD_MAX}");
        for difference in entries(&client.get(&listed).await?["data"]) {
            tell_difference(&mut out, difference)?;
        }
    }
    job::came_to_its_end(&job)?;
    if compared(&job) == 0 {
        bail!("not one event was compared: {}", job::why_none(&job));
    }
    Ok(if job["result"]["differing"] == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(super::EXIT_NO)
    })
}

/// What is asked for, as JSON. A draft's texts stay as they are in the file.
fn asked(options: &BacktestOptions) -> anyhow::Result<String> {
    let mut asked = json!({});
    for (field, value) in [
        ("draft", options.draft.map(Value::from)),
        ("events", options.events.map(Value::from)),
        ("since", options.since.clone().map(Value::from)),
        ("until", options.until.clone().map(Value::from)),
    ] {
        if let Some(value) = value {
            asked[field] = value;
        }
    }
    let asked = asked.to_string();
    let Some(path) = &options.file else {
        return Ok(asked);
    };
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{shown} can't be read"))?;
    serde_json::from_str::<&serde_json::value::RawValue>(&text)
        .with_context(|| format!("{shown} is not JSON"))?;
    let comma = if asked == "{}" { "" } else { "," };
    Ok(format!("{{\"draft\":{}{comma}{}", text.trim(), &asked[1..]))
}

fn entries(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// A text from elsewhere on one line.
fn shown(text: &str) -> String {
    paint::cut(text, SHOWN_CHARS_MAX)
}

/// How many events both versions have said something of.
fn compared(job: &Value) -> u64 {
    job::events(&job["result"]["draft"]["verdicts"])
}

/// Tells the result to a person.
pub(super) fn tell(out: &mut impl Write, job: &Value) -> std::io::Result<()> {
    let result = &job["result"];
    writeln!(out, "{} compared", paint::counted(compared(job), "event"))?;
    job::tell_left_out(out, result)?;
    for side in ["published", "draft"] {
        let version = match result[side]["version"].as_i64() {
            Some(version) => format!("version {version}"),
            None => "-".to_owned(),
        };
        let verdicts = job::verdicts(&result[side]["verdicts"]);
        let (side, version) = (paint::column(side, 9), paint::column(&version, 12));
        let line = format!("  {side}  {version}  {verdicts}");
        writeln!(out, "{}", line.trim_end())?;
    }
    for moved in entries(&result["moves"]) {
        let (published, draft) = (text(moved, "published"), text(moved, "draft"));
        let line = format!("{published} → {draft}");
        let events = paint::thousands(moved["events"].as_u64().unwrap_or(0));
        writeln!(out, "  {} {events}", paint::warn(&line))?;
    }
    match result["differing"].as_u64().unwrap_or(0) {
        // Of nothing nothing can be said.
        0 if compared(job) == 0 => Ok(()),
        0 => writeln!(out, "{} nothing differs", paint::good("✓")),
        1 => writeln!(out, "{} 1 differs", paint::warn("!")),
        events => writeln!(
            out,
            "{} {} differ",
            paint::warn("!"),
            paint::thousands(events)
        ),
    }
}

fn tell_difference(out: &mut impl Write, difference: &Value) -> std::io::Result<()> {
    let (event, event_type) = (text(difference, "event"), text(difference, "type"));
    writeln!(out, "\n{} {event_type}", paint::strong(event))?;
    for (mark, side) in [(paint::bad("-"), "published"), (paint::good("+"), "draft")] {
        let said = &difference[side];
        let (verdict, summary) = (text(said, "verdict"), shown(text(said, "summary")));
        writeln!(out, "  {mark} {verdict}: {summary}")?;
    }
    for body in entries(&difference["bodies"]) {
        for change in entries(&body["changes"]).take(CHANGES_TOLD_MAX) {
            let side = |side: &str| match change.get(side) {
                Some(value) => shown(&value.to_string()),
                None => "nothing".to_owned(),
            };
            let pointer = paint::faint(&shown(text(change, "pointer")));
            writeln!(out, "    {pointer} {} → {}", side("before"), side("after"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(job: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        tell(&mut out, job).expect("memory takes it");
        out
    }

    #[test]
    fn what_was_not_compared_is_told() {
        let job = |verdicts: Value, missing: u64, truncated: bool| {
            let side = json!({"version": 1, "verdicts": verdicts});
            json!({"done": 9, "result": {
                "published": side, "draft": side, "moves": [], "differing": 0, "missing": missing,
                "truncated": truncated,
            }})
        };
        let sides = |verdicts: &str| {
            let side = |name: &str| format!("  {name}  version 1     {verdicts}");
            let sides = [side("published"), side("draft    ")];
            sides.map(|side| side.trim_end().to_owned() + "\n").concat()
        };
        for (job, head, tail) in [
            (
                job(json!({"fired": 1}), 1, true),
                "1 event compared\n! 1 event is passed over: it is not kept any more\n! older events are left out: \
                 there are more than one job takes\n",
                "✓ nothing differs\n",
            ),
            (
                job(json!({}), 9, false),
                "0 events compared\n! 9 events are passed over: they are not kept any more\n",
                "",
            ),
        ] {
            let verdicts = if tail.is_empty() { "" } else { "1 fired" };
            let wanted = format!("{head}{}{tail}", sides(verdicts));
            assert_eq!(String::from_utf8(told(&job)).expect("text"), wanted);
        }
    }

    #[test]
    fn a_result_is_told_in_a_few_lines() {
        let job = json!({"done": 1234, "result": {
            "published": {"version": 1, "verdicts": {"fired": 1000, "filtered": 234}},
            "draft": {"version": null, "verdicts": {"fired": 1234}},
            "moves": [{"published": "filtered", "draft": "fired", "events": 234}],
            "differing": 240,
        }});
        let difference = json!({
            "event": "evt_1", "type": "deal.won",
            "published": {"verdict": "filtered", "summary": "too\nsmall"},
            "draft": {"verdict": "fired", "summary": "it holds"},
            "bodies": [{"changes": [{"pointer": "/body/a", "after": [1]}]}],
        });
        let mut out = told(&job);
        tell_difference(&mut out, &difference).expect("memory takes it");
        let wanted = "1,234 events compared\n\
            \x20 published  version 1     234 filtered, 1,000 fired\n\
            \x20 draft      -             1,234 fired\n\
            \x20 filtered → fired 234\n\
            ! 240 differ\n\
            \nevt_1 deal.won\n\
            \x20 - filtered: too small\n\
            \x20 + fired: it holds\n\
            \x20   /body/a nothing → [1]\n";
        assert_eq!(String::from_utf8(out).expect("text"), wanted);
    }
}
