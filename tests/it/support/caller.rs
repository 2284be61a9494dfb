//! A plain HTTP client of the native API, with a key.

use bytes::Bytes;
use serde_json::Value;

/// Calls one node. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Caller {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// What a node answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: http::HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body as JSON, of an answer that must have this status.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self.json()
    }

    /// The `id` of what was made, which must have gone well.
    pub fn id(&self) -> String {
        let is_made = matches!(self.status, 201 | 202);
        assert!(is_made, "{}: {:?}", self.status, self.body);
        text(&self.json()["id"])
    }
}

/// The text of a JSON string.
pub fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("{value} is a string"))
        .to_owned()
}

impl Caller {
    /// A client of the node at `url`.
    pub fn new(url: &str, key: &str) -> Self {
        // Another test of this process may have been first.
        rustls::crypto::aws_lc_rs::default_provider()
            .install_default()
            .ok();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("a client can be made");
        Self {
            http,
            url: url.to_owned(),
            key: key.to_owned(),
        }
    }

    /// Where the node is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client of the same node with another key.
    pub fn with_key(&self, key: &str) -> Self {
        Self {
            key: key.to_owned(),
            ..self.clone()
        }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        let request = self.request(reqwest::Method::GET, path);
        let sent = send(request).await;
        sent.unwrap_or_else(|error| panic!("GET {path}: {error:?}"))
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        let sent = self.try_post(path, body.to_string()).await;
        sent.unwrap_or_else(|error| panic!("POST {path}: {error:?}"))
    }

    /// `PATCH` of JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        let request = self
            .request(reqwest::Method::PATCH, path)
            .header("content-type", "application/json")
            .body(body.to_string());
        let sent = send(request).await;
        sent.unwrap_or_else(|error| panic!("PATCH {path}: {error:?}"))
    }

    /// `POST` of these bytes as JSON; the connection may break.
    pub async fn try_post(
        &self,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Reply, reqwest::Error> {
        let request = self
            .request(reqwest::Method::POST, path)
            .header("content-type", "application/json")
            .body(body.into());
        send(request).await
    }

    /// `POST` of these bytes with these headers and without the key, as a sender of webhooks does.
    pub async fn send_webhook(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let mut request = self.http.post(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = send(request.body(body.into())).await;
        sent.unwrap_or_else(|error| panic!("POST {path}: {error:?}"))
    }

    /// Uploads a component under this name.
    pub async fn upload(&self, name: &str, component: impl Into<Bytes>) -> Reply {
        let request = self
            .request(reqwest::Method::POST, &format!("/v1/plugins?name={name}"))
            .header("content-type", "application/wasm")
            .body(component.into());
        let sent = send(request).await;
        sent.unwrap_or_else(|error| panic!("upload: {error:?}"))
    }

    /// Sends one event that must be accepted; its id.
    pub async fn send_event(&self, event_type: &str, payload: &str) -> String {
        let body = event_body(event_type, payload, None);
        let sent = self.try_post("/v1/events", body).await;
        sent.expect("an answer").id()
    }

    /// All entries of a list, page by page.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let mut entries = Vec::new();
        let mut cursor = String::new();
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{joint}limit=200{cursor}")).await;
            let page = page.expect(200);
            entries.extend(page["data"].as_array().expect("a list").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return entries,
            }
        }
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.key))
    }
}

/// The body of `POST /v1/events`. The payload is put in as it is.
pub fn event_body(event_type: &str, payload: &str, idempotency_key: Option<&str>) -> String {
    let key =
        idempotency_key.map_or_else(String::new, |key| format!(",\"idempotency_key\":\"{key}\""));
    format!("{{\"type\":\"{event_type}\",\"data\":{payload}{key}}}")
}

async fn send(request: reqwest::RequestBuilder) -> Result<Reply, reqwest::Error> {
    let response = request.send().await?;
    Ok(Reply {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.bytes().await?,
    })
}
