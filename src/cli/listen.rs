//! `listen`: deliveries are forwarded to this machine as they come, byte for byte, and what answers here is what their
//! attempts are answered. A receiver on the server takes them, an endpoint sends to it, and this follows the
//! receiver's stream.

use std::collections::HashSet;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use url::Url;

use super::client::{self, ApiClient, ApiOptions, Body};
use super::forward::{Forwarded, Forwarder};
use super::paint;
use crate::model::{Clock, ReceiverId};

/// Pauses before it is connected anew: the first, and the longest.
const PAUSE_MS: (i64, i64) = (250, 10_000);
/// Most requests that are forwarded at a time.
const AT_ONCE_MAX: usize = 32;
/// Most ids of requests that are remembered.
const REMEMBERED_MAX: usize = 10_000;

/// What is forwarded where.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It makes a receiver on the server and an endpoint that sends to it, forwards what comes, and removes both \
    at Ctrl-C. A delivery's attempt gets the answer that is given here; while nobody listens, attempts fail, and are \
    made again as the retry policy says.\n\n\
    Examples:\n  \
    throwbar listen --forward http://localhost:3000/hook\n  \
    throwbar listen --forward http://localhost:3000/hook --event-type 'deal.*' --json"
)]
pub(super) struct ListenOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Where to on this machine.
    #[arg(long, value_name = "URL")]
    forward: Url,
    /// Only events of this type or pattern, such as deal.*; repeat it for more [default: all].
    #[arg(long = "event-type", value_name = "PATTERN")]
    event_types: Vec<String>,
    /// A receiver that is there already, with the endpoints that send to it: rcv_… It stays.
    #[arg(long, value_name = "ID", conflicts_with = "event_types")]
    receiver: Option<ReceiverId>,
    /// How long an answer may take here.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// Tell it in JSON, one line for each delivery.
    #[arg(long)]
    json: bool,
}

/// Forwards until Ctrl-C.
pub(super) async fn run(options: &ListenOptions) -> anyhow::Result<ExitCode> {
    let client = ApiClient::open(&options.client)?;
    let timeout = Duration::from_secs(options.timeout);
    let forwarder = Forwarder::to(options.forward.clone(), timeout)?;
    let place = Place::open(&client, options).await?;
    place.tell(options)?;
    let listener = Listener {
        client: client.clone(),
        forwarder,
        receiver: place.receiver.clone(),
        json: options.json,
    };
    let ended = tokio::select! {
        ended = listener.listen() => ended,
        () = stopped() => Ok(()),
    };
    place.close(&client).await?;
    ended.map(|()| ExitCode::SUCCESS)
}

/// Ctrl-C, or that the process is told to end.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        return drop(tokio::signal::ctrl_c().await);
    };
    tokio::select! {
        _interrupted = tokio::signal::ctrl_c() => {}
        _terminated = terminated.recv() => {}
    }
}

/// What there is of it on the server.
struct Place {
    receiver: String,
    /// The endpoint and its secret, if they were made here.
    made: Option<(String, String)>,
}

impl Place {
    async fn open(client: &ApiClient, options: &ListenOptions) -> anyhow::Result<Self> {
        if let Some(id) = options.receiver {
            let path = format!("/v1/receivers/{id}");
            client
                .patch(&path, Body::of(&json!({"forward": true})))
                .await?;
            return Ok(Self {
                receiver: id.to_string(),
                made: None,
            });
        }
        let name = format!("listen {}", options.forward);
        let name: String = name.chars().take(60).collect();
        let receiver = json!({ "name": name, "forward": true });
        let receiver = client.post("/v1/receivers", Body::of(&receiver)).await?;
        let mut endpoint = json!({ "name": name, "url": receiver["url"] });
        if !options.event_types.is_empty() {
            endpoint["subscribe"] = json!(options.event_types);
        }
        let id = text(&receiver, "id");
        match client.post("/v1/endpoints", Body::of(&endpoint)).await {
            Ok(endpoint) => Ok(Self {
                receiver: id,
                made: Some((text(&endpoint, "id"), text(&endpoint, "secret"))),
            }),
            Err(error) => {
                client.delete(&format!("/v1/receivers/{id}")).await?;
                Err(error.into())
            }
        }
    }

    fn tell(&self, options: &ListenOptions) -> std::io::Result<()> {
        let mut out = std::io::stdout();
        let (endpoint, secret) = self.made.clone().unwrap_or_default();
        if options.json {
            let told = json!({
                "receiver": self.receiver, "endpoint": endpoint, "secret": secret, "forward": options.forward.as_str(),
            });
            return writeln!(out, "{told}");
        }
        let to = paint::link(options.forward.as_str());
        writeln!(out, "forwarding to {to}, until Ctrl-C")?;
        if self.made.is_some() {
            writeln!(out, "{} {endpoint}", paint::faint("endpoint"))?;
            writeln!(out, "{}   {secret}", paint::faint("secret"))?;
        }
        Ok(())
    }

    /// Removes what was made.
    async fn close(&self, client: &ApiClient) -> anyhow::Result<()> {
        if let Some((endpoint, _)) = &self.made {
            client.delete(&format!("/v1/endpoints/{endpoint}")).await?;
            client
                .delete(&format!("/v1/receivers/{}", self.receiver))
                .await?;
        }
        Ok(())
    }
}

/// Who follows the stream.
#[derive(Clone)]
struct Listener {
    client: ApiClient,
    forwarder: Forwarder,
    receiver: String,
    json: bool,
}

impl Listener {
    /// Until the server says no.
    async fn listen(&self) -> anyhow::Result<()> {
        let (first_ms, longest_ms) = PAUSE_MS;
        let (mut pause_ms, mut told) = (first_ms, HashSet::new());
        loop {
            match self.follow(&mut told).await {
                Ok(()) => pause_ms = first_ms,
                Err(client::Error::Refused(problem)) if !problem.is_passing() => {
                    return Err(client::Error::Refused(problem).into());
                }
                Err(error) => {
                    let sentence = format!("{error}; trying again");
                    complain(&sentence);
                    pause_ms = (pause_ms * 2).min(longest_ms);
                }
            }
            let real = Clock::System;
            real.sleep_until(real.now().plus_ms(pause_ms)).await;
        }
    }

    /// One stream, to its end.
    async fn follow(&self, known: &mut HashSet<String>) -> Result<(), client::Error> {
        let path = format!("/v1/receivers/{}/stream?forward=true", self.receiver);
        let mut stream = self.client.follow(&path).await?;
        let places = Arc::new(Semaphore::new(AT_ONCE_MAX));
        while let Some(told) = stream.next().await? {
            if told.event == "begun" && self.json {
                let mut out = std::io::stdout();
                let _nobody_reads = writeln!(out, "{}", json!({"listening": true}));
            }
            let Ok(request) = serde_json::from_str::<Value>(&told.text) else {
                continue;
            };
            let id = text(&request, "id");
            if told.event != "request" || !known.insert(id.clone()) {
                continue;
            }
            if known.len() > REMEMBERED_MAX {
                known.retain(|other| *other == id);
            }
            let place = places.clone().acquire_owned().await;
            let listener = self.clone();
            tokio::spawn(async move {
                listener.forward(&request).await;
                drop(place);
            });
        }
        Ok(())
    }

    /// Forwards one request, gives its answer back, and tells it.
    async fn forward(&self, request: &Value) {
        let forwarded = self.forwarder.forward(request).await;
        let path = format!(
            "/v1/receivers/{}/requests/{}/answer",
            self.receiver,
            text(request, "id")
        );
        let given = self.client.post(&path, Body::of(&forwarded.answer)).await;
        let event_type = self.event_type(request).await;
        let line = if self.json {
            told_in_json(request, &forwarded, &event_type).to_string()
        } else {
            line(request, &forwarded, &event_type)
        };
        let mut out = std::io::stdout();
        let _nobody_reads = writeln!(out, "{line}");
        if let Err(error) = given {
            complain(&format!("the answer was not taken: {error}"));
        }
    }

    /// The type of the event that a delivery is about, where it can be told.
    async fn event_type(&self, request: &Value) -> String {
        let id = request["headers"]["webhook-id"]
            .as_str()
            .unwrap_or_default();
        let mut event = id.to_owned();
        if id.starts_with("dlv_") {
            let found = self.client.get(&format!("/v1/deliveries/{id}")).await;
            event = found.map(|found| text(&found, "event")).unwrap_or_default();
        }
        if !event.starts_with("evt_") {
            return String::new();
        }
        let found = self.client.get(&format!("/v1/events/{event}")).await;
        found.map(|found| text(&found, "type")).unwrap_or_default()
    }
}

fn complain(sentence: &str) {
    let mut err = std::io::stderr();
    let _nobody_reads = writeln!(err, "{}", paint::cut(sentence, 300));
}

fn told_in_json(request: &Value, forwarded: &Forwarded, event_type: &str) -> Value {
    json!({
        "at": request["at"], "id": request["id"], "webhook_id": request["headers"]["webhook-id"], "type": event_type,
        "method": request["method"], "path": request["path"], "status": forwarded.answer["status"],
        "error": forwarded.answer["error"]["message"], "duration_ms": forwarded.duration_ms,
    })
}

fn line(request: &Value, forwarded: &Forwarded, event_type: &str) -> String {
    let at = text(request, "at");
    let time = at.get(11..19).unwrap_or(&at);
    let (mark, came) = match forwarded.answer["status"].as_u64() {
        Some(status @ 200..=299) => (paint::good("✓"), status.to_string()),
        Some(status) => (paint::bad("✗"), status.to_string()),
        None => {
            let why = forwarded.answer["error"]["message"].as_str();
            (paint::bad("✗"), paint::cut(why.unwrap_or_default(), 100))
        }
    };
    let id = request["headers"]["webhook-id"]
        .as_str()
        .unwrap_or_default();
    format!(
        "{}  {mark} {}  {came}  {} ms  {}",
        paint::faint(time),
        paint::column(event_type, 28),
        forwarded.duration_ms,
        paint::faint(id)
    )
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_one_line() {
        let request = json!({"at": "2026-01-01T09:30:01.000Z", "headers": {"webhook-id": "evt_1"}});
        for (answer, told) in [
            (
                json!({"status": 204}),
                "09:30:01  ✓ deal.won                      204  7 ms  evt_1",
            ),
            (
                json!({"error": {"class": "connect", "message": "nobody\nlistens"}}),
                "09:30:01  ✗ deal.won                      nobody listens  7 ms  evt_1",
            ),
        ] {
            let forwarded = Forwarded {
                answer,
                duration_ms: 7,
            };
            assert_eq!(line(&request, &forwarded, "deal.won"), told);
        }
    }
}
