//! One request, sent on to this machine as it came: same method, same body, all headers but those of the connection.

use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use url::Url;

use crate::model::Stopwatch;
use crate::model::header::OF_THE_CONNECTION;

/// Largest answer that is given back.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Where requests are sent on to.
#[derive(Clone)]
pub(super) struct Forwarder {
    http: reqwest::Client,
    to: Url,
}

/// What came of one.
pub(super) struct Forwarded {
    /// As it is given back.
    pub(super) answer: Value,
    pub(super) duration_ms: u64,
}

impl Forwarder {
    /// One that waits so long for an answer.
    pub(super) fn to(to: Url, timeout: Duration) -> anyhow::Result<Self> {
        let is_web = matches!(to.scheme(), "http" | "https") && to.has_host();
        anyhow::ensure!(
            is_web,
            "--forward '{to}' is not a URL such as http://localhost:3000/hook"
        );
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(super::client::client_config()?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            // A server under development comes and goes.
            .pool_max_idle_per_host(0)
            .timeout(timeout)
            .build()
            .context("the HTTP client can't be set up")?;
        Ok(Self { http, to })
    }

    /// Sends a request on; what it was answered, or why not.
    pub(super) async fn forward(&self, request: &Value) -> Forwarded {
        let stopwatch = Stopwatch::start();
        let answer = match self.exchange(request).await {
            Ok(answer) => answer,
            Err((class, message)) => json!({"error": {"class": class, "message": message}}),
        };
        Forwarded {
            answer,
            duration_ms: stopwatch.elapsed_us() / 1000,
        }
    }

    async fn exchange(&self, request: &Value) -> Result<Value, (&'static str, String)> {
        let failed = |error: reqwest::Error| {
            let class = if error.is_timeout() {
                "timeout"
            } else {
                "connect"
            };
            let why = if error.is_timeout() {
                "no answer in time"
            } else if error.is_connect() {
                "nobody listens"
            } else {
                "the connection broke off"
            };
            (class, format!("{why} at {}", self.to))
        };
        let method = request["method"].as_str().unwrap_or("POST");
        let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::POST);
        let sent = self
            .http
            .request(method, self.address(request))
            .headers(headers(request))
            .body(body(request));
        let mut answer = sent.send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        let pairs: Vec<(&str, String)> = answer
            .headers()
            .iter()
            .map(|(name, value)| {
                let text = String::from_utf8_lossy(value.as_bytes());
                (name.as_str(), text.into_owned())
            })
            .collect();
        let pairs = json!(pairs);
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                let why = format!("the answer is longer than {ANSWER_BYTES_MAX} bytes");
                return Err(("too_large", why));
            }
        }
        Ok(json!({"status": status, "headers": pairs, "body_base64": STANDARD.encode(body)}))
    }

    /// Where a request goes: what follows the receiver's URL follows here, too.
    fn address(&self, request: &Value) -> Url {
        let mut to = self.to.clone();
        let path = request["path"].as_str().unwrap_or("/");
        if path != "/" {
            let before = to.path().trim_end_matches('/').to_owned();
            to.set_path(&(before + path));
        }
        if let Some(query) = request["query"].as_str().filter(|query| !query.is_empty()) {
            to.set_query(Some(query));
        }
        to
    }
}

/// All headers but those of the connection.
fn headers(request: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        let name = HeaderName::try_from(name.as_str());
        let value = HeaderValue::try_from(value.as_str().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value)
            && !OF_THE_CONNECTION.contains(&name.as_str())
        {
            headers.insert(name, value);
        }
    }
    headers
}

/// The body, byte for byte.
fn body(request: &Value) -> Vec<u8> {
    if let Some(text) = request["body"].as_str() {
        return text.as_bytes().to_vec();
    }
    let text = request["body_base64"].as_str().unwrap_or_default();
    STANDARD.decode(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_on_as_it_came() {
        let request = json!({
            "headers": {"webhook-id": "evt_1", "host": "x", "content-length": "3"},
            "body": null, "body_base64": "AP8B", "path": "/", "query": "",
        });
        let found = headers(&request);
        assert_eq!(found.len(), 1);
        assert_eq!(found["webhook-id"], "evt_1");
        assert_eq!(body(&request), [0, 255, 1]);
        let forwarder =
            |to: &str| Forwarder::to(to.parse().expect("a URL"), Duration::from_secs(1));
        let there = forwarder("http://localhost:3000/hook").expect("one");
        assert_eq!(
            there.address(&request).as_str(),
            "http://localhost:3000/hook"
        );
        let further = json!({"path": "/a/b", "query": "c=d"});
        assert_eq!(
            there.address(&further).as_str(),
            "http://localhost:3000/hook/a/b?c=d"
        );
        assert!(forwarder("ftp://localhost/").is_err());
    }
}
