//! `job`: work on what is past that goes on by itself, listed, looked at, called off. And how commands that give
//! the server a job wait for its end: they say first what it is called, so that whoever stops waiting can find it.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::client::{ApiClient, ApiOptions, Body};
use super::listing::ListOptions;
use super::{backtest, paint, past_rerun, recover};
use crate::model::{Clock, JobId};

/// How often it is asked how far it has come.
const ASKED_EVERY_MS: i64 = 300;

/// What can be done with jobs.
#[derive(Debug, clap::Subcommand)]
pub(super) enum JobCommand {
    /// List those that are under way, and the last others, newest first.
    List(ListOptions),
    /// Tell how far one is, and what came of it so far.
    Show(OneOptions),
    /// Call one off: nothing more comes of it.
    Cancel(OneOptions),
}

/// Which job.
#[derive(Debug, clap::Args)]
pub(super) struct OneOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Which: job_…
    #[arg(value_name = "ID")]
    id: JobId,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) async fn run(command: &JobCommand) -> anyhow::Result<ExitCode> {
    match command {
        JobCommand::List(options) => options.tell("/v1/jobs", line).await,
        JobCommand::Show(options) => show(options).await,
        JobCommand::Cancel(options) => cancel(options).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

async fn show(options: &OneOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let job = client.get(&format!("/v1/jobs/{}", options.id)).await?;
    let mut out = std::io::stdout();
    if options.json {
        return Ok(writeln!(out, "{job}")?);
    }
    writeln!(out, "{}", line(&job))?;
    if let Some(why) = job["why"].as_str() {
        writeln!(out, "{} {}", paint::bad("✗"), paint::cut(why, 400))?;
    }
    match text(&job, "kind") {
        "backtest" => backtest::tell(&mut out, &job)?,
        "recovery" => recover::tell(&mut out, &job)?,
        _ => past_rerun::tell(&mut out, &job)?,
    }
    Ok(())
}

async fn cancel(options: &OneOptions) -> anyhow::Result<()> {
    let client = ApiClient::open(&options.client)?;
    let path = format!("/v1/jobs/{}/cancel", options.id);
    let job = client.post(&path, Body::empty()).await?;
    let mut out = std::io::stdout();
    if options.json {
        return Ok(writeln!(out, "{job}")?);
    }
    Ok(writeln!(out, "{}", called_off(&job))?)
}

/// What calling it off has done.
fn called_off(job: &Value) -> String {
    let (id, state) = (text(job, "id"), text(job, "state"));
    if state == "cancelled" {
        format!("{} {id} is cancelled", paint::good("✓"))
    } else {
        let mark = paint::warn("–");
        format!("{mark} {id} was at its end already: it is {state}")
    }
}

/// The id of the job that was given.
pub(super) fn id_of(given: &Value) -> anyhow::Result<&str> {
    given["job"]
        .as_str()
        .with_context(|| format!("the server's answer can't be read: {given:.200}"))
}

/// The job at its end; with its progress on standard error where that is a terminal.
pub(super) async fn ended(client: &ApiClient, id: &str) -> anyhow::Result<Value> {
    // On standard error: what comes of it is standard output's.
    let says = "goes on by itself, also if nobody waits: `throwbar job cancel` calls it off";
    writeln!(std::io::stderr(), "{id} {says}")?;
    let bar = ProgressBar::no_length();
    let path = format!("/v1/jobs/{id}");
    loop {
        let job = client.get(&path).await?;
        bar.set_style(ProgressStyle::with_template(look(&job))?);
        if job["state"] != "running" {
            bar.finish_and_clear();
            return Ok(job);
        }
        if let Some(total) = job["total"].as_u64() {
            bar.set_length(total);
        }
        bar.set_position(job["done"].as_u64().unwrap_or(0));
        let real = Clock::System;
        real.sleep_until(real.now().plus_ms(ASKED_EVERY_MS)).await;
    }
}

/// How its progress looks.
fn look(job: &Value) -> &'static str {
    match text(job, "kind") {
        "recovery" => "{bar:32} {percent:>3} %  {pos} of {len} deliveries  {elapsed}",
        _ => "{bar:32} {percent:>3} %  {pos} of {len} events  {elapsed}",
    }
}

/// Sees that a job was not called off and has not failed.
pub(super) fn came_to_its_end(job: &Value) -> anyhow::Result<()> {
    if job["state"] != "done" {
        let why = job["why"].as_str().unwrap_or("it was cancelled");
        bail!("the {} did not come to its end: {why}", text(job, "kind"));
    }
    Ok(())
}

/// Why a job has seen no event.
pub(super) fn why_none(job: &Value) -> &'static str {
    if job["result"]["missing"].as_u64().unwrap_or(0) > 0 {
        "they are not kept any more"
    } else if job["done"].as_u64().unwrap_or(0) > 0 {
        "the automation follows none of them"
    } else {
        "none came in that time"
    }
}

/// How many events have a verdict.
pub(super) fn events(verdicts: &Value) -> u64 {
    let each = verdicts.as_object().into_iter().flatten();
    each.filter_map(|(_, events)| events.as_u64()).sum()
}

/// How many events came to each verdict, on one line.
pub(super) fn verdicts(verdicts: &Value) -> String {
    let each = verdicts.as_object().into_iter().flatten();
    let each = each.map(|(verdict, events)| {
        let events = paint::thousands(events.as_u64().unwrap_or(0));
        format!("{events} {verdict}")
    });
    each.collect::<Vec<_>>().join(", ")
}

/// Tells which events the job did not see.
pub(super) fn tell_left_out(out: &mut impl Write, result: &Value) -> std::io::Result<()> {
    let mark = paint::warn("!");
    match result["missing"].as_u64().unwrap_or(0) {
        0 => {}
        1 => writeln!(
            out,
            "{mark} 1 event is passed over: it is not kept any more"
        )?,
        missing => {
            let missing = paint::counted(missing, "event");
            writeln!(
                out,
                "{mark} {missing} are passed over: they are not kept any more"
            )?;
        }
    }
    if result["truncated"] == true {
        let why = "there are more than one job takes";
        writeln!(out, "{mark} older events are left out: {why}")?;
    }
    Ok(())
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn line(job: &Value) -> String {
    let count = |field: &str| job[field].as_u64().map(paint::thousands);
    let done = count("done").unwrap_or_default();
    let far = match count("total") {
        Some(total) => format!("{done} of {total}"),
        None => done,
    };
    format!(
        "{}  {}  {}  {}  {}  {}",
        text(job, "id"),
        text(job, "created_at"),
        paint::column(text(job, "kind"), 8),
        paint::column(text(job, "state"), 9),
        paint::column(&far, 22),
        job["endpoint"]
            .as_str()
            .unwrap_or_else(|| text(job, "automation"))
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_is_one_line() {
        let job = json!({
            "id": "job_1", "created_at": "2026-01-01T00:00:00.000Z", "kind": "rerun", "state": "running",
            "done": 1234, "total": 10_000, "automation": "aut_1",
        });
        assert_eq!(
            line(&job),
            "job_1  2026-01-01T00:00:00.000Z  rerun     running    1,234 of 10,000         aut_1"
        );
        let job = json!({
            "id": "job_1", "created_at": "2026-01-01T00:00:00.000Z", "kind": "recovery", "state": "done",
            "done": 2, "total": 2, "automation": null, "endpoint": "ep_1",
        });
        assert_eq!(
            line(&job),
            "job_1  2026-01-01T00:00:00.000Z  recovery  done       2 of 2                  ep_1"
        );
    }

    #[test]
    fn calling_off_comes_too_late_or_not() {
        for (state, says) in [
            ("cancelled", "✓ job_1 is cancelled"),
            ("done", "– job_1 was at its end already: it is done"),
        ] {
            assert_eq!(called_off(&json!({"id": "job_1", "state": state})), says);
        }
    }

    #[test]
    fn why_nothing_came_of_it_is_known() {
        for (done, missing, says) in [
            (0, 0, "none came"),
            (5, 5, "not kept"),
            (5, 0, "follows none"),
        ] {
            let job = json!({"done": done, "result": {"missing": missing}});
            assert!(why_none(&job).contains(says), "{job}");
        }
    }
}
