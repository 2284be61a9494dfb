//! A receiver on loopback that keeps what it gets and answers as the test says.
//!
//! A real HTTP/1.1 server, plain or TLS. A request is on record once its whole body was read,
//! before it is answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{self, Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, rustls};

use super::answers::{Answer, Script};
use super::before_hanging;
use super::line::{Doorway, Line};

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// All headers, in the order they came.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
}

impl Request {
    /// A header's text, or nothing.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The `webhook-id`, without which it is no delivery.
    pub fn webhook_id(&self) -> &str {
        self.header("webhook-id")
            .expect("a delivery has a webhook-id")
    }
}

/// The receiver. It stops when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    scheme: &'static str,
    certificate_pem: Option<String>,
    record: Arc<Record>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Record {
    script: Mutex<Script>,
    requests: Mutex<Vec<Request>>,
    arrived: Notify,
}

impl Receiver {
    /// Starts one that speaks plain HTTP and answers 204 to everything.
    pub async fn start() -> Self {
        Self::serve(None, None).await
    }

    /// Starts one with a certificate for `name` that nobody has signed.
    pub async fn start_tls(name: &str) -> Self {
        let own = rcgen::generate_simple_self_signed([name.to_owned()])
            .expect("a certificate can be made");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(vec![own.cert.der().clone()], key.into())
            })
            .expect("the certificate fits its key");
        Self::serve(Some(TlsAcceptor::from(Arc::new(tls))), Some(own.cert.pem())).await
    }

    /// Starts one that shakes hands like this.
    pub async fn start_proving(tls: TlsAcceptor) -> Self {
        Self::serve(Some(tls), None).await
    }

    async fn serve(tls: Option<TlsAcceptor>, certificate_pem: Option<String>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let doorway = Doorway::open(tls).await.expect("loopback has a free port");
        let address = doorway.address();
        let record = Arc::new(Record::default());
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&record));
        let service = router.into_make_service_with_connect_info::<Line>();
        let server = tokio::spawn(async move {
            axum::serve(doorway, service)
                .await
                .expect("it serves for ever");
        });
        Self {
            address,
            scheme,
            certificate_pem,
            record,
            server,
        }
    }

    /// The URL of `path` here, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its certificate, for clients that shall trust it.
    pub fn certificate_pem(&self) -> &str {
        self.certificate_pem.as_deref().expect("started with TLS")
    }

    /// From now on `path` gets this answer, once its sequence is used up.
    pub fn always(&self, path: &str, answer: Answer) {
        lock(&self.record.script).always(path, answer);
    }

    /// Adds to the sequence of `path`: each answer of it is given once.
    pub fn next(&self, path: &str, answer: Answer) {
        lock(&self.record.script).next(path, answer);
    }

    /// All requests so far, in the order they arrived.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.record.requests).clone()
    }

    /// How many requests there were so far.
    pub fn count(&self) -> usize {
        lock(&self.record.requests).len()
    }

    /// Returns all requests once there are at least `count`.
    pub async fn wait_for(&self, count: usize) -> Vec<Request> {
        before_hanging(&format!("{count} requests"), async {
            loop {
                let arrived = self.record.arrived.notified();
                tokio::pin!(arrived);
                arrived.as_mut().enable();
                if self.count() >= count {
                    return self.requests();
                }
                arrived.await;
            }
        })
        .await
    }

    /// How often each `webhook-id` arrived.
    pub fn counts_by_webhook_id(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for request in lock(&self.record.requests).iter() {
            *counts.entry(request.webhook_id().to_owned()).or_default() += 1;
        }
        counts
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(
    State(record): State<Arc<Record>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: http::Request<Body>,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = body::to_bytes(body, usize::MAX).await else {
        return http::StatusCode::BAD_REQUEST.into_response();
    };
    let answer = lock(&record.script).take(head.uri.path());
    lock(&record.requests).push(Request {
        method: head.method.to_string(),
        target: head
            .uri
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
        headers: head.headers,
        body,
    });
    record.arrived.notify_waiters();
    answer.give(&line).await
}

/// A test that failed while it held the lock has said so already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
