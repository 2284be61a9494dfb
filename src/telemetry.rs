//! What the operator sees: structured log lines on standard error, and figures for Prometheus.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Why there is no log or no figures.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter can't be read.
    #[error("log '{0}' is not a filter: expected something like info or throwbar=debug,info")]
    Filter(String),
    /// The figures can't be kept.
    #[error("the metrics can't be set up")]
    Metrics(#[source] metrics_exporter_prometheus::BuildError),
}

/// Bounds of the histogram of entries in one commit.
const BATCH_BUCKETS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];

/// Begins to log what `filter` lets through. A second call in the same process changes nothing.
pub fn log(filter: &str, format: LogFormat) -> Result<(), Error> {
    let filter = EnvFilter::try_new(filter).map_err(|_| Error::Filter(filter.to_owned()))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Colours only for eyes; whoever has set `NO_COLOR` keeps the plain lines that are the default then.
    let lines = if std::io::stderr().is_terminal() {
        lines
    } else {
        lines.with_ansi(false)
    };
    let _already_set = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// Begins to keep figures; the handle renders them. In one process there is one set of figures.
pub fn metrics() -> Result<PrometheusHandle, Error> {
    static HANDLE: std::sync::OnceLock<PrometheusHandle> = std::sync::OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Full("throwbar_batch_entries".to_owned()),
            &BATCH_BUCKETS,
        )
        .map_err(Error::Metrics)?
        .build_recorder();
    let handle = recorder.handle();
    // Whoever was first keeps the figures; this handle then shows nothing, which only tests see.
    let _already_set = metrics::set_global_recorder(recorder);
    describe();
    Ok(HANDLE.get_or_init(|| handle).clone())
}

fn describe() {
    for (name, what) in [
        (
            "throwbar_events_accepted_total",
            "Events made durable and acknowledged",
        ),
        (
            "throwbar_events_pushed_back_total",
            "Events refused because too many were waiting (429)",
        ),
        (
            "throwbar_events_taken_over_total",
            "Events taken over from ended incarnations",
        ),
        ("throwbar_evaluations_total", "Evaluations by verdict"),
        ("throwbar_attempts_total", "HTTP requests by what came back"),
        (
            "throwbar_deliveries_total",
            "Recorded attempts by what followed for the delivery",
        ),
        (
            "throwbar_deliveries_claimed_total",
            "Deliveries brought back from the store: retries and spilled ones",
        ),
        (
            "throwbar_deliveries_interrupted_total",
            "Deliveries whose node ended before an answer was on record",
        ),
        (
            "throwbar_circuits_opened_total",
            "Times that an endpoint failed until it got one request at a time",
        ),
        (
            "throwbar_endpoints_disabled_total",
            "Endpoints disabled by their failure policy or a 410",
        ),
        (
            "throwbar_deliveries_expired_total",
            "Deliveries given up because their payload's retention has ended",
        ),
        (
            "throwbar_retention_removed_total",
            "Payloads, events and deliveries whose retention has ended",
        ),
    ] {
        metrics::describe_counter!(name, what);
    }
    metrics::describe_gauge!(
        "throwbar_circuits_open",
        "Endpoints that get one request at a time, or few, because they go on failing: of this node"
    );
    metrics::describe_gauge!(
        "throwbar_oldest_event_seconds",
        "Age of the oldest event of any account"
    );
    metrics::describe_histogram!(
        "throwbar_batch_entries",
        "Entries in one commit of the writer"
    );
}
