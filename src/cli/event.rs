//! `event send`: one event from the command line, or many from a file or standard input.
//!
//! Many go in batches, one after the other and in the order of their lines. "Later" (429, 503) is
//! waited out; what is refused for good is told by its line, and the others go on.

use std::io::{IsTerminal as _, Read, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::client::{self, ApiClient, ApiOptions, Body};
use super::ndjson::{Entry, LineHolds, Lines};
use super::problem::Problem;
use super::{paint, text_or_file};
use crate::model::{Clock, Timestamp};
use crate::vault::random;

/// How long "later" is waited out without a single event being taken.
const PATIENCE_MS: i64 = 5 * 60 * 1000;
/// Longest single wait, whatever the server says.
const WAIT_S_MAX: u64 = 60;
/// Wait when the server does not say how long.
const WAIT_S_DEFAULT: u64 = 1;
/// Most refused lines that are told one by one.
const REFUSED_LINES_SHOWN_MAX: u64 = 20;

/// What can be done with events.
#[derive(Debug, clap::Subcommand)]
pub(super) enum EventCommand {
    /// Send one event, or many from a file or standard input.
    Send(SendOptions),
}

/// What is sent, and where.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A line is an event as POST /v1/events takes it, {\"type\":\"deal.created\",\"data\":{…}}; with --type it is \
    the payload alone. Exit codes: 0, all were taken; 1, some were refused.\n\n\
    Examples:\n  \
    throwbar event send --type proposal.accepted --data '{\"number\":\"P-1\",\"amount\":1200}'\n  \
    throwbar event send --type deal.created --data @deal.json\n  \
    throwbar event send --file events.ndjson\n  \
    tail -f payloads.ndjson | throwbar event send --type message.received"
)]
pub(super) struct SendOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// The event's type, such as deal.created.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// One event's payload: JSON, @FILE, or - for standard input.
    #[arg(
        long,
        value_name = "JSON",
        requires = "event_type",
        conflicts_with = "file"
    )]
    data: Option<String>,
    /// Many events, one a line [default: standard input].
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The event's id, chosen by you: the same id again is the same event.
    #[arg(long, value_name = "ID", requires = "data")]
    id: Option<String>,
    /// Sent twice within a day with the same key, it is one event.
    #[arg(long, value_name = "KEY", requires = "data")]
    idempotency_key: Option<String>,
    /// Tell what happened in JSON, one object a line.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) async fn run(command: &EventCommand) -> anyhow::Result<ExitCode> {
    let EventCommand::Send(options) = command;
    let client = ApiClient::open(&options.client)?;
    match (&options.event_type, &options.data) {
        (Some(event_type), Some(payload)) => send_one(options, &client, event_type, payload).await,
        _ => send_many(options, &client).await,
    }
}

async fn send_one(
    options: &SendOptions,
    client: &ApiClient,
    event_type: &str,
    payload: &str,
) -> anyhow::Result<ExitCode> {
    let text = if payload == "-" {
        std::io::read_to_string(std::io::stdin()).context("standard input can't be read")?
    } else {
        text_or_file(payload).context("--data can't be read")?
    };
    let payload: Box<RawValue> = serde_json::from_str(&text).context("--data is not JSON")?;
    let envelope = single(options, event_type, &payload)?;
    let answer = client.post("/v1/events", Body::json(envelope)).await?;
    let id = answer["id"].as_str().unwrap_or_default();
    let mut out = std::io::stdout();
    if options.json {
        writeln!(out, "{answer}")?;
    } else {
        writeln!(out, "{} {id} accepted", paint::good("✓"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The envelope, the payload in it byte for byte.
fn single(options: &SendOptions, event_type: &str, payload: &RawValue) -> anyhow::Result<Vec<u8>> {
    let mut fields = vec![("type", Value::from(event_type))];
    fields.extend(options.id.as_deref().map(|id| ("id", Value::from(id))));
    fields.extend(
        options
            .idempotency_key
            .as_deref()
            .map(|key| ("idempotency_key", Value::from(key))),
    );
    let mut text = Vec::with_capacity(payload.get().len() + 200);
    text.push(b'{');
    for (name, value) in fields {
        write!(text, "\"{name}\":{value},")?;
    }
    write!(text, "\"data\":{}}}", payload.get())?;
    Ok(text)
}

/// What has come of it so far.
#[derive(Default)]
struct Tally {
    accepted: u64,
    refused: u64,
    last_line: u64,
}

async fn send_many(options: &SendOptions, client: &ApiClient) -> anyhow::Result<ExitCode> {
    let started = Clock::System.now();
    let (source, length) = open(options)?;
    let holds = match &options.event_type {
        Some(event_type) => LineHolds::Payload {
            event_type: event_type.clone(),
        },
        None => LineHolds::Envelope,
    };
    let run = hex::encode(random::bytes::<8>()?);
    let mut lines = Lines::new(source, holds, format!("send-{run}-"));
    let progress = progress(length)?;
    let mut tally = Tally::default();
    while let Some(batch) = lines.next_batch().context("the events can't be read")? {
        for (line, why) in &batch.refused {
            tell_refused(options, &progress, &mut tally, *line, &Refused::Here(why))?;
        }
        let sent = send_batch(options, client, &batch.entries, (&progress, &mut tally)).await;
        sent.with_context(|| until_where(&tally))?;
        progress.inc(batch.bytes_read);
        progress.set_message(paint::thousands(tally.accepted));
    }
    progress.finish_and_clear();
    summarise(options, &tally, Clock::System.now().ms_since(started))?;
    Ok(if tally.refused == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(super::EXIT_FAILED)
    })
}

fn until_where(tally: &Tally) -> String {
    match tally.last_line {
        0 => "nothing was sent".to_owned(),
        line => format!(
            "stopped: everything up to line {line} has its answer, nothing after it is known"
        ),
    }
}

fn open(options: &SendOptions) -> anyhow::Result<(Box<dyn Read>, Option<u64>)> {
    if let Some(path) = options.file.as_ref().filter(|path| path.as_os_str() != "-") {
        let file = std::fs::File::open(path)
            .with_context(|| format!("{} can't be read", path.display()))?;
        let about = file
            .metadata()
            .with_context(|| format!("{} can't be read", path.display()))?;
        let length = about.is_file().then_some(about.len());
        return Ok((Box::new(file), length));
    }
    let input = std::io::stdin();
    if input.is_terminal() && options.file.is_none() {
        bail!("no events: give --type and --data, or --file FILE, or lines on standard input");
    }
    Ok((Box::new(input), None))
}

/// On standard error, and only where that is a terminal.
fn progress(length: Option<u64>) -> anyhow::Result<ProgressBar> {
    let (bar, look) = match length {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{bar:32} {percent:>3} %  {msg} events  {elapsed} of about {duration}",
        ),
        None => (
            ProgressBar::no_length(),
            "{spinner} {msg} events  {elapsed}",
        ),
    };
    bar.set_style(ProgressStyle::with_template(look)?);
    bar.set_message("0");
    Ok(bar)
}

/// Sends one batch until each of its events was taken or refused for good.
async fn send_batch(
    options: &SendOptions,
    client: &ApiClient,
    entries: &[Entry],
    (progress, tally): (&ProgressBar, &mut Tally),
) -> anyhow::Result<()> {
    let mut waiting: Vec<&Entry> = entries.iter().collect();
    let mut patience_ends = Clock::System.now().plus_ms(PATIENCE_MS);
    while !waiting.is_empty() {
        let mut wait_s = None;
        let mut later = Vec::new();
        match client.post("/v1/events/batch", array(&waiting)).await {
            Ok(answer) => {
                for (entry, answer) in waiting.iter().zip(answers(&answer, waiting.len())?) {
                    match answer {
                        Ok(id) => tell_accepted(options, tally, entry.line, &id)?,
                        Err(problem) if problem.is_passing() => {
                            wait_s = wait_s.max(problem.retry_after_s);
                            later.push(*entry);
                        }
                        Err(problem) => {
                            tell_refused(
                                options,
                                progress,
                                tally,
                                entry.line,
                                &Refused::There(&problem),
                            )?;
                        }
                    }
                }
            }
            Err(client::Error::Refused(problem)) if problem.is_passing() => {
                wait_s = problem.retry_after_s;
                later.clone_from(&waiting);
            }
            Err(error) => return Err(error.into()),
        }
        if later.is_empty() {
            break;
        }
        let now = Clock::System.now();
        if later.len() < waiting.len() {
            patience_ends = now.plus_ms(PATIENCE_MS);
        }
        wait(progress, wait_s, now, patience_ends).await?;
        waiting = later;
    }
    tally.last_line = entries.last().map_or(tally.last_line, |entry| entry.line);
    Ok(())
}

async fn wait(
    progress: &ProgressBar,
    wait_s: Option<u64>,
    now: Timestamp,
    patience_ends: Timestamp,
) -> anyhow::Result<()> {
    let wait_s = wait_s.unwrap_or(WAIT_S_DEFAULT).clamp(1, WAIT_S_MAX);
    let until = now.plus_ms(wait_s as i64 * 1000);
    if until > patience_ends {
        bail!(
            "the server has taken nothing for {} minutes",
            PATIENCE_MS / 60_000
        );
    }
    progress.set_message(format!("the server is busy, waiting {wait_s} s;"));
    Clock::System.sleep_until(until).await;
    Ok(())
}

fn array(entries: &[&Entry]) -> Body {
    let texts: Vec<&str> = entries.iter().map(|entry| entry.text.as_str()).collect();
    Body::json(format!("[{}]", texts.join(",")))
}

/// The answer to each event of a batch: its id, or why not.
fn answers(answer: &Value, count: usize) -> anyhow::Result<Vec<Result<String, Problem>>> {
    let Some(list) = answer["data"].as_array().filter(|list| list.len() == count) else {
        bail!("the server's answer to a batch of {count} can't be read: {answer:.200}");
    };
    Ok(list
        .iter()
        .map(|answer| match answer["id"].as_str() {
            Some(id) => Ok(id.to_owned()),
            None => Err(serde_json::from_value(answer["error"].clone()).unwrap_or_default()),
        })
        .collect())
}

/// Who refused a line.
enum Refused<'a> {
    /// This command: it is no event.
    Here(&'a str),
    /// The server.
    There(&'a Problem),
}

fn tell_accepted(
    options: &SendOptions,
    tally: &mut Tally,
    line: u64,
    id: &str,
) -> anyhow::Result<()> {
    tally.accepted += 1;
    if options.json {
        writeln!(std::io::stdout(), "{}", json!({ "line": line, "id": id }))?;
    }
    Ok(())
}

fn tell_refused(
    options: &SendOptions,
    progress: &ProgressBar,
    tally: &mut Tally,
    line: u64,
    refused: &Refused<'_>,
) -> anyhow::Result<()> {
    tally.refused += 1;
    let (status, code, detail) = match refused {
        Refused::Here(why) => (0, "not_an_event", (*why).to_owned()),
        Refused::There(problem) => (problem.status, problem.code.as_str(), problem.to_string()),
    };
    if options.json {
        let told =
            json!({ "line": line, "error": { "status": status, "code": code, "detail": detail } });
        writeln!(std::io::stdout(), "{told}")?;
    } else if tally.refused <= REFUSED_LINES_SHOWN_MAX {
        progress.suspend(|| writeln!(std::io::stderr(), "line {line}: {detail}"))?;
    } else if tally.refused == REFUSED_LINES_SHOWN_MAX + 1 {
        progress.suspend(|| writeln!(std::io::stderr(), "… and more; --json tells each"))?;
    }
    Ok(())
}

fn summarise(options: &SendOptions, tally: &Tally, took_ms: i64) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    if options.json {
        let told =
            json!({ "accepted": tally.accepted, "refused": tally.refused, "duration_ms": took_ms });
        return Ok(writeln!(out, "{told}")?);
    }
    let mark = if tally.refused == 0 {
        paint::good("✓")
    } else {
        paint::bad("✗")
    };
    let accepted = paint::thousands(tally.accepted);
    write!(out, "{mark} {accepted} accepted")?;
    if tally.refused > 0 {
        write!(out, ", {} refused", paint::thousands(tally.refused))?;
    }
    Ok(writeln!(out, " in {:.1} s", took_ms as f64 / 1000.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_of_a_batch_has_its_answer() {
        let answer = json!({"data": [
            {"id": "evt_1"},
            {"error": {"status": 422, "code": "wrong", "detail": "no"}},
        ]});
        let read = answers(&answer, 2).expect("answers");
        assert_eq!(read[0].as_ref().expect("taken"), "evt_1");
        assert_eq!(read[1].as_ref().expect_err("refused").code, "wrong");
        assert!(
            answers(&answer, 3).is_err(),
            "an answer for each, or none is trusted"
        );
    }

    #[test]
    fn a_batch_is_an_array_of_its_lines() {
        let entries = [(1, "{\"a\": 1}"), (4, "{}")].map(|(line, text)| Entry {
            line,
            text: text.to_owned(),
        });
        let body = array(&entries.iter().collect::<Vec<_>>());
        assert_eq!(body.bytes, "[{\"a\": 1},{}]");
    }
}
