//! The command line's way to a server: its HTTP API, as any other program would use it.
//!
//! Not the way out of `outbound`: that one delivers to strangers, reaches no private address and
//! signs. This one talks to a server whose address the user gave, loopback and company roots
//! included.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use url::Url;

use super::problem::Problem;

mod stream;

/// For a whole exchange; an answer comes after the commit, which a busy disk may delay.
const TIMEOUT_S: u64 = 60;
/// For a connection.
const CONNECT_TIMEOUT_S: u64 = 10;
/// How much of an answer that is not a problem document is shown.
const SHOWN_CHARS_MAX: usize = 300;
/// The header by which an operator's key acts for an account.
const ACCOUNT_HEADER: &str = "throwbar-account";

/// Why the server could not be asked, or what it said no to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The URL can't be used.
    #[error("--url '{0}' is not an address of a server, such as http://127.0.0.1:8080")]
    Url(String),
    /// No account can be called so.
    #[error("--account '{}' is not the id or uid of an account", .0.escape_debug())]
    Account(String),
    /// There is no key.
    #[error("a key is needed: --key tb_…, or THROWBAR_KEY in the environment")]
    NoKey,
    /// The client can't be made.
    #[error("TLS can't be set up")]
    Tls(#[source] rustls::Error),
    /// The client can't be made.
    #[error("the HTTP client can't be set up")]
    Build(#[source] reqwest::Error),
    /// No answer.
    #[error("no answer from {server}: is it running there? `throwbar serve` starts one")]
    Unreachable {
        /// Where it was expected.
        server: String,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// An answer that is not the API's.
    #[error("{server} answered {status} with something that is not this API's: {shown}")]
    Strange {
        /// Who answered.
        server: String,
        /// Its status code.
        status: u16,
        /// The beginning of the answer.
        shown: String,
    },
    /// The server said no.
    #[error("the server refused it: {0}")]
    Refused(Problem),
}

/// Which server, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ApiOptions {
    /// The server.
    #[arg(
        long,
        value_name = "URL",
        env = "THROWBAR_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    pub(super) url: String,
    /// An API key.
    #[arg(long, value_name = "KEY", env = "THROWBAR_KEY", hide_env_values = true)]
    pub(super) key: Option<String>,
    /// The account to act for, where the key is an operator's.
    #[arg(long, value_name = "ACCOUNT")]
    pub(super) account: Option<String>,
}

/// What is sent.
pub(super) struct Body {
    pub(super) content_type: &'static str,
    pub(super) bytes: Bytes,
}

impl Body {
    /// JSON that is already text.
    pub(super) fn json(bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: "application/json",
            bytes: bytes.into(),
        }
    }

    /// YAML, or JSON, which is YAML, too.
    pub(super) fn yaml(text: String) -> Self {
        Self {
            content_type: "application/yaml",
            bytes: text.into(),
        }
    }

    /// Nothing.
    pub(super) fn empty() -> Self {
        Self::json(Bytes::new())
    }

    /// JSON of a value.
    pub(super) fn of(value: &Value) -> Self {
        Self::json(value.to_string())
    }

    /// A component.
    pub(super) fn wasm(bytes: &'static [u8]) -> Self {
        Self {
            content_type: "application/wasm",
            bytes: Bytes::from_static(bytes),
        }
    }
}

/// A server's API. Cheap to clone; clones share connections.
#[derive(Clone)]
pub(super) struct ApiClient {
    http: reqwest::Client,
    server: Url,
    key: String,
    account: Option<HeaderValue>,
}

impl ApiClient {
    /// Gets ready; nothing is sent yet.
    pub(super) fn open(options: &ApiOptions) -> Result<Self, Error> {
        let server = Url::parse(&options.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .filter(|url| url.query().is_none() && url.fragment().is_none())
            .ok_or_else(|| Error::Url(options.url.clone()))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(client_config()?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .timeout(Duration::from_secs(TIMEOUT_S))
            .connect_timeout(Duration::from_secs(CONNECT_TIMEOUT_S))
            .build()
            .map_err(Error::Build)?;
        let key = options.key.clone().ok_or(Error::NoKey)?;
        Ok(Self {
            http,
            server,
            key,
            account: options.account.as_deref().map(header).transpose()?,
        })
    }

    /// The same server as somebody else.
    pub(super) fn as_account(&self, account: &str) -> Result<Self, Error> {
        Ok(Self {
            account: Some(header(account)?),
            ..self.clone()
        })
    }

    /// Reads.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Error> {
        self.ask(Method::GET, path, None).await
    }

    /// Reads what is no JSON: as text.
    pub(super) async fn text(&self, path: &str) -> Result<String, Error> {
        let (_, bytes) = self.exchange(Method::GET, path, None).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Makes or does something.
    pub(super) async fn post(&self, path: &str, body: Body) -> Result<Value, Error> {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Changes something.
    pub(super) async fn patch(&self, path: &str, body: Body) -> Result<Value, Error> {
        self.ask(Method::PATCH, path, Some(body)).await
    }

    /// Takes something away.
    pub(super) async fn delete(&self, path: &str) -> Result<Value, Error> {
        self.ask(Method::DELETE, path, None).await
    }

    /// Where `path` is, behind whatever path the server itself is at: a proxy may put it below one.
    fn address(&self, path: &str) -> Url {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let mut url = self.server.clone();
        let before = url.path().trim_end_matches('/').to_owned();
        url.set_path(&(before + path));
        url.set_query(query);
        url
    }

    /// One exchange: the answer's JSON (`null` where it is empty), or why not.
    async fn ask(&self, method: Method, path: &str, body: Option<Body>) -> Result<Value, Error> {
        let (status, bytes) = self.exchange(method, path, body).await?;
        read(&bytes).ok_or_else(|| strange(self.server.as_str(), status, &bytes))
    }

    /// One exchange that goes well: its status and its answer.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Body>,
    ) -> Result<(u16, Bytes), Error> {
        let server = self.server.to_string();
        let mut request = self
            .http
            .request(method, self.address(path))
            .bearer_auth(&self.key);
        if let Some(account) = &self.account {
            request = request.header(ACCOUNT_HEADER, account);
        }
        if let Some(body) = body {
            request = request
                .header(http::header::CONTENT_TYPE, body.content_type)
                .body(body.bytes);
        }
        let unreachable = |cause| Error::Unreachable {
            server: server.clone(),
            cause,
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let retry_after_s = answer
            .headers()
            .get(http::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let bytes = answer.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok((status.as_u16(), bytes));
        }
        Err(refused(&server, status.as_u16(), retry_after_s, &bytes))
    }
}

/// What a server said no to.
fn refused(server: &str, status: u16, retry_after_s: Option<u64>, bytes: &[u8]) -> Error {
    let problem: Option<Problem> = serde_json::from_slice(bytes).ok();
    match problem.filter(|problem| !problem.code.is_empty()) {
        Some(problem) => Error::Refused(Problem {
            status,
            retry_after_s,
            ..problem
        }),
        None => strange(server, status, bytes),
    }
}

fn header(account: &str) -> Result<HeaderValue, Error> {
    account
        .parse()
        .map_err(|_| Error::Account(account.to_owned()))
}

fn read(bytes: &[u8]) -> Option<Value> {
    if bytes.is_empty() {
        return Some(Value::Null);
    }
    serde_json::from_slice(bytes).ok()
}

fn strange(server: &str, status: u16, bytes: &[u8]) -> Error {
    let shown = String::from_utf8_lossy(bytes)
        .trim()
        .chars()
        .take(SHOWN_CHARS_MAX)
        .collect();
    Error::Strange {
        server: server.to_owned(),
        status,
        shown,
    }
}

/// TLS with the provider handed over, so that nothing is installed for the whole process; with the
/// machine's roots, or the built-in list where it has none.
pub(super) fn client_config() -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    let (trusted, _) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if trusted == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Error::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str, key: Option<&str>) -> ApiOptions {
        ApiOptions {
            url: url.to_owned(),
            key: key.map(str::to_owned),
            account: None,
        }
    }

    #[test]
    fn a_door_needs_an_address_and_a_key() {
        for wrong in [
            "",
            "127.0.0.1:8080",
            "ftp://127.0.0.1",
            "unix:/run/x",
            "http://127.0.0.1/?a=b",
        ] {
            assert!(
                matches!(
                    ApiClient::open(&options(wrong, Some("tb_k"))),
                    Err(Error::Url(_))
                ),
                "{wrong}"
            );
        }
        assert!(matches!(
            ApiClient::open(&options("http://127.0.0.1:1", None)),
            Err(Error::NoKey)
        ));
        assert!(ApiClient::open(&options("http://127.0.0.1:1", Some("tb_k"))).is_ok());
    }

    #[test]
    fn an_account_that_no_header_can_name_is_refused() {
        let of = |account: &str| ApiOptions {
            account: Some(account.to_owned()),
            ..options("http://127.0.0.1:1", Some("tb_k"))
        };
        for wrong in ["a\nb", "\0"] {
            assert!(
                matches!(ApiClient::open(&of(wrong)), Err(Error::Account(named)) if named == wrong),
                "{wrong:?}"
            );
        }
        assert!(ApiClient::open(&of("acme")).is_ok());
    }

    #[test]
    fn a_server_may_be_below_a_path() {
        for (url, path, wanted) in [
            ("http://h:1", "/v1/events", "http://h:1/v1/events"),
            ("http://h:1/", "/v1/events", "http://h:1/v1/events"),
            ("https://h/hooks", "/v1/events", "https://h/hooks/v1/events"),
            (
                "https://h/a/b/",
                "/v1/api-keys?cursor=a%2Fb",
                "https://h/a/b/v1/api-keys?cursor=a%2Fb",
            ),
        ] {
            let client = ApiClient::open(&options(url, Some("tb_k"))).expect(url);
            assert_eq!(client.address(path).as_str(), wanted);
        }
    }

    #[test]
    fn an_empty_answer_is_null_and_html_is_strange() {
        assert_eq!(read(b""), Some(Value::Null));
        assert_eq!(read(b"{\"id\":1}"), Some(serde_json::json!({"id": 1})));
        assert_eq!(read(b"<html>"), None);
    }
}
