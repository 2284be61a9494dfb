//! The client libraries of others, as their users get them: `standardwebhooks`, `stripe` and `cloudevents` from
//! npm and from PyPI, GitHub's example payloads, its signer and its verifier. `tests/clients/install` puts
//! them there.
//!
//! The libraries refuse a delivery that was signed more than five minutes from the machine's time,
//! so a story that uses them starts its clock at the present.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::before_hanging;
use super::receiver::Request;

/// Whose library verifies.
#[derive(Debug, Clone, Copy)]
pub enum Library {
    /// JavaScript's.
    Npm,
    /// Python's.
    PyPi,
    /// PHP's own functions.
    Php,
}

/// A delivery and the secret that it should be signed with.
#[derive(Debug, Clone, Serialize)]
pub struct Signed {
    /// By which scheme it should be signed.
    pub scheme: &'static str,
    /// `whsec_…`, or a text.
    pub secret: String,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body in base64, so that no byte is touched on the way.
    pub body_base64: String,
}

impl Signed {
    /// What a receiver got that wants this scheme.
    pub fn under(scheme: &'static str, secret: &str, request: &Request) -> Self {
        Self {
            scheme,
            ..Self::new(secret, request)
        }
    }

    /// What a receiver of Standard Webhooks got.
    pub fn new(secret: &str, request: &Request) -> Self {
        let text =
            |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Self {
            scheme: "standard",
            secret: secret.to_owned(),
            headers: request
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body_base64: STANDARD.encode(&request.body),
        }
    }
}

/// One of GitHub's example payloads.
#[derive(Debug, Clone, Deserialize)]
pub struct GithubPayload {
    /// The event's name, such as `issues`.
    pub name: String,
    /// What happened, such as `opened`; some events have none.
    pub action: Option<String>,
    /// The payload.
    pub payload_json_text: String,
}

/// What the library says of each delivery, in order: that it verifies, or why not.
pub async fn verify(library: Library, deliveries: &[Signed]) -> Vec<Result<(), String>> {
    let mut lines = String::new();
    for delivery in deliveries {
        lines += &serde_json::to_string(delivery).expect("strings become JSON");
        lines.push('\n');
    }
    let said = match library {
        Library::Npm => run(Path::new("node"), "node/verify.mjs", lines).await,
        Library::Php => run(Path::new("php"), "php/verify.php", lines).await,
        Library::PyPi => {
            run(
                &clients().join("python/.venv/bin/python"),
                "python/verify.py",
                lines,
            )
            .await
        }
    };
    let verdicts: Vec<_> = said
        .lines()
        .map(|line| {
            if line == "ok" {
                Ok(())
            } else {
                Err(line.to_owned())
            }
        })
        .collect();
    assert_eq!(
        verdicts.len(),
        deliveries.len(),
        "one verdict for each delivery"
    );
    verdicts
}

/// All example payloads of the npm package `@octokit/webhooks-examples`.
pub async fn github_payloads() -> Vec<GithubPayload> {
    let said = run(Path::new("node"), "node/payloads.mjs", String::new()).await;
    said.lines()
        .map(|line| serde_json::from_str(line).expect("payloads.mjs prints JSON lines"))
        .collect()
}

/// A CloudEvent to be written by a library.
#[derive(Debug, Clone, Serialize)]
pub struct DescribedEvent {
    /// Its attributes.
    pub attributes: serde_json::Value,
    /// Its data, if it is JSON or text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
    /// Its data in base64, if it is bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
}

/// What a library makes of CloudEvents: a request.
#[derive(Debug, Clone)]
pub struct CloudRequest {
    /// Headers by name.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

/// The request that the library makes of events in `mode`: `structured`, `binary` or `batch`.
pub async fn cloudevents(library: Library, mode: &str, events: &[DescribedEvent]) -> CloudRequest {
    #[derive(Deserialize)]
    struct Written {
        headers: BTreeMap<String, String>,
        body_base64: String,
    }
    let asked = serde_json::json!({"mode": mode, "events": events});
    let (interpreter, program) = match library {
        Library::Npm => (PathBuf::from("node"), "node/cloudevents.mjs"),
        Library::PyPi => (
            clients().join("python/.venv/bin/python"),
            "python/cloudevents_out.py",
        ),
        Library::Php => unreachable!("no story asks PHP for CloudEvents"),
    };
    let said = run(&interpreter, program, format!("{asked}\n")).await;
    let written: Written = serde_json::from_str(&said).expect("it prints JSON");
    CloudRequest {
        headers: written.headers,
        body: STANDARD.decode(written.body_base64).expect("base64"),
    }
}

/// The event that the library makes of a delivery: its `attributes`, and its `data`, which is JSON.
pub async fn read_cloudevent(library: Library, request: &Request) -> serde_json::Value {
    let Signed {
        headers,
        body_base64,
        ..
    } = Signed::new("", request);
    let came = serde_json::json!({"headers": headers, "body_base64": body_base64});
    let (interpreter, program) = match library {
        Library::Npm => (PathBuf::from("node"), "node/cloudevents_in.mjs"),
        Library::PyPi => (
            clients().join("python/.venv/bin/python"),
            "python/cloudevents_in.py",
        ),
        Library::Php => unreachable!("no story asks PHP for CloudEvents"),
    };
    let said = run(&interpreter, program, format!("{came}\n")).await;
    serde_json::from_str(&said).expect("it prints JSON")
}

/// The `X-Hub-Signature-256` of each payload, made by the npm package `@octokit/webhooks-methods`.
pub async fn github_signatures(secret: &str, payloads: &[GithubPayload]) -> Vec<String> {
    let mut lines = String::new();
    for payload in payloads {
        let asked = serde_json::json!({"secret": secret, "payload": payload.payload_json_text});
        lines.extend([asked.to_string(), "\n".to_owned()]);
    }
    let said = run(Path::new("node"), "node/sign.mjs", lines).await;
    let signatures: Vec<_> = said.lines().map(str::to_owned).collect();
    assert_eq!(signatures.len(), payloads.len());
    signatures
}

/// What a table answers to the npm package `@supabase/postgrest-js`, whose methods are called one on what the other
/// returns: `{"data", "error", "count", "status"}`.
pub async fn postgrest(url: &str, key: &str, calls: serde_json::Value) -> serde_json::Value {
    let asked = serde_json::json!({
        "url": url,
        // As supabase-js sends it.
        "headers": {"apikey": key, "Authorization": format!("Bearer {key}")},
        "calls": calls,
    });
    let said = run(
        Path::new("node"),
        "node/postgrest.mjs",
        format!("{asked}\n"),
    )
    .await;
    serde_json::from_str(&said).expect("it prints JSON")
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Runs one of the programs with `input` and returns what it printed.
async fn run(interpreter: &Path, program: &str, input: String) -> String {
    let installed = clients().join("node/node_modules").exists()
        && clients().join("python/.venv/installed").exists();
    assert!(
        installed,
        "the client libraries are not there: run tests/clients/install"
    );
    let mut child = Command::new(interpreter)
        .arg(clients().join(program))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the interpreter runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    // Both at once: neither pipe holds everything.
    let write = async move { stdin.write_all(input.as_bytes()).await };
    let (written, output) = before_hanging(program, async {
        tokio::join!(write, child.wait_with_output())
    })
    .await;
    written.expect("it reads all of its input");
    let output = output.expect("it ends");
    assert!(output.status.success(), "{program} failed");
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}
