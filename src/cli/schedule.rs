//! `schedule list`, `preview`, `run`, `pause` and `resume`: what runs when, in words.

use std::io::Write;

use serde_json::{Value, json};

use super::client::{ApiClient, ApiOptions, Body};
use super::listing::ListOptions;
use super::paint;
use crate::model::{ScheduleId, Timestamp};

const NAME_WIDTH: usize = 24;
const WORDS_WIDTH: usize = 48;

/// What can be done with schedules.
#[derive(Debug, clap::Subcommand)]
pub(super) enum ScheduleCommand {
    /// List the schedules, newest first: when each runs, in words, and when next.
    List(ListOptions),
    /// Tell when a schedule runs, or would, and what the next changes of the clocks do to it.
    Preview(PreviewOptions),
    /// Run one now, besides its own times.
    Run(OneOptions),
    /// Skip its occurrences from now on.
    Pause(OneOptions),
    /// Skip them no more.
    Resume(OneOptions),
}

/// Which schedule.
#[derive(Debug, clap::Args)]
pub(super) struct OneOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Which: sch_…
    #[arg(value_name = "ID")]
    id: ScheduleId,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Which schedule, made or not.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("what").required(true).args(["id", "cron", "every_s"])),
    after_help = "Examples:\n  \
    throwbar schedule preview sch_…\n  \
    throwbar schedule preview --cron '30 2 * * *' --timezone Europe/Berlin --count 5"
)]
pub(super) struct PreviewOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// One that was made: sch_…
    #[arg(value_name = "ID")]
    id: Option<ScheduleId>,
    /// A cron expression of five fields; of six, the second first.
    #[arg(long, value_name = "CRON")]
    cron: Option<String>,
    /// The time zone of the cron expression [default: UTC].
    #[arg(long, value_name = "ZONE", conflicts_with_all = ["id", "every_s"])]
    timezone: Option<String>,
    /// An interval in seconds.
    #[arg(long = "every", value_name = "SECONDS")]
    every_s: Option<i64>,
    /// The occurrences after it [default: now].
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// How many.
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    count: usize,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) async fn run(command: &ScheduleCommand) -> anyhow::Result<()> {
    match command {
        ScheduleCommand::List(options) => options.tell("/v1/schedules", line).await,
        ScheduleCommand::Preview(options) => preview(options).await,
        ScheduleCommand::Run(options) => run_now(options).await,
        ScheduleCommand::Pause(options) => switch(options, "paused").await,
        ScheduleCommand::Resume(options) => switch(options, "resumed").await,
    }
}

async fn preview(options: &PreviewOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let mut wanted = match options.id {
        Some(id) => timing(&client.get(&format!("/v1/schedules/{id}")).await?),
        None => asked(options),
    };
    let zone = text(&wanted, "timezone").to_owned();
    wanted["count"] = json!(options.count);
    if let Some(from) = options.from {
        wanted["from"] = json!(from);
    }
    let answer = client
        .post("/v1/schedules/preview", Body::of(&wanted))
        .await?;
    let mut out = std::io::stdout();
    if options.json {
        return Ok(writeln!(out, "{answer}")?);
    }
    Ok(tell(&mut out, &answer, &zone)?)
}

/// What a schedule runs by.
fn timing(schedule: &Value) -> Value {
    if schedule["cron"].is_null() {
        return json!({"interval": schedule["interval"]});
    }
    let fields = ["cron", "seconds", "timezone", "dst"];
    let fields = fields.map(|field| (field.to_owned(), schedule[field].clone()));
    Value::Object(fields.into_iter().collect())
}

fn asked(options: &PreviewOptions) -> Value {
    let Some(cron) = &options.cron else {
        return json!({"interval": {"every_s": options.every_s}});
    };
    let seconds = cron.split_ascii_whitespace().count() == 6;
    let timezone = options.timezone.as_deref().unwrap_or("UTC");
    json!({"cron": cron, "seconds": seconds, "timezone": timezone})
}

/// Tells a preview to a person.
fn tell(out: &mut impl Write, answer: &Value, zone: &str) -> std::io::Result<()> {
    let words = with_zone(text(answer, "words"), zone);
    writeln!(out, "{}", paint::strong(&words))?;
    for next in answer["data"].as_array().into_iter().flatten() {
        let nominal = text(next, "nominal").replace('T', " ");
        let at = paint::faint(text(next, "at"));
        writeln!(out, "  {nominal}  {at}")?;
    }
    for change in answer["dst_changes"].as_array().into_iter().flatten() {
        writeln!(out, "{} {}", paint::warn("!"), text(change, "words"))?;
    }
    Ok(())
}

async fn run_now(options: &OneOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let path = format!("/v1/schedules/{}/run", options.id);
    let answer = client.post(&path, Body::empty()).await?;
    let told = if answer["state"] == "queued" {
        "it is queued: its event is made when the run before is at its end"
    } else {
        "it runs: its event is made at once"
    };
    say(options, &answer, told)
}

async fn switch(options: &OneOptions, to: &str) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let body = json!({"paused": to == "paused"});
    let path = format!("/v1/schedules/{}", options.id);
    let answer = client.patch(&path, Body::of(&body)).await?;
    let name = text(&answer, "name");
    say(
        options,
        &answer,
        &format!("{name} is {to}: {}", next(&answer)),
    )
}

fn say(options: &OneOptions, answer: &Value, told: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    if options.json {
        writeln!(out, "{answer}")?;
    } else {
        writeln!(out, "{} {told}", paint::good("✓"))?;
    }
    Ok(())
}

/// The text of a field; nothing, if there is none.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn with_zone(words: &str, zone: &str) -> String {
    if zone.is_empty() {
        words.to_owned()
    } else {
        format!("{words}, {zone}")
    }
}

/// When it runs next, in words.
fn next(schedule: &Value) -> String {
    match schedule["next_at"].as_str() {
        _ if schedule["paused"] == true => "its occurrences are skipped".to_owned(),
        Some(next_at) => format!("it runs next at {next_at}"),
        None => "it runs no more".to_owned(),
    }
}

fn line(schedule: &Value) -> String {
    let zone = if schedule["cron"].is_null() {
        ""
    } else {
        text(schedule, "timezone")
    };
    let words = with_zone(text(schedule, "words"), zone);
    let owner = match schedule["automation"].as_str() {
        Some(automation) => format!("  of {automation}"),
        None => String::new(),
    };
    format!(
        "{}  {}  {}  {}{owner}",
        text(schedule, "id"),
        paint::column(text(schedule, "name"), NAME_WIDTH),
        paint::column(&words, WORDS_WIDTH),
        next(schedule)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_one_line_in_words() {
        let nightly = json!({
            "id": "sch_1", "name": "nightly", "cron": "30 2 * * *", "timezone": "Europe/Berlin",
            "words": "at 02:30", "paused": false, "next_at": "2026-03-29T01:00:00.000Z", "automation": null,
        });
        let words = line(&nightly)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert_eq!(
            words,
            "sch_1 nightly at 02:30, Europe/Berlin it runs next at 2026-03-29T01:00:00.000Z"
        );
        let owned = json!({
            "id": "sch_2", "name": "aut_2", "cron": null, "timezone": "UTC", "words": "every 13 hours",
            "paused": true, "next_at": null, "automation": "aut_2",
        });
        let words = line(&owned)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert_eq!(
            words,
            "sch_2 aut_2 every 13 hours its occurrences are skipped of aut_2"
        );
    }

    #[test]
    fn a_preview_is_told_in_words() {
        let answer = json!({
            "words": "at 02:30",
            "data": [{"nominal": "2026-03-29T02:30:00", "at": "2026-03-29T01:00:00.000Z"}],
            "dst_changes": [{"words": "on 2026-10-25 the clocks go back"}],
        });
        let mut out = Vec::new();
        tell(&mut out, &answer, "Europe/Berlin").expect("memory takes it");
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "at 02:30, Europe/Berlin\n  2026-03-29 02:30:00  2026-03-29T01:00:00.000Z\n! on 2026-10-25 the clocks go back\n"
        );
    }

    #[test]
    fn what_a_schedule_runs_by_is_what_is_previewed() {
        let shown =
            json!({"cron": null, "interval": {"every_s": 60}, "timezone": "UTC", "seconds": false});
        assert_eq!(timing(&shown), json!({"interval": {"every_s": 60}}));
        let shown = json!({
            "cron": "* * * * *", "interval": null, "timezone": "UTC", "seconds": false,
            "dst": {"gap": "skip", "fold": "both"}, "name": "n",
        });
        let wanted = json!({
            "cron": "* * * * *", "timezone": "UTC", "seconds": false, "dst": {"gap": "skip", "fold": "both"},
        });
        assert_eq!(timing(&shown), wanted);
    }
}
