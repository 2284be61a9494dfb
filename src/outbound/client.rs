//! The HTTP client: one request out, one bounded answer in.
//!
//! What it does: HTTP/1.1 over kept-alive connections, TLS where the URL says so. The time-out
//! covers everything from the lookup to the answer's last byte. It follows no redirect, knows no
//! proxy, keeps no cookie, unpacks nothing.
//!
//! One [`Client::send`] is at most one request that a receiver sees. The pool underneath takes another
//! connection in exactly one case: a kept-alive
//! connection turned out closed before a byte of the request was handed to it. If the receiver
//! closes while the request is on its way, nobody can know what it saw: that is a refusal of
//! class `connect`, and the retry policy decides.
//!
//! HTTP/2 is left out on purpose. It would put many deliveries on one connection, where one
//! stalled receiver's window or one black-holed connection stops its neighbours on the same
//! host, and it brings a second kind of silent repetition (refused streams). Every receiver of
//! webhooks speaks HTTP/1.1, and connections are bounded by the endpoint's slots.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use uuid::Uuid;

use super::Error;
use super::answer::{Answer, Phase, Problem};
use super::deadline::Deadline;
use super::guard::EgressGuard;
use super::resolver::{self, Resolver, VettedResolver};
use super::retry_after::RetryAfter;
use super::target::Target;
use super::tls;
use crate::model::header::OF_THE_CONNECTION;
use crate::model::{AttemptResult, Refusal};

/// How much of an answer's body is kept.
pub const EXCERPT_BYTES_MAX: usize = 4096;
/// Largest headers of an answer, names and values together.
pub const RESPONSE_HEADERS_BYTES_MAX: usize = 64 * 1024;

const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("Throwbar/", env!("CARGO_PKG_VERSION")));

/// What a client is made of. The default reaches public addresses only.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Decides which addresses are dialled.
    pub guard: EgressGuard,
    /// Looks names up.
    pub resolver: Resolver,
    /// Root certificates to trust beside the machine's, as PEM; may be empty.
    pub extra_roots_pem: Vec<u8>,
    /// Idle connections kept per scheme, host and port.
    pub pool_idle_per_host_max: usize,
    /// How long an idle connection is kept. The default is below the five seconds after which
    /// common servers (Node, Apache, uvicorn) hang up, so that a request seldom meets a
    /// connection that is just being closed.
    pub pool_idle_ms: u64,
    /// For a connection: lookup, TCP and TLS. Divided over a host's addresses, so that one that
    /// does not answer leaves time for the next.
    pub connect_timeout_ms: u64,
    /// Largest body of an answer.
    pub response_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            guard: EgressGuard::default(),
            resolver: Resolver::default(),
            extra_roots_pem: Vec::new(),
            pool_idle_per_host_max: 256,
            pool_idle_ms: 4_000,
            connect_timeout_ms: 10_000,
            response_bytes_max: 1024 * 1024,
        }
    }
}

/// The methods that requests use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// The usual one.
    #[default]
    Post,
    /// Where an endpoint says so.
    Put,
    /// To see whether anybody is there; without a body.
    Head,
}

/// One request.
#[derive(Debug)]
pub struct Request<'a> {
    /// How.
    pub method: Method,
    /// Where.
    pub target: &'a Target,
    /// Content type, signature and the endpoint's own. Those [`OF_THE_CONNECTION`] are dropped, so
    /// that no receiver is ever told of a length or a host other than the real one. Without a `user-agent` it is `Throwbar/<version>`.
    pub headers: HeaderMap,
    /// What, byte for byte.
    pub body: Bytes,
    /// From the lookup to the answer's last byte.
    pub timeout: Duration,
    /// For whom, whatever that id stands for: each has a bounded share of the lookups.
    pub on_behalf_of: Uuid,
}

/// Sends requests to vetted addresses. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: legacy::Client<Deadline<HttpsConnector<HttpConnector<VettedResolver>>>, Full<Bytes>>,
    guard: EgressGuard,
    response_bytes_max: usize,
}

/// What has come of an answer so far: kept when the time is up or the connection breaks.
#[derive(Default)]
struct Seen {
    status: Option<u16>,
    headers: HeaderMap,
    excerpt: Vec<u8>,
}

impl Client {
    /// A client without connections.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let resolver = VettedResolver {
            resolver: settings.resolver,
            guard: settings.guard.clone(),
        };
        let connect_timeout = Duration::from_millis(settings.connect_timeout_ms);
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        // It sees https URLs, too: TLS is laid over it.
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        let connector = HttpsConnector::from((tcp, tls::client_config(&settings.extra_roots_pem)?));
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_millis(settings.pool_idle_ms))
            .pool_max_idle_per_host(settings.pool_idle_per_host_max)
            .build(Deadline::new(connector, connect_timeout));
        Ok(Self {
            http,
            guard: settings.guard,
            response_bytes_max: settings.response_bytes_max,
        })
    }

    /// Sends one request and reads its answer. Never fails: a failure is an answer, too. May be
    /// dropped at any point; the connection is then closed.
    #[expect(
        clippy::disallowed_methods,
        reason = "a stopwatch: how long a network takes is not a time of the `Clock`'s"
    )]
    pub async fn send(&self, request: Request<'_>) -> Answer {
        let started = Instant::now();
        let timeout = request.timeout;
        let mut seen = Seen::default();
        let party = request.on_behalf_of;
        let exchange = resolver::on_behalf_of(party, self.exchange(request, &mut seen));
        let outcome = match tokio::time::timeout(timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(seen.too_late(timeout)),
        };
        seen.into_answer(outcome, started.elapsed())
    }

    async fn exchange(&self, request: Request<'_>, seen: &mut Seen) -> Result<u16, Problem> {
        let target = request.target;
        let outgoing = self.outgoing(request)?;
        let response = self.http.request(outgoing).await.map_err(|error| {
            let phase = if error.is_connect() {
                Phase::Connecting
            } else {
                Phase::Exchanging
            };
            Problem::of(&error, phase, target)
        })?;
        let (parts, mut body) = response.into_parts();
        let status = parts.status.as_u16();
        seen.status = Some(status);
        seen.take_headers(parts.headers)?;
        // The body counts as read only when it is whole; dropping it before that closes the
        // connection, so nothing beyond the limit is ever read.
        let announced = hyper::body::Body::size_hint(&body).lower();
        let mut body_bytes = 0_usize;
        if announced > self.response_bytes_max as u64 {
            return Err(self.too_large());
        }
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Problem::of(&error, Phase::Exchanging, target))?;
            let Ok(chunk) = frame.into_data() else {
                continue;
            };
            let room = EXCERPT_BYTES_MAX.saturating_sub(seen.excerpt.len());
            seen.excerpt
                .extend_from_slice(&chunk[..chunk.len().min(room)]);
            body_bytes = body_bytes.saturating_add(chunk.len());
            if body_bytes > self.response_bytes_max {
                return Err(self.too_large());
            }
        }
        Ok(status)
    }

    /// The request as the client underneath wants it. It dials a literal address without asking
    /// its resolver, so such a host must pass the guard here.
    fn outgoing(&self, request: Request<'_>) -> Result<http::Request<Full<Bytes>>, Problem> {
        if let Some(address) = request.target.literal() {
            self.guard
                .vet(address)
                .map_err(|refused| Problem::new(Refusal::Egress, refused.to_string()))?;
        }
        let mut headers = request.headers;
        for name in OF_THE_CONNECTION {
            headers.remove(name);
        }
        headers
            .entry(header::USER_AGENT)
            .or_insert_with(|| USER_AGENT.clone());
        headers
            .entry(header::ACCEPT)
            .or_insert(HeaderValue::from_static("*/*"));
        let mut outgoing = http::Request::new(Full::new(request.body));
        *outgoing.method_mut() = match request.method {
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
            Method::Head => http::Method::HEAD,
        };
        *outgoing.uri_mut() = request.target.uri().clone();
        *outgoing.headers_mut() = headers;
        Ok(outgoing)
    }

    fn too_large(&self) -> Problem {
        let limit = self.response_bytes_max;
        Problem::new(
            Refusal::TooLarge,
            format!("the answer's body is longer than {limit} bytes"),
        )
    }
}

impl Seen {
    fn take_headers(&mut self, headers: HeaderMap) -> Result<(), Problem> {
        let bytes: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if bytes > RESPONSE_HEADERS_BYTES_MAX {
            return Err(Problem::new(
                Refusal::TooLarge,
                "the answer's headers are too large",
            ));
        }
        self.headers = headers;
        Ok(())
    }

    fn too_late(&self, timeout: Duration) -> Problem {
        let within_ms = timeout.as_millis();
        let message = match self.status {
            Some(status) => format!("it answered {status}, but not wholly within {within_ms} ms"),
            None => format!("no answer within {within_ms} ms"),
        };
        Problem::new(Refusal::Timeout, message)
    }

    fn into_answer(self, outcome: Result<u16, Problem>, took: Duration) -> Answer {
        let (result, message, tls) = match outcome {
            Ok(status) => {
                let redirect = (300..400).contains(&status);
                let message = "redirects are not followed: give the endpoint the final URL";
                (
                    AttemptResult::Http { status },
                    redirect.then(|| message.to_owned()),
                    None,
                )
            }
            Err(problem) => (
                AttemptResult::Refused(problem.refusal),
                Some(problem.message),
                problem.tls,
            ),
        };
        Answer {
            result,
            status: self.status,
            tls,
            retry_after: self
                .headers
                .get(header::RETRY_AFTER)
                .and_then(RetryAfter::parse),
            headers: self.headers,
            excerpt: self.excerpt.into(),
            message,
            duration_ms: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
        }
    }
}
