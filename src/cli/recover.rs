//! `recover`: what was missed at an endpoint, sent after all.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::client::{ApiClient, ApiOptions, Body};
use super::{job, paint};
use crate::model::{EndpointId, EventId, Timestamp};

/// What is recovered, and how fast.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("from").required(true).args(["since", "from_event"])),
    after_help = "However much it is, it is sent so many a second, behind what comes in now. Ctrl-C ends the waiting, \
    not the job.\n\n\
    Exit codes: 0, all of it will be sent, if there was anything; 1, it was refused, called off or could not go on.\n\n\
    Examples:\n  \
    throwbar recover ep_… --since 2026-05-04T10:30:00Z --until 2026-05-04T12:00:00Z\n  \
    throwbar recover ep_… --from-event evt_… --state failed --state held"
)]
pub(super) struct RecoverOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Which endpoint's: ep_…
    #[arg(value_name = "ENDPOINT")]
    endpoint: EndpointId,
    /// Of events that came at this time or later, RFC 3339.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Of this event and of those that came after it: evt_…
    #[arg(long, value_name = "ID")]
    from_event: Option<EventId>,
    /// Of events that came before this time, RFC 3339 [default: now].
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// What became of them: failed, held while the endpoint was switched off, or never made because it was
    /// unsubscribed; repeat it for more [default: failed].
    #[arg(long = "state", value_name = "WORD", value_parser = ["failed", "held", "unsubscribed"])]
    states: Vec<String>,
    /// Only of events of this type or pattern, such as deal.*; repeat it for more.
    #[arg(long = "event-type", value_name = "PATTERN")]
    event_types: Vec<String>,
    /// So many a second at most [default: 100].
    #[arg(long, value_name = "COUNT")]
    per_second: Option<u32>,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) async fn run(options: &RecoverOptions) -> anyhow::Result<ExitCode> {
    let client = ApiClient::open(&options.client)?;
    let path = format!("/v1/endpoints/{}/recover", options.endpoint);
    let given = client.post(&path, Body::of(&asked(options))).await?;
    let job = job::ended(&client, job::id_of(&given)?).await?;
    let mut out = std::io::stdout();
    if options.json {
        writeln!(out, "{job}")?;
    } else {
        tell(&mut out, &job)?;
    }
    job::came_to_its_end(&job)?;
    Ok(ExitCode::SUCCESS)
}

/// What is asked for.
fn asked(options: &RecoverOptions) -> Value {
    let mut asked = json!({});
    for (name, at) in [("since", options.since), ("until", options.until)] {
        if let Some(at) = at {
            asked[name] = json!(at);
        }
    }
    if let Some(event) = options.from_event {
        asked["from_event"] = json!(event);
    }
    if let Some(per_second) = options.per_second {
        asked["per_second"] = json!(per_second);
    }
    for (name, words) in [
        ("states", &options.states),
        ("event_types", &options.event_types),
    ] {
        if !words.is_empty() {
            asked[name] = json!(words);
        }
    }
    asked
}

/// Tells the result to a person.
pub(super) fn tell(out: &mut impl Write, job: &Value) -> std::io::Result<()> {
    let result = &job["result"];
    let count = |field: &str| result[field].as_u64().unwrap_or(0);
    let of = |field: &str| match count(field) {
        1 => "1 delivery".to_owned(),
        many => format!("{} deliveries", paint::thousands(many)),
    };
    if ["resent", "released", "made"]
        .iter()
        .all(|field| count(field) == 0)
    {
        writeln!(
            out,
            "nothing is sent: nothing of it was missed in that time"
        )?;
    }
    for (field, what) in [
        ("resent", "made again"),
        ("released", "that had been held go on"),
        ("made", "that had never been made"),
        ("repeated", "passed over: sent again before"),
        ("expired", "passed over: the payload is not kept any more"),
    ] {
        if count(field) > 0 {
            writeln!(out, "{} {what}", of(field))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_told_in_a_few_lines() {
        for (result, told) in [
            (
                json!({"resent": 1, "released": 0, "repeated": 0, "expired": 0}),
                "1 delivery made again\n",
            ),
            (
                json!({"resent": 12_000, "released": 2, "made": 4, "repeated": 1, "expired": 3}),
                "12,000 deliveries made again\n\
                 2 deliveries that had been held go on\n\
                 4 deliveries that had never been made\n\
                 1 delivery passed over: sent again before\n\
                 3 deliveries passed over: the payload is not kept any more\n",
            ),
            (
                json!({"resent": 0, "released": 0, "repeated": 1, "expired": 0}),
                "nothing is sent: nothing of it was missed in that time\n\
                 1 delivery passed over: sent again before\n",
            ),
        ] {
            let mut out = Vec::new();
            tell(&mut out, &json!({ "result": result })).expect("memory takes it");
            assert_eq!(String::from_utf8(out).expect("text"), told);
        }
    }
}
