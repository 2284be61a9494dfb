//! `export`: what is on record, line by line, as much of it as there is.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::Value;

use super::client::{ApiClient, ApiOptions};
use crate::model::{EndpointId, Timestamp};

/// What is exported.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Newest first, one JSON object a line; events have their payloads. What comes in meanwhile is not in it.\n\n\
    Exit codes: 0, all of it is told; 1, it broke off, and standard error says with which --cursor it goes on.\n\n\
    Examples:\n  \
    throwbar export events --since 2026-05-01T00:00:00Z > events.ndjson\n  \
    throwbar export attempts --endpoint ep_… --status failed > failed.ndjson"
)]
pub(super) struct ExportOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// What: events, deliveries or attempts.
    #[arg(value_name = "WHAT", value_parser = ["events", "deliveries", "attempts"])]
    what: String,
    /// Only from this time on, RFC 3339.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only before this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Only of events of this type.
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Of events: only those in whose payloads this is found: words, "a phrase", beginning*, name:value.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Of deliveries and attempts: only to this endpoint: ep_…
    #[arg(long, value_name = "ID")]
    endpoint: Option<EndpointId>,
    /// Of deliveries: only in this state.
    #[arg(long, value_name = "WORD")]
    state: Option<String>,
    /// Of attempts: only those that came to this: success, failed, 503, 5xx.
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Go on where an earlier export broke off.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

/// Does it.
pub(super) async fn run(options: &ExportOptions) -> anyhow::Result<ExitCode> {
    let client = ApiClient::open(&options.client)?;
    let mut out = std::io::stdout().lock();
    let mut cursor = options.cursor.clone();
    loop {
        let goes_on = || match &cursor {
            Some(cursor) => {
                format!("it broke off; --cursor {cursor} goes on with what is not told yet")
            }
            None => "nothing is told yet".to_owned(),
        };
        let answer = client.text(&path(options, cursor.as_deref())).await;
        let answer = answer.with_context(goes_on)?;
        let (rows, last) = parts(&answer).with_context(goes_on)?;
        out.write_all(rows.as_bytes())?;
        cursor = last["next_cursor"].as_str().map(str::to_owned);
        if let Some(why) = last["broken_off"].as_str() {
            let at = cursor.unwrap_or_default();
            anyhow::bail!("it broke off: {why}; --cursor {at} goes on with what is not told yet");
        }
        if cursor.is_none() {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// The path with its query.
fn path(options: &ExportOptions, cursor: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(format!("/v1/{}/export?", options.what));
    let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
    for (name, value) in [
        ("since", text(options.since)),
        ("until", text(options.until)),
        ("type", options.event_type.clone()),
        ("search", options.search.clone()),
        ("endpoint", options.endpoint.map(|id| id.to_string())),
        ("state", options.state.clone()),
        ("status", options.status.clone()),
        ("cursor", cursor.map(str::to_owned)),
    ] {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    query.finish()
}

/// The rows of an answer, and its last line, without which it is not whole.
fn parts(answer: &str) -> anyhow::Result<(&str, Value)> {
    let lines = answer.strip_suffix('\n').unwrap_or(answer);
    let begin = lines.rfind('\n').map_or(0, |end| end + 1);
    let last: Value = serde_json::from_str(&lines[begin..]).unwrap_or_default();
    if last.get("next_cursor").is_none() || last.get("id").is_some() {
        anyhow::bail!("the server's answer is not whole");
    }
    Ok((&answer[..begin], last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_rows_and_a_last_line() {
        let whole = "{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"next_cursor\":\"c\"}\n";
        let (rows, last) = parts(whole).expect("whole");
        assert_eq!(rows, "{\"id\":\"a\"}\n{\"id\":\"b\"}\n");
        assert_eq!(last["next_cursor"], "c");
        let (rows, last) = parts("{\"next_cursor\":null}\n").expect("whole");
        assert_eq!((rows, &last["next_cursor"]), ("", &Value::Null));
        for cut in ["", "{\"id\":\"a\"}\n", "{\"id\":\"a\"}\n{\"next_cur"] {
            assert!(parts(cut).is_err(), "{cut}");
        }
    }
}
